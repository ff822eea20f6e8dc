"""Writes of cells, counted one cell at a time: the twin of :class:`pimsim.device.write_counter.WriteCounter`.

It shares no code with the kernels; the tests hold all counts equal.
"""

from __future__ import annotations

import numpy as np


class ReferenceCounter:
    """One crossbar.  Arguments as of :class:`~pimsim.device.write_counter.WriteCounter`.

    Rows are found by following what lies where: ``lies_in[p]`` is the row of the matrix in row p of the array, None in
    the gap.
    """

    def __init__(
        self, rows: int, columns: int, policy: str = "changed", levelling: str = "none", interval: int = 100
    ) -> None:
        spare = 1 if levelling == "start_gap" else 0
        self.policy, self.levelling, self.interval = policy, levelling, interval
        self.lies_in: list[int | None] = [*range(rows), *[None] * spare]
        self.held = np.zeros((rows + spare, columns), int)
        self.cell_writes = np.zeros((rows + spare, columns), int)
        self.row_writes = np.zeros(rows + spare, int)
        self.levelling_writes = 0
        self.since = 0

    @property
    def levels(self) -> np.ndarray:
        """(rows, columns) what the rows of the matrix hold."""
        order = [self.lies_in.index(row) for row in range(len(self.lies_in) - self.lies_in.count(None))]
        return self.held[order]

    def write(self, levels: np.ndarray, row: int = 0, column: int = 0, times: int = 1) -> tuple[int, int]:
        """(rows, columns) new levels from there on, -1: no part of the update; (writes of cells, writes of rows)."""
        cells, rows = int(self.cell_writes.sum()), int(self.row_writes.sum())
        for r, fresh in enumerate(levels):
            lies = self.lies_in.index(row + r)
            if self._write_row(lies, column, fresh, times):
                self.since += 1
                if self.levelling != "none" and self.since == self.interval:
                    self.since = 0
                    self._level()
        return int(self.cell_writes.sum()) - cells, int(self.row_writes.sum()) - rows

    def _write_row(self, lies: int, column: int, fresh: np.ndarray, times: int = 1) -> int:
        """Cells of the row that are written each time."""
        own = [i for i, level in enumerate(fresh) if level >= 0]
        changes = {i: fresh[i] != self.held[lies, column + i] for i in own}
        written = 0
        for i in own:
            if self.policy == "full" or changes[i] or (self.policy == "changed_rows" and any(changes.values())):
                self.cell_writes[lies, column + i] += times
                self.held[lies, column + i] = fresh[i]
                written += 1
        if written:
            self.row_writes[lies] += times
        return written

    def _level(self) -> None:
        held, last = self.held.copy(), len(self.lies_in) - 1
        if self.levelling == "rotate":
            for row in range(last + 1):
                self.levelling_writes += self._write_row(row, 0, held[row - 1])
            self.lies_in = [self.lies_in[-1], *self.lies_in[:-1]]
        else:
            gap = self.lies_in.index(None)
            self.levelling_writes += self._write_row(gap, 0, held[gap - 1])
            self.lies_in[gap], self.lies_in[gap - 1] = self.lies_in[gap - 1], None


def levels_in_crossbars(
    weights: np.ndarray, tiling: tuple[np.ndarray, ...], weight_bits: int, cell_bits: int, columns: int, encoding: str,
    wordlines: int,
) -> list[np.ndarray]:  # fmt: skip
    """What each crossbar's cells shall hold, (its rows, columns); -1 where no weight lies.

    Args:
        weights: (groups, rows, outputs) signed.
        tiling: row_lo, row_hi, out_lo and out_hi of each crossbar, rows and outputs numbered over all groups.
        wordlines: over which the encoding ``flip`` looks at a column.
    """
    groups, rows, outputs = weights.shape
    found = []
    for row_lo, row_hi, out_lo, out_hi in zip(*(bounds.tolist() for bounds in tiling), strict=True):
        levels = np.full((row_hi - row_lo, columns), -1)
        for group, row, output in np.ndindex(groups, rows, outputs):
            at_row, at_output = group * rows + row, group * outputs + output
            if row_lo <= at_row < row_hi and out_lo <= at_output < out_hi:
                cells = sliced(int(weights[group, row, output]), weight_bits, cell_bits, encoding)
                first = (at_output - out_lo) * len(cells)
                levels[at_row - row_lo, first : first + len(cells)] = cells
        if encoding == "flip":
            for group in range(groups):
                begin, end = max(row_lo, group * rows) - row_lo, min(row_hi, (group + 1) * rows) - row_lo
                for first in range(begin, end, wordlines):
                    _invert(levels[first : min(first + wordlines, end)], 2**cell_bits - 1)
        found.append(levels)
    return found


def _invert(levels: np.ndarray, top: int) -> None:
    """Columns of (wordlines, columns) levels that hold more than half of what they could, in place."""
    for column in levels.T:
        held = column >= 0
        if 2 * column[held].sum() > top * held.sum():
            column[held] = top - column[held]


def sliced(weight: int, weight_bits: int, cell_bits: int, encoding: str) -> list[int]:
    """Levels of the cells of a weight, the lowest slice first, by division."""
    if encoding != "differential":
        halves, bits = [weight + 2 ** (weight_bits - 1)], weight_bits
    else:
        halves, bits = [max(weight, 0), max(-weight, 0)], weight_bits - 1
    return [half // 2**position % 2**cell_bits for half in halves for position in range(0, bits, cell_bits)]
