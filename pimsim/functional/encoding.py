"""Signed weights as levels of cells (encodings: :mod:`pimsim.mapping.arithmetic`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pimsim.errors import InputError
from pimsim.mapping.arithmetic import WIDEST_PRODUCT, Arithmetic


@dataclass(frozen=True)
class Group:
    """Wordlines that one read drives."""

    number: int
    crossbar: int  #: row of crossbars
    low: int  #: rows of the matrix, end excluded
    high: int

    @property
    def rows(self) -> slice:
        """Rows of the matrix."""
        return slice(self.low, self.high)


@dataclass(frozen=True)
class Encoded:
    """A matrix of K rows and N outputs in J cells a weight, read in G groups of wordlines.

    product = sum over groups of (sum over j of weight x code) + pulses x offset + constant.
    """

    groups: tuple[Group, ...]
    levels: np.ndarray  #: (K, N, J) uint8
    weights: np.ndarray  #: (G, N, J) int64, what a level of a column counts in the product
    offsets: np.ndarray  #: (G, N) int64, what each pulse on a wordline adds besides
    constants: np.ndarray  #: (G, N) int64

    @property
    def crossbars(self) -> int:
        """Rows of crossbars, whose partial sums are added up."""
        return self.groups[-1].crossbar + 1

    def largest_sums(self, largest_digit: int) -> np.ndarray:
        """(G, N, J) sum of each column if every wordline is driven with the largest digit [levels]."""
        lows = [group.low for group in self.groups]
        return np.add.reduceat(self.levels, lows, axis=0, dtype=np.int64) * largest_digit


def encode(weights: np.ndarray, arithmetic: Arithmetic) -> Encoded:
    """Levels of the cells for a matrix of integers.

    Args:
        weights: (K, N) integers within ``arithmetic.weight_range``.

    Raises:
        InputError: weights that are no integers, out of range, or too wide to be multiplied exactly.
    """
    weights = checked_integers(weights, arithmetic.weight_range, "weights")
    n_rows, n_outputs = weights.shape
    width = arithmetic.input_bits + arithmetic.weight_bits + n_rows.bit_length()
    if width > WIDEST_PRODUCT:
        raise InputError(f"products of {arithmetic.input_bits}-bit inputs and {arithmetic.weight_bits}-bit weights "
                         f"over {n_rows} rows take {width} bits", allowed=f"up to {WIDEST_PRODUCT}")  # fmt: skip
    groups = tuple(_groups(n_rows, arithmetic))
    shifts = arithmetic.cell_bits * np.arange(arithmetic.slices)
    top, places = (1 << arithmetic.cell_bits) - 1, np.int64(1) << shifts
    offsets = np.zeros((len(groups), n_outputs), dtype=np.int64)
    if arithmetic.encoding == "differential":
        levels = _sliced([np.maximum(weights, 0), np.maximum(-weights, 0)], shifts, top)
        factors = np.tile(np.concatenate([places, -places]), (len(groups), n_outputs, 1))
    else:
        middle = 1 << (arithmetic.weight_bits - 1)
        levels = _sliced([weights + middle], shifts, top)
        factors = np.tile(places, (len(groups), n_outputs, 1))
        offsets -= middle
        if arithmetic.encoding == "flip":
            flipped = _flip(levels, groups, top)
            factors = np.where(flipped, -factors, factors)
            offsets += (flipped * places).sum(axis=2) * top
    constants = -arithmetic.input_offset * np.add.reduceat(weights, [group.low for group in groups], axis=0)
    return Encoded(groups, levels, factors, offsets, constants)


def _sliced(parts: list[np.ndarray], shifts: np.ndarray, top: int) -> np.ndarray:
    """(K, N, parts x slices) uint8 levels of numbers that are not negative."""
    levels = np.empty((*parts[0].shape, len(parts) * shifts.size), dtype=np.uint8)
    for i, part in enumerate(parts):
        for j, shift in enumerate(shifts):
            levels[:, :, i * shifts.size + j] = part >> shift & top
    return levels


def checked_integers(values: np.ndarray, allowed: tuple[int, int], what: str) -> np.ndarray:
    """Values as a matrix of int64.

    Raises:
        InputError: they are no matrix, no integers (NaN included), or out of range.
    """
    values = np.asarray(values)
    if values.ndim != 2 or not values.size:
        raise InputError(f"{what} of shape {list(values.shape)} are no matrix")
    if values.dtype.kind not in "iub":
        if values.dtype.kind != "f" or not np.isfinite(values).all() or (values != np.floor(values)).any():
            raise InputError(f"{what} are not whole numbers: quantise them first")
    low, high = values.min(), values.max()
    if low < allowed[0] or high > allowed[1]:
        raise InputError(f"{what} reach from {low:g} to {high:g}", allowed=f"{allowed[0]} to {allowed[1]}")
    return values.astype(np.int64)


def _groups(rows: int, arithmetic: Arithmetic) -> Iterator[Group]:
    number = 0
    for crossbar, low in enumerate(range(0, rows, arithmetic.rows)):
        high = min(low + arithmetic.rows, rows)
        for start in range(low, high, arithmetic.wordlines):
            yield Group(number, crossbar, start, min(start + arithmetic.wordlines, high))
            number += 1


def _flip(levels: np.ndarray, groups: tuple[Group, ...], top: int) -> np.ndarray:
    """Invert columns, in place, that hold more than half of the levels they could; (G, N, J) which."""
    flipped = np.zeros((len(groups), *levels.shape[1:]), dtype=bool)
    for group in groups:
        part = levels[group.rows]
        flipped[group.number] = 2 * part.sum(axis=0, dtype=np.int64) > top * part.shape[0]
        np.subtract(top, part, out=part, where=flipped[group.number])
    return flipped
