"""Counts of the writes that cells, rows and crossbars see over any sequence of weight updates.

What is kept of each cell is the level it holds and how often it was written; the counts are exact integers.  The slow
and obvious twin is :mod:`pimsim.reference.endurance`.

Which cells an update writes is a row of the table :data:`POLICIES`; a row of the crossbar is *written* when at
least one of its cells is.  Signed weights lie in the cells as :mod:`pimsim.mapping.arithmetic` says: ``offset``
(weight + 2^(bits - 1)), ``flip`` (the same, columns of high levels inverted) or ``differential`` (a pair of columns for
each slice).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from pimsim.device.wear_levelling import WearLevelling
from pimsim.device.write_kernels import Cells, Rules, Slicing, write_blocks, write_levels
from pimsim.errors import InputError, shown


class Policy(NamedTuple):
    """Which cells of the updated part of a crossbar are written, beside those whose level changes."""

    unchanged_cells: bool  #: cells that keep their level, in rows where another one changes
    unchanged_rows: bool  #: rows in which nothing changes


POLICIES = {
    "full": Policy(unchanged_cells=True, unchanged_rows=True),  # every cell of the update
    "changed_rows": Policy(unchanged_cells=True, unchanged_rows=False),  # rows in which a level changes, whole
    "changed": Policy(unchanged_cells=False, unchanged_rows=False),  # cells whose level changes
}

ENCODINGS = ("offset", "flip", "differential")
WIDEST_CELL, WIDEST_WEIGHT = 8, 32  #: bits


class Written(NamedTuple):
    """What one call has written, wear levelling included."""

    cells: int  #: writes of cells
    rows: int  #: writes of rows
    longest: int  #: writes of rows in the crossbar that saw most: the time to write, where crossbars work in parallel


class Histogram(NamedTuple):
    """How many cells saw how many writes."""

    first: np.ndarray  #: (bins,) int64, fewest writes of each bin
    width: int  #: numbers of writes in a bin
    cells: np.ndarray  #: (bins,) int64


class Tiling(Protocol):
    """Blocks of a matrix, a crossbar each: see :class:`pimsim.mapping.tiling.Tiling`; ends are excluded."""

    @property
    def row_lo(self) -> np.ndarray: ...  # noqa: D102
    @property
    def row_hi(self) -> np.ndarray: ...  # noqa: D102
    @property
    def out_lo(self) -> np.ndarray: ...  # noqa: D102
    @property
    def out_hi(self) -> np.ndarray: ...  # noqa: D102


@dataclass(frozen=True)
class Blocks:
    """A tiling where there is no Program: blocks of the matrix along the columns, row tile after row tile."""

    row_lo: np.ndarray  #: (crossbars,) int64
    row_hi: np.ndarray  #: (crossbars,) int64
    out_lo: np.ndarray  #: (crossbars,) int64
    out_hi: np.ndarray  #: (crossbars,) int64


def cut(matrix_rows: int, outputs: int, rows: int, outputs_per_crossbar: int) -> Blocks:
    """Row tiles x column tiles of one matrix, onto crossbars of ``rows`` rows that hold so many outputs each."""
    down, across = np.arange(0, matrix_rows, rows), np.arange(0, outputs, outputs_per_crossbar)
    row_lo, out_lo = np.repeat(down, across.size), np.tile(across, down.size)
    row_hi, out_hi = np.minimum(row_lo + rows, matrix_rows), np.minimum(out_lo + outputs_per_crossbar, outputs)
    return Blocks(row_lo, row_hi, out_lo, out_hi)


class WriteCounter:
    """Crossbars of one size whose writes are counted; all cells begin at level 0, never written.

    Args:
        rows, columns: of a crossbar, the spare row of wear levelling apart.
        crossbars: how many.
        policy: a key of :data:`POLICIES`.
        levelling: how rows rotate.

    Raises:
        InputError: a size is below 1, or there is no such policy.
    """

    def __init__(
        self, rows: int, columns: int, crossbars: int = 1, policy: str = "changed",
        levelling: WearLevelling | None = None,
    ) -> None:  # fmt: skip
        for name, size in (("rows", rows), ("columns", columns), ("crossbars", crossbars)):
            if size < 1:
                raise InputError(f"is {shown(size)}", key=name, allowed="a whole number from 1")
        if policy not in POLICIES:
            raise InputError(f"there is no write policy {shown(policy)}", allowed=POLICIES)
        self.policy = policy
        self.levelling = levelling or WearLevelling()
        array_rows = rows + self.levelling.spare_rows
        self.cells = Cells(
            level=np.zeros((crossbars, array_rows, columns), np.uint8),
            writes=np.zeros((crossbars, array_rows, columns), np.int64),
            row_writes=np.zeros((crossbars, array_rows), np.int64),
            place=np.tile(np.arange(rows), (crossbars, 1)),
            gap=np.full(crossbars, rows if self.levelling.spare_rows else -1),
            since=np.zeros(crossbars, np.int64),
            moved=np.zeros(crossbars, np.int64),
        )

    @property
    def levels(self) -> np.ndarray:
        """(crossbars, rows, columns) uint8: what the rows of the matrix hold, wherever they lie."""
        return np.take_along_axis(self.cells.level, self.cells.place[:, :, None], axis=1)

    @property
    def cell_writes(self) -> np.ndarray:
        """(crossbars, rows of the array, columns) int64: writes of each cell; the array itself, not a copy."""
        return self.cells.writes

    @property
    def row_sums(self) -> np.ndarray:
        """(crossbars, rows of the array) int64: writes of cells, summed over each row."""
        return self.cells.writes.sum(axis=2)

    @property
    def crossbar_sums(self) -> np.ndarray:
        """(crossbars,) int64: writes of cells, summed over each crossbar."""
        return self.cells.writes.sum(axis=(1, 2))

    @property
    def total(self) -> int:
        """Writes of all cells."""
        return int(self.cells.writes.sum())

    @property
    def levelling_writes(self) -> int:
        """Writes of cells that wear levelling alone has caused; they are part of all counts."""
        return int(self.cells.moved.sum())

    def mean(self, written_only: bool = False) -> float:
        """Mean writes of a cell, of all or of those that were ever written."""
        writes = self.cells.writes
        cells = np.count_nonzero(writes) if written_only else writes.size
        return self.total / cells if cells else 0.0

    @property
    def maximum(self) -> int:
        """Writes of the cell that saw most."""
        return int(self.cells.writes.max())

    def histogram(self, most_bins: int = 100) -> Histogram:
        """How many cells saw how many writes, in at most so many bins of equal width; the first begins at 0."""
        return histogram(self.cells.writes, most_bins)

    def write(self, levels: np.ndarray, *, crossbar: int = 0, row: int = 0, column: int = 0, times: int = 1) -> Written:
        """Update a part of one crossbar, or of several that follow each other.

        Args:
            levels: (rows, columns) or (crossbars, rows, columns) new levels, 0..255.
            crossbar, row, column: where the update begins.
            times: updates alike, each of which writes the cells that this one writes.

        Raises:
            InputError: levels are no whole numbers of 0..255 or do not fit; ``times`` with wear levelling.
        """
        fresh = _whole_numbers(levels, "levels", 0, 255).astype(np.uint8)
        fresh = fresh if fresh.ndim == 3 else fresh[None]
        begin, end = (crossbar, row, column), np.add((crossbar, row, column), fresh.shape)
        there = (*self.cells.place.shape, self.cells.level.shape[2])
        if min(begin) < 0 or np.any(end > there):
            raise InputError(f"levels of shape {fresh.shape} from {begin} do not fit crossbars of shape {there}")
        return Written(*write_levels(self.cells, fresh, *begin, self._rules(times)))

    def write_weights(
        self, weights: np.ndarray, weight_bits: int, cell_bits: int, *, tiling: Tiling | None = None,
        encoding: str = "offset", wordlines: int | None = None, crossbar: int = 0, times: int = 1,
    ) -> Written:  # fmt: skip
        """Update all crossbars of a matrix of signed weights, sliced over cells.

        A weight's slices lie in neighbouring columns, the lowest first; those of a differential pair: all of the
        positive column, then all of the negative one.

        Args:
            weights: (rows, outputs) or, of a grouped layer, (groups, rows, outputs); integers of ``weight_bits``.
            tiling: the crossbars of a replica, which is ``Program.layers[i].tiling``; None: as :func:`cut` does.
            encoding: a word of :data:`ENCODINGS`.
            wordlines: driven in one read, over which ``flip`` looks at a column; None: all of a block.
            crossbar: the first that the matrix takes.
            times: updates alike, each of which writes the cells that this one writes.

        Raises:
            InputError: a weight does not fit its bits, or the matrix the crossbars; ``times`` with wear levelling.
        """
        slicing = _slicing(weight_bits, cell_bits, encoding, wordlines or self.cells.place.shape[1])
        most = (1 << (weight_bits - 1)) - 1
        least = -most if slicing.paired else -most - 1
        fresh = np.ascontiguousarray(_whole_numbers(weights, "weights", least, most), np.int64)
        fresh = fresh if fresh.ndim == 3 else fresh[None]
        cells_per_weight = slicing.slices * (2 if slicing.paired else 1)
        if tiling is None:
            if fresh.shape[0] > 1:
                raise InputError("the weights of a grouped layer need its tiling")
            rows, columns = self.cells.place.shape[1], self.cells.level.shape[2]
            tiling = cut(fresh.shape[1], fresh.shape[2], rows, max(1, columns // cells_per_weight))
        blocks = np.stack([tiling.row_lo, tiling.row_hi, tiling.out_lo, tiling.out_hi], axis=1).astype(np.int64)
        self._check_blocks(blocks, fresh.shape, cells_per_weight, crossbar)
        return Written(*write_blocks(self.cells, fresh, blocks, crossbar, slicing, self._rules(times)))

    def _rules(self, times: int) -> Rules:
        if times < 1:
            raise InputError(f"is {shown(times)}", key="times", allowed="a whole number from 1")
        if times > 1 and self.levelling.kind != "none":
            raise InputError("updates alike cannot be taken together while rows rotate", key="times", allowed="1")
        return Rules(*POLICIES[self.policy], self.levelling.code, self.levelling.interval, times)

    def _check_blocks(self, blocks: np.ndarray, shape: tuple[int, ...], slices: int, crossbar: int) -> None:
        crossbars, rows = self.cells.place.shape
        columns = self.cells.level.shape[2]
        tall = int((blocks[:, 1] - blocks[:, 0]).max(initial=0))
        wide = int((blocks[:, 3] - blocks[:, 2]).max(initial=0)) * slices
        if crossbar < 0 or crossbar + len(blocks) > crossbars or tall > rows or wide > columns:
            raise InputError(
                f"a matrix on {len(blocks)} crossbars of {tall} x {wide} cells, from crossbar {crossbar}, does not fit "
                f"{crossbars} crossbars of {rows} x {columns}"
            )
        groups = shape[0]
        if np.any(blocks < 0) or np.any(blocks[:, 1] > groups * shape[1]) or np.any(blocks[:, 3] > groups * shape[2]):
            raise InputError(f"the tiling is not that of weights of shape {shape}")


def histogram(writes: np.ndarray, most_bins: int = 100) -> Histogram:
    """How many cells saw how many writes, in at most so many bins of equal width; the first begins at 0."""
    if most_bins < 1:
        raise InputError(f"is {shown(most_bins)}", key="most_bins", allowed="a whole number from 1")
    width = int(writes.max(initial=0)) // most_bins + 1
    cells = np.bincount((writes // width).ravel())
    return Histogram(np.arange(cells.size) * width, width, cells)


def _whole_numbers(values: np.ndarray, name: str, least: int, most: int) -> np.ndarray:
    """``values`` as an array, checked."""
    array = np.asarray(values)
    if array.ndim not in (2, 3) or array.size == 0:
        raise InputError(f"{name} have shape {array.shape}", allowed="2 or 3 dimensions, none of them 0")
    if array.dtype.kind not in "iub":
        raise InputError(f"{name} are {array.dtype}", allowed="whole numbers")
    low, high = int(array.min()), int(array.max())
    if low < least or high > most:
        raise InputError(f"{name} go from {low} to {high}", allowed=f"{least} to {most}")
    return array


def _slicing(weight_bits: int, cell_bits: int, encoding: str, wordlines: int) -> Slicing:
    """How weights lie in cells, checked."""
    if encoding not in ENCODINGS:
        raise InputError(f"weights are not sliced in encoding {shown(encoding)}", allowed=ENCODINGS)
    paired = encoding == "differential"
    if not 1 + paired <= weight_bits <= WIDEST_WEIGHT:
        raise InputError(f"is {shown(weight_bits)}", key="weight_bits", allowed=f"{1 + paired} to {WIDEST_WEIGHT}")
    if wordlines < 1:
        raise InputError(f"is {shown(wordlines)}", key="wordlines", allowed="a whole number from 1")
    if not 1 <= cell_bits <= WIDEST_CELL:
        raise InputError(f"is {shown(cell_bits)}", key="cell_bits", allowed=f"1 to {WIDEST_CELL}")
    slices = -(-(weight_bits - paired) // cell_bits)
    offset, flipped_rows = 0 if paired else 1 << (weight_bits - 1), wordlines if encoding == "flip" else 0
    return Slicing(offset, slices, cell_bits, paired, flipped_rows)
