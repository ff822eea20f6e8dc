"""Replicas to tiles: matrices by next fit along the placement, digital operations near their producers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from pimsim.config.records import System, Tile
from pimsim.mapping.packing import pieces
from pimsim.mapping.placement import Turns
from pimsim.mapping.program import UNITS
from pimsim.mapping.tiling import Slice, Tiling, cut_slice
from pimsim.technology.components import vector_ns
from pimsim.workload.dataflow import Dataflow, Node


@dataclass(frozen=True)
class PlacedSlice:
    """A slice and the tile it lies in."""

    tile: int
    part: Slice


class NoRoom(Exception):
    """The replicas do not fit the tiles, or their buffers not the eDRAM of the tiles."""


def place_matrices(
    dataflow: Dataflow, tilings: dict[int, Tiling], least: list[list[np.ndarray]], beside: Mapping[int, int],
    turns: Turns, system: System, watch_edram: bool = True,
) -> list[list[list[PlacedSlice]]]:  # fmt: skip
    """For each node and replica: its slices.  Empty for nodes without a matrix.

    ``turns``: replicas and tiles in the order of placement (see :mod:`pimsim.mapping.placement`).
    ``least[node][edge]`` (replicas,): places that each replica's buffer must have; ``beside[node]``: values that others
    must keep with a replica of the node, spread over its IMAs.  A replica goes to the
    present tile if IMAs and eDRAM are left, else to the next.  Raises NoRoom when the tiles are used up;
    without ``watch_edram`` only IMAs count.
    """
    replicas, order = turns
    packer = _Packer(order, system, watch_edram)
    placed: list[list[list[PlacedSlice]]] = [[] for _ in dataflow.nodes]
    cutters = {i: _Cutter(dataflow.nodes[i], tiling, beside.get(i, 0)) for i, tiling in tilings.items()}
    for i, v in replicas:
        places = [int(needed[v]) for needed in least[i]]
        imas = tilings[i].imas
        pieces_at = cutters[i].cut(packer.pieces(imas), places)
        if packer.lacks_edram(pieces_at):
            pieces_at = cutters[i].cut(packer.pieces(imas, fresh=True), places)
        packer.take(pieces_at)
        placed[i].append([PlacedSlice(int(order[at]), part) for at, part, _ in pieces_at])
    return placed


class _Cutter:
    """Cuts the replicas of one layer into slices; equal cuts are made once."""

    def __init__(self, node: Node, tiling: Tiling, beside: int) -> None:
        self.node, self.tiling, self.beside = node, tiling, beside
        self.made: dict[tuple[int, int], tuple[Slice, list[int]]] = {}

    def cut(self, pieces_at: list[tuple[int, int]], places: list[int]) -> list[tuple[int, Slice, int]]:
        """(place in the order, slice, values that its buffers hold at least) of each piece."""
        cut, lo = [], 0
        for at, imas in pieces_at:
            key = lo, lo + imas
            if key not in self.made:
                assert self.node.matrix is not None
                part = cut_slice(self.tiling, self.node.matrix, *key)
                self.made[key] = part, edge_channels(self.node, part)
            part, channels = self.made[key]
            values = sum(p * c for p, c in zip(places, channels, strict=True))
            cut.append((at, part, values + -(-self.beside * imas // self.tiling.imas)))
            lo += imas
        return cut


class _Packer:
    """Next fit over the tiles in their order of placement."""

    def __init__(self, order: np.ndarray, system: System, watch_edram: bool) -> None:
        self.order, self.watch = order, watch_edram
        self.per_tile = system.chip.tile.imas
        self.word = -(-system.mapping.input_bits // 8)
        self.at, self.free = -1, 0
        self.room = np.full(order.size, system.chip.tile.edram.kib * 1024, dtype=np.int64)

    def pieces(self, imas: int, fresh: bool = False) -> list[tuple[int, int]]:
        """(place in the order, IMAs) of each piece of a replica, from the present tile or from a fresh one."""
        skip, parts = pieces(imas, 0 if fresh else self.free, self.per_tile)
        return [(self.at + skip + k, n) for k, n in enumerate(parts)]

    def lacks_edram(self, cut: list[tuple[int, Slice, int]]) -> bool:
        """Whether the replica would share the present tile and lacks eDRAM there."""
        at, _, values = cut[0]
        return self.watch and at == self.at and values * self.word > self.room[at]

    def take(self, slices: list[tuple[int, Slice, int]]) -> None:
        """Take IMAs and eDRAM for the slices of a replica."""
        for at, part, values in slices:
            if at >= self.order.size:
                raise NoRoom
            if at != self.at:
                self.at, self.free = at, self.per_tile
            self.free -= part.ima_hi - part.ima_lo
            self.room[at] -= values * self.word


def slices_across(node: Node, tiling: Tiling, holder: list[PlacedSlice]) -> list[PlacedSlice]:
    """The slices of a replica that reads the crossbars of another, ``holder``, from the other side; it has no IMA."""
    assert node.matrix is not None
    return [
        PlacedSlice(piece.tile, replace(cut_slice(tiling, node.matrix, piece.part.ima_lo, piece.part.ima_hi),
                                        ima_lo=0, ima_hi=0))
        for piece in holder
    ]  # fmt: skip


def digital_copies(node: Node, system: System, interval_windows: int) -> int:
    """Replicas of a digital operation: enough to keep pace with the matrices, as far as its windows allow."""
    if node.kind == "input" or node.reduces:
        return 1
    window_ns = max(unit_ns(node, system.chip.tile), read_ns(node, system), system.pipeline.slot_ns or 0.0)
    needed = math.ceil(node.windows * window_ns / (interval_windows * float(vector_ns(system))))
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


def values_per_window(node: Node) -> int:
    """Most input values that a digital window reads."""
    total = node.reads
    if total:
        return total
    for edge in node.edges:
        rows = int((edge.rows_hi - edge.rows_lo).max(initial=-1)) + 1
        cols = int((edge.cols_hi - edge.cols_lo).max(initial=-1)) + 1
        total += rows * cols * edge.channels
    return total


def digital_slices(node: Node, least: list[int], tile_values: int) -> list[Slice]:
    """The slices of a digital operation: one, unless its inputs are too large for the eDRAM of one tile.

    Then each slice keeps a range of channels in a tile of its own and sends what a window needs to the home
    tile, where the operation takes place.  ``least``: places each edge needs; ``tile_values``: values that
    fit the eDRAM of a tile.
    """
    weights = np.repeat(np.array(least, dtype=np.int64), [edge.channels for edge in node.edges])
    held = np.cumsum(weights)  # values kept for all channels up to each
    needed = int(held[-1])
    parts = min(held.size, -(-needed * 4 // (3 * tile_values)) if needed > tile_values else 1)
    bounds = np.searchsorted(held, np.arange(1, parts) * needed // parts) + 1
    bounds = np.unique(np.concatenate([[0], bounds, [held.size]]))
    read = values_per_window(node)
    slices = []
    for lo, hi in itertools.pairwise(bounds.tolist()):
        values = -(-read * (hi - lo) // held.size)
        moved = values if parts > 1 else 0
        slices.append(Slice(0, 0, 0, values, 0, moved, moved, ((lo, hi),)))
    return slices


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
        end = base + edge.channels
        needed.append(sum(max(0, min(hi, end) - max(lo, base)) for lo, hi in part.channels))
        base = end
    return needed


def values_held(node: Node, part: Slice, least: list[int]) -> int:
    """Values that a slice must hold, with ``least`` places for each edge."""
    return sum(places * channels for places, channels in zip(least, edge_channels(node, part), strict=True))
