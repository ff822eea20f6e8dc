"""A run beside GPUs, on the terminal: time and energy of an image, and the ratios."""

from __future__ import annotations

from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table

from pimsim.baselines import load_preset, measured_files, presets, run_on_baseline
from pimsim.costmodels.roofline import training_roofline
from pimsim.errors import InputError, did_you_mean
from pimsim.results.notebook import with_unit
from pimsim.results.record import Result
from pimsim.workload.records import Workload


@dataclass(frozen=True)
class Beside:
    """A GPU beside a run, the same batch on both."""

    name: str
    title: str
    mark: str  #: roofline, or measured
    precision: str
    batch: int
    image_s: float
    image_j: float | None  #: None: not measured
    speed_up: float  #: of the chip
    energy_ratio: float | None  #: of the GPU's energy to the chip's


def check_baselines(names: list[str], training: bool) -> None:
    """Raises InputError for a baseline that does not exist, or knows no training: before the run."""
    known = [*presets()] if training else [*presets(), *measured_files()]
    for name in names:
        if name not in known and (training or not name.lower().endswith(".json")):
            what = "no roofline" if training else "no baseline"
            raise InputError(f"{what} is called '{name}'{did_you_mean(name, known)}", key="--baseline", allowed=known)


def set_beside(result: Result, workload: Workload, names: list[str]) -> list[Beside]:
    """Each baseline at the batch of the run.

    In training, an iteration beside the roofline of one in FP32; else a batch beside the baseline's, at the chip's pace
    in steady state where that was measured, or its latency at batch 1.

    Raises:
        InputError: there is no such baseline, or it cannot do this (a longer batch whose pace was not measured).
    """
    image_s, batch = _pace(result)
    image_j = result.costs.energy_pj / 1e12 / (result.training.batch if result.training else 1)
    found = []
    for name in names:
        gpu_s, gpu_j, title, mark, precision = _on_gpu(name, result, workload, batch)
        found.append(Beside(name, title, mark, precision, batch, gpu_s, gpu_j, gpu_s / image_s,
                            None if gpu_j is None else gpu_j / image_j))  # fmt: skip
    return found


def _pace(result: Result) -> tuple[float, int]:
    """Seconds an image, and images of a batch."""
    if result.training is not None:
        return result.training.time_per_image_ps / 1e12, result.training.batch
    if result.times.output_interval_ps:
        return result.times.output_interval_ps / 1e12, result.source.batch
    if result.source.batch > 1:
        raise InputError(f"the throughput of a batch of {result.source.batch} was not measured", key="--baseline",
                         allowed=f"batch 1, for latencies, or at least {result.times.steady_batch}")  # fmt: skip
    return result.times.latency_ps / 1e12, 1


def _on_gpu(
    name: str, result: Result, workload: Workload, batch: int
) -> tuple[float, float | None, str, str, str]:
    if result.training is None:
        run = run_on_baseline(name, workload, batch=batch)
        return run.batch_s / run.batch, run.energy_per_inference_j, run.title, run.mark, run.precision
    check_baselines([name], training=True)
    preset = load_preset(name)
    cost = training_roofline(workload, preset.roofline_device(name), batch=batch)
    return cost.time_s / batch, cost.energy_j / batch, preset.title, "roofline", "fp32"


def beside_table(result: Result, found: list[Beside]) -> Table:
    """One row a baseline."""
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0), caption_justify="left")
    table.add_column("beside", no_wrap=True)
    for head in ("", "precision", "batch", "an image", "energy", "speed-up", "energy ratio"):
        table.add_column(head, justify="right", no_wrap=True)
    for each in found:
        energy = "not measured" if each.image_j is None else with_unit(each.image_j, "J", 3)
        ratio = "" if each.energy_ratio is None else f"{each.energy_ratio:.3g}"
        table.add_row(each.title, each.mark, each.precision, str(each.batch), with_unit(each.image_s, "s", 3), energy,
                      f"{each.speed_up:.3g}", ratio)  # fmt: skip
    table.caption = "above 1 the chip is better; a roofline is a bound that no kernel exceeds, not a measurement"
    return table
