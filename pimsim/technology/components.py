"""The priced components of a system: how many there are, and what one costs at its own parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Literal

from pimsim.config.cost import Priced
from pimsim.config.gpu import GpuCore
from pimsim.config.records import DigitalUnit, Noc, Register, System
from pimsim.technology.scaling import ScaledCost, scaled_cost

Level = Literal["ima", "tile", "gpu", "chip"]


@dataclass(frozen=True)
class Component:
    """All instances of one component in its parent: an IMA, a tile, a tile that is a GPU core, or a chip."""

    level: Level  #: the parent
    name: str
    count: Fraction  #: in one parent; a router is shared by tiles, so theirs is a fraction
    cost: ScaledCost  #: of one instance

    @property
    def power_mw(self) -> float | None:
        """Power of all instances in one parent."""
        return None if self.cost.power_mw is None else float(self.count) * self.cost.power_mw

    @property
    def area_mm2(self) -> float | None:
        """Area of all instances in one parent."""
        return None if self.cost.area_mm2 is None else float(self.count) * self.cost.area_mm2


def components(system: System) -> list[Component]:
    """Every priced component, from the crossbars outwards; a GPU core where the chip has some.

    The router is listed with the tile; GPU cores have the same share of one (:func:`pimsim.technology.roll_up`).

    Raises:
        InputError: a cost cannot be scaled to the component's parameters.
    """
    return [*_of_ima(system), *_of_tile(system), *_of_gpu(system), *_of_chip(system)]


def reads_per_vector(system: System) -> int:
    """Reads of a crossbar for one input vector: input bits over DAC bits, times groups of active wordlines."""
    ima = system.chip.tile.ima
    return ceil(system.mapping.input_bits / ima.dac.bits) * ceil(ima.crossbar.rows / ima.crossbar.wordlines)


def conversion_ns(system: System) -> Fraction:
    """The stage in which a converter works through its columns after one read [ns]."""
    adc, pipeline = system.chip.tile.ima.adc, system.pipeline
    latency = _exact(pipeline.latency_ns("conversion"))
    if not pipeline.occupies("conversion", "adc"):
        return latency
    return max(latency, adc.columns / _exact(adc.sample_rate_gsps))


def read_time_ns(system: System) -> Fraction:
    """From one read of a crossbar to its next, slots aside: the slowest of read, conversion, shift-and-add [ns]."""
    pipeline = system.pipeline
    read = max(_exact(system.chip.tile.ima.crossbar.read_ns), _exact(pipeline.latency_ns("crossbar_read")))
    return max(read, conversion_ns(system), _exact(pipeline.latency_ns("shift_add")))


def read_beat_ns(system: System) -> Fraction:
    """From one read of a crossbar to its next, in whole slots if slotted [ns]."""
    beat = read_time_ns(system)
    if system.pipeline.slot_ns is None:
        return beat
    slot = _exact(system.pipeline.slot_ns)
    return ceil(beat / slot) * slot


def vector_ns(system: System) -> Fraction:
    """From one input vector of a crossbar to its next, at full speed [ns]."""
    return reads_per_vector(system) * read_beat_ns(system)


def conversions_gsps(system: System) -> float:
    """Conversions that one shift-and-add unit of an IMA takes in, all ADCs busy [1/ns]."""
    ima = system.chip.tile.ima
    return ima.adc.count * ima.adc.sample_rate_gsps / ima.shift_add.count


def routers(system: System) -> int:
    """Routers of one chip."""
    return system.chip.noc.routers


def router_cost(noc: Noc) -> ScaledCost:
    """Cost of one router of a chip's network; raises InputError where it cannot be scaled to its parameters."""
    return _component("tile", "router", 1, noc).cost


def gpu_core_cost(core: GpuCore) -> ScaledCost:
    """Cost of one GPU core, its router aside; raises InputError where it cannot be scaled to its parameters."""
    return _component("gpu", "gpu_core", 1, core).cost


def _exact(number: float) -> Fraction:
    return Fraction(str(number))


def _of_ima(system: System) -> list[Component]:
    ima = system.chip.tile.ima
    rows, columns = ima.crossbars * ima.crossbar.rows, ima.crossbars * ima.crossbar.columns
    read = {"read_ns": ima.crossbar.read_ns}
    return [
        _component("ima", "crossbar", ima.crossbars, ima.crossbar),
        _component("ima", "dac", rows, ima.dac, extra=read),
        _component("ima", "sample_hold", columns, ima.sample_hold, extra=read),
        _component("ima", "adc", ima.adc.count, ima.adc),
        _component(
            "ima", "shift_add", ima.shift_add.count, ima.shift_add, extra={"conversions_gsps": conversions_gsps(system)}
        ),
        _register("ima", "input_register", ima.input_register, system),
        _register("ima", "output_register", ima.output_register, system),
    ]


def _of_tile(system: System) -> list[Component]:
    tile, noc = system.chip.tile, system.chip.noc
    return [
        _component("tile", "edram", 1, tile.edram),
        _component("tile", "bus", 1, tile.bus),
        _component("tile", "router", Fraction(routers(system), system.chip.tiles), noc),
        _register("tile", "output_register", tile.output_register, system),
        _digital("sigmoid", tile.sigmoid),
        _digital("maxpool", tile.maxpool),
        _digital("shift_add", tile.shift_add),
        _digital("vector", tile.vector),
    ]


def _of_gpu(system: System) -> list[Component]:
    core = system.chip.gpu_core
    return [_component("gpu", "gpu_core", 1, core)] if core is not None and system.chip.gpu_cores else []


def _of_chip(system: System) -> list[Component]:
    return [_component("chip", "link", system.chip.links.count, system.chip.links)]


def _component(
    level: Level,
    name: str,
    count: int | Fraction,
    record: Priced,
    kind: str | None = None,
    extra: Mapping[str, float] | None = None,
) -> Component:
    """``extra``: parameters in ``scales_with`` that are not the record's own."""
    values = {parameter: getattr(record, parameter) for parameter in record.scales_with if hasattr(record, parameter)}
    return Component(level, name, Fraction(count), scaled_cost(kind or name, record.cost, values | dict(extra or {})))


def _register(level: Level, name: str, register: Register, system: System) -> Component:
    return _component(level, name, 1, register, "register", {"vector_ns": float(vector_ns(system))})


def _digital(name: str, unit: DigitalUnit) -> Component:
    return _component("tile", name, unit.count, unit, "digital")
