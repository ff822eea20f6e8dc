"""When windows start: the longest path through the dependencies of images that follow each other, without events.

    start(k) = max(start(k - 1) + interval, arrival of all inputs of window k, places for its output)

for the k-th window of a replica; its inputs are those positions of its need list that the mapping says (see
:mod:`pimsim.mapping.windows`).  Nothing waits for a port or a link.

Arrays of times are (images, n) int64 [ps]; windows are in dealt order, replica after replica, unless said otherwise.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def arrivals(  # type: ignore[no-untyped-def]
    sent, source_of, message_ps, target_of, need_first, positions, window_first, ready, hold, slot, latency, found
):
    """Raise ``found`` (images, windows) to the arrival of the inputs through one edge.

    Args:
        sent: (images, positions) when each output position of the producer leaves.
        source_of: (positions,) row of ``message_ps`` for the tile from which it leaves.
        message_ps: (sources, targets) time of a message.
        target_of: (replicas,) column of ``message_ps``.
        need_first, positions, ready: see :class:`pimsim.mapping.windows.Needs`.
        hold: (replicas,) time of the eDRAM for a position.
    """
    for v in range(window_first.size - 1):
        column = target_of[v]
        latest = 0
        before = -1
        for image in range(sent.shape[0]):
            rank = need_first[v]
            for k in range(window_first[v], window_first[v + 1]):
                end = need_first[v] + ready[k]
                while rank < end:
                    p = positions[rank]
                    time = sent[image, p] + message_ps[source_of[p], column]
                    if time > before:  # an earlier one is not written later
                        before = time
                        begun = time // slot * slot
                        latest = max(latest, max(-(-(time + hold[v]) // slot) * slot, begun + latency))
                    rank += 1
                found[image, k] = max(found[image, k], latest)


@njit(cache=True)
def starts(inputs, places, windows, window_first, interval, slot, found):  # type: ignore[no-untyped-def]
    """Fill ``found`` (images, windows) with the start of each window; whether any has changed.

    ``inputs``: when all inputs have arrived; ``places`` (raster order): when there are places for the output.
    """
    changed = False
    for v in range(window_first.size - 1):
        earliest = 0
        for image in range(inputs.shape[0]):
            for k in range(window_first[v], window_first[v + 1]):
                place = places[image, windows[k]]
                if place > earliest:  # rare, and a division is slow
                    place = -(-place // slot) * slot
                start = max(earliest, inputs[image, k], place)
                changed |= start != found[image, k]
                found[image, k] = start
                earliest = start + interval[v]
    return changed


@njit(cache=True)
def leaving(  # type: ignore[no-untyped-def]
    start, windows, window_first, group_first, members, before, hold, slot, latency, found
):
    """Fill ``found`` (images, positions) with when each output leaves; a reduction's one with the last window.

    The replicas of a group share the digital units of their tile: first come, first served.

    Args:
        group_first, members: replicas of group g are ``members[group_first[g]:group_first[g + 1]]``.
        before, hold: (replicas,) from the start of a window until it asks for the units, and for how long.
        latency: of the stage, counted from the slot in which the units begin.
    """
    images = start.shape[0]
    whole = found.shape[1] == windows.size
    at_window = np.zeros(window_first.size, np.int64)
    at_image = np.zeros(window_first.size, np.int64)
    for g in range(group_first.size - 1):
        mine = members[group_first[g] : group_first[g + 1]]
        left = 0
        for v in mine:
            at_window[v] = window_first[v]
            left += images * (window_first[v + 1] - window_first[v])
        free = 0
        while left:
            left -= 1
            first = -1
            asked = 0
            for v in mine:
                if at_image[v] < images:
                    time = start[at_image[v], at_window[v]] + before[v]
                    if first < 0 or time < asked:
                        first, asked = v, time
            k, image = at_window[first], at_image[first]
            begins = max(asked, free)
            free = begins + hold[first]
            ends = max(-(-free // slot) * slot, begins // slot * slot + latency)
            if whole:
                found[image, windows[k]] = ends
            else:
                found[image, 0] = max(found[image, 0], ends)
            at_window[first] += 1
            if at_window[first] == window_first[first + 1]:
                at_window[first] = window_first[first]
                at_image[first] += 1
        for v in mine:
            at_image[v] = 0


@njit(cache=True)
def take_places(  # type: ignore[no-untyped-def]
    start, need_first, positions, window_first, done, capacity, read, window_of, found
):
    """Raise ``found`` (images, the producer's windows in raster order) to when places for their outputs are free.

    A place that holds rank r, counted over all images, is free when the window after which ranks up to r are done has
    read; rank r + capacity takes it.  ``window_of`` is the producer's only window with an output, or -1 where each has
    one.  Whether anything was raised.
    """
    raised = False
    for v in range(window_first.size - 1):
        count = need_first[v + 1] - need_first[v]
        k = window_first[v]
        before = -1
        for rank in range(capacity[v], count * start.shape[0]):
            image = (rank - capacity[v]) // count
            if image != before:
                before, k = image, window_first[v]
            while done[k] <= rank - capacity[v] - image * count:
                k += 1
            time = start[image, k] + read[v]
            later = rank // count
            window = positions[need_first[v] + rank - later * count] if window_of < 0 else window_of
            if time > found[later, window]:
                found[later, window] = time
                raised = True
    return raised
