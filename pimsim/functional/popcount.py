"""Conversions of columns of ideal cells, by counting ones: exact (T1), or with fresh noise in each of them (T3).

The sum of a column is the number of wordlines where a bit of the input meets a bit of the cell, over all such bits:
counted in words of 32 wordlines, for many vectors at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pimsim.engine.compiling import compiled, inlined
from pimsim.functional.gaussian import Numbers, column_hash, normal, ones, plane_key, square_root
from pimsim.functional.planes import pack_words

FLOAT, INT = np.float32, np.int32
HALF = FLOAT(0.5)
FARTHEST = FLOAT(1 << 30)  #: codes beyond this are beyond every ADC's range, and would not fit an integer
VECTORS = 256  #: vectors whose sums are held at a time: they stay in the first cache


class Converter(NamedTuple):
    """What a conversion does, in the types of the kernels."""

    digit_bits: int  #: bits of a DAC
    planes: int
    negative_top: bool  #: the highest plane is subtracted
    full_scale: int  #: largest code
    steps_per_level: np.float32  #: 1: sums are codes


@compiled
def convert_exact(c, inputs, cells, outputs, weights, products, sums, codes):  # type: ignore[no-untyped-def]
    """Add the codes of columns to their outputs.

    Args:
        c: Converter.
        inputs: (planes x digit_bits, words, V) uint32, of the wordlines that one read drives.
        cells: (columns, cell_bits, words) uint32.
        outputs, weights: (columns,) int64: row of ``products`` that a column adds to, and what a level counts there.
        products: (N, V) int64.
        sums, codes: (V,) int32, scratch.

    Returns:
        Conversions that the ADC's range cut off.
    """
    clipped = 0
    planes_held = _planes_held(c)
    for column in range(cells.shape[0]):
        held = 0
        for plane in range(c.planes - 1, -1, -1):
            _count(c, inputs, cells, column, plane, sums)
            clipped += _take_codes(c, c.negative_top and plane == c.planes - 1, held == 0, sums, codes)
            held += 1
            if held == planes_held or plane == 0:
                _add(weights[column] << (plane * c.digit_bits), codes, products[outputs[column]])
                held = 0
    return clipped


@compiled
def convert_noisy(  # type: ignore[no-untyped-def]
    c, inputs, cells, outputs, weights, products, sums, codes, variance, per_level, keys, first, stride, hashes
):
    """As :func:`convert_exact`, each sum with a normal deviate of its own.

    Args:
        variance: (planes, V) float32, for the driven cells; ``per_level`` x sum comes on top [levels^2].
        keys: (columns, 2) uint32.
        first, stride: numbers of the vectors, uint32.
        hashes: (V,) uint32, scratch.
    """
    clipped = 0
    planes_held = _planes_held(c)
    for column in range(cells.shape[0]):
        held = 0
        for v in range(hashes.size):
            hashes[v] = column_hash(keys[column, 0], np.uint32(first + np.uint32(stride * np.uint32(v))))
        for plane in range(c.planes - 1, -1, -1):
            _count(c, inputs, cells, column, plane, sums)
            _disturb(c, hashes, plane_key(keys[column, 1], np.uint32(plane)), variance[plane], per_level, sums)
            clipped += _limit(c, c.negative_top and plane == c.planes - 1, held == 0, sums, codes)
            held += 1
            if held == planes_held or plane == 0:
                _add(weights[column] << (plane * c.digit_bits), codes, products[outputs[column]])
                held = 0
    return clipped


@inlined
def _planes_held(c):  # type: ignore[no-untyped-def]
    """Planes whose codes, each shifted against the one before, fit 31 bits together."""
    bits = 0
    while c.full_scale >> bits:
        bits += 1
    return max(1, (30 - bits) // c.digit_bits)


@inlined
def _count(c, inputs, cells, column, plane, sums):  # type: ignore[no-untyped-def]
    """Sums of a column in one plane [levels]."""
    words, vectors = inputs.shape[1], inputs.shape[2]
    for v in range(vectors):
        sums[v] = 0
    for d in range(c.digit_bits):
        bits = inputs[plane * c.digit_bits + d]
        for b in range(cells.shape[1]):
            w = 0
            while w + 4 <= words:  # four words together: the sums are fetched and written a quarter as often
                cell = cells[column, b, w : w + 4]
                for v in range(vectors):
                    found = (
                        ones(bits[w, v] & cell[0]) + ones(bits[w + 1, v] & cell[1])
                        + ones(bits[w + 2, v] & cell[2]) + ones(bits[w + 3, v] & cell[3])
                    )  # fmt: skip
                    sums[v] += INT(found << np.uint32(b + d))
                w += 4
            while w < words:
                cell_word = cells[column, b, w]
                for v in range(vectors):
                    sums[v] += INT(ones(bits[w, v] & cell_word) << np.uint32(b + d))
                w += 1


@inlined
def _take_codes(c, negative, first, sums, codes):  # type: ignore[no-untyped-def]
    """Sums to codes, halves rounded up; returns how many were out of range."""
    if c.steps_per_level != FLOAT(1):
        for v in range(sums.size):
            sums[v] = INT(np.floor(FLOAT(sums[v]) * c.steps_per_level + HALF))
    return _limit(c, negative, first, sums, codes)


@inlined
def _disturb(c, hashes, of_plane, variance, per_level, sums):  # type: ignore[no-untyped-def]
    """Sums with noise, as codes that the ADC's range has not cut off yet."""
    for v in range(sums.size):
        level = FLOAT(sums[v])
        sigma = square_root(FLOAT(variance[v] + per_level * level))
        noisy = level + sigma * normal(hashes[v], of_plane)
        sums[v] = INT(min(max(np.floor(noisy * c.steps_per_level + HALF), -FARTHEST), FARTHEST))


@inlined
def _limit(c, negative, first, sums, codes):  # type: ignore[no-untyped-def]
    """Append codes, cut off at the ADC's range, below those of higher planes; returns how many were out of range."""
    full, shift, clipped = INT(c.full_scale), INT(c.digit_bits), INT(0)
    for v in range(sums.size):
        code = min(max(sums[v], INT(0)), full)
        clipped += INT(code != sums[v])
        code = -code if negative else code
        codes[v] = code if first else INT((codes[v] << shift) + code)
    return clipped


@inlined
def _add(weight, codes, product):  # type: ignore[no-untyped-def]
    for v in range(codes.size):
        product[v] += weight * codes[v]


@dataclass(frozen=True)
class PopcountColumns:
    """Columns below one group of wordlines, ready to be read."""

    cells: np.ndarray  #: (columns, cell_bits, words) uint32
    outputs: np.ndarray  #: (columns,) int64
    weights: np.ndarray  #: (columns,) int64
    keys: np.ndarray | None  #: (columns, 2) uint32; None: no noise
    variance_per_cell: float = 0.0  #: of one read of a driven cell [levels^2]
    variance_per_level: float = 0.0  #: and for each of its levels

    def convert(self, converter: Converter, inputs: np.ndarray, numbers: Numbers, products: np.ndarray) -> int:
        """Add the codes for inputs (V, wordlines) to products (V, N) int64; returns the conversions cut off."""
        clipped = 0
        for start in range(0, inputs.shape[0], VECTORS):
            part = slice(start, min(start + VECTORS, inputs.shape[0]))
            clipped += self._convert(converter, inputs[part], numbers.after(start), products[part])
        return clipped

    def _convert(self, c: Converter, inputs: np.ndarray, numbers: Numbers, products: np.ndarray) -> int:
        words = pack_words(inputs, c.planes * c.digit_bits)
        found = np.zeros(products.shape[::-1], dtype=np.int64)
        sums, codes = np.empty((2, inputs.shape[0]), dtype=np.int32)
        columns = self.cells, self.outputs, self.weights, found, sums, codes
        if self.keys is None:
            clipped = convert_exact(c, words, *columns)
        else:
            variance = FLOAT(self.variance_per_cell) * pulses(inputs, c).astype(FLOAT)
            hashes = np.empty(inputs.shape[0], dtype=np.uint32)
            noise = variance, FLOAT(self.variance_per_level), *numbers.words(self.keys), hashes
            clipped = convert_noisy(c, words, *columns, *noise)
        products += found.T
        return int(clipped)


def pulses(inputs: np.ndarray, c: Converter) -> np.ndarray:
    """(planes, V) pulses on the wordlines in each plane."""
    digit = (1 << c.digit_bits) - 1
    return np.stack([(inputs >> (plane * c.digit_bits) & digit).sum(axis=1) for plane in range(c.planes)])
