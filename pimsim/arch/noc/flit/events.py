"""The ring of coming cycles: who will have something to do, and when; and who has something to do now."""

from __future__ import annotations

from pimsim.arch.noc.flit.layout import BUSY_ROUTERS, BUSY_SOURCES, KIND_SHIFT
from pimsim.engine.compiling import internal


@internal
def post(T, n, t, kind, number):  # type: ignore[no-untyped-def]
    """Something happens in cycle ``t``, at most ``n.ring_mask`` cycles from now."""
    b = t & n.ring_mask
    k = T[n.ring_count + b]
    T[n.ring + b * n.ring_room + k] = kind << KIND_SHIFT | number
    T[n.ring_count + b] = k + 1


@internal
def wake_router(M, n, r):  # type: ignore[no-untyped-def]
    """The router has something to allocate."""
    w = n.busy_routers + (r >> 6)
    mask = M[w] | (1 << (r & 63))
    if mask != M[w]:
        M[w] = mask
        M[n.counts + BUSY_ROUTERS] += 1


@internal
def wake_source(M, n, s):  # type: ignore[no-untyped-def]
    """The terminal may have a flit to send."""
    w = n.busy_sources + (s >> 6)
    mask = M[w] | (1 << (s & 63))
    if mask != M[w]:
        M[w] = mask
        M[n.counts + BUSY_SOURCES] += 1


@internal
def rest_source(M, n, s):  # type: ignore[no-untyped-def]
    """The terminal has nothing to send, or no slot to send it to."""
    M[n.busy_sources + (s >> 6)] &= ~(1 << (s & 63))
    M[n.counts + BUSY_SOURCES] -= 1
