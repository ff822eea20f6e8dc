"""Cells that are stuck: which, and at what.

A fault map holds for each cell SOUND, STUCK_AT_0 or STUCK_AT_1.  Which conductance is meant by stuck-at-0 differs
between papers (PytorX: the highest; others: the lowest), so it is a parameter of :func:`with_stuck_cells`.
"""

from __future__ import annotations

import math

import numpy as np

SOUND, STUCK_AT_0, STUCK_AT_1 = 0, 1, 2


def uniform_faults(
    shape: tuple[int, ...], stuck_at_0: float, stuck_at_1: float, cells: np.random.Generator
) -> np.ndarray:
    """A fault map in which every cell is stuck independently of all others.

    From equal generators, the cells that are stuck at lower rates are stuck at higher rates too.

    Args:
        shape: of the array of cells.
        stuck_at_0, stuck_at_1: probability of a cell; together at most 1.
        cells: the generator of the cells' properties.

    Returns:
        uint8 of this shape.
    """
    drawn = cells.random(shape)
    faults = np.zeros(shape, dtype=np.uint8)
    faults[drawn < stuck_at_0] = STUCK_AT_0
    faults[drawn >= 1 - stuck_at_1] = STUCK_AT_1
    return faults


def clustered_faults(
    shape: tuple[int, ...], stuck_at_0: float, stuck_at_1: float, cluster_size: int, cells: np.random.Generator
) -> np.ndarray:
    """A fault map in which stuck cells lie in groups.

    Every cell is the centre of a group with the probability lambda, and a group is the ``cluster_size`` = n cells
    nearest to its centre, all stuck alike (a Boolean model; groups that overlap make larger ones).  A cell is sound
    where none of n cells around it is a centre, so that with

        lambda = 1 - (1 - p)^(1/n),    p = stuck_at_0 + stuck_at_1

    every cell, at the edge too, is stuck with the probability p exactly, and at 0 with stuck_at_0.

    Args:
        shape: of the array; groups lie in the plane of its last two axes.
        stuck_at_0, stuck_at_1: probability of a cell; together at most 1.
        cluster_size: cells of a group.
        cells: the generator of the cells' properties.

    Returns:
        uint8 of this shape.
    """
    either = stuck_at_0 + stuck_at_1
    if either == 0:
        return np.zeros(shape, dtype=np.uint8)
    offsets = _nearest(cluster_size)
    reach = max(max(abs(row), abs(column)) for row, column in offsets)
    *planes, rows, columns = shape
    padded = (*planes, rows + 2 * reach, columns + 2 * reach)  # groups reach in from outside
    centre = cells.random(padded) < -math.expm1(math.log1p(-either) / cluster_size if either < 1 else -math.inf)
    kinds = np.where(cells.random(padded) < stuck_at_0 / either, STUCK_AT_0, STUCK_AT_1)
    centres = np.where(centre, kinds, SOUND).astype(np.uint8)
    faults = np.zeros(shape, dtype=np.uint8)
    for row, column in offsets:
        top, left = reach + row, reach + column
        here = centres[..., top : top + rows, left : left + columns]
        np.copyto(faults, here, where=faults == SOUND)
    return faults


def _nearest(count: int) -> list[tuple[int, int]]:
    """The offsets of the ``count`` cells nearest to a cell, itself included, nearest first."""
    reach = math.isqrt(count) // 2 + 2
    square = [(row, column) for row in range(-reach, reach + 1) for column in range(-reach, reach + 1)]
    return sorted(square, key=lambda offset: (offset[0] ** 2 + offset[1] ** 2, offset))[:count]


def with_stuck_cells(conductance: np.ndarray, faults: np.ndarray, at_0: float, at_1: float) -> np.ndarray:
    """Conductances [S] with those of stuck cells in their place.

    Args:
        conductance: of cells that are not stuck [S].
        faults: a fault map of the same shape.
        at_0, at_1: conductance of a cell that is stuck at 0, and at 1 [S].
    """
    return np.select([faults == STUCK_AT_0, faults == STUCK_AT_1], [at_0, at_1], conductance)
