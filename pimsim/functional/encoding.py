"""Signed weights as levels of cells (encodings: :mod:`pimsim.mapping.arithmetic`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pimsim.engine.compiling import compiled
from pimsim.errors import InputError
from pimsim.mapping.arithmetic import WIDEST_PRODUCT, Arithmetic

EXACT = 1 << 53  #: integers up to it are exact in float64


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
        return _sums(self.levels, self.groups) * largest_digit


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
        levels = _sliced([np.maximum(weights, 0), np.maximum(-weights, 0)], arithmetic)
        factors = np.tile(np.concatenate([places, -places]), (len(groups), n_outputs, 1))
    else:
        middle = 1 << (arithmetic.weight_bits - 1)
        levels = _sliced([weights + middle], arithmetic)
        factors = np.tile(places, (len(groups), n_outputs, 1))
        offsets -= middle
        if arithmetic.encoding == "flip":
            flipped = _flip(levels, groups, top)
            factors = np.where(flipped, -factors, factors)
            offsets += (flipped * places).sum(axis=2) * top
    constants = np.zeros_like(offsets)
    if arithmetic.input_offset:
        constants -= arithmetic.input_offset * np.add.reduceat(weights, [group.low for group in groups], axis=0)
    return Encoded(groups, levels, factors, offsets, constants)


def _sliced(parts: list[np.ndarray], arithmetic: Arithmetic) -> np.ndarray:
    """(K, N, parts x slices) uint8 levels of numbers that are not negative."""
    slices = arithmetic.slices
    levels = np.empty((*parts[0].shape, len(parts) * slices), dtype=np.uint8)
    for i, part in enumerate(parts):
        slice_numbers(part, arithmetic.cell_bits, levels[:, :, i * slices : (i + 1) * slices])
    return levels


@compiled
def slice_numbers(numbers, bits, levels):  # type: ignore[no-untyped-def]
    """Numbers (K, N) int64 as levels (K, N, slices) uint8 of so many bits each, the lowest first."""
    top = (1 << bits) - 1
    for k in range(numbers.shape[0]):
        for n in range(numbers.shape[1]):
            left = numbers[k, n]
            for j in range(levels.shape[2]):
                levels[k, n, j] = np.uint8(left & top)
                left >>= bits


def _sums(levels: np.ndarray, groups: tuple[Group, ...]) -> np.ndarray:
    """(G, N, J) int64 sum of each column of levels (K, N, J)."""
    sums = np.zeros((len(groups), *levels.shape[1:]), dtype=np.int64)
    bounds = np.array([group.low for group in groups] + [levels.shape[0]])
    add_levels(levels.reshape(levels.shape[0], -1), bounds, sums.reshape(len(groups), -1))
    return sums


@compiled
def add_levels(levels, bounds, sums):  # type: ignore[no-untyped-def]
    """Add levels (K, columns) uint8 of the rows from bounds[g] to bounds[g + 1] to sums (G, columns)."""
    for g in range(sums.shape[0]):
        for k in range(bounds[g], bounds[g + 1]):
            for column in range(levels.shape[1]):
                sums[g, column] += levels[k, column]


def checked_integers(values: np.ndarray, allowed: tuple[int, int], what: str) -> np.ndarray:
    """Values as a matrix of int64.

    Raises:
        InputError: they are no matrix, no integers (NaN included), or out of range.
    """
    values = np.asarray(values)
    if values.ndim != 2 or not values.size:
        raise InputError(f"{what} of shape {list(values.shape)} are no matrix")
    if values.dtype in (np.float32, np.float64) and -EXACT <= allowed[0] and allowed[1] <= EXACT:
        integers = np.empty(values.shape, dtype=np.int64)
        if not take_integers(np.ascontiguousarray(values), float(allowed[0]), float(allowed[1]), integers):
            return integers  # else: say below what is wrong
    if values.dtype.kind not in "iub":
        if values.dtype.kind != "f" or not np.isfinite(values).all() or (values != np.floor(values)).any():
            raise InputError(f"{what} are not whole numbers: quantise them first")
    low, high = values.min(), values.max()
    if low < allowed[0] or high > allowed[1]:
        raise InputError(f"{what} reach from {low:g} to {high:g}", allowed=f"{allowed[0]} to {allowed[1]}")
    return values.astype(np.int64)


@compiled
def take_integers(values, low, high, integers):  # type: ignore[no-untyped-def]
    """Fill ``integers`` with floating-point values, both (K, N); how many of these are none, or out of range."""
    wrong = 0
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            value = np.float64(values[i, j])
            wrong += not (value == np.floor(value) and low <= value <= high)
            integers[i, j] = np.int64(value)
    return wrong


def _groups(rows: int, arithmetic: Arithmetic) -> Iterator[Group]:
    number = 0
    for crossbar, low in enumerate(range(0, rows, arithmetic.rows)):
        high = min(low + arithmetic.rows, rows)
        for start in range(low, high, arithmetic.wordlines):
            yield Group(number, crossbar, start, min(start + arithmetic.wordlines, high))
            number += 1


def _flip(levels: np.ndarray, groups: tuple[Group, ...], top: int) -> np.ndarray:
    """Invert columns, in place, that hold more than half of the levels they could; (G, N, J) which."""
    heights = np.array([group.high - group.low for group in groups])[:, None, None]
    flipped = 2 * _sums(levels, groups) > top * heights
    inverting = flipped * np.uint8(top)  # top - level inverts every bit of a level
    for group in groups:
        levels[group.rows] ^= inverting[group.number]
    return flipped
