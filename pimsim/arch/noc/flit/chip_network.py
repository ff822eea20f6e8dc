"""The flit-level networks of all chips of a system as one, and the ways of a Program's packets over it.

Chips do not share routers.  At each chip's ``io_router`` hang five gateways beside its tiles: one for each link
between chips, which takes whole messages, and one for the host.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.arch.noc.flit.state import Network
from pimsim.mapping.program import Program
from pimsim.network.fabric import CHIP, EJECT, INJECT, MESH, Fabric
from pimsim.network.packets import Branches, cut
from pimsim.network.routing import CLASS_SHIFT
from pimsim.network.topology import Topology

LINKS = 4  #: of a chip: east, west, north, south; each has a gateway
HOST_GATEWAY = LINKS
GATEWAYS = LINKS + 1
OPPOSITE = np.array([1, 0, 3, 2])  #: a message that leaves east comes in from the west


@dataclass(frozen=True)
class Ways:
    """What the packets of each tree do.

    An edge here is one of ``program.trees``, or one of those that the trees of the host begin with: its message
    takes them as branches.  A *root* is an edge whose message joins a terminal's queue: an injection link, a link
    between chips that a message has come over, or what a tree of the host begins with.
    """

    network: Network
    first_root: np.ndarray  #: (trees + 1,) pointers into ``root``
    root: np.ndarray  #: edges with which the messages of each tree begin
    packets: np.ndarray  #: (trees,) packets of a message
    size: np.ndarray  #: (trees,) flits of each but the last
    last_size: np.ndarray  #: (trees,) flits of the last
    tree: np.ndarray  #: (edges,) the edge's tree
    terminal: np.ndarray  #: (edges,) of a root: where its packets join; else -1
    copies: np.ndarray  #: (edges,) of a root: terminals that its packets reach


def plan_ways(program: Program) -> Ways:
    """Lay the trees of a Program over the flit-level networks of its chips."""
    fabric, trees, noc = program.fabric, program.trees, program.system.chip.noc
    kinds = np.where(trees.link >= 0, fabric.link_kinds()[trees.link], -1)
    tree = np.repeat(np.arange(trees.roots.size), np.diff(trees.first))
    host_first, host_count, host_tree = _host_roots(program, kinds)
    child_lo = np.concatenate([trees.child_lo, host_first])
    child_hi = np.concatenate([trees.child_hi, host_first + host_count])
    kinds = np.concatenate([kinds, np.full(host_tree.size, -1)])
    link = np.concatenate([trees.link, np.full(host_tree.size, -1)])
    tree = np.concatenate([tree, host_tree])
    port = _ports(fabric, kinds, link)
    first_root, root = _roots(program, kinds[: trees.link.size], host_tree)
    packets, size, last_size = cut(program.tree_flits, noc.header_flits, noc.longest_packet)
    parent = np.full(tree.size, -1)
    counts = child_hi - child_lo
    parent[_ranges(child_lo, counts)] = np.repeat(np.arange(tree.size), counts)
    branches = Branches(
        root=root, port=port, vcs=_masks(program, kinds, link, parent),
        child_lo=child_lo, child_hi=child_hi,
    )  # fmt: skip
    return Ways(
        network=Network(system_topology(fabric), noc.router, None, branches),
        first_root=first_root, root=root, packets=packets, size=size, last_size=last_size, tree=tree,
        terminal=_terminals(fabric, kinds, link, trees.link.size),
        copies=_copies(parent, kinds),
    )  # fmt: skip


def system_topology(fabric: Fabric) -> Topology:
    """All chips' routers, tiles and gateways; terminal k of chip c is ``c * (terminals + GATEWAYS) + k``."""
    one, chips = fabric.topology, fabric.chips
    shift = np.repeat(np.arange(chips) * one.routers, one.channels)
    hung = np.concatenate([one.terminal_router, np.full(GATEWAYS, fabric.io_router)])
    ports = np.concatenate([one.terminal_port, one.ports + np.arange(GATEWAYS)])
    return Topology(
        name=f"{chips} x {one.name}" if chips > 1 else one.name,
        shape=(chips * one.routers,),
        ports=one.ports + GATEWAYS,
        position=np.tile(one.position, (chips, 1)),
        terminal_router=np.tile(hung, chips) + np.repeat(np.arange(chips) * one.routers, hung.size),
        terminal_port=np.tile(ports, chips),
        source=np.tile(one.source, chips) + shift,
        source_port=np.tile(one.source_port, chips),
        target=np.tile(one.target, chips) + shift,
        target_port=np.tile(one.target_port, chips),
        latency=np.tile(one.latency, chips),
        flit_cycles=np.tile(one.flit_cycles, chips),
        length_mm=np.tile(one.length_mm, chips),
        dimension=np.tile(one.dimension, chips),
        vertical=np.tile(one.vertical, chips),
    )


def _host_roots(program: Program, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Roots of the trees that come from the host: first branch, branches, tree of each."""
    trees = program.trees
    some = np.diff(trees.first) > 0
    begins = np.full(trees.roots.size, INJECT)
    begins[some] = kinds[trees.first[:-1][some]]
    of_host = np.flatnonzero(np.isin(begins, (MESH, EJECT, CHIP)))
    first, count = trees.first[of_host], trees.roots[of_host]
    if program.system.chip.noc.multicast == "tree":
        return first, count, of_host
    return _ranges(first, count), np.ones(int(count.sum()), np.int64), np.repeat(of_host, count)


def _roots(program: Program, kinds: np.ndarray, host_tree: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(trees + 1,) pointers and the roots of each tree, in increasing order."""
    own = np.flatnonzero(kinds == INJECT)
    tree_of_edge = np.repeat(np.arange(program.trees.roots.size), np.diff(program.trees.first))
    tree = np.concatenate([tree_of_edge[own], host_tree])
    root = np.concatenate([own, kinds.size + np.arange(host_tree.size)])
    order = np.lexsort((root, tree))
    first = np.zeros(program.trees.roots.size + 1, np.int64)
    np.cumsum(np.bincount(tree, minlength=first.size - 1), out=first[1:])
    return first, root[order]


def _ports(fabric: Fabric, kinds: np.ndarray, link: np.ndarray) -> np.ndarray:
    """(edges,) output port of the router that the edge leaves; -1: a root."""
    topology = fabric.topology
    port = np.full(kinds.size, -1)
    mesh, eject, between = kinds == MESH, kinds == EJECT, kinds == CHIP
    port[mesh] = topology.source_port[(link[mesh] - fabric.first_channel) % max(topology.channels, 1)]
    port[eject] = topology.terminal_port[(link[eject] - fabric.n_tiles) % fabric.tiles]
    port[between] = topology.ports + (link[between] - fabric.first_chip_link) % LINKS
    return port


def _terminals(fabric: Fabric, kinds: np.ndarray, link: np.ndarray, edges: int) -> np.ndarray:
    """(edges,) terminal whose queue the packets of a root join; -1: no root."""
    each = fabric.topology.terminals + GATEWAYS
    terminal = np.full(kinds.size, -1)
    inject, between = kinds == INJECT, kinds == CHIP
    tile = link[inject]
    terminal[inject] = tile // fabric.tiles * each + tile % fabric.tiles
    chip, direction = np.divmod(link[between] - fabric.first_chip_link, LINKS)
    terminal[between] = _next_chip(fabric, chip, direction) * each + fabric.topology.terminals + OPPOSITE[direction]
    terminal[edges:] = fabric.topology.terminals + HOST_GATEWAY
    return terminal


def _next_chip(fabric: Fabric, chip: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The chip to which each link leads; in a ring they are numbered along it."""
    step = np.array([1, -1, -fabric.chip_columns, fabric.chip_columns])[direction]
    return (chip + step) % fabric.chips if fabric.chip_columns == 0 else chip + step


def _copies(parent: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """(edges,) terminals that a packet of this root reaches: ends below it that no other end is above."""
    copies = np.zeros(parent.size, np.int64)
    above = parent[(kinds == EJECT) | (kinds == CHIP)]
    while above.size:  # all ends climb one edge at a time, until they are at their root
        root = kinds[above] != MESH
        np.add.at(copies, above[root], 1)
        above = parent[above[~root]]
    return copies


def _masks(program: Program, kinds: np.ndarray, link: np.ndarray, parent: np.ndarray) -> np.ndarray:
    """(edges,) virtual channels that a packet may take on each edge, by the classes of the routing.

    Where ways of different classes share a channel, the lowest class holds: from there a copy may go on to any other.
    """
    fabric = program.fabric
    routing, topology = fabric.routing, fabric.topology
    every = (1 << program.system.chip.noc.router.vcs) - 1
    masks = np.full(kinds.size, every)
    if np.all(routing.class_vcs == every):
        return masks
    ends = np.flatnonzero((kinds == EJECT) | (kinds == CHIP))
    terminal = (link - fabric.n_tiles) % fabric.tiles
    towards = np.where(kinds == EJECT, topology.terminal_router[terminal], fabric.io_router)
    way = [parent[ends]]  # the channels to each end, last one first; -1 above the first
    while np.any(way[-1] >= 0):
        above = way[-1]
        inside = (above >= 0) & (kinds[above] == MESH)
        way[-1] = np.where(inside, above, -1)
        way.append(np.where(inside, parent[above], -1))
    classes = np.zeros(ends.size, np.int64)
    lowest = np.full(kinds.size, routing.class_vcs.size)
    for edge in reversed(way):
        at = np.flatnonzero(edge >= 0)
        channel = (link[edge[at]] - fabric.first_channel) % max(topology.channels, 1)
        hop = routing.next[classes[at], topology.source[channel], towards[ends[at]]]
        classes[at] = hop >> CLASS_SHIFT
        np.minimum.at(lowest, edge[at], classes[at])
    masks[lowest < routing.class_vcs.size] = routing.class_vcs[lowest[lowest < routing.class_vcs.size]]
    return masks


def _ranges(first: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """first[0]..first[0] + counts[0] - 1, and so on, in one array."""
    before = np.cumsum(counts) - counts
    return np.arange(int(counts.sum())) + np.repeat(first - before, counts)
