"""Allocation of virtual channels and of the switch: who of those who ask gets what.

iSLIP (McKeown, IEEE/ACM Trans. Networking 1999): every output grants to the first asking input at or after its grant
pointer, every input accepts the first granting output at or after its accept pointer; pointers move past the
partner, and only where a grant of the first iteration was accepted.  Separable allocators do one of the two
choices first and have one iteration.
"""

from __future__ import annotations

import numpy as np

from pimsim.arch.noc.flit import layout
from pimsim.arch.noc.flit.router import follow_table, give_channel, is_any, set_at, wait_for
from pimsim.engine.bits import (
    WORD,
    bit,
    discard,
    first_from,
    from_on,
    has,
    insert,
    is_empty,
    load_set,
    lowest,
    nothing,
    one,
    shifted,
    store_set,
    without_lowest,
    words_of_set,
)
from pimsim.engine.compiling import internal, outlined


@outlined
def choose_outputs(M, T, n, r, t):  # type: ignore[no-untyped-def]
    """Each adaptive head asks for the output with most credits among those with a free channel, or its escape."""
    base = n.router + n.router_words * r
    left = load_set(M, set_at(n, base, layout.ADAPTIVE), n)
    while not is_empty(left):
        g = r << n.rs | lowest(left)
        left = without_lowest(left)
        word = M[n.slots + n.depth * g + T[n.vc + layout.VC * g + layout.READ]]
        p = n.packet + layout.PACKET * (word >> layout.PACKET_SHIFT)
        to = T[n.terminal_router + T[p + layout.TARGET]]
        ports = np.uint64(M[n.adaptive + r * n.routers + to])
        vcs = M[n.class_vcs]
        best, most = -1, -1
        while not is_empty(ports):
            port = lowest(ports)
            ports = without_lowest(ports)
            if (M[base + n.free + port] & vcs) == 0:
                continue
            credits = _credits(M, T, n, r, port, vcs, t)
            if credits > most:
                best, most = port, credits
        if best >= 0:
            wait_for(M, T, n, g, base, best, vcs, 0)
        else:
            follow_table(M, T, n, g, base, 0, to)


@internal
def _credits(M, T, n, r, port, vcs, t):  # type: ignore[no-untyped-def]
    """Free slots behind an output, as its router sees them, over the virtual channels ``vcs``."""
    credits = 0
    first = T[n.port + layout.PORT * (r * n.ports + port) + layout.DOWN]
    for k in range(n.vcs):
        if (vcs >> k) & 1:
            for slot in range(n.depth * (first + k), n.depth * (first + k + 1)):
                word = M[n.slots + slot]
                if word < 0 and ~word <= t:
                    credits += 1
    return credits


@outlined
def withdraw(M, T, n, r):  # type: ignore[no-untyped-def]
    """Adaptive heads that got no channel choose again in the next cycle."""
    base = n.router + n.router_words * r
    left = load_set(M, set_at(n, base, layout.ADAPTIVE), n)
    while not is_empty(left):
        i = lowest(left)
        left = without_lowest(left)
        v = n.vc + layout.VC * (r << n.rs | i)
        if T[v + layout.STATE] == layout.WAITING:
            port = T[v + layout.OUT_PORT]
            discard(M, n, set_at(n, base, layout.BIDS + n.ports + port), i)
            if not is_any(M, n, base, layout.BIDS + n.ports + port):
                discard(M, n, set_at(n, base, layout.READY), port)
        else:
            discard(M, n, set_at(n, base, layout.ADAPTIVE), i)


@internal
def allocate_channels(M, T, n, r, t):  # type: ignore[no-untyped-def]
    """Virtual-channel allocation at all outputs of a router."""
    base = n.router + n.router_words * r
    ready = load_set(M, set_at(n, base, layout.READY), n)
    while not is_empty(ready):
        port = lowest(ready)
        ready = without_lowest(ready)
        heads = load_set(M, set_at(n, base, layout.BIDS + n.ports + port), n)
        free = np.uint64(M[base + n.free + port])
        first = T[n.port + layout.PORT * (r * n.ports + port) + layout.DOWN]
        if is_empty(without_lowest(heads)):
            i = lowest(heads)
            g = r << n.rs | i
            allowed = free & np.uint64(T[n.head + layout.HEAD_OF_VC * g + layout.VCS])
            if not is_empty(allowed):
                k = first_from(allowed, _start(T[n.head + layout.HEAD_OF_VC * g + layout.ACCEPT], port, n.vs))
                _couple(M, T, n, g, i, port, first, k, True, t)
        elif n.vc_allocator == layout.SEPARABLE_INPUT_FIRST:
            _channels_input_first(M, T, n, r, port, heads, free, first, t)
        else:
            _channels_by_grants(M, T, n, r, port, heads, free, first, t)


@internal
def _start(pointer, port, shift):  # type: ignore[no-untyped-def]
    """A pointer over all outputs' channels as one over those of an output: where it points elsewhere, 0."""
    return pointer & ((1 << shift) - 1) if pointer >> shift == port else 0


@internal
def _couple(M, T, n, g, i, port, first, k, move, t):  # type: ignore[no-untyped-def]
    """Head ``i`` and channel ``k`` of the output have found each other."""
    if move:
        T[n.head + layout.HEAD_OF_VC * (first + k) + layout.GRANT] = (i + 1) & (WORD * words_of_set(n) - 1)
        T[n.head + layout.HEAD_OF_VC * g + layout.ACCEPT] = (port << n.vs | k) + 1
    give_channel(M, T, n, g, port, k, t)


@internal
def _channels_by_grants(M, T, n, r, port, heads, free, first, t):  # type: ignore[no-untyped-def]
    """Channels grant, heads accept (iSLIP, and separable with outputs first)."""
    for iteration in range(n.iterations if n.vc_allocator == layout.ISLIP else 1):
        granted = nothing(n)
        left = free
        while not is_empty(left):
            k = lowest(left)
            left = without_lowest(left)
            asking = _asking(T, n, r, heads, k) if n.masked == 1 else heads
            if is_empty(asking):
                continue
            i = first_from(asking, T[n.head + layout.HEAD_OF_VC * (first + k) + layout.GRANT])
            granted |= one(n, i)
            M[n.scratch + i] |= 1 << k
        if is_empty(granted):
            return
        while not is_empty(granted):
            i = lowest(granted)
            granted = without_lowest(granted)
            g = r << n.rs | i
            offered = np.uint64(M[n.scratch + i])
            M[n.scratch + i] = 0
            k = first_from(offered, _start(T[n.head + layout.HEAD_OF_VC * g + layout.ACCEPT], port, n.vs))
            _couple(M, T, n, g, i, port, first, k, iteration == 0, t)
            heads &= ~one(n, i)
            free &= ~bit(k)


@outlined
def _asking(T, n, r, heads, k):  # type: ignore[no-untyped-def]
    """Of the heads, those that may take channel ``k``."""
    asking = nothing(n)
    while not is_empty(heads):
        i = lowest(heads)
        heads = without_lowest(heads)
        if (T[n.head + layout.HEAD_OF_VC * (r << n.rs | i) + layout.VCS] >> k) & 1:
            asking |= one(n, i)
    return asking


@outlined
def _channels_input_first(M, T, n, r, port, heads, free, first, t):  # type: ignore[no-untyped-def]
    """Each head asks for one channel; channels choose among those who ask."""
    asked = np.uint64(0)
    while not is_empty(heads):
        i = lowest(heads)
        heads = without_lowest(heads)
        h = n.head + layout.HEAD_OF_VC * (r << n.rs | i)
        allowed = free & np.uint64(T[h + layout.VCS])
        if not is_empty(allowed):
            k = first_from(allowed, _start(T[h + layout.ACCEPT], port, n.vs))
            asked |= bit(k)
            insert(M, n, n.scratch + k * words_of_set(n), i)
    while not is_empty(asked):
        k = lowest(asked)
        asked = without_lowest(asked)
        asking = load_set(M, n.scratch + k * words_of_set(n), n)
        store_set(M, n.scratch + k * words_of_set(n), n, nothing(n))
        i = first_from(asking, T[n.head + layout.HEAD_OF_VC * (first + k) + layout.GRANT])
        _couple(M, T, n, r << n.rs | i, i, port, first, k, True, t)


# ---- the switch


@internal
def match_switch(M, T, n, r, t):  # type: ignore[no-untyped-def]
    """Switch allocation of a router: how many virtual channels send a flit; they are listed at ``n.matched``."""
    outputs = load_set(M, set_at(n, n.router + n.router_words * r, layout.OUTPUTS), n)
    if n.narrow == 1:
        outputs = not_held(M, n, r, outputs, t)
    if n.switch_allocator == layout.SEPARABLE_INPUT_FIRST:
        return switch_input_first(M, T, n, r, outputs, nothing(n))
    if is_empty(without_lowest(outputs)):
        if is_empty(outputs):
            return 0
        port = lowest(outputs)
        bids = _bids(M, n, r, port)
        if is_empty(without_lowest(bids)):
            T[n.matched] = _let_pass(T, n, r, lowest(bids), port)
        else:
            into = _first_input(M, T, n, r, port, nothing(n), nothing(n))
            T[n.matched] = _connect(M, T, n, r, into, port, nothing(n), True)
        return 1
    return switch_by_grants(M, T, n, r, outputs, nothing(n), False)


@outlined
def not_held(M, n, r, outputs, t):  # type: ignore[no-untyped-def]
    """Of the outputs, those that no earlier flit still occupies."""
    hold = n.router + n.router_words * r + n.hold
    left = outputs
    while not is_empty(left):
        port = lowest(left)
        left = without_lowest(left)
        if M[hold + port] > t:
            outputs &= ~one(n, port)
    return outputs


@internal
def _bids(M, n, r, port):  # type: ignore[no-untyped-def]
    """Virtual channels that bid for an output."""
    return load_set(M, set_at(n, n.router + n.router_words * r, layout.BIDS + port), n)


@internal
def _side(n, into):  # type: ignore[no-untyped-def]
    """All virtual channels of an input."""
    return shifted(n, (1 << (1 << n.vs)) - 1, into << n.vs)


@internal
def _certain_first(bids, doubtful):  # type: ignore[no-untyped-def]
    """Of the bids, those that are no speculation, if there are any."""
    certain = bids & ~doubtful
    return bids if is_empty(certain) else certain


@internal
def _first_input(M, T, n, r, port, taken, doubtful):  # type: ignore[no-untyped-def]
    """The first input at or after the output's pointer that bids for it and is not taken; -1: none.

    ``taken`` is a set of virtual channels, all those of an input or none; ``doubtful`` bids count only if there
    are no others.
    """
    bids = _bids(M, n, r, port) & ~taken
    if is_empty(bids):
        return -1
    start = T[n.port + layout.PORT * (r * n.ports + port) + layout.PICK]
    return first_from(_certain_first(bids, doubtful), start << n.vs) >> n.vs


@internal
def _let_pass(T, n, r, i, port):  # type: ignore[no-untyped-def]
    """As :func:`_connect`, for a virtual channel ``i`` that is the only one to bid, at the only output."""
    into = i >> n.vs
    k = i & ((1 << n.vs) - 1)
    _advance(T, n, r, into, port)
    T[n.port + layout.PORT * (r * n.ports + into) + layout.TURN] = k + 1 if k + 1 < n.vcs else 0
    return r << n.rs | i


@internal
def _advance(T, n, r, into, port):  # type: ignore[no-untyped-def]
    """The pointers of an input and an output move past each other."""
    T[n.port + layout.PORT * (r * n.ports + port) + layout.PICK] = into + 1 if into + 1 < n.ports else 0
    T[n.port + layout.PORT * (r * n.ports + into) + layout.CHOOSE] = port + 1 if port + 1 < n.ports else 0


@internal
def _connect(M, T, n, r, into, port, doubtful, move):  # type: ignore[no-untyped-def]
    """Input and output are connected for a cycle: which of the input's virtual channels sends; pointers move."""
    i = n.port + layout.PORT * (r * n.ports + into)
    if move:
        _advance(T, n, r, into, port)
    bids = _certain_first(_bids(M, n, r, port) & _side(n, into), doubtful)
    k = first_from(from_on(bids, into << n.vs), T[i + layout.TURN])
    T[i + layout.TURN] = k + 1 if k + 1 < n.vcs else 0
    return r << n.rs | into << n.vs | k


@internal
def switch_by_grants(M, T, n, r, outputs, doubtful, ranked):  # type: ignore[no-untyped-def]
    """Outputs grant, inputs accept (iSLIP, and separable with outputs first); ``ranked``: doubtful bids come last."""
    taken = nothing(n)  # virtual channels of the inputs that are matched
    matched = 0
    for iteration in range(n.iterations if n.switch_allocator == layout.ISLIP else 1):
        granted = nothing(n)
        left = outputs
        while not is_empty(left):
            port = lowest(left)
            left = without_lowest(left)
            into = _first_input(M, T, n, r, port, taken, doubtful if ranked else nothing(n))
            if into < 0:
                continue
            if not has(granted, into):
                granted |= one(n, into)
                store_set(M, n.offers + into * words_of_set(n), n, nothing(n))
            insert(M, n, n.offers + into * words_of_set(n), port)
        if is_empty(granted):
            break
        while not is_empty(granted):
            into = lowest(granted)
            granted = without_lowest(granted)
            offered = load_set(M, n.offers + into * words_of_set(n), n)
            if ranked:
                offered = _certain_outputs(M, n, r, offered, into, doubtful)
            port = first_from(offered, T[n.port + layout.PORT * (r * n.ports + into) + layout.CHOOSE])
            T[n.matched + matched] = _connect(M, T, n, r, into, port, doubtful, iteration == 0)
            matched += 1
            taken |= _side(n, into)
            outputs &= ~one(n, port)
    return matched


@outlined
def _certain_outputs(M, n, r, outputs, into, doubtful):  # type: ignore[no-untyped-def]
    """Of the outputs, those for which the input has a bid that is no speculation; if there are none, all."""
    certain = nothing(n)
    left = outputs
    while not is_empty(left):
        port = lowest(left)
        left = without_lowest(left)
        if not is_empty(_bids(M, n, r, port) & _side(n, into) & ~doubtful):
            certain |= one(n, port)
    return outputs if is_empty(certain) else certain


@outlined
def switch_input_first(M, T, n, r, outputs, doubtful):  # type: ignore[no-untyped-def]
    """Each input asks for one output; outputs choose among those who ask."""
    asked = nothing(n)
    for into in range(n.ports):
        wanted = nothing(n)
        left = outputs
        while not is_empty(left):
            port = lowest(left)
            left = without_lowest(left)
            if not is_empty(_bids(M, n, r, port) & _side(n, into)):
                wanted |= one(n, port)
        if is_empty(wanted):
            continue
        if not is_empty(doubtful):
            wanted = _certain_outputs(M, n, r, wanted, into, doubtful)
        port = first_from(wanted, T[n.port + layout.PORT * (r * n.ports + into) + layout.CHOOSE])
        if not has(asked, port):
            asked |= one(n, port)
            store_set(M, n.offers + port * words_of_set(n), n, nothing(n))
        insert(M, n, n.offers + port * words_of_set(n), into)
    matched = 0
    while not is_empty(asked):
        port = lowest(asked)
        asked = without_lowest(asked)
        asking = load_set(M, n.offers + port * words_of_set(n), n)
        if not is_empty(doubtful):
            asking = _certain_inputs(M, n, r, asking, port, doubtful)
        into = first_from(asking, T[n.port + layout.PORT * (r * n.ports + port) + layout.PICK])
        T[n.matched + matched] = _connect(M, T, n, r, into, port, doubtful, True)
        matched += 1
    return matched


@outlined
def _certain_inputs(M, n, r, inputs, port, doubtful):  # type: ignore[no-untyped-def]
    """Of the inputs, those that have a bid for the output that is no speculation; if there are none, all."""
    certain = nothing(n)
    left = inputs
    while not is_empty(left):
        into = lowest(left)
        left = without_lowest(left)
        if not is_empty(_bids(M, n, r, port) & _side(n, into) & ~doubtful):
            certain |= one(n, into)
    return inputs if is_empty(certain) else certain
