"""What the page says of a study: its front, what its results depend on, its points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pimsim.report.page import html
from pimsim.report.page.drawing import Drawing, file_name
from pimsim.report.page.points import Points, effects, tied
from pimsim.results.notebook import with_unit

SHOWN_POINTS = 60
SHOWN_ERRORS = 5
WORTH_A_WORD = 1.005  #: largest result over smallest from which on an axis is named
SCALED = {"_ns": (1e-9, "s"), "_pJ": (1e-12, "J"), "_W": (1.0, "W")}  #: endings of columns, and SI's unit of them
UNITS = {"_ns": " [ns]", "_pJ": " [pJ]", "_mm2": " [mm2]", "_W": " [W]", "_per_s": " [1/s]"}


def summary(points: Points) -> str:
    """How many points there are and how they were found, the best of each objective, and what has failed."""
    counts, seeds = points.counts, points.every is not None
    done = counts.get("done", 0)
    designs = f" ({len(points.columns['workload']):,} designs, each under several seeds)" if seeds else ""
    over = f" over the axes {', '.join(points.axes)}" if points.axes else ""
    lines = [f"{counts.get('points', len(points.single['key'])):,} points{designs}{over}: {done:,} done, "
             f"{counts.get('failed', 0):,} failed.", f"All of it: {points.how}."]  # fmt: skip
    head = ["network", "found by", "objective", "best", "at", *points.axes]
    rows = _best_rows(points)
    facts = [[name, value] for name, value in points.facts.items()]
    table = html.table(head, rows, left=3) if rows else html.text("No point has a result.", "warn")
    if seeds and rows:
        table += html.text("Means over the seeds; +-: half of the 95 % interval of the mean (Student's t).", "soft")
    return ("".join(map(html.text, lines)) + table + _failures(points)
            + html.details("Versions and dates", html.table(["", ""], facts, left=2)))  # fmt: skip


def _best_rows(points: Points) -> list[list[str]]:
    """Of each network, and of each way in which its points were found."""
    rows = []
    workloads, methods = np.array(points.columns["workload"]), np.array(points.methods)
    for workload, method in dict.fromkeys(zip(points.columns["workload"], points.methods, strict=True)):
        for objective in points.objectives:
            values = points.numbers(objective)
            own = np.flatnonzero((workloads == workload) & (methods == method) & np.isfinite(values))
            if not own.size:
                continue
            sign = -1 if objective in points.maximized else 1
            best = int(own[np.argmin(sign * values[own])])
            rows.append([workload, method, _words(objective), _figure(points, objective, best),
                         f"point {points.columns['ordinal'][best]}",
                         *(_cell(points.columns[axis][best]) for axis in points.axes)])  # fmt: skip
    return rows


def _failures(points: Points) -> str:
    columns = points.single
    wrong = [(n, words) for n, words in zip(columns["ordinal"], columns["error"], strict=True) if words]
    rows = "".join(html.text(f"Point {n} failed: {words}", "warn") for n, words in wrong[:SHOWN_ERRORS])
    more = f"... and {len(wrong) - SHOWN_ERRORS:,} more failed (column error of the table)"
    return rows + (html.text(more, "warn") if len(wrong) > SHOWN_ERRORS else "")


def drawings(points: Points) -> list[Drawing]:
    """Pareto fronts, the tornado, and throughput against chips where these are an axis."""
    return [each for each in (_pareto(points), _tornado(points), _scaling(points)) if each is not None]


def _pareto(points: Points) -> Drawing | None:
    from pimsim.report.plots import pareto

    if not points.front.any():
        return None
    values = {name: points.numbers(name) for name in points.objectives}
    measured = int(np.count_nonzero(np.isfinite(np.stack(list(values.values()))).all(axis=0)))
    on_front = int(np.count_nonzero(points.front))
    several = len(set(points.columns["workload"])) > 1
    what = "design" if points.every is not None else "point"
    message = (f"No other {what}{' of the same network' if several else ''} beats {on_front:,} of the {measured:,} "
               f"{what}s in {_and([_words(name) for name in points.objectives])}")  # fmt: skip
    halves = [name for name in points.objectives if name in points.intervals]
    head = ["ordinal", "workload", "system", *points.axes, *points.objectives,
            *(f"{name}_interval95" for name in halves), "on_front"]  # fmt: skip
    kept: list[Sequence[Any]] = [points.columns[name] for name in head[: 3 + len(points.axes) + len(points.objectives)]]
    widths = [[None if np.isnan(half) else float(half) for half in points.intervals[name]] for name in halves]
    rows = list(zip(*kept, *widths, map(bool, points.front), strict=True))
    seeds = " Lines across: 95 % intervals of the means over seeds (Student's t)." if halves else ""
    return Drawing(file_name(points.name, "pareto"), points.marked(message),
                   lambda: pareto.draw(values, points.front, points.columns["workload"], maximized=points.maximized,
                                       intervals=points.intervals, headline=False),
                   head, rows, f"{_how(points)} Fronts are of all objectives together: in a panel of two of them a "
                   f"point of the front may lie behind others.{seeds}")  # fmt: skip


def _how(points: Points) -> str:
    return f"{points.how[0].upper()}{points.how[1:]}."


def missing_front(points: Points) -> str:
    """Why there is no Pareto chart, where there is none."""
    if points.front.any() or not points.counts.get("done"):
        return ""
    empty = [name for name in points.objectives if not np.isfinite(points.numbers(name)).any()]
    words = _and([_words(name) for name in empty or points.objectives])
    why = f"no point has a value for {words}" if empty else f"no point has values for all of {words}"
    if "throughput_per_s" in empty:
        why += " (a steady throughput needs a larger batch)"
    return html.text(f"No Pareto chart: {why}. --minimize and --maximize choose others.", "warn")


def _tornado(points: Points) -> Drawing | None:
    from pimsim.report.plots import tornado

    found = {name: rows for name in points.objectives if (rows := effects(points, name))}
    if not found:
        return None
    parts = [f"{_words(name)} with {rows[0].axis} ({rows[0].span:.3g}x)" for name, rows in found.items()
             if rows[0].span > WORTH_A_WORD]  # fmt: skip
    message = (f"What moves most where one axis changes alone: {'; '.join(parts)}" if parts else
               "Hardly anything depends on any axis")  # fmt: skip
    table = [
        [name, effect.axis, effect.groups, effect.span, effect.smallest_ratio, effect.largest_ratio, effect.low_at,
         effect.high_at]
        for name, rows in found.items() for effect in rows
    ]  # fmt: skip
    shown = {f"{_words(name)}": rows for name, rows in found.items()}
    partly = {effect.axis: f"{effect.axis} {effect.together} of {effect.values}" for rows in found.values()
              for effect in rows if effect.together < effect.values}  # fmt: skip
    note = (f" Conditions leave but some values of an axis to points that differ in it alone, at most: "
            f"{_and([*partly.values()])}." if partly else "")  # fmt: skip
    return Drawing(file_name(points.name, "tornado"), points.marked(message), lambda: tornado.draw(shown),
                   ["result", "axis", "groups", "ratio_geometric_mean", "ratio_smallest", "ratio_largest", "lowest_at",
                    "highest_at"], table,
                   f"{_how(points)} Compared are only points of the same network that differ in that axis alone: bars "
                   "from the smallest to the largest result of each such group, over the group's geometric mean, "
                   "averaged over the groups (geometric mean); lines: the widest group. At the ends of a bar stand the "
                   f"values of the axis, and where groups disagree, in how many of them.{note}")  # fmt: skip


def inseparable(points: Points) -> str:
    """Axes whose effect cannot be told apart from that of others."""
    lines = [f"What {axis} alone does cannot be told: no two points differ in it alone, {_and(list(others))} "
             f"{'changes' if len(others) == 1 else 'change'} with it." for axis, others in tied(points).items()
             if others]  # fmt: skip
    return "".join(html.text(line, "warn") for line in lines)


def _scaling(points: Points) -> Drawing | None:
    """The best points of each number of chips; None unless an axis sets them."""
    from pimsim.report.plots import scaling

    axis = points.chips_axis
    if axis is None or not {"throughput_per_s", "energy_pJ"} <= points.columns.keys():
        return None
    lines = _by_chips(points, points.columns[axis])
    if not lines:
        return None
    gains = [f"{name} {rows[-1][1] / rows[0][1]:.3g}x from {rows[0][0]} to {rows[-1][0]}"
             for name, rows in lines.items()]  # fmt: skip
    return Drawing(file_name(points.name, "scaling"),
                   points.marked(f"Throughput with the number of chips: {'; '.join(gains)}"),
                   lambda: scaling.draw(lines), ["workload", "chips", "throughput_per_s", "energy_uJ"],
                   [[name, *row] for name, rows in lines.items() for row in rows],
                   f"{_how(points)} Of each number of chips the point with the highest throughput and the one with the "
                   "lowest energy; dotted: in proportion to the chips.")  # fmt: skip


def _by_chips(points: Points, chips: Sequence[Any]) -> dict[str, list[tuple[int, float, float]]]:
    """Network (and method, where there are several) -> chips, best throughput [1/s], lowest energy [uJ]."""
    rate, energy = points.numbers("throughput_per_s"), points.numbers("energy_pJ") / 1e6
    several = len(set(points.methods)) > 1
    names = np.array([f"{name}: {method}" if several else name
                      for name, method in zip(points.columns["workload"], points.methods, strict=True)])  # fmt: skip
    lines = {}
    for name in dict.fromkeys(names.tolist()):
        own = (names == name) & np.isfinite(rate) & np.isfinite(energy)
        sizes = sorted({size for size, known in zip(chips, own, strict=True) if known and isinstance(size, int)})
        at = {size: own & np.array([each == size for each in chips]) for size in sizes}
        rows = [(size, float(rate[here].max()), float(energy[here].min())) for size, here in at.items()]
        if len(rows) > 1:
            lines[name] = rows
    return lines


def table_of_points(points: Points, csv_name: str) -> str:
    """The front and the first points; all are in the CSV beside."""
    order = [*np.flatnonzero(points.front), *np.flatnonzero(~points.front)]
    chosen = sorted(int(n) for n in order[:SHOWN_POINTS])
    names = ["ordinal", "workload", "system", *points.axes]
    head = [*map(label, names), *map(_words, points.objectives)]
    rows = [[*(_cell(points.columns[name][n]) for name in names),
             *(_figure(points, name, n) for name in points.objectives)] for n in chosen]  # fmt: skip
    strong = [at for at, n in enumerate(chosen) if points.front[n]]
    total = len(points.columns["ordinal"])
    shown = ("All points" if len(chosen) == total else
             f"{len(chosen):,} of {total:,} points: those of the front, then the first others, all in the order of the "
             "sweep")  # fmt: skip
    bold = "; on the front: in bold" if strong else ""
    note = html.text(f"{shown}{bold}.", "soft")
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


def _figure(points: Points, column: str, n: int) -> str:
    """A point's figure with its unit, and half of its interval over seeds."""
    value = points.columns[column][n]
    half = points.intervals[column][n] if column in points.intervals else np.nan
    return _with_unit(column, value) + ("" if value is None or np.isnan(half) else f" +- {_with_unit(column, half, 2)}")


def _with_unit(column: str, value: Any, digits: int = 5) -> str:
    """In units that are easy to read: 159.5 uJ, not 1.59513e+08 pJ."""
    if value is None or not math.isfinite(value):
        return ""
    for ending, (size, unit) in SCALED.items():
        if column.endswith(ending):
            return with_unit(value * size, unit, digits)
    unit = next((words.strip(" []") for ending, words in UNITS.items() if column.endswith(ending)), "")
    return f"{value:,.{digits}g} {unit}".rstrip() if abs(value) < 10**digits else f"{value:,.0f} {unit}".rstrip()


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.6g}" if math.isfinite(value) else ""
    return "" if value is None else str(value)
