"""When windows start: the longest path through the dependencies of images that follow each other, without events.

    start(k) = max(start(k - 1) + interval, arrival of all inputs of window k, places for its output)

for the k-th window of a replica; its inputs are those positions of its need list that the mapping says (see
:mod:`pimsim.mapping.windows`).  Nothing waits for a port or a link.  Every window is visited once, as soon as all that
it depends on is known: in an order of dependencies, not of time, so that nothing has to be queued.

Windows and positions are numbered over all nodes, windows in dealt order; times are int64 [ps].
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from pimsim.engine.compiling import inlined


class Replicas(NamedTuple):
    """One entry for each replica, producers first; (V,) or (V + 1,) int64."""

    window_first: np.ndarray  #: (V + 1,)
    buffer_first: np.ndarray  #: (V + 1,)
    turn: np.ndarray  #: from one window to the next of the same image at least [ps]
    interval: np.ndarray  #: from the last window of an image to the first of the next at least [ps]
    read: np.ndarray  #: start until inputs are read and their places free [ps]
    slot: np.ndarray  #: windows start at multiples of this [ps]


class Buffers(NamedTuple):
    """One entry for each replica and input; (B,) int64."""

    need: np.ndarray  #: its need list is positions[need:need + length]
    length: np.ndarray
    ready: np.ndarray  #: entry of its replica's first window in the tables ready and done
    capacity: np.ndarray
    message: np.ndarray  #: entry of its way from row 0 of the producer's tiles in the table message_ps
    columns: np.ndarray  #: entries from one row to the next
    hold: np.ndarray  #: time of the eDRAM for a position [ps]


class Tables(NamedTuple):
    """What entries of the others point into; int64."""

    positions: np.ndarray  #: need lists
    ready: np.ndarray  #: see :class:`pimsim.mapping.windows.Needs`
    done: np.ndarray
    message_ps: np.ndarray  #: time of messages from tile to tile
    row: np.ndarray  #: (positions,) number of the tile from which a position leaves, among those of its node
    output: np.ndarray  #: (windows,) position that the window delivers; -1: none


@njit(cache=True, error_model="numpy")
def waiting_positions(buffers, positions, images, found):  # type: ignore[no-untyped-def]
    """Count in ``found`` (images, positions) the buffers in which a position waits for the place of another one."""
    for b in range(buffers.need.size):
        length = buffers.length[b]
        for image in range(images):
            for rank in range(max(0, buffers.capacity[b] - image * length), length):
                found[image, positions[buffers.need[b] + rank]] += 1


@inlined
def receive(  # type: ignore[no-untyped-def]
    b, end, base, sent, positions, row, message_ps, message, columns, hold, slot, write, arrived, latest
):
    """Take in the positions of buffer ``b`` below ``end``; whether all of them have been sent.

    ``base``: entry in ``positions`` of the image's first; ``sent``: (positions,) of the image.  A position is written
    into eDRAM as it arrives, and can be read from then on.
    """
    while arrived[b] < end:
        p = positions[base + arrived[b]]
        if sent[p] < 0:
            return False
        there = sent[p] + message_ps[message[b] + row[p] * columns[b]]
        if there + hold[b] > latest[b] or there + write > latest[b]:  # or it is not the last to arrive
            latest[b] = max(latest[b], -(-(there + hold[b]) // slot) * slot, there // slot * slot + write)
        arrived[b] += 1
    return True


@inlined
def free(b, end, time, need, length, capacity, positions, freed, place, pending):  # type: ignore[no-untyped-def]
    """Hand the places of buffer ``b`` below ``end``, free from ``time`` on, to the positions that wait for them."""
    images = place.shape[0]
    rank = freed[b] + capacity[b]
    later = rank // length[b] if end > freed[b] else images
    rank -= later * length[b]
    for _ in range(min(end - freed[b], (images - later) * length[b] - rank)):
        p = positions[need[b] + rank]
        place[later, p] = max(place[later, p], time)
        pending[later, p] -= 1
        rank += 1
        if rank == length[b]:
            rank = 0
            later += 1
    freed[b] = end


@njit(cache=True, error_model="numpy")
def follow(replicas, buffers, tables, after, pending, slot, write, start, sent):  # type: ignore[no-untyped-def]
    """Fill ``start`` (images, windows) and ``sent`` (images, positions), which is -1 all over.

    Whether every window could start; if not, inputs wait for places and places for inputs.

    Args:
        after: (images, windows) from the start of a window until its output leaves.
        pending: (images, positions) buffers in which the position waits for a place.
        slot, write: of the schedule; latency of an eDRAM write, in whole slots.
    """
    window_first, buffer_first, turn, interval, read, slot_of = replicas
    need, length, first_ready, capacity, message, columns, hold = buffers
    positions, ready, done, message_ps, row, output_of = tables
    images, n_positions = sent.shape
    n = turn.size
    place = np.zeros((images, n_positions), np.int64)  # when the places for a position are free
    at = window_first[:-1].copy()  # next window of each replica, its image, its earliest start
    at_image = np.zeros(n, np.int64)
    earliest = np.zeros(n, np.int64)
    arrived = np.zeros(need.size, np.int64)  # positions of each buffer, over all images; and those that are free again
    freed = np.zeros(need.size, np.int64)
    latest = np.zeros(need.size, np.int64)
    left = images * window_first[n]
    progress = True
    while left and progress:
        progress = False
        for v in range(n):
            while at_image[v] < images:
                k, image = at[v], at_image[v]
                output, in_replica = output_of[k], k - window_first[v]
                if output >= 0 and pending[image, output] > 0:
                    break
                time = earliest[v]
                known = True
                for b in range(buffer_first[v], buffer_first[v + 1]):
                    end = image * length[b] + ready[first_ready[b] + in_replica]
                    known &= receive(
                        b, end, need[b] - image * length[b], sent[image], positions, row, message_ps, message, columns,
                        hold, slot, write, arrived, latest,
                    )  # fmt: skip
                    time = max(time, latest[b])
                if not known:
                    break
                if output >= 0 and place[image, output] > time:
                    time = -(-place[image, output] // slot_of[v]) * slot_of[v]
                start[image, k] = time
                earliest[v] = time + turn[v]
                if output >= 0:
                    sent[image, output] = time + after[image, k]
                for b in range(buffer_first[v], buffer_first[v + 1]):
                    end = image * length[b] + done[first_ready[b] + in_replica]
                    free(b, end, time + read[v], need, length, capacity, positions, freed, place, pending)
                at[v] += 1
                if at[v] == window_first[v + 1]:
                    at[v] = window_first[v]
                    at_image[v] += 1
                    earliest[v] = time + interval[v]
                left -= 1
                progress = True
    return left == 0


@njit(cache=True, error_model="numpy")
def leaving(  # type: ignore[no-untyped-def]
    start, window_first, group_first, members, before, hold, slot, latency, found
):
    """Fill ``found`` (images, windows) with when the output of each window leaves.

    The replicas of a group share the digital units of their tile: first come, first served.

    Args:
        group_first, members: replicas of group g are ``members[group_first[g]:group_first[g + 1]]``.
        before, hold: (replicas,) from the start of a window until it asks for the units, and for how long.
        latency: of the stage, counted from the slot in which the units begin.
    """
    images = start.shape[0]
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
            found[image, k] = ends
            at_window[first] += 1
            if at_window[first] == window_first[first + 1]:
                at_window[first] = window_first[first]
                at_image[first] += 1
        for v in mine:
            at_image[v] = 0
