"""Delivery trees as the routers of a chip see them.

A tree of a Program leads over several chips.  In each it has *roots*, where messages enter the chip's network, and
*ends*, where they leave it: at tiles, and at the links to other chips.  Besides its tiles a chip has five terminals at
its ``io_router``, the gateways: its links (EAST, WEST, NORTH, SOUTH), then the host.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from pimsim.mapping.program import Program
from pimsim.network.fabric import CHIP, EAST, EJECT, INJECT, NORTH, SOUTH, WEST
from pimsim.network.packets import Branches
from pimsim.network.routing import CLASS_SHIFT
from pimsim.network.topology import Topology

LINKS_OF_CHIP = 4
HOST_GATEWAY = LINKS_OF_CHIP  #: counted among the gateways
GATEWAYS = LINKS_OF_CHIP + 1
OPPOSITE = {EAST: WEST, WEST: EAST, NORTH: SOUTH, SOUTH: NORTH}


@dataclass(frozen=True)
class Root:
    """Where messages enter the network of a chip."""

    number: int  #: among all roots
    chip: int
    terminal: int
    ends: tuple[int, ...]  #: edges with which their packets leave the network


def with_gateways(topology: Topology, io_router: int) -> Topology:
    """The topology of a chip with five more terminals, whose ports come after all others."""
    ports = topology.ports + np.arange(GATEWAYS)
    return replace(
        topology,
        ports=topology.ports + GATEWAYS,
        terminal_router=np.append(topology.terminal_router, np.full(GATEWAYS, io_router)),
        terminal_port=np.append(topology.terminal_port, ports),
    )


class RouterTrees:
    """All roots of a program's trees, and the edges that follow them.

    Edges have the numbers that they have in ``program.trees``.  An injection link is a root itself; what comes from
    the host or over a link between chips begins with an edge of its own, numbered behind all others.
    """

    def __init__(self, program: Program) -> None:
        self.fabric, trees, noc = program.fabric, program.trees, program.system.chip.noc
        self.kinds = self.fabric.link_kinds().tolist()
        self.link = trees.link.tolist()
        self.children = [range(*each) for each in zip(trees.child_lo.tolist(), trees.child_hi.tolist(), strict=True)]
        self.all_vcs = (1 << noc.router.vcs) - 1
        edges = len(self.link)
        self.port = [-1] * edges  #: output port of the router; of a root -1
        self.route: list[int | None] = [None] * edges  #: class of the routing tables, on channels
        self.following = [range(0)] * edges  #: as ``children``, but packets end at links between chips
        self.root_edge: list[int] = []
        self.of_tree: list[list[Root]] = []  #: where its messages begin
        for tree, first in enumerate(trees.first[:-1].tolist()):
            begin = range(first, first + int(trees.roots[tree]))
            self.of_tree.append(list(self._begin(begin, noc.multicast == "tree")))
        self.of_chip_link = {
            edge: self._from_chip(edge) for edge in range(edges) if self.link[edge] >= 0 and self._kind(edge) == CHIP
        }

    def branches(self) -> Branches:
        """For the routers; tree r is that of root r."""
        masks = [int(mask) & self.all_vcs for mask in self.fabric.routing.class_vcs]
        return Branches(
            root=np.array(self.root_edge, np.int64),
            port=np.array(self.port, np.int64),
            vcs=np.array([self.all_vcs if route is None else masks[route] for route in self.route], np.int64),
            child_lo=np.array([each.start for each in self.following], np.int64),
            child_hi=np.array([each.stop for each in self.following], np.int64),
        )

    def _kind(self, edge: int) -> int:
        return int(self.kinds[self.link[edge]])

    # ---- roots

    def _begin(self, begin: range, branches: bool) -> Iterator[Root]:
        """Roots of a tree, from its first edges."""
        away = [edge for edge in begin if self.link[edge] >= 0]
        if not away:
            return
        if self._kind(away[0]) != INJECT:  # from the host
            terminal = self.fabric.topology.terminals + HOST_GATEWAY
            for first in [begin] if branches else [range(edge, edge + 1) for edge in begin]:
                yield self._add_root(self._extra_edge(), 0, terminal, first)
            return
        for edge in away:
            chip, tile = divmod(self.link[edge], self.fabric.tiles)
            yield self._add_root(edge, chip, tile, self.children[edge])

    def _from_chip(self, edge: int) -> Root:
        """What comes over a link between chips enters by the link that leads back."""
        following = self.children[edge]
        direction = (self.link[edge] - self.fabric.first_chip_link) % LINKS_OF_CHIP
        chip = self.fabric.chip_of(self.link[following[0]])
        return self._add_root(
            self._extra_edge(), chip, self.fabric.topology.terminals + OPPOSITE[direction], following
        )  # fmt: skip

    def _extra_edge(self) -> int:
        self.port.append(-1)
        self.route.append(None)
        self.following.append(range(0))
        return len(self.port) - 1

    def _add_root(self, edge: int, chip: int, terminal: int, following: range) -> Root:
        topology = self.fabric.topology
        router = self.fabric.io_router
        if terminal < topology.terminals:
            router = int(topology.terminal_router[terminal])
        self.following[edge] = following
        ends: list[int] = []
        self._follow(following, router, [], ends)
        number = len(self.root_edge)
        self.root_edge.append(edge)
        return Root(number, chip, terminal, tuple(ends))

    # ---- edges

    def _follow(self, edges: range, router: int, way: list[int], ends: list[int]) -> None:
        """Ports of edges that leave a router, and of all behind them; ``way``: channels from the root to here."""
        topology = self.fabric.topology
        for edge in edges:
            kind = self._kind(edge)
            if kind == EJECT:
                self.port[edge] = int(topology.terminal_port[self.link[edge] % self.fabric.tiles])
            elif kind == CHIP:
                self.port[edge] = topology.ports + (self.link[edge] - self.fabric.first_chip_link) % LINKS_OF_CHIP
            else:
                channel = self._channel(edge)
                assert topology.source[channel] == router, "edges follow each other"
                self.port[edge] = int(topology.source_port[channel])
                self.following[edge] = self.children[edge]
                self._follow(self.children[edge], int(topology.target[channel]), [*way, edge], ends)
                continue
            ends.append(edge)
            self._walk(way, router)

    def _channel(self, edge: int) -> int:
        channel = self.fabric.channel_of(self.link[edge])
        assert channel is not None
        return channel[1]

    def _walk(self, way: list[int], target: int) -> None:
        """By the routing tables to a router: classes of the channels on the way.

        Where several ways share a channel in different classes (in a torus: one wraps around, the other does not),
        the lowest counts, which is that of a packet that still has to wrap around.
        """
        routing, topology = self.fabric.routing, self.fabric.topology
        route = 0
        for edge in way:
            channel = self._channel(edge)
            entry = int(routing.next[route, topology.source[channel], target])
            assert entry & (1 << CLASS_SHIFT) - 1 == self.port[edge], "trees follow the routing tables"
            route = entry >> CLASS_SHIFT
            known = self.route[edge]
            self.route[edge] = route if known is None else min(known, route)
