"""Placements of which none is better than another in all objectives: a panel for each pair of objectives.

Every panel shows all of them, the one in use, and the placement from which the search began; colour is the last
objective, where there are more than two.
"""

from __future__ import annotations

import itertools

import numpy as np
from matplotlib.figure import Figure

from pimsim.report.labels import run_title
from pimsim.report.plots.style import DARK, LIGHT, PALETTE
from pimsim.results.record import Front, Result

UNITS = {"latency": "ns a flit", "mean": "us", "spread": "us", "energy": "uJ", "peak": "us", "temperature": "K"}
WORDS = {
    "latency": "mean latency", "mean": "mean time of a link", "spread": "spread over links",
    "energy": "energy of links", "peak": "busiest link", "temperature": "hottest tile over the air",
}  # fmt: skip
COLUMNS = 3


def draw(result: Result, front: Front) -> Figure:
    """The archive of a search for a placement; less is better along every axis."""
    values, start = np.array(front.values), result.placement.at_start or {}
    pairs = list(itertools.combinations(range(len(front.names)), 2))
    columns = min(COLUMNS, len(pairs))
    lines = -(-len(pairs) // columns)
    figure = Figure(figsize=(1.6 + 4.0 * columns, 1.4 + 3.3 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).reshape(-1)
    for axes, (x, y) in zip(panels, pairs, strict=False):
        points = axes.scatter(values[:, x], values[:, y], c=values[:, -1], cmap="viridis", s=26, zorder=3)
        used = axes.scatter(*values[front.chosen, [x, y]], marker="o", s=150, facecolors="none",
                            edgecolors=PALETTE[5], linewidths=2, zorder=4)  # fmt: skip
        begin = axes.scatter(start.get(front.names[x], np.nan), start.get(front.names[y], np.nan), marker="X", s=70,
                             color=DARK, zorder=2)  # fmt: skip
        axes.set_xlabel(_label(front.names[x]))
        axes.set_ylabel(_label(front.names[y]))
        axes.grid(color=LIGHT, linewidth=0.7)
        axes.margins(0.08)
    for axes in panels[len(pairs) :]:
        axes.set_visible(False)
    if len(pairs) > 1:
        figure.colorbar(points, ax=list(panels[: len(pairs)]), label=_label(front.names[-1]), aspect=40)
    figure.legend([points, used, begin], ["none of these beats another", "in use", f"start: {result.placement.start}"],
                  loc="outside lower center", ncols=3)  # fmt: skip
    figure.suptitle(f"{run_title(result)}\n{_message(front, start)}", x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def _label(name: str) -> str:
    return f"{WORDS[name]} [{UNITS[name]}]"


def _message(front: Front, start: dict[str, float]) -> str:
    """How many there are, and what the one in use gains."""
    used = zip(front.names, front.values[front.chosen], strict=True)
    gains = [f"{WORDS[name]} {value / start[name] - 1:+.1%}" for name, value in used if start.get(name)]
    count = len(front.values)
    found = f"{count} placements of which none beats another" if count > 1 else "One placement that beats all others"
    return f"{found}\nThe one in use against the start: {', '.join(gains)}" if gains else found
