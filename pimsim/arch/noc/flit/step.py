"""One cycle of the network, and many."""

from __future__ import annotations

import numpy as np

from pimsim.arch.noc.flit import layout
from pimsim.arch.noc.flit.allocation import allocate_channels, choose_outputs, match_switch, withdraw
from pimsim.arch.noc.flit.events import wake_source
from pimsim.arch.noc.flit.router import arrive, bid, request, send
from pimsim.arch.noc.flit.source import enqueue, send_flit
from pimsim.engine.bits import NONE, ONE, lowest
from pimsim.engine.compiling import compiled, inlined
from pimsim.engine.words import words

DONE, UNTIL, DEADLOCK = range(3)
"""Why :func:`run` has returned: nothing is left; the given cycle is reached; nothing can move any more."""


@compiled
def step(M, T, n, t):  # type: ignore[no-untyped-def]
    """Cycle ``t``: what was due happens, terminals send, routers allocate channels and then the switch."""
    _happen(M, T, n, t)
    _sources(M, T, n, t)
    _routers(M, T, n, t)


@inlined
def _happen(M, T, n, t):  # type: ignore[no-untyped-def]
    b = t & n.ring_mask
    first = n.ring + b * n.ring_room
    k = 0
    while k < T[n.ring_count + b]:  # routing without delay adds to the present cycle
        event = T[first + k]
        k += 1
        kind = event >> layout.KIND_SHIFT
        number = event & ((1 << layout.KIND_SHIFT) - 1)
        if kind == layout.ARRIVE:
            arrive(M, T, n, number, t)
        elif kind == layout.REQUEST:
            request(M, T, n, number, t)
        elif kind == layout.REFILL:
            wake_source(M, n, number)
        else:
            v = n.vc + layout.VC * number
            T[v + layout.CREDIT_DUE] = 0
            if T[v + layout.COUNT] > 0:
                bid(M, T, n, number, t)
    T[n.ring_count + b] = 0


@inlined
def _sources(M, T, n, t):  # type: ignore[no-untyped-def]
    if M[n.counts + layout.BUSY_SOURCES] == 0:
        return
    for w in range((n.terminals + 63) >> 6):
        word = np.uint64(M[n.busy_sources + w])
        while word != NONE:
            s = w << 6 | lowest(word)
            word &= word - ONE
            send_flit(M, T, n, s, t)


@inlined
def _routers(M, T, n, t):  # type: ignore[no-untyped-def]
    if M[n.counts + layout.BUSY_ROUTERS] == 0:
        return
    moved = 0
    for w in range((n.routers + 63) >> 6):
        word = np.uint64(M[n.busy_routers + w])
        while word != NONE:
            i = lowest(word)
            word &= word - ONE
            r = w << 6 | i
            base = n.router + n.router_words * r
            if M[base + layout.ADAPTIVE] != 0:
                choose_outputs(M, T, n, r, t)
            if M[base + layout.READY] != 0:
                allocate_channels(M, T, n, r, t)
            if M[base + layout.ADAPTIVE] != 0:
                withdraw(M, T, n, r)
            matched = match_switch(M, T, n, r, t) if M[base + layout.OUTPUTS] != 0 else 0
            for k in range(matched):
                send(M, T, n, T[n.matched + k], t)
            moved += matched
            joining = np.uint64(M[base + layout.JOINING])
            while joining != NONE:
                bid(M, T, n, r << n.rs | lowest(joining), t + 1)
                joining &= joining - ONE
            M[base + layout.JOINING] = 0
            if M[base + layout.OUTPUTS] | M[base + layout.READY] | M[base + layout.ADAPTIVE] == 0:
                M[n.busy_routers + w] &= ~(1 << i)
                M[n.counts + layout.BUSY_ROUTERS] -= 1
    if moved > 0:
        M[n.counts + layout.MOVED] = t


@inlined
def next_cycle(M, T, n, t):  # type: ignore[no-untyped-def]
    """The next cycle, ``t`` or later, in which something happens; -1: nothing will, unless a packet joins."""
    if M[n.counts + layout.BUSY_ROUTERS] > 0 or M[n.counts + layout.BUSY_SOURCES] > 0:
        return t
    for ahead in range(n.ring_mask + 1):
        if T[n.ring_count + ((t + ahead) & n.ring_mask)] > 0:
            return t + ahead
    return -1


@compiled
def run(M, T, n, t, until):  # type: ignore[no-untyped-def]
    """Simulate from cycle ``t`` on, packets of the replay joining their queues; (reason, next cycle)."""
    return _run(words(M), words(T), n, t, until)


@inlined
def _run(M, T, n, t, until):  # type: ignore[no-untyped-def]
    while t < until:
        coming = M[n.counts + layout.COMING]
        following = next_cycle(M, T, n, t)
        if coming < n.packets and (following < 0 or M[n.ctime + coming] < following):
            following = max(t, M[n.ctime + coming])
        if following < 0:
            return (DEADLOCK if M[n.counts + layout.IN_FLIGHT] > 0 else DONE), t
        if following >= until:
            return UNTIL, until
        t = following
        if t > M[n.counts + layout.MOVED] + n.patience and M[n.counts + layout.IN_FLIGHT] > 0:
            return DEADLOCK, t
        while coming < n.packets and M[n.ctime + coming] <= t:
            s = T[n.origin + coming]
            enqueue(T, n, s, coming)
            wake_source(M, n, s)
            coming += 1
        M[n.counts + layout.COMING] = coming
        step(M, T, n, t)
        t += 1
    return UNTIL, t
