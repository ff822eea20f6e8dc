"""What a run says: when everything happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PortCounts:
    """What one kind of port did; (n,) int64 arrays, one entry for each port."""

    busy_ps: np.ndarray
    wait_ps: np.ndarray
    count: np.ndarray


@dataclass(frozen=True)
class Timing:
    """When everything happened, and why time was lost; int64, [ps]."""

    image_done_ps: np.ndarray  #: (batch,)
    layer_first_ps: np.ndarray  #: (batch, layers) first window starts
    layer_last_ps: np.ndarray  #: (batch, layers) last output leaves
    lost_ps: dict[str, np.ndarray]  #: reason -> (V,)
    interval_ps: np.ndarray  #: (V,)
    last_start_ps: np.ndarray  #: (V,)
    ports: dict[str, PortCounts]  #: host, edram, bus, sigmoid, maxpool, shift_add, vector, dram, link
    window_start_ps: np.ndarray  #: (batch, W), empty unless logged
    window_sent_ps: np.ndarray  #: (batch, W), empty unless logged
    events: int
