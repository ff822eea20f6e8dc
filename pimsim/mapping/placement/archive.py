"""An archive of placements of which none is better than another in all objectives: a Pareto set.  Smaller is better."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pimsim.mapping.placement.objectives import Objectives


@dataclass(frozen=True)
class Archive:
    """A Pareto set of placements, and which of them was chosen."""

    names: tuple[str, ...]  #: (M,) objectives that were traded against each other
    values: np.ndarray  #: (A, M) float64, in the units of :class:`Objectives`
    places: np.ndarray  #: (A, tiles) int64 where each tile lies
    chosen: int  #: index of the placement in use

    def front(self) -> dict[str, np.ndarray]:
        """For plots: objective -> (A,) values, in the order of the first objective."""
        order = np.argsort(self.values[:, 0], kind="stable")
        return {name: self.values[order, i] for i, name in enumerate(self.names)}


def dominates(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether a is nowhere worse than b and somewhere better."""
    return bool(np.all(a <= b) and np.any(a < b))


def undominated(values: np.ndarray) -> np.ndarray:
    """Indices of those of (A, M) values that no other dominates; of equal ones the first."""
    kept = [
        i for i, a in enumerate(values)
        if not any(dominates(b, a) or (j < i and np.array_equal(a, b)) for j, b in enumerate(values))
    ]  # fmt: skip
    return np.array(kept, np.int64)


def cluster(values: np.ndarray, limit: int) -> np.ndarray:
    """Indices of ``limit`` of (A, M) values that stand for all, in increasing order.

    Single linkage over distances in the scaled objectives (as in AMOSA): the two nearest clusters become one until
    ``limit`` are left; each is represented by the member whose mean distance to the others is the smallest.
    """
    apart = _distances(scaled(values))
    between = apart.copy()
    np.fill_diagonal(between, np.inf)
    members = {i: [i] for i in range(len(values))}
    while len(members) > limit:
        a, b = divmod(int(between.argmin()), len(values))
        a, b = min(a, b), max(a, b)
        members[a] += members.pop(b)
        between[a] = between[:, a] = np.minimum(between[a], between[b])
        between[a, a] = np.inf
        between[b] = between[:, b] = np.inf
    return np.array(sorted(_middle(apart, sorted(group)) for group in members.values()), np.int64)


def _middle(apart: np.ndarray, group: list[int]) -> int:
    return min(group, key=lambda i: (math.fsum(apart[i, group]), i))


def _distances(values: np.ndarray) -> np.ndarray:
    """(A, A) Euclidean distances; summed objective after objective, so that the rounding is the same everywhere."""
    squares = np.zeros((len(values), len(values)))
    for column in values.T:
        squares += (column[:, None] - column[None, :]) ** 2
    return np.sqrt(squares)


def scaled(values: np.ndarray) -> np.ndarray:
    """(A, M) values from 0, the best of each objective, to 1, the worst; 0 where all are equal."""
    span = values.max(axis=0) - values.min(axis=0)
    return (values - values.min(axis=0)) / np.where(span > 0, span, 1.0)


def knee(values: np.ndarray) -> int:
    """The one that is nearest to the best of every objective, the objectives scaled to the archive's ranges."""
    ideal = np.zeros((1, values.shape[1]))
    return int(_distances(np.concatenate([scaled(values), ideal]))[-1, :-1].argmin())


def least_weighted(names: tuple[str, ...], values: np.ndarray, start: Objectives, weights: Objectives) -> int:
    """The one of least weighted mean, each objective relative to its value at the start."""
    means = np.zeros(len(values))
    for name, column in zip(names, values.T, strict=True):
        reference = getattr(start, name)
        means += getattr(weights, name) * column / reference if reference > 0 else 0.0
    return int(means.argmin())
