"""Where packets go: routing tables and multicast trees, read hop by hop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pimsim.errors import InputError
from pimsim.network.packets import Branches, Packets
from pimsim.network.routing import CLASS_SHIFT, Routing
from pimsim.network.topology import Topology
from pimsim.reference.router_links import Flit, Sender


@dataclass(frozen=True)
class Hop:
    """The next link of a packet."""

    port: int  #: output port
    vcs: int  #: mask of the virtual channels that it may use
    route: int  #: what its flits carry on that link: a class, or the edge of a tree


class Packet(NamedTuple):
    """One of the packets that are offered."""

    source: int  #: terminal
    target: int  #: terminal; of a multicast, the index of its tree
    size: int  #: flits
    ctime: int  #: cycle in which it joins its source's queue
    multicast: bool


class Routes:
    """Answers what the routers ask."""

    def __init__(
        self, topology: Topology, routing: Routing | None, packets: Packets, branches: Branches | None, vcs: int
    ) -> None:
        self.topology, self.routing, self.branches = topology, routing, branches
        self.packets = _listed(packets)  #: more may be added
        self.all_vcs = (1 << vcs) - 1

    def is_multicast(self, packet: int) -> bool:
        """Whether the packet's target is a tree."""
        return self.packets[packet].multicast

    def first(self, packet: int) -> Hop:
        """From the source to its router."""
        if not self.is_multicast(packet):
            return Hop(-1, self.all_vcs, 0)
        return self.along(self._root(packet))

    def _root(self, packet: int) -> int:
        assert self.branches is not None
        return int(self.branches.root[self.packets[packet].target])

    def along(self, edge: int) -> Hop:
        """Over an edge of a tree."""
        assert self.branches is not None
        return Hop(int(self.branches.port[edge]), int(self.branches.vcs[edge]) & self.all_vcs, edge)

    def branches_after(self, head: Flit) -> range | None:
        """Edges that follow the one over which the head came; None for a packet to one terminal."""
        if not self.is_multicast(head.packet):
            return None
        children = self._children(head.route)
        if not children:
            raise InputError(f"edge {head.route} ends at a router", key="branches")
        return children

    def _children(self, edge: int) -> range:
        assert self.branches is not None
        return range(int(self.branches.child_lo[edge]), int(self.branches.child_hi[edge]))

    def leaves(self, packet: int) -> int:
        """Terminals that the packet goes to."""
        if not self.is_multicast(packet):
            return 1
        return sum(not children for children in self._forks(packet))

    def widest_fork(self, packet: int) -> int:
        """Most branches that a packet takes at one router."""
        return max(map(len, self._forks(packet))) if self.is_multicast(packet) else 1

    def _forks(self, packet: int) -> list[range]:
        """Children of every edge of a multicast's tree."""
        forks, edges = [], [self._root(packet)]
        while edges:
            children = self._children(edges.pop())
            forks.append(children)
            edges.extend(children)
        return forks

    def towards(self, router: int, head: Flit, outputs: Mapping[int, Sender]) -> Hop:
        """From a router towards the packet's terminal."""
        terminal = self.packets[head.packet].target
        target = int(self.topology.terminal_router[terminal])
        if router == target:
            return Hop(int(self.topology.terminal_port[terminal]), self.all_vcs, head.route)
        assert self.routing is not None
        if head.route == 0 and self.routing.adaptive is not None:
            hop = self._adaptive(int(self.routing.adaptive[router, target]), outputs)
            if hop is not None:
                return hop
        entry = int(self.routing.next[head.route, router, target])
        if entry < 0:
            raise InputError(f"{self.routing.name} has no hop at {self.topology.router_name(router)} "
                             f"towards {self.topology.router_name(target)} in class {head.route}")  # fmt: skip
        route = entry >> CLASS_SHIFT
        return Hop(entry & (1 << CLASS_SHIFT) - 1, int(self.routing.class_vcs[route]) & self.all_vcs, route)

    def _adaptive(self, ports: int, outputs: Mapping[int, Sender]) -> Hop | None:
        """The port with the most credits of those with a free virtual channel, if there is one."""
        assert self.routing is not None
        vcs = int(self.routing.class_vcs[0]) & self.all_vcs
        usable = [port for port in sorted(outputs) if ports >> port & 1 and outputs[port].free_vcs(vcs)]
        if not usable:
            return None
        return Hop(max(usable, key=lambda port: outputs[port].total_credits(vcs)), vcs, 0)


def _listed(packets: Packets) -> list[Packet]:
    """One by one."""
    several = np.zeros(packets.size.size, bool) if packets.multicast is None else packets.multicast
    columns = (packets.source, packets.target, packets.size, packets.ctime, several)
    return [Packet(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
