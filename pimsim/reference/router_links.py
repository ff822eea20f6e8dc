"""What moves between routers and terminals: flits and credits on wires."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Flit:
    """One flit on its way over one link."""

    packet: int  #: index of the packet
    index: int  #: its place in the packet; 0: the head
    tail: bool
    vc: int  #: virtual channel at the end of the link
    route: int  #: class of the packet; of a multicast, the edge of its tree

    @property
    def head(self) -> bool:
        """Whether it is the packet's first."""
        return self.index == 0


class Wire(Generic[Item]):
    """A delay line: at most one item leaves it in a cycle, and none overtakes another."""

    def __init__(self) -> None:
        self.items: deque[tuple[int, Item]] = deque()  #: (cycle of arrival, item)

    def send(self, item: Item, arrival: int) -> None:
        """To arrive in the given cycle."""
        assert not self.items or self.items[-1][0] < arrival, "one item a cycle, in order"
        self.items.append((arrival, item))

    def receive(self, now: int) -> Item | None:
        """What arrives in this cycle, if anything."""
        if not self.items or self.items[0][0] > now:
            return None
        arrival, item = self.items.popleft()
        assert arrival == now, "nothing is received late"
        return item


class Link:
    """Flits one way, credits (the number of a virtual channel) the other way."""

    def __init__(self, name: str, latency: int, credit_latency: int, flit_cycles: int = 1, channel: int = -1) -> None:
        self.name = name
        self.latency = latency  #: cycles of a flit
        self.credit_latency = credit_latency  #: cycles of a credit, with the sender's own delay
        self.flit_cycles = flit_cycles
        self.channel = channel  #: of the topology; -1: from or to a terminal
        self.flits: Wire[Flit] = Wire()
        self.credits: Wire[int] = Wire()

    def send_flit(self, flit: Flit, leaves: int) -> None:
        """A flit comes out of the sender's crossbar in cycle ``leaves``."""
        self.flits.send(flit, leaves + self.flit_cycles - 1 + 1 + self.latency)

    def send_credit(self, vc: int, leaves: int) -> None:
        """A slot at the receiver is free as of cycle ``leaves``."""
        self.credits.send(vc, leaves + 1 + self.credit_latency)


class Sender:
    """What the sending end of a link knows about the virtual channels at the other end."""

    def __init__(self, link: Link, vcs: int, vc_buffer: int) -> None:
        self.link = link
        self.credits = [vc_buffer] * vcs  #: free slots of each virtual channel
        self.taken = [False] * vcs  #: whether a packet owns it
        self.free_from = 0  #: first cycle in which the link takes another flit

    def receive_credit(self, now: int) -> None:
        """The credit that arrives in this cycle."""
        vc = self.link.credits.receive(now)
        if vc is not None:
            self.credits[vc] += 1

    def free_vcs(self, mask: int) -> list[int]:
        """Virtual channels of the mask that nobody owns."""
        return [v for v, taken in enumerate(self.taken) if not taken and mask >> v & 1]

    def total_credits(self, mask: int) -> int:
        """Free slots, over all virtual channels of the mask."""
        return sum(free for v, free in enumerate(self.credits) if mask >> v & 1)

    def send(self, flit: Flit, now: int, delay: int) -> None:
        """Spend a credit; the flit leaves ``delay`` cycles from now."""
        assert self.credits[flit.vc] > 0 and now >= self.free_from
        self.credits[flit.vc] -= 1
        if flit.tail:
            self.taken[flit.vc] = False
        self.free_from = now + self.link.flit_cycles
        self.link.send_flit(flit, now + delay)
