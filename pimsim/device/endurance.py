"""Write endurance: how many writes cells bear, how long they last at given writes, and which are stuck.

    log10(endurance of a cell) = log10(endurance of the median cell) + sigma_decades N(0, 1)
    lifetime [units of work] = endurance / writes in one unit of work

A unit of work is whatever the writes were counted over: a programming, a batch, a training.  A cell serves while its
writes are at most its endurance; by the next write it is *stuck*.  That endurance is log-normal over the cells is an
assumption.  Writes are counted in :mod:`pimsim.device.write_counter`.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from pimsim.errors import InputError, shown

RERAM_ENDURANCE = (1e8, 1e12)
"""Writes that a ReRAM cell bears, lowest and highest (ESWEEK 2022 tutorial on heterogeneous PIM manycores, table 1;
elsewhere 1e6 to 1e9 is called conservative)."""


WEAKEST, HUNDREDTH = "the weakest cell", "1 % of the cells"  #: for which cells a lifetime is given

MOST_WRITES, MOST_DECADES = 1e30, 20  #: of a distribution over cells, as of a device file


def endurance_of_cells(
    median: float, sigma_decades: float, shape: tuple[int, ...], generator: np.random.Generator
) -> np.ndarray:
    """Endurance of each cell [writes], float64 of that shape.

    Args:
        median: writes that the median cell bears.
        sigma_decades: standard deviation of log10 over the cells; 0: all alike.
        generator: of these cells' endurance, from its beginning (see :mod:`pimsim.device.streams`).

    Raises:
        InputError: the median is not more than 0, or sigma is negative.
    """
    if not 0 < median < np.inf:
        raise InputError(f"is {shown(median)}", key="endurance.writes", allowed="more than 0")
    if not 0 <= sigma_decades < np.inf:
        raise InputError(f"is {shown(sigma_decades)}", key="endurance.sigma_decades", allowed="0 or more")
    if sigma_decades == 0:
        return np.full(shape, float(median))
    return median * 10.0 ** (sigma_decades * generator.standard_normal(shape))


def endurance_at(median: float, sigma_decades: float, share: float) -> float:
    """Endurance [writes] below which that of so large a share of the cells lies.

    Raises:
        InputError: as of :func:`endurance_of_cells`; the share is not between 0 and 1.
    """
    for value in (median, sigma_decades):
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise InputError(f"{shown(value)} is no number", key="endurance")
    if not 0 < median <= MOST_WRITES:
        raise InputError(f"is {shown(median)}", key="endurance.writes", allowed=f"more than 0, at most {MOST_WRITES:g}")
    if not 0 <= sigma_decades <= MOST_DECADES:
        raise InputError(f"is {shown(sigma_decades)}", key="endurance.sigma_decades", allowed=f"0 to {MOST_DECADES}")
    if not 0 < share < 1:
        raise InputError(f"a share of {shown(share)} of the cells", allowed="between 0 and 1")
    return float(median * 10.0 ** (sigma_decades * NormalDist().inv_cdf(share)))


def endurance_of_weakest(median: float, sigma_decades: float, cells: int) -> float:
    """Endurance [writes] of the weakest of so many cells: the median over draws, 1 - (1 - share)^cells = 1/2.

    Raises:
        InputError: as of :func:`endurance_at`.
    """
    return endurance_at(median, sigma_decades, -math.expm1(-math.log(2) / max(1, cells)))


def lifetime(endurance: float | np.ndarray, writes: float | np.ndarray) -> np.ndarray:
    """Units of work that cells last, as endurance / writes; infinite where nothing is written.

    Args:
        endurance: writes a cell bears, a number or one for each cell.
        writes: in one unit of work, a number or one for each cell.

    Raises:
        InputError: a number of writes is negative, or an endurance is not more than 0.
    """
    endurance, writes = np.broadcast_arrays(np.asarray(endurance, np.float64), np.asarray(writes, np.float64))
    if not np.all(writes >= 0):
        raise InputError("a number of writes is negative or NaN")
    if not np.all(endurance > 0):
        raise InputError("an endurance is not more than 0")
    found = np.full(writes.shape, np.inf)
    np.divide(endurance, writes, out=found, where=writes > 0)
    return found


class FirstFailure(NamedTuple):
    """The cell that is stuck first."""

    units: float  #: whole units of work that all cells survive; infinite: no cell is ever written
    cell: tuple[int, ...]  #: its index; of several, the first


def first_failure(writes: np.ndarray, endurance: float | np.ndarray) -> FirstFailure:
    """How many whole units of work all cells survive, and which cell does not survive the next.

    Args:
        writes: (...) of each cell in one unit of work.
        endurance: writes a cell bears, a number or (...) one for each cell.

    Raises:
        InputError: as of :func:`lifetime`; there are no cells.
    """
    units = lifetime(endurance, writes)
    if units.size == 0:
        raise InputError("there are no cells")
    cell = int(units.argmin())
    return FirstFailure(float(np.floor(units.flat[cell])), tuple(int(i) for i in np.unravel_index(cell, units.shape)))


def stuck_cells(writes: np.ndarray, endurance: float | np.ndarray) -> np.ndarray:
    """Cells past their endurance, (...) bool.

    Args:
        writes: (...) that each cell has seen.
        endurance: writes a cell bears, a number or (...) one for each cell.
    """
    return np.asarray(writes) > endurance


def stuck_share(writes: np.ndarray, endurance: float | np.ndarray, units: float | np.ndarray) -> np.ndarray:
    """Share of the cells that are stuck after so many units of work, in the shape of ``units``.

    Args:
        writes: (...) of each cell in one unit of work.
        endurance: writes a cell bears, a number or (...) one for each cell.
        units: units of work, any shape.

    Raises:
        InputError: as of :func:`lifetime`; there are no cells.
    """
    lasts = np.sort(lifetime(endurance, writes), axis=None)
    if lasts.size == 0:
        raise InputError("there are no cells")
    return np.searchsorted(lasts, np.asarray(units, np.float64), side="left") / lasts.size
