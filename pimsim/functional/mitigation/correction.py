"""Digital correction of stuck cells that are known (He et al., Noise Injection Adaption, DAC 2019).

Profiled once, a matrix is known to hold W + E instead of W, and x E, computed digitally, is taken off its products:

    x W = x (W + E) - x E

Exact where no conversion rounds or clips and cells have no other errors; what coarser conversions and registers lose
stays lost.  Hardware: a memory of the differences E, and as many digital multiply-accumulate operations for every
vector as there are weights with an error.
"""

from __future__ import annotations

import numpy as np

from pimsim.functional.crossbar import Product
from pimsim.functional.encoding import EXACT, encode
from pimsim.functional.mitigation.known_faults import KnownFaults, weight_errors
from pimsim.functional.mitigation.matrices import Composed, Matrix


class CorrectedMatrix(Composed):
    """A matrix whose products are corrected.

    Args:
        weights: (K, N) that were programmed.
        known: its stuck cells.
    """

    def __init__(self, matrix: Matrix, weights: np.ndarray, known: KnownFaults) -> None:
        super().__init__([matrix])
        errors = weight_errors(encode(weights, matrix.arithmetic), known)
        self.corrected = int(np.count_nonzero(errors))  #: weights with an error
        low, high = self.arithmetic.input_range
        largest = max(high, -low) + self.arithmetic.input_offset
        exact = largest * float(np.abs(errors).sum(axis=0, dtype=float).max()) < EXACT
        self.errors = errors.astype(np.float64) if exact else errors  #: (K, N) to be taken off the weights

    def multiply(self, inputs: np.ndarray, first_vector: int = 0, stride: int = 1) -> Product:
        """See :meth:`pimsim.functional.crossbar.ProgrammedMatrix.multiply`."""
        found = self.parts[0].multiply(inputs, first_vector, stride)
        driven = np.asarray(inputs).astype(np.int64) + self.arithmetic.input_offset
        excess = (driven.astype(self.errors.dtype) @ self.errors).astype(np.int64)
        return Product(found.values - excess, found.conversions, found.clipped, found.overflows)
