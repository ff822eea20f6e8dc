"""When each layer works on each image: from its first window's start to its last output."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from pimsim.report.labels import run_title
from pimsim.report.plots.style import PALETTE, axis_on_top, layer_axis, row_height, time_unit
from pimsim.results.record import Result

MOST_IMAGES = 8  #: as many as there are colours


def draw(result: Result) -> Figure:
    """One row a layer, in it one bar an image."""
    shown = min(len(result.timeline.first_start_ps), MOST_IMAGES)
    first, last = result.timeline.first_start_ps[:shown], result.timeline.last_output_ps[:shown]
    names = [layer.name for layer in result.layers]
    rows = row_height(len(names)) * (1 if shown == 1 else 1.3)
    figure = Figure(figsize=(10, max(2.0, rows * len(names) + 1)))
    axes = figure.subplots()
    size, unit = time_unit(max(map(max, last)))
    thick = 0.8 / shown
    for image in range(shown):
        starts = [start / size for start in first[image]]
        lengths = [(end - start) / size for start, end in zip(first[image], last[image], strict=True)]
        at = [row - 0.4 + thick * (image + 0.5) for row in range(len(names))]
        # an edge of its own colour keeps short bars visible
        axes.barh(at, lengths, thick, starts, color=PALETTE[image], edgecolor=PALETTE[image], linewidth=0.7)
    layer_axis(axes, names)
    axes.set_xlim(left=0)
    axis_on_top(axes, f"time [{unit}]")
    which = f", first {shown} of {result.source.batch} images" if shown < result.source.batch else ""
    axes.set_title(f"{run_title(result)}: first start to last output of each layer{which}", pad=22)
    if shown > 1:
        handles = [Patch(color=PALETTE[image], label=f"image {image}") for image in range(shown)]
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.005, 1))
    return figure
