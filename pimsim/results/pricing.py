"""Counts become energy: counts x prices, and static power x time.  Nothing is priced twice.

Static power is that of the tiles, GPU cores and chips in use, or of all of them where idle ones leak
(`idle: leaking`).  Routers and links of a chip belong to the chip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pimsim.config import config_hash
from pimsim.config.records import System
from pimsim.results.record import Costs, LayerResult, Times, Unpriced, Usage
from pimsim.technology import action_costs, roll_up
from pimsim.technology.action_costs import COMPONENT_OF
from pimsim.technology.components import components, routers

DRAM = "chip.dram"
CHANNEL = "chip.channel"  #: between routers
WRITES = "ima.write"  #: cells that an update writes
CORE, CORE_MEMORY = "gpu.gpu_core", "gpu.memory"
_DIGITAL = ("sigmoid_value", "maxpool_value", "tile_shift_add_value", "vector_value")


def component_of_actions() -> dict[str, str]:
    """Action -> the component that does it, such as 'ima.adc'."""
    own = {action: f"{level}.{name}" for action, (level, name) in COMPONENT_OF.items()}
    return own | {
        "channel_bit_um": CHANNEL, "tsv_bit": CHANNEL, "dram_bit": DRAM, "row_read": "ima.crossbar",
        "cell_write": WRITES, "kernel_ps": CORE, "gpu_memory_bit": CORE_MEMORY,
    }  # fmt: skip


def price(layers: Sequence[LayerResult], usage: Usage, times: Times, units: int, system: System) -> Costs:
    """Energy, power and area of a run under the prices of ``system``.

    Args:
        units: inferences, or iterations of training, of the run; ``layers`` count the actions of one.

    Raises:
        InputError: a cost of ``system`` cannot be scaled to its component's parameters.
    """
    energies = prices(system)
    by_layer = tuple(_energy_of(layer.counts, energies) for layer in layers)
    dynamic = {
        component: sum(energy.get(component, 0.0) for energy in by_layer)
        for component in dict.fromkeys(component_of_actions().values())
        if any(component in energy for energy in by_layer)
    }
    power = static_power_w(system, usage)
    static = {component: watts * times.run_ps / units for component, watts in power.items() if watts}
    total = sum(dynamic.values()) + sum(static.values())
    return Costs(
        table=system.name,
        table_hash=config_hash(system),
        dynamic_pj=dynamic,
        static_pj=static,
        by_layer_pj=by_layer,
        static_power_w=sum(power.values()),
        average_power_w=total * units / times.run_ps if times.run_ps else 0.0,
        peak_power_bound_w=sum(power.values()) + _full_pace_w(layers, by_layer) + _cores_busy_w(usage, energies),
        area_mm2=usage.chips_used * roll_up(system).chip.area_mm2,
        unpriced=_unpriced(layers, energies),
    )


def prices(system: System) -> dict[str, float | None]:
    """Action -> energy [pJ]; None: not priced.

    One row of a crossbar that is read takes the energy of its share of the wordlines that a read drives.

    Raises:
        InputError: a cost of ``system`` cannot be scaled to its component's parameters.
    """
    costs = action_costs(system)
    read, wordlines = costs.crossbar_read_pj, system.chip.tile.ima.crossbar.wordlines
    own = {"row_read": None if read is None else read / wordlines}
    return {
        action: own[action] if action in own else getattr(costs, f"{action}_pj") for action in component_of_actions()
    }


def _energy_of(counts: Mapping[str, int], energies: Mapping[str, float | None]) -> dict[str, float]:
    energy: dict[str, float] = {}
    for action, component in component_of_actions().items():
        pj = counts.get(action, 0) * (energies[action] or 0.0)
        if pj:
            energy[component] = energy.get(component, 0.0) + pj
    return energy


def static_power_w(system: System, usage: Usage) -> dict[str, float]:
    """Component -> power that the system draws all the time [W]."""
    leaking = system.idle == "leaking"
    chips = usage.chips if leaking else usage.chips_used
    tiles = usage.tiles if leaking else usage.tiles_used
    cores = usage.gpu_cores if leaking else usage.gpu_cores_used
    power = {}
    for part in components(system):
        per_parent = float(part.count) * part.cost.static_fraction * (part.cost.power_mw or 0.0) / 1000
        if part.level == "ima":
            parents: float = tiles * system.chip.tile.imas
        elif part.name == "router":  # counted as a share of a tile, but it stays on for others' packets
            parents = chips * routers(system) / float(part.count)
        else:
            parents = {"tile": tiles, "gpu": cores, "chip": chips}[part.level]
        power[f"{part.level}.{part.name}"] = per_parent * parents
    return power


def _full_pace_w(layers: Sequence[LayerResult], by_layer: Sequence[Mapping[str, float]]) -> float:
    """Power with every replica of every layer at its shortest interval [pJ/us = uW, so / 1e6], but for GPU cores."""
    return sum(
        sum(pj for component, pj in energy.items() if component != CORE)
        / layer.windows * layer.peak_windows_per_us / 1e6
        for layer, energy in zip(layers, by_layer, strict=True)
    )  # fmt: skip


def _cores_busy_w(usage: Usage, energies: Mapping[str, float | None]) -> float:
    """A core works on one kernel at a time, however many layers share it [pJ/ps = W]."""
    return usage.gpu_cores_used * (energies["kernel_ps"] or 0.0)


def _unpriced(layers: Sequence[LayerResult], energies: Mapping[str, float | None]) -> tuple[Unpriced, ...]:
    digital = sum(layer.counts.get(action, 0) for layer in layers for action in _DIGITAL)
    found = []
    for action, component in component_of_actions().items():
        count = sum(layer.counts.get(action, 0) for layer in layers)
        if count and energies[action] is None:
            share = count / digital if action in _DIGITAL else 1.0
            where = tuple(layer.name for layer in layers if layer.counts.get(action, 0))
            found.append(Unpriced(action, component, count, share, where))
    return tuple(found)
