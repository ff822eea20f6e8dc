"""State of a flit-level network: offsets into two arrays, fields of the records, numbering.

``M`` (int64) holds flits, masks and times, ``T`` (int32) records and lists; the network may share both with
the rest of a chip.  Virtual channel v at port p of router r has the number ``r << rs | p << vs | v``; it is
named by the buffer at its downstream end, so an input's virtual channel and the output that leads to it are one
number.  After those of the routers come the virtual channels into the terminals.
"""

from __future__ import annotations

from typing import NamedTuple

VC, HEAD_OF_VC, PORT, SOURCE, PACKET = 8, 8, 8, 8, 8
"""Words of one record in T: 32 bytes each, two in a cache line.  What every flit touches and what only heads do
are apart: with 512 routers the difference is whether the records fit the second-level cache."""

# A virtual channel, T[n.vc + VC * g + field]
COUNT = 0  #: flits in the buffer that have arrived and were not sent on
READ = 1  #: slot of the oldest of them
WRITE = 2  #: slot for the next flit; the sender writes it
STATE = 3  #: IDLE, ROUTING, WAITING, or from ACTIVE on: it has a virtual channel to send to
OUT = 4  #: from ACTIVE on: the virtual channel that its packet goes to
OUT_PORT = 5  #: from WAITING on: the output port
SENDER = 6  #: who waits for a free slot here: 1 + virtual channel, -1 - terminal, 0: nobody
CREDIT_DUE = 7  #: 1: an event will say when a slot at OUT is free

# The same virtual channel, what concerns heads, T[n.head + HEAD_OF_VC * g + field]
ACCEPT = 0  #: as a head that asks for an output: iSLIP's accept pointer
GRANT = 1  #: as an output that heads ask for: iSLIP's grant pointer
VCS = 2  #: WAITING: mask of the virtual channels that the head may take
NEXT_CLASS = 3  #: class of the packet behind the output
BRANCH = 4  #: multicast: the edge that is being served; -1: none yet
START = 5  #: multicast: slot of the packet's head
READY_AT = 6  #: from ACTIVE on: cycle from which it bids, unless it speculates; the low bits of it

SOON = (1 << 30) - 1  #: the low bits of a cycle, which tell it from others that are near

IDLE, ROUTING, WAITING, ACTIVE, KEEPING = range(5)
"""KEEPING: as ACTIVE, but the flits stay in their slots, for the next branch of a multicast."""

# Port p of router r, T[n.port + PORT * (r * n.ports + p) + field]
DOWN = 0  #: first virtual channel behind the output
ARRIVAL = 1  #: cycles from a grant until the flit is at the next input
FREED = 2  #: cycles from a grant at this input until its sender may use the slot again
PICK = 3  #: switch allocation: grant pointer of the output, over inputs
CHOOSE = 4  #: accept pointer of the input, over outputs
TURN = 5  #: of the input: virtual channel that comes first among several for one output
CHANNEL = 6  #: counter of the output's flits
HOLD = 7  #: cycles that a flit occupies the output

# A terminal as source, T[n.source + SOURCE * s + field]
FIRST = 0  #: packet at the head of the queue, or -1
LAST = 1  #: packet at its end
LEFT = 2  #: flits of the first packet that are still to be sent
INTO = 3  #: virtual channel it is sent into
ENTRY = 4  #: first virtual channel of the router's input

# A packet, T[n.packet + PACKET * p + field]
NEXT = 0  #: packet behind it in the queue
TARGET = 1  #: terminal, or the first edge of its tree
SIZE = 2  #: flits
MULTICAST = 3  #: 1: TARGET is an edge
COPIES = 4  #: terminals it has still to reach
OWNER = 5  #: for the user of the network

# A router, M[n.router + n.router_words * r ...]: sets of virtual channels or ports, at set_at(n, base, set)
OUTPUTS = 0  #: outputs for which some virtual channel has a flit and a credit now: it bids
READY = 1  #: outputs with both waiting heads and free virtual channels
ADAPTIVE = 2  #: heads that choose an output in every cycle
JOINING = 3  #: heads that have got a virtual channel in this cycle
BIDS = 4  #: + port: virtual channels that bid for the output
# BIDS + n.ports + port: heads that wait for a virtual channel of the output; then words: n.free + port: mask of the
# output's free virtual channels; n.hold + port: cycle from which the output may be granted; n.batch: cycle in which
# the last batch of heads was taken for routing

# Events: kind << KIND_SHIFT | number
KIND_SHIFT = 28
ARRIVE, REQUEST, JOIN, CREDIT, REFILL = range(5)
"""A flit is in the buffer; a head is routed; a head that has a virtual channel may bid; a slot downstream is free;
the same, at a terminal's router."""

# A flit, one word: 0..2**63 - 1
HEAD, TAIL = 1, 2
ROUTE_SHIFT = 2  #: 30 bits: class | hops << HOPS_SHIFT, or the edge of a multicast
HOPS_SHIFT = 8
CLASS_MASK = (1 << HOPS_SHIFT) - 1
PACKET_SHIFT = 32
PACKET_MASK = (1 << 30) - 1
FORKS = 1 << 62  #: the packet is a multicast
ROUTE_MASK = (1 << 30) - 1

# Progress, M[n.counts + field]
BUSY_ROUTERS = 0
BUSY_SOURCES = 1
IN_FLIGHT = 2  #: flits that have left their source and not arrived, copies included
MOVED = 3  #: last cycle in which a flit went through a switch, or there was none to go
ARRIVED = 4  #: packets, whole
COMING = 5  #: next packet of the replay
REPORTS = 6  #: entries in the list of arrivals
LOST = 7  #: 1 + a virtual channel whose head found no way on; 0: none
COUNTS = 8

ISLIP, SEPARABLE_INPUT_FIRST, SEPARABLE_OUTPUT_FIRST = range(3)


class Net(NamedTuple):
    """Offsets and parameters; R routers, P ports each, V virtual channels each, N terminals."""

    rs: int  #: shift of a router's number
    vs: int  #: shift of a port's number
    routers: int
    terminals: int
    ports: int
    vcs: int
    depth: int  #: flits in a virtual channel
    routing_cycles: int
    batches: int  #: 1: routing in batches
    va_cycles: int
    sa_cycles: int
    speculative: int  #: 1: heads bid for the switch before they have a virtual channel
    joins: int  #: 1: who gets a virtual channel bids in the next cycle
    inject_cycles: int  #: terminal to the input of its router
    eject_freed: int  #: cycles from a grant until the slot at the terminal is free
    every_vc: int  #: mask of all virtual channels
    vc_allocator: int
    switch_allocator: int
    iterations: int
    masked: int  #: 1: heads may not take every virtual channel
    narrow: int  #: 1: some output is occupied for more than a cycle by one flit
    reporting: int  #: 1: arrivals are listed for the user of the network
    patience: int  #: cycles without a move after which the network is dead
    counts: int
    slots: int  #: (VCs, depth): a flit, or ~(cycle from which the slot is free)
    router: int
    router_words: int
    batch: int  #: within the record of a router, as the next two
    free: int
    hold: int
    busy_routers: int  #: bit masks
    busy_sources: int  #: bit masks
    scratch: int  #: sets or masks, one for each virtual channel of a router; all empty between allocations
    offers: int  #: sets, one for each port of a router
    early: int  #: sets: outputs that heads without a virtual channel bid for; and for each output, those heads
    class_vcs: int
    adaptive: int  #: (R, R) masks, or -1
    flits: int  #: (channels + 2 N) flits that went over each: channels, injection, ejection
    itime: int  #: (packets,), as the next two: -1 where times are not kept
    atime: int
    hops: int
    ctime: int
    packets: int  #: of the replay
    report: int  #: list of arrivals: packet, edge or terminal, cycle
    vc: int
    head: int
    first_terminal: int  #: virtual channels from this one on lead into terminals
    port: int
    source: int
    ring: int
    ring_count: int
    ring_mask: int
    ring_room: int
    next: int  #: (classes, R, R)
    terminal_router: int
    terminal_port: int
    edge_port: int
    edge_vcs: int
    edge_parent: int
    edge_child_lo: int
    edge_child_hi: int
    matched: int  #: scratch: virtual channels that have the switch
    origin: int  #: (packets,) terminal that sends
    packet: int


Net.set_words = 1  # type: ignore[attr-defined]


def _wide(words: int) -> type[Net]:
    """Parameters of networks whose sets of virtual channels or ports have so many words."""
    return type(f"Net{words}", (Net,), {"__slots__": (), "__module__": __name__, "set_words": words})


Net2, Net4, Net8, Net16, Net32, Net64, Net128 = (_wide(1 << i) for i in range(1, 8))
NETS: dict[int, type[Net]] = {
    1: Net, 2: Net2, 4: Net4, 8: Net8, 16: Net16, 32: Net32, 64: Net64, 128: Net128,
}  # fmt: skip
"""By words of a set: for each, the kernel is compiled when it is first needed."""
