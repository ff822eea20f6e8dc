"""Speculation: heads bid for the switch before they have a virtual channel, in the hope that they get one in time.

For the one-letter names see :mod:`.step`.
"""

from __future__ import annotations

from pimsim.arch.noc.flit import layout
from pimsim.arch.noc.flit.allocation import not_held, switch_by_grants, switch_input_first
from pimsim.arch.noc.flit.router import local, set_at
from pimsim.arch.noc.flit.source import next_free_slot
from pimsim.engine.bits import has, is_empty, load_set, lowest, nothing, one, store_set, without_lowest, words_of_set
from pimsim.engine.compiling import internal, outlined


@outlined
def note_early(M, T, n, r, t):  # type: ignore[no-untyped-def]
    """Before channels are allocated: the heads that see a free virtual channel with a credit bid, at ``n.early``."""
    base = n.router + n.router_words * r
    outputs = nothing(n)
    ready = load_set(M, set_at(n, base, layout.READY), n)
    while not is_empty(ready):
        port = lowest(ready)
        ready = without_lowest(ready)
        early = _early(M, T, n, r, port, load_set(M, set_at(n, base, layout.BIDS + n.ports + port), n), t)
        if not is_empty(early):
            outputs |= one(n, port)
            store_set(M, n.early + (1 + port) * words_of_set(n), n, early)
    store_set(M, n.early, n, outputs)


@internal
def _early(M, T, n, r, port, heads, t):  # type: ignore[no-untyped-def]
    """Of the heads that wait for an output, those that may take a free virtual channel with a credit."""
    first = T[n.port + layout.PORT * (r * n.ports + port) + layout.DOWN]
    free = M[n.router + n.router_words * r + n.free + port]
    usable = 0
    for k in range(n.vcs):
        if (free >> k) & 1 and 0 <= next_free_slot(M, T, n, first + k) <= t:
            usable |= 1 << k
    early = nothing(n)
    while not is_empty(heads):
        i = lowest(heads)
        heads = without_lowest(heads)
        if T[n.head + layout.HEAD_OF_VC * (r << n.rs | i) + layout.VCS] & usable != 0:
            early |= one(n, i)
    return early


@outlined
def match_early(M, T, n, r, t):  # type: ignore[no-untyped-def]
    """Switch allocation with speculation: the grants that can be used, as :func:`.allocation.match_switch`."""
    base = n.router + n.router_words * r
    bidden = load_set(M, set_at(n, base, layout.OUTPUTS), n)
    early = load_set(M, n.early, n)
    doubtful = _not_ready(M, T, n, r, bidden, t) | _join(M, n, base, early)
    outputs = bidden | early
    if n.narrow == 1:
        outputs = not_held(M, n, r, outputs, t)
    if n.switch_allocator == layout.SEPARABLE_INPUT_FIRST:
        matched = switch_input_first(M, T, n, r, outputs, doubtful)
    else:
        matched = switch_by_grants(M, T, n, r, outputs, doubtful, n.switch_allocator != layout.ISLIP)
    _leave(M, n, base, early)
    used = 0
    for k in range(matched):
        g = T[n.matched + k]
        if not has(doubtful, local(n, g)) or _is_used(M, T, n, g, t):
            T[n.matched + used] = g
            used += 1
    return used


@internal
def _not_ready(M, T, n, r, outputs, t):  # type: ignore[no-untyped-def]
    """Of those who bid, the virtual channels whose allocation has not taken effect."""
    found = nothing(n)
    if n.va_cycles == 1:
        return found
    base = n.router + n.router_words * r
    while not is_empty(outputs):
        port = lowest(outputs)
        outputs = without_lowest(outputs)
        bids = load_set(M, set_at(n, base, layout.BIDS + port), n)
        while not is_empty(bids):
            i = lowest(bids)
            bids = without_lowest(bids)
            if _cycles_to_go(T, n, r << n.rs | i, t) > 0:
                found |= one(n, i)
    return found


@internal
def _cycles_to_go(T, n, g, t):  # type: ignore[no-untyped-def]
    """Cycles until the allocation of a virtual channel takes effect."""
    cycles = (T[n.head + layout.HEAD_OF_VC * g + layout.READY_AT] - t) & layout.SOON
    return cycles if cycles <= n.va_cycles else 0  # or it is long ago


@internal
def _join(M, n, base, outputs):  # type: ignore[no-untyped-def]
    """The early heads bid with the others; all of them."""
    all_early = nothing(n)
    while not is_empty(outputs):
        port = lowest(outputs)
        outputs = without_lowest(outputs)
        bids = set_at(n, base, layout.BIDS + port)
        early = load_set(M, n.early + (1 + port) * words_of_set(n), n)
        store_set(M, bids, n, load_set(M, bids, n) | early)
        all_early |= early
    return all_early


@internal
def _leave(M, n, base, outputs):  # type: ignore[no-untyped-def]
    """The early heads bid no more."""
    while not is_empty(outputs):
        port = lowest(outputs)
        outputs = without_lowest(outputs)
        bids = set_at(n, base, layout.BIDS + port)
        store_set(M, bids, n, load_set(M, bids, n) & ~load_set(M, n.early + (1 + port) * words_of_set(n), n))


@internal
def _is_used(M, T, n, g, t):  # type: ignore[no-untyped-def]
    """A speculative grant may have come too early."""
    v = n.vc + layout.VC * g
    return (
        T[v + layout.STATE] >= layout.ACTIVE
        and _cycles_to_go(T, n, g, t) <= n.sa_cycles
        and 0 <= next_free_slot(M, T, n, T[v + layout.OUT]) <= t
    )
