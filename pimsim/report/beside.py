"""A run beside GPUs, on the terminal: time and energy of an image, and the ratios."""

from __future__ import annotations

from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table

from pimsim.baselines import measured_files, preset_name, presets, run_on_baseline, train_on_baseline
from pimsim.errors import InputError, did_you_mean
from pimsim.results.notebook import with_unit
from pimsim.results.record import Result
from pimsim.workload.records import Workload

FLATTERED = (
    "no bound in training: it runs every operation as a kernel of its own, launch included. A framework that fuses "
    "kernels or hides launches is faster, so these ratios flatter the chip"
)
"""What a roofline of training is: no bound (see :func:`pimsim.costmodels.roofline.training_works`)."""


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
        if preset_name(name) not in known and (training or not name.lower().endswith(".json")):
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
        run = (run_on_baseline if result.training is None else train_on_baseline)(name, workload, batch=batch)
        gpu_s, gpu_j = run.batch_s / run.batch, run.energy_per_inference_j
        found.append(Beside(run.name, run.title, run.mark, run.precision, run.batch, gpu_s, gpu_j, gpu_s / image_s,
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


def other_norm(result: Result) -> str:
    """What training did in place of BatchNorm, which a baseline does; empty: the same."""
    norm: str = result.source.config.get("training", {}).get("norm", "batch")
    return norm if result.training is not None and norm != "batch" else ""


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
    bound = "a bound that no kernel exceeds, not a measurement"
    table.caption = f"above 1 the chip is better; a roofline is {bound if result.training is None else FLATTERED}"
    if norm := other_norm(result):
        table.caption += f"; the GPU normalises over the batch, where the chip has training.norm: {norm}"
    return table
