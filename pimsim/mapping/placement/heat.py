"""How warm a placement makes the chips.

Every place of a chip warms every other one by so much for each watt, R, which the grid of `pimsim thermal` says once
(see :mod:`pimsim.thermal.resistances`); every chip has a package of its own:

    rise(p) = sum_q R[p, q] P(q) + what links to other chips always draw

The grid is coarser than there, and static power that of the costs, however warm.  Powers are whole uW, resistances
whole uK/W: rises are whole pK, and stay exact however often tiles change places.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pimsim.config.records import System
from pimsim.errors import InputError
from pimsim.network.fabric import Fabric
from pimsim.technology import RollUp, roll_up
from pimsim.technology.components import components
from pimsim.thermal import Conduction, PowerMap, Stack, stack_for_tiers, thermal_resistances

CELLS = 4  #: along each side of a place
MOST_CELLS = 32  #: along each side of the die
MOST_RISE_K = 2**62 / 1e12  #: of any tile, what whole pK hold


@dataclass(frozen=True)
class Heat:
    """What tiles draw, wherever they lie, and how warm that makes every place; int64."""

    power_uw: np.ndarray  #: (tiles,) of each tile of the traffic
    resistance: np.ndarray  #: (places, places) R of a chip [uK/W], places in the order of its tiles
    always: np.ndarray  #: (places,) rise that does not depend on tiles [pK]


def hottest_rise(heat: Heat, place: np.ndarray) -> float:
    """Temperature of the hottest tile over that of the air [K].

    ``place`` (tiles,): the tile of the system on which each tile of the traffic lies.
    """
    power = np.empty_like(heat.power_uw)
    power[place] = heat.power_uw
    of_chips = power.reshape(-1, heat.always.size)
    return int((of_chips @ heat.resistance.T + heat.always).max()) / 1e12


def heat_of_system(fabric: Fabric, system: System, power_w: np.ndarray) -> Heat:
    """Heat of tiles that draw ``power_w`` (tiles,) on the stacks of a system's chips.

    Raises:
        InputError: tiles without an area; a package that does not fit the die; no convergence; more heat than numbers
            hold.
    """
    die = _Die(fabric, system)
    conduction = Conduction(_stack(system, die), *die.cells)
    resistance = thermal_resistances(conduction, die.places)
    rise_of_links = np.zeros(fabric.tiles)
    if die.strip_m and (watts := _links_w(system)):
        corner, tier = np.zeros(1), die.places.tier[[system.chip.noc.io_number * fabric.concentration]]
        strip = PowerMap(corner, corner, [die.width_m], [die.strip_m], tier, [watts])  # type: ignore[arg-type]
        rise = conduction.solve(conduction.nodes_of(strip.on(conduction.grid)))
        rise_of_links = die.places.mean_of(conduction.grid.of_tiers(rise), conduction.grid)
    most = power_w.sum() * resistance.max() + rise_of_links.max()
    if not most < MOST_RISE_K:
        raise InputError(f"tiles that draw {power_w.sum():.3g} W would be {most:.3g} K warmer than the air",
                         key="chip.thermal", allowed=f"less than {MOST_RISE_K:.3g} K")  # fmt: skip
    whole = (np.rint(1e6 * power_w), np.rint(1e6 * resistance), np.rint(1e12 * rise_of_links))
    return Heat(*(each.astype(np.int64) for each in whole))


class _Die:
    """Where the places of a chip lie, as in the floorplan of `pimsim thermal`: each as large as the largest kind of
    tile, a tile in its middle, the links to other chips along the edge at y = 0."""

    def __init__(self, fabric: Fabric, system: System) -> None:
        areas = roll_up(system)
        side_m = _sides_m(system, areas)
        column, row, tier = _grid(fabric.topology.position)
        across = math.ceil(math.sqrt(fabric.concentration))
        down = math.ceil(fabric.concentration / across)
        router, at = np.divmod(np.arange(fabric.tiles), fabric.concentration)
        pitch = float(side_m.max())
        columns, rows = (int(column.max()) + 1) * across, (int(row.max()) + 1) * down
        self.width_m = columns * pitch
        self.strip_m = areas.links.area_mm2 * 1e-6 / self.width_m
        self.depth_m = rows * pitch + self.strip_m
        self.tiers = int(tier.max()) + 1
        self.cells = tuple(min(MOST_CELLS, CELLS * n) for n in (columns, rows))
        aside = (pitch - side_m) / 2
        self.places = PowerMap(
            x_m=(column[router] * across + at % across) * pitch + aside,
            y_m=self.strip_m + (row[router] * down + at // across) * pitch + aside,
            width_m=side_m, depth_m=side_m, tier=tier[router], power_w=np.zeros(fabric.tiles),
        )  # fmt: skip


def _sides_m(system: System, areas: RollUp) -> np.ndarray:
    """(tiles,) side of the square of each tile of a chip."""
    area = np.where(system.chip.on_gpu, areas.gpu_core.area_mm2, areas.tile.area_mm2) * 1e-6
    if not np.all(area > 0):
        raise InputError("tiles have no area: no component of theirs has one in its cost", key="chip.tile")
    return np.sqrt(area)


def _grid(position: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(routers,) column, row and tier; where the routers of a tier are no full grid, they fill a square in order."""
    tier = position[:, 2].astype(np.int64)
    column, row = (np.unique(position[:, axis], return_inverse=True)[1].reshape(-1) for axis in (0, 1))
    in_tier = int(np.bincount(tier).max())
    if (column.max() + 1) * (row.max() + 1) == in_tier:
        return column, row, tier
    order = np.array([np.count_nonzero(tier[:at] == tier[at]) for at in range(tier.size)])
    row, column = np.divmod(order, math.ceil(math.sqrt(in_tier)))
    return column, row, tier


def _stack(system: System, die: _Die) -> Stack:
    path, longest_mm = system.chip.thermal, 1e3 * max(die.width_m, die.depth_m)
    if path.spreader_side_mm < longest_mm:
        raise InputError(f"a spreader of {path.spreader_side_mm:g} mm does not cover the die, {longest_mm:.3g} mm long",
                         key="chip.thermal.spreader_side_mm", allowed=f"{longest_mm:.4g} mm or more")  # fmt: skip
    out = {name: math.inf if value is None else value
           for name, value in (("convection_resistance", path.convection_k_per_w),
                               ("board_resistance", path.board_k_per_w))}  # fmt: skip
    return stack_for_tiers(
        die.tiers, die.width_m, die.depth_m, tier_m=path.tier_um * 1e-6, bond_m=path.bond_um * 1e-6,
        tsv_fraction=path.tsv_fraction, spreader_side_m=path.spreader_side_mm * 1e-3,
        sink_side_m=path.sink_side_mm * 1e-3, ambient_k=path.ambient_k, **out,
    )  # fmt: skip


def _links_w(system: System) -> float:
    """What the links of a chip to others always draw."""
    return sum(
        float(part.count) * part.cost.static_fraction * (part.cost.power_mw or 0.0) / 1000
        for part in components(system) if part.level == "chip"
    )  # fmt: skip
