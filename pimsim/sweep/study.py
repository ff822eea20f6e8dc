"""A study read back: its table, its sweep, its fronts; nothing is simulated."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pimsim.errors import InputError, did_you_mean
from pimsim.results import Result, load_result
from pimsim.sweep.columns import ALL_COLUMNS, TEXT_COLUMNS
from pimsim.sweep.designs import Designs, MeanInterval, find_designs
from pimsim.sweep.folder import RESULTS, SWEEP
from pimsim.sweep.pareto import pareto_front
from pimsim.sweep.reading import load_sweep
from pimsim.sweep.spec import Sweep
from pimsim.sweep.store import read_store

OBJECTIVES = tuple(name for name in ALL_COLUMNS if name not in TEXT_COLUMNS)  #: columns that are numbers


@dataclass(frozen=True)
class Study:
    """The points of a study as columns, in the order of the sweep; points that wait or failed have no results."""

    folder: Path
    axes: tuple[str, ...]
    columns: Mapping[str, tuple[Any, ...]]
    #: name -> (points,): ordinal, workload, system, batch, noc, fidelity, axes, status, error, results, compute_s, key
    counts: Mapping[str, int]  #: points; different ones, and of these done and failed
    seed_axes: tuple[str, ...] = ()  #: axes that set the seed alone: points apart by them are one design

    def numbers(self, column: str) -> np.ndarray:
        """(points,) float; NaN where there is no number.

        Raises:
            InputError: the study has no such column, or it holds words.
        """
        if column not in self.columns:
            raise InputError(f"{self.folder} has no column {column!r}{did_you_mean(column, OBJECTIVES)}",
                             allowed=OBJECTIVES)  # fmt: skip
        try:
            return np.array([np.nan if value is None else value for value in self.columns[column]], dtype=np.float64)
        except ValueError:
            raise InputError(f"the column {column!r} holds words", allowed=OBJECTIVES) from None

    @cached_property
    def designs(self) -> Designs:
        """The points by design: equal in everything but the seed."""
        asked = ("workload", "system", "batch", "noc", "fidelity", *self.axes)
        names = [name for name in asked if name in self.columns and name not in self.seed_axes]
        return find_designs(self.columns, names)

    def interval(self, column: str) -> MeanInterval:
        """Mean over the seeds of each design, with its 95 % interval (Student's t).

        Raises:
            InputError: as :meth:`numbers`.
        """
        return self.designs.interval(self.numbers(column))

    def front_designs(self, minimize: Sequence[str], maximize: Sequence[str] = ()) -> np.ndarray:
        """(designs,) bool: designs that no other one of the same workload beats in its means over seeds.  Of designs
        whose points are equal (one key) the first stands for all.

        Raises:
            InputError: there are no objectives, one twice, or one that is no column of numbers.
        """
        names = [*minimize, *maximize]
        if not names:
            raise InputError("there is nothing to minimize or maximize", allowed=OBJECTIVES)
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise InputError(f"{twice[0]!r} is there twice", key="objectives")
        signs = [1.0] * len(minimize) + [-1.0] * len(maximize)
        costs = np.stack([sign * self.interval(name).mean for sign, name in zip(signs, names, strict=True)], axis=1)
        workloads = np.array(self.columns["workload"])[self.designs.first]
        found = np.zeros(len(costs), dtype=bool)
        for workload in np.unique(workloads):
            own = np.flatnonzero(workloads == workload)
            found[own] = pareto_front(costs[own])
        return found

    def front(self, minimize: Sequence[str], maximize: Sequence[str] = ()) -> np.ndarray:
        """(points,) bool: points of the designs of :meth:`front_designs`: the first of each; where there are seeds,
        of each seed.

        Raises:
            InputError: as :meth:`front_designs`.
        """
        designs = self.designs
        chosen = self.front_designs(minimize, maximize)
        if self.seed_axes:
            on_front: np.ndarray = chosen[designs.of_point] & designs.counted
            return on_front
        found = np.zeros(designs.of_point.size, dtype=bool)
        found[designs.first[chosen]] = True
        return found

    def design_rows(self, chosen: np.ndarray, columns: Sequence[str]) -> list[dict[str, Any]]:
        """The chosen designs as dictionaries: of the first point what was asked, and of columns of results the mean.

        Where the study has seeds, also ``seeds``, how many were measured, and for each column NAME its
        ``NAME_interval95``, half of the 95 % interval of the mean (None: fewer than two seeds).
        """
        designs = self.designs
        asked = ["ordinal", "workload", "system", *(axis for axis in self.axes if axis not in self.seed_axes)]
        means = {name: self.interval(name) for name in columns}
        found = []
        for design in np.flatnonzero(chosen):
            row = {name: self.columns[name][designs.first[design]] for name in asked}
            if self.seed_axes:
                row["seeds"] = int(max(each.count[design] for each in means.values()))
            for name, each in means.items():
                row[name] = float(each.mean[design]) if self.seed_axes else self.columns[name][designs.first[design]]
                if self.seed_axes:
                    half = float(each.half_width[design])
                    row[f"{name}_interval95"] = None if np.isnan(half) else half
            found.append(row)
        return found

    def rows(self, chosen: np.ndarray, columns: Sequence[str]) -> list[dict[str, Any]]:
        """The chosen points as dictionaries of the given columns."""
        return [{name: self.columns[name][n] for name in columns} for n in np.flatnonzero(chosen)]

    def sweep(self) -> Sweep:
        """The sweep as it was run; its ``path_of`` finds a network by its name in the column ``workload``."""
        return load_sweep(self.folder / SWEEP)

    def result(self, ordinal: int) -> Result:
        """The whole Result of a point, where the sweep keeps them.

        Raises:
            InputError: it is not kept.
        """
        return load_result(self.folder / RESULTS / f"{self.columns['key'][ordinal][:16]}.json")


def load_study(folder: str | Path) -> Study:
    """Read a study, also while a driver works at it.

    Raises:
        InputError: there is none in the folder, or it is of another version.
    """
    path = Path(folder)
    with contextlib.closing(read_store(path)) as store:
        axes = tuple(store.axes)
        run = [name for name in ("batch", "noc", "fidelity") if name not in axes]
        names = ["ordinal", "workload", "system", *run, *axes, "status", "error", *ALL_COLUMNS, "compute_s", "key"]
        rows = store.rows(names)
        counts = store.counts()
        seed_axes = tuple(store.seed_axes)
    columns = {name: tuple(row[n] for row in rows) for n, name in enumerate(names)}
    return Study(path, axes, columns, counts, seed_axes)


