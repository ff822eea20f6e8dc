"""Replicas to tiles: matrices by next fit along the placement, digital operations near their producers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pimsim.config.records import System, Tile
from pimsim.mapping.packing import pieces
from pimsim.mapping.program import UNITS
from pimsim.mapping.tiling import Slice, Tiling, cut_slice
from pimsim.workload.dataflow import Dataflow, Node


@dataclass(frozen=True)
class PlacedSlice:
    """A slice and the tile it lies in."""

    tile: int
    part: Slice


def place_matrices(
    dataflow: Dataflow, tilings: dict[int, Tiling], copies: tuple[int, ...], order: np.ndarray, system: System
) -> list[list[list[PlacedSlice]]]:
    """For each node and replica: its slices.  Empty for nodes without a matrix."""
    per_tile = system.chip.tile.imas
    placed: list[list[list[PlacedSlice]]] = [[] for _ in dataflow.nodes]
    tile, free = -1, 0
    for i, tiling in tilings.items():
        matrix = dataflow.nodes[i].matrix
        assert matrix is not None
        cuts: dict[tuple[int, int], Slice] = {}
        for _ in range(copies[i]):
            skip, parts = pieces(tiling.imas, free, per_tile)
            tile += skip
            free = per_tile if skip else free
            slices, lo = [], 0
            for k, n in enumerate(parts):
                if k:
                    tile, free = tile + 1, per_tile
                if (lo, lo + n) not in cuts:
                    cuts[lo, lo + n] = cut_slice(tiling, matrix, lo, lo + n)
                slices.append(PlacedSlice(int(order[tile]), cuts[lo, lo + n]))
                lo, free = lo + n, free - n
            placed[i].append(slices)
    return placed


def digital_copies(node: Node, system: System, interval_windows: int) -> int:
    """Replicas of a digital operation: enough to keep pace with the matrices, as far as its windows allow."""
    if node.kind == "input" or node.reduces:
        return 1
    window_ns = max(unit_ns(node, system.chip.tile), read_ns(node, system), system.pipeline.slot_ns or 0.0)
    needed = math.ceil(node.windows * window_ns / (interval_windows * vector_ns(system)))
    return max(1, min(node.windows, max(needed, -(-node.windows // interval_windows))))


def unit_ns(node: Node, tile: Tile) -> float:
    """Time the busiest digital unit of a tile spends on one window [ns]."""
    times = [0.0]
    for name, values in node.actions.items():
        unit = getattr(tile, name)
        times.append(values / (unit.count * unit.values_per_clock * unit.clock_ghz))
    return max(times)


def read_ns(node: Node, system: System) -> float:
    """Time one eDRAM bank spends on a digital window's inputs [ns]."""
    edram = system.chip.tile.edram
    bits = values_per_window(node) * system.mapping.input_bits
    return bits / (edram.width_bits * edram.clock_ghz)


def vector_ns(system: System) -> float:
    """Estimate of the time between two vectors of one IMA [ns]."""
    ima = system.chip.tile.ima
    reads = -(-system.mapping.input_bits // ima.dac.bits) * -(-ima.crossbar.rows // ima.crossbar.wordlines)
    return reads * max(ima.crossbar.read_ns, ima.adc.columns / ima.adc.sample_rate_gsps)


def values_per_window(node: Node) -> int:
    """Most input values that a digital window reads."""
    total = 0
    for edge in node.edges:
        rows = int((edge.rows_hi - edge.rows_lo).max(initial=-1)) + 1
        cols = int((edge.cols_hi - edge.cols_lo).max(initial=-1)) + 1
        total += rows * cols * edge.channels
    return total


def digital_slice(node: Node) -> Slice:
    """What a window of a digital operation moves: everything in, nothing over the IMA's registers."""
    return Slice(0, 0, 0, values_per_window(node), 0, 0, 0, 0, sum(edge.channels for edge in node.edges))


def unit_values(node: Node) -> list[int]:
    """Values that a window puts through each of UNITS."""
    unknown = set(node.actions) - set(UNITS)
    if unknown:
        raise ValueError(f"node {node.name}: no digital unit called {', '.join(sorted(unknown))}")
    return [int(node.actions.get(unit, 0)) for unit in UNITS]


def edge_channels(node: Node, part: Slice) -> list[int]:
    """Channels of each edge that a slice needs (its rows may touch only some)."""
    needed, base = [], 0
    for edge in node.edges:
        lo, hi = max(part.channel_lo, base), min(part.channel_hi, base + edge.channels)
        needed.append(max(0, hi - lo))
        base += edge.channels
    return needed
