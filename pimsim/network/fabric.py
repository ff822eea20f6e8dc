"""The links of a system and the paths over them: graphs, no time.

Tiles hang on the routers of their chip's mesh (``concentration`` tiles a router); a chip's links and
the host attach at its ``io_router``.  Paths are dimension-ordered: x before y among the routers of a
chip, and among the chips.  From one source all paths together form a tree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from pimsim.config.records import System
from pimsim.errors import InputError

INJECT, MESH, EJECT, CHIP = range(4)  #: kinds of links
KIND_NAMES = ("inject", "mesh", "eject", "chip")
HOST = -1  #: source "tile" of what comes from the host

EAST, WEST, NORTH, SOUTH = range(4)
_STEP = ((1, 0), (-1, 0), (0, -1), (0, 1))


@dataclass(frozen=True)
class Fabric:
    """Numbering of tiles, routers and links.

    Tile t of the system is tile ``t % tiles`` of chip ``t // tiles``.  Links: one from each tile to its
    router, four from each router to its neighbours, one from each router to each tile, four from each chip.
    """

    chips: int
    tiles: int  #: of one chip
    mesh_x: int
    mesh_y: int
    concentration: int
    io_x: int
    io_y: int
    chip_columns: int  #: 0: the chips form a ring

    @property
    def n_tiles(self) -> int:
        """Tiles of the system."""
        return self.chips * self.tiles

    @property
    def n_routers(self) -> int:
        """Routers of the system."""
        return self.chips * self.mesh_x * self.mesh_y

    @property
    def n_links(self) -> int:
        """Links of the system, numbered from 0; some of them lead out of a mesh and are never used."""
        return 2 * self.n_tiles + 4 * self.n_routers + 4 * self.chips

    def shape(self) -> np.ndarray:
        """The numbers that the compiled kernels need, as an int64 array."""
        return np.array(
            [self.chips, self.tiles, self.mesh_x, self.mesh_y, self.concentration, self.io_x, self.io_y,
             self.chip_columns], dtype=np.int64,
        )  # fmt: skip

    def link_kinds(self) -> np.ndarray:
        """(n_links,) int64: INJECT, MESH, EJECT or CHIP."""
        kinds = np.full(self.n_links, MESH, dtype=np.int64)
        kinds[: self.n_tiles] = INJECT
        kinds[self.n_tiles : 2 * self.n_tiles] = EJECT
        kinds[2 * self.n_tiles + 4 * self.n_routers :] = CHIP
        return kinds

    def link_name(self, link: int) -> str:
        """The link in words: where it starts and where it leads."""
        if link < self.n_tiles:
            return f"tile {link} to its router"
        if link < 2 * self.n_tiles:
            return f"router to tile {link - self.n_tiles}"
        link -= 2 * self.n_tiles
        if link < 4 * self.n_routers:
            router, direction = divmod(link, 4)
            chip, place = divmod(router, self.mesh_x * self.mesh_y)
            y, x = divmod(place, self.mesh_x)
            dx, dy = _STEP[direction]
            return f"chip {chip}: router ({x}, {y}) to ({x + dx}, {y + dy})"
        chip, direction = divmod(link - 4 * self.n_routers, 4)
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
    return Fabric(
        chips=chips,
        tiles=system.chip.tiles,
        mesh_x=noc.mesh[0],
        mesh_y=noc.mesh[1],
        concentration=noc.concentration,
        io_x=noc.io_router[0],
        io_y=noc.io_router[1],
        chip_columns=columns,
    )


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


@njit(cache=True)
def path(shape: np.ndarray, source: int, target: int, links: np.ndarray) -> int:
    """Links from tile ``source`` (or the host) to tile ``target``, written into ``links``; their number.

    No link at all when source and target are the same tile.
    """
    chips, tiles, mesh_x, mesh_y, concentration, io_x, io_y, columns = shape
    n_tiles = chips * tiles
    if source == target:
        return 0
    n = 0
    if source == HOST:
        chip, x, y = 0, io_x, io_y
    else:
        links[n] = source
        n += 1
        chip = source // tiles
        router = (source % tiles) // concentration
        x, y = router % mesh_x, router // mesh_x
    target_chip = target // tiles
    if chip != target_chip:
        n = _walk_mesh(shape, chip, x, y, io_x, io_y, links, n)
        n = _walk_chips(shape, chip, target_chip, links, n)
        chip, x, y = target_chip, io_x, io_y
    router = (target % tiles) // concentration
    n = _walk_mesh(shape, chip, x, y, router % mesh_x, router // mesh_x, links, n)
    links[n] = n_tiles + target
    return n + 1


@njit(cache=True)
def _walk_mesh(
    shape: np.ndarray, chip: int, x: int, y: int, to_x: int, to_y: int, links: np.ndarray, n: int
) -> int:
    mesh_x, mesh_y = shape[2], shape[3]
    first = 2 * shape[0] * shape[1] + 4 * chip * mesh_x * mesh_y
    while x != to_x:
        direction = EAST if to_x > x else WEST
        links[n] = first + 4 * (y * mesh_x + x) + direction
        x += 1 if to_x > x else -1
        n += 1
    while y != to_y:
        direction = SOUTH if to_y > y else NORTH
        links[n] = first + 4 * (y * mesh_x + x) + direction
        y += 1 if to_y > y else -1
        n += 1
    return n


@njit(cache=True)
def _walk_chips(shape: np.ndarray, chip: int, to_chip: int, links: np.ndarray, n: int) -> int:
    chips, columns = shape[0], shape[7]
    first = 2 * chips * shape[1] + 4 * chips * shape[2] * shape[3]
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
    """No path has more links than this."""
    return 2 + 2 * (fabric.mesh_x + fabric.mesh_y) + 2 * fabric.chips + 2
