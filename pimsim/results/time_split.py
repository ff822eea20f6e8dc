"""Why time was lost: the run of every replica, split into parts that add up to the whole exactly."""

from __future__ import annotations

import numpy as np

from pimsim.mapping.program import Program
from pimsim.mapping.timing import LOSSES, Timing
from pimsim.results.record import TIME_PARTS
from pimsim.results.work import kernels_of


def run_end_ps(timing: Timing) -> int:
    """When everything has ended."""
    return int(max(timing.image_done_ps.max(initial=0), timing.layer_last_ps.max(initial=0)))


def split_time(program: Program, timing: Timing, images: int) -> dict[str, np.ndarray]:
    """TIME_PARTS -> (replicas,) ps; for each replica they add up to the end of the run.

    A window that has started occupies its replica for the interval; where the eDRAM or the bus makes that longer
    than the work in the crossbars or the digital unit, the difference is theirs.  The wait from then to the next
    start has a reason.  ``drain`` is what follows the last interval.  What the inputs of a network
    wait for is the host's link when they share it.  The first window of a kernel works for its launch, too.
    """
    end = run_end_ps(timing)
    parts = {name: timing.lost_ps[name] for name in LOSSES}
    runs, in_run = images // program.replicas.every, np.diff(program.replicas.window_first)
    windows, launch = runs * in_run, kernels_of(program).launch_ps
    parts["compute"] = windows * timing.work_ps + runs * launch
    stretched = windows * (timing.interval_ps - timing.work_ps)
    parts["bus"] = parts["bus"] + np.where(timing.paced_by_bus, stretched, 0)
    parts["edram"] = parts["edram"] + np.where(timing.paced_by_bus, 0, stretched)
    parts["drain"] = end - timing.last_start_ps - timing.interval_ps - np.where(in_run == 1, launch, 0)
    unexplained = end - np.sum(list(parts.values()), axis=0)
    from_host = program.replicas.tile < 0
    if np.any(unexplained[~from_host]):
        raise RuntimeError("the parts of a replica's time do not add up to the run")
    parts["input"] = parts["input"] + np.where(from_host, unexplained, 0)
    return {name: parts[name] for name in TIME_PARTS}
