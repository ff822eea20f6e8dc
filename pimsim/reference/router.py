"""A network of input-queued wormhole routers, cycle by cycle and flit by flit: the slow, obvious twin.

What follows pins everything that two implementations could do differently.  Where nothing else is said, this is the
``iq`` router of BookSim 2 (Jiang et al., ISPASS 2013), and packets replayed from it come out in the same cycles.
V is ``router.vcs``; rd, va, sa, st are the cycles of routing, virtual-channel (VC) allocation, switch allocation and
traversal; L is the latency of a link.

A cycle.  All routers and terminals see the state at the beginning of cycle t: (1) flits and credits that arrive in
t are there; packets with ctime <= t are in their source's queue; (2) each source sends at most one flit; (3) each
router routes, decides VC allocation, decides switch allocation, and only then applies both, VC allocation first.
So a VC that a tail releases in t can be allocated in t + 1, never in t.  Nothing sent in t arrives in t, hence the
order of routers does not matter.

Links.  A flit that leaves the crossbar in cycle c is at the other end in c + 1 + L.  A flit granted the switch in g
leaves the crossbar in g + sa - 1 + st (+ k - 1 on a channel with ``flit_cycles`` k).  The credit of a flit granted in
g leaves the input in g + sa - 1 and is usable by the sender 1 + L cycles later, where L is the link's own latency
(``inject_latency`` towards a source); a router, not a source, uses it ``credit_cycles`` later still.  A terminal
sends the credit in the cycle of the flit's arrival, over ``eject_latency``.  Terminals always accept.

Source.  One packet at a time.  For a head: the first VC after the one used last (before the first packet: from VC 0
on), going round, that the packet may use and that has a credit; itime is the cycle in which the head leaves.  Every
flit needs a credit.  The next head may leave in the cycle after the tail, even in the same VC.

Input VC.  A head that arrives in t in an idle VC starts routing in t; one that waits behind another packet starts in
g + 1, where g is the grant of that packet's tail.  Started in s, it asks for a VC from s + rd on.  In batches (only
``routing_in_batches``): when no batch is at work in a router, all heads that have started and wait are taken as
one; taken in b, they ask from b + rd on, and the next batch may be taken in b + rd.  Grants of VC and switch are
decided in the first cycle, t, of the allocation, on the state at its beginning; a loser asks again in t + 1.  A VC
granted in t is owned from t; its new owner may bid for the switch from t + va on.  A switch grant in g takes the
credit, releases the VC (tail) and lets the next flit or packet go on as of g + 1, for any sa: all sa - 1 further
cycles are latency, of the flit and of the credit that it sends back.

VC allocation.  A head asks for every free VC that it may use at one port: an allocator with P V inputs (input port *
V + VC) and P V outputs.  A full VC can be allocated.  Adaptive routing chooses the port anew in every cycle: of the
ports in ``adaptive[r, t]`` with a free VC in ``class_vcs[0]``, the one with the most credits, summed over all VCs in
``class_vcs[0]``, free or not; at equal credits the lowest port; if no port has a free VC, the free VCs of the escape
hop.  A head of another class, or at its target's router, has no choice; from the source and to the terminal any VC
will do.  The class that a packet has on a channel is settled by the grant.

Switch allocation.  A VC whose VC allocation has taken effect, with a flit and a credit, bids for its output unless
the output is busy (flit_cycles k: granted in g, no bids in g + 1 .. g + k - 1).  Of the VCs of one input that want
the same output one asks: the first from the input's pointer on, going round; the pointer, one for each input,
moves to behind the VC that was granted.  Then an allocator of P inputs and P outputs.

Speculation.  A VC that asks for, or was granted but cannot yet use, a VC bids too if some VC that it asks for (or
the one granted) has a credit.  Such bids have lower priority where an input chooses a VC for an output, and in the
arbiters of the separable allocators; iSLIP knows no priorities.  A speculative grant in g is used if a VC of that
output was granted in g or before, will be usable in g + sa, and has a credit; else the grant, and the cycle of the
output, is lost, but all pointers have moved.

Allocators.  iSLIP: each unmatched output grants to the first unmatched asking input from its pointer on, each input
accepts the first granting output from its pointer on; both pointers move behind the partner, only for accepts of
the first iteration.  Separable input first: every input picks a request (highest priority, then from its pointer
on), every output one of the inputs that picked it; output first: the other way round.  Pointers of both sides of a
final match move behind the partner; no others move, and there is one iteration.

Multicast.  A router serves a packet that came over edge e for e's children in order, each as if it were the next
packet in the VC: routing for the next child starts in g + 1, where g is the tail's grant for the one before.  Flits
leave the buffer, and send their credits, when granted for the last child.  The VCs that an edge may take are in its
mask, also on the way to a terminal and, for the root, from the source.  A branch takes flits as they come.

Deadlock.  Raised when packets wait and nothing was sent or granted for longer than all stages and links take by
themselves; in which cycle that is noticed is not pinned.

Counts.  hops: switch grants of heads, over all branches.  channel_flits: counted at the grant.  A packet that has
not arrived everywhere has atime NEVER and hops NEVER.  The run ends when all packets have arrived, or before cycle
``cycles``, whichever is first.
"""

from __future__ import annotations

import numpy as np

from pimsim.config.network import Router
from pimsim.errors import InputError
from pimsim.network.packets import Arrivals, Branches, Deadlock, Packets
from pimsim.network.routing import Routing
from pimsim.network.topology import Topology
from pimsim.reference.router_checks import Invariants, describe_deadlock
from pimsim.reference.router_links import Flit, Link, Sender
from pimsim.reference.router_record import Record
from pimsim.reference.router_routes import Packet, Routes
from pimsim.reference.router_terminals import Offer, Sink, Source
from pimsim.reference.router_unit import RouterUnit

__all__ = ["Deadlock", "route_packets"]


def route_packets(
    topology: Topology,
    routing: Routing | None,
    router: Router,
    packets: Packets,
    branches: Branches | None = None,
    *,
    cycles: int | None = None,
    check: bool = False,
) -> Arrivals:
    """Send packets through a network of routers, cycle by cycle.

    Args:
        routing: may be None where all packets are multicasts.
        branches: trees of the multicasts.
        cycles: end before this cycle, whatever is still under way; None: when all packets have arrived.
        check: assert, in every cycle, that no flit and no credit is lost or doubled.

    Raises:
        InputError: packets not in the order of time, a route that is missing, or a packet that is to branch and is
            longer than a virtual channel's buffer.
        Deadlock: packets wait for each other.
    """
    routes = Routes(topology, routing, packets, branches, router.vcs)
    _check_packets(packets, routes, router.vc_buffer)
    network = RouterNetwork(topology, router, routes)
    invariants = Invariants(network) if check else None
    now = 0
    while network.record.under_way and (cycles is None or now < cycles):
        network.step(now)
        if invariants:
            invariants.check()
        if network.quiet > network.patience:
            raise Deadlock(describe_deadlock(network, now))
        now += 1
    return network.record.arrivals(now)


class RouterNetwork:
    """Routers and terminals, and the links between them."""

    def __init__(self, topology: Topology, spec: Router, routes: Routes) -> None:
        self.topology, self.spec, self.routes = topology, spec, routes
        self.record = Record([routes.leaves(p) for p in range(len(routes.packets))], topology.channels)
        self.routers = [RouterUnit(r, spec, topology.ports, routes, self.record) for r in range(topology.routers)]
        self._join_routers()
        self.sources, self.sinks = self._add_terminals()
        self.offered = 0  #: packets that have joined their source's queue
        self.quiet = 0  #: cycles since something was sent or granted, while packets were in the network
        self.patience = 2 * self._longest_wait()
        self.eject_cycles = spec.switch_allocation_cycles + spec.traversal_cycles + spec.eject_latency

    def _join_routers(self) -> None:
        t = self.topology
        for c in range(t.channels):
            latency = int(t.latency[c])
            link = Link(t.channel_name(c), latency, latency + self.spec.credit_cycles, int(t.flit_cycles[c]), c)
            self._begin(link, int(t.source[c]), int(t.source_port[c]))
            self.routers[int(t.target[c])].inputs[int(t.target_port[c])] = link

    def _begin(self, link: Link, router: int, port: int) -> None:
        self.routers[router].outputs[port] = Sender(link, self.spec.vcs, self.spec.vc_buffer)

    def _add_terminals(self) -> tuple[list[Source], list[Sink]]:
        sources, sinks, spec = [], [], self.spec
        places = zip(self.topology.terminal_router.tolist(), self.topology.terminal_port.tolist(), strict=True)
        for terminal, (router, port) in enumerate(places):
            name = self.topology.router_name(router)
            inward = Link(f"terminal {terminal} -> {name}", spec.inject_latency, spec.inject_latency)
            away = spec.eject_latency
            outward = Link(f"{name} -> terminal {terminal}", away, away + spec.credit_cycles)
            self.routers[router].inputs[port] = inward
            self._begin(outward, router, port)
            sources.append(Source(Sender(inward, spec.vcs, spec.vc_buffer), self.record.left))
            sinks.append(Sink(outward, self.record.arrived))
        return sources, sinks

    def _longest_wait(self) -> int:
        """No flit or credit, and no stage, takes longer than so many cycles by itself."""
        spec, t = self.spec, self.topology
        links = max(int(np.max(t.latency, initial=1)), spec.inject_latency, spec.eject_latency)
        stages = 2 * spec.routing_cycles + spec.vc_allocation_cycles + spec.switch_allocation_cycles
        return stages + spec.traversal_cycles + links + spec.credit_cycles + int(np.max(t.flit_cycles, initial=1)) + 8

    @property
    def idle(self) -> bool:
        """Whether there is no packet, and no credit on its way: cycles change nothing until another packet is added."""
        if self.record.under_way:
            return False
        senders = [source.sender for source in self.sources]
        senders += [sender for router in self.routers for sender in router.outputs.values()]
        return not any(sender.link.credits.items for sender in senders)

    def add(self, packet: Packet) -> int:
        """One more packet, which joins its source's queue no earlier than those before; its number."""
        number = len(self.routes.packets)
        self.routes.packets.append(packet)
        self.record.add(self.routes.leaves(number))
        return number

    def step(self, now: int) -> list[Flit]:
        """One cycle; the tails that are granted the way to a terminal, where they arrive ``eject_cycles`` later."""
        for sink in self.sinks:
            sink.receive(now)
        for source in self.sources:
            source.receive_credit(now)
        for router in self.routers:
            router.receive(now)
        self._offer(now)
        moved = sum(source.inject(now) for source in self.sources)
        moved += sum(router.step(now) for router in self.routers)
        waiting = any(source.queue for source in self.sources) or any(
            vc.buffer for router in self.routers for port in router.vcs for vc in port
        )
        self.quiet = self.quiet + 1 if waiting and not moved else 0
        leaving = [sink.coming(now + self.eject_cycles) for sink in self.sinks]
        return [flit for flit in leaving if flit is not None and flit.tail]

    def _offer(self, now: int) -> None:
        """Packets join the queues of their sources."""
        packets = self.routes.packets
        while self.offered < len(packets) and packets[self.offered].ctime <= now:
            packet = packets[self.offered]
            first = self.routes.first(self.offered)
            self.sources[packet.source].queue.append(Offer(self.offered, packet.size, first.vcs, first.route))
            self.offered += 1


def _check_packets(packets: Packets, routes: Routes, vc_buffer: int) -> None:
    if np.any(np.diff(packets.ctime) < 0):
        raise InputError("packets must be in the order of their times", key="packets.ctime")
    if np.any(packets.size < 1):
        raise InputError("a packet without flits", key="packets.size", allowed="1 and more")
    several = np.zeros(packets.size.size, bool) if packets.multicast is None else packets.multicast
    if routes.routing is None and not np.all(several):
        raise InputError("packets to one terminal need routing tables", key="routing")
    if routes.branches is None and np.any(several):
        raise InputError("multicasts need trees", key="branches")
    for packet in np.flatnonzero(several & (packets.size > vc_buffer)).tolist():
        if routes.widest_fork(packet) > 1:  # it stays in the buffer until the last branch has taken it
            raise InputError(
                f"packet {packet} branches, but its {packets.size[packet]} flits do not fit in a virtual channel of "
                f"{vc_buffer}",
                key="router.vc_buffer", allowed=f"{packets.size[packet]} and more",
            )  # fmt: skip
