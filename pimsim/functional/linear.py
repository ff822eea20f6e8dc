"""Products of columns whose conversions lose nothing: one GEMM (T0), with one deviate for each result (T3b)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pimsim.engine.compiling import compiled
from pimsim.functional.encoding import EXACT
from pimsim.functional.gaussian import Numbers, column_hash, normal, plane_key
from pimsim.mapping.arithmetic import Arithmetic

EXACT_32 = 1 << 24  #: whole numbers up to it are exact in float32


@dataclass
class LinearColumns:
    """A matrix of K rows and n outputs whose products are linear in the inputs."""

    arithmetic: Arithmetic
    matrix: np.ndarray  #: (K, n) float64; whole numbers, or what cells are off their levels by
    variance: np.ndarray | None  #: (K, n) float64, of what one pulse in the lowest plane adds; None: noiseless
    constant: np.ndarray  #: (crossbars, n) int64
    keys: np.ndarray  #: (n, 2) uint32
    crossbars: list[slice]  #: rows whose sums are delivered together
    factor: float = 1.0  #: of the variance
    bias: np.ndarray | None = None  #: (crossbars, n)
    typed: np.ndarray = field(init=False, repr=False)  #: (K, n) the matrix in the fastest type that is exact
    whole: bool = field(init=False)

    def __post_init__(self) -> None:
        self.whole = bool((self.matrix == np.floor(self.matrix)).all())
        low, high = self.arithmetic.input_range
        # partial sums of any order lie within the sum of magnitudes
        largest = max(high, -low) + self.arithmetic.input_offset
        bound = float(np.abs(self.matrix).sum(axis=0).max()) * largest
        kind = np.float32 if bound < EXACT_32 else np.float64 if bound < EXACT else np.int64
        self.typed = self.matrix.astype(kind if self.whole else np.float64, copy=False)

    def multiply(self, driven: np.ndarray, numbers: Numbers) -> np.ndarray:
        """(crossbars, V, n) sums for what is driven, (V, K) int64, by vectors of these numbers."""
        sums = self.mean(driven)
        if self.variance is None:
            return sums
        if self.bias is not None:
            sums += self.bias[:, None]
        sigma = np.sqrt(self.factor * self._variance(driven)).astype(np.float32)
        keys, *words = numbers.words(self.keys)
        for crossbar in range(len(self.crossbars)):
            add_noise(sums[crossbar], sigma[crossbar], keys, np.uint32(crossbar), *words)
        return sums

    def mean(self, driven: np.ndarray) -> np.ndarray:
        """(crossbars, V, n) sums without noise: int64 if whole, else float64."""
        typed = driven.astype(self.typed.dtype)
        products = np.stack([typed[:, rows] @ self.typed[rows] for rows in self.crossbars])
        if self.variance is None and self.whole:
            products = products.astype(np.int64, copy=False)
        else:
            products = products.astype(np.float64, copy=False)
        return products + self.constant[:, None] if self.arithmetic.input_offset else products

    def match(self, error: np.ndarray, driven: np.ndarray) -> None:
        """Take bias and variance from errors of exact results (crossbars, V, n) for what was driven."""
        self.bias = error.mean(axis=1)
        expected = self._variance(driven).mean()
        if expected > 0:
            self.factor = float(np.square(error - self.bias[:, None]).mean() / expected)

    def _variance(self, driven: np.ndarray) -> np.ndarray:
        """(crossbars, V, n): pulses of a plane count by the square of the plane's weight."""
        a = self.arithmetic
        assert self.variance is not None
        squares = np.zeros(driven.shape)
        for plane in range(a.planes):
            digits = driven >> (plane * a.dac_bits) & ((1 << a.dac_bits) - 1)
            squares += digits * 4.0 ** (plane * a.dac_bits)
        return np.stack([squares[:, rows] @ self.variance[rows] for rows in self.crossbars])


@compiled
def add_noise(sums, sigma, keys, crossbar, first, stride):  # type: ignore[no-untyped-def]
    """Add a normal deviate to each of the sums (V, n)."""
    for v in range(sums.shape[0]):
        vector = np.uint32(first + np.uint32(stride * np.uint32(v)))
        for n in range(sums.shape[1]):
            deviate = normal(column_hash(keys[n, 0], vector), plane_key(keys[n, 1], crossbar))
            sums[v, n] += np.float64(sigma[v, n] * deviate)
