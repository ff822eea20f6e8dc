"""What must hold in every cycle of a router network, and what a deadlock looks like."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pimsim.reference.router_links import Flit, Sender
from pimsim.reference.router_unit import InputVC, RouterUnit, State

if TYPE_CHECKING:
    from pimsim.reference.router import RouterNetwork


class Invariants:
    """Looks at a network between two cycles."""

    def __init__(self, network: RouterNetwork) -> None:
        self.network = network
        self.ends: list[tuple[Sender, list[InputVC] | None]] = []  # each link's sender, and the buffers at its end
        at_end = {id(link): r.vcs[port] for r in network.routers for port, link in r.inputs.items()}
        senders = [source.sender for source in network.sources]
        senders += [sender for r in network.routers for sender in r.outputs.values()]
        self.ends = [(sender, at_end.get(id(sender.link))) for sender in senders]

    def check(self) -> None:
        """Raises AssertionError where something was lost, doubled or mixed."""
        for sender, buffers in self.ends:
            self._check_slots(sender, buffers)
        for router in self.network.routers:
            self._check_owners(router)
            for port in router.vcs:
                for vc in port:
                    _check_order(list(vc.buffer))
        self._check_flits()

    def _check_slots(self, sender: Sender, buffers: list[InputVC] | None) -> None:
        """Every slot of a virtual channel is a credit, a flit, or one of them on its way."""
        link = sender.link
        flying = Counter(flit.vc for _, flit in link.flits.items)
        returning = Counter(vc for _, vc in link.credits.items)
        for v, free in enumerate(sender.credits):
            held = 0 if buffers is None else len(buffers[v].buffer)
            slots = free + held + flying[v] + returning[v]
            assert slots == self.network.spec.vc_buffer, f"{link.name}, virtual channel {v}: {slots} slots"

    def _check_owners(self, router: RouterUnit) -> None:
        """Owned virtual channels and their owners are one to one."""
        owned = Counter(
            (vc.hop.port, vc.out_vc)
            for port in router.vcs
            for vc in port
            if vc.state is State.ACTIVE and vc.hop is not None
        )
        width = range(self.network.spec.vcs)
        taken = {(port, v) for port, sender in router.outputs.items() for v in width if sender.taken[v]}
        assert set(owned) == taken, f"{router.number}: owners are lost"
        assert not owned or max(owned.values()) == 1, f"{router.number}: a virtual channel has two owners"

    def _check_flits(self) -> None:
        """A flit of a packet to one terminal is in one place; of a multicast, in at most one on each edge."""
        network, routes = self.network, self.network.routes
        places: Counter[tuple[int, int, int]] = Counter()
        for sender, buffers in self.ends:
            flits = [flit for _, flit in sender.link.flits.items]
            flits += [flit for vc in buffers or () for flit in vc.buffer]
            for flit in flits:
                edge = flit.route if routes.is_multicast(flit.packet) else -1
                places[flit.packet, flit.index, edge] += 1
        assert not places or max(places.values()) == 1, "a flit is in two places"
        present = Counter(packet for packet, _, _ in places)
        for packet, (sent, received) in enumerate(zip(network.record.sent, network.record.received, strict=True)):
            if not routes.is_multicast(packet):
                assert present[packet] == sent - received, f"packet {packet} has lost a flit"


def _check_order(flits: list[Flit]) -> None:
    """In a buffer, the flits of a packet follow each other, and a packet follows the tail of another."""
    for one, two in zip(flits, flits[1:], strict=False):
        if one.tail:
            assert two.head, "packets of a virtual channel do not mix"
        else:
            assert (two.packet, two.index) == (one.packet, one.index + 1), "packets of a virtual channel do not mix"


def describe_deadlock(network: RouterNetwork, now: int) -> str:
    """The channels that wait for each other, each for the next and the last for the first."""
    ends = {id(link): (r, port) for r in network.routers for port, link in r.inputs.items()}
    blocked = [(r, vc) for r in network.routers for port in r.vcs for vc in port if vc.buffer]
    for router, vc in blocked:
        circle = _follow(router, vc, ends)
        if circle:
            return f"deadlock since cycle {now - network.quiet}: {', '.join(circle)}, and again"
    return f"nothing moves since cycle {now - network.quiet}, and no channels wait for each other"


def _follow(router: RouterUnit, vc: InputVC, ends: dict[int, tuple[RouterUnit, int]]) -> list[str]:
    """From buffer to buffer, always to the one that the packet at the front waits for; the circle, if it closes."""
    seen: list[InputVC] = []
    names: list[str] = []
    while vc not in seen:
        seen.append(vc)
        names.append(router.inputs[vc.port].name)
        hop = vc.hop or router.wanted_hop(vc)
        link = router.outputs[hop.port].link
        if id(link) not in ends:
            return []
        router, port = ends[id(link)]
        wanted = [vc.out_vc] if vc.hop else [v for v in range(len(router.vcs[port])) if hop.vcs >> v & 1]
        held = [router.vcs[port][v] for v in wanted if router.vcs[port][v].buffer]
        if not held:
            return []
        vc = held[0]
    return names[seen.index(vc) :]
