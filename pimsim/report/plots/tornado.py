"""Tornado: how much a result moves along each axis of a study, the others averaged out; the longest bar on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pimsim.report.page.points import Effect
from pimsim.report.plots.style import DARK, LIGHT, PALETTE

MOST_AXES = 12


def draw(effects: Mapping[str, Sequence[Effect]]) -> Figure:
    """One panel for each result.

    Args:
        effects: label of the result -> its axes, most influential first.
    """
    rows = max(min(len(each), MOST_AXES) for each in effects.values())
    columns = min(2, len(effects))
    lines = -(-len(effects) // columns)
    figure = Figure(figsize=(5.4 * columns, lines * (1.2 + 0.42 * rows)), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).reshape(-1)
    for axes, (label, found) in zip(panels, effects.items(), strict=False):
        _panel(axes, list(found[:MOST_AXES]))
        axes.set_xlabel(f"{label} over its geometric mean [x]")
    for axes in panels[len(effects) :]:
        axes.set_visible(False)
    return figure


def _panel(axes: Axes, found: Sequence[Effect]) -> None:
    for row, effect in enumerate(found):
        for pick, colour in ((min, PALETTE[0]), (max, PALETTE[1])):
            factor = pick(effect.factors)
            axes.barh(row, factor - 1, 0.6, left=1, color=colour, linewidth=0)
            axes.annotate(effect.values[effect.factors.index(factor)].replace("$", r"\$"), (factor, row),
                          (-3 if pick is min else 3, 0), textcoords="offset points", va="center", fontsize=7.5,
                          ha="right" if pick is min else "left", color=DARK)  # fmt: skip
    low = min(min(effect.factors) for effect in found)
    high = max(max(effect.factors) for effect in found)
    room = max(high / low, 1.05) ** 0.3
    axes.set_xscale("log")
    axes.set_xlim(min(low, 1) / room, max(high, 1) * room)
    if high / low < 8:  # powers of ten alone would leave no number at the axis
        axes.xaxis.set_major_locator(LogLocator(10, (1, 1.5, 2, 3, 5, 7) if high / low > 1.8 else _fine()))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.axvline(1, color=DARK, linewidth=1)
    axes.set_yticks(range(len(found)), [effect.axis.replace("$", r"\$") for effect in found])
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=LIGHT, linewidth=0.7)


def _fine() -> tuple[float, ...]:
    return (1, 1.1, 1.2, 1.4, 1.6, 8, 9)
