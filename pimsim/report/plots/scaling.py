"""Throughput and energy of one network against the chips of the system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from pimsim.report.plots.ratios import number_axis
from pimsim.report.plots.style import GREY, LIGHT, PALETTE

MARKERS = "osD^vP*X"
LOG_FROM = 4.0  #: largest value over smallest from which on a scale is logarithmic
PANELS = (("rate", "throughput [inferences/s]"), ("energy", "energy of an inference [uJ]"))


def draw(series: Mapping[str, Sequence[tuple[int, float, float]]]) -> Figure:
    """Two panels, a line for each network; dotted: throughput that grows with the chips.

    Args:
        series: network -> (chips, inferences a second, uJ an inference), fewest chips first.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    for n, (axes, (_, label)) in enumerate(zip(figure.subplots(1, 2), PANELS, strict=True)):
        for at, (name, rows) in enumerate(series.items()):
            chips = [row[0] for row in rows]
            values = [row[1 + n] for row in rows]
            axes.plot(chips, values, color=PALETTE[at % len(PALETTE)], marker=MARKERS[at % len(MARKERS)],
                      linewidth=1.4, label=name.replace("$", r"\$"))  # fmt: skip
            if n == 0:
                axes.plot(chips, [values[0] * each / chips[0] for each in chips], color=GREY, linestyle=":",
                          linewidth=1, label="in proportion" if at == 0 else None)  # fmt: skip
        axes.set_xscale("log", base=2)
        values = [row[1 + n] for rows in series.values() for row in rows]
        if n == 0 or max(values) >= LOG_FROM * min(values):  # (in proportion is a straight line)
            axes.set_yscale("log")
            number_axis(axes.yaxis, *axes.get_ylim())
        else:
            axes.set_ylim(bottom=0)
        ticks = sorted({row[0] for rows in series.values() for row in rows})
        axes.set_xticks(ticks, list(map(str, ticks)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("chips of the system")
        axes.set_ylabel(label)
        axes.grid(color=LIGHT, linewidth=0.7)
        axes.legend(loc="best")
    return figure
