"""Vote of copies: a matrix in several sets of crossbars, each with cells of its own.

    median    of every single result, before bias and activation: what a majority agrees on, and between the others
              where none does.  It serves any layer.
    class     for the last layer: each copy decides for the class of its largest score, and the majority wins (ReSNA,
              ICCAD 2021, with three copies).

Hardware: as many crossbars, converters and reads as there are copies; for a median of three, three comparators for
each result; for classes, the search for the largest score in every copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.functional.crossbar import Product
from pimsim.functional.mitigation.matrices import Composed


def copy_names(layer: str, copies: int) -> list[str]:
    """Names under which cells of the copies are drawn, and found in fault maps; the first copy is the layer itself."""
    return [layer, *(f"{layer}/copy {number}" for number in range(2, copies + 1))]


@dataclass(frozen=True)
class Scores:
    """How results of a last layer become the scores of classes: scale x result + bias."""

    scale: np.ndarray  #: (N,)
    bias: np.ndarray  #: (N,) or a single number

    def classes(self, results: np.ndarray) -> np.ndarray:
        """(...,) class of the largest score, of results (..., N)."""
        return np.asarray((results * self.scale + self.bias).argmax(axis=-1))


class VotedMatrix(Composed):
    """An odd number of copies of a matrix."""

    scores: Scores | None = None  #: where the copies vote for classes; None: the median of each result
    differs = False  #: whether the copies have ever given different results

    def multiply(self, inputs: np.ndarray, first_vector: int = 0, stride: int = 1) -> Product:
        """See :meth:`pimsim.functional.crossbar.ProgrammedMatrix.multiply`; counts are those of all copies."""
        found = [part.multiply(inputs, first_vector, stride) for part in self.parts]
        values = [each.values for each in found]
        if not self.differs:
            self.differs = any(not np.array_equal(values[0], each) for each in values[1:])
        voted = median(values) if self.scores is None else majority(values, self.scores)
        return Product(voted, sum(each.conversions for each in found), sum(each.clipped for each in found),
                       sum(each.overflows for each in found))  # fmt: skip


def median(values: list[np.ndarray]) -> np.ndarray:
    """The median over an odd number of equal arrays, in their own type."""
    if len(values) == 3:
        low, high = np.minimum(values[0], values[1]), np.maximum(values[0], values[1])
        return np.maximum(low, np.minimum(high, values[2]))
    return np.partition(np.stack(values), len(values) // 2, axis=0)[len(values) // 2]


def majority(values: list[np.ndarray], scores: Scores) -> np.ndarray:
    """For each vector, the results (V, N) of the first copy that decides as most do; the median where no two agree.

    A single score decides by its sign, of which the median is the majority.
    """
    results = np.stack(values)
    if results.shape[2] == 1:
        return median(values)
    classes = scores.classes(results)
    agreeing = (classes[:, None] == classes[None]).sum(axis=1)  # (copies, V) with how many, itself included
    chosen = results[agreeing.argmax(axis=0), np.arange(results.shape[1])]
    return np.where((agreeing.max(axis=0) > 1)[:, None], chosen, median(values))
