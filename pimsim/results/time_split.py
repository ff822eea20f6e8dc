"""Why time was lost: the run of every replica, split into parts that add up to the whole exactly."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from pimsim.mapping.program import Program
from pimsim.results.record import TIME_PARTS


class PortUse(Protocol):
    """What the ports of one kind did; (n,) int64."""

    @property
    def busy_ps(self) -> np.ndarray: ...


class RunTiming(Protocol):
    """What an engine says about a run (`pimsim.arch.run.Timing`); int64, [ps]."""

    @property
    def image_done_ps(self) -> np.ndarray: ...
    @property
    def layer_first_ps(self) -> np.ndarray: ...
    @property
    def layer_last_ps(self) -> np.ndarray: ...
    @property
    def lost_ps(self) -> dict[str, np.ndarray]: ...
    @property
    def interval_ps(self) -> np.ndarray: ...
    @property
    def last_start_ps(self) -> np.ndarray: ...
    @property
    def ports(self) -> dict[str, PortUse]: ...


def run_end_ps(timing: RunTiming) -> int:
    """When everything has ended."""
    return int(max(timing.image_done_ps.max(initial=0), timing.layer_last_ps.max(initial=0)))


def split_time(program: Program, timing: RunTiming, batch: int) -> dict[str, np.ndarray]:
    """TIME_PARTS -> (replicas,) ps; for each replica they add up to the end of the run.

    A window that has started occupies its replica for the interval; the wait from then to the next start
    has a reason.  ``drain`` is what follows the last interval.  What the inputs of a network
    wait for is the host's link when they share it.
    """
    parts = {name: timing.lost_ps[name] for name in TIME_PARTS if name in timing.lost_ps}
    parts["compute"] = batch * np.diff(program.replicas.window_first) * timing.interval_ps
    parts["drain"] = run_end_ps(timing) - timing.last_start_ps - timing.interval_ps
    unexplained = run_end_ps(timing) - sum(parts.values())
    from_host = program.replicas.tile < 0
    if np.any(unexplained[~from_host]):
        raise RuntimeError("the parts of a replica's time do not add up to the run")
    parts["input"] = parts["input"] + np.where(from_host, unexplained, 0)
    return {name: parts[name] for name in TIME_PARTS}
