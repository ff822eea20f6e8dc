"""The two sides of a terminal: the source of packets and the sink of packets."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pimsim.reference.router_links import Flit, Link, Sender


@dataclass(frozen=True)
class Offer:
    """A packet in the queue of its source."""

    packet: int
    size: int  #: flits
    vcs: int  #: mask of the virtual channels that it may use to its router
    route: int  #: class, or the first edge of its tree


class Source:
    """An unbounded queue of packets, sent one at a time."""

    def __init__(self, sender: Sender, left: Callable[[Flit, int], None]) -> None:
        self.sender = sender
        self.queue: deque[Offer] = deque()
        self.left = left  #: is told (flit, cycle)
        self.last_vc = -1  #: used by the last packet
        self.sent = 0  #: flits of the first packet in the queue that have left
        self.flits = 0  #: that have left in all

    def receive_credit(self, now: int) -> None:
        """The credit that arrives in this cycle."""
        self.sender.receive_credit(now)

    def inject(self, now: int) -> bool:
        """Send one flit, if there is one and a slot for it; whether one was sent."""
        if not self.queue:
            return False
        offer = self.queue[0]
        if self.sent == 0 and not self._choose_vc(offer):
            return False
        if self.sender.credits[self.last_vc] == 0:
            return False
        tail = self.sent == offer.size - 1
        flit = Flit(offer.packet, self.sent, tail, self.last_vc, offer.route)
        self.sender.send(flit, now, delay=0)
        self.left(flit, now)
        self.sent += 1
        self.flits += 1
        if tail:
            self.queue.popleft()
            self.sent = 0
        return True

    def _choose_vc(self, offer: Offer) -> bool:
        """The first virtual channel after the last one that may be used and is not full."""
        vcs = len(self.sender.credits)
        for step in range(1, vcs + 1):
            vc = (self.last_vc + step) % vcs
            if offer.vcs >> vc & 1 and self.sender.credits[vc] > 0:
                self.last_vc = vc
                self.sender.taken[vc] = True
                return True
        return False


class Sink:
    """Takes every flit in the cycle in which it arrives."""

    def __init__(self, link: Link, arrived: Callable[[Flit, int], None]) -> None:
        self.link = link
        self.arrived = arrived  #: is told (flit, cycle)
        self.flits = 0  #: that have arrived
        self._expected: dict[int, tuple[int, int]] = {}  # virtual channel -> packet and flit that come next

    def coming(self, cycle: int) -> Flit | None:
        """The flit that will arrive in a cycle, where it is already on its way."""
        return next((flit for arrival, flit in self.link.flits.items if arrival == cycle), None)

    def receive(self, now: int) -> None:
        """The flit that arrives in this cycle; its slot is free at once."""
        flit = self.link.flits.receive(now)
        if flit is None:
            return
        expected = self._expected.pop(flit.vc, (flit.packet, 0))
        assert (flit.packet, flit.index) == expected, "packets of a virtual channel do not mix"
        self.flits += 1
        self.link.send_credit(flit.vc, now)
        self.arrived(flit, now)
        if not flit.tail:
            self._expected[flit.vc] = (flit.packet, flit.index + 1)
