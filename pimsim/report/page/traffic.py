"""What the page says of a run's network: who sends to whom, the hottest links, time lost; and a run of training."""

from __future__ import annotations

from typing import Any

from pimsim.report.labels import run_title
from pimsim.report.page import html
from pimsim.report.page.drawing import Drawing, file_name
from pimsim.report.traffic import group_name, traffic_figures, traffic_rows
from pimsim.results.notebook import with_unit
from pimsim.results.record import Result
from pimsim.results.traffic_record import Traffic
from pimsim.results.training_record import TrainingResult


def tables(result: Result) -> str:
    """The figures and tables of the network; empty where there is nothing to tell."""
    rows = [[name, value] for name, value in traffic_rows(result)]
    parts = [html.table(["", ""], rows, left=2)] if rows else []
    for figures in traffic_figures(result):
        parts.append(html.table(figures.head, figures.rows, words=figures.words))
        parts.append(html.text(f"{figures.note[0].upper()}{figures.note[1:]}.", "soft"))
    return "".join(parts)


def drawings(name: str, result: Result) -> list[Drawing]:
    """The picture of who sends to whom, where there are several kinds or tiers of tiles."""
    from pimsim.report.plots import traffic

    found = result.traffic
    if found is None or not found.total:
        return []
    note = (f"{run_title(result)}: bytes are counted where they are delivered, a multicast once for each tile that it "
            "reaches; the host is no row of the matrix of tiles.")  # fmt: skip
    return [Drawing(file_name(name, "traffic"), traffic.message(found), lambda: traffic.draw(result, found),
                    *_pairs(found), note)]  # fmt: skip


def _pairs(found: Traffic) -> tuple[list[str], list[list[Any]]]:
    cells = found.cells
    names = [group_name(group) for group in found.groups]
    rows = zip(cells.source, cells.target, cells.bytes, strict=True)
    head = ["from_cell", "from_tier", "to_cell", "to_tier", "bytes"]
    return head, [[a, names[cells.group[a]], b, names[cells.group[b]], count] for a, b, count in rows]


def training_drawing(name: str, result: Result, training: TrainingResult) -> Drawing:
    """Phases of the last iteration that was simulated, layer by layer."""
    from pimsim.report.plots import training as plot

    cores = f"; the GPU cores are busy {training.core_utilisation:.0%} of the run" if training.core_busy_shares else ""
    time = with_unit(training.time_per_iteration_ps / 1e12, "s")
    message = f"An iteration takes {time} for {training.batch:,} images{cores}"
    starts, ends = result.timeline.first_start_ps[-1], result.timeline.last_output_ps[-1]
    rows = [[layer.name, layer.phase, start / 1e6, end / 1e6]
            for layer, start, end in zip(result.layers, starts, ends, strict=True) if start >= 0]  # fmt: skip
    note = (f"{run_title(result)}: iteration {training.simulated}; layers of the forward pass, from the first window "
            "that belongs to each in a phase to the last output.")  # fmt: skip
    return Drawing(file_name(name, "training"), message, lambda: plot.draw(result, training),
                   ["layer", "phase", "first_start_us", "last_output_us"], rows, note)  # fmt: skip
