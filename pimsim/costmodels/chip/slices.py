"""What each slice of a layer reads, sends and adds: :func:`pimsim.mapping.tiling.cut_slice` for all slices at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.mapping.allocation import edge_channels
from pimsim.mapping.tiling import Slice, Tiling, cut_slice
from pimsim.workload.dataflow import Node


@dataclass(frozen=True)
class Cuts:
    """Slices of a layer, (S,) int64 each; values are those of one window."""

    crossbars: np.ndarray
    read: np.ndarray  #: values from eDRAM to the input registers
    sent: np.ndarray  #: values from the IMAs to the tile
    results: np.ndarray  #: distinct outputs that leave the slice
    channels: np.ndarray  #: (S, edges) channels that are kept in the slice's tile

    @property
    def added(self) -> np.ndarray:
        """Additions in the slice's tile."""
        return self.sent - self.results


def cut_slices(node: Node, tiling: Tiling, ima_lo: np.ndarray, ima_hi: np.ndarray) -> Cuts:
    """The slices of IMAs ``ima_lo``..``ima_hi`` (end excluded) of a layer's replicas."""
    pairs = ima_lo * (tiling.imas + 1) + ima_hi
    distinct, inverse = np.unique(pairs, return_inverse=True)
    lo, hi = np.divmod(distinct, tiling.imas + 1)
    cut = _cut_columns if distinct.size > 8 and _in_columns(node, tiling) else _cut_each
    found = cut(node, tiling, lo, hi)
    return Cuts(found.crossbars[inverse], found.read[inverse], found.sent[inverse], found.results[inverse],
                found.channels[inverse])  # fmt: skip


def cuts_of(slices: list[Slice], node: Node) -> Cuts:
    """Slices that have been cut, as arrays."""
    rows = [(part.crossbars, part.inputs_read, part.outputs_sent, part.results) for part in slices]
    crossbars, read, sent, results = np.array(rows, np.int64).reshape(-1, 4).T
    channels = np.array([edge_channels(node, part) for part in slices], np.int64).reshape(len(slices), len(node.edges))
    return Cuts(crossbars, read, sent, results, channels)


def _cut_each(node: Node, tiling: Tiling, lo: np.ndarray, hi: np.ndarray) -> Cuts:
    assert node.matrix is not None
    parts = [cut_slice(tiling, node.matrix, a, b) for a, b in zip(lo.tolist(), hi.tolist(), strict=True)]
    return cuts_of(parts, node)


def _in_columns(node: Node, tiling: Tiling) -> bool:
    """Whether the crossbars are those of one matrix, column of weights after column, fed by one edge."""
    matrix = node.matrix
    one = matrix is not None and matrix.groups == 1 and len(node.edges) == 1
    return one and bool(np.all(np.diff(tiling.out_lo) >= 0))


def _cut_columns(node: Node, tiling: Tiling, lo: np.ndarray, hi: np.ndarray) -> Cuts:
    """By prefix sums: the row tiles of one column of weights follow each other, R to a column."""
    assert node.matrix is not None
    per_ima, n = tiling.crossbars_per_ima, tiling.crossbars
    first, end = lo * per_ima, np.minimum(hi * per_ima, n)
    of_column = int(np.count_nonzero(tiling.out_lo == tiling.out_lo[0]))
    index = np.arange(n)
    in_ima = index % per_ima
    rows, outputs = tiling.row_hi - tiling.row_lo, tiling.out_hi - tiling.out_lo
    loads = np.where(in_ima < of_column, rows, 0)  # a row tile comes again after R crossbars
    sends = np.where((in_ima == 0) | (index % of_column == 0), outputs, 0)
    begins = np.where(index % of_column == 0, outputs, 0)

    def sums(values: np.ndarray) -> np.ndarray:
        total = np.concatenate([[0], np.cumsum(values)])
        between: np.ndarray = total[end] - total[first]
        return between

    results = sums(begins) + np.where(first % of_column, outputs[first], 0)
    channels = _channels_kept(first, end, of_column, tiling, node.matrix.kernel_positions)
    return Cuts(end - first, sums(loads), sums(sends), results, channels[:, None])


def _channels_kept(
    first: np.ndarray, end: np.ndarray, of_column: int, tiling: Tiling, kernel_positions: int
) -> np.ndarray:
    """(S,) channels of the rows between crossbars ``first`` and ``end``, which begin anew with each column."""
    low = tiling.row_lo // kernel_positions
    high = -(-tiling.row_hi // kernel_positions)
    whole = int(high.max())
    at, to = first % of_column, (end - 1) % of_column
    wraps = to < at
    straight = high[to] - low[at]
    around = np.minimum(whole - low[at] + high[to], whole)
    kept: np.ndarray = np.where(end - first >= of_column, whole, np.where(wraps, around, straight))
    return kept
