"""A router: what happens to heads and flits, between the allocators.

Input-queued, wormhole, credits; see :mod:`pimsim.reference.router` for the same in the words of the hardware.
``g`` is an input's virtual channel, ``d`` the one downstream that its packet goes to, ``t`` the present cycle.
"""

from __future__ import annotations

import numpy as np

from pimsim.arch.noc.flit import layout
from pimsim.arch.noc.flit.events import post, wake_router
from pimsim.arch.noc.flit.source import next_free_slot, write_flit
from pimsim.engine.bits import bit
from pimsim.engine.compiling import inlined


@inlined
def arrive(M, T, n, g, t):  # type: ignore[no-untyped-def]
    """A flit has come into the buffer of ``g``."""
    v = n.vc + layout.VC * g
    T[v + layout.COUNT] += 1
    state = T[v + layout.STATE]
    if state == layout.ACTIVE:
        if T[v + layout.COUNT] == 1:
            bid(M, T, n, g, t)
    elif state == layout.IDLE:
        take_head(M, T, n, g, t)


@inlined
def take_head(M, T, n, g, t):  # type: ignore[no-untyped-def]
    """The oldest flit of ``g`` is a head; its routing begins in cycle ``t``, the present one or the next."""
    T[n.vc + layout.VC * g + layout.STATE] = layout.ROUTING
    T[n.head + layout.HEAD_OF_VC * g + layout.BRANCH] = -1
    start_routing(M, T, n, g, t)


@inlined
def start_routing(M, T, n, g, t):  # type: ignore[no-untyped-def]
    """The head asks for a virtual channel when it is routed."""
    if n.batches == 1:
        b = n.router + n.router_words * (g >> n.rs) + layout.BATCH
        if t >= M[b] + n.routing_cycles:
            M[b] = t
        elif t > M[b]:
            M[b] += n.routing_cycles
        t = M[b]
    post(T, n, t + n.routing_cycles, layout.REQUEST, g)


@inlined
def request(M, T, n, g, t):  # type: ignore[no-untyped-def]
    """A head is routed: it waits for a virtual channel of its output."""
    v = n.vc + layout.VC * g
    h = n.head + layout.HEAD_OF_VC * g
    r = g >> n.rs
    base = n.router + n.router_words * r
    word = M[n.slots + n.depth * g + T[v + layout.READ]]
    p = n.packet + layout.PACKET * (word >> layout.PACKET_SHIFT & layout.PACKET_MASK)
    T[v + layout.STATE] = layout.WAITING
    mine = np.int64(bit(g & ((1 << n.rs) - 1)))
    if (word & layout.FORKS) != 0:
        if T[h + layout.BRANCH] < 0:
            edge = (word >> layout.ROUTE_SHIFT) & layout.ROUTE_MASK
            T[h + layout.BRANCH] = T[n.edge_child_lo + edge]
            T[h + layout.START] = T[v + layout.READ]
        branch = T[h + layout.BRANCH]
        wait_for(M, T, n, g, base, T[n.edge_port + branch], T[n.edge_vcs + branch], 0, mine)
    else:
        target = T[p + layout.TARGET]
        to = T[n.terminal_router + target]
        if to == r:
            wait_for(M, T, n, g, base, T[n.terminal_port + target], n.every_vc, 0, mine)
        else:
            route = (word >> layout.ROUTE_SHIFT) & 255
            if route == 0 and n.adaptive >= 0:
                M[base + layout.ADAPTIVE] |= mine
            else:
                hop = T[n.next + (route * n.routers + r) * n.routers + to]
                wait_for(M, T, n, g, base, hop & 255, M[n.class_vcs + (hop >> 8)], hop >> 8, mine)
    wake_router(M, n, r)


@inlined
def wait_for(M, T, n, g, base, port, vcs, following, mine):  # type: ignore[no-untyped-def]
    """The head asks for one of the virtual channels ``vcs`` of the output; there it is of class ``following``."""
    v = n.vc + layout.VC * g
    h = n.head + layout.HEAD_OF_VC * g
    T[v + layout.OUT_PORT] = port
    T[h + layout.VCS] = vcs
    T[h + layout.NEXT_CLASS] = following
    M[base + layout.HEADS + port] |= mine
    if M[base + layout.HEADS + n.ports + port] != 0:
        M[base + layout.READY] |= 1 << port


@inlined
def give_channel(M, T, n, g, port, index, t):  # type: ignore[no-untyped-def]
    """The head of ``g`` gets virtual channel ``index`` of the output."""
    v = n.vc + layout.VC * g
    r = g >> n.rs
    base = n.router + n.router_words * r
    T[v + layout.STATE] = layout.ACTIVE
    T[v + layout.OUT] = T[n.port + layout.PORT * (r * n.ports + port) + layout.DOWN] + index
    T[v + layout.CREDIT_DUE] = 0
    heads = base + layout.HEADS + port
    mine = np.int64(bit(g & ((1 << n.rs) - 1)))
    M[heads] &= ~mine
    M[heads + n.ports] &= ~(1 << index)
    if M[heads] == 0 or M[heads + n.ports] == 0:
        M[base + layout.READY] &= ~(1 << port)
    if n.va_cycles == 1:
        M[base + layout.JOINING] |= mine
    else:
        post(T, n, t + n.va_cycles, layout.JOIN, g)


@inlined
def bid(M, T, n, g, t):  # type: ignore[no-untyped-def]
    """``g`` holds a flit and a virtual channel; it bids for the switch from ``t`` on, or when it has a credit."""
    v = n.vc + layout.VC * g
    if T[v + layout.CREDIT_DUE] == 1:
        return
    free = next_free_slot(M, T, n, T[v + layout.OUT])
    if free < 0:
        T[n.vc + layout.VC * T[v + layout.OUT] + layout.SENDER] = g + 1
        T[v + layout.CREDIT_DUE] = 1
    elif free <= t:
        r = g >> n.rs
        base = n.router + n.router_words * r
        port = T[v + layout.OUT_PORT]
        M[base + layout.HEADS + 2 * n.ports + port] |= np.int64(bit(g & ((1 << n.rs) - 1)))
        M[base + layout.OUTPUTS] |= 1 << port
        wake_router(M, n, r)
    else:
        T[v + layout.CREDIT_DUE] = 1
        post(T, n, free, layout.CREDIT, g)


@inlined
def stop_bidding(M, n, g, base, port):  # type: ignore[no-untyped-def]
    """``g`` has no flit, or no credit."""
    bids = base + layout.HEADS + 2 * n.ports + port
    M[bids] &= ~np.int64(bit(g & ((1 << n.rs) - 1)))
    if M[bids] == 0:
        M[base + layout.OUTPUTS] &= ~(1 << port)


@inlined
def free_slot(M, T, n, g, slot, at):  # type: ignore[no-untyped-def]
    """The slot may be written again from cycle ``at`` on; whoever waits for it is told."""
    M[n.slots + n.depth * g + slot] = ~at
    sender = T[n.vc + layout.VC * g + layout.SENDER]
    if sender != 0:
        T[n.vc + layout.VC * g + layout.SENDER] = 0
        if sender > 0:
            post(T, n, at, layout.CREDIT, sender - 1)
        else:
            post(T, n, at, layout.REFILL, -1 - sender)


@inlined
def send(M, T, n, g, t):  # type: ignore[no-untyped-def]
    """``g`` has the switch: its oldest flit leaves."""
    v = n.vc + layout.VC * g
    r = g >> n.rs
    base = n.router + n.router_words * r
    port = T[v + layout.OUT_PORT]
    way = n.port + layout.PORT * (r * n.ports + port)
    d = T[v + layout.OUT]
    read = T[v + layout.READ]
    word = M[n.slots + n.depth * g + read]
    branch = -1
    last_branch = True
    if (word & layout.FORKS) != 0:
        branch = np.int64(T[n.head + layout.HEAD_OF_VC * g + layout.BRANCH])
        edge = T[n.edge_parent + branch]
        last_branch = branch + 1 == T[n.edge_child_hi + edge]
        if (word & layout.HEAD) != 0:
            word = (word & ~(layout.ROUTE_MASK << layout.ROUTE_SHIFT)) | branch << layout.ROUTE_SHIFT
            if n.hops >= 0:
                M[n.hops + (word >> layout.PACKET_SHIFT & layout.PACKET_MASK)] += 1
    elif (word & layout.HEAD) != 0:
        word = _next_route(T, n.head + layout.HEAD_OF_VC * g, word)
    T[v + layout.READ] = read + 1 if read + 1 < n.depth else 0
    T[v + layout.COUNT] -= 1
    if last_branch:
        into = n.port + layout.PORT * (r * n.ports + ((g & ((1 << n.rs) - 1)) >> n.vs))
        free_slot(M, T, n, g, read, t + T[into + layout.FREED])
    M[n.flits + T[way + layout.CHANNEL]] += 1
    if n.narrow == 1:
        M[base + layout.HEADS + 3 * n.ports + port] = t + T[way + layout.HOLD]
    if not last_branch:
        M[n.counts + layout.IN_FLIGHT] += 1
    if d < n.first_terminal:
        write_flit(M, T, n, d, word)
        post(T, n, t + T[way + layout.ARRIVAL], layout.ARRIVE, d)
    else:
        _eject(M, T, n, d, word, branch, t, way)
    if (word & layout.TAIL) != 0:
        _release(M, T, n, g, d, base, port, last_branch, t, word >> layout.PACKET_SHIFT & layout.PACKET_MASK)
    elif T[v + layout.COUNT] > 0:
        # still bids, unless there is no credit for the next flit
        free = next_free_slot(M, T, n, d)
        if free < 0 or free > t + 1:
            stop_bidding(M, n, g, base, port)
            bid(M, T, n, g, t + 1)
    else:
        stop_bidding(M, n, g, base, port)


@inlined
def _next_route(T, h, word):  # type: ignore[no-untyped-def]
    """The head's word with the class it has behind this router, and one hop more."""
    route = (word >> layout.ROUTE_SHIFT) & layout.ROUTE_MASK
    onward = (((route >> 8) + 1) << 8) | T[h + layout.NEXT_CLASS]
    return (word & ~(layout.ROUTE_MASK << layout.ROUTE_SHIFT)) | onward << layout.ROUTE_SHIFT


@inlined
def _eject(M, T, n, d, word, branch, t, way):  # type: ignore[no-untyped-def]
    """A flit goes to its terminal, which never blocks."""
    write = T[n.vc + layout.VC * d + layout.WRITE]
    M[n.slots + n.depth * d + write] = ~(t + n.eject_freed)
    T[n.vc + layout.VC * d + layout.WRITE] = write + 1 if write + 1 < n.depth else 0
    M[n.counts + layout.IN_FLIGHT] -= 1
    if (word & layout.TAIL) == 0:
        if n.hops >= 0 and (word & layout.HEAD) != 0:
            _note_hops(M, n, word)
        return
    packet = word >> layout.PACKET_SHIFT & layout.PACKET_MASK
    arrival = t + T[way + layout.ARRIVAL]
    if n.hops >= 0 and (word & layout.HEAD) != 0:
        _note_hops(M, n, word)
    copies = T[n.packet + layout.PACKET * packet + layout.COPIES] - 1
    T[n.packet + layout.PACKET * packet + layout.COPIES] = copies
    if n.atime >= 0:
        M[n.atime + packet] = max(arrival, M[n.atime + packet])
    if copies == 0:
        M[n.counts + layout.ARRIVED] += 1
    if n.reporting == 1:
        k = M[n.counts + layout.REPORTS]
        M[n.report + 3 * k] = packet
        M[n.report + 3 * k + 1] = branch
        M[n.report + 3 * k + 2] = arrival
        M[n.counts + layout.REPORTS] = k + 1


@inlined
def _note_hops(M, n, word):  # type: ignore[no-untyped-def]
    if M[n.hops + (word >> layout.PACKET_SHIFT & layout.PACKET_MASK)] < 0:  # of a multicast they are counted on the way
        M[n.hops + (word >> layout.PACKET_SHIFT & layout.PACKET_MASK)] = ((word >> layout.ROUTE_SHIFT) & layout.ROUTE_MASK) >> 8


@inlined
def _release(M, T, n, g, d, base, port, last_branch, t, packet):  # type: ignore[no-untyped-def]
    """The tail has left: the virtual channel behind it is free, and the next packet or branch takes its turn."""
    v = n.vc + layout.VC * g
    stop_bidding(M, n, g, base, port)
    heads = base + layout.HEADS + port
    M[heads + n.ports] |= 1 << (d & ((1 << n.vs) - 1))
    if M[heads] != 0:
        M[base + layout.READY] |= 1 << port
    if not last_branch:
        h = n.head + layout.HEAD_OF_VC * g
        T[h + layout.BRANCH] += 1
        T[v + layout.READ] = T[h + layout.START]
        T[v + layout.COUNT] += T[n.packet + layout.PACKET * packet + layout.SIZE]
        T[v + layout.STATE] = layout.ROUTING
        start_routing(M, T, n, g, t + 1)
    elif T[v + layout.COUNT] > 0:
        take_head(M, T, n, g, t + 1)
    else:
        T[v + layout.STATE] = layout.IDLE
