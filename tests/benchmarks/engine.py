"""The engine's figures: CPU seconds, medians, ratios within one run.  Printed, never passed or failed on.

    python -m tests.benchmarks.engine            everything (some minutes)
    python -m tests.benchmarks.engine engine     only what is named: engine reference process batch first
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from pimsim.arch.run import run_compiled
from pimsim.config import load_system
from pimsim.mapping.compile import map_network
from pimsim.reference import run_simpy
from tests.networks import vgg16

RUNS = 5


def cpu_s(action: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    before = time.process_time()
    action()
    return time.process_time() - before


def medians(*actions: Callable[[], object], runs: int = RUNS) -> list[float]:
    """Median CPU seconds of each action, run in turn after one warm-up."""
    for action in actions:
        action()
    times = [[cpu_s(action) for action in actions] for _ in range(runs)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def engine() -> None:
    """VGG-16 at 224x224 on isaac-ce-16, one image, packet network, copies to every replica."""
    print("VGG-16 224x224, isaac-ce-16, packet, one image")
    print(f"{'':42}{'events':>12}{'CPU s':>8}{'ns/event':>10}{'  mapping s':>12}")
    for name, classifier, keys in (
        ("whole network, chips filled", True, []),
        ("whole network, 196 windows a replica", True, ["mapping.interval_windows=196"]),
        ("convolutions, 196 windows a replica", False, ["mapping.interval_windows=196"]),
    ):
        dataflow, system = vgg16(classifier=classifier), load_system("isaac-ce-16", keys)
        program = map_network(dataflow, system)
        events = run_compiled(program).events
        run, mapping = medians(lambda p=program: run_compiled(p), lambda d=dataflow, s=system: map_network(d, s))
        print(f"{name:42}{events:12,}{run:8.2f}{run / events * 1e9:10.0f}{mapping:12.2f}")


def reference() -> None:
    """Against the SimPy reference, interleaved."""
    system = load_system("isaac-ce-16", ["mapping.interval_windows=196"])
    program = map_network(vgg16(64, classifier=False), system)
    compiled, simpy = medians(lambda: run_compiled(program), lambda: run_simpy(program), runs=3)
    ratio = simpy / compiled
    print(f"VGG-16 convolutions at 64x64, packet: compiled {compiled:.3f} s, SimPy {simpy:.1f} s: {ratio:.0f} times")


def _process(*arguments: str, cache: str | None = None) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak memory [GB] of one whole process."""
    environment = {**os.environ, **({"PIMSIM_CACHE_DIR": cache} if cache else {})}
    start = time.perf_counter()
    command = [sys.executable, "-m", "pimsim", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6


def process() -> None:
    """`pimsim run vgg16 --arch isaac-ce-16`, whole process, compiled code at hand."""
    command = ("run", "vgg16", "--arch", "isaac-ce-16")
    _process(*command)
    walls, cpus, memories = zip(*(_process(*command) for _ in range(RUNS)), strict=True)
    wall, cpu = statistics.median(walls), statistics.median(cpus)
    print(f"second run: {wall:.2f} s wall, {cpu:.2f} s CPU, {max(memories):.2f} GB")
    helps = [_process("--help")[0] for _ in range(RUNS)]
    print(f"--help: {statistics.median(helps):.2f} s wall")


def batch() -> None:
    """Memory and time against the batch."""
    for images in (16, 32, 64):
        wall, cpu, memory = _process("run", "vgg16", "--arch", "isaac-ce-16", "--batch", str(images))
        print(f"batch {images}: {wall:.1f} s wall, {cpu:.1f} s CPU, {cpu / images:.2f} s an image, {memory:.2f} GB")


def first() -> None:
    """The first run ever: everything is compiled."""
    with tempfile.TemporaryDirectory() as cache:
        wall, cpu, memory = _process("run", "vgg16", "--arch", "isaac-ce-16", cache=cache)
    print(f"first run, compilation included: {wall:.1f} s wall, {cpu:.1f} s CPU, {memory:.2f} GB")


if __name__ == "__main__":
    for name in sys.argv[1:] or ("engine", "reference", "process", "batch", "first"):
        globals()[name]()
