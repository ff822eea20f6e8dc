"""Speed-ups of training over GPUs, simulated, beside those that AccuReD and PipeLayer print.

Ours are runs of the shipped systems beside rooflines of the GPUs, which no real kernel exceeds; the papers measured
theirs with frameworks of their time.  Nothing is tuned to them.  What AccuReD compares with, and PipeLayer's table of
copies, are not known to us.
"""

from __future__ import annotations

import math
from functools import cache

from pimsim.baselines import load_accelerator, preset_device
from pimsim.costmodels.roofline import roofline, training_roofline
from pimsim.results.record import Result
from pimsim.simulation import simulate
from pimsim.validate.checks import Check
from pimsim.workload import load_workload

GROUP = "Training: speed-up over GPUs"
TOLERANCE = 0.35  #: of ratios to GPUs, which depend on whose code ran there
ACCURED = ("resnet18-cifar", "vgg16-cifar-bn")  #: networks of the kind that the group trains; theirs are not listed
ACCURED_BATCH = 128
PIPELAYER = ("lenet5", "mnist-mlp")  #: small networks on MNIST, as four of PipeLayer's; its own are not listed
PIPELAYER_BATCH = 64
_ROOFLINE = "against a roofline, which the paper's GPU did not reach; "
_ACCURED = "32 of a V100's 80 multiprocessors make all gradients of weights, and BatchNorm makes layers wait in turn"
_AREA = "the same area of GPU cores alone; what AccuReD's GPU was, and how large, is not known to us"


def training_checks() -> list[Check]:
    """One row a network and GPU, then the mean beside the paper's; some minutes."""
    return [*_accured(), *_pipelayer()]


def _accured() -> list[Check]:
    average = load_accelerator("accured").value("speed-up over a GPU, training")
    rows = []
    for gpu in ("v100", "gtx-1080-ti"):
        gains = []
        for name in ACCURED:
            seconds = training_roofline(load_workload(name), preset_device(gpu), batch=ACCURED_BATCH).time_s
            gains.append(seconds / _iteration_s(name, "hetero-3d", ACCURED_BATCH))
        rows.append(Check(GROUP, f"hetero-3d over {gpu}, {len(ACCURED)} networks", "x", _mean(gains), average,
                          TOLERANCE, "AccuReD (TCAD 2021), abstract", note=_ROOFLINE + _ACCURED,
                          deviation="hetero-3d against AccuReD (12 times a GPU)"))  # fmt: skip
    areas = [_iteration_s(name, "gpu-only-3d", ACCURED_BATCH) / _iteration_s(name, "hetero-3d", ACCURED_BATCH)
             for name in ACCURED]  # fmt: skip
    rows.append(Check(GROUP, f"hetero-3d over gpu-only-3d, {len(ACCURED)} networks", "x", _mean(areas), average, None,
                      "AccuReD (TCAD 2021), abstract", "not checkable", _AREA))  # fmt: skip
    return rows


def _pipelayer() -> list[Check]:
    published, gpu = load_accelerator("pipelayer"), preset_device("gtx-1080")
    note = _ROOFLINE + "its networks and copies are not known to us"
    testing, training = [], []
    for name in PIPELAYER:
        network = load_workload(name)
        run = simulate(name, "pipelayer", batch=PIPELAYER_BATCH, overrides=["chips=auto"])
        testing.append(roofline(network, gpu, batch=PIPELAYER_BATCH).time_s / (run.times.run_ps / 1e12))
        seconds = training_roofline(network, gpu, batch=PIPELAYER_BATCH).time_s
        training.append(seconds / _iteration_s(name, "pipelayer", PIPELAYER_BATCH))
    return [
        Check(GROUP, f"pipelayer over gtx-1080, {words}, {len(PIPELAYER)} small networks", "x", _mean(gains),
              published.value(f"speed-up over GTX 1080, {words}"), TOLERANCE, "PipeLayer (HPCA 2017)", note=note,
              deviation="PipeLayer's speed-ups over a GTX 1080")
        for words, gains in (("testing", testing), ("training", training))
    ]  # fmt: skip


def _iteration_s(name: str, system: str, batch: int) -> float:
    training = _trained(name, system, batch).training
    assert training is not None
    return training.time_per_iteration_ps / 1e12


@cache
def _trained(name: str, system: str, batch: int) -> Result:
    overrides = ["chips=auto"] if system == "pipelayer" else []
    return simulate(name, system, mode="train", batch=batch, overrides=overrides)


def _mean(gains: list[float]) -> float:
    """The geometric one."""
    return math.exp(sum(map(math.log, gains)) / len(gains))
