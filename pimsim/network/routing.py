"""Routing: at which output port a packet leaves each router, and on which virtual channels.  Tables, no time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pimsim.config.network import DimensionOrder, MinimalAdaptive, Network, ShortestPath, UpDown
from pimsim.errors import InputError
from pimsim.network import tables
from pimsim.network.tables import CLASS_SHIFT as CLASS_SHIFT
from pimsim.network.tables import PORT_MASK as PORT_MASK
from pimsim.network.topology import Topology, router_coordinates


@dataclass(frozen=True, eq=False)
class Routing:
    """Routing tables of a topology with R routers.

    A packet carries a class, 0 when it is injected.  At router r, bound for a terminal of router t != r, a packet
    of class c takes output port ``next[c, r, t] & PORT_MASK``, in class ``next[c, r, t] >> CLASS_SHIFT``, on any
    virtual channel in the mask ``class_vcs[that class]``.  (Classes are what a torus needs to cross its dateline, and
    up*/down* to remember that it has gone down.)  At router t it goes to the terminal's port, on any virtual channel.

    Adaptive: a packet of class 0 may take any port in the bit mask ``adaptive[r, t]``, and stays in class 0; or the
    escape hop ``next[0, r, t]``, which leads to another class, from which no packet comes back.
    """

    name: str
    next: np.ndarray  #: (classes, R, R) int32; -1 where no packet of the class can be
    class_vcs: np.ndarray  #: (classes,) int64, bit v: virtual channel v
    adaptive: np.ndarray | None = None  #: (R, R) int64 bit masks of ports, or None


def build_routing(topology: Topology, noc: Network) -> Routing:
    """The routing of a network, for a topology that was built from it.

    Raises:
        InputError: the routing does not fit the topology, or there are too few virtual channels.
    """
    vcs, chosen = noc.router.vcs, noc.routing_or_default
    if isinstance(chosen, DimensionOrder):
        return dimension_order(topology, vcs, chosen.order, chosen.dateline)
    if isinstance(chosen, ShortestPath):
        return shortest_path(topology, vcs)
    if isinstance(chosen, UpDown):
        return up_down(topology, vcs, chosen.root)
    assert isinstance(chosen, MinimalAdaptive)
    if noc.topology.kind == "mesh":
        return minimal_adaptive(topology, dimension_order(topology, vcs, chosen.order), chosen.escape_vcs)
    return minimal_adaptive(topology, up_down(topology, vcs, chosen.root), chosen.escape_vcs)


def dimension_order(
    topology: Topology, vcs: int = 4, order: Sequence[int] | None = None, dateline: bool = True
) -> Routing:
    """One dimension after the other, in a mesh or torus.

    In a torus the shorter way round is taken; at equal distance a packet whose coordinate is even goes up and one
    whose coordinate is odd goes down, so that both directions carry the same.  With ``dateline`` the virtual channels
    are split in halves (Dally and Seitz 1987): the lower half carries packets that still have to wrap around in the
    present dimension, the upper half those that have not, or not any more; so neither half closes a ring.

    Args:
        vcs: virtual channels of an input.
        order: dimensions, first to last; None: x, y, z, ...
        dateline: of a torus; without it, it has cycles.

    Raises:
        InputError: the topology has no dimensions, ``order`` does not name each once, or the VCs cannot be halved.
    """
    shape = topology.shape
    if not topology.is_grid:
        raise InputError(f"{topology.name} has no dimensions", key="routing.kind", allowed="shortest_path, up_down")
    order = tuple(range(len(shape))) if order is None else tuple(order)
    if sorted(order) != list(range(len(shape))):
        raise InputError(
            f"{list(order)} does not name each dimension once", key="routing.order",
            allowed=f"the numbers 0 to {len(shape) - 1}, in any order",
        )  # fmt: skip
    wraps = topology.channels > 0 and _wraps(topology)
    classes = 2 if wraps and dateline else 1
    if classes > vcs:
        raise InputError("a torus with a dateline needs two virtual channels", key="router.vcs", allowed="2 and more")
    place = router_coordinates(shape)
    entry = np.full((topology.routers, topology.routers), -1, np.int32)
    for d in reversed(order):
        step = _steps(shape[d], 2 * d, wraps and shape[d] > 2, classes == 2)
        here, there = place[:, None, d], place[None, :, d]
        np.copyto(entry, step[here, there], where=here != there)
    words = "".join("xyz"[d] if d < 3 else f"[{d}]" for d in order)
    return Routing(f"dimension order {words}", np.repeat(entry[None], classes, axis=0), _halves(vcs, classes))


def _wraps(topology: Topology) -> bool:
    """Whether channels lead from one end of a dimension to the other."""
    place = router_coordinates(topology.shape)
    jump: np.ndarray = np.abs(place[topology.source] - place[topology.target]).max(axis=1)
    return bool(np.any(jump > 1))


def _steps(size: int, up: int, wraps: bool, dateline: bool) -> np.ndarray:
    """(size, size) int32 entries within one dimension, from coordinate to coordinate; ``up`` is its first port."""
    here, there = np.arange(size)[:, None], np.arange(size)[None, :]
    if not wraps:
        return np.where(there > here, up, up + 1).astype(np.int32)
    ahead = (there - here) % size
    goes_up = (2 * ahead < size) | ((2 * ahead == size) & (here % 2 == 0))
    to_wrap = np.where(goes_up, there < here, there > here)
    on_class = np.where(to_wrap | (not dateline), 0, 1)
    return (np.where(goes_up, up, up + 1) | on_class << CLASS_SHIFT).astype(np.int32)


def _halves(vcs: int, classes: int) -> np.ndarray:
    """(classes,) int64 masks: all virtual channels, or the lower and the upper half of them."""
    every = (1 << vcs) - 1
    lower = (1 << vcs // 2) - 1
    return np.array([every] if classes == 1 else [lower, every ^ lower], np.int64)


def shortest_path(topology: Topology, vcs: int = 4) -> Routing:
    """Shortest paths, in hops; of several ports that lead on, the lowest.

    So all paths from one router form a tree.

    Raises:
        InputError: there is no path from one router to another.
    """
    require_connected(topology)
    return Routing("shortest path", tables.shortest_ports(topology)[None], _halves(vcs, 1))


def up_down(topology: Topology, vcs: int = 4, root: int = 0) -> Routing:
    """First up, then down a breadth-first tree from ``root`` (Schroeder et al. 1991): the shortest such path, and of
    several ports that lead on, the lowest.

    A channel leads up if its end is nearer to the root, or as near and of a lower number.  Class 1 has gone down.

    Raises:
        InputError: there is no path from one router to another, or a channel without one in the other direction.
    """
    require_connected(topology)
    both_ways = {(a, b) for a, b in zip(topology.source.tolist(), topology.target.tolist(), strict=True)}
    for a, b in sorted(both_ways):
        if (b, a) not in both_ways:
            raise InputError(
                f"up_down needs channels in both directions, but there is none from {topology.router_name(b)} to "
                f"{topology.router_name(a)}", key="routing.kind", allowed="shortest_path",
            )  # fmt: skip
    entries = tables.up_down_ports(topology, root)
    return Routing(f"up*/down* from {topology.router_name(root)}", entries, np.repeat(_halves(vcs, 1), 2))


def minimal_adaptive(topology: Topology, escape: Routing, escape_vcs: int = 1) -> Routing:
    """Any port on a shortest path, or the way of ``escape``, from which no packet comes back.

    The lowest ``escape_vcs`` virtual channels belong to the escape, the others to class 0.

    Raises:
        InputError: no virtual channel is left for class 0, or the routers have more ports than a mask has bits.
    """
    every = int(np.bitwise_or.reduce(escape.class_vcs))
    reserved = (1 << escape_vcs) - 1
    if every & ~reserved == 0:
        raise InputError("no virtual channel is left beside those of the escape", key="routing.escape_vcs",
                         allowed=f"fewer than {every.bit_count()}")  # fmt: skip
    if topology.ports > 63:
        raise InputError(f"{topology.ports} ports are too many for minimal_adaptive", key="routing.kind",
                         allowed="at most 63 ports, or shortest_path, up_down")  # fmt: skip
    # Classes move up by one to make room for class 0, which enters the escape as a packet is injected there.
    entries = np.where(escape.next < 0, -1, escape.next + (1 << CLASS_SHIFT)).astype(np.int32)
    class_vcs = np.array([every & ~reserved, *(np.zeros_like(escape.class_vcs) + reserved)], np.int64)
    return Routing(
        f"minimal adaptive, escape {escape.name}", np.concatenate([entries[:1], entries]), class_vcs,
        tables.minimal_ports(topology),
    )  # fmt: skip


def require_connected(topology: Topology) -> None:
    """Raises InputError, with the name of a router that cannot be reached, unless all can be from all others."""
    for forward in (True, False):
        missing = np.flatnonzero(tables.distances_from(topology, 0, forward) < 0)
        if missing.size:
            first, other = topology.router_name(0), topology.router_name(int(missing[0]))
            way = f"{other} cannot be reached from {first}" if forward else f"{first} cannot be reached from {other}"
            raise InputError(f"{topology.name} is not connected: {way}", key="topology")
