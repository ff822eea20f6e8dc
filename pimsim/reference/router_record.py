"""What is noted while packets travel; nothing here decides anything."""

from __future__ import annotations

import numpy as np

from pimsim.network.packets import NEVER, Arrivals
from pimsim.reference.router_links import Flit


class Record:
    """When packets left and arrived, and what the channels carried."""

    def __init__(self, leaves: list[int], channels: int) -> None:
        self.itime: list[int] = []
        self.atime: list[int] = []
        self.hops: list[int] = []
        self.channel_flits = np.zeros(channels, np.int64)
        self.missing: list[int] = []  #: terminals that each packet still has to reach
        self.sent: list[int] = []  #: flits of each packet that have left its source
        self.received: list[int] = []  #: flits of each packet that have arrived, at all its terminals together
        self.under_way = 0  #: packets that have not arrived everywhere
        for each in leaves:
            self.add(each)

    def add(self, leaves: int) -> None:
        """One more packet, to so many terminals."""
        self.missing.append(leaves)
        for times in (self.itime, self.atime):
            times.append(NEVER)
        for counts in (self.hops, self.sent, self.received):
            counts.append(0)
        self.under_way += 1

    def left(self, flit: Flit, now: int) -> None:
        """A flit leaves its source."""
        self.sent[flit.packet] += 1
        if flit.head:
            self.itime[flit.packet] = now

    def granted(self, flit: Flit, channel: int) -> None:
        """A flit was granted the switch, towards a channel or (-1) a terminal."""
        if flit.head:
            self.hops[flit.packet] += 1
        if channel >= 0:
            self.channel_flits[channel] += 1

    def arrived(self, flit: Flit, now: int) -> None:
        """A flit is at a terminal."""
        self.received[flit.packet] += 1
        if not flit.tail:
            return
        self.missing[flit.packet] -= 1
        assert self.missing[flit.packet] >= 0, "a packet arrives once at each of its terminals"
        if self.missing[flit.packet] == 0:
            self.atime[flit.packet] = now
            self.under_way -= 1

    def arrivals(self, cycles: int) -> Arrivals:
        """As arrays; ``cycles`` have been simulated."""
        itime, atime, hops = (np.array(each, np.int64) for each in (self.itime, self.atime, self.hops))
        return Arrivals(itime, atime, np.where(atime == NEVER, NEVER, hops), self.channel_flits, cycles)
