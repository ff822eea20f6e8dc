"""Two runs of one program, number by number."""

from __future__ import annotations

import numpy as np

from pimsim.mapping.timing import Timing

FIELDS = ("window_start_ps", "window_sent_ps", "image_done_ps", "layer_first_ps", "layer_last_ps", "interval_ps",
          "work_ps", "paced_by_bus", "last_start_ps")  # fmt: skip


def differences(compiled: Timing, reference: Timing) -> list[str]:
    """What differs between two Timings, in words; empty where every number is equal."""
    found = []
    for name in FIELDS:
        found += _compare(name, getattr(compiled, name), getattr(reference, name))
    assert compiled.ports.keys() == reference.ports.keys()
    for kind, counts in compiled.ports.items():
        for name in ("busy_ps", "wait_ps", "count"):
            found += _compare(f"{kind} {name}", getattr(counts, name), getattr(reference.ports[kind], name))
    assert compiled.lost_ps.keys() == reference.lost_ps.keys()
    for reason, lost in compiled.lost_ps.items():
        found += _compare(f"lost to {reason}", lost, reference.lost_ps[reason])
    return found


def _compare(name: str, ours: np.ndarray, theirs: np.ndarray) -> list[str]:
    if ours.shape != theirs.shape:
        return [f"{name}: shapes {ours.shape} and {theirs.shape}"]
    where = np.argwhere(ours != theirs)
    if not where.size:
        return []
    first = tuple(where[0])
    return [f"{name}: {len(where)} differ, first at {[int(i) for i in first]}: {ours[first]} and {theirs[first]}"]
