"""The analytical model's figures: CPU seconds, and its error against the engine.  Printed, never passed or failed on.

    python -m tests.benchmarks.analytical            everything (some minutes)
    python -m tests.benchmarks.analytical variants   only what is named: errors variants
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time

import pimsim
from pimsim.config import load_system
from pimsim.config.records import System
from pimsim.costmodels.chip import estimate, outline
from pimsim.errors import InputError
from pimsim.workload import load_workload, lower, shipped
from pimsim.workload.dataflow import Dataflow

BATCH = 24  #: images that measure a throughput; a network whose pace they do not show has none in the table
ONE_CHIP = ("lenet5", "lenet5-fashion", "lenet5-mnist5k", "lstm-digits", "lstm-mnist5k", "mlp-digits", "mnist-mlp")


def errors() -> None:
    """Every shipped network on an ideal network: what the model says, beside the engine."""
    print("error against the engine, ideal network: latency, energy of an inference, dynamic energy, output interval")
    print(f"{'':16}{'latency':>9}{'energy':>9}{'dynamic':>9}{'interval':>10}{'  engine: us':>12}{'uJ':>12}{'CPU s':>8}"
          f"{'  model: s':>11}")  # fmt: skip
    for name in sorted(shipped()):
        dataflow = lower(load_workload(name))
        system = load_system("isaac-ce" if name in ONE_CHIP else "isaac-ce-16")
        print(f"{name:16}" + _errors(dataflow, system))


def _errors(dataflow: Dataflow, system: System) -> str:
    estimate(dataflow, system)  # compiled code and distances at hand
    outline.forget()
    found, model_s = _timed(lambda: estimate(dataflow, system))
    pimsim.simulate(dataflow, system, noc="ideal")
    run, engine_s = _timed(lambda: pimsim.simulate(dataflow, system, noc="ideal"))
    pace = pimsim.simulate(dataflow, system, noc="ideal", batch=BATCH).times.output_interval_ps
    dynamic = sum(found.costs.dynamic_pj.values()) / sum(run.costs.dynamic_pj.values())
    interval = f"{found.times.output_interval_ps / pace - 1:10.2%}" if pace else f"{'':10}"
    latency, energy = found.times.latency_ps / run.times.latency_ps, found.costs.energy_pj / run.costs.energy_pj
    return (
        f"{latency - 1:9.2%}{energy - 1:9.2%}"
        f"{dynamic - 1:9.2%}{interval}{run.times.latency_ps / 1e6:12.1f}{run.costs.energy_pj / 1e6:12.1f}"
        f"{engine_s:8.2f}{model_s:11.3f}"
    )


def _timed(action):  # type: ignore[no-untyped-def]
    before = time.process_time()
    found = action()
    return found, time.process_time() - before


def variants() -> None:
    """1,008 variants of isaac-ce with 32 chips, VGG-16: crossbar size x cell bits x ADC bits x IMAs a tile."""
    dataflow = lower(load_workload("vgg16"))
    estimate(dataflow, load_system("isaac-ce-16"))
    outline.forget()
    before, fresh, shared, refused = time.process_time(), [], [], 0
    grid = itertools.product((64, 128, 256, 512), (1, 2, 4), (4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 32),
                             (5, 6, 7, 8, 9, 10))  # fmt: skip
    for number, (size, cell_bits, imas, adc_bits) in enumerate(grid):
        keys = [f"chip.tile.ima.crossbar.{side}={size}" for side in ("rows", "columns")]
        keys += [f"chip.tile.ima.adc.columns={size}", f"chip.tile.ima.crossbar.cell_bits={cell_bits}",
                 f"chip.tile.ima.adc.bits={adc_bits}", f"chip.tile.imas={imas}", "chips=32"]  # fmt: skip
        begin = time.process_time()
        try:
            estimate(dataflow, load_system("isaac-ce-16", keys))
        except InputError:
            refused += 1
        (fresh if number % 6 == 0 else shared).append(time.process_time() - begin)
    total = time.process_time() - before
    points, own = len(fresh) + len(shared), statistics.median(fresh) * 1e3
    print(f"{points:,} variants of VGG-16: {total:.1f} CPU s, {total / 2:.1f} s on each of two cores")
    print(f"{refused} of them do not fit; with a mapping of its own a point takes {own:.0f} ms (longest "
          f"{max(fresh) * 1e3:.0f}), where prices alone differ {statistics.median(shared) * 1e3:.1f} ms")  # fmt: skip


PARTS = {"errors": errors, "variants": variants}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
