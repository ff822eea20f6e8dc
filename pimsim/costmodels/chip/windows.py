"""When windows start: the longest path through the dependencies of one inference, node by node, without events.

    start(k) = max(start(k - 1) + interval, arrival of all inputs of window k)

for the k-th window of a replica; its inputs are those positions of its need list that the mapping says (see
:mod:`pimsim.mapping.windows`).  Nothing waits for a port, a link or a place.
"""

from __future__ import annotations

import numpy as np
from numba import njit

NEVER = -1  #: time of a position that nobody has sent


@njit(cache=True)
def arrivals(  # type: ignore[no-untyped-def]
    sent, source_of, message_ps, target_of, need_first, positions, window_first, ready, hold, slot, latency, found
):
    """Raise ``found`` (windows in dealt order) to the arrival of the inputs through one edge.

    Args:
        sent: (positions,) when each output position of the producer leaves.
        source_of: (positions,) row of ``message_ps`` for the tile from which it leaves.
        message_ps: (sources, targets) time of a message.
        target_of: (replicas,) column of ``message_ps``.
        need_first, positions, ready: see :class:`pimsim.mapping.windows.Needs`.
        hold: (replicas,) time of the eDRAM for a position.
    """
    for v in range(window_first.size - 1):
        rank = need_first[v]
        column = target_of[v]
        latest = 0
        before = -1
        for k in range(window_first[v], window_first[v + 1]):
            end = need_first[v] + ready[k]
            while rank < end:
                p = positions[rank]
                time = sent[p] + message_ps[source_of[p], column]
                if time > before:  # an earlier one is not written later
                    before = time
                    begun = time // slot * slot
                    latest = max(latest, max(-(-(time + hold[v]) // slot) * slot, begun + latency))
                rank += 1
            found[k] = max(found[k], latest)


@njit(cache=True)
def starts(inputs, window_first, interval, found):  # type: ignore[no-untyped-def]
    """Fill ``found`` (windows in dealt order) with the start of each window; ``inputs``: all inputs have arrived."""
    for v in range(window_first.size - 1):
        earliest = 0
        for k in range(window_first[v], window_first[v + 1]):
            found[k] = max(earliest, inputs[k])
            earliest = found[k] + interval[v]


@njit(cache=True)
def longest_turns(need_first, window_first, ready, done, capacity, interval, extra, reads_ps):  # type: ignore[no-untyped-def]
    """(replicas,) shortest time between two images that the places of each replica's buffer allow.

    A place is taken when the producer's window starts, and free when the last window that reads the position has read:
    ``extra`` (replicas,) after the start the position has arrived; from the first window that needs it to the last
    there lie whole intervals.  With places for a whole image, the next image's position waits for that; with
    fewer, positions follow each other in the same place as often as the image has more of them.
    """
    replicas = window_first.size - 1
    found = np.zeros(replicas, np.float64)
    for v in range(replicas):
        count = need_first[v + 1] - need_first[v]
        if count == 0:
            continue
        opens = window_first[v]
        closes = window_first[v]
        longest = 0
        total = 0.0
        for rank in range(count):
            while ready[opens] <= rank:
                opens += 1
            while done[closes] <= rank:
                closes += 1
            turn = extra[v] + (closes - opens) * interval[v] + reads_ps[v]
            longest = max(longest, turn)
            total += turn
        if capacity[v] >= count:
            found[v] = longest
        else:
            found[v] = total / capacity[v]
    return found
