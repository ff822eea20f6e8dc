"""Where each layer's time goes: its parts add up to the run."""

from __future__ import annotations

from matplotlib.figure import Figure

from pimsim.report.labels import TIME_GROUPS, run_title
from pimsim.report.plots.style import LIGHT, PALETTE, axis_on_top, layer_axis, row_height, time_unit
from pimsim.results.record import Result

COLOURS = dict(zip(
    TIME_GROUPS,
    (PALETTE[2], PALETTE[4], PALETTE[6], PALETTE[3], PALETTE[0], PALETTE[5], PALETTE[1], PALETTE[7], "#C9C9C9", LIGHT),
    strict=True,
))  # fmt: skip
"""A group's colour, in the order of the groups; a group without one is an error at once."""
WORDS = {
    "inputs": "waiting for inputs", "GPU core": "waiting for a GPU core",
    "shared crossbars": "waiting for shared crossbars", "fill": "pipeline fill", "drain": "pipeline drain",
}  # fmt: skip


def draw(result: Result) -> Figure:
    """One bar a layer, averaged over its replicas."""
    names = [layer.name for layer in result.layers]
    figure = Figure(figsize=(10, max(2.0, row_height(len(names)) * len(names) + 1.2)))
    axes = figure.subplots()
    left = [0.0] * len(names)
    for group, parts in TIME_GROUPS.items():
        shares = [100 * layer.share(*parts) for layer in result.layers]
        label = WORDS.get(group, group)
        axes.barh(range(len(names)), shares, 0.8, left, color=COLOURS[group], linewidth=0, label=label)
        left = [base + share for base, share in zip(left, shares, strict=True)]
    layer_axis(axes, names)
    axes.set_xlim(0, 100)
    size, unit = time_unit(result.times.run_ps)
    run = f"{result.times.run_ps / size:.4g} {unit}"
    axis_on_top(axes, f"share of the run of {run} [%], average over the layer's replicas")
    axes.set_title(f"{run_title(result)}: where time goes", pad=22)
    axes.legend(loc="upper left", bbox_to_anchor=(1.005, 1))
    return figure
