"""Buffers in eDRAM: which positions have arrived, and which places are taken."""

from __future__ import annotations

from collections import Counter

import numpy as np
import simpy
from simpy.events import ProcessGenerator

from pimsim.mapping.program import Program


class Buffer:
    """The places in which one replica keeps one of its inputs; ranks count on over the emissions of the producer.

    ``shared`` runs of the replica read the same emission, or a run reads ``gathers`` of them together; ``initial``
    emissions are there before the first is sent.
    """

    def __init__(
        self, env: simpy.Environment, capacity: int, positions: int, copies: int, shared: int, gathers: int,
        initial: int,
    ) -> None:  # fmt: skip
        self.env = env
        self.capacity, self.positions, self.copies = capacity, positions, copies
        self.shared, self.gathers, self.initial = shared, gathers, initial
        self.frontier = initial * positions  #: ranks below this have arrived in every slice
        self.base = 0  #: ranks below this are free again
        self._received: Counter[int] = Counter()  #: rank -> copies that have arrived
        self._grown, self._freed = env.event(), env.event()

    def rank(self, emission: int, rank: int) -> int:
        """The rank, counted from the start, of one in an emission of the producer."""
        return (emission + self.initial) * self.positions + rank

    def needed(self, run: int, ready: int) -> int:
        """Ranks that must have arrived for a window that needs the first ``ready`` of what its run reads."""
        return run // self.shared * self.gathers * self.positions + ready

    def read(self, run: int, done: int) -> int:
        """Ranks that are free when a window has read which, alone with its run, would free the first ``done``.

        Whatever several runs share is free once the last of them has read it.
        """
        last = (run + 1) % self.shared == 0
        return run // self.shared * self.gathers * self.positions + (done if last else 0)

    def has_place(self, rank: int) -> bool:
        """Whether ``rank`` may be sent here."""
        return rank < self.base + self.capacity

    def receive(self, rank: int, transit_ps: int) -> None:
        """One copy of ``rank``, which was under way for ``transit_ps``, can be read."""
        assert self.frontier <= rank < self.base + self.capacity, "nothing is sent without a place"
        self._received[rank] += 1
        before = self.frontier
        while self._received[self.frontier] == self.copies:
            del self._received[self.frontier]
            self.frontier += 1
        if self.frontier > before:
            self._grown.succeed(transit_ps)
            self._grown = self.env.event()

    def free(self, base: int) -> None:
        """Ranks below ``base`` have been read for the last time."""
        assert base >= self.base, "places are freed in order"
        self.base = base
        self._freed.succeed()
        self._freed = self.env.event()

    def filled(self, ranks: int) -> ProcessGenerator:
        """Wait until all ranks below ``ranks`` have arrived; the transit of the last one, None without a wait."""
        transit = None
        while self.frontier < ranks:
            transit = yield self._grown
        return transit

    def next_free(self) -> simpy.Event:
        """Happens when places become free the next time."""
        return self._freed


def build_buffers(env: simpy.Environment, program: Program) -> list[Buffer]:
    """All buffers of a program, with nothing in them but their initial emissions."""
    rows = program.buffers
    columns = (rows.capacity, rows.positions, rows.copies, rows.shared, rows.gathers, rows.initial)
    return [Buffer(env, *row) for row in np.stack(columns, axis=1).tolist()]
