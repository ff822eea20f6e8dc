"""Training's figures: CPU seconds, medians, ratios within one run.  Printed, never passed or failed on.

    python -m tests.benchmarks.training              everything (some minutes)
    python -m tests.benchmarks.training resnet       only what is named: resnet vgg reference steady
"""

from __future__ import annotations

import sys

from pimsim.arch.run import run_compiled
from pimsim.arch.steady import extrapolate
from pimsim.mapping.program import Program
from pimsim.reference import run_simpy
from pimsim.simulation import map_workload
from tests.benchmarks.engine import _process, cpu_s, medians

ARCH = "hetero-3d"


def training(workload: str, batch: int, *overrides: str) -> Program:
    """A shipped network in training on the shipped chip of ReRAM tiles and GPU cores."""
    return map_workload(workload, ARCH, mode="train", batch=batch, overrides=overrides)


def _one_iteration(workload: str, batch: int, *overrides: str, runs: int) -> None:
    program = training(workload, batch, *overrides)
    events = run_compiled(program, batch).events
    run, mapping = medians(
        lambda: run_compiled(program, batch), lambda: training(workload, batch, *overrides), runs=runs
    )
    print(f"{workload}, batch {batch}, {program.chips} chip(s), one iteration, packet: {mapping:.2f} s to map, "
          f"{run:.2f} s to run, {events:,} events, {run / events * 1e9:.0f} ns an event")  # fmt: skip


def _whole_process(workload: str, batch: int, *overrides: str, runs: int) -> None:
    keys = [word for each in overrides for word in ("--set", each)]
    command = ("run", workload, "--arch", ARCH, "--mode", "train", "--batch", str(batch), *keys)
    figures = sorted(_process(*command) for _ in range(runs))
    wall, cpu, memory = figures[len(figures) // 2]
    print(f"pimsim {' '.join(command)}: {wall:.1f} s wall, {cpu:.1f} s CPU, {memory:.2f} GB")


def resnet() -> None:
    """ResNet-18/CIFAR, batch 128: asked at most 10 s."""
    _one_iteration("resnet18-cifar", 128, runs=3)
    _whole_process("resnet18-cifar", 128, runs=3)


def vgg() -> None:
    """VGG-16 with BatchNorm at 224x224, batch 32, as many chips as it takes: asked at most 60 s and 2 GB."""
    _one_iteration("vgg16-bn", 32, "chips=auto", runs=1)
    _whole_process("vgg16-bn", 32, "chips=auto", runs=1)


def reference() -> None:
    """Against the SimPy reference, on the largest case that it finishes in a minute or so: asked at least 100 times."""
    batch = 2
    program = training("resnet20-cifar", batch, "mapping.replication=none")
    (compiled,), simpy = medians(lambda: run_compiled(program, batch)), cpu_s(lambda: run_simpy(program, batch))
    events = run_compiled(program, batch).events
    print(f"resnet20-cifar without copies, batch {batch}, one iteration, {events:,} events: compiled {compiled:.3f} s, "
          f"SimPy {simpy:.1f} s: {simpy / compiled:.0f} times")  # fmt: skip


def steady() -> None:
    """Ten iterations from three, for what three cost: asked."""
    batch = 32
    program = training("resnet20-cifar", batch)
    few, many = run_compiled(program, 3 * batch), run_compiled(program, 10 * batch)
    cheap, full = cpu_s(lambda: run_compiled(program, 3 * batch)), cpu_s(lambda: run_compiled(program, 10 * batch))
    found, end = extrapolate(few.image_done_ps, 10), int(many.image_done_ps[-1])
    assert found is not None, "not steady after three iterations"
    print(f"resnet20-cifar, batch {batch}: 10 iterations end at {end / 1e9:.6f} ms in {full:.2f} s; from 3 in "
          f"{cheap:.2f} s: off by {found.done_ps_of_last - end:,} ps, at most {found.error_ps:,} stated")  # fmt: skip


if __name__ == "__main__":
    for name in sys.argv[1:] or ("resnet", "vgg", "reference", "steady"):
        globals()[name]()
