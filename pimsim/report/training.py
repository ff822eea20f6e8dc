"""A run of training on the terminal: its phases, what works in them, and the layers that take longest."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from pimsim.report.labels import run_title
from pimsim.report.traffic import traffic_rows
from pimsim.results.notebook import energy_error, extrapolated, in_bytes, placement_rows, shortened, with_unit
from pimsim.results.record import LayerResult, Result
from pimsim.results.training_record import TrainingResult

LONGEST = 12  #: layers shown; all of them are in layers.csv
PLACES = {"edram": "eDRAM", "dram": "DRAM", "gpu_memory": "the memory of GPU cores"}
KIND_NAMES = {"reram": "ReRAM tiles", "gpu": "GPU cores", "network": "network", "other": "DRAM and others"}


def phase_table(result: Result, training: TrainingResult) -> Table:
    """One row a phase."""
    table = Table(title=Text(run_title(result), "bold"), box=SIMPLE_HEAD, title_justify="left", header_style="bold",
                  pad_edge=False, padding=(0, 1, 0, 0), caption_justify="left")  # fmt: skip
    table.add_column("phase", no_wrap=True)
    for head in ("layers", "MACs in crossbars", "FLOPs on GPU cores", "begins", "ends", "dynamic energy", "works %",
                 "GPU wait %", "network %"):  # fmt: skip
        table.add_column(head, justify="right", no_wrap=True)
    begin = min((phase.first_start_ps for phase in training.phases), default=0)
    for phase in training.phases:
        total = max(sum(phase.time_ps.values()), 1)
        shares = [f"{100 * phase.time_ps[part] / total:.1f}" for part in ("compute", "core", "network")]
        table.add_row(
            phase.phase, f"{phase.layers:,}", f"{phase.macs:,}", f"{phase.kernel_flops:,}",
            *(with_unit((at - begin) / 1e12, "s", 4) for at in (phase.first_start_ps, phase.last_output_ps)),
            with_unit(phase.dynamic_pj / 1e12, "J", 3), *shares,
        )  # fmt: skip
    only = f" of the {training.simulated} that were simulated" if training.more else ""
    table.caption = (f"begins, ends: in the last iteration{only}, from its first window; shares: of the time of all "
                     f"replicas{' in these' if only else ''}")  # fmt: skip
    return table


def kind_table(training: TrainingResult) -> Table:
    """One row for each kind of hardware."""
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("energy of an iteration", no_wrap=True)
    for head in ("dynamic", "static", "together", "share %"):
        table.add_column(head, justify="right", no_wrap=True)
    total = sum(kind.energy_pj for kind in training.kinds) or 1.0
    for kind in training.kinds:
        energies = (with_unit(pj / 1e12, "J", 3) for pj in (kind.dynamic_pj, kind.static_pj, kind.energy_pj))
        table.add_row(KIND_NAMES[kind.kind], *energies, f"{100 * kind.energy_pj / total:.1f}")
    return table


def longest_table(result: Result) -> Table:
    """The layers whose replicas work most of the time."""
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0), caption_justify="left")
    table.add_column("busiest layers", no_wrap=True)
    for head in ("phase", "on", "replicas", "an iteration, at least", "works %", "waits for a core %"):
        table.add_column(head, justify="right", no_wrap=True)
    for layer in sorted(result.layers, key=_busy, reverse=True)[:LONGEST]:
        table.add_row(
            shortened(layer.name, 48), layer.phase, {"gpu": "GPU"}.get(layer.kind, "ReRAM"), f"{layer.replicas:,}",
            with_unit(layer.image_ps / 1e12, "s", 3), f"{100 * layer.share('compute'):.1f}",
            f"{100 * layer.share('core'):.1f}",
        )  # fmt: skip
    words = ["an iteration, at least: work of its busiest replica for a whole batch"]
    words += [f"{more} more in layers.csv (--out)"] if (more := len(result.layers) - LONGEST) > 0 else []
    table.caption = "; ".join(words)
    return table


def training_rows(result: Result, training: TrainingResult) -> list[tuple[str, str]]:
    """What to know about a run of training, in the order in which one asks: (name, value)."""
    usage, costs = result.usage, result.costs
    iteration_s, energy_j = training.time_per_iteration_ps / 1e12, costs.energy_pj / 1e12
    static = sum(costs.static_pj.values()) / costs.energy_pj if costs.energy_pj else 0.0
    cores = len(training.core_busy_shares)
    rows = [
        ("Iteration", f"{with_unit(iteration_s, 's')} for a batch of {training.batch}{_which(training)}"),
        ("An image", f"{with_unit(iteration_s / training.batch, 's')}, {training.images_per_s:,.4g} images/s"),
        ("Energy an iteration", f"{with_unit(energy_j, 'J')} ({static:.0%} static), "
                                f"{with_unit(energy_j / training.batch, 'J')} an image{energy_error(result)}"),
        ("Average power", with_unit(costs.average_power_w, "W")),
        ("Area", f"{costs.area_mm2:,.1f} mm2 ({usage.chips_used} of {usage.chips} chips)"),
        ("ReRAM", f"{usage.tiles_used} of {usage.tiles} tiles, {usage.crossbars_used:,} of {usage.crossbars:,} "
                  f"crossbars, which read {usage.crossbar_busy_share:.1%} of the run"),
        ("GPU cores", f"{cores}, busy {training.core_utilisation:.0%} of the run" if cores else "none"),
        *traffic_rows(result),
        ("Kept for backward", "; ".join(f"{in_bytes(count)} in {PLACES.get(place, place)}"
                                        for place, count in training.saved_bytes.items() if count) or "nothing"),
        ("Bottleneck", result.bottleneck),
        *placement_rows(result),
    ]  # fmt: skip
    if training.iterations > 1:
        from_few = f", {extrapolated(training)} (--exact simulates all)" if training.more else ""
        run = with_unit(result.times.run_ps / 1e12, "s")
        rows.insert(1, (f"{training.iterations:,} iterations", f"{run}{from_few}"))
    for life in training.wear.lifetimes:
        if life.iterations is not None and life.years is not None:
            rows.append((f"Lives, {life.endurance:.0e} writes", f"{life.iterations:,} iterations, {life.years:,.3g} "
                         f"years of nothing else; first: {life.layer}"))  # fmt: skip
    return rows


def _which(training: TrainingResult) -> str:
    return f" (mean of {training.iterations - 1:,} after the first)" if training.iterations > 1 else ""


def _busy(layer: LayerResult) -> float:
    return layer.share("compute")
