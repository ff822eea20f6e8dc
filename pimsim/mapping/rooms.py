"""Buffers of a mapped network: what each replica keeps of each input, and the room that it takes where."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pimsim.errors import InputError
from pimsim.mapping.allocation import edge_channels
from pimsim.mapping.buffers import BufferDemand, core_bytes
from pimsim.mapping.copies import Copies
from pimsim.mapping.emissions import emissions_kept
from pimsim.mapping.placing import Placed, home_tile
from pimsim.mapping.program import Buffers

MEMORY = "chip.gpu_core.memory.mib"  #: key that is named where GPU cores cannot keep what belongs to weights


@dataclass
class Rows:
    """Buffers in the order of replicas, then edges: one entry of each list for each."""

    replica: list[int] = field(default_factory=list)
    edge: list[tuple[int, int]] = field(default_factory=list)  #: node, and number of its edge
    least: list[int] = field(default_factory=list)  #: positions for which there must be places
    positions: list[int] = field(default_factory=list)  #: of one emission
    ready: list[np.ndarray] = field(default_factory=list)
    done: list[np.ndarray] = field(default_factory=list)
    first: list[int] = field(default_factory=lambda: [0])  #: (V + 1) first buffer of each replica


def buffer_rows(copies: Copies) -> Rows:
    """A row for each replica and edge."""
    rows = Rows()
    for i, (first_window, _) in enumerate(copies.dealt):
        for v in range(copies.number[i]):
            window = slice(int(first_window[v]), int(first_window[v + 1]))
            for e, need in enumerate(copies.needs[i]):
                rows.replica.append(int(copies.rep_base[i]) + v)
                rows.edge.append((i, e))
                rows.least.append(int(need.least[v]))
                rows.positions.append(int(need.first[v + 1] - need.first[v]))
                rows.ready.append(need.ready[window])
                rows.done.append(need.done[window])
            rows.first.append(len(rows.replica))
    return rows


def find_demand(copies: Copies, rows: Rows, placed: Placed) -> BufferDemand:
    """What every buffer needs, and may take, in which tiles."""
    core, nodes = copies.system.chip.gpu_core, copies.nodes
    tile_first, tiles, values = [0], list[int](), list[int]()
    for replica, (i, e) in zip(rows.replica, rows.edge, strict=True):
        slices = placed[i][replica - int(copies.rep_base[i])]
        kept: dict[int, int] = {}
        for piece in slices:
            channels = edge_channels(nodes[i], piece.part)[e]
            if channels:
                kept[piece.tile] = kept.get(piece.tile, 0) + channels
        if not kept:  # a layer whose rows end before this edge's channels: keep the order of arrival
            kept[home_tile(slices)] = nodes[i].edges[e].channels
        tiles.extend(kept)
        values.extend(kept.values())
        tile_first.append(len(tiles))
    least, word = np.array(rows.least, np.int64), -(-copies.system.mapping.input_bits // 8)
    emissions = np.array([emissions_kept(nodes[i], nodes[i].edges[e]) for i, e in rows.edge], np.int64)
    size = np.where(copies.on_gpu[tiles], core.value_bytes if core is not None else 0, word)
    return BufferDemand(
        layer=[nodes[i].name for i, _ in rows.edge],
        least=least,
        most=np.maximum(least, np.array(rows.positions, np.int64) * emissions),
        tile_first=np.array(tile_first, np.int64),
        tile=np.array(tiles, np.int64),
        values=np.array(values, np.int64),
        position_bytes=np.array(values, np.int64) * size,
    )


def cores_are_too_small(copies: Copies, placed: Placed, demand: BufferDemand) -> bool:
    """Whether the memory of some GPU core does not hold what it must."""
    least = np.repeat(demand.least, np.diff(demand.tile_first)) * demand.position_bytes
    held = _kept(copies, placed)
    np.add.at(held, demand.tile, least)
    return bool((held[copies.on_gpu] > core_bytes(copies.system)).any())


def _kept(copies: Copies, placed: Placed) -> np.ndarray:
    kept, core = np.zeros(copies.fabric.n_tiles, np.int64), copies.system.chip.gpu_core
    for node, slices in zip(copies.nodes, placed, strict=True):
        if node.kept_values and core is not None:
            np.add.at(kept, [pieces[0].tile for pieces in slices], node.kept_values * core.value_bytes)
    return kept


def bytes_kept(copies: Copies, placed: Placed) -> np.ndarray:
    """(tiles,) bytes that stay in the memories of GPU cores from run to run.

    Raises:
        InputError: more than a memory holds.
    """
    kept = _kept(copies, placed)
    fullest = int(np.argmax(kept))
    if kept[fullest] > core_bytes(copies.system) and copies.on_gpu.any():
        what = f"memory of GPU core {fullest} is too small: weights, sums of their gradients and momentum take "
        raise InputError(f"{what}{kept[fullest]:,} bytes there", key=MEMORY,
                         allowed="a larger memory, or more GPU cores")  # fmt: skip
    return kept


def make_buffers(copies: Copies, rows: Rows, demand: BufferDemand, capacity: np.ndarray) -> Buffers:
    """The buffers of the Program."""
    edges = [copies.nodes[i].edges[e] for i, e in rows.edge]

    def of_edges(name: str) -> np.ndarray:
        return np.array([getattr(edge, name) for edge in edges], np.int64)

    return Buffers(
        replica=np.array(rows.replica, np.int64), capacity=capacity, positions=np.array(rows.positions, np.int64),
        copies=np.diff(demand.tile_first), source=of_edges("source"), shared=of_edges("shared"),
        gathers=of_edges("gathers"), initial=of_edges("initial"), ready=rows.ready, done=rows.done,
    )  # fmt: skip
