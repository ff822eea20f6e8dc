"""Shares found under several seeds: each with its own interval, and the mean with Student's."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from pimsim.report.plots.style import DARK, LIGHT, PALETTE
from pimsim.results.inference import Share


def draw(rows: Sequence[tuple[str, Share]], mean: tuple[float, float, float] | None, label: str) -> Figure:
    """A point with its 95 % interval for each row.

    Args:
        rows: name and share.
        mean: mean over the rows, lower and upper end of its 95 % interval; None: there is none.
        label: of the axis.
    """
    lines = len(rows) + (mean is not None)
    figure = Figure(figsize=(8.5, 1.0 + 0.36 * lines), layout="constrained")
    axes = figure.subplots()
    for at, (_, share) in enumerate(rows):
        low, high = (100 * end for end in share.interval)
        axes.plot([low, high], [at, at], color=PALETTE[0], linewidth=4, alpha=0.35, solid_capstyle="butt")
        axes.plot([100 * share.share], [at], color=PALETTE[0], marker="o", markersize=6)
    names = [name.replace("$", r"\$") for name, _ in rows]
    if mean is not None:
        middle, low, high = (100 * each for each in mean)
        axes.plot([low, high], [len(rows)] * 2, color=PALETTE[5], linewidth=4, alpha=0.45, solid_capstyle="butt")
        axes.plot([middle], [len(rows)], color=PALETTE[5], marker="D", markersize=7)
        names.append("mean over seeds")
    axes.set_yticks(range(lines), names)
    axes.set_ylim(lines - 0.5, -0.5)
    axes.set_xlabel(f"{label} [%], 95 % intervals")
    axes.tick_params(colors=DARK)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=LIGHT, linewidth=0.7)
    return figure
