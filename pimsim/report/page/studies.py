"""What the page says of a study: its front, what its results depend on, its points."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pimsim.report.page import html
from pimsim.report.page.drawing import Drawing, file_name
from pimsim.report.page.points import Points, effects

SHOWN_POINTS = 60
SHOWN_ERRORS = 5
UNITS = {"_ns": " [ns]", "_pJ": " [pJ]", "_mm2": " [mm2]", "_W": " [W]", "_per_s": " [1/s]"}


def summary(points: Points) -> str:
    """How many points there are, and the best of each objective."""
    counts = points.counts
    done = counts.get("done", 0)
    lines = [f"{counts.get('points', len(points.columns['key'])):,} points over the axes {', '.join(points.axes)}: "
             f"{done:,} done, {counts.get('failed', 0):,} failed."]  # fmt: skip
    head = ["network", "objective", "best", "at", *points.axes]
    rows = []
    workloads = np.array(points.columns["workload"])
    for workload in dict.fromkeys(points.columns["workload"]):
        for objective in points.objectives:
            values = points.numbers(objective)
            own = np.flatnonzero((workloads == workload) & np.isfinite(values))
            if not own.size:
                continue
            sign = -1 if objective in points.maximized else 1
            best = int(own[np.argmin(sign * values[own])])
            rows.append([workload, label(objective), f"{values[best]:,.6g}", f"point {points.columns['ordinal'][best]}",
                         *(_cell(points.columns[axis][best]) for axis in points.axes)])  # fmt: skip
    facts = [[name, value] for name, value in points.facts.items()]
    return ("".join(map(html.text, lines)) + html.table(head, rows, left=2) + _failures(points)
            + html.details("Versions and dates", html.table(["", ""], facts, left=2)))  # fmt: skip


def _failures(points: Points) -> str:
    wrong = [(n, words) for n, words in zip(points.columns["ordinal"], points.columns["error"], strict=True) if words]
    rows = "".join(html.text(f"Point {n} failed: {words}", "warn") for n, words in wrong[:SHOWN_ERRORS])
    more = f"... and {len(wrong) - SHOWN_ERRORS:,} more failed (column error of the table)"
    return rows + (html.text(more, "warn") if len(wrong) > SHOWN_ERRORS else "")


def drawings(points: Points) -> list[Drawing]:
    """Pareto fronts, the tornado, and throughput against chips where these are an axis."""
    return [each for each in (_pareto(points), _tornado(points), _scaling(points)) if each is not None]


def _pareto(points: Points) -> Drawing | None:
    from pimsim.report.plots import pareto

    if len(points.objectives) < 2 or not points.front.any():
        return None
    values = {name: points.numbers(name) for name in points.objectives}
    measured = int(np.count_nonzero(np.isfinite(np.stack(list(values.values()))).all(axis=0)))
    on_front = int(np.count_nonzero(points.front))
    several = len(set(points.columns["workload"])) > 1
    message = (f"No other point{' of the same network' if several else ''} beats {on_front:,} of the {measured:,} "
               f"points in {_and([_words(name) for name in points.objectives])}")  # fmt: skip
    head = ["ordinal", "workload", "system", *points.axes, *points.objectives, "on_front"]
    rows = list(zip(*(points.columns[name] for name in head[:-1]), map(bool, points.front), strict=True))
    return Drawing(file_name(points.name, "pareto"), message,
                   lambda: pareto.draw(values, points.front, points.columns["workload"], maximized=points.maximized),
                   head, rows, "Fronts are of all objectives together: in a panel of two of them a point of the front "
                   "may lie behind others.")  # fmt: skip


def _tornado(points: Points) -> Drawing | None:
    from pimsim.report.plots import tornado

    found = {name: rows for name in points.objectives if (rows := effects(points, name))}
    if not found:
        return None
    parts = [f"{_words(name)} on {rows[0].axis} ({rows[0].span:.3g}x)" for name, rows in found.items()
             if rows[0].span > tornado.NO_EFFECT]  # fmt: skip
    message = f"What depends most on what: {'; '.join(parts)}" if parts else "Nothing depends on any axis"
    table = [
        [name, effect.axis, value, factor]
        for name, rows in found.items()
        for effect in rows
        for value, factor in zip(effect.values, effect.factors, strict=True)
    ]
    shown = {f"{_words(name)}": rows for name, rows in found.items()}
    return Drawing(file_name(points.name, "tornado"), message, lambda: tornado.draw(shown),
                   ["result", "axis", "value", "factor_over_geometric_mean"], table,
                   "Geometric mean of all points with a value, over that of all points of the same network; at the "
                   "ends of a bar stand the values of the axis. Where conditions leave combinations out, or values "
                   "are drawn, axes are not quite independent.")  # fmt: skip


def _scaling(points: Points) -> Drawing | None:
    """The best points of each number of chips; None unless chips are an axis."""
    from pimsim.report.plots import scaling

    if "chips" not in points.axes or not {"throughput_per_s", "energy_pJ"} <= points.columns.keys():
        return None
    rate, energy = points.numbers("throughput_per_s"), points.numbers("energy_pJ") / 1e6
    workloads, chips = np.array(points.columns["workload"]), points.columns["chips"]
    lines = {}
    for workload in dict.fromkeys(points.columns["workload"]):
        own = (workloads == workload) & np.isfinite(rate) & np.isfinite(energy)
        sizes = sorted({int(chips[n]) for n in np.flatnonzero(own)})
        at = {size: own & (np.array(chips) == size) for size in sizes}
        rows = [(size, float(rate[at[size]].max()), float(energy[at[size]].min())) for size in sizes]
        if len(rows) > 1:
            lines[workload] = rows
    if not lines:
        return None
    gains = [f"{name} {rows[-1][1] / rows[0][1]:.3g}x from {rows[0][0]} to {rows[-1][0]}"
             for name, rows in lines.items()]  # fmt: skip
    return Drawing(file_name(points.name, "scaling"), f"Throughput with the number of chips: {'; '.join(gains)}",
                   lambda: scaling.draw(lines), ["workload", "chips", "throughput_per_s", "energy_uJ"],
                   [[name, *row] for name, rows in lines.items() for row in rows],
                   "Of each number of chips the point with the highest throughput and the one with the lowest energy; "
                   "dotted: in proportion to the chips.")  # fmt: skip


def table_of_points(points: Points, csv_name: str) -> str:
    """The front and the first points; all are in the CSV beside."""
    order = [*np.flatnonzero(points.front), *np.flatnonzero(~points.front)]
    chosen = sorted(order[:SHOWN_POINTS])
    names = ["ordinal", "workload", "system", *points.axes, *points.objectives]
    head = [label(name) for name in names]
    rows = [[_cell(points.columns[name][n]) for name in names] for n in chosen]
    strong = [at for at, n in enumerate(chosen) if points.front[n]]
    total = len(points.columns["ordinal"])
    shown = "All points" if len(chosen) == total else f"{len(chosen):,} of {total:,} points, those of the front first"
    note = html.text(f"{shown}; on the front: in bold.", "soft")
    name = html.escape(csv_name)
    link = f'<p class="soft">All columns of all points: <a href="{name}">{name}</a></p>'
    return note + link + html.table(head, rows, left=3, strong=strong)


def label(column: str) -> str:
    """A column's name with its unit in brackets."""
    ending = next((end for end in UNITS if column.endswith(end)), "")
    return (column.removesuffix(ending).replace("_", " ") + UNITS.get(ending, "")) if ending else column


def _words(column: str) -> str:
    return label(column).partition(" [")[0]


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.6g}" if math.isfinite(value) else ""
    return "" if value is None else str(value)
