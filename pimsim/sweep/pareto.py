"""Pareto fronts: the rows that no other row beats.

A row is dominated if another is as good in every objective and better in one.  Rows that are equal do not dominate
each other; a row with a NaN (not measured) is on no front and dominates nothing.
"""

from __future__ import annotations

import numpy as np

BLOCK = 256  #: rows compared with the front at a time
MOST_COMPARED = 2**22  #: comparisons held in memory at a time


def pareto_front(costs: np.ndarray) -> np.ndarray:
    """Which rows are on the front.

    After Kung, Luccio, Preparata, J. ACM 22(4), 1975, section 2: in lexicographic order a row can only be dominated by
    one before it, and it is enough to compare it with those of them that are on the front.  O(n log n) for one and two
    objectives; O(n f) for more, where f rows are on the front.

    Args:
        costs: (rows, objectives), smaller is better; infinities are allowed.

    Returns:
        (rows,) bool.

    Raises:
        ValueError: ``costs`` has not two dimensions, or no objective.
    """
    costs = np.asarray(costs, dtype=np.float64)
    if costs.ndim != 2 or costs.shape[1] == 0:
        raise ValueError(f"costs of shape {costs.shape} are no rows of objectives")
    front = np.zeros(len(costs), dtype=bool)
    measured = np.flatnonzero(~np.isnan(costs).any(axis=1))
    if measured.size == 0:
        return front
    rows, row_of = np.unique(costs[measured], axis=0, return_inverse=True)  # sorted, and no two equal
    kept = _staircase(rows) if rows.shape[1] <= 2 else _front_of_sorted(rows)
    front[measured] = kept[row_of.reshape(-1)]
    return front


def _staircase(rows: np.ndarray) -> np.ndarray:
    """(n,) bool: of one or two objectives, rows whose last is below that of all before."""
    if rows.shape[1] == 1:
        return np.arange(len(rows)) == 0
    lowest = np.minimum.accumulate(rows[:, 1])
    kept = np.ones(len(rows), dtype=bool)
    kept[1:] = rows[1:, 1] < lowest[:-1]
    return kept


def _front_of_sorted(rows: np.ndarray) -> np.ndarray:
    """(n,) bool: of different rows in lexicographic order."""
    kept = np.zeros(len(rows), dtype=bool)
    front = rows[:0]
    for first in range(0, len(rows), BLOCK):
        numbers = np.arange(first, min(first + BLOCK, len(rows)))
        numbers = numbers[~_dominated(rows[numbers], front)]
        block = rows[numbers]
        better = np.all(block[:, None, :] <= block[None, :, :], axis=2)  # [i, j]: i dominates j, or is j
        np.fill_diagonal(better, False)
        numbers = numbers[~better.any(axis=0)]
        kept[numbers] = True
        front = np.concatenate([front, rows[numbers]])
    return kept


def _dominated(rows: np.ndarray, front: np.ndarray) -> np.ndarray:
    """(n,) bool: rows that one of the front, which has none of them, is nowhere worse than."""
    found = np.zeros(len(rows), dtype=bool)
    step = max(1, MOST_COMPARED // max(1, rows.size))
    for first in range(0, len(front), step):
        part = front[first : first + step]
        left = np.flatnonzero(~found)
        found[left] = np.all(part[None, :, :] <= rows[left][:, None, :], axis=2).any(axis=1)
    return found
