"""A GPU core: a tile that runs kernels, one at a time.

A run of a replica on a GPU core is one kernel.  It begins with all inputs in the core's memory and holds the core
until its last result is there, launch overhead included; kernels queue.  Results leave one after another, spread
evenly over the kernel; where they find no place, they wait in the core's memory, and the core goes on.  How long a
kernel takes is its roofline (:mod:`pimsim.technology.gpu_core`).
"""

from __future__ import annotations

from pimsim.arch import tracing
from pimsim.arch.layout import REPLICA
from pimsim.engine.events import schedule
from pimsim.engine.ports import serve
from pimsim.engine.registry import behaviour


@behaviour
def run_kernel(M, at, H, now, v):  # type: ignore[no-untyped-def]
    """The next window of a kernel, the first of which waits for the core; when it starts [ps]."""
    r = REPLICA * v
    start = now
    end = now + M[at.rep_interval_ps + r]
    if M[at.rep_next + r] == 0:
        hold = M[at.rep_kernel_ps + r]
        start = serve(M, M[at.rep_core + r], now, hold) if hold > 0 else now
        end = start + M[at.rep_launch_ps + r] + M[at.rep_interval_ps + r]
        tracing.record(M, at, tracing.KERNEL, M[at.rep_tile + r], v, M[at.rep_run + r], start, start + hold)
        if M[at.rep_last_start + r] >= 0:
            M[at.lost_core + r] += start - now
    schedule(M, at, H, end, at.begin_free + v)
    schedule(M, at, H, end, at.begin_activate + v)
    return start
