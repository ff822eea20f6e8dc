"""Weights onto crossbars: bit slices over columns, rows over row tiles, groups as diagonal blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pimsim.config.records import System
from pimsim.errors import InputError
from pimsim.workload.dataflow import Matrix, Node


@dataclass(frozen=True)
class Tiling:
    """The crossbars of one replica of a layer, in the order in which they fill IMAs.

    Crossbar i holds the weights from input rows ``row_lo[i]..row_hi[i]`` (ends excluded) to outputs
    ``out_lo[i]..out_hi[i]``; rows and outputs are numbered over the whole layer, groups one after another.
    """

    row_lo: np.ndarray  #: (crossbars,) int64
    row_hi: np.ndarray  #: (crossbars,) int64
    out_lo: np.ndarray  #: (crossbars,) int64
    out_hi: np.ndarray  #: (crossbars,) int64
    used_cells: int  #: cells that hold a weight's slice
    cells_per_weight: int
    crossbars_per_ima: int
    passes: int = 1  #: reads for each bit slice of the inputs and group of driven wordlines

    @property
    def crossbars(self) -> int:
        """Crossbars of one replica."""
        return self.row_lo.size

    @property
    def imas(self) -> int:
        """IMAs of one replica; an IMA serves one replica only."""
        return -(-self.crossbars // self.crossbars_per_ima)


def weight_bits(node: Node, system: System) -> int:
    """Bits of the layer's weights."""
    return system.mapping.layer_weight_bits.get(node.name, system.mapping.weight_bits)


def tile_matrix(node: Node, system: System) -> Tiling:
    """Cut the node's matrix into crossbars (ISAAC, section 3: 16 outputs of 16 bits in 128 columns of 2 bits)."""
    matrix = node.matrix
    assert matrix is not None
    ima = system.chip.tile.ima
    array = ima.crossbar
    slices = array.columns_of_weight(weight_bits(node, system))
    per_crossbar = array.columns // slices
    if per_crossbar == 0:
        raise InputError(
            f"a {weight_bits(node, system)}-bit weight of layer '{node.name}' takes {slices} cells of "
            f"{array.cell_bits} bits, and a crossbar has {array.columns} columns",
            key="chip.tile.ima.crossbar.columns",
        )
    groups_together = 1
    if matrix.groups > 1 and matrix.rows <= array.rows and matrix.columns <= per_crossbar:
        groups_together = min(array.rows // matrix.rows, per_crossbar // matrix.columns, matrix.groups)
    if groups_together > 1:
        row_lo, row_hi, out_lo, out_hi = _diagonal_blocks(matrix, groups_together)
    else:
        row_lo, row_hi, out_lo, out_hi = _blocks(matrix, array.rows, per_crossbar, system.mapping.crossbar_order)
    used = matrix.rows * matrix.columns * matrix.groups * slices
    return Tiling(row_lo, row_hi, out_lo, out_hi, used, slices, ima.crossbars)


def read_across(tiling: Tiling) -> Tiling:
    """The same crossbars with inputs on their bitlines and results on their wordlines: a transposable array.

    The cells of a weight lie in neighbouring columns and count for different powers of two, so that they are driven
    one after another.  No cell is counted: all are those of ``tiling``.
    """
    return replace(tiling, row_lo=tiling.out_lo, row_hi=tiling.out_hi, out_lo=tiling.row_lo, out_hi=tiling.row_hi,
                   used_cells=0, passes=tiling.cells_per_weight)  # fmt: skip


def _blocks(matrix: Matrix, rows: int, outputs: int, order: str) -> tuple[np.ndarray, ...]:
    """Row tiles x column tiles of every group; ``order`` says what is contiguous."""
    row_tiles, column_tiles = -(-matrix.rows // rows), -(-matrix.columns // outputs)
    r, c = np.arange(row_tiles), np.arange(column_tiles)
    if order == "columns":  # the row tiles of one column of weights stay together
        c, r = (grid.ravel() for grid in np.meshgrid(c, r, indexing="ij"))
    else:
        r, c = (grid.ravel() for grid in np.meshgrid(r, c, indexing="ij"))
    group = np.repeat(np.arange(matrix.groups), r.size)
    r, c = np.tile(r, matrix.groups), np.tile(c, matrix.groups)
    row_lo = group * matrix.rows + r * rows
    row_hi = group * matrix.rows + np.minimum((r + 1) * rows, matrix.rows)
    out_lo = group * matrix.columns + c * outputs
    out_hi = group * matrix.columns + np.minimum((c + 1) * outputs, matrix.columns)
    return row_lo, row_hi, out_lo, out_hi


def _diagonal_blocks(matrix: Matrix, together: int) -> tuple[np.ndarray, ...]:
    """Several small groups on the diagonal of one crossbar (grouped and depthwise convolutions)."""
    first = np.arange(0, matrix.groups, together)
    last = np.minimum(first + together, matrix.groups)
    return first * matrix.rows, last * matrix.rows, first * matrix.columns, last * matrix.columns


@dataclass(frozen=True)
class Slice:
    """The part of a replica that lies in one tile: what a window moves there.

    ``ima_lo``..``ima_hi`` count within the replica (end excluded); values are 16-bit words or as
    ``mapping.input_bits`` says.
    """

    ima_lo: int
    ima_hi: int
    crossbars: int
    inputs_read: int  #: values from eDRAM to the input registers; an IMA loads what its crossbars need
    rows_driven: int  #: sum over crossbars of the rows in use
    outputs_sent: int  #: values from the IMAs' output registers to the tile
    results: int  #: distinct outputs, partial or complete, that leave the slice
    channels: tuple[tuple[int, int], ...]  #: input channels needed, counted over all edges; ends excluded

    @property
    def additions(self) -> int:
        """Additions of the tile's shift-and-add to merge what its IMAs deliver."""
        return self.outputs_sent - self.results


def cut_slice(tiling: Tiling, matrix: Matrix, ima_lo: int, ima_hi: int) -> Slice:
    """The slice of IMAs ``ima_lo``..``ima_hi`` of a replica."""
    per_ima = tiling.crossbars_per_ima
    span = slice(ima_lo * per_ima, min(ima_hi * per_ima, tiling.crossbars))
    row_lo, row_hi = tiling.row_lo[span], tiling.row_hi[span]
    out_lo, out_hi = tiling.out_lo[span], tiling.out_hi[span]
    ima = np.arange(span.start, span.stop) // per_ima
    wide = max(int(tiling.row_hi.max()), int(tiling.out_hi.max())) + 1
    _, loads = np.unique(ima * wide + row_lo, return_index=True)
    _, sends = np.unique(ima * wide + out_lo, return_index=True)
    _, distinct = np.unique(out_lo, return_index=True)
    return Slice(
        ima_lo=ima_lo,
        ima_hi=ima_hi,
        crossbars=span.stop - span.start,
        inputs_read=int((row_hi - row_lo)[loads].sum()),
        rows_driven=int((row_hi - row_lo).sum()),
        outputs_sent=int((out_hi - out_lo)[sends].sum()),
        results=int((out_hi - out_lo)[distinct].sum()),
        channels=_merged(row_lo // matrix.kernel_positions, -(-row_hi // matrix.kernel_positions)),
    )


def _merged(lo: np.ndarray, hi: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Ranges that cover the same numbers, in order and apart from each other."""
    ranges: list[tuple[int, int]] = []
    for first, end in sorted(set(zip(lo.tolist(), hi.tolist(), strict=True))):
        if ranges and first <= ranges[-1][1]:
            ranges[-1] = ranges[-1][0], max(end, ranges[-1][1])
        else:
            ranges.append((first, end))
    return tuple(ranges)
