"""Fault-aware permutation: rows and columns change places so that stuck cells meet weights that want what they hold.

A weight that lies on stuck cells is off by e = sum over its stuck cells of (stuck level - wanted level) x what a level
of the cell's slice is worth; the damage is the sum of e^2, which is what inputs of equal variance and mean zero make of
it at the outputs.  With one axis fixed, the least damage along the other is a linear assignment; the two take turns
until nothing improves, so that the damage never grows.

    columns   outputs within the columns of one crossbar, the same in all crossbars that share them.  Hardware: a
              table of addresses by which the results of a column of crossbars enter the output register.
    rows      inputs among the wordlines that one read drives, the same in all crossbars that share them.  Hardware: a
              table of addresses by which inputs enter the input register.

Sums of a column over the wordlines of a read stay what they were, so that sound cells give equal results bit by bit
under any ADC and encoding.  What the mean of the inputs makes of the sum of an output's errors is not looked at: it
is no cost of a single row, and depends on the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from pimsim.engine.compiling import compiled
from pimsim.functional.crossbar import Product
from pimsim.functional.encoding import Encoded, encode
from pimsim.functional.mitigation.known_faults import KnownFaults
from pimsim.functional.mitigation.matrices import Composed, Matrix
from pimsim.mapping.arithmetic import Arithmetic

ROUNDS = 4  #: of rows and columns in turn, at most; later ones bring less than a per cent
ORDERS: dict[str, list[tuple[str, ...]]] = {
    "columns": [("columns",)],
    "rows": [("rows",)],
    "both": [("columns", "rows"), ("rows", "columns")],
}
"""Which axes take turns; of both, either may be the better to begin with."""


@dataclass(frozen=True)
class Permutation:
    """Who lies where, and what stuck cells do to the weights."""

    wordlines: np.ndarray  #: (K,) row of the matrix on each wordline
    bitlines: np.ndarray  #: (N,) output at each place
    damage_before: float  #: sum of squared errors of the weights, in their integers
    damage: float

    def of_weights(self, weights: np.ndarray) -> np.ndarray:
        """Weights (K, N) as they lie."""
        return weights[self.wordlines][:, self.bitlines]


def least_damage(weights: np.ndarray, arithmetic: Arithmetic, known: KnownFaults, which: str) -> Permutation:
    """The permutation of ``which``, columns, rows or both, that stuck cells harm least, as far as turns can find it.

    Args:
        weights: (K, N) integers within ``arithmetic.weight_range``.
    """
    encoded, wide = encode(weights, arithmetic), arithmetic.columns // arithmetic.cells_per_weight
    found = [_Search(encoded, known, wide).turns(order) for order in ORDERS[which]]
    return min(found, key=lambda each: each.damage)


class _Search:
    """The arrangement that has been found so far."""

    def __init__(self, encoded: Encoded, known: KnownFaults, outputs_per_crossbar: int) -> None:
        self.groups, self.levels, self.factors = encoded.groups, encoded.levels, encoded.weights.astype(np.float64)
        self.known, self.wide = known, outputs_per_crossbar
        self.wordlines, self.bitlines = (np.arange(size) for size in self.levels.shape[:2])

    def turns(self, axes: tuple[str, ...]) -> Permutation:
        """Let the axes improve in turn, until nothing does."""
        improve = {"columns": self.columns, "rows": self.rows}
        before = damage = self.damage()
        for _ in range(ROUNDS if len(axes) > 1 else 1):  # alone, an axis is at its best at once
            for axis in axes:
                improve[axis]()
            last, damage = damage, self.damage()
            if damage == last:
                break
        return Permutation(self.wordlines, self.bitlines, before, damage)

    def damage(self) -> float:
        """Sum of squared errors of the weights as they lie now."""
        return sum(float(np.trace(costs)) for _, costs in self._column_costs())

    def columns(self) -> None:
        """Let outputs change places."""
        order = np.arange(self.bitlines.size)
        for tile, costs in self._column_costs():
            order[tile] = tile.start + _assigned(costs)
        self.bitlines, self.levels, self.factors = self.bitlines[order], self.levels[:, order], self.factors[:, order]

    def rows(self) -> None:
        """Let inputs change places."""
        order = np.arange(self.wordlines.size)
        for group in self.groups:
            costs = np.zeros((group.high - group.low,) * 2)
            add_row_costs(self.levels[group.rows], self.known.cells[group.rows], self.factors[group.number],
                          self.known.levels, costs)  # fmt: skip
            order[group.rows] = group.low + _assigned(costs)
        self.wordlines, self.levels = self.wordlines[order], self.levels[order]

    def _column_costs(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Outputs of each column of crossbars, and damage [output, place] there."""
        for low in range(0, self.bitlines.size, self.wide):
            tile = slice(low, min(low + self.wide, self.bitlines.size))
            costs = np.zeros((tile.stop - tile.start,) * 2)
            for group in self.groups:
                add_column_costs(self.levels[group.rows, tile], self.known.cells[group.rows, tile],
                                 self.factors[group.number, tile], self.known.levels, costs)  # fmt: skip
            yield tile, costs


def _assigned(costs: np.ndarray) -> np.ndarray:
    """Who [item] goes to each place, of costs [item, place]; everybody stays unless that is worse."""
    items, places = linear_sum_assignment(costs)
    if costs[items, places].sum() >= np.trace(costs):
        return np.arange(costs.shape[0])
    who = np.empty(places.size, dtype=np.int64)
    who[places] = items
    return who


@compiled
def add_column_costs(levels, faults, factors, stuck_levels, costs):  # type: ignore[no-untyped-def]
    """Add to costs [output, place] what the stuck cells of some wordlines do: levels and faults (K, N, J)."""
    for k in range(levels.shape[0]):
        for place in range(levels.shape[1]):
            stuck = False
            for j in range(levels.shape[2]):
                stuck |= faults[k, place, j] != 0
            if not stuck:
                continue
            for output in range(levels.shape[1]):
                error = 0.0
                for j in range(levels.shape[2]):
                    fault = faults[k, place, j]
                    if fault:
                        error += factors[output, j] * (stuck_levels[fault] - np.int64(levels[k, output, j]))
                costs[output, place] += error * error


@compiled
def add_row_costs(levels, faults, factors, stuck_levels, costs):  # type: ignore[no-untyped-def]
    """Add to costs [row, wordline] what the stuck cells of the wordlines of a read do."""
    for wordline in range(levels.shape[0]):
        for n in range(levels.shape[1]):
            stuck = False
            for j in range(levels.shape[2]):
                stuck |= faults[wordline, n, j] != 0
            if not stuck:
                continue
            for row in range(levels.shape[0]):
                error = 0.0
                for j in range(levels.shape[2]):
                    fault = faults[wordline, n, j]
                    if fault:
                        error += factors[n, j] * (stuck_levels[fault] - np.int64(levels[row, n, j]))
                costs[row, wordline] += error * error


class PermutedMatrix(Composed):
    """A matrix whose rows and outputs lie in another order."""

    def __init__(self, matrix: Matrix, permutation: Permutation) -> None:
        super().__init__([matrix])
        self.permutation = permutation
        self._places = np.argsort(permutation.bitlines)

    def driven(self, inputs: np.ndarray) -> np.ndarray:
        """Inputs (V, K) in the order of the wordlines."""
        inputs = np.asarray(inputs)
        right = inputs.ndim == 2 and inputs.shape[1] == self.rows
        return inputs[:, self.permutation.wordlines] if right else inputs  # the matrix says what is wrong

    def multiply(self, inputs: np.ndarray, first_vector: int = 0, stride: int = 1) -> Product:
        """See :meth:`pimsim.functional.crossbar.ProgrammedMatrix.multiply`."""
        found = self.parts[0].multiply(self.driven(inputs), first_vector, stride)
        return Product(found.values[:, self._places], found.conversions, found.clipped, found.overflows)
