"""A study as the report sees it, and what its results depend on most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

MOST_VALUES = 8  #: of an axis; of more numbers, equal parts are taken together
PARTS = 4


@dataclass(frozen=True)
class Points:
    """The points of a study as columns."""

    name: str
    folder: Path
    title: str
    axes: tuple[str, ...]
    columns: Mapping[str, tuple[Any, ...]]  #: name -> (points,)
    counts: Mapping[str, int]
    objectives: tuple[str, ...]  #: columns that should be small or large
    maximized: tuple[str, ...]  #: those of them that should be large
    front: np.ndarray  #: (points,) bool: of the objectives
    facts: Mapping[str, str]  #: versions, dates
    input_shapes: Mapping[str, Mapping[str, Sequence[int]]] = field(default_factory=dict)
    #: by workload and input, where they are not those of its file
    files: Mapping[str, str] = field(default_factory=dict)  #: of workloads that are not shipped, by the column's name

    def numbers(self, column: str) -> np.ndarray:
        """(points,) float; NaN where nothing was measured."""
        return np.array([np.nan if value is None else value for value in self.columns[column]], dtype=np.float64)


@dataclass(frozen=True)
class Effect:
    """How a result follows one axis, the others averaged out."""

    axis: str
    values: tuple[str, ...]  #: in the axis's order
    factors: tuple[float, ...]  #: geometric mean at each value, over the geometric mean of all points

    @property
    def span(self) -> float:
        """Largest factor over smallest."""
        return max(self.factors) / min(self.factors)


def effects(points: Points, column: str) -> list[Effect]:
    """What a column depends on, most of all first.

    Of each network the logarithms are taken relative to their mean, so that large networks do not hide small ones, and
    averaged over all points with the same value of an axis.  Values that are not positive are left out.
    """
    found = points.numbers(column)
    usable = np.isfinite(found) & (found > 0)
    if np.count_nonzero(usable) < 2:
        return []
    logs = np.full(found.size, np.nan)
    logs[usable] = np.log(found[usable])
    workloads = np.array(points.columns["workload"])
    for workload in np.unique(workloads[usable]):
        own = usable & (workloads == workload)
        logs[own] -= logs[own].mean()
    rows = [_effect(axis, points.columns[axis], logs, usable) for axis in _varied(points)]
    return sorted((row for row in rows if row), key=lambda row: -row.span)


def _varied(points: Points) -> list[str]:
    """Axes, and the system where there are several."""
    names = [*points.axes, *(["system"] if "system" not in points.axes else [])]
    return [name for name in names if len(set(map(str, points.columns[name]))) > 1]


def _effect(axis: str, values: tuple[Any, ...], logs: np.ndarray, usable: np.ndarray) -> Effect | None:
    words = _grouped(values, usable)
    kept = list(dict.fromkeys(words[n] for n in _order(values) if usable[n]))
    if len(kept) < 2:
        return None
    at = np.array(words, dtype=object)
    factors = tuple(float(np.exp(logs[usable & (at == word)].mean())) for word in kept)
    return Effect(axis, tuple(kept), factors)


def _numeric(values: tuple[Any, ...]) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _order(values: tuple[Any, ...]) -> list[int]:
    """Points by their value where these are numbers, else as they come."""
    places = range(len(values))
    return sorted(places, key=lambda n: values[n]) if _numeric(values) else list(places)


def _grouped(values: tuple[Any, ...], usable: np.ndarray) -> list[str]:
    """Each value as text; of many different numbers the part of the range that it is in."""
    if not _numeric(values) or len(set(values)) <= MOST_VALUES:
        return [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    numbers = np.array(values, dtype=np.float64)
    edges = np.unique(np.quantile(numbers[usable], np.linspace(0, 1, PARTS + 1)))
    part = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, edges.size - 2)
    return [f"{edges[n]:.4g} to {edges[n + 1]:.4g}" for n in part]
