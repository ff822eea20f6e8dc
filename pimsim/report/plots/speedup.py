"""Ratios to baselines: a bar for each result and their geometric mean, on a logarithmic axis around 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pimsim.report.plots.ratios import ratio_axis
from pimsim.report.plots.style import DARK, PALETTE

MEAN = "geometric mean"
DOTS = 0.25  #: below the middle of a row [rows]
MOST_BARS = 6  #: results with a bar of their own; of more, the mean alone, with a dot for each
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "++++")


def draw(
    panels: Mapping[str, Mapping[str, Mapping[str, float | None]]], baselines: Mapping[str, str],
    results: Sequence[str], means: Mapping[str, Mapping[str, float | None]],
) -> Figure:  # fmt: skip
    """One panel for each kind of ratio, in it one group of bars for each baseline.

    Args:
        panels: label of the axis -> baseline -> result -> ratio; None: not known.
        baselines: name -> how it is called at the axis.
        results: names of the results.
        means: label of the axis -> baseline -> geometric mean.
    """
    own = list(results) if len(results) <= MOST_BARS else []
    bars = [*own, MEAN] if len(results) > 1 else own
    height = 1.3 + len(baselines) * (0.22 + 0.19 * (len(bars) + (not own)))
    figure = Figure(figsize=(1.6 + 3.6 * len(panels), height + 0.5), layout="constrained")
    for n, (axes, (label, values)) in enumerate(
        zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True)
    ):
        _panel(axes, values, means[label], list(baselines), bars, own)
        axes.set_xlabel(f"{label} [x]")
        axes.set_yticks(range(len(baselines)), list(baselines.values()) if n == 0 else [""] * len(baselines))
    if len(bars) > 1 or not own:
        handles: list[Any] = [Patch(facecolor=_colour(bar, own), hatch=_hatch(bar, own), edgecolor="white",
                         label=bar.replace("$", r"\$")) for bar in bars]  # fmt: skip
        if not own:
            handles.append(Line2D([], [], linestyle="", marker="o", color="#000000", markersize=3, alpha=0.6,
                                  label="each result"))  # fmt: skip
        figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)))
    return figure


def _panel(
    axes: Axes, values: Mapping[str, Mapping[str, float | None]], means: Mapping[str, float | None],
    baselines: Sequence[str], bars: Sequence[str], own: Sequence[str],
) -> None:  # fmt: skip
    tall = 0.8 if own else 0.5  # dots have a strip of their own below the bar, free of its label
    thick = tall / len(bars)
    for row, baseline in enumerate(baselines):
        of = values.get(baseline, {})
        for n, bar in enumerate(bars):
            at = row - 0.4 + thick * (n + 0.5)
            value = means.get(baseline) if bar == MEAN else of.get(bar)
            if not value:
                axes.annotate("not known", (1, at), (4, 0), textcoords="offset points", va="center", fontsize=7,
                              color=DARK)  # fmt: skip
                continue
            axes.barh(at, value - 1, thick * 0.9, left=1, color=_colour(bar, own), hatch=_hatch(bar, own),
                      edgecolor="white", linewidth=0)  # fmt: skip
            side = 1 if value >= 1 else -1
            axes.annotate(_words(value), (value, at), (3 * side, 0), textcoords="offset points", va="center",
                          ha="left" if side > 0 else "right", fontsize=7.5, color=DARK)  # fmt: skip
        if not own:
            known = [value for value in of.values() if value]
            axes.plot(known, [row + DOTS] * len(known), "o", color="#000000", markersize=3, alpha=0.6)
    _scale(axes, [value for of in values.values() for value in of.values() if value])
    axes.set_ylim(len(baselines) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)


def _scale(axes: Axes, known: Sequence[float]) -> None:
    low, high = min([1.0, *known]), max([1.0, *known])
    room = max(np.log10(high / low), 0.3)
    ratio_axis(axes, low / 10 ** (0.22 * room if low < 1 else 0.05 * room), high * 10 ** (0.28 * room))


def _colour(bar: str, own: Sequence[str]) -> str:
    return "#444444" if bar == MEAN else PALETTE[own.index(bar)]


def _hatch(bar: str, own: Sequence[str]) -> str:
    return "" if bar == MEAN else HATCHES[own.index(bar)]


def _words(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
