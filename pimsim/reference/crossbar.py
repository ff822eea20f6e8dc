"""Matrix products in crossbars, slow and obvious: one conversion after another, in the words of the architecture.

The twin of ``pimsim.functional``; shares no code with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.mapping.arithmetic import Arithmetic

FLOAT = np.float32


@dataclass(frozen=True)
class ReferenceProduct:
    """What came out, and what the converters and registers did."""

    values: np.ndarray  #: (V, N) in units of inputs @ weights
    conversions: int  #: unit columns left out
    clipped: int  #: conversions whose sum lay outside the ADC's range
    overflows: int  #: partial and final sums that a register could not hold
    codes: np.ndarray  #: (conversions,) every code, unit columns left out


@dataclass(frozen=True)
class Column:
    """A bitline below the wordlines that one read drives."""

    levels: np.ndarray  #: (rows,) what its cells hold
    weight: int  #: what one level counts in the product, sign included


def reference_matmul(
    inputs: np.ndarray, weights: np.ndarray, arithmetic: Arithmetic, *, variance_of_level: np.ndarray | None = None,
    stream: int = 0, first_vector: int = 0,
) -> ReferenceProduct:
    """``inputs @ weights`` as the crossbars of ``arithmetic`` compute it.

    Args:
        inputs: (V, K) whole numbers within ``arithmetic.input_range``.
        weights: (K, N) whole numbers within ``arithmetic.weight_range``.
        variance_of_level: (2^cell_bits,) variance of one read of a cell [levels^2] by what it holds; None: no noise.
        stream: 64-bit number that noise is drawn from.
        first_vector: number of the first vector; noise depends on the number, not on how vectors are batched.
    """
    return _Product(arithmetic, variance_of_level, stream, first_vector).of(inputs, weights)


class _Product:
    def __init__(
        self, arithmetic: Arithmetic, variance: np.ndarray | None, stream: int, first_vector: int
    ) -> None:
        self.a, self.variance, self.stream, self.first = arithmetic, variance, stream, first_vector
        self.clipped = self.overflows = self.conversions = 0
        self.codes: list[np.ndarray] = []

    def of(self, inputs: np.ndarray, weights: np.ndarray) -> ReferenceProduct:
        a = self.a
        inputs, weights = np.asarray(inputs).astype(object), np.asarray(weights).astype(object)
        n_rows, n_outputs = weights.shape
        total = np.zeros((inputs.shape[0], n_outputs), dtype=object)
        codes, exact, group = np.zeros_like(total), np.zeros_like(total), 0
        for low in range(0, n_rows, a.rows):
            high = min(low + a.rows, n_rows)
            for start in range(low, high, a.wordlines):
                driven = slice(start, min(start + a.wordlines, high))
                for n in range(n_outputs):
                    part = self._output(inputs[:, driven], weights[driven, n], group, n, n_outputs)
                    codes[:, n] += part[0]
                    exact[:, n] += part[1]
                group += 1
            if a.register_bits is not None:  # what a crossbar delivers goes into a register
                total = total + self._into_register(self._in_levels(codes) + exact, a.register_shift)
                codes, exact = np.zeros_like(total), np.zeros_like(total)
        if a.register_bits is None:
            total = self._in_levels(codes) + exact
        else:
            total = self._into_register(total, 0) * (1 << a.register_shift)
        whole = self._whole or a.register_bits is not None
        seen = np.concatenate(self.codes) if self.codes else np.zeros(0, dtype=int)
        values = total.astype(np.int64 if whole else np.float64)
        return ReferenceProduct(values, self.conversions, self.clipped, self.overflows, seen)

    @property
    def _whole(self) -> bool:
        """Whether all conversions give whole numbers of levels."""
        return float(self.a.adc_step).is_integer() if self.a.adc_bits else self.variance is None

    def _in_levels(self, codes: np.ndarray) -> np.ndarray:
        if not self.a.adc_bits:
            return codes
        return codes * (int(self.a.adc_step) if self._whole else self.a.adc_step)

    def _output(
        self, inputs: np.ndarray, weights: np.ndarray, group: int, n: int, n_outputs: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """One output's part from the wordlines of one read: weighted codes, and what is added digitally."""
        a = self.a
        columns, offset = self._columns(weights)
        inputs = inputs + a.input_offset
        codes, exact = np.zeros(inputs.shape[0], dtype=object), np.zeros(inputs.shape[0], dtype=object)
        for plane in range(a.planes):
            digits = (inputs >> (plane * a.dac_bits)) & ((1 << a.dac_bits) - 1)
            place = 1 << (plane * a.dac_bits)
            if a.twos_complement and plane == a.planes - 1:
                place = -place
            for j, column in enumerate(columns):
                number = (group * len(columns) + j) * n_outputs + n
                codes += place * column.weight * self._convert(digits, column.levels, number, plane)
            if a.unit_column == "digital":
                exact += place * offset * digits.sum(axis=1)
            elif offset:
                codes += place * offset * self._count(digits, group, plane)
        return codes, exact - a.input_offset * sum(weights)

    def _columns(self, weights: np.ndarray) -> tuple[list[Column], int]:
        """The columns of one output, and what each driven wordline adds to it besides."""
        a, top = self.a, (1 << self.a.cell_bits) - 1
        if a.encoding == "differential":
            positive, negative = np.maximum(weights, 0), np.maximum(-weights, 0)
            return [
                Column((part >> (s * a.cell_bits)) & top, sign * (1 << (s * a.cell_bits)))
                for part, sign in ((positive, 1), (negative, -1))
                for s in range(a.slices)
            ], 0
        stored, offset = weights + (1 << (a.weight_bits - 1)), -(1 << (a.weight_bits - 1))
        columns = []
        for s in range(a.slices):
            levels, place = (stored >> (s * a.cell_bits)) & top, 1 << (s * a.cell_bits)
            if a.encoding == "flip" and 2 * sum(levels) > top * len(levels):
                levels, place, offset = top - levels, -place, offset + place * top
            columns.append(Column(levels, place))
        return columns, offset

    def _count(self, digits: np.ndarray, group: int, plane: int) -> np.ndarray:
        """Pulses on the driven wordlines by an analog unit column: cells of level one and an ADC like the others."""
        kept = self.codes, self.conversions, self.clipped
        self.codes = []
        number = -1 - group  # beyond the numbers of all other columns
        counted = self._convert(digits, np.ones(digits.shape[1], dtype=object), number, plane)
        self.codes, self.conversions, self.clipped = kept
        return counted

    def _convert(self, digits: np.ndarray, levels: np.ndarray, number: int, plane: int) -> np.ndarray:
        """What the ADC makes of one column: (V,) codes; (V,) levels if it is ideal."""
        sums = (digits * levels).sum(axis=1).astype(float).astype(FLOAT)
        if self.variance is not None:
            variance = (digits * self._variances(levels)).sum(axis=1).astype(float).astype(FLOAT)
            vectors = self.first + np.arange(digits.shape[0])
            sums = sums + np.sqrt(variance) * normals(self.stream, number, plane, vectors)
        self.conversions += sums.size
        if not self.a.adc_bits:
            return sums.astype(float).astype(object) if self.variance is not None else sums.astype(int).astype(object)
        codes = np.floor(sums * FLOAT(1 / self.a.adc_step) + FLOAT(0.5)).astype(float).astype(int)
        self.clipped += int(((codes < 0) | (codes > self.a.full_scale)).sum())
        codes = np.clip(codes, 0, self.a.full_scale)
        self.codes.append(codes)
        return codes.astype(object)

    def _variances(self, levels: np.ndarray) -> np.ndarray:
        assert self.variance is not None
        return self.variance[levels.astype(int)].astype(object)

    def _into_register(self, sums: np.ndarray, shift: int) -> np.ndarray:
        bits = self.a.register_bits
        assert bits is not None
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        cut = np.vectorize(
            lambda value: int(value) >> shift if value == int(value) else int(np.floor(value / (1 << shift))),
            otypes=[object],
        )(sums)
        self.overflows += int(((cut < low) | (cut > high)).sum())
        return np.clip(cut, low, high)


MASK = (1 << 64) - 1


def column_key(stream: int, number: int) -> tuple[int, int]:
    """Two 32-bit keys of a column: SplitMix64 (Steele et al., OOPSLA 2014) of its number in the stream."""
    z = (stream + (number + 1) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    z ^= z >> 31
    return z & 0xFFFFFFFF, z >> 32


def normals(stream: int, number: int, plane: int, vectors: np.ndarray) -> np.ndarray:
    """(V,) float32 normal deviates of a column, plane and vectors: see ``pimsim.functional.gaussian``."""
    low, high = column_key(stream, number)
    bits = np.array([_mixed(low, high, plane, int(vector)) for vector in vectors], dtype=np.int64)
    chance = (bits & 0x7FFFFFFF).astype(np.int32).astype(FLOAT) + FLOAT(0.5)
    mantissa, exponent = np.frexp(chance)  # chance = mantissa x 2^exponent, mantissa in [1/2, 1)
    u = mantissa * FLOAT(2) - FLOAT(1)
    series = FLOAT(0.04155111)
    for coefficient in (-0.15783838, 0.3065611, -0.49703084, 0.99994499):
        series = FLOAT(coefficient) + u * series
    log = (exponent - 33).astype(FLOAT) * FLOAT(0.6931471805599453) + u * series
    t = np.sqrt(FLOAT(-2) * log)
    z = FLOAT(-0.000143792141)
    for coefficient in (0.00358900026, -0.0370924107, 0.207089726, -0.687174742, 2.4351874, -2.1888036):
        z = FLOAT(coefficient) + t * z
    return np.where(bits >> 31, -z, z).astype(FLOAT)


def _mixed(low: int, high: int, plane: int, vector: int) -> int:
    word = 0xFFFFFFFF
    high += (vector >> 32) * 0x9E3779B1
    bits = low ^ (vector * 0x9E3779B1 & word)
    bits = (bits ^ (bits >> 16)) * 0x7FEB352D & word
    bits = (bits ^ (bits >> 15)) + high + plane * 0x85EBCA6B & word
    bits = (bits ^ (bits >> 16)) * 0x846CA68B & word
    bits = (bits ^ (bits >> 13)) * 0x7FEB352D & word
    return bits ^ (bits >> 16)
