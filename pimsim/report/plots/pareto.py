"""Pareto fronts of a study: a panel for each pair of objectives.

Points on a front have the colour of their network, the others a light tint of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from pimsim.report.plots.style import DARK, LIGHT, PALETTE, energy_unit, time_unit

MARKERS = "osD^vP*X"
UNITS = {"mm2": "mm2", "W": "W", "per_s": "1/s"}  #: what a column's name ends in, beside ns and pJ
LOG_FROM = 5.0  #: largest value over smallest from which on an axis is logarithmic
MOST_PANELS = 6
TINT = 0.6  #: how far to white the colour goes of points that others beat


def draw(
    values: Mapping[str, np.ndarray], front: np.ndarray, workloads: Sequence[str], *, maximized: Collection[str] = (),
    intervals: Mapping[str, np.ndarray] | None = None, headline: bool = True,
) -> Figure:  # fmt: skip
    """One panel for each pair of objectives (of one objective: against the points' order).

    Args:
        values: objective -> (points,) with its unit in the name; NaN: not measured.
        front: (points,) bool.
        workloads: (points,); each has a front of its own.
        maximized: objectives of which more is better.
        intervals: objective -> (points,) half of the interval around each value; absent, NaN: none is known.
        headline: whether the title says how many points are on a front.
    """
    values, labels, halves = _in_readable_units(values, intervals or {})
    pairs = list(itertools.combinations(values, 2))[:MOST_PANELS] or [("", next(iter(values)))]
    columns = min(3, len(pairs))
    lines = -(-len(pairs) // columns)
    figure = Figure(figsize=(1.2 + 4.1 * columns, 1.3 + 3.5 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).reshape(-1)
    names = list(dict.fromkeys(workloads))
    for axes, (x, y) in zip(panels, pairs, strict=False):
        across = values[x] if x else np.arange(len(front), dtype=float)
        _panel(axes, across, values[y], front, np.array(workloads), names, len(values) == 2)
        _intervals(axes, across, values[y], halves.get(x), halves.get(y), _colours(front, workloads, names))
        axes.set_xlabel(_direction(labels[x], x in maximized) if x else "point")
        axes.set_ylabel(_direction(labels[y], y in maximized))
    for axes in panels[len(pairs) :]:
        axes.set_visible(False)
    figure.legend(handles=_legend(names), loc="outside lower center", ncols=min(5, len(names) + 1))
    figure.suptitle(_message(values, labels, front, names, headline), x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def _panel(
    axes: Axes, x: np.ndarray, y: np.ndarray, front: np.ndarray, workloads: np.ndarray, names: Sequence[str],
    joined: bool,
) -> None:  # fmt: skip
    for n, name in enumerate(names):
        beaten = ~front & (workloads == name)
        axes.scatter(x[beaten], y[beaten], s=11, color=_tint(n), marker=MARKERS[n % len(MARKERS)], linewidths=0,
                     zorder=2)  # fmt: skip
        own = np.flatnonzero(front & (workloads == name))
        colour, marker = PALETTE[n % len(PALETTE)], MARKERS[n % len(MARKERS)]
        axes.scatter(x[own], y[own], s=26, color=colour, marker=marker, edgecolors="white", linewidths=0.5, zorder=4)
        if joined:
            own = own[np.argsort(x[own], kind="stable")]
            axes.plot(x[own], y[own], color=colour, linewidth=1, zorder=3)
    for scale, axis, data in ((axes.set_xscale, axes.xaxis, x), (axes.set_yscale, axes.yaxis, y)):
        finite = data[np.isfinite(data)]
        if finite.size and finite.min() > 0 and finite.max() >= LOG_FROM * finite.min():
            scale("log")
            axis.set_major_locator(LogLocator(subs=(1, 2, 5) if finite.max() < 500 * finite.min() else (1,)))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
    axes.grid(color=LIGHT, linewidth=0.7)
    axes.tick_params(colors=DARK)


def _tint(n: int) -> tuple[float, ...]:
    """A network's colour, most of the way to white."""
    rgb = np.array(to_rgb(PALETTE[n % len(PALETTE)]))
    return tuple(rgb + (1 - rgb) * TINT)


def _colours(front: np.ndarray, workloads: Sequence[str], names: Sequence[str]) -> list[Any]:
    """(points,) colour of each."""
    places = [names.index(name) for name in workloads]
    return [PALETTE[n % len(PALETTE)] if is_on else _tint(n) for n, is_on in zip(places, front, strict=True)]


def _intervals(
    axes: Axes, x: np.ndarray, y: np.ndarray, across: np.ndarray | None, along: np.ndarray | None, colours: list[Any]
) -> None:  # fmt: skip
    """Lines across points whose values are means."""
    for half, vertical in ((across, False), (along, True)):
        for n in () if half is None else np.flatnonzero(np.isfinite(half)):
            middle = (y if vertical else x)[n]
            ends = [middle - half[n], middle + half[n]]  # type: ignore[index]
            axes.plot([x[n], x[n]] if vertical else ends, ends if vertical else [y[n], y[n]], color=colours[n],
                      linewidth=1, marker="_" if vertical else "|", markersize=4, zorder=3)  # fmt: skip


def _in_readable_units(
    values: Mapping[str, np.ndarray], intervals: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, str], dict[str, np.ndarray]]:
    """Values in units in which they are easy to read, for each its words with the unit, and intervals likewise."""
    scaled, labels, halves = {}, {}, {}
    for name, column in values.items():
        largest = float(np.max(column[np.isfinite(column)], initial=0.0))
        ending = name.rpartition("_")[2]
        size, unit = 1.0, UNITS.get(ending, "")
        if ending == "ns":
            ps, unit = time_unit(1000 * largest)
            size = ps / 1000
        elif ending == "pJ":
            size, unit = energy_unit(largest)
        elif name.endswith("_per_s"):
            ending, unit = "per_s", UNITS["per_s"]
        words = name.removesuffix(f"_{ending}") if unit else name
        scaled[name] = column / size
        if name in intervals:
            halves[name] = intervals[name] / size
        labels[name] = words.replace("_", " ") + (f" [{unit}]" if unit else "")
    return scaled, labels, halves


def _direction(label: str, maximized: bool) -> str:
    return f"{label}, {'more' if maximized else 'less'} is better"


def _legend(names: Sequence[str]) -> list[Line2D]:
    entries = [
        Line2D([], [], linestyle="", color=PALETTE[n % len(PALETTE)], marker=MARKERS[n % len(MARKERS)],
               label="front of " + name.replace("$", r"\$"))
        for n, name in enumerate(names)
    ]  # fmt: skip
    return [*entries, Line2D([], [], linestyle="", color="#B8B8B8", marker="o", markersize=3.5,
                              label="small and pale: points that another one beats")]  # fmt: skip


def _message(
    values: Mapping[str, np.ndarray], labels: Mapping[str, str], front: np.ndarray, names: Sequence[str], headline: bool
) -> str:
    """How many points are worth a look, and what there is to choose between."""
    measured = int(np.count_nonzero(~np.isnan(np.stack(list(values.values()))).any(axis=0)))
    count = int(np.count_nonzero(front))
    of = f"of {names[0]}" if len(names) == 1 else f"of {len(names)} networks, each network by itself,"
    spans = [_span(values[name][front], label) for name, label in labels.items()]
    few = "only " if 2 * count < measured else ""
    beaten = f"Of {measured:,} points {of} {few}{count:,} are beaten by no other one"
    return (f"{beaten}\n" if headline else "") + "On the fronts: " + "; ".join(spans)


def _span(column: np.ndarray, label: str) -> str:
    words, _, unit = label.partition(" [")
    low, high = (f"{end:,.0f}" if abs(end) >= 1000 else f"{end:.3g}" for end in (column.min(), column.max()))
    return f"{words} {low if low == high else f'{low} to {high}'} {unit.rstrip(']')}".rstrip()
