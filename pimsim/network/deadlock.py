"""Freedom from deadlock, and other figures of a network that follow from its tables alone.

A wormhole network cannot lock if no cycle leads through its channel dependency graph (Dally and Seitz 1987): from
every channel to those that a packet may ask for while it holds it.  Channels that packets of different classes use on
different virtual channels are different.  With adaptive routing it is enough that from everywhere an escape can be
taken that leads to every destination, and whose own dependencies have no cycle (Duato 1993); as no packet comes back
from the escape here, those are its direct ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.config.network import DimensionOrder, Grid, MinimalAdaptive, Network, Torus
from pimsim.errors import InputError
from pimsim.network import dependencies, tables
from pimsim.network.routing import CLASS_SHIFT, Routing, build_routing
from pimsim.network.topology import Topology, build_topology, router_coordinates

_MOST_FOR_SPECTRUM = 1024  #: routers; the bisection of larger graphs is not looked for


@dataclass(frozen=True)
class NetworkCheck:
    """What a network is, and whether it can lock."""

    topology: str
    routing: str
    routers: int
    terminals: int
    channels: int  #: from router to router, one-way
    diameter: int  #: channels of the longest of all shortest ways
    bisection_channels: int | None
    """Channels, both directions together, between two halves of the routers: in a mesh or torus the fewest across the
    middle of a dimension, in a graph those across the median of its Fiedler vector, which may not be the fewest; None:
    the graph is too large."""
    cycle: tuple[str, ...]  #: the channels of a cycle of dependencies, in order; empty: free of deadlock
    offers: tuple[str, ...]  #: what to write instead, where there is a cycle

    @property
    def deadlock_free(self) -> bool:
        """Whether packets can never wait for each other in a circle."""
        return not self.cycle


def find_cycle(topology: Topology, routing: Routing) -> list[str] | None:
    """Names of the channels of a cycle in the channel dependency graph, in order; None: there is none.

    Raises:
        InputError: the tables do not lead from somewhere to somewhere, or an escape can be left or is shared.
    """
    _check_escape(routing)
    depends, stuck = dependencies.of_tables(topology, routing)
    if stuck is not None:
        start, target = map(topology.router_name, stuck)
        raise InputError(f"routing {routing.name} does not lead from {start} to {target}", key="routing")
    groups = _groups_of_classes(routing.class_vcs)
    cycle = dependencies.shortest_cycle(topology, depends, groups)
    if cycle is None:
        return None
    masks = _masks_of_groups(routing.class_vcs)
    several = len(masks) > 1
    return [topology.channel_name(channel) + (_vc_words(masks[group]) if several else "") for channel, group in cycle]


def require_deadlock_free(topology: Topology, routing: Routing, offers: tuple[str, ...] = ()) -> None:
    """Raises InputError, with the channels of a cycle, unless packets can never wait for each other in a circle."""
    cycle = find_cycle(topology, routing)
    if cycle is not None:
        raise InputError(f"{topology.name} with routing {routing.name} can deadlock: {_shortened(cycle)}",
                         key="routing", allowed=offers or "up_down, minimal_adaptive")  # fmt: skip


def require_forks_fit(noc: Network) -> None:
    """Raises InputError where a packet that branches is longer than the buffer in which it waits.

    The branches of a packet go on independently of each other, as long as all of it fits the buffer of the router at
    which it forks: then what one branch waits for is not held by another, and their dependencies are those of single
    paths.
    """
    if noc.multicast == "tree" and noc.longest_packet > noc.router.vc_buffer:
        raise InputError(
            f"packets of {noc.longest_packet} flits that branch do not fit buffers of {noc.router.vc_buffer} flits",
            key="packet_flits", allowed=f"up to {noc.router.vc_buffer}, or multicast: unicast",
        )  # fmt: skip


def check_network(noc: Network) -> NetworkCheck:
    """Build a network's tables and look at them.

    Raises:
        InputError: the graph is not connected, or the routing does not fit it.
    """
    topology = build_topology(noc)
    routing = build_routing(topology, noc)
    cycle = find_cycle(topology, routing)
    hops = tables.hop_counts(topology)
    return NetworkCheck(
        topology=topology.name,
        routing=routing.name,
        routers=topology.routers,
        terminals=topology.terminals,
        channels=topology.channels,
        diameter=int(hops.max()),
        bisection_channels=_bisection(topology),
        cycle=tuple(cycle or ()),
        offers=offers(noc, topology) if cycle else (),
    )


def offers(noc: Network, topology: Topology) -> tuple[str, ...]:
    """Routings that cannot lock in this topology, as they are written."""
    routing, found = noc.routing_or_default, []
    if isinstance(noc.topology, Torus) and isinstance(routing, DimensionOrder) and noc.router.vcs > 1:
        found.append("routing.dateline: true")
    if isinstance(noc.topology, Grid) and noc.topology.kind == "mesh":
        found.append("routing: {kind: dimension_order}")
    ways = set(zip(topology.source.tolist(), topology.target.tolist(), strict=True))
    if all((b, a) in ways for a, b in ways):
        found.append("routing: {kind: up_down}")
        if noc.router.vcs > 1 and not isinstance(routing, MinimalAdaptive):
            found.append("an escape VC (routing: {kind: minimal_adaptive})")
    return tuple(found)


def _check_escape(routing: Routing) -> None:
    """That a packet of class 0 can always escape, on virtual channels of its own, and never comes back."""
    if routing.adaptive is None:
        return
    if np.any(routing.class_vcs[1:] & routing.class_vcs[0]):
        raise InputError(f"the escape of {routing.name} shares virtual channels with class 0", key="routing")
    if np.any((routing.next >= 0) & (routing.next >> CLASS_SHIFT == 0)):
        raise InputError(f"the escape of {routing.name} leads back to class 0", key="routing")


def _masks_of_groups(class_vcs: np.ndarray) -> list[int]:
    """Virtual channels that the same classes use, as masks; together all that any class uses."""
    members: dict[tuple[bool, ...], int] = {}
    for vc in range(63):
        users = tuple(bool(mask >> vc & 1) for mask in class_vcs.tolist())
        if any(users):
            members[users] = members.get(users, 0) | 1 << vc
    return list(members.values())


def _groups_of_classes(class_vcs: np.ndarray) -> np.ndarray:
    """(classes, groups) bool: the class uses the virtual channels of the group."""
    groups = np.array(_masks_of_groups(class_vcs), np.int64)
    used: np.ndarray = (class_vcs[:, None] & groups[None, :]) != 0
    return used


def _vc_words(mask: int) -> str:
    vcs = [vc for vc in range(63) if mask >> vc & 1]
    consecutive = len(vcs) > 1 and vcs[-1] - vcs[0] + 1 == len(vcs)
    return f" on VC {vcs[0]}-{vcs[-1]}" if consecutive else f" on VC {', '.join(map(str, vcs))}"


def _shortened(cycle: list[str], most: int = 8) -> str:
    rest = f", and {len(cycle) - most} more" if len(cycle) > most else ""
    return ", ".join(cycle[:most]) + rest + ", and round again"


def _bisection(topology: Topology) -> int | None:
    """See :attr:`NetworkCheck.bisection_channels`."""
    if topology.routers < 2:
        return 0
    if topology.is_grid:
        place = router_coordinates(topology.shape)
        halves = [place[:, d] < size // 2 for d, size in enumerate(topology.shape) if size > 1]
    elif topology.routers <= _MOST_FOR_SPECTRUM:
        halves = [_fiedler_half(topology)]
    else:
        return None
    return min(int(np.count_nonzero(half[topology.source] != half[topology.target])) for half in halves)


def _fiedler_half(topology: Topology) -> np.ndarray:
    """(R,) bool: routers below the median of the second eigenvector of the graph's Laplacian (Fiedler 1973)."""
    joined = np.zeros((topology.routers, topology.routers))
    joined[topology.source, topology.target] = 1
    joined = np.maximum(joined, joined.T)
    vector = np.linalg.eigh(np.diag(joined.sum(axis=1)) - joined)[1][:, 1]
    half = np.zeros(topology.routers, bool)
    half[np.argsort(vector, kind="stable")[: topology.routers // 2]] = True
    return half
