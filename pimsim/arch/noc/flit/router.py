"""A router: what happens to heads and flits, between the allocators.

Input-queued, wormhole, credits; see :mod:`pimsim.reference.router` for the same in the words of the hardware.
``d`` is the virtual channel downstream that a packet goes to; for the other one-letter names see :mod:`.step`.
"""

from __future__ import annotations

from pimsim.arch.noc.flit import layout
from pimsim.arch.noc.flit.events import post, wake_router
from pimsim.arch.noc.flit.source import next_free_slot, write_flit
from pimsim.engine.bits import discard, insert, is_empty, load_set, words_of_set
from pimsim.engine.compiling import internal
from pimsim.network.routing import CLASS_SHIFT, PORT_MASK


@internal
def set_at(n, base, which):  # type: ignore[no-untyped-def]
    """Where a router keeps one of its sets."""
    return base + which * words_of_set(n)


@internal
def is_any(M, n, base, which):  # type: ignore[no-untyped-def]
    """Whether one of a router's sets has members."""
    return not is_empty(load_set(M, set_at(n, base, which), n))


@internal
def local(n, g):  # type: ignore[no-untyped-def]
    """The number of a virtual channel within its router."""
    return g & ((1 << n.rs) - 1)


@internal
def arrive(M, T, n, g, t):  # type: ignore[no-untyped-def]
    """A flit has come into the buffer of ``g``."""
    v = n.vc + layout.VC * g
    T[v + layout.COUNT] += 1
    state = T[v + layout.STATE]
    if state >= layout.ACTIVE:
        if T[v + layout.COUNT] == 1:
            bid(M, T, n, g, t)
    elif state == layout.IDLE:
        take_head(M, T, n, g, t)


@internal
def take_head(M, T, n, g, t):  # type: ignore[no-untyped-def]
    """The oldest flit of ``g`` is a head; its routing begins in cycle ``t``, the present one or the next."""
    T[n.vc + layout.VC * g + layout.STATE] = layout.ROUTING
    T[n.head + layout.HEAD_OF_VC * g + layout.BRANCH] = -1
    start_routing(M, T, n, g, t)


@internal
def start_routing(M, T, n, g, t):  # type: ignore[no-untyped-def]
    """The head asks for a virtual channel when it is routed."""
    if n.batches == 1:
        b = n.router + n.router_words * (g >> n.rs) + n.batch
        if t >= M[b] + n.routing_cycles:
            M[b] = t
        elif t > M[b]:
            M[b] += n.routing_cycles
        t = M[b]
    post(T, n, t + n.routing_cycles, layout.REQUEST, g)


@internal
def request(M, T, n, g, t):  # type: ignore[no-untyped-def]
    """A head is routed: it waits for a virtual channel of its output."""
    v = n.vc + layout.VC * g
    r = g >> n.rs
    base = n.router + n.router_words * r
    word = M[n.slots + n.depth * g + T[v + layout.READ]]
    T[v + layout.STATE] = layout.WAITING
    if (word & layout.FORKS) != 0:
        request_branch(M, T, n, g, base, word)
    else:
        target = T[n.packet + layout.PACKET * (word >> layout.PACKET_SHIFT) + layout.TARGET]
        to = T[n.terminal_router + target]
        if to == r:
            wait_for(M, T, n, g, base, T[n.terminal_port + target], n.every_vc, 0)
        else:
            route = (word >> layout.ROUTE_SHIFT) & layout.CLASS_MASK
            if route == 0 and n.adaptive >= 0:
                insert(M, n, set_at(n, base, layout.ADAPTIVE), local(n, g))
            else:
                follow_table(M, T, n, g, base, route, to)
    wake_router(M, n, r)


@internal
def request_branch(M, T, n, g, base, word):  # type: ignore[no-untyped-def]
    """The head of a multicast waits for the output of its next branch."""
    h = n.head + layout.HEAD_OF_VC * g
    if T[h + layout.BRANCH] < 0:
        edge = (word >> layout.ROUTE_SHIFT) & layout.ROUTE_MASK
        if T[n.edge_child_lo + edge] == T[n.edge_child_hi + edge]:
            M[n.counts + layout.LOST] = g + 1
            return
        T[h + layout.BRANCH] = T[n.edge_child_lo + edge]
        T[h + layout.START] = T[n.vc + layout.VC * g + layout.READ]
    branch = T[h + layout.BRANCH]
    wait_for(M, T, n, g, base, T[n.edge_port + branch], T[n.edge_vcs + branch], 0)


@internal
def follow_table(M, T, n, g, base, route, to):  # type: ignore[no-untyped-def]
    """The head waits for the output that the routing table names."""
    hop = T[n.next + (route * n.routers + (g >> n.rs)) * n.routers + to]
    if hop < 0:
        M[n.counts + layout.LOST] = g + 1
    else:
        wait_for(M, T, n, g, base, hop & PORT_MASK, M[n.class_vcs + (hop >> CLASS_SHIFT)], hop >> CLASS_SHIFT)


@internal
def wait_for(M, T, n, g, base, port, vcs, following):  # type: ignore[no-untyped-def]
    """The head asks for one of the virtual channels ``vcs`` of the output; there it is of class ``following``."""
    if T[n.port + layout.PORT * ((g >> n.rs) * n.ports + port) + layout.DOWN] < 0:
        M[n.counts + layout.LOST] = g + 1
        return
    h = n.head + layout.HEAD_OF_VC * g
    T[n.vc + layout.VC * g + layout.OUT_PORT] = port
    T[h + layout.VCS] = vcs
    T[h + layout.NEXT_CLASS] = following
    insert(M, n, set_at(n, base, layout.BIDS + n.ports + port), local(n, g))
    if M[base + n.free + port] != 0:
        insert(M, n, set_at(n, base, layout.READY), port)


@internal
def give_channel(M, T, n, g, port, index, t):  # type: ignore[no-untyped-def]
    """The head of ``g`` gets virtual channel ``index`` of the output."""
    v = n.vc + layout.VC * g
    r = g >> n.rs
    base = n.router + n.router_words * r
    h = n.head + layout.HEAD_OF_VC * g
    T[v + layout.STATE] = layout.KEEPING if _more_branches(T, n, T[h + layout.BRANCH]) else layout.ACTIVE
    T[v + layout.OUT] = T[n.port + layout.PORT * (r * n.ports + port) + layout.DOWN] + index
    T[h + layout.READY_AT] = (t + n.va_cycles) & layout.SOON
    discard(M, n, set_at(n, base, layout.BIDS + n.ports + port), local(n, g))
    free = M[base + n.free + port] & ~(1 << index)
    M[base + n.free + port] = free
    if free == 0 or not is_any(M, n, base, layout.BIDS + n.ports + port):
        discard(M, n, set_at(n, base, layout.READY), port)
    if n.joins == 1:
        insert(M, n, set_at(n, base, layout.JOINING), local(n, g))
    else:
        post(T, n, t + n.va_cycles, layout.JOIN, g)


@internal
def _more_branches(T, n, branch):  # type: ignore[no-untyped-def]
    """Whether a multicast has another branch after this one; -1: it is none."""
    return branch >= 0 and branch + 1 < T[n.edge_child_hi + T[n.edge_parent + branch]]


@internal
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
        insert(M, n, set_at(n, base, layout.BIDS + port), local(n, g))
        insert(M, n, set_at(n, base, layout.OUTPUTS), port)
        wake_router(M, n, r)
    else:
        T[v + layout.CREDIT_DUE] = 1
        post(T, n, free, layout.CREDIT, g)


@internal
def stop_bidding(M, n, g, base, port):  # type: ignore[no-untyped-def]
    """``g`` has no flit, or no credit."""
    discard(M, n, set_at(n, base, layout.BIDS + port), local(n, g))
    if not is_any(M, n, base, layout.BIDS + port):
        discard(M, n, set_at(n, base, layout.OUTPUTS), port)


@internal
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


@internal
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
    h = n.head + layout.HEAD_OF_VC * g
    if (word & layout.HEAD) != 0:
        word = _next_route(M, T, n, h, word)
    T[v + layout.READ] = read + 1 if read + 1 < n.depth else 0
    left = T[v + layout.COUNT] - 1
    T[v + layout.COUNT] = left
    last_branch = T[v + layout.STATE] == layout.ACTIVE
    if last_branch:
        into = n.port + layout.PORT * (r * n.ports + (local(n, g) >> n.vs))
        free_slot(M, T, n, g, read, t + T[into + layout.FREED])
    else:
        M[n.counts + layout.IN_FLIGHT] += 1
    M[n.flits + T[way + layout.CHANNEL]] += 1
    if n.narrow == 1:
        M[base + n.hold + port] = t + T[way + layout.HOLD]
    if d < n.first_terminal:
        write_flit(M, T, n, d, word)
        post(T, n, t + T[way + layout.ARRIVAL], layout.ARRIVE, d)
    else:
        _eject(M, T, n, d, word, h, t, way)
    if (word & layout.TAIL) != 0:
        stop_bidding(M, n, g, base, port)
        _release(M, T, n, g, d, base, port, last_branch, t, word >> layout.PACKET_SHIFT & layout.PACKET_MASK)
    elif left == 0:
        stop_bidding(M, n, g, base, port)
    else:
        # still bids, unless there is no credit for the next flit
        free = next_free_slot(M, T, n, d)
        if free < 0 or free > t + 1:
            stop_bidding(M, n, g, base, port)
            bid(M, T, n, g, t + 1)


@internal
def _next_route(M, T, n, h, word):  # type: ignore[no-untyped-def]
    """The head's word behind this router: with the class it has there and one hop more, or with its branch."""
    if (word & layout.FORKS) != 0:
        onward = T[h + layout.BRANCH]
        if n.hops >= 0:
            M[n.hops + (word >> layout.PACKET_SHIFT & layout.PACKET_MASK)] += 1
    else:
        route = (word >> layout.ROUTE_SHIFT) & layout.ROUTE_MASK
        hops = (route >> layout.HOPS_SHIFT) + 1
        onward = hops << layout.HOPS_SHIFT | T[h + layout.NEXT_CLASS]
    return (word & ~(layout.ROUTE_MASK << layout.ROUTE_SHIFT)) | onward << layout.ROUTE_SHIFT


@internal
def _eject(M, T, n, d, word, h, t, way):  # type: ignore[no-untyped-def]
    """A flit goes to its terminal, which never blocks; ``h``: record of the head at the last router."""
    w = T[n.vc + layout.VC * d + layout.WRITE]
    M[n.slots + n.depth * d + w] = ~(t + n.eject_freed)
    T[n.vc + layout.VC * d + layout.WRITE] = w + 1 if w + 1 < n.depth else 0
    M[n.counts + layout.IN_FLIGHT] -= 1
    packet = word >> layout.PACKET_SHIFT & layout.PACKET_MASK
    if n.hops >= 0 and (word & (layout.HEAD | layout.FORKS)) == layout.HEAD:  # a multicast's are counted on the way
        M[n.hops + packet] = ((word >> layout.ROUTE_SHIFT) & layout.ROUTE_MASK) >> layout.HOPS_SHIFT
    if (word & layout.TAIL) == 0:
        return
    arrival = t + T[way + layout.ARRIVAL]
    copies = T[n.packet + layout.PACKET * packet + layout.COPIES] - 1
    T[n.packet + layout.PACKET * packet + layout.COPIES] = copies
    if n.atime >= 0:
        M[n.atime + packet] = max(arrival, M[n.atime + packet])
    if copies == 0:
        M[n.counts + layout.ARRIVED] += 1
    if n.reporting == 1:
        k = M[n.counts + layout.REPORTS]
        M[n.report + 3 * k] = packet
        M[n.report + 3 * k + 1] = T[h + layout.BRANCH]
        M[n.report + 3 * k + 2] = arrival
        M[n.counts + layout.REPORTS] = k + 1


@internal
def _release(M, T, n, g, d, base, port, last_branch, t, packet):  # type: ignore[no-untyped-def]
    """The tail has left: the virtual channel behind it is free, and the next packet or branch takes its turn."""
    v = n.vc + layout.VC * g
    M[base + n.free + port] |= 1 << (d & ((1 << n.vs) - 1))
    if is_any(M, n, base, layout.BIDS + n.ports + port):
        insert(M, n, set_at(n, base, layout.READY), port)
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
