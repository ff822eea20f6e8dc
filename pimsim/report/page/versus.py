"""Results beside baselines: how many times faster, and with how many times less energy; means over results."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pimsim.baselines import BaselineRun, load_network, networks, preset_name, run_on_baseline, train_on_baseline
from pimsim.config.records import System
from pimsim.costmodels.roofline import training_works, works
from pimsim.errors import InputError
from pimsim.report.labels import method_words
from pimsim.results.assembly import workload_hash
from pimsim.results.record import Result
from pimsim.technology import PeakMetrics, peak_metrics
from pimsim.workload import Workload, lower, shipped

TRAINING = "training"  #: begins the method of a pair of training
RATIOS = {
    "latency": "latency at batch 1: baseline / chip",
    "throughput": "throughput: chip / baseline",
    "energy": "energy an image: baseline / chip",
    "per_area": "throughput at equal area",
    "per_power": "throughput at equal power",
}
"""Ratios of a pair, all of them better where they are larger."""


@dataclass(frozen=True)
class Pair:
    """A result beside a baseline; a ratio above 1 is in favour of the result, None is not known.

    Latencies are compared at a batch of 1 on both sides, energies at equal batches (those of the result, unless another
    one is asked for): a GPU reads its weights once a batch.  Training stands beside the roofline of an iteration of the
    same batch: images a second are those trained on, energy is an image's share of the iteration's.
    """

    result: str  #: its name in the report
    workload: str
    method: str  #: how the result was found, and whether it is training; pairs of different methods are not averaged
    baseline: str
    title: str  #: of the baseline
    mark: str  #: roofline, calibrated roofline or measured
    precision: str
    process: str | None  #: technology of the baseline's die
    chip_batch: int  #: of the result
    batch: int  #: of the baseline's throughput and energy
    rate_per_s: float  #: of the result: in steady state, or of its whole batch where that was not measured
    is_steady: bool
    baseline_rate_per_s: float
    baseline_latency_s: float | None  #: at a batch of 1
    baseline_energy_j: float | None
    flops_per_byte: float  #: of the network in the baseline's precision and batch
    flops: float  #: of an image
    latency: float | None
    throughput: float | None  #: in steady state
    energy: float | None
    per_area: float | None
    #: (rate / area of the chips in use) over (rate / die of the GPU)
    per_power: float | None
    #: (rate / bound of the peak power) over (rate / limit of the board's power)


@dataclass(frozen=True)
class Missing:
    """Why a result could not be set beside a baseline."""

    result: str
    baseline: str
    reason: str


def geometric_mean(values: Iterable[float | None]) -> float | None:
    """exp(mean(log(values))) of those that are known; None where none is."""
    known = [math.log(value) for value in values if value]
    return math.exp(sum(known) / len(known)) if known else None


def network_of(result: Result, given: Sequence[Workload] = ()) -> Workload:
    """The network of a result: one of ``given``, or shipped; exactly what was run, or trained.

    Raises:
        InputError: it is not at hand, or the result does not tell which it is.
    """
    source = result.source
    if not source.network_hash:
        raise InputError(f"an earlier version has not kept which network called {source.workload} was run",
                         allowed="a run of this version")  # fmt: skip
    named = [source.workload] if source.workload in (*shipped(), *networks()) else []
    for workload in (*given, *map(load_network, named)):
        if workload_hash(lower(workload)) == source.network_hash:
            return workload
    raise InputError(f"the network {source.workload} is not at hand, so that no baseline can be computed",
                     allowed="--workload FILE with it")  # fmt: skip


def set_beside(
    named: Mapping[str, Result], baselines: Sequence[str], given: Sequence[Workload] = (), batch: int | None = None
) -> tuple[list[Pair], list[Missing]]:
    """Every result beside every baseline, and what could not be.

    Args:
        named: results by name.
        baselines: names of presets or measured files.
        given: networks beside the shipped ones.
        batch: of the baselines' throughput and energy; None: each result's own.
    """
    pairs: list[Pair] = []
    missing: list[Missing] = []
    for name, result in named.items():
        try:
            workload = network_of(result, given)
        except InputError as error:
            missing += [Missing(name, baseline, str(error)) for baseline in baselines]
            continue
        for baseline in baselines:
            try:
                pairs.append(_pair(name, result, workload, preset_name(baseline), batch))
            except InputError as error:
                missing.append(Missing(name, baseline, str(error)))
    return pairs, missing


def _pair(name: str, result: Result, workload: Workload, baseline: str, batch: int | None) -> Pair:
    own, wanted = result.source.batch, batch or result.source.batch
    many = _on_baseline(result, workload, baseline, wanted)
    training = result.training
    one = many if training is not None else run_on_baseline(baseline, workload, batch=1)
    steady = result.times.throughput_per_s if training is None else training.images_per_s
    rate = steady or own / (result.times.run_ps / 1e12)
    work = works if training is None else training_works
    kernels = work(workload, many.batch, many.precision)
    latency_s = one.batch_s if one.batch == 1 and training is None else None
    as_wanted = many.batch == wanted  # what was measured has the batch that it has
    energy_j, own_j = many.energy_per_inference_j, result.costs.energy_pj / 1e12 / (1 if training is None else own)
    comparable = steady is not None or as_wanted
    return Pair(
        result=name, workload=workload.name, method=method_of(result),
        baseline=baseline, title=many.title, mark=many.mark, precision=many.precision, process=many.process,
        chip_batch=own, batch=many.batch, rate_per_s=rate, is_steady=steady is not None,
        baseline_rate_per_s=many.inferences_per_s, baseline_latency_s=latency_s,
        baseline_energy_j=energy_j, flops=sum(each.flops for each in kernels) / many.batch,
        flops_per_byte=sum(each.flops for each in kernels) / sum(each.bytes for each in kernels),
        latency=latency_s / (result.times.latency_ps / 1e12) if latency_s and own == 1 else None,
        throughput=rate / many.inferences_per_s if steady else None,
        energy=energy_j / own_j if energy_j and own_j and as_wanted else None,
        per_area=_normalised(rate, result.costs.area_mm2, many, many.die_mm2) if comparable else None,
        per_power=_normalised(rate, result.costs.peak_power_bound_w, many, many.power_w) if comparable else None,
    )  # fmt: skip


def _on_baseline(result: Result, workload: Workload, baseline: str, batch: int) -> BaselineRun:
    """What a result does, on a baseline."""
    run = run_on_baseline if result.training is None else train_on_baseline
    return run(baseline, workload, batch=batch)


def method_of(result: Result) -> str:
    """How a result was found, and of what; only results of one method have means in common."""
    found = method_words(result.source.engine, result.source.network)
    return found if result.training is None else f"{TRAINING}, {found}"


def _normalised(rate: float, size: float, baseline: BaselineRun, baseline_size: float | None) -> float | None:
    """Rate for each unit of area or power, over the baseline's."""
    if not size or not baseline_size:
        return None
    return (rate / size) / (baseline.inferences_per_s / baseline_size)


def by_method(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    """Pairs of which means may be taken."""
    return {method: [pair for pair in pairs if pair.method == method]
            for method in dict.fromkeys(pair.method for pair in pairs)}  # fmt: skip


def means(pairs: Sequence[Pair]) -> dict[str, dict[str, float | None]]:
    """Baseline -> ratio -> geometric mean over the results, which were all found by one method."""
    return {
        baseline: {
            ratio: geometric_mean(getattr(pair, ratio) for pair in pairs if pair.baseline == baseline)
            for ratio in RATIOS
        }
        for baseline in dict.fromkeys(pair.baseline for pair in pairs)
    }


def peak_of(result: Result) -> PeakMetrics:
    """Peak of one chip of a result's system.

    Raises:
        InputError: a cost of it cannot be scaled.
    """
    return peak_metrics(System.model_validate(result.source.config))
