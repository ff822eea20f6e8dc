"""A logarithmic axis of ratios around 1 with numbers that do not crowd."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from pimsim.report.plots.style import DARK, LIGHT
from pimsim.results.notebook import with_unit

MOST_TICKS = 5
_STEPS = ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))  #: numbers in a decade, fewer for longer axes


def ratio_axis(axes: Axes, low: float, high: float) -> None:
    """Logarithmic from ``low`` to ``high``, a line at 1."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    number_axis(axes.xaxis, low, high)
    axes.axvline(1, color=DARK, linewidth=1)
    axes.grid(axis="x", color=LIGHT, linewidth=0.7)


def number_axis(axis: Axis, low: float, high: float) -> None:
    """Numbers on a logarithmic axis from ``low`` to ``high``, also where it spans less than a decade."""
    axis.set_major_locator(FixedLocator(_ticks(low, high)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}" if value < 1e6 else with_unit(value, "")))


def _ticks(low: float, high: float) -> list[float]:
    if high / low < 4:
        found = MaxNLocator(MOST_TICKS, steps=[1, 2, 5, 10]).tick_values(low, high)
        return [float(f"{value:.6g}") for value in found if low <= value <= high]
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for steps in _STEPS:
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= MOST_TICKS + 1:
            return ticks
    return ticks[:: -(-len(ticks) // MOST_TICKS)]
