"""Mean power of every tile over a run, of which the heat map is made.

A tile draws what its actions take, its static power where it is in use (or idle ones leak), and its share of its
router: actions and static power of a router are spread evenly over the tiles that hang on it.  Links between chips and
DRAM lie beside the tiles; with them it is all of the run's energy.
"""

from __future__ import annotations

import numpy as np

from pimsim.config.records import System
from pimsim.mapping.program import Program
from pimsim.results.counting import Tally, routers_of_tiles
from pimsim.results.pricing import prices
from pimsim.results.usage import chips_in_use
from pimsim.technology import action_costs
from pimsim.technology.components import components


def power_of_tiles(program: Program, found: Tally, units: int, run_ps: int) -> np.ndarray:
    """(tiles,) float64 [W], mean over the run.

    Args:
        units: inferences, or iterations of training, of the run; ``found`` counts the actions of one.

    Raises:
        InputError: a cost of the system cannot be scaled to its component's parameters.
    """
    energies = prices(program.system)
    tile_pj = _energy(found.by_tile, energies, program.fabric.n_tiles)
    router_pj = _energy(found.by_router, energies, program.fabric.n_routers)
    seconds = units / run_ps if run_ps else 0.0  # pJ / ps = W
    static_tile, static_router = _static_w(program)
    return tile_pj * seconds + static_tile + _shared(program, router_pj * seconds + static_router)


def _energy(counts: dict[str, np.ndarray], energies: dict[str, float | None], size: int) -> np.ndarray:
    total = np.zeros(size)
    for action, count in counts.items():
        total += count * (energies.get(action) or 0.0)
    return total


def _shared(program: Program, of_routers: np.ndarray) -> np.ndarray:
    """(tiles,) share of each tile in what its router draws."""
    router = routers_of_tiles(program.fabric)
    tiles = np.bincount(router, minlength=program.fabric.n_routers)
    bare = tiles == 0
    chip = np.arange(bare.size) // program.fabric.routers
    share: np.ndarray = (of_routers / np.maximum(tiles, 1))[router]
    # routers without a tile heat their chip, too
    lost = np.bincount(chip[bare], weights=of_routers[bare], minlength=program.fabric.chips) / program.fabric.tiles
    return share + np.repeat(lost, program.fabric.tiles)


def _static_w(program: Program) -> tuple[np.ndarray, np.ndarray]:
    """(tiles,) static power of each tile, and (routers,) of each router."""
    system, fabric = program.system, program.fabric
    costs, leaking = action_costs(system), system.idle == "leaking"
    used = np.zeros(fabric.n_tiles, bool)
    used[program.tiles_used] = True
    on = np.ones(fabric.chips, bool) if leaking else np.isin(np.arange(fabric.chips), chips_in_use(program))
    each = np.where(program.on_gpu, costs.static_gpu_core_mw, costs.static_tile_mw) / 1000
    tile = np.where(used | leaking, each, 0.0)
    return tile, np.where(np.repeat(on, fabric.routers), _static_router_w(system), 0.0)


def _static_router_w(system: System) -> float:
    cost = next(part.cost for part in components(system) if part.name == "router")
    return cost.static_fraction * (cost.power_mw or 0.0) / 1000
