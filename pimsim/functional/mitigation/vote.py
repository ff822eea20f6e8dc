"""Vote of copies: a matrix in several sets of crossbars, each with cells of its own; a result is the median of theirs.

The median of three numbers is what a majority would agree on where two of them are equal, and lies between the other
two where none are.  It is taken of every single result, before bias and activation, so that it serves any layer.
(ReSNA, ICCAD 2021, lets three copies of the last layer vote for a class; there the vote is one of decisions.)

Hardware: as many crossbars, converters and reads, and two comparators and a multiplexer for each result of three copies.
"""

from __future__ import annotations

import numpy as np

from pimsim.functional.crossbar import Product
from pimsim.functional.mitigation.matrices import Composed


def copy_names(layer: str, copies: int) -> list[str]:
    """Names under which the cells of the copies are drawn and their fault maps saved; the first is the layer itself."""
    return [layer, *(f"{layer}/copy {number}" for number in range(2, copies + 1))]


class VotedMatrix(Composed):
    """An odd number of copies of a matrix."""

    differs = False  #: whether the copies have ever given different results

    def multiply(self, inputs: np.ndarray, first_vector: int = 0) -> Product:
        """See :meth:`pimsim.functional.crossbar.ProgrammedMatrix.multiply`; counts are those of all copies."""
        found = [part.multiply(inputs, first_vector) for part in self.parts]
        if not self.differs:
            self.differs = any(not np.array_equal(found[0].values, each.values) for each in found[1:])
        return Product(median([each.values for each in found]), sum(each.conversions for each in found),
                       sum(each.clipped for each in found), sum(each.overflows for each in found))  # fmt: skip


def median(values: list[np.ndarray]) -> np.ndarray:
    """The median over an odd number of equal arrays, in their own type."""
    if len(values) == 3:
        low, high = np.minimum(values[0], values[1]), np.maximum(values[0], values[1])
        return np.maximum(low, np.minimum(high, values[2]))
    return np.partition(np.stack(values), len(values) // 2, axis=0)[len(values) // 2]
