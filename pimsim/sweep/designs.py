"""Points that differ in the seed alone are one design: means over seeds, and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

CONFIDENCE = 0.95  #: of the intervals


@dataclass(frozen=True)
class MeanInterval:
    """Means of samples, each with the interval that holds the expected value with ``CONFIDENCE``."""

    mean: np.ndarray  #: (groups,) NaN: nothing was measured
    half_width: np.ndarray  #: (groups,) of the interval around the mean; NaN: fewer than two values
    count: np.ndarray  #: (groups,) values that were measured


def mean_interval(values: np.ndarray, group: np.ndarray | None = None, groups: int = 1) -> MeanInterval:
    """Mean and confidence interval of the mean of samples from a normal distribution of unknown variance.

    The half width is t s / sqrt(n), with s the standard deviation of the n values (n - 1 degrees of freedom) and t the
    quantile (1 + CONFIDENCE) / 2 of Student's distribution: Student, Biometrika 6(1), 1908.

    Args:
        values: (n,) NaN is left out.
        group: (n,) to which sample each value belongs, from 0; None: all to one.
        groups: how many samples there are.
    """
    values = np.asarray(values, dtype=np.float64)
    group = np.zeros(values.size, np.int64) if group is None else np.asarray(group)
    measured = ~np.isnan(values)
    values, group = values[measured], group[measured]
    count = np.bincount(group, minlength=groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(group, values, groups) / count
        if values.size:  # of equal values the mean is the value: sums of floats may miss it by a bit
            low, high = np.full(groups, np.inf), np.full(groups, -np.inf)
            np.minimum.at(low, group, values)
            np.maximum.at(high, group, values)
            mean = np.clip(mean, low, high)
            mean[count == 0] = np.nan
        variance = np.bincount(group, (values - mean[group]) ** 2, groups) / (count - 1)
        half = stdtrit(np.maximum(count - 1, 1), (1 + CONFIDENCE) / 2) * np.sqrt(variance / count)
    half[count < 2] = np.nan
    return MeanInterval(mean, half, count)


@dataclass(frozen=True)
class Designs:
    """Points of a study by design, in the order in which the first of each comes."""

    first: np.ndarray  #: (designs,) the first point of each
    of_point: np.ndarray  #: (points,) design of each point
    counted: np.ndarray  #: (points,) bool: not equal to a point before it

    def interval(self, values: np.ndarray) -> MeanInterval:
        """Means over the seeds of each design.

        Args:
            values: (points,) of a column.
        """
        return mean_interval(values[self.counted], self.of_point[self.counted], self.first.size)


def find_designs(columns: Mapping[str, Sequence[Any]], names: Sequence[str]) -> Designs:
    """Points that are equal in the columns of the given names are one design.

    Args:
        columns: of a study, with ``key``.
    """
    numbers: dict[tuple[str, ...], int] = {}
    first: list[int] = []
    of_point = np.zeros(len(columns["key"]), np.int64)
    counted = np.zeros(len(columns["key"]), bool)
    seen: set[str] = set()
    for n, key in enumerate(columns["key"]):
        words = tuple(repr(columns[name][n]) for name in names) if names else (key,)
        if words not in numbers:
            numbers[words] = len(first)
            first.append(n)
        of_point[n] = numbers[words]
        counted[n] = key not in seen
        seen.add(key)
    return Designs(np.array(first, np.int64), of_point, counted)
