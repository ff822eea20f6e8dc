"""A terminal as source: an unbounded queue, one flit a cycle into the router's input.

For the one-letter names see :mod:`.step`.
"""

from __future__ import annotations

from pimsim.arch.noc.flit import layout
from pimsim.arch.noc.flit.events import post, rest_source
from pimsim.engine.compiling import internal


@internal
def enqueue(T, n, s, packet):  # type: ignore[no-untyped-def]
    """Put a packet at the end of a terminal's queue."""
    q = n.source + layout.SOURCE * s
    T[n.packet + layout.PACKET * packet + layout.NEXT] = -1
    if T[q + layout.FIRST] < 0:
        T[q + layout.FIRST] = packet
    else:
        T[n.packet + layout.PACKET * T[q + layout.LAST] + layout.NEXT] = packet
    T[q + layout.LAST] = packet


@internal
def next_free_slot(M, T, n, g):  # type: ignore[no-untyped-def]
    """Cycle from which the sender may write the next flit into virtual channel ``g``; -1: not known yet."""
    word = M[n.slots + n.depth * g + T[n.vc + layout.VC * g + layout.WRITE]]
    return -1 if word >= 0 else ~word


@internal
def write_flit(M, T, n, g, word):  # type: ignore[no-untyped-def]
    """Put a flit into the next slot of ``g``, which is free; it counts when it has arrived."""
    w = T[n.vc + layout.VC * g + layout.WRITE]
    M[n.slots + n.depth * g + w] = word
    T[n.vc + layout.VC * g + layout.WRITE] = w + 1 if w + 1 < n.depth else 0


@internal
def _choose_entry(M, T, n, q, allowed, s, t):  # type: ignore[no-untyped-def]
    """The virtual channel after the last used one that is allowed and has a free slot; or -1, and it will be woken."""
    first = T[q + layout.ENTRY]
    v = T[q + layout.INTO] - first
    soonest = -1
    for _ in range(n.vcs):
        v = v + 1 if v + 1 < n.vcs else 0
        if (allowed >> v) & 1 == 0:
            continue
        free = next_free_slot(M, T, n, first + v)
        if 0 <= free <= t:
            return first + v
        if free >= 0 and (soonest < 0 or free < soonest):
            soonest = free
    if soonest >= 0:
        post(T, n, soonest, layout.REFILL, s)
    else:
        for v in range(n.vcs):
            if (allowed >> v) & 1 == 1:
                T[n.vc + layout.VC * (first + v) + layout.SENDER] = -1 - s
    return -1


@internal
def _has_slot(M, T, n, g, s, t):  # type: ignore[no-untyped-def]
    """Whether the terminal's next flit has a slot in ``g``; if not, it will be woken."""
    free = next_free_slot(M, T, n, g)
    if free < 0:
        T[n.vc + layout.VC * g + layout.SENDER] = -1 - s
    elif free > t:
        post(T, n, free, layout.REFILL, s)
    return 0 <= free <= t


@internal
def send_flit(M, T, n, s, t):  # type: ignore[no-untyped-def]
    """The terminal's turn in cycle ``t``."""
    q = n.source + layout.SOURCE * s
    packet = T[q + layout.FIRST]
    if packet < 0:
        rest_source(M, n, s)
        return
    p = n.packet + layout.PACKET * packet
    word = packet << layout.PACKET_SHIFT
    if T[p + layout.MULTICAST] == 1:
        word |= layout.FORKS
    left = T[q + layout.LEFT]
    g = T[q + layout.INTO]
    if left == 0:
        allowed = n.every_vc
        if T[p + layout.MULTICAST] == 1:
            allowed = T[n.edge_vcs + T[p + layout.TARGET]]
        g = _choose_entry(M, T, n, q, allowed, s, t)
        if g < 0:
            rest_source(M, n, s)
            return
        T[q + layout.INTO] = g
        left = T[p + layout.SIZE]
        word |= layout.HEAD
        if T[p + layout.MULTICAST] == 1:
            word |= T[p + layout.TARGET] << layout.ROUTE_SHIFT
        if n.itime >= 0:
            M[n.itime + packet] = t
    else:
        if not _has_slot(M, T, n, g, s, t):
            rest_source(M, n, s)
            return
    left -= 1
    T[q + layout.LEFT] = left
    if left == 0:
        word |= layout.TAIL
        T[q + layout.FIRST] = T[p + layout.NEXT]
    write_flit(M, T, n, g, word)
    post(T, n, t + n.inject_cycles, layout.ARRIVE, g)
    M[n.counts + layout.IN_FLIGHT] += 1
