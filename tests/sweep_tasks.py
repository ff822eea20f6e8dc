"""What the tests of sweeps compute instead of simulating: at the top of a module, so that other processes find it."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pimsim.config import load_system
from pimsim.sweep import Axis, Sweep, grid

KEY = "host.latency_ns"


def small_sweep(points: int, **more: Any) -> Sweep:
    """A sweep of so many points of a small network, each with another delay of the host."""
    axes: dict[str, Axis] = {"wait_ns": grid(KEY, range(100, 100 + points))}
    return Sweep(**{"workloads": ["mnist-mlp"], "systems": ["isaac-ce"], "axes": axes, "noc": "ideal", **more})


def wait_of(setting: dict[str, Any]) -> int:
    """The value of the axis of :func:`small_sweep`."""
    return int(next(text for text in setting["overrides"] if text.startswith(KEY)).partition("=")[2])


def latency(setting: dict[str, Any]) -> dict[str, float]:
    """A column that depends on the point alone."""
    return {"latency_ns": 10.0 * wait_of(setting), "energy_pJ": 1e6 / wait_of(setting)}


@dataclass(frozen=True)
class Logged:
    """Notes each point that it begins, takes its time, and once kills its own process at a given point."""

    log: str  #: file, a line a point
    seconds: float = 0.0
    kills_at: int = -1  #: delay of the point that kills; -1: none
    always: bool = False  #: whether it kills each time, not only the first

    def __call__(self, setting: dict[str, Any]) -> dict[str, float]:
        wait_ns = wait_of(setting)
        seen = self.begun()
        with open(self.log, "a") as log:  # one write of a short line to a file opened for appending is whole
            log.write(f"{wait_ns}\n")
        if wait_ns == self.kills_at and (self.always or wait_ns not in seen):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.seconds)
        return latency(setting)

    def begun(self) -> list[int]:
        """The points that were begun so far, in order."""
        return [int(line) for line in Path(self.log).read_text().split()] if Path(self.log).exists() else []


def note(log: str, word: str) -> None:
    """Append a line."""
    with open(log, "a") as file:
        file.write(f"{word}\n")


def fails_at_odd_waits(setting: dict[str, Any]) -> dict[str, float]:
    """An error of its own in every second point."""
    if wait_of(setting) % 2:
        raise ZeroDivisionError("no even number\nof ns")
    return latency(setting)


def loads_a_system(_: Any) -> str:
    """What needs pimsim in the worker."""
    return load_system("isaac-ce").name
