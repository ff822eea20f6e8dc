"""An iteration of training at a glance: phases of each layer, traffic between tiers, how busy the GPU cores are."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from pimsim.report.labels import run_title
from pimsim.report.plots.dark import means_values
from pimsim.report.plots.style import DARK, PALETTE, layer_axis, time_unit
from pimsim.results.record import Result
from pimsim.results.training_record import PHASES, TrainingResult

COLOURS = dict(zip(PHASES, (PALETTE[0], PALETTE[1], PALETTE[2], PALETTE[3]), strict=True))


def draw(result: Result, training: TrainingResult) -> Figure:
    """Timeline of the last iteration on the left; tiers and cores on the right."""
    rows = _rows(result)
    figure = Figure(figsize=(12, max(4.5, 0.19 * len(rows) + 1.6)), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(2.2, 1))
    _timeline(figure.add_subplot(grid[:, 0]), rows, result, training)
    _traffic(figure.add_subplot(grid[0, 1]), training)
    _cores(figure.add_subplot(grid[1, 1]), training)
    return figure


def _rows(result: Result) -> dict[str, list[int]]:
    """Layers of the forward pass that others belong to, by the first part of their names."""
    rows: dict[str, list[int]] = {}
    for i, layer in enumerate(result.layers):
        rows.setdefault(layer.name.partition("/")[0], []).append(i)
    return rows


def _timeline(axes, rows, result: Result, training: TrainingResult) -> None:  # type: ignore[no-untyped-def]
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
    axes.set_xlabel(f"time in iteration {training.iterations} [{unit}]")
    forward = next((phase for phase in training.phases if phase.phase == "forward"), None)
    whole = max(max(last) - begin, 1)
    share = (forward.last_output_ps - forward.first_start_ps) / whole if forward else 0.0
    axes.set_title(f"{run_title(result)}\nThe forward pass takes {share:.0%} of the iteration")
    handles = [Patch(color=COLOURS[phase], label=phase) for phase in PHASES]
    axes.legend(handles=handles, loc="lower left", fontsize=8)


def _traffic(axes, training: TrainingResult) -> None:  # type: ignore[no-untyped-def]
    kinds, flits = training.traffic.kinds, training.traffic.flits
    total = max(sum(map(sum, flits)), 1)
    shares = [[100 * count / total for count in row] for row in flits]
    axes.imshow(shares, cmap="cividis", vmin=0)
    highest = max(map(max, shares))
    for y, row in enumerate(shares):
        for x, share in enumerate(row):
            means_values(axes.text(x, y, f"{share:.1f}", ha="center", va="center", fontsize=8,
                                   color="white" if share < 0.6 * highest else "black"))  # fmt: skip
    names = [f"{tier} {'GPU' if kind == 'gpu' else 'ReRAM'}" for tier, kind in enumerate(kinds)]
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_xlabel("to tier")
    axes.set_ylabel("from tier")
    between = training.traffic.between_kinds / total
    axes.set_title(f"{between:.0%} of the flits change\nbetween ReRAM and GPU [% of all]")


def _cores(axes, training: TrainingResult) -> None:  # type: ignore[no-untyped-def]
    shares = sorted((100 * share for share in training.core_busy_shares), reverse=True)
    axes.bar(range(len(shares)), shares, color=PALETTE[0])
    axes.axhline(100 * training.core_utilisation, color=DARK, linewidth=1, linestyle="--")
    axes.set_ylim(0, 100)
    axes.set_xlabel("GPU cores, busiest first")
    axes.set_ylabel("busy [% of the run]")
    axes.set_title(f"GPU cores are busy {training.core_utilisation:.0%} of the time" if shares else "No GPU cores")
