"""How warm a placement makes the chips.

Every place of a chip warms every other one by so much for each watt, R, which the grid of `pimsim thermal` says once
(see :mod:`pimsim.thermal.resistances`); every chip has a package of its own:

    rise(p) = sum_q R[p, q] P(q) + what links to other chips always draw

The grid is coarser than there, and static power that of the costs, however warm.  Powers are whole uW, resistances
whole uK/W: rises are whole pK, and stay exact however often tiles change places.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.config.records import System
from pimsim.errors import InputError
from pimsim.floorplan import floorplan, stack_of_chip
from pimsim.network.fabric import Fabric
from pimsim.technology.components import components
from pimsim.thermal import Conduction
from pimsim.thermal.resistances import thermal_resistances

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
    plan = floorplan(fabric.topology.position, system)
    cells = (min(MOST_CELLS, CELLS * n) for n in plan.columns_and_rows)
    conduction = Conduction(stack_of_chip(system, plan), *cells)
    places = plan.tiles(np.zeros(fabric.tiles))
    resistance = thermal_resistances(conduction, places)
    rise_of_links = np.zeros(fabric.tiles)
    if plan.links_m and (watts := _links_w(system)):
        rise = conduction.solve(conduction.nodes_of(plan.links(watts).on(conduction.grid)))
        rise_of_links = places.mean_of(conduction.grid.of_tiers(rise), conduction.grid)
    most = power_w.sum() * resistance.max() + rise_of_links.max()
    if not most < MOST_RISE_K:
        raise InputError(f"tiles that draw {power_w.sum():.3g} W would be {most:.3g} K warmer than the air",
                         key="chip.thermal", allowed=f"less than {MOST_RISE_K:.3g} K")  # fmt: skip
    whole = (np.rint(1e6 * power_w), np.rint(1e6 * resistance), np.rint(1e12 * rise_of_links))
    return Heat(*(each.astype(np.int64) for each in whole))


def _links_w(system: System) -> float:
    """What the links of a chip to others always draw."""
    return sum(
        float(part.count) * part.cost.static_fraction * (part.cost.power_mw or 0.0) / 1000
        for part in components(system) if part.level == "chip"
    )  # fmt: skip
