"""Overhead of sweeps: what a point costs beside its own computation, a killed worker, and resuming what is finished.

    python -m tests.benchmarks.sweep [--points 2000] [--no-dask]

Points compute nothing.  Times are of the wall; on a shared machine, read the CPU time of this process beside them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pimsim.sweep import SweepSummary, load_study, run_sweep
from pimsim.sweep.executors import Executor, Task
from pimsim.sweep.executors.in_process import InProcess
from pimsim.sweep.executors.pool import ProcessPool
from tests.sweep_tasks import Logged, latency, small_sweep


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-dask", action="store_true")
    arguments = parser.parse_args()
    executors: dict[str, Executor] = {"in process": InProcess(), "process pool": ProcessPool(arguments.workers)}
    if not arguments.no_dask:
        from pimsim.sweep.executors.dask import DaskCluster

        executors["Dask local"] = DaskCluster(workers=arguments.workers)
    for name, executor in executors.items():
        _study(name, executor, arguments.points)
    with tempfile.TemporaryDirectory() as folder:
        log = Logged(f"{folder}/log", kills_at=100 + arguments.points // 2)
        _timed("pool, a worker killed half way", arguments.points,
               lambda: run_sweep(small_sweep(arguments.points), f"{folder}/s", workers=arguments.workers, evaluate=log))
        counts = load_study(f"{folder}/s").counts
        print(f"    stored: {counts['done']:,} of {counts['different']:,} once; begun {len(log.begun()):,} times")


def _study(name: str, executor: Executor, points: int) -> None:
    _timed(f"{name}: start and end alone", 1, lambda: list(executor.run(latency, [], _nothing)))
    begin = time.perf_counter()
    tasks = [Task(n, {"overrides": [f"host.latency_ns={n}"]}) for n in range(points)]
    list(executor.run(latency, tasks, None))
    each_ms = 1e3 * (time.perf_counter() - begin) / points
    print(f"{name}: executor alone: {each_ms:.2f} ms a point, start and end included")
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "s"

        def sweep(**more: Any) -> SweepSummary:
            return run_sweep(small_sweep(points), study, executor=executor, evaluate=latency, **more)

        _timed(f"{name}: whole study", points, sweep)
        _timed(f"{name}: resume of the finished study", points, lambda: sweep(resume=True))
        print(f"    {(study / 'study.sqlite').stat().st_size / points:.0f} bytes a point in the store")


def _timed(what: str, points: int, function: Callable[[], Any]) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{what}: {wall:.2f} s, {1e3 * wall / points:.2f} ms a point; CPU of the driver {cpu:.2f} s", flush=True)


def _nothing() -> None:
    return None


if __name__ == "__main__":
    main()
