"""Where the tiles of a chip lie, and the stack that its tiers make: what heat needs to know of a chip.

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
from pimsim.technology import roll_up
from pimsim.thermal import PowerMap, Stack, stack_for_tiers


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

    @property
    def columns_and_rows(self) -> tuple[int, int]:
        """Places along x and along y."""
        pitch = float(self.side_m.max())
        return round(self.width_m / pitch), round((self.depth_m - self.links_m) / pitch)

    def tiles(self, power_w: np.ndarray) -> PowerMap:
        """Tiles that draw (places,) ``power_w``, each spread evenly over its own area."""
        return PowerMap(self.x_m, self.y_m, self.side_m, self.side_m, self.tier, power_w)

    def links(self, power_w: float) -> PowerMap:
        """Links between chips that draw ``power_w``, which have an area."""
        corner, tier = np.zeros(1), np.array([self.links_tier])
        return PowerMap(corner, corner, np.array([self.width_m]), np.array([self.links_m]), tier, np.array([power_w]))


def floorplan(routers: np.ndarray, system: System) -> Floorplan:
    """Where the tiles of a chip lie.

    Args:
        routers: (routers, 3) x, y and tier of the routers of a chip.

    Raises:
        InputError: a kind of tile has no area.
    """
    areas, chip = roll_up(system), system.chip
    on_gpu = np.array(chip.on_gpu)
    area = np.where(on_gpu, areas.gpu_core.area_mm2, areas.tile.area_mm2) * 1e-6
    if not np.all(area > 0):
        raise InputError("tiles have no area: no component of theirs has one in its cost", key="chip.tile")
    column, row, tier = _grid_of_routers(routers)
    across = math.ceil(math.sqrt(chip.noc.concentration))
    down = math.ceil(chip.noc.concentration / across)
    router, at = np.divmod(np.arange(chip.tiles), chip.noc.concentration)
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


def stack_of_chip(system: System, plan: Floorplan) -> Stack:
    """What lies on what, from the farthest tier to the sink and the board.

    Raises:
        InputError: the package does not cover the die.
    """
    path = system.chip.thermal
    longest = 1e3 * max(plan.width_m, plan.depth_m)
    if path.spreader_side_mm < longest:
        what = f"a spreader of {path.spreader_side_mm:g} mm does not cover the die of {1e3 * plan.width_m:.3g} x "
        raise InputError(f"{what}{1e3 * plan.depth_m:.3g} mm", key="chip.thermal.spreader_side_mm",
                         allowed=f"{longest:.4g} mm or more")  # fmt: skip
    return stack_for_tiers(
        plan.tiers, plan.width_m, plan.depth_m, tier_m=path.tier_um * 1e-6, bond_m=path.bond_um * 1e-6,
        tsv_fraction=path.tsv_fraction, spreader_side_m=path.spreader_side_mm * 1e-3,
        sink_side_m=path.sink_side_mm * 1e-3, convection_resistance=_or_none(path.convection_k_per_w),
        convection_capacity=path.convection_j_per_k, ambient_k=path.ambient_k,
        board_resistance=_or_none(path.board_k_per_w), board_capacity=path.board_j_per_k,
    )  # fmt: skip


def _or_none(resistance: float | None) -> float:
    return math.inf if resistance is None else resistance


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
