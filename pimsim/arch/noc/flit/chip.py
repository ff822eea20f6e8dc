"""A chip's messages over its flit-level network: one clock with everything else.

A message is cut into packets, which join the queue of a terminal in the first cycle that is not before the time of
sending; it is complete at the end of an edge when all its packets are there, and messages of one root are handed
over in the order of sending.  The network's cycle is an event, the last of all at its time; while the network is
empty there is none.
"""

from __future__ import annotations

from collections import namedtuple

from pimsim.arch import tracing
from pimsim.arch.layout import EDGE, Layout
from pimsim.arch.noc.flit import layout
from pimsim.arch.noc.flit.events import wake_source
from pimsim.arch.noc.flit.layout import Net
from pimsim.arch.noc.flit.source import enqueue
from pimsim.arch.noc.flit.step import next_cycle, step
from pimsim.engine.compiling import compiled, inlined, reader
from pimsim.engine.events import schedule
from pimsim.engine.ports import FIELDS, serve
from pimsim.engine.queue import ROOM, TOTAL
from pimsim.engine.registry import behaviour, event

EVENTS = ("free", "issue", "output", "merge", "activate", "chip_link", "inject", "deliver", "arrived", "cycle")
"""Events in the order in which simultaneous ones are handled; a cycle follows everything that is sent at its time."""

WAY = 8  #: words of the record of an edge, T[at.way + WAY * edge + field]
TREE = 0  #: its tree
TERMINAL = 1  #: of a root: where its packets join
COPIES = 2  #: of a root: terminals that its packets reach
SENT = 3  #: of a root: messages sent
GOT = 4  #: of an end: messages handed over
PARTS = 5  #: of an end: packets of the next message that have arrived
EARLY = 6  #: of an end: list of packets of later messages, or -1

DUE = layout.OWNER + 1  #: of a packet's record: reports of its arrival that are still to come

CUT = 4  #: words of the record of a tree, T[at.cut + CUT * tree + field]
PACKETS, SIZE, LAST_SIZE, FIRST_ROOT = range(4)

# M[at.clock + field]
NEXT_CYCLE = 0  #: cycle whose event is due; -1: the network is empty
SPARE = 1  #: first free record of a packet, or -1
SPARES = 2  #: how many there are
DEAD = 3  #: set when nothing can move any more
LAST_CYCLE = 4  #: the last one simulated; above 1000 GHz several begin at the same time

SHARED = ("counts", "busy_sources", "source", "packet", "report")
"""Fields of the network's layout that a chip's has too."""

read_net = reader(Net)

ChipLayout = namedtuple(  # type: ignore[misc]  # its fields are those of Layout, and some
    "ChipLayout",
    (
        *Layout._fields,
        *("begin_chip_link", "end_chip_link", "end_inject", "begin_cycle", "end_cycle"),
        "n_trees",
        "way",
        "cut",
        "root",  # (roots,) edges
        "clock",
        "period_num",  # parameters: a cycle takes period_num / period_den ps
        "period_den",
        "reserve",  # parameter: records of packets that one event may take
        "net",  # where the layout of the network is kept, a :class:`Net`
        *SHARED,
    ),
)


@inlined
def cycle_start(at, cycle):  # type: ignore[no-untyped-def]
    """When a cycle begins [ps]: rounded to the nearest, halves to even, as ``units.cycles_to_ps``."""
    exact = cycle * at.period_num
    whole = exact // at.period_den
    twice = 2 * (exact - whole * at.period_den)
    if twice > at.period_den or (twice == at.period_den and whole & 1 == 1):
        whole += 1
    return whole


@inlined
def cycle_after(at, time):  # type: ignore[no-untyped-def]
    """The first cycle that does not begin before ``time``."""
    cycle = max(time * at.period_den // at.period_num - 1, 0)
    while cycle_start(at, cycle) < time:
        cycle += 1
    return cycle


@event("inject")
def inject(M, T, at, H, now, x):  # type: ignore[no-untyped-def]
    """A tree's message joins the queues where its roots begin; or one that has come over the chip link of an edge."""
    if x < at.n_trees:
        for k in range(T[at.cut + CUT * x + FIRST_ROOT], T[at.cut + CUT * (x + 1) + FIRST_ROOT]):
            join(M, T, at, T[at.root + k])
    else:
        join(M, T, at, x - at.n_trees)
    cycle = max(cycle_after(at, now), M[at.clock + LAST_CYCLE] + 1)
    if M[at.clock + NEXT_CYCLE] < 0 or cycle < M[at.clock + NEXT_CYCLE]:
        M[at.clock + NEXT_CYCLE] = cycle
        schedule(M, at, H, cycle_start(at, cycle), at.begin_cycle)


@behaviour
def join(M, T, at, root):  # type: ignore[no-untyped-def]
    """The packets of a message at the end of their terminal's queue."""
    way = at.way + WAY * root
    c = at.cut + CUT * T[way + TREE]
    terminal = T[way + TERMINAL]
    message = T[way + SENT]
    T[way + SENT] = message + 1
    packets = T[c + PACKETS]
    for k in range(packets):
        packet = take_record(M, T, at)
        p = at.packet + layout.PACKET * packet
        T[p + layout.TARGET] = root
        T[p + layout.SIZE] = T[c + LAST_SIZE] if k + 1 == packets else T[c + SIZE]
        T[p + layout.MULTICAST] = 1
        T[p + layout.COPIES] = T[way + COPIES]
        T[p + layout.OWNER] = message
        T[p + DUE] = T[way + COPIES]
        enqueue(T, at, terminal, packet)
    wake_source(M, at, terminal)


@inlined
def take_record(M, T, at):  # type: ignore[no-untyped-def]
    """A free record of a packet; the run pauses when few are left."""
    packet = M[at.clock + SPARE]
    M[at.clock + SPARE] = T[at.packet + layout.PACKET * packet + layout.NEXT]
    M[at.clock + SPARES] -= 1
    if M[at.clock + SPARES] < at.reserve:
        M[at.pause] = 1
    return packet


@inlined
def give_back(M, T, at, packet):  # type: ignore[no-untyped-def]
    """The record is free again."""
    T[at.packet + layout.PACKET * packet + layout.NEXT] = M[at.clock + SPARE]
    M[at.clock + SPARE] = packet
    M[at.clock + SPARES] += 1


@compiled
def advance(M, T, at_net, cycle):  # type: ignore[no-untyped-def]
    """Simulate one cycle; the next one in which something happens, or -1."""
    net = read_net(M, at_net)
    M[net.counts + layout.REPORTS] = 0
    step(M, T, net, cycle)
    return next_cycle(M, T, net, cycle + 1)


@event("cycle")
def run_cycle(M, T, at, H, now, x):  # type: ignore[no-untyped-def]
    """One cycle of the network, and what has arrived in it."""
    cycle = M[at.clock + NEXT_CYCLE]
    if cycle < 0 or cycle_start(at, cycle) != now:
        return  # a message that came later was due earlier, so this cycle has its event elsewhere
    M[at.clock + LAST_CYCLE] = cycle
    following = advance(M, T, at.net, cycle)
    for k in range(M[at.counts + layout.REPORTS]):
        report = at.report + 3 * k
        collect(M, T, at, H, M[report], M[report + 1], cycle_start(at, M[report + 2]))
    M[at.clock + NEXT_CYCLE] = following
    if following >= 0:
        schedule(M, at, H, cycle_start(at, following), at.begin_cycle)
    elif M[at.counts + layout.IN_FLIGHT] > 0:
        M[at.clock + DEAD] = 1


@behaviour
def collect(M, T, at, H, packet, edge, time):  # type: ignore[no-untyped-def]
    """A packet is at the end of an edge; messages that are complete are handed over, in order."""
    p = at.packet + layout.PACKET * packet
    way = at.way + WAY * edge
    message = T[p + layout.OWNER]
    T[p + DUE] -= 1
    if T[p + DUE] == 0:
        give_back(M, T, at, packet)
    if message != T[way + GOT]:
        note = take_record(M, T, at)
        n = at.packet + layout.PACKET * note
        T[n + layout.OWNER] = message
        T[n + layout.NEXT] = T[way + EARLY]
        T[way + EARLY] = note
        return
    T[way + PARTS] += 1
    packets = T[at.cut + CUT * T[way + TREE] + PACKETS]
    while T[way + PARTS] == packets:
        T[way + GOT] += 1
        T[way + PARTS] = count_early(M, T, at, way)
        leaf = T[at.edge_leaf + EDGE * edge]
        if H[TOTAL] >= H[ROOM]:  # a queue is sized for more than ever comes at once
            M[at.overflow] = 1
            return
        schedule(M, at, H, time, at.begin_deliver + leaf if leaf >= 0 else at.begin_chip_link + edge)


@behaviour
def count_early(M, T, at, way):  # type: ignore[no-untyped-def]
    """Packets of the message that is next now which have come before; their notes are given back."""
    found = 0
    before = -1
    note = T[way + EARLY]
    while note >= 0:
        n = at.packet + layout.PACKET * note
        following = T[n + layout.NEXT]
        if T[n + layout.OWNER] == T[way + GOT]:
            found += 1
            if before < 0:
                T[way + EARLY] = following
            else:
                T[at.packet + layout.PACKET * before + layout.NEXT] = following
            give_back(M, T, at, note)
        else:
            before = note
        note = following
    return found


@event("chip_link")
def pass_chip_link(M, T, at, H, now, x):  # type: ignore[no-untyped-def]
    """A whole message asks for the link between chips that edge ``x`` is, and goes on behind it."""
    e = EDGE * x
    hold = T[at.edge_hold_ps + e]
    link = T[at.edge_link + e]
    start = serve(M, at.link + FIELDS * link, now, hold)
    tracing.record(M, at, tracing.HOP, link, x, -1, start, start + hold)
    schedule(M, at, H, start + T[at.edge_head_ps + e], at.begin_inject + at.n_trees + x)
