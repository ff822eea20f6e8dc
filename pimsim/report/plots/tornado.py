"""Tornado: how much a result moves when one axis of a study changes alone; the longest bar on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pimsim.report.page.points import Effect
from pimsim.report.plots.ratios import ratio_axis
from pimsim.report.plots.style import DARK, PALETTE

MOST_AXES = 12
NO_EFFECT = 1.0001  #: largest factor over smallest below which nothing is drawn


def draw(effects: Mapping[str, Sequence[Effect]]) -> Figure:
    """One panel for each result.

    Args:
        effects: label of the result -> its axes, most influential first.
    """
    rows = max(min(len(each), MOST_AXES) for each in effects.values())
    ends = _ends([effect for each in effects.values() for effect in each[:MOST_AXES]])
    columns = min(2, len(effects))
    lines = -(-len(effects) // columns)
    figure = Figure(figsize=(5.4 * columns, lines * (1.2 + 0.42 * rows)), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).reshape(-1)
    for axes, (label, found) in zip(panels, effects.items(), strict=False):
        _panel(axes, list(found[:MOST_AXES]), ends)
        axes.set_xlabel(f"{label} over the mean of the group [x]")
    for axes in panels[len(effects) :]:
        axes.set_visible(False)
    return figure


def _panel(axes: Axes, found: Sequence[Effect], ends: tuple[float, float]) -> None:
    for row, effect in enumerate(found):
        if effect.span < NO_EFFECT:
            axes.annotate("no effect", (1, row), (3, 0), textcoords="offset points", va="center", fontsize=7.5,
                          color=DARK)  # fmt: skip
            continue
        for factor, end, at, side, colour in (
            (effect.low, effect.lowest, effect.low_at, -1, PALETTE[0]),
            (effect.high, effect.highest, effect.high_at, 1, PALETTE[1]),
        ):
            axes.barh(row, factor - 1, 0.6, left=1, color=colour, linewidth=0)
            if effect.groups > 1:
                axes.plot([factor, end], [row, row], color=DARK, linewidth=1, marker="|", markevery=[1], markersize=7)
            axes.annotate(at.replace("$", r"\$"), (end, row), (4 * side, 0), textcoords="offset points", va="center",
                          fontsize=7.5, ha="left" if side > 0 else "right", color=DARK)  # fmt: skip
    ratio_axis(axes, *ends)
    axes.set_yticks(range(len(found)), [effect.axis.replace("$", r"\$") for effect in found])
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def _ends(shown: Sequence[Effect]) -> tuple[float, float]:
    """One scale for all panels, so that their bars can be compared."""
    low = min(1.0, *(effect.lowest for effect in shown))
    high = max(1.0, *(effect.highest for effect in shown))
    room = max(high / low, 1.05) ** 0.35
    return low / room, high * room
