"""Wear of cells: how many writes they have seen, and when they will be stuck."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pimsim.device.endurance import lifetime, stuck_share
from pimsim.device.write_counter import histogram
from pimsim.report.plots.style import LIGHT, PALETTE

MOST_BINS = 60
POINTS = 200  #: of the curve of stuck cells


def draw(writes: np.ndarray, name: str, unit: str, endurances: dict[str, float | np.ndarray]) -> Figure:
    """Histogram of writes and, where an endurance is given, the share of stuck cells against work.

    Args:
        writes: (...) of each cell in one unit of work.
        name: what was counted, for the title.
        unit: what the unit of work is, such as ``trainings``.
        endurances: writes that cells bear, a number or (...) one for each cell, by name.
    """
    panels = 2 if endurances and writes.any() else 1
    figure = Figure(figsize=(5 * panels, 3.6))
    axes = figure.subplots(1, panels, squeeze=False, gridspec_kw={"wspace": 0.28})[0]
    _histogram(axes[0], writes)
    if panels == 2:
        _stuck(axes[1], writes, unit, endurances)
    figure.suptitle(name.replace("$", r"\$"), x=0.125, y=0.98, ha="left", fontsize=10, fontweight="bold")
    return figure


def _histogram(axes: Axes, writes: np.ndarray) -> None:
    found = histogram(writes, MOST_BINS)
    edges = np.append(found.first, found.first[-1] + found.width) - 0.5  # bars stand on the whole numbers they count
    axes.stairs(found.cells, edges, fill=True, color=PALETTE[0], linewidth=0)
    for value, words, style in ((writes.mean(), "mean", "-"), (writes.max(), "maximum", "--")):
        axes.axvline(float(value), color=PALETTE[5], linestyle=style, linewidth=1, label=f"{words}: {value:,.6g}")
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("writes of a cell")
    axes.set_ylabel("cells" if found.width == 1 else f"cells in {found.width:,} numbers of writes")
    axes.grid(axis="y", color=LIGHT, linewidth=0.7)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.16), ncols=2)


def _stuck(axes: Axes, writes: np.ndarray, unit: str, endurances: dict[str, float | np.ndarray]) -> None:
    for (words, endurance), colour in zip(endurances.items(), PALETTE * len(endurances), strict=False):
        lasts = lifetime(endurance, writes)
        lasts = lasts[np.isfinite(lasts)]
        units = np.geomspace(0.5 * lasts.min(), 2 * lasts.max(), POINTS)
        share = 100 * stuck_share(writes, endurance, units)
        axes.plot(units, share, color=colour, linewidth=1.3, drawstyle="steps-post", label=words)
        axes.axvline(float(lasts.min()), color=colour, linestyle=":", linewidth=1)
    axes.set_xscale("log")
    axes.set_ylim(-2, 102)
    axes.set_xlabel(f"{unit} (dotted: first cell fails)")
    axes.set_ylabel("cells past their endurance [%]")
    axes.grid(color=LIGHT, linewidth=0.7)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.16), ncols=2)
