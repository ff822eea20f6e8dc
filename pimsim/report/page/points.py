"""A study as the report sees it, and what its results depend on most."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pimsim.report.labels import ANALYTICAL, method_words

MOST_NAMED = 3  #: axes that are tried as those from which one cannot be told apart


@dataclass(frozen=True)
class Points:
    """The points of a study as columns; where the seed is varied, its designs, each with its means over the seeds."""

    name: str
    folder: Path
    title: str
    axes: tuple[str, ...]  #: without those that set the seed alone
    columns: Mapping[str, tuple[Any, ...]]  #: name -> (points,)
    counts: Mapping[str, int]
    objectives: tuple[str, ...]  #: columns that should be small or large
    maximized: tuple[str, ...]  #: those of them that should be large
    front: np.ndarray  #: (points,) bool: of the objectives
    facts: Mapping[str, str]  #: versions, dates
    input_shapes: Mapping[str, Mapping[str, Sequence[int]]] = field(default_factory=dict)
    #: by workload and input, where they are not those of its file
    files: Mapping[str, str] = field(default_factory=dict)  #: of workloads that are not shipped, by the column's name
    hashes: Mapping[str, str] = field(default_factory=dict)  #: of the networks that were swept, by the column's name
    chips_axis: str | None = None  #: the axis that sets the number of chips
    intervals: Mapping[str, np.ndarray] = field(default_factory=dict)
    #: column -> (points,) half of the 95 % interval of a mean over seeds; NaN: fewer than two seeds
    every: Mapping[str, tuple[Any, ...]] | None = None  #: all seeds one by one; None: these are the columns

    def numbers(self, column: str) -> np.ndarray:
        """(points,) float; NaN where nothing was measured."""
        return np.array([np.nan if value is None else value for value in self.columns[column]], dtype=np.float64)

    @property
    def single(self) -> Mapping[str, tuple[Any, ...]]:
        """Columns of all points, seed by seed."""
        return self.columns if self.every is None else self.every

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """(points,) how each was found."""
        count = len(self.columns["workload"])
        fidelity, network = (self.columns.get(name, (default,) * count)
                             for name, default in (("fidelity", "engine"), ("noc", "packet")))  # fmt: skip
        return tuple(method_words(*pair) for pair in zip(fidelity, network, strict=True))

    @property
    def batches(self) -> tuple[int, ...]:
        """(points,) of each."""
        return self.columns.get("batch", (1,) * len(self.columns["workload"]))

    @property
    def how(self) -> str:
        """Fidelity, network model and batch of all points, in words."""
        counted = Counter(self.methods)
        parts = [method if len(counted) == 1 else f"{method} ({count:,} points)" for method, count in counted.items()]
        return f"{'; '.join(parts)}; batch {', '.join(f'{each:,}' for each in sorted(set(self.batches)))}"

    def marked(self, message: str) -> str:
        """A message that says so where all points are estimates."""
        if not all(method.startswith(ANALYTICAL) for method in self.methods):
            return message
        return f"Analytical estimates: {message[0].lower()}{message[1:]}"


@dataclass(frozen=True)
class Effect:
    """How a result follows one axis alone.

    Compared are points that differ in this axis and nothing else.  Each group of such points has a geometric mean;
    factors are results over that mean.
    """

    axis: str
    groups: int
    low: float  #: geometric mean over the groups of the smallest factor
    high: float  #: likewise of the largest
    lowest: float  #: smallest factor in any group
    highest: float
    low_at: str
    #: the axis's value at the smallest factor, or which of the group's values it is (smallest, largest); where groups
    #: disagree what is most frequent, and in how many of them
    high_at: str
    smallest_ratio: float  #: of largest over smallest result, in any group
    largest_ratio: float
    together: int  #: values of the axis in the group that has most
    values: int  #: of the axis

    @property
    def span(self) -> float:
        """Largest result over smallest: geometric mean over the groups."""
        return self.high / self.low


def effects(points: Points, column: str) -> list[Effect]:
    """What a column depends on, most of all first; axes that :func:`tied` names are left out.

    Values that are not positive are left out.
    """
    found = points.numbers(column)
    usable = np.flatnonzero(np.isfinite(found) & (found > 0))
    design = _Design(points, usable)
    rows = [_effect(design, axis, np.log(found[usable])) for axis in design.axes]
    return sorted((row for row in rows if row), key=lambda row: -row.span)


def tied(points: Points) -> dict[str, tuple[str, ...]]:
    """Axes of which no two points differ in them alone, each with the fewest others that always change with it."""
    design = _Design(points, np.arange(len(points.columns["workload"])))
    found = {}
    for axis in design.axes:
        if not design.groups(axis):
            found[axis] = design.fewest_beside(axis)
    return found


class _Design:
    """Which points there are, by the values of their axes."""

    def __init__(self, points: Points, chosen: np.ndarray) -> None:
        """Args: chosen: (n,) places of the points that count."""
        names = [*points.axes, *(["system"] if "system" not in points.axes else [])]
        self.values = {name: [points.columns[name][n] for n in chosen] for name in names}
        self.words = {name: [_word(points.columns[name][n]) for n in chosen] for name in names}
        self.axes = [name for name in names if len(set(self.words[name])) > 1]
        self._codes = {name: np.unique(np.array(self.words[name], dtype=str), return_inverse=True)[1]
                       for name in self.axes}  # fmt: skip
        workloads = np.array([points.columns["workload"][n] for n in chosen], dtype=str)
        self._workload = np.unique(workloads, return_inverse=True)[1]

    def groups(self, axis: str, without: Sequence[str] = ()) -> list[np.ndarray]:
        """Points of the same network that differ in ``axis`` (and ``without``) alone, in two values of it at least."""
        fixed = [self._codes[name] for name in self.axes if name != axis and name not in without]
        rows = np.stack([self._workload, *fixed], axis=1)
        _, group = np.unique(rows, axis=0, return_inverse=True)
        order = np.argsort(group.ravel(), kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(group.ravel()[order])) + 1)
        own = self._codes[axis]
        return [part for part in parts if part.size > 1 and np.ptp(own[part])]

    def fewest_beside(self, axis: str) -> tuple[str, ...]:
        """The fewest axes that change where ``axis`` does; all others, where these are more than MOST_NAMED."""
        others = tuple(name for name in self.axes if name != axis)
        for count in range(1, min(MOST_NAMED, len(others)) + 1):
            for names in itertools.combinations(others, count):
                if self.groups(axis, names):
                    return names
        return others


def _effect(design: _Design, axis: str, logs: np.ndarray) -> Effect | None:
    groups = design.groups(axis)
    if not groups:
        return None
    words, values = design.words[axis], design.values[axis]
    low = np.array([logs[part].min() - logs[part].mean() for part in groups])
    high = np.array([logs[part].max() - logs[part].mean() for part in groups])
    moved = [part for part, one, other in zip(groups, low, high, strict=True) if other > one]
    ratios = np.exp(high - low)
    ends = np.exp([low.mean(), high.mean(), low.min(), high.max()]).tolist()
    at_low = [(words[n], _rank(values, part, n)) for part in moved for n in [part[np.argmin(logs[part])]]]
    at_high = [(words[n], _rank(values, part, n)) for part in moved for n in [part[np.argmax(logs[part])]]]
    return Effect(
        axis=axis, groups=len(groups), low=ends[0], high=ends[1], lowest=ends[2], highest=ends[3],
        low_at=_where(at_low), high_at=_where(at_high),
        smallest_ratio=float(ratios.min()), largest_ratio=float(ratios.max()),
        together=max(len({words[n] for n in part}) for part in groups), values=len(set(words)),
    )  # fmt: skip


def _rank(values: Sequence[Any], part: np.ndarray, point: int) -> str:
    """Which of a group's values a point has, where these are numbers."""
    own = [values[n] for n in part]
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in own):
        return ""
    return {min(own): "smallest", max(own): "largest"}.get(values[point], "")


def _where(ends: Sequence[tuple[str, str]]) -> str:
    """What is most frequent of the values at one end of each group, or of their ranks."""
    counted = [Counter(word for word in words if word).most_common(1) for words in zip(*ends, strict=True)]
    word, count = max((found[0] for found in counted if found), key=lambda each: each[1], default=("", 0))
    return word if count == len(ends) else f"{word} ({count} of {len(ends)})"


def _word(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
