"""Many iterations of training from a few: their ends follow each other at the same distance.

No window of a matrix begins before its crossbars have been written with the weights of the batch before.  So every
iteration begins with an empty pipeline, but for what the host has sent ahead, and takes as long as the one before: in
most runs to the picosecond.  What does not repeat exactly is who comes first where iterations overlap, at links, at GPU
cores and on the grid of slots.  The last iteration of a run is apart: no next one sends its inputs ahead, and it may
be over sooner.

What is stated is no proof.  The error holds if every interval that was not simulated is between the shortest and the
longest of those that were.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST_ITERATIONS = 3  #: one interval between iterations that are followed by others, and one to compare it with
LOOK_BACK = 4  #: intervals, from the end of the run, that must be alike
TOLERANCE = 0.01  #: of the longest of them: how much shorter the shortest may be


@dataclass(frozen=True)
class Extrapolation:
    """When a run of more iterations than were simulated ends."""

    done_ps_of_last: int  #: end of its last iteration
    interval_ps: int  #: between the ends of two iterations
    error_ps: int  #: the end is so far off at most, if no interval is longer or shorter than those that were seen


def extrapolate(done_ps: np.ndarray, iterations: int, tolerance: float = TOLERANCE) -> Extrapolation | None:
    """When the last of ``iterations`` ends, from the ends of the first few; None: these are not steady.

    Args:
        done_ps: (k,) ends of the iterations of a run of k, as ``Timing.image_done_ps`` of a training Program [ps].
        iterations: at least k.
        tolerance: the last LOOK_BACK intervals are alike if the shortest is shorter than the longest by no more than
            this share of it.

    Raises:
        ValueError: fewer iterations are asked for than were simulated.
    """
    simulated = done_ps.size
    missing = iterations - simulated
    if missing < 0:
        raise ValueError(f"{iterations} iterations from a run of {simulated}")
    if simulated < LEAST_ITERATIONS:
        return None
    intervals = np.diff(done_ps)[-LOOK_BACK:]
    shortest, longest = int(intervals.min()), int(intervals.max())
    if longest - shortest > tolerance * longest:
        return None
    followed = intervals[:-1]  # the last iteration ends the longer run as it ends this one
    added = round(missing * int(followed.sum()) / followed.size)
    return Extrapolation(
        int(done_ps[-1]) + added, round(int(followed.sum()) / followed.size), missing * (longest - shortest)
    )
