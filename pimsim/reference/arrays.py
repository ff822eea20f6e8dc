"""Crossbars that several replicas share, because they can be read from either side: who reads them next."""

from __future__ import annotations

import simpy
from simpy.events import ProcessGenerator

from pimsim.mapping.program import Program
from pimsim.reference.durations import Slots
from pimsim.reference.turns import Kind, Turns


class Array:
    """The crossbars of one number, for the windows of one replica after another, in the order in which they ask."""

    def __init__(self, env: Turns, slots: Slots) -> None:
        self.env, self.slots = env, slots
        self._reader = simpy.Resource(env, capacity=1)

    def take(self, replica: int) -> ProcessGenerator:
        """Process, ends when the replica has taken the array: at once, or in a turn of its own."""
        request = self._reader.request()
        if not request.triggered:
            yield request
            yield self.env.turn(Kind.ISSUE, replica, self.slots.after(self.env.now))

    def keep(self, until: int) -> ProcessGenerator:
        """Process: whoever has taken the array leaves it to the next at time ``until``."""
        (taken,) = self._reader.users
        yield self.env.timeout(until - self.env.now)
        self._reader.release(taken)


def build_arrays(env: Turns, slots: Slots, program: Program) -> dict[int, Array]:
    """Every array that a program numbers."""
    return {number: Array(env, slots) for number in set(program.replicas.array.tolist()) if number >= 0}
