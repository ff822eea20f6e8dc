"""One cycle of the network, and many."""

from __future__ import annotations

import numpy as np

from pimsim.arch.noc.flit import layout
from pimsim.arch.noc.flit.allocation import allocate_channels, allocate_switch, choose_outputs, withdraw
from pimsim.arch.noc.flit.events import wake_source
from pimsim.arch.noc.flit.router import arrive, bid, request
from pimsim.arch.noc.flit.source import enqueue, send_flit
from pimsim.engine.bits import NONE, ONE, lowest
from pimsim.engine.compiling import compiled, inlined

DONE, UNTIL, DEADLOCK, REPORTS_FULL = range(4)
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
    M[n.counts + layout.PENDING] -= k


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
            if M[base + layout.BIDS] != 0:
                allocate_switch(M, T, n, r, t)
            if M[base + layout.BIDS] | M[base + layout.READY] | M[base + layout.ADAPTIVE] == 0:
                M[n.busy_routers + w] &= ~(1 << i)
                M[n.counts + layout.BUSY_ROUTERS] -= 1


@compiled
def run(M, T, n, t, until):  # type: ignore[no-untyped-def]
    """Simulate from cycle ``t`` on, packets of the replay joining their queues; (reason, next cycle)."""
    while t < until:
        coming = M[n.counts + layout.WAKE]
        more = coming < n.packets
        idle = (
            M[n.counts + layout.BUSY_ROUTERS] == 0
            and M[n.counts + layout.BUSY_SOURCES] == 0
            and M[n.counts + layout.PENDING] == 0
        )
        if idle:
            if M[n.counts + layout.IN_FLIGHT] > 0:
                return DEADLOCK, t
            if not more:
                return DONE, t
            t = max(t, M[n.ctime + coming])
            if t >= until:
                return UNTIL, until
        elif t > M[n.counts + layout.MOVED] + n.patience and M[n.counts + layout.IN_FLIGHT] > 0:
            return DEADLOCK, t
        while coming < n.packets and M[n.ctime + coming] <= t:
            s = T[n.origin + coming]
            enqueue(T, n, s, coming)
            wake_source(M, n, s)
            coming += 1
        M[n.counts + layout.WAKE] = coming
        step(M, T, n, t)
        t += 1
    return UNTIL, t
