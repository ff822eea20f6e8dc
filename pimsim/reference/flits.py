"""Packets flit by flit: every chip has a network of routers, in which all that is sent meets, cycle by cycle.

A message (what a tree carries) is cut into packets.  It enters a chip's network at a terminal: that of a tile, or the
gateway of the host or of a link from another chip.  When all its packets have reached a tile it is delivered there; at
the gateway of a link to another chip it asks for the link, as a whole.

What pins the order of things:

- Cycle c is at ``cycles_to_ps(c)``, after everything else at its time.  When a tail will arrive is known once it has
  been granted the way to the terminal; what happens then has its turn like everything else at that time.
- A message sent at a time joins its terminal's queue in the first cycle at or after it.  Those that join in the same
  cycle do so in the order of (time, kind, id): what tiles and the host send, by tree; what has come over links between
  chips, by edge.
- Messages of one root are handed over at each of its ends in the order in which they were sent.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction
from heapq import heappop, heappush
from itertools import count
from math import ceil

import numpy as np
from simpy.events import ProcessGenerator

from pimsim.mapping.program import Program
from pimsim.mapping.timing import Standstill
from pimsim.network.packets import Packets
from pimsim.reference.durations import Durations
from pimsim.reference.packets import Receiver
from pimsim.reference.ports import Ports, serve
from pimsim.reference.router import RouterNetwork
from pimsim.reference.router_checks import describe_deadlock
from pimsim.reference.router_links import Flit
from pimsim.reference.router_routes import Packet, Routes
from pimsim.reference.router_trees import Root, RouterTrees, with_gateways
from pimsim.reference.turns import Kind, Turns
from pimsim.units import PS_PER_NS, cycles_to_ps

FROM_TREE, FROM_CHIP = range(2)  #: kinds of messages, in the order in which they join


class Clock:
    """Cycles of the networks."""

    def __init__(self, clock_ghz: float) -> None:
        self.clock_ghz = clock_ghz
        self._period = PS_PER_NS / Fraction(str(clock_ghz))

    def time(self, cycle: int) -> int:
        """Of a cycle [ps]."""
        return cycles_to_ps(cycle, self.clock_ghz)

    def first_cycle(self, time: int) -> int:
        """The first cycle at or after a time."""
        cycle = max(0, ceil((time - Fraction(1, 2)) / self._period))
        return cycle if self.time(cycle) >= time else cycle + 1


@dataclass(eq=False)
class Message:
    """What is sent from one root at one time."""

    root: Root
    tree: int
    packets: list[int]  #: flits of each
    receive: Receiver
    missing: dict[int, int] = field(init=False)  #: packets that are not on their last link yet, at each end

    def __post_init__(self) -> None:
        self.missing = dict.fromkeys(self.root.ends, len(self.packets))


class FlitNetwork:
    """Sends messages along delivery trees."""

    def __init__(self, env: Turns, program: Program, ports: Ports, durations: Durations) -> None:
        self.env, self.ports, self.durations, self.fabric = env, ports, durations, program.fabric
        noc, trees = program.system.chip.noc, program.trees
        self.trees = RouterTrees(program)
        self.flits = program.tree_flits.tolist()
        self.packets = [cut_message(flits, noc.longest_packet, noc.header_flits) for flits in self.flits]
        self.first, self.roots = trees.first.tolist(), trees.roots.tolist()
        self.leaf = trees.target.tolist()
        self.chips = [Chip(self, chip, program) for chip in range(program.chips)]

    def send(self, tree: int, at: int, receive: Receiver) -> None:
        """A message leaves at time ``at``; ``receive`` is called at every leaf."""
        for edge in range(self.first[tree], self.first[tree] + self.roots[tree]):
            if self.trees.link[edge] < 0:
                self.env.process(self._deliver(edge, at, receive))
        for root in self.trees.of_tree[tree]:
            self._offer(Message(root, tree, self.packets[tree], receive), at, FROM_TREE, tree)

    def _offer(self, message: Message, at: int, kind: int, number: int) -> None:
        self.chips[message.root.chip].offer(message, at, kind, number)

    def _deliver(self, edge: int, at: int, receive: Receiver) -> ProcessGenerator:
        """Process: a message is complete at a leaf."""
        yield self.env.turn(Kind.DELIVER, self.leaf[edge], at)
        receive(self.leaf[edge])

    def hand_over(self, message: Message, edge: int, at: int) -> None:
        """A message will be complete at time ``at`` where the edge leaves its chip's network."""
        if self.leaf[edge] >= 0:
            self.env.process(self._deliver(edge, at, message.receive))
        else:
            self.env.process(self._cross(message, edge, at))

    def _cross(self, message: Message, edge: int, at: int) -> ProcessGenerator:
        """Process: a whole message goes over a link to the next chip."""
        yield self.env.turn(Kind.HOP, edge, at)
        link, flits = self.trees.link[edge], self.flits[message.tree]
        yield from serve(self.env, (self.ports.link[link], self.durations.hold(link, flits)))
        onward = self.env.now + self.durations.head(link, flits)
        root = self.trees.of_chip_link[edge]
        self._offer(Message(root, message.tree, message.packets, message.receive), onward, FROM_CHIP, edge)

    def note_counts(self) -> None:
        """What the links within the chips carried; a flit is never said to have waited for one."""
        for chip in self.chips:
            for link, flits in chip.flits_of_links():
                port = self.ports.link[link]
                port.count = flits
                port.busy_ps = chip.clock.time(flits * self.durations.flit_cycles(link))


class Chip:
    """The network of one chip: routers, and the terminals of tiles and gateways."""

    def __init__(self, system: FlitNetwork, number: int, program: Program) -> None:
        self.system, self.env, self.number = system, system.env, number
        noc, fabric = program.system.chip.noc, program.fabric
        self.clock = Clock(noc.clock_ghz)
        none = np.zeros(0, np.int64)
        topology = with_gateways(fabric.topology, fabric.io_router)
        packets = Packets(none, none, none, none)
        routes = Routes(topology, None, packets, system.trees.branches(), noc.router.vcs)
        self.routers = RouterNetwork(topology, noc.router, routes)
        self.coming: list[tuple[int, int, int, int, Message]] = []  #: heap of (time, kind, id, serial, message)
        self.serial = count()
        self.due: set[int] = set()  #: cycles that will be looked at
        self.last = -1  #: cycle that was looked at
        self.message_of: list[Message] = []  #: of each packet
        self.under_way: dict[int, deque[Message]] = {}  #: end -> messages on their way to it, as they were sent

    def offer(self, message: Message, at: int, kind: int, number: int) -> None:
        """A message is sent at time ``at``."""
        heappush(self.coming, (at, kind, number, next(self.serial), message))
        self._look_at(max(self.clock.first_cycle(at), self.last + 1))

    def _look_at(self, cycle: int) -> None:
        if cycle not in self.due:
            self.due.add(cycle)
            self.env.process(self._cycle(cycle))

    def _cycle(self, cycle: int) -> ProcessGenerator:
        """Process: one cycle, and if packets are left in the network, the next."""
        yield self.env.turn(Kind.CYCLE, self.number, self.clock.time(cycle))
        self.due.remove(cycle)
        self.last = cycle
        while self.coming and self.coming[0][0] <= self.env.now:
            self._join(heappop(self.coming)[-1], cycle)
        for tail in self.routers.step(cycle):
            self._arrive(tail, self.clock.time(cycle + self.routers.eject_cycles))
        if self.routers.quiet > self.routers.patience:
            what = describe_deadlock(self.routers, cycle)
            raise Standstill(f"standstill after {self.env.now} ps: network of chip {self.number}: {what}")
        if not self.routers.idle:
            self._look_at(cycle + 1)

    def _join(self, message: Message, cycle: int) -> None:
        """The packets of a message join the queue of its terminal."""
        for flits in message.packets:
            self.routers.add(Packet(message.root.terminal, message.root.number, flits, cycle, multicast=True))
            self.message_of.append(message)
        for edge in message.root.ends:
            self.under_way.setdefault(edge, deque()).append(message)

    def _arrive(self, tail: Flit, at: int) -> None:
        """A packet will be at an end; messages are handed over in the order in which they were sent."""
        edge = tail.route
        self.message_of[tail.packet].missing[edge] -= 1
        waiting = self.under_way[edge]
        while waiting and waiting[0].missing[edge] == 0:
            self.system.hand_over(waiting.popleft(), edge, at)

    def flits_of_links(self) -> list[tuple[int, int]]:
        """(link, flits that passed it) of tiles and channels; the gateways are no links."""
        fabric, routers = self.system.fabric, self.routers
        tile, channel = self.number * fabric.tiles, fabric.first_channel + self.number * fabric.topology.channels
        left = [(tile + k, routers.sources[k].flits) for k in range(fabric.tiles)]
        arrived = [(fabric.n_tiles + tile + k, routers.sinks[k].flits) for k in range(fabric.tiles)]
        return left + arrived + [(channel + c, flits) for c, flits in enumerate(routers.record.channel_flits.tolist())]


def cut_message(flits: int, longest: int, header: int) -> list[int]:
    """Flits of each packet of a message, headers included; the mapping has seen to room beside the header."""
    room, data = longest - header, flits - header
    packets = max(1, ceil(Fraction(data, room)))
    return [longest] * (packets - 1) + [max(1, header + data - (packets - 1) * room)]
