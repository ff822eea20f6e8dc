"""Replicas and slices of a Program, once everything has its tiles."""

from __future__ import annotations

import numpy as np

from pimsim.mapping.allocation import unit_values
from pimsim.mapping.copies import Copies
from pimsim.mapping.placing import Placed, home_tile
from pimsim.mapping.program import Replicas, Slices
from pimsim.mapping.rooms import Rows
from pimsim.network.fabric import HOST
from pimsim.workload.training.regions import values_read


def make_slices(copies: Copies, rows: Rows, placed: Placed, spilled: np.ndarray) -> Slices:
    """A row for each slice, replica after replica; ``spilled`` (B,) bool: buffers in DRAM."""
    columns: dict[str, list[int]] = {name: [] for name in Slices.__dataclass_fields__}
    for i, node in enumerate(copies.nodes):
        total = max(1, sum(edge.channels for edge in node.edges))
        for v, pieces in enumerate(placed[i]):
            replica = int(copies.rep_base[i]) + v
            first = rows.first[replica]
            in_dram = sum(edge.channels for e, edge in enumerate(node.edges) if spilled[first + e])
            for piece in pieces:
                part = piece.part
                from_dram = -(-part.inputs_read * in_dram // total)
                row = (replica, piece.tile, part.ima_hi - part.ima_lo, part.crossbars,
                       part.inputs_read - from_dram, from_dram, part.outputs_sent, part.additions,
                       part.results, -1)  # fmt: skip
                for name, value in zip(columns, row, strict=True):
                    columns[name].append(value)
    return Slices(**{name: _ints(column) for name, column in columns.items()})


def make_replicas(copies: Copies, rows: Rows, placed: Placed, slices: Slices) -> Replicas:
    """A row for each replica."""
    n = int(copies.rep_base[-1])
    layer, nodes = copies.layer, copies.nodes
    slice_first = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(slices.replica, minlength=n), out=slice_first[1:])
    tile = np.full(n, HOST, dtype=np.int64)
    for i in range(len(nodes)):
        for v in range(len(placed[i])):
            tile[copies.rep_base[i] + v] = home_tile(placed[i][v])
    values = _ints([unit_values(node) for node in nodes]).reshape(-1, 4)[layer]
    window_first = np.concatenate(
        [base + first[:-1] for base, (first, _) in zip(copies.win_base, copies.dealt, strict=False)]
        + [copies.win_base[-1:]]
    )
    values = values.copy()
    values[:, 2] += _home_additions(copies, slices, tile)
    share = np.diff(window_first) / _ints([node.windows for node in nodes])[layer]
    return Replicas(
        layer, tile, slice_first, window_first.astype(np.int64), np.array(rows.first, np.int64), values,
        every=_ints([node.every for node in nodes])[layer],
        emits_every=_ints([node.emits_every for node in nodes])[layer],
        kernel_flops=np.ceil(_ints([node.flops for node in nodes])[layer] * share).astype(np.int64),
        kernel_values=np.ceil(_values_moved(copies, share)).astype(np.int64),
        written_rows=_ints([int(node.kind == "update") for node in nodes])[layer],
        array=_arrays(copies),
    )  # fmt: skip


def _values_moved(copies: Copies, share: np.ndarray) -> np.ndarray:
    """(V,) values that a run of each kernel moves: its inputs, its share of all else, and what each core moves."""
    moved = np.zeros(share.size)
    for i, node in enumerate(copies.nodes):
        if node.kind == "gpu":
            own = copies.replicas(i)
            inputs = sum(np.diff(need.first) * edge.gathers * edge.channels
                         for edge, need in zip(node.edges, copies.needs[i], strict=True))  # fmt: skip
            shared = node.memory_values - sum(values_read(edge) * edge.gathers for edge in node.edges)
            moved[own] = inputs + shared * share[own] + node.each_values
    return moved


def _arrays(copies: Copies) -> np.ndarray:
    """(V,) the replica whose crossbars are read from both sides; -1: from one."""
    array = np.full(int(copies.rep_base[-1]), -1, np.int64)
    for i in copies.tilings:
        node = copies.nodes[i]
        if not node.has_crossbars:
            holders = np.arange(copies.rep_base[node.of], copies.rep_base[node.of + 1])
            array[copies.rep_base[i] : copies.rep_base[i + 1]] = array[holders] = holders
    return array


def _home_additions(copies: Copies, slices: Slices, tile: np.ndarray) -> np.ndarray:
    """(V,) additions of the home tile: of its own slice, and of the partial sums that arrive there."""
    own = slices.tile == tile[slices.replica]
    additions = np.bincount(slices.replica[own], weights=slices.added_values[own], minlength=tile.size)
    results = np.bincount(slices.replica, weights=slices.results, minlength=tile.size)
    outputs = np.array(
        [node.matrix.columns * node.matrix.groups if node.matrix else np.inf for node in copies.nodes]
    )[copies.layer]  # digital operations gather values, they add none
    return (additions + np.maximum(results - outputs, 0)).astype(np.int64)


def _ints(values) -> np.ndarray:  # type: ignore[no-untyped-def]
    return np.asarray(values, dtype=np.int64)
