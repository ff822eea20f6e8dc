"""What a run of a Program yields: when everything happened, and why time was lost.

The compiled engine and the SimPy reference both deliver it, number for number; results are made of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LOSSES = ("fill", "input", "network", "space", "edram", "bus", "core", "array")
"""What windows waited for: the first inputs (pipeline fill); inputs that were not produced yet; inputs on their
way; places for the output (back-pressure); the eDRAM or DRAM port; the bus; a GPU core, busy with other kernels;
crossbars that are just read from the other side."""


class Standstill(Exception):
    """Nothing can move any more though windows are left; the message names the cycle of waiting."""


@dataclass(frozen=True)
class PortCounts:
    """What one kind of port did; (n,) int64 arrays, one entry for each port."""

    busy_ps: np.ndarray
    wait_ps: np.ndarray
    count: np.ndarray


@dataclass(frozen=True)
class Timing:
    """Times of one simulation; int64, [ps].

    Row r of an (images, ...) array is a node's r-th run.  A node that runs once for several images has fewer: -1 in
    the rows beyond.  Of a run that emits nothing, an output leaves when it would have left.
    """

    image_done_ps: np.ndarray
    #: (images // program.batch,) the last result of an image is in its place; training: the last weight of an iteration
    layer_first_ps: np.ndarray  #: (images, layers) first window starts
    layer_last_ps: np.ndarray  #: (images, layers) last output leaves
    lost_ps: dict[str, np.ndarray]  #: reason, one of LOSSES -> (V,)
    interval_ps: np.ndarray  #: (V,) shortest time between two windows, without the launch of a kernel
    work_ps: np.ndarray  #: (V,) of it, what crossbars, digital units and GPU cores alone would need
    paced_by_bus: np.ndarray  #: (V,) bool: the bus, rather than the eDRAM, stretches the interval beyond that
    last_start_ps: np.ndarray  #: (V,)
    ports: dict[str, PortCounts]  #: host, edram, bus, sigmoid, maxpool, shift_add, vector, dram, link, core
    window_start_ps: np.ndarray  #: (images, W), empty unless logged
    window_sent_ps: np.ndarray  #: (images, W), empty unless logged
    events: int
