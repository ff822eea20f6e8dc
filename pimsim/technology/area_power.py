"""Peak power and area, rolled up from the crossbar to the system."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from pimsim.config.records import System
from pimsim.technology.components import Component, Level, components


@dataclass(frozen=True)
class Subtotal:
    """Power and area of everything in it that is priced."""

    power_mw: float
    area_mm2: float

    def __add__(self, other: Subtotal) -> Subtotal:
        return Subtotal(self.power_mw + other.power_mw, self.area_mm2 + other.area_mm2)

    def times(self, count: int) -> Subtotal:
        return Subtotal(count * self.power_mw, count * self.area_mm2)


@dataclass(frozen=True)
class RollUp:
    """The subtotals of ISAAC's table 1, for any system."""

    ima: Subtotal
    imas: Subtotal  #: of one tile
    tile_periphery: Subtotal  #: of one tile, its share of a router included
    tile: Subtotal
    tiles: Subtotal  #: of one chip, those with crossbars
    gpu_core: Subtotal  #: one, its share of a router included; nothing where the chip has none
    gpu_cores: Subtotal  #: of one chip
    links: Subtotal  #: of one chip
    chip: Subtotal
    system: Subtotal | None  #: None: the number of chips is still ``auto``
    unpriced: tuple[str, ...]  #: components without power or without area, such as 'tile vector'


@dataclass(frozen=True)
class ComponentRow:
    """One line of the component table."""

    level: Level | Literal["system"]  #: the parent
    component: str
    is_subtotal: bool
    count: float  #: in one parent
    power_mw: float | None  #: of one; None: not priced
    area_mm2: float | None  #: of one; None: not priced
    total_power_mw: float | None  #: of all in one parent
    total_area_mm2: float | None  #: of all in one parent
    source: str  #: of a component: where its figures are from, and how they were scaled


def roll_up(system: System, chips: int | None = None) -> RollUp:
    """Power and area from IMA to system.

    Args:
        chips: how many chips there are, where the system says ``auto``.

    Raises:
        InputError: a cost cannot be scaled to the component's parameters.
    """
    parts, chip = components(system), system.chip
    ima = _sum(part for part in parts if part.level == "ima")
    imas = ima.times(chip.tile.imas)
    periphery = _sum(part for part in parts if part.level == "tile")
    tiles = (imas + periphery).times(chip.reram_tiles)
    gpu_core = _sum(_of_gpu_core(parts))
    gpu_cores = gpu_core.times(chip.gpu_cores)
    links = _sum(part for part in parts if part.level == "chip")
    whole = tiles + gpu_cores + links
    n_chips = _chips(system, chips)
    present = [part for part in parts if chip.reram_tiles or part.level not in ("ima", "tile")]
    return RollUp(
        ima=ima,
        imas=imas,
        tile_periphery=periphery,
        tile=imas + periphery,
        tiles=tiles,
        gpu_core=gpu_core,
        gpu_cores=gpu_cores,
        links=links,
        chip=whole,
        system=whole.times(n_chips) if n_chips else None,
        unpriced=tuple(f"{part.level} {part.name}" for part in present if None in (part.power_mw, part.area_mm2)),
    )


def component_table(system: System, chips: int | None = None) -> list[ComponentRow]:
    """Every component and subtotal, in the order of the roll-up; arguments and errors as :func:`roll_up`."""
    parts, totals, chip = components(system), roll_up(system, chips), system.chip
    rows = _rows_of_tiles(parts, totals, chip.tile.imas) if chip.reram_tiles else []
    if chip.gpu_cores:
        rows += [_row(part) for part in _of_gpu_core(parts)]
        rows.append(_subtotal("gpu", "GPU core", 1, totals.gpu_core))
    if chip.reram_tiles:
        rows.append(_subtotal("chip", "tiles", chip.reram_tiles, totals.tile))
    if chip.gpu_cores:
        rows.append(_subtotal("chip", "GPU cores", chip.gpu_cores, totals.gpu_core))
    rows += [_row(part) for part in parts if part.level == "chip"]
    rows.append(_subtotal("chip", "chip", 1, totals.chip))
    if n_chips := _chips(system, chips):
        rows.append(_subtotal("system", "chips", n_chips, totals.chip))
    return rows


def _rows_of_tiles(parts: list[Component], totals: RollUp, imas: int) -> list[ComponentRow]:
    rows = [_row(part) for part in parts if part.level == "ima"]
    rows.append(_subtotal("ima", "IMA", 1, totals.ima))
    rows.append(_subtotal("tile", "IMAs", imas, totals.ima))
    rows += [_row(part) for part in parts if part.level == "tile"]
    rows.append(_subtotal("tile", "tile periphery", 1, totals.tile_periphery))
    rows.append(_subtotal("tile", "tile", 1, totals.tile))
    return rows


def _of_gpu_core(parts: list[Component]) -> list[Component]:
    """A GPU core and its share of a router, which is that of any tile."""
    cores = [part for part in parts if part.level == "gpu"]
    return [*cores, *(replace(part, level="gpu") for part in parts if part.name == "router" and cores)]


def _chips(system: System, chips: int | None) -> int | None:
    return system.chips if isinstance(system.chips, int) else chips


def _sum(parts: Iterable[Component]) -> Subtotal:
    priced = list(parts)
    return Subtotal(sum(part.power_mw or 0.0 for part in priced), sum(part.area_mm2 or 0.0 for part in priced))


def _row(part: Component) -> ComponentRow:
    source = "; scaled: ".join([part.cost.source, *part.cost.scaled])
    cost = part.cost
    return ComponentRow(
        part.level,
        part.name,
        False,
        float(part.count),
        cost.power_mw,
        cost.area_mm2,
        part.power_mw,
        part.area_mm2,
        source,
    )


def _subtotal(level: Level | Literal["system"], name: str, count: int, each: Subtotal) -> ComponentRow:
    total = each.times(count)
    return ComponentRow(level, name, True, count, each.power_mw, each.area_mm2, total.power_mw, total.area_mm2, "")
