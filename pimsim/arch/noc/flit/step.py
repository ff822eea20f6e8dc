"""One cycle of the network, and many.

In compiled functions ``M`` and ``T`` are the arrays and ``n`` the layout (see :mod:`.layout`), ``t`` is the present
cycle, ``r`` a router, ``s`` a terminal, ``g`` an input's virtual channel, ``v`` the offset of its record.
"""

from __future__ import annotations

import numpy as np

from pimsim.arch.noc.flit import layout
from pimsim.arch.noc.flit.allocation import allocate_channels, choose_outputs, match_switch, withdraw
from pimsim.arch.noc.flit.events import wake_source
from pimsim.arch.noc.flit.router import arrive, bid, is_any, request, send, set_at
from pimsim.arch.noc.flit.source import enqueue, send_flit
from pimsim.arch.noc.flit.speculation import match_early, note_early
from pimsim.engine.bits import is_empty, load_set, lowest, nothing, store_set, without_lowest
from pimsim.engine.compiling import compiled, internal
from pimsim.engine.words import words

DONE, UNTIL, DEADLOCK = range(3)
"""Why :func:`run` has returned: nothing is left; nothing happens before the given cycle; nothing can move any more."""


@internal
def step(M, T, n, t):  # type: ignore[no-untyped-def]
    """Cycle ``t``: what was due happens, terminals send, routers allocate channels and then the switch."""
    _happen(M, T, n, t)
    _sources(M, T, n, t)
    _routers(M, T, n, t)


@internal
def _happen(M, T, n, t):  # type: ignore[no-untyped-def]
    """Events of cycle ``t``; what they cause in it comes after them."""
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
        else:  # a credit, or a head that joins: it never waited for a credit there
            v = n.vc + layout.VC * number
            T[v + layout.CREDIT_DUE] = 0
            if T[v + layout.COUNT] > 0:
                bid(M, T, n, number, t)
    T[n.ring_count + b] = 0


@internal
def _sources(M, T, n, t):  # type: ignore[no-untyped-def]
    """The turns of terminals that have something to send."""
    if M[n.counts + layout.BUSY_SOURCES] == 0:
        return
    for w in range((n.terminals + 63) >> 6):
        word = np.uint64(M[n.busy_sources + w])
        while not is_empty(word):
            s = w << 6 | lowest(word)
            word = without_lowest(word)
            send_flit(M, T, n, s, t)


@internal
def _routers(M, T, n, t):  # type: ignore[no-untyped-def]
    """The turns of routers that have something to allocate."""
    if M[n.counts + layout.BUSY_ROUTERS] == 0:
        return
    moved = 0
    for w in range((n.routers + 63) >> 6):
        word = np.uint64(M[n.busy_routers + w])
        while not is_empty(word):
            i = lowest(word)
            word = without_lowest(word)
            r = w << 6 | i
            moved += _route(M, T, n, r, t)
            if not _is_busy(M, n, n.router + n.router_words * r):
                M[n.busy_routers + w] &= ~(1 << i)
                M[n.counts + layout.BUSY_ROUTERS] -= 1
    if moved > 0:
        M[n.counts + layout.MOVED] = t


@internal
def _is_busy(M, n, base):  # type: ignore[no-untyped-def]
    """Whether a router has something to allocate."""
    sets = load_set(M, set_at(n, base, layout.OUTPUTS), n) | load_set(M, set_at(n, base, layout.READY), n)
    return not is_empty(sets | load_set(M, set_at(n, base, layout.ADAPTIVE), n))


@internal
def _route(M, T, n, r, t):  # type: ignore[no-untyped-def]
    """A router's turn; how many flits it sends."""
    base = n.router + n.router_words * r
    adaptive = is_any(M, n, base, layout.ADAPTIVE)
    if adaptive:
        choose_outputs(M, T, n, r, t)
    if n.speculative == 1:
        note_early(M, T, n, r, t)
    if is_any(M, n, base, layout.READY):
        allocate_channels(M, T, n, r, t)
    if adaptive:
        withdraw(M, T, n, r)
    matched = 0
    if n.speculative == 1:
        matched = match_early(M, T, n, r, t)
    elif is_any(M, n, base, layout.OUTPUTS):
        matched = match_switch(M, T, n, r, t)
    for k in range(matched):
        send(M, T, n, T[n.matched + k], t)
    joining = load_set(M, set_at(n, base, layout.JOINING), n)
    if not is_empty(joining):
        store_set(M, set_at(n, base, layout.JOINING), n, nothing(n))
    while not is_empty(joining):
        g = r << n.rs | lowest(joining)
        joining = without_lowest(joining)
        v = n.vc + layout.VC * g
        if T[v + layout.STATE] >= layout.ACTIVE and T[v + layout.COUNT] > 0:  # else it has speculated, and sent all
            bid(M, T, n, g, t + 1)
    return matched


@internal
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
    """Simulate from cycle ``t`` to ``until``, packets of the replay joining their queues.

    Returns (reason, cycle of whatever happens next, which may be long after ``until``).
    """
    M, T = words(M), words(T)
    while t < until:
        coming = M[n.counts + layout.COMING]
        following = next_cycle(M, T, n, t)
        if coming < n.packets and (following < 0 or M[n.ctime + coming] < following):
            following = max(t, M[n.ctime + coming])
        if following < 0:
            return (DEADLOCK if M[n.counts + layout.IN_FLIGHT] > 0 else DONE), t
        if following >= until:
            return UNTIL, following
        t = following
        if M[n.counts + layout.IN_FLIGHT] == 0:
            M[n.counts + layout.MOVED] = t
        elif t > M[n.counts + layout.MOVED] + n.patience:
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
