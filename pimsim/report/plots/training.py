"""An iteration of training at a glance: phases of each layer; traffic between tiers and GPU cores, where there are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from pimsim.report.labels import run_title
from pimsim.report.plots.style import DARK, PALETTE, layer_axis, time_unit
from pimsim.report.plots.traffic import draw_tiers
from pimsim.results.record import Result
from pimsim.results.training_record import PHASES, TrainingResult

COLOURS = dict(zip(PHASES, (PALETTE[0], PALETTE[1], PALETTE[2], PALETTE[3]), strict=True))


def draw(result: Result, training: TrainingResult) -> Figure:
    """Timeline of the last iteration that was simulated on the left; what there is of tiers and cores on the right."""
    rows, traffic = _rows(result), result.traffic
    beside: list[Callable[[Axes], None]] = []
    if traffic is not None and traffic.total:
        beside.append(partial(draw_tiers, traffic=traffic))
    if training.core_busy_shares:
        beside.append(partial(_cores, training=training))
    height = max(2.9 * max(len(beside), 1), 0.19 * len(rows) + 1.6)
    figure = Figure(figsize=(12 if beside else 8.5, height), layout="constrained")
    grid = figure.add_gridspec(max(len(beside), 1), 2 if beside else 1, width_ratios=(2.2, 1) if beside else (1,))
    _timeline(figure.add_subplot(grid[:, 0]), rows, result, training)
    for n, panel in enumerate(beside):
        panel(figure.add_subplot(grid[n, 1]))
    handles = [Patch(color=COLOURS[phase], label=phase) for phase in PHASES]
    figure.legend(handles=handles, loc="outside lower left", ncols=len(PHASES))
    return figure


def _rows(result: Result) -> dict[str, list[int]]:
    """Layers of the forward pass that others belong to, by the first part of their names."""
    rows: dict[str, list[int]] = {}
    for i, layer in enumerate(result.layers):
        rows.setdefault(layer.name.partition("/")[0], []).append(i)
    return rows


def _timeline(axes: Axes, rows: dict[str, list[int]], result: Result, training: TrainingResult) -> None:
    first, last = result.timeline.first_start_ps[-1], result.timeline.last_output_ps[-1]
    begin = min(start for start in first if start >= 0)
    size, unit = time_unit(max(last) - begin)
    for row, (_, members) in enumerate(rows.items()):
        for k, phase in enumerate(PHASES):
            own = [i for i in members if result.layers[i].phase == phase and first[i] >= 0]
            if own:
                start, end = min(first[i] for i in own), max(last[i] for i in own)
                axes.barh(row - 0.3 + 0.2 * k, (end - start) / size, 0.2, (start - begin) / size, color=COLOURS[phase],
                          edgecolor=COLOURS[phase], linewidth=0.6)  # fmt: skip
    layer_axis(axes, list(rows))
    axes.set_xlim(left=0)
    axes.set_xlabel(f"time in iteration {training.simulated} [{unit}]")
    forward = next((phase for phase in training.phases if phase.phase == "forward"), None)
    whole = max(max(last) - begin, 1)
    share = (forward.last_output_ps - forward.first_start_ps) / whole if forward else 0.0
    axes.set_title(f"{run_title(result)}\nThe forward pass takes {share:.0%} of the iteration")


def _cores(axes: Axes, training: TrainingResult) -> None:
    shares = sorted((100 * share for share in training.core_busy_shares), reverse=True)
    axes.bar(range(len(shares)), shares, color=PALETTE[0])
    axes.axhline(100 * training.core_utilisation, color=DARK, linewidth=1, linestyle="--")
    axes.set_xlim(-0.6, max(len(shares), 4) - 0.4)
    axes.set_ylim(0, 100)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("GPU cores, busiest first")
    axes.set_ylabel("busy [% of the run]")
    axes.set_title(f"GPU cores are busy {training.core_utilisation:.0%} of the time")
