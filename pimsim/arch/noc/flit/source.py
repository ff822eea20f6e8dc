"""A terminal as source: an unbounded queue, one flit a cycle into the router's input."""

from __future__ import annotations

from pimsim.arch.noc.flit import layout
from pimsim.arch.noc.flit.events import post, rest_source
from pimsim.engine.compiling import inlined


@inlined
def enqueue(T, n, s, packet):  # type: ignore[no-untyped-def]
    """Put a packet at the end of a terminal's queue."""
    q = n.source + layout.SOURCE * s
    T[n.packet + layout.PACKET * packet + layout.NEXT] = -1
    if T[q + layout.FIRST] < 0:
        T[q + layout.FIRST] = packet
    else:
        T[n.packet + layout.PACKET * T[q + layout.LAST] + layout.NEXT] = packet
    T[q + layout.LAST] = packet


@inlined
def next_free_slot(M, T, n, g):  # type: ignore[no-untyped-def]
    """Cycle from which the sender may write the next flit into virtual channel ``g``; -1: not known yet."""
    word = M[n.slots + n.depth * g + T[n.vc + layout.VC * g + layout.WRITE]]
    return -1 if word >= 0 else ~word


@inlined
def write_flit(M, T, n, g, word):  # type: ignore[no-untyped-def]
    """Put a flit into the next slot of ``g``, which is free; it counts when it has arrived."""
    w = T[n.vc + layout.VC * g + layout.WRITE]
    M[n.slots + n.depth * g + w] = word
    T[n.vc + layout.VC * g + layout.WRITE] = w + 1 if w + 1 < n.depth else 0


@inlined
def _choose_entry(M, T, n, q, s, t):  # type: ignore[no-untyped-def]
    """The virtual channel after the last used one that has a free slot, or -1; then it asks to be woken."""
    first = T[q + layout.ENTRY]
    after = T[q + layout.INTO] - first + 1
    for i in range(n.vcs):
        g = first + (after + i) % n.vcs
        free = next_free_slot(M, T, n, g)
        if 0 <= free <= t:
            return g
    for g in range(first, first + n.vcs):
        _ask(M, T, n, s, g, t)
    return -1


@inlined
def _ask(M, T, n, s, g, t):  # type: ignore[no-untyped-def]
    """The terminal sleeps until ``g`` has a free slot."""
    free = next_free_slot(M, T, n, g)
    if free < 0:
        T[n.vc + layout.VC * g + layout.SENDER] = -1 - s
    else:
        post(T, n, free, layout.REFILL, s)


@inlined
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
        g = _choose_entry(M, T, n, q, s, t)
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
        free = next_free_slot(M, T, n, g)
        if free < 0 or free > t:
            _ask(M, T, n, s, g, t)
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
