"""Compiled half of :mod:`pimsim.device.write_counter`: writes of rows, slicing of weights, and rows that move.

All in one file: compiled code that is kept on disk is made anew when its own file changes, not when another one does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

import pimsim.engine  # noqa: F401  (it says where compiled code is kept)
from pimsim.device.wear_levelling import ROTATE, START_GAP


class Cells(NamedTuple):
    """State of the crossbars of a counter; the rows of the array are those of the matrix and a spare one, if any."""

    level: np.ndarray  #: (crossbars, rows of the array, columns) uint8, what each cell holds
    writes: np.ndarray  #: (crossbars, rows of the array, columns) int64, of each cell, those of levelling included
    row_writes: np.ndarray  #: (crossbars, rows of the array) int64, how often at least a cell of the row was written
    place: np.ndarray  #: (crossbars, rows) int64, row of the array in which each row of the matrix lies
    gap: np.ndarray  #: (crossbars,) int64, the spare row of the array; -1: there is none
    since: np.ndarray  #: (crossbars,) int64, rows written since the last move of wear levelling
    moved: np.ndarray  #: (crossbars,) int64, writes of cells by wear levelling alone


class Rules(NamedTuple):
    """How an update is written."""

    unchanged_cells: bool  #: whether cells that keep their level are written, in rows where another one changes
    unchanged_rows: bool  #: whether rows are written in which nothing changes
    levelling: int  #: one of pimsim.device.wear_levelling.KINDS
    interval: int  #: row writes between moves
    times: int  #: updates alike, each of which writes the same cells


class Slicing(NamedTuple):
    """How a signed weight lies in cells."""

    offset: int  #: added before it is sliced
    slices: int  #: cells of a weight, or of one half of a pair
    cell_bits: int
    paired: bool  #: positive and negative weights in columns of their own
    flipped_rows: int  #: wordlines over which a column of many high levels is stored inverted; 0: never


@njit(cache=True)
def write_levels(cells, levels, crossbar, row, column, rules):  # type: ignore[no-untyped-def]
    """(crossbars, rows, columns) new levels from that place on; what was written, as in Written."""
    written, rows, longest = 0, 0, 0
    for c in range(levels.shape[0]):
        cells_before, rows_before = cells.moved[crossbar + c], cells.row_writes[crossbar + c].sum()
        for r in range(levels.shape[1]):
            written += _write_row(cells, crossbar + c, row + r, column, levels[c, r], rules)
        written += cells.moved[crossbar + c] - cells_before
        rows_written = cells.row_writes[crossbar + c].sum() - rows_before
        rows += rows_written
        longest = max(longest, rows_written)
    return written, rows, longest


@njit(cache=True)
def write_blocks(cells, weights, blocks, crossbar, slicing, rules):  # type: ignore[no-untyped-def]
    """Slice (groups, rows, outputs) weights and write their blocks, a crossbar each; what was written, as in Written.

    blocks: (crossbars, 4) row_lo, row_hi, out_lo, out_hi, as in a Tiling.
    """
    _, group_rows, group_outputs = weights.shape
    cells_per_weight = 2 * slicing.slices if slicing.paired else slicing.slices
    fresh, inverted = np.empty(cells.level.shape[2], np.uint8), np.zeros(cells.level.shape[2], np.uint8)
    written, rows, longest = 0, 0, 0
    for block in range(blocks.shape[0]):
        row_lo, row_hi, out_lo, out_hi = blocks[block]
        c = crossbar + block
        cells_before, rows_before = cells.moved[c], cells.row_writes[c].sum()
        read_together = row_lo
        for row in range(row_lo, row_hi):
            group = row // group_rows  # a crossbar may hold several groups on its diagonal
            first_output = group * group_outputs
            first, last = max(out_lo, first_output), min(out_hi, first_output + group_outputs)
            of_group = weights[group, :, first - first_output : last - first_output]
            begin = row - group * group_rows
            if slicing.flipped_rows and row == read_together:
                end = min(begin + slicing.flipped_rows, group_rows, begin + row_hi - row)
                _find_inverted(inverted, fresh, of_group[begin:end], slicing)
                read_together += end - begin
            values = of_group[begin]
            _slice_row(fresh, values, slicing, inverted)
            column = (first - out_lo) * cells_per_weight
            written += _write_row(cells, c, row - row_lo, column, fresh[: values.size * cells_per_weight], rules)
        written += cells.moved[c] - cells_before
        rows_written = cells.row_writes[c].sum() - rows_before
        rows += rows_written
        longest = max(longest, rows_written)
    return written, rows, longest


@njit(cache=True)
def _find_inverted(inverted, fresh, values, slicing):  # type: ignore[no-untyped-def]
    """Of wordlines that one read drives: the highest level for columns that hold more than half of it on average."""
    top = (1 << slicing.cell_bits) - 1
    cells = values.shape[1] * slicing.slices
    total = np.zeros(cells, np.int64)
    inverted[:cells] = 0
    for row in range(values.shape[0]):
        _slice_row(fresh, values[row], slicing, inverted)
        for i in range(cells):
            total[i] += fresh[i]
    for i in range(cells):
        if 2 * total[i] > top * values.shape[0]:
            inverted[i] = top


@njit(cache=True)
def _slice_row(fresh, values, slicing, inverted):  # type: ignore[no-untyped-def]
    """Levels of the cells of a row of weights, the lowest slice of a weight first."""
    mask = (np.int64(1) << slicing.cell_bits) - 1
    at = 0
    for value in values:
        for half in range(2 if slicing.paired else 1):
            stored = max(value if half == 0 else -value, 0) if slicing.paired else value + slicing.offset
            for _ in range(slicing.slices):
                fresh[at] = (stored & mask) ^ inverted[at]  # the highest level less this one, or this one
                stored >>= slicing.cell_bits
                at += 1


@njit(cache=True)
def _write_row(cells, crossbar, row, column, fresh, rules):  # type: ignore[no-untyped-def]
    """Write a row of the matrix where it lies, and move rows when it is time; writes of cells, moves apart."""
    lies = cells.place[crossbar, row]
    own = slice(column, column + fresh.size)
    level, writes = cells.level[crossbar, lies, own], cells.writes[crossbar, lies, own]
    written = _write_cells(level, writes, fresh, rules, rules.times)
    if written == 0:
        return 0
    cells.row_writes[crossbar, lies] += rules.times
    cells.since[crossbar] += 1
    if rules.levelling and cells.since[crossbar] >= rules.interval:
        cells.since[crossbar] = 0
        if rules.levelling == ROTATE:
            _rotate(cells, crossbar, rules)
        elif rules.levelling == START_GAP:
            _move_gap(cells, crossbar, rules)
    return rules.times * written


@njit(cache=True)
def _write_cells(level, writes, fresh, rules, times):  # type: ignore[no-untyped-def]
    """Write some cells of a row so many times: levels and counts; the number of cells written each time."""
    changed = 0
    for i in range(fresh.size):
        changed += fresh[i] != level[i]
    if changed == 0 and not rules.unchanged_rows:
        return 0
    if rules.unchanged_cells:
        for i in range(fresh.size):
            writes[i] += times
            level[i] = fresh[i]
        return fresh.size
    for i in range(fresh.size):
        writes[i] += times * (fresh[i] != level[i])
        level[i] = fresh[i]
    return changed


@njit(cache=True)
def _rotate(cells, crossbar, rules):  # type: ignore[no-untyped-def]
    """Every row goes one on; they are read before they are written."""
    rows = cells.level.shape[1]
    held = cells.level[crossbar].copy()
    for row in range(rows):
        _copy_into(cells, crossbar, row, held[(row - 1) % rows], rules)
        cells.place[crossbar, row] = (cells.place[crossbar, row] + 1) % rows


@njit(cache=True)
def _move_gap(cells, crossbar, rules):  # type: ignore[no-untyped-def]
    """The row before the gap goes into it; it keeps its levels until something is written there again."""
    gap = cells.gap[crossbar]
    before = (gap - 1) % cells.level.shape[1]
    for row in range(cells.place.shape[1]):
        if cells.place[crossbar, row] == before:
            cells.place[crossbar, row] = gap
    _copy_into(cells, crossbar, gap, cells.level[crossbar, before], rules)
    cells.gap[crossbar] = before


@njit(cache=True)
def _copy_into(cells, crossbar, row, fresh, rules):  # type: ignore[no-untyped-def]
    """Write a whole row of the array."""
    written = _write_cells(cells.level[crossbar, row], cells.writes[crossbar, row], fresh, rules, 1)
    cells.moved[crossbar] += written
    cells.row_writes[crossbar, row] += written > 0
