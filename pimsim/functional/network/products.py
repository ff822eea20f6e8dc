"""The ways in which vectors meet a matrix: floating point, exact integers, crossbars; and what is counted there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pimsim.functional.encoding import EXACT
from pimsim.functional.network.layers import Matrix
from pimsim.functional.network.quantisation import InputQuantiser, QuantisedWeights, Range

SAMPLE = 64  #: vectors of a layer whose conversions the ADC's histogram shows, at least
SAMPLE_IMAGES = 4  #: images over whose windows these are spread, at least


class FloatProducts:
    """In the floating point of the network; remembers what range the inputs had."""

    def __init__(self, matrix: Matrix, dtype: Any = np.float32) -> None:
        self.weights = matrix.weights.astype(dtype)
        self.seen = Range()
        self.observing = False

    def prepare(self, values: np.ndarray) -> np.ndarray:
        if self.observing:
            self.seen = self.seen.joined(values)
        return values

    def multiply(self, vectors: np.ndarray, _first_vector: int, _stride: int = 1) -> np.ndarray:
        return grouped(vectors, self.weights)


def grouped(vectors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(V, G x N) products of vectors (V, G x K) with matrices (G, K, N)."""
    groups, rows, columns = weights.shape
    if groups == 1:
        return np.asarray(vectors @ weights[0])
    parts = vectors.reshape(-1, groups, rows).transpose(1, 0, 2)
    return np.ascontiguousarray((parts @ weights).transpose(1, 0, 2)).reshape(-1, groups * columns)


def power(values: np.ndarray) -> float:
    """The sum of squares: in float64, as squares of int64 overflow, and not by BLAS, whose order depends on threads."""
    return float(np.sum(np.square(values, dtype=np.float64)))


class ExactProducts:
    """In integers, as the mathematics of the quantised network has them."""

    def __init__(self, weights: QuantisedWeights, inputs: InputQuantiser) -> None:
        self.inputs, self.integers = inputs, weights.integers
        self.scale = (weights.scale * inputs.scale).reshape(-1)
        largest = max(-inputs.low, inputs.high) * int(np.abs(weights.integers).sum(axis=1).max(initial=0))
        self.weights = weights.integers.astype(np.float64 if largest < EXACT else np.int64)

    def prepare(self, values: np.ndarray) -> np.ndarray:
        return self.inputs.integers(values)[0]

    def multiply(self, vectors: np.ndarray, _first_vector: int, _stride: int = 1) -> np.ndarray:
        return self.exact(vectors) * self.scale

    def exact(self, vectors: np.ndarray) -> np.ndarray:
        """(V, G x N) integer products, in float64 where that is exact."""
        return grouped(vectors.astype(self.weights.dtype, copy=False), self.weights)


@dataclass
class Counts:
    """What one layer did, over all images so far."""

    vectors: int = 0
    outputs: int = 0  #: values that came out
    inputs: int = 0  #: values that were quantised
    saturated_inputs: int = 0  #: of these, beyond the calibrated range
    conversions: int = 0
    clipped: int = 0
    overflows: int = 0
    signal: float = 0.0  #: sum of squares of the exact products
    noise: float = 0.0  #: of what the crossbars add to them
    compared: int = 0  #: values held against those of the float network
    network_signal: float = 0.0  #: sum of squares of the float network's values
    network_noise: float = 0.0  #: of what separates this network's values from them
    sampled: int = 0  #: vectors in the histogram
    codes: Counter[int] = field(default_factory=Counter)  #: conversions by code


class CrossbarProducts:
    """On crossbars, beside the exact product of the same inputs.

    Args:
        matrices: one programmed matrix for each group, as :func:`pimsim.functional.crossbar.program_matrix` gives it.
        sampled: numbers of the vectors whose conversions the histogram shows.
    """

    def __init__(self, exact: ExactProducts, matrices: list[Any], sampled: np.ndarray) -> None:
        self.exact, self.matrices, self.sampled, self.counts = exact, matrices, sampled, Counts()
        self.differs = False  #: whether any product since it was reset was not the exact one

    def prepare(self, values: np.ndarray) -> np.ndarray:
        integers, beyond = self.exact.inputs.integers(values)
        self.counts.inputs += values.size
        self.counts.saturated_inputs += beyond
        return integers

    def multiply(self, vectors: np.ndarray, first_vector: int, stride: int = 1) -> np.ndarray:
        values = self._on_crossbars(vectors, first_vector, stride)
        exact = self.exact.exact(vectors)
        counts = self.counts
        counts.vectors += len(vectors)
        counts.outputs += values.size
        counts.signal += power(exact)
        if not np.array_equal(values, exact):
            self.differs = True
            counts.noise += power(values - exact)
        return values * self.exact.scale

    def _on_crossbars(self, vectors: np.ndarray, first_vector: int, stride: int) -> np.ndarray:
        rows, found = vectors.shape[1] // len(self.matrices), []
        sample, between = np.divmod(self.sampled - first_vector, stride)
        sample = sample[(between == 0) & (sample >= 0) & (sample < len(vectors))]
        self.counts.sampled += sample.size
        for group, matrix in enumerate(self.matrices):
            part = vectors if rows == vectors.shape[1] else vectors[:, group * rows : (group + 1) * rows]
            product = matrix.multiply(part, first_vector, stride)
            self.counts.conversions += int(product.conversions)
            self.counts.clipped += int(product.clipped)
            self.counts.overflows += int(product.overflows)
            found.append(product.values)
            if sample.size:
                codes, times = matrix.histogram(part[sample])
                for code, n in zip(np.asarray(codes).tolist(), np.asarray(times).tolist(), strict=True):
                    self.counts.codes[code] += int(n)
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)


class RangeProducts(ExactProducts):
    """Exact products that watch what calibrated converters and registers need."""

    def __init__(
        self,
        weights: QuantisedWeights,
        inputs: InputQuantiser,
        rows: int,
        columns: Callable[[np.ndarray], float] | None,
    ) -> None:
        super().__init__(weights, inputs)
        self.rows, self.columns = rows, columns
        self.largest_sum, self.largest_partial = 0.0, 0

    def multiply(self, vectors: np.ndarray, first_vector: int, stride: int = 1) -> np.ndarray:
        if self.columns is not None:
            self.largest_sum = max(self.largest_sum, float(self.columns(vectors)))
        height = self.weights.shape[1]
        for first in range(0, height, self.rows):
            tile = slice(first, first + self.rows)
            for group in range(len(self.weights)):
                rows = vectors[:, group * height : (group + 1) * height][:, tile]
                part = rows.astype(self.weights.dtype, copy=False) @ self.weights[group, tile]
                self.largest_partial = max(self.largest_partial, int(np.abs(part).max(initial=0)))
        return super().multiply(vectors, first_vector, stride)


class SampleProducts(ExactProducts):
    """Exact products that keep a few of the vectors they have met."""

    def __init__(self, weights: QuantisedWeights, inputs: InputQuantiser, size: int) -> None:
        super().__init__(weights, inputs)
        self.size, self._kept = size, [np.empty((0, weights.integers.shape[0] * weights.integers.shape[1]))]

    def multiply(self, vectors: np.ndarray, first_vector: int, stride: int = 1) -> np.ndarray:
        self._kept.append(self._some(vectors))
        return super().multiply(vectors, first_vector, stride)

    def sample(self) -> np.ndarray:
        """(at most size, G x K) vectors, evenly out of all."""
        return self._some(np.concatenate(self._kept))

    def _some(self, vectors: np.ndarray) -> np.ndarray:
        return vectors[np.linspace(0, len(vectors) - 1, min(self.size, len(vectors))).astype(int)]
