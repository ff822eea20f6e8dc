"""Allocation of virtual channels and of the switch: who of those who ask gets what.

iSLIP (McKeown, IEEE/ACM Trans. Networking 1999): every output grants to the first asking input at or after its grant
pointer, every input accepts the first granting output at or after its accept pointer; pointers move past the
partner, and only where a grant of the first iteration was accepted.  Separable allocators do one of the two
choices first and have one iteration.
"""

from __future__ import annotations

import numpy as np

from pimsim.arch.noc.flit import layout
from pimsim.arch.noc.flit.router import give_channel, wait_for
from pimsim.engine.bits import NONE, ONE, bit, first_from, lowest
from pimsim.engine.compiling import compiled, inlined


@compiled
def choose_outputs(M, T, n, r, t):  # type: ignore[no-untyped-def]
    """Each adaptive head asks for the output with most credits among those with a free channel, or its escape."""
    base = n.router + n.router_words * r
    adaptive = np.uint64(M[base + layout.ADAPTIVE])
    left = adaptive
    while left != NONE:
        i = lowest(left)
        left &= left - ONE
        g = r << n.rs | i
        v = n.vc + layout.VC * g
        word = M[n.slots + n.depth * g + T[v + layout.READ]]
        p = n.packet + layout.PACKET * (word >> layout.PACKET_SHIFT)
        to = T[n.terminal_router + T[p + layout.TARGET]]
        ports = np.uint64(M[n.adaptive + r * n.routers + to])
        vcs = M[n.class_vcs]
        best, most = -1, -1
        while ports != NONE:
            port = lowest(ports)
            ports &= ports - ONE
            if (M[base + layout.HEADS + n.ports + port] & vcs) == 0:
                continue
            credits = _credits(M, T, n, r, port, vcs, t)
            if credits > most:
                best, most = port, credits
        if best >= 0:
            wait_for(M, T, n, g, base, best, vcs, 0, np.int64(bit(i)))
        else:
            hop = T[n.next + r * n.routers + to]
            wait_for(M, T, n, g, base, hop & 255, M[n.class_vcs + (hop >> 8)], hop >> 8, np.int64(bit(i)))


@inlined
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


@compiled
def withdraw(M, T, n, r):  # type: ignore[no-untyped-def]
    """Adaptive heads that got no channel choose again in the next cycle."""
    base = n.router + n.router_words * r
    left = np.uint64(M[base + layout.ADAPTIVE])
    while left != NONE:
        i = lowest(left)
        left &= left - ONE
        v = n.vc + layout.VC * (r << n.rs | i)
        if T[v + layout.STATE] == layout.WAITING:
            port = T[v + layout.OUT_PORT]
            M[base + layout.HEADS + port] &= ~np.int64(bit(i))
            if M[base + layout.HEADS + port] == 0:
                M[base + layout.READY] &= ~(1 << port)
        else:
            M[base + layout.ADAPTIVE] &= ~np.int64(bit(i))


@inlined
def allocate_channels(M, T, n, r, t):  # type: ignore[no-untyped-def]
    """Virtual-channel allocation at all outputs of a router."""
    base = n.router + n.router_words * r
    ready = np.uint64(M[base + layout.READY])
    while ready != NONE:
        port = lowest(ready)
        ready &= ready - ONE
        heads = np.uint64(M[base + layout.HEADS + port])
        free = np.uint64(M[base + layout.HEADS + n.ports + port])
        first = T[n.port + layout.PORT * (r * n.ports + port) + layout.DOWN]
        if heads & (heads - ONE) == NONE:
            i = lowest(heads)
            g = r << n.rs | i
            allowed = free & np.uint64(T[n.head + layout.HEAD_OF_VC * g + layout.VCS])
            if allowed != NONE:
                k = first_from(allowed, _start(T[n.head + layout.HEAD_OF_VC * g + layout.ACCEPT], port, n.vs))
                _couple(M, T, n, g, i, port, first, k, True, t)
        elif n.vc_allocator == layout.SEPARABLE_INPUT_FIRST:
            _channels_input_first(M, T, n, r, port, heads, free, first, t)
        else:
            _channels_by_grants(M, T, n, r, port, heads, free, first, t)


@inlined
def _start(pointer, port, shift):  # type: ignore[no-untyped-def]
    """A pointer over all outputs' channels as one over those of an output: where it points elsewhere, 0."""
    return pointer & ((1 << shift) - 1) if pointer >> shift == port else 0


@inlined
def _couple(M, T, n, g, i, port, first, k, move, t):  # type: ignore[no-untyped-def]
    """Head ``i`` and channel ``k`` of the output have found each other."""
    if move:
        T[n.head + layout.HEAD_OF_VC * (first + k) + layout.GRANT] = (i + 1) & 63
        T[n.head + layout.HEAD_OF_VC * g + layout.ACCEPT] = (port << n.vs | k) + 1
    give_channel(M, T, n, g, port, k, t)


@inlined
def _channels_by_grants(M, T, n, r, port, heads, free, first, t):  # type: ignore[no-untyped-def]
    """Channels grant, heads accept (iSLIP, and separable with outputs first)."""
    for iteration in range(n.iterations if n.vc_allocator == layout.ISLIP else 1):
        granted = NONE
        left = free
        while left != NONE:
            k = lowest(left)
            left &= left - ONE
            asking = _asking(T, n, r, heads, k)
            if asking == NONE:
                continue
            i = first_from(asking, T[n.head + layout.HEAD_OF_VC * (first + k) + layout.GRANT])
            granted |= bit(i)
            M[n.scratch + i] |= np.int64(bit(k))
        if granted == NONE:
            return
        while granted != NONE:
            i = lowest(granted)
            granted &= granted - ONE
            g = r << n.rs | i
            offered = np.uint64(M[n.scratch + i])
            M[n.scratch + i] = 0
            k = first_from(offered, _start(T[n.head + layout.HEAD_OF_VC * g + layout.ACCEPT], port, n.vs))
            _couple(M, T, n, g, i, port, first, k, iteration == 0, t)
            heads &= ~bit(i)
            free &= ~bit(k)


@inlined
def _asking(T, n, r, heads, k):  # type: ignore[no-untyped-def]
    """Of the heads, those that may take channel ``k``."""
    if n.masked == 0:
        return heads
    asking = NONE
    left = heads
    while left != NONE:
        i = lowest(left)
        left &= left - ONE
        if (T[n.head + layout.HEAD_OF_VC * (r << n.rs | i) + layout.VCS] >> k) & 1:
            asking |= bit(i)
    return asking


@compiled
def _channels_input_first(M, T, n, r, port, heads, free, first, t):  # type: ignore[no-untyped-def]
    """Each head asks for one channel; channels choose among those who ask."""
    asked = NONE
    left = heads
    while left != NONE:
        i = lowest(left)
        left &= left - ONE
        h = n.head + layout.HEAD_OF_VC * (r << n.rs | i)
        allowed = free & np.uint64(T[h + layout.VCS])
        if allowed != NONE:
            k = first_from(allowed, _start(T[h + layout.ACCEPT], port, n.vs))
            asked |= bit(k)
            M[n.scratch + k] |= np.int64(bit(i))
    while asked != NONE:
        k = lowest(asked)
        asked &= asked - ONE
        asking = np.uint64(M[n.scratch + k])
        M[n.scratch + k] = 0
        i = first_from(asking, T[n.head + layout.HEAD_OF_VC * (first + k) + layout.GRANT])
        _couple(M, T, n, r << n.rs | i, i, port, first, k, True, t)


@inlined
def match_switch(M, T, n, r, t):  # type: ignore[no-untyped-def]
    """Switch allocation of a router: how many virtual channels send a flit; they are listed at ``n.matched``."""
    outputs = np.uint64(M[n.router + n.router_words * r + layout.OUTPUTS])
    if n.narrow == 1:
        outputs = _not_held(M, n, r, outputs, t)
    if n.switch_allocator == layout.SEPARABLE_INPUT_FIRST:
        return _switch_input_first(M, T, n, r, outputs)
    if outputs & (outputs - ONE) == NONE:
        if outputs == NONE:
            return 0
        port = lowest(outputs)
        into = _first_input(M, T, n, r, port, NONE)
        T[n.matched] = _connect(M, T, n, r, into, port, True)
        return 1
    return _switch_by_grants(M, T, n, r, outputs)


@compiled
def _not_held(M, n, r, outputs, t):  # type: ignore[no-untyped-def]
    """Of the outputs, those that no earlier flit still occupies."""
    hold = n.router + n.router_words * r + layout.HEADS + 3 * n.ports
    left = outputs
    while left != NONE:
        port = lowest(left)
        left &= left - ONE
        if M[hold + port] > t:
            outputs &= ~bit(port)
    return outputs


@inlined
def _first_input(M, T, n, r, port, taken):  # type: ignore[no-untyped-def]
    """The first input at or after the output's pointer that bids for it and is not taken; -1: none.

    ``taken`` is a set of virtual channels, all those of an input or none.
    """
    bids = np.uint64(M[n.router + n.router_words * r + layout.HEADS + 2 * n.ports + port]) & ~taken
    if bids == NONE:
        return -1
    start = T[n.port + layout.PORT * (r * n.ports + port) + layout.PICK]
    return first_from(bids, start << n.vs) >> n.vs


@inlined
def _side(n, into):  # type: ignore[no-untyped-def]
    """All virtual channels of an input."""
    return np.uint64((1 << (1 << n.vs)) - 1) << np.uint64(into << n.vs)


@inlined
def _connect(M, T, n, r, into, port, move):  # type: ignore[no-untyped-def]
    """Input and output are connected for a cycle: which of the input's virtual channels sends; pointers move."""
    i = n.port + layout.PORT * (r * n.ports + into)
    o = n.port + layout.PORT * (r * n.ports + port)
    if move:
        T[o + layout.PICK] = into + 1 if into + 1 < n.ports else 0
        T[i + layout.CHOOSE] = port + 1 if port + 1 < n.ports else 0
    bids = np.uint64(M[n.router + n.router_words * r + layout.HEADS + 2 * n.ports + port]) & _side(n, into)
    k = first_from(bids >> np.uint64(into << n.vs), T[i + layout.TURN])
    T[i + layout.TURN] = k + 1 if k + 1 < n.vcs else 0
    return r << n.rs | into << n.vs | k


@inlined
def _switch_by_grants(M, T, n, r, outputs):  # type: ignore[no-untyped-def]
    """Outputs grant, inputs accept (iSLIP, and separable with outputs first)."""
    taken = NONE  # virtual channels of the inputs that are matched
    matched = 0
    for iteration in range(n.iterations if n.switch_allocator == layout.ISLIP else 1):
        granted = NONE
        left = outputs
        while left != NONE:
            port = lowest(left)
            left &= left - ONE
            into = _first_input(M, T, n, r, port, taken)
            if into < 0:
                continue
            if (granted >> np.uint64(into)) & ONE == NONE:
                granted |= bit(into)
                M[n.offers + into] = 0
            M[n.offers + into] |= 1 << port
        if granted == NONE:
            break
        while granted != NONE:
            into = lowest(granted)
            granted &= granted - ONE
            offered = np.uint64(M[n.offers + into])
            port = first_from(offered, T[n.port + layout.PORT * (r * n.ports + into) + layout.CHOOSE])
            T[n.matched + matched] = _connect(M, T, n, r, into, port, iteration == 0)
            matched += 1
            taken |= _side(n, into)
            outputs &= ~bit(port)
    return matched


@compiled
def _switch_input_first(M, T, n, r, outputs):  # type: ignore[no-untyped-def]
    """Each input asks for one output; outputs choose among those who ask."""
    asked = NONE
    for into in range(n.ports):
        wanted = NONE
        left = outputs
        while left != NONE:
            port = lowest(left)
            left &= left - ONE
            bids = np.uint64(M[n.router + n.router_words * r + layout.HEADS + 2 * n.ports + port])
            if bids & _side(n, into) != NONE:
                wanted |= bit(port)
        if wanted == NONE:
            continue
        port = first_from(wanted, T[n.port + layout.PORT * (r * n.ports + into) + layout.CHOOSE])
        if (asked >> np.uint64(port)) & ONE == NONE:
            asked |= bit(port)
            M[n.offers + port] = 0
        M[n.offers + port] |= 1 << into
    matched = 0
    while asked != NONE:
        port = lowest(asked)
        asked &= asked - ONE
        into = first_from(np.uint64(M[n.offers + port]), T[n.port + layout.PORT * (r * n.ports + port) + layout.PICK])
        T[n.matched + matched] = _connect(M, T, n, r, into, port, True)
        matched += 1
    return matched
