"""The links of a system and the paths over them: graphs, no time.

Tiles hang on the routers of their chip's network (``concentration`` tiles a router); a chip's links and
the host attach at its ``io_router``.  Paths within a chip follow its routing tables (of an adaptive routing, its
escape), those among the chips go x before y.  From one source all paths together form a tree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numba import njit

from pimsim.config.records import System
from pimsim.errors import InputError
from pimsim.network.routing import CLASS_SHIFT, PORT_MASK, Routing, build_routing
from pimsim.network.topology import Topology, build_topology

INJECT, MESH, EJECT, CHIP = range(4)  #: kinds of links; MESH: from router to router, whatever the topology
KIND_NAMES = ("inject", "mesh", "eject", "chip")
HOST = -1  #: source "tile" of what comes from the host

EAST, WEST, NORTH, SOUTH = range(4)


class Speed(NamedTuple):
    """What links of one speed have in common."""

    kind: int  #: INJECT, MESH, EJECT or CHIP
    head_cycles: int  #: head flit, start of the link to where it asks for the next; 0 for CHIP, which has no clock
    flit_cycles: int  #: cycles that a flit occupies it


@dataclass(frozen=True, eq=False)
class Fabric:
    """Numbering of tiles, routers and links.

    Tile t of the system is tile ``t % tiles`` of chip ``t // tiles``.  Links: one from each tile to its router, one
    from each router to each tile, the channels of each chip's topology in their order, four from each chip.
    """

    chips: int
    tiles: int  #: of one chip
    chip_columns: int  #: 0: the chips form a ring
    concentration: int  #: tiles at one router
    io_router: int  #: number of the router at which chip links and the host attach
    topology: Topology  #: of one chip; all are equal
    routing: Routing  #: of one chip
    speeds: tuple[Speed, ...]  #: of injection, channels, ejection and chip links; then of further channels
    channel_speed: np.ndarray  #: (C,) index into ``speeds`` of each channel of a chip

    @property
    def n_tiles(self) -> int:
        """Tiles of the system."""
        return self.chips * self.tiles

    @property
    def routers(self) -> int:
        """Routers of one chip."""
        return self.topology.routers

    @property
    def n_routers(self) -> int:
        """Routers of the system."""
        return self.chips * self.routers

    @property
    def first_channel(self) -> int:
        """Number of the first link from router to router."""
        return 2 * self.n_tiles

    @property
    def first_chip_link(self) -> int:
        """Number of the first link between chips."""
        return self.first_channel + self.chips * self.topology.channels

    @property
    def n_links(self) -> int:
        """Links of the system, numbered from 0; of those between chips, some lead nowhere and are never used."""
        return self.first_chip_link + 4 * self.chips

    @cached_property
    def tier(self) -> np.ndarray:
        """(routers,) int64: tier of each router of a chip, from 0."""
        tier: np.ndarray = np.unique(self.topology.position[:, 2], return_inverse=True)[1].astype(np.int64)
        return tier

    @cached_property
    def kernel(self) -> Kernel:
        """What the compiled :func:`path` needs."""
        topology = self.topology
        shape = np.array([self.chips, self.tiles, self.concentration, self.io_router, self.chip_columns,
                          topology.channels], np.int64)  # fmt: skip
        return Kernel(shape, self.routing.next, topology.output, topology.target)

    def link_kinds(self) -> np.ndarray:
        """(n_links,) int64: INJECT, MESH, EJECT or CHIP."""
        kinds: np.ndarray = np.array([speed.kind for speed in self.speeds], np.int64)[self.link_speeds()]
        return kinds

    def link_speeds(self) -> np.ndarray:
        """(n_links,) int64: index into ``speeds``."""
        ends = [np.full(self.n_tiles, kind, np.int64) for kind in (INJECT, EJECT)]
        between = np.full(4 * self.chips, CHIP, np.int64)
        return np.concatenate([*ends, np.tile(self.channel_speed, self.chips), between])

    def channel_of(self, link: int) -> tuple[int, int] | None:
        """(chip, channel of its topology) that a link is; None for links of tiles and between chips."""
        inside = self.first_channel <= link < self.first_chip_link
        return divmod(link - self.first_channel, self.topology.channels) if inside else None

    def chip_of(self, link: int) -> int:
        """The chip from which a link leads."""
        if link < self.first_channel:
            return link % self.n_tiles // self.tiles
        channel = self.channel_of(link)
        return (link - self.first_chip_link) // 4 if channel is None else channel[0]

    def link_name(self, link: int) -> str:
        """The link in words: where it starts and where it leads."""
        if link < self.n_tiles:
            return f"tile {link} to its router"
        if link < self.first_channel:
            return f"router to tile {link - self.n_tiles}"
        channel = self.channel_of(link)
        if channel is not None:
            source, target = self.topology.channel_name(channel[1]).split(" -> router ")
            return f"chip {channel[0]}: {source} to {target}"
        chip, direction = divmod(link - self.first_chip_link, 4)
        return f"chip {chip}: link {('east', 'west', 'north', 'south')[direction]}"


def build_fabric(system: System, chips: int) -> Fabric:
    """The links of ``chips`` chips of the system's kind; raises InputError where a chip has too few."""
    noc = system.chip.noc
    columns = 0 if system.chip_graph.kind == "ring" else system.chip_graph.columns or math.ceil(math.sqrt(chips))
    needed = _links_of_a_chip(chips, columns)
    if needed > system.chip.links.count:
        raise InputError(
            f"{system.chip.links.count} links a chip do not join {chips} chips in a {system.chip_graph.kind}; "
            f"it takes {needed}",
            key="chip.links.count",
        )
    topology = build_topology(noc)
    head_cycles = [noc.hop_cycles(*each) for each in zip(topology.latency, topology.flit_cycles, strict=True)]
    speeds, channel_speed = _speeds(noc.inject_cycles, noc.eject_cycles, head_cycles, topology.flit_cycles)
    return Fabric(
        chips=chips,
        tiles=system.chip.tiles,
        chip_columns=columns,
        concentration=noc.concentration,
        io_router=noc.io_number,
        topology=topology,
        routing=build_routing(topology, noc),
        speeds=speeds,
        channel_speed=channel_speed,
    )


def _speeds(
    inject_cycles: int, eject_cycles: int, head_cycles: Iterable[int], flit_cycles: Iterable[int]
) -> tuple[tuple[Speed, ...], np.ndarray]:
    """Different speeds, in the order of :attr:`Fabric.speeds`, and (C,) which of them each channel has."""
    channels = [Speed(MESH, int(head), int(flit)) for head, flit in zip(head_cycles, flit_cycles, strict=True)]
    distinct = list(dict.fromkeys(channels)) or [Speed(MESH, eject_cycles, 1)]  # one router has no channel
    speeds = (Speed(INJECT, inject_cycles, 1), distinct[0], Speed(EJECT, eject_cycles, 1), Speed(CHIP, 0, 1),
              *distinct[1:])  # fmt: skip
    return speeds, np.array([speeds.index(channel) for channel in channels], np.int64)


def _links_of_a_chip(chips: int, columns: int) -> int:
    """Most neighbours that a chip has, in a mesh of so many columns or (0) in a ring."""
    if columns == 0:
        return min(2, chips - 1)
    neighbours = [
        (x > 0) + (x + 1 < columns and chip + 1 < chips) + (chip >= columns) + (chip + columns < chips)
        for chip in range(min(chips, 4 * columns))
        for x in [chip % columns]
    ]
    return max(neighbours)


class Kernel(NamedTuple):
    """A fabric as arrays."""

    shape: np.ndarray  #: chips, tiles, concentration, io_router, chip_columns, channels
    next: np.ndarray  #: (classes, R, R) as in Routing
    output: np.ndarray  #: (R, ports) channel that leaves by each port
    target: np.ndarray  #: (C,) router at the end of each channel


@njit(cache=True)
def path(kernel: Kernel, source: int, target: int, links: np.ndarray) -> int:
    """Links from tile ``source`` (or the host) to tile ``target``, written into ``links``; their number.

    No link at all when source and target are the same tile.
    """
    chips, tiles, concentration, io_router, _, _ = kernel.shape
    n_tiles = chips * tiles
    if source == target:
        return 0
    n = 0
    if source == HOST:
        chip, router = 0, io_router
    else:
        links[n] = source
        n += 1
        chip = source // tiles
        router = (source % tiles) // concentration
    target_chip = target // tiles
    if chip != target_chip:
        n = _walk_chip(kernel, chip, router, io_router, links, n)
        n = _walk_chips(kernel.shape, chip, target_chip, links, n)
        chip, router = target_chip, io_router
    n = _walk_chip(kernel, chip, router, (target % tiles) // concentration, links, n)
    links[n] = n_tiles + target
    return n + 1


@njit(cache=True)
def _walk_chip(kernel: Kernel, chip: int, router: int, to_router: int, links: np.ndarray, n: int) -> int:
    shape = kernel.shape
    first = 2 * shape[0] * shape[1] + chip * shape[5]
    of_class = 0
    while router != to_router:
        entry = kernel.next[of_class, router, to_router]
        channel = kernel.output[router, entry & PORT_MASK]
        links[n] = first + channel
        n += 1
        router = kernel.target[channel]
        of_class = entry >> CLASS_SHIFT
    return n


@njit(cache=True)
def _walk_chips(shape: np.ndarray, chip: int, to_chip: int, links: np.ndarray, n: int) -> int:
    chips, columns = shape[0], shape[4]
    first = 2 * chips * shape[1] + chips * shape[5]
    while chip != to_chip:
        if columns == 0:
            ahead = (to_chip - chip) % chips
            direction = EAST if 2 * ahead <= chips else WEST
            following = (chip + 1) % chips if direction == EAST else (chip - 1) % chips
        else:
            x, y = chip % columns, chip // columns
            to_x, to_y = to_chip % columns, to_chip // columns
            corner_exists = y * columns + to_x < chips  # the last row of chips may be short
            if x != to_x and (corner_exists or y == to_y):
                direction = EAST if to_x > x else WEST
                following = chip + 1 if to_x > x else chip - 1
            elif y != to_y:
                direction = SOUTH if to_y > y else NORTH
                following = chip + columns if to_y > y else chip - columns
            else:
                direction = EAST if to_x > x else WEST
                following = chip + 1 if to_x > x else chip - 1
        links[n] = first + 4 * chip + direction
        n += 1
        chip = following
    return n


def longest_path(fabric: Fabric) -> int:
    """No path has more links than this: within a chip a path passes a router at most once in each class."""
    classes = fabric.routing.next.shape[0]
    in_chip = sum(fabric.topology.shape) if fabric.topology.is_grid and classes == 1 else classes * fabric.routers
    return 4 + 2 * in_chip + 2 * fabric.chips
