"""Where the tiles of a chip lie.

The die of a chip is a grid of places, one for each tile: as many as routers and tiles at each of them, every place a
square as large as the largest kind of tile, the links to other chips in a strip along the edge at y = 0.  Tiers are
alike.  A tile lies in the middle of its place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pimsim.config import System
from pimsim.errors import InputError
from pimsim.results.record import TileMap
from pimsim.technology import roll_up


@dataclass(frozen=True)
class Floorplan:
    """Where the tiles of a chip lie; every chip of a system is the same."""

    width_m: float  #: of the die, along x
    depth_m: float  #: along y
    tiers: int
    x_m: np.ndarray  #: (places,) left edge of each tile, from the die's
    y_m: np.ndarray  #: (places,) lower edge
    side_m: np.ndarray  #: (places,) of each tile's square
    tier: np.ndarray  #: (places,) int64, 0: the farthest from the sink
    links_m: float  #: depth of the strip of links, from y = 0 over the whole width; 0: there is none
    links_tier: int  #: where that is


def floorplan(tiles: TileMap, system: System) -> Floorplan:
    """Where the tiles of a chip lie.

    Raises:
        InputError: a kind of tile has no area.
    """
    areas, chip = roll_up(system), system.chip
    on_gpu = np.array(chip.on_gpu)
    area = np.where(on_gpu, areas.gpu_core.area_mm2, areas.tile.area_mm2) * 1e-6
    if not np.all(area > 0):
        raise InputError("tiles have no area: no component of theirs has one in its cost", key="chip.tile")
    column, row, tier = _grid_of_routers(np.array(tiles.router_places))
    across = math.ceil(math.sqrt(tiles.concentration))
    down = math.ceil(tiles.concentration / across)
    router, at = np.divmod(np.arange(tiles.tiles_per_chip), tiles.concentration)
    pitch, side = math.sqrt(float(area.max())), np.sqrt(area)
    width = (int(column.max()) + 1) * across * pitch
    strip = areas.links.area_mm2 * 1e-6 / width
    io = system.chip.noc.io_number
    return Floorplan(
        width_m=width, depth_m=(int(row.max()) + 1) * down * pitch + strip, tiers=int(tier.max()) + 1,
        x_m=(column[router] * across + at % across) * pitch + (pitch - side) / 2,
        y_m=strip + (row[router] * down + at // across) * pitch + (pitch - side) / 2,
        side_m=side, tier=tier[router], links_m=strip, links_tier=int(tier[io]),
    )  # fmt: skip


def _grid_of_routers(places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(routers,) column, row and tier; where the routers of a tier are no full grid, they fill a square in order."""
    tier = places[:, 2].astype(np.int64)
    column, row = (np.unique(places[:, axis], return_inverse=True)[1].reshape(-1) for axis in (0, 1))
    in_tier = int(np.bincount(tier).max())
    if (column.max() + 1) * (row.max() + 1) == in_tier:
        return column, row, tier
    order = np.array([np.count_nonzero(tier[:at] == tier[at]) for at in range(len(tier))])
    row, column = np.divmod(order, math.ceil(math.sqrt(in_tier)))
    return column, row, tier
