"""Multicast trees: the ways to several terminals, with what they have in common travelled once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pimsim.errors import InputError
from pimsim.network.packets import Branches
from pimsim.network.routing import CLASS_SHIFT, PORT_MASK
from pimsim.noc.network import BuiltNetwork


def multicast_trees(network: BuiltNetwork, sources: Sequence[int], targets: Sequence[Sequence[int]]) -> Branches:
    """One tree for each source, along the routing tables; where routing is adaptive, along those of its escape.

    Args:
        targets: different terminals, for each source.

    Raises:
        InputError: a terminal cannot be reached.
    """
    build = _Builder(network)
    for source, chosen in zip(sources, targets, strict=True):
        build.add(source, chosen)
    return build.branches()


class _Builder:
    """Grows trees edge by edge, breadth first, so that the children of an edge follow each other."""

    def __init__(self, network: BuiltNetwork) -> None:
        topology = network.topology
        self.network = network
        self.output = topology.output
        self.leads_to = topology.target.tolist()
        self.home = topology.terminal_router.tolist()
        self.door = topology.terminal_port.tolist()
        self.every_vc = (1 << network.router.vcs) - 1
        self.root: list[int] = []
        self.edges: list[tuple[int, int]] = []  # port and mask of virtual channels
        self.children: list[tuple[int, int]] = []

    def add(self, source: int, targets: Sequence[int]) -> None:
        """The tree from a terminal to others."""
        self.root.append(len(self.edges))
        self.edges.append((-1, self.every_vc))
        ends = [(self.home[source], 0, list(targets))]  # router that an edge leads to, class, terminals beyond
        at = 0
        while at < len(ends):
            router, first = ends[at][0], len(self.edges)
            for port, kind, beyond in self._parts(*ends[at]):
                if kind < 0:
                    self.edges.append((port, self.every_vc))
                    ends.append((-1, 0, []))
                else:
                    self.edges.append((port, int(self.network.routing.class_vcs[kind]) & self.every_vc))
                    ends.append((self.leads_to[self.output[router, port]], kind, beyond))
            self.children.append((first, len(self.edges)))
            at += 1

    def _parts(self, router: int, kind: int, targets: list[int]) -> list[tuple[int, int, list[int]]]:
        """(port, class, terminals) of each way on; the class is -1 on a way to a terminal."""
        here, ways = [], dict[int, list[int]]()
        for target in targets:
            if self.home[target] == router:
                here.append((self.door[target], -1, [target]))
                continue
            entry = int(self.network.routing.next[kind, router, self.home[target]])
            if entry < 0:
                raise InputError(f"{self.network.routing.name} has no way to terminal {target}", key="routing")
            ways.setdefault(entry, []).append(target)
        return [*here, *((entry & PORT_MASK, entry >> CLASS_SHIFT, ways[entry]) for entry in sorted(ways))]

    def branches(self) -> Branches:
        """All trees."""
        edges, children = np.array(self.edges, np.int64), np.array(self.children, np.int64)
        return Branches(np.array(self.root, np.int64), edges[:, 0], edges[:, 1], children[:, 0], children[:, 1])
