"""Packets: over the links of a tree to all its leaves."""

from __future__ import annotations

from collections.abc import Callable

from simpy.events import ProcessGenerator

from pimsim.mapping.program import Program
from pimsim.reference.durations import Durations
from pimsim.reference.ports import Ports, serve
from pimsim.reference.turns import Kind, Turns

Receiver = Callable[[int], None]  #: called with the leaf when a packet is complete there


class Network:
    """Sends packets along delivery trees."""

    def __init__(self, env: Turns, program: Program, ports: Ports, durations: Durations) -> None:
        self.env, self.ports, self.durations = env, ports, durations
        speeds = program.fabric.link_speeds().tolist()
        self.link_like = {speed: speeds.index(speed) for speed in speeds}  # a link of each speed
        self.flits = program.tree_flits.tolist()
        trees = program.trees
        self.first, self.roots, self.link = trees.first.tolist(), trees.roots.tolist(), trees.link.tolist()
        self.child_lo, self.child_hi = trees.child_lo.tolist(), trees.child_hi.tolist()
        self.leaf, self.passed, self.pace = trees.target.tolist(), trees.passed.tolist(), trees.pace.tolist()

    def send(self, tree: int, at: int, receive: Receiver) -> None:
        """A packet leaves at time ``at``; ``receive`` is called at every leaf."""
        for edge in range(self.first[tree], self.first[tree] + self.roots[tree]):
            self.env.process(self._branch(edge, at, self.flits[tree], 1, receive))

    def _branch(self, edge: int, at: int, flits: int, pace: int, receive: Receiver) -> ProcessGenerator:
        """Process: over one edge, and what follows from there; flits come ``pace`` cycles apart."""
        yield self.env.turn(Kind.HOP, edge, at)
        if self.link[edge] < 0:
            whole = self.env.now + self._distance(edge, flits)
        else:
            link = self.link[edge]
            yield from serve(self.env, (self.ports.link[link], self.durations.hold(link, flits)))
            head = self.env.now + self.durations.head(link, flits)
            pace = self.durations.flit_pace(link, pace)
            for child in range(self.child_lo[edge], self.child_hi[edge]):
                self.env.process(self._branch(child, head, flits, pace, receive))
            whole = head + self.durations.tail(flits, pace)
        if self.leaf[edge] >= 0:
            yield self.env.turn(Kind.DELIVER, self.leaf[edge], whole)
            receive(self.leaf[edge])

    def _distance(self, edge: int, flits: int) -> int:
        """Time over an edge that stands for a whole path without contention; 0 within a tile."""
        passed = self.passed[edge]
        if not any(passed):
            return 0
        heads = sum(n * self.durations.head(self.link_like[speed], flits) for speed, n in enumerate(passed) if n)
        return heads + self.durations.tail(flits, self.pace[edge])
