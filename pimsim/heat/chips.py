"""The mean power of a run in, temperatures of all tiles of all chips out.

A tile's power is spread evenly over its own area.  Every chip has a stack and a heat sink of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pimsim.config import System
from pimsim.errors import InputError
from pimsim.floorplan import Floorplan, floorplan, stack_of_chip
from pimsim.remapping import system_of
from pimsim.results.record import Costs, Result
from pimsim.technology.components import components
from pimsim.thermal import (
    Conduction,
    TemperatureMap,
    Transient,
    exponential_leakage,
    fixed_point,
    steady_state,
    transient_response,
)
from pimsim.thermal.leakage import LIMIT_K, leakage_growth

CELLS, COARSE = 64, 32  #: along each side of the die; at most so many where it is time that counts
LINK, DRAM = "chip.link", "chip.dram"  #: components that are in no tile
SETTABLE = "chip.thermal."  #: keys that say nothing of the run itself
CONSTANTS = 5.0  #: time constants of sink and package after which a chip counts as warm: 1 - exp(-5) = 99.3 %
FIRST_SHARE = 1e-6  #: of that time, the first that is looked at
TIMES = 61  #: that are looked at
LEFT_OUT = 1e-6  #: share of a run's power above which what heats no chip is told
TOLERANCE_K = 1e-3  #: between leakage and temperature
MOST_GROWTH = 1e100  #: of leakage: more than a steady state can have, small enough to reckon with
WORKS_TO_K = 398.15  #: 125 degrees Celsius, to which silicon circuits are commonly specified [recalled]


@dataclass(frozen=True)
class Heat:
    """Temperatures of a system in a steady state."""

    workload: str
    system: str
    mode: str  #: infer or train
    floorplan: Floorplan
    chip: np.ndarray  #: (tiles,) int64
    place: np.ndarray  #: (tiles,) int64 of the floorplan
    on_gpu: np.ndarray  #: (tiles,) bool: the tile is a GPU core
    power_w: np.ndarray  #: (tiles,) at these temperatures
    temperature_k: np.ndarray  #: (tiles,) mean over the tile
    links_w: np.ndarray  #: (chips,) of links between chips
    maps: tuple[TemperatureMap, ...]  #: one for each chip
    transient: Transient | None  #: of the hottest chip, from the air's temperature
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """What heats what."""
        return f"{'training ' if self.mode == 'train' else ''}{self.workload} on {self.system}"

    @property
    def kinds(self) -> tuple[str, ...]:
        """(tiers,) what the tiles of each tier are."""
        of_tier = (self.on_gpu[self.tier == tier] for tier in range(self.floorplan.tiers))
        return tuple("GPU" if own.all() else "ReRAM and GPU" if own.any() else "ReRAM" for own in of_tier)

    @property
    def hottest_chip(self) -> int:
        """The one with the hottest cell."""
        return int(np.argmax([found.hottest.temperature_k for found in self.maps]))

    @property
    def hottest(self) -> TemperatureMap:
        """The map of the hottest chip."""
        return self.maps[self.hottest_chip]

    @property
    def hottest_tile(self) -> int:
        """The hottest tile by its mean."""
        return int(np.argmax(self.temperature_k))

    @property
    def heat_in_w(self) -> float:
        """Power of all chips."""
        return float(sum(found.power_w.sum() for found in self.maps))

    @property
    def heat_out_w(self) -> float:
        """What leaves at sinks and boards of all chips."""
        return float(sum(found.to_sink_w + found.to_board_w for found in self.maps))

    @property
    def imbalance(self) -> float:
        """Heat out less heat in, relative to heat in; 0 is exact."""
        return self.heat_out_w / self.heat_in_w - 1 if self.heat_in_w else 0.0

    @property
    def tier(self) -> np.ndarray:
        """(tiles,) int64."""
        return self.floorplan.tier[self.place]

    @property
    def middle_m(self) -> tuple[np.ndarray, np.ndarray]:
        """(tiles,) x and (tiles,) y of each tile's middle."""
        plan, half = self.floorplan, self.floorplan.side_m[self.place] / 2
        return plan.x_m[self.place] + half, plan.y_m[self.place] + half


def temperatures(
    result: Result, *, overrides: Sequence[str] = (), cells: int = CELLS, transient: bool = False
) -> Heat:
    """Temperatures of all tiles under the mean power of a run.

    >>> import pimsim
    >>> from pimsim.heat import temperatures
    >>> heat = temperatures(pimsim.simulate("lenet5", "isaac-ce"))
    >>> len(heat.temperature_k), abs(heat.heat_out_w / heat.heat_in_w - 1) < 1e-3
    (168, True)

    Args:
        result: of a run.
        overrides: ``KEY=VALUE`` with keys of ``chip.thermal``; all else belongs to the run.
        cells: along each side of the die.
        transient: also how the hottest chip warms up from the air's temperature, under the power of the steady state.

    Raises:
        InputError: the result knows no power of its tiles, areas have no price, the package does not fit the die; no
            steady state (thermal runaway).
    """
    system = system_of(result, overrides, SETTABLE)
    plan = floorplan(np.array(result.tiles.router_places), system)
    powers = _Powers(result, system, plan)
    conduction = Conduction(stack_of_chip(system, plan), cells, cells)
    maps = tuple(powers.solve(conduction, chip) for chip in range(result.tiles.chips))
    chip, place = np.divmod(np.arange(len(powers.power_w)), result.tiles.tiles_per_chip)
    mean, power = powers.after(conduction, maps)
    hottest = int(np.argmax([found.hottest.temperature_k for found in maps]))
    return Heat(
        workload=result.source.workload, system=result.source.system, mode=result.mode, floorplan=plan, chip=chip,
        place=place, on_gpu=np.array(system.chip.on_gpu)[place], power_w=power, temperature_k=mean,
        links_w=powers.links_w, maps=maps,
        transient=powers.warming(power, hottest, min(cells, COARSE)) if transient else None,
        notes=(*powers.notes, *_remarks(maps[hottest], system, transient)),
    )  # fmt: skip


class _Powers:
    """Power of the tiles and links of a run, and how much of it is leakage."""

    def __init__(self, result: Result, system: System, plan: Floorplan) -> None:
        self.system, self.plan, self.chips = system, plan, result.tiles.chips
        self.power_w = _tile_power(result)  # (tiles,)
        of_kind, on_gpu = _static_w(system), np.tile(np.array(system.chip.on_gpu), self.chips)
        self.static_w = np.minimum(np.where(on_gpu, of_kind["gpu"], of_kind["reram"]), self.power_w)  # (tiles,)
        self.links_w = self._links(result)  # (chips,)
        self.notes = self._notes(result.costs)

    def _links(self, result: Result) -> np.ndarray:
        """(chips,) power of links between chips [W], shared by the chips that are in use."""
        share = np.where(self.power_w.reshape(self.chips, -1).any(axis=1), 1.0, 0.0)
        return share / max(share.sum(), 1.0) * _power_of(LINK, result.costs)

    def _notes(self, costs: Costs) -> tuple[str, ...]:
        found, beside = [], _power_of(DRAM, costs)
        if beside:
            found.append(f"{beside:.3g} W of the memory beside the chips do not heat them")
        left = costs.average_power_w - beside - float(self.power_w.sum() + self.links_w.sum())
        if abs(left) > LEFT_OUT * costs.average_power_w:
            found.append(f"{left:.3g} of {costs.average_power_w:.3g} W lie in no tile and in no link; left out")
        if self.links_w.any() and not self.plan.links_m:
            found.append("links between chips have no area: their power is left out")
        return tuple(found)

    def solve(self, conduction: Conduction, chip: int) -> TemperatureMap:
        """The steady state of one chip, leakage and temperature in step with each other.

        Raises:
            InputError: thermal runaway, or no convergence.
        """
        own = self._own(chip)
        static = self.plan.tiles(self.static_w[own]).on(conduction.grid)
        constant = self._on(conduction, self.power_w[own] - self.static_w[own], chip)
        path = self.system.chip.thermal
        if path.static_doubling_k is None or not static.any():
            return steady_state(conduction, constant + static)
        if path.ambient_k >= LIMIT_K:
            raise InputError(f"is {path.ambient_k:g}", key=f"{SETTABLE}ambient_k",
                             allowed=f"less than {LIMIT_K:g} K where static power grows with temperature")  # fmt: skip
        power = exponential_leakage(constant, static, reference_k=path.reference_k, doubling_k=path.static_doubling_k)
        try:
            return fixed_point(conduction, power, tolerance_k=TOLERANCE_K).temperatures
        except InputError as error:
            if error.key != "leakage":
                raise
            of_chip = f"chip {chip}: " if self.chips > 1 else ""
            raise InputError(of_chip + error.what, key=f"{SETTABLE}static_doubling_k", allowed=error.allowed) from None

    def after(self, conduction: Conduction, maps: Sequence[TemperatureMap]) -> tuple[np.ndarray, np.ndarray]:
        """(tiles,) mean temperature [K], and (tiles,) power [W] at these temperatures."""
        path, tiles = self.system.chip.thermal, self.plan.tiles(np.zeros(len(self.plan.x_m)))
        mean = [tiles.mean_of(found.temperature_k, conduction.grid) for found in maps]
        power = self.power_w.copy()
        if path.static_doubling_k is not None:
            growth = [leakage_growth(found.temperature_k, path.reference_k, path.static_doubling_k) for found in maps]
            # where nothing leaks, it may be beyond all numbers
            means = [tiles.mean_of(np.minimum(each, MOST_GROWTH), conduction.grid) for each in growth]
            power += self.static_w * (np.concatenate(means) - 1)
        return np.concatenate(mean), power

    def warming(self, power_w: np.ndarray, chip: int, cells: int) -> Transient:
        """A chip under constant powers, from the air's temperature to nearly that of the steady state.

        Args:
            power_w: (tiles,) of all chips.
        """
        stack = stack_of_chip(self.system, self.plan)
        conduction = Conduction(stack, cells, cells)
        resistance = 1 / (1 / stack.convection_resistance + 1 / stack.board_resistance)
        end = CONSTANTS * resistance * float(conduction.grid.capacity.sum())
        times = np.geomspace(FIRST_SHARE * end, end, TIMES)
        times[-1] = end
        power = self._on(conduction, power_w[self._own(chip)], chip)
        return transient_response(conduction, [end], [power], np.append(0.0, times), first_step_s=float(times[0]))

    def _own(self, chip: int) -> slice:
        places = len(self.plan.x_m)
        return slice(chip * places, (chip + 1) * places)

    def _on(self, conduction: Conduction, tiles_w: np.ndarray, chip: int) -> np.ndarray:
        """(tiers, y cells, x cells) power of a chip's tiles and links."""
        plan, power = self.plan, self.plan.tiles(tiles_w).on(conduction.grid)
        if not plan.links_m:
            return power
        return power + plan.links(float(self.links_w[chip])).on(conduction.grid)



def _power_of(component: str, costs: Costs) -> float:
    """Mean power of one component [W]."""
    own = costs.dynamic_pj.get(component, 0.0) + costs.static_pj.get(component, 0.0)
    return own / costs.energy_pj * costs.average_power_w if own else 0.0


def _tile_power(result: Result) -> np.ndarray:
    """(tiles,) mean power of each tile of a run [W]."""
    power = np.array(result.tile_power_w, dtype=float)
    if len(power) != len(result.tiles.crossbars_used):
        what = "the result does not say what power each tile draws: it is an estimate, or of an earlier version"
        raise InputError(what, key="tile_power_w", allowed="a result of the engine; run it again")
    return power


def _static_w(system: System) -> dict[str, float]:
    """Static power of one tile in use, its share of a router included [W]: ``reram`` and ``gpu``.

    That of links between chips is the bias of their drivers and does not grow with temperature as leakage does.
    """
    found = {"reram": 0.0, "gpu": 0.0}
    for part in components(system):
        static = float(part.count) * part.cost.static_fraction * (part.cost.power_mw or 0.0) / 1000
        if part.level == "ima":
            found["reram"] += static * system.chip.tile.imas
        if part.level == "tile":
            found["reram"] += static
        if part.level == "gpu" or part.name == "router":
            found["gpu"] += static
    return found


def _remarks(hottest: TemperatureMap, system: System, transient: bool) -> tuple[str, ...]:
    found = []
    if hottest.hottest.temperature_k > WORKS_TO_K:
        found.append(f"beyond {WORKS_TO_K - 273.15:.0f} °C circuits are not specified to work: less power or a better "
                     f"heat path is needed ({SETTABLE}convection_k_per_w)")  # fmt: skip
    if transient and system.chip.thermal.static_doubling_k is not None:
        found.append("static power is that of the steady state from the beginning: an upper bound while it warms up")
    return tuple(found)
