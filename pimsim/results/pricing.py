"""Counts become energy: counts x prices, and static power x time.  Nothing is priced twice.

Static power is that of the tiles, GPU cores and chips in use, or of all of them where idle ones leak
(`idle: leaking`).  Routers and links of a chip belong to the chip.

The bound on the peak power is static power and, component by component, the smaller of two powers: that of every
replica of every layer at its shortest interval, as if it had all that it shares with others to itself; and that of
every instance of the component at its full rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pimsim.config import config_hash
from pimsim.config.records import System
from pimsim.network.topology import build_topology
from pimsim.results.record import Costs, LayerResult, Times, Unpriced, Usage
from pimsim.technology import action_costs, roll_up
from pimsim.technology.action_costs import COMPONENT_OF, full_rates_per_ns
from pimsim.technology.components import Component, components, routers
from pimsim.units import PS_PER_NS

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
    average = total * units / times.run_ps if times.run_ps else 0.0
    peak = sum(power.values()) + _peak_dynamic_w(layers, by_layer, busy_power_w(system, usage))
    return Costs(
        table=system.name,
        table_hash=config_hash(system),
        dynamic_pj=dynamic,
        static_pj=static,
        by_layer_pj=by_layer,
        static_power_w=sum(power.values()),
        average_power_w=average,
        # On an ideal network, and in a run priced as a slower system's, components exceed their full rates.
        peak_power_bound_w=max(peak, average),
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
    return {
        f"{part.level}.{part.name}": part.cost.static_fraction * (part.cost.power_mw or 0.0) / 1000
        * _instances(part, system, chips, tiles, cores)
        for part in components(system)
    }  # fmt: skip


def _instances(part: Component, system: System, chips: int, tiles: int, cores: int) -> float:
    """How often a component is there in so many chips, tiles with crossbars and GPU cores."""
    if part.name == "router":  # counted as a share of a tile, but it stays on for others' packets
        return chips * routers(system)
    parents = {"ima": tiles * system.chip.tile.imas, "tile": tiles, "gpu": cores, "chip": chips}
    return float(part.count) * parents[part.level]


def busy_power_w(system: System, usage: Usage) -> dict[str, float]:
    """Component -> dynamic power of all that is in use, at its full rate all the time [W].

    Raises:
        InputError: a cost of ``system`` cannot be scaled to its component's parameters.
    """
    energies = {action: pj or 0.0 for action, pj in prices(system).items()}
    rates, chip = full_rates_per_ns(system), system.chip
    actions = {component: action for action, component in COMPONENT_OF.items()}
    power = {}  # [pJ/ns = mW]
    for part in components(system):
        action = actions.get((part.level, part.name))
        if action is not None:
            used = _instances(part, system, usage.chips_used, usage.tiles_used, usage.gpu_cores_used)
            power[f"{part.level}.{part.name}"] = used * rates[action] * energies[action]
    power[CORE] = usage.gpu_cores_used * energies["kernel_ps"] * PS_PER_NS
    if chip.gpu_core is not None:
        power[CORE_MEMORY] = usage.gpu_cores_used * energies["gpu_memory_bit"] * 8 * chip.gpu_core.memory.gb_per_s
    if chip.dram is not None:
        power[DRAM] = usage.chips_used * energies["dram_bit"] * 8 * chip.dram.gb_per_s
    array = chip.tile.ima.crossbar  # a row at a time in each
    power[WRITES] = usage.crossbars_used * energies["cell_write"] * array.columns / array.write_row_ns
    power[CHANNEL] = usage.chips_used * _channels_busy_mw(system, energies)
    return {component: mw / 1000 for component, mw in power.items()}


def _channels_busy_mw(system: System, energies: Mapping[str, float]) -> float:
    """Power of all channels of a chip, each with a flit behind the other."""
    if not energies["channel_bit_um"] and not energies["tsv_bit"]:
        return 0.0
    noc = system.chip.noc
    topology = build_topology(noc)
    planar = 1000 * topology.length_mm * energies["channel_bit_um"]
    pj_per_bit = np.where(topology.vertical, energies["tsv_bit"], planar)
    return float((pj_per_bit / topology.flit_cycles).sum() * noc.flit_bits * noc.clock_ghz)


def _peak_dynamic_w(
    layers: Sequence[LayerResult], by_layer: Sequence[Mapping[str, float]], busy_w: Mapping[str, float]
) -> float:
    """The bound on the peak power, without static power [W]; GPU cores, which layers share, are taken as busy."""
    pace_w = dict.fromkeys(busy_w, 0.0)
    for layer, energy in zip(layers, by_layer, strict=True):
        for component, pj in energy.items():
            pace_w[component] += pj / layer.windows * layer.peak_windows_per_us / 1e6  # [pJ/us = uW]
    return sum(busy if component == CORE else min(pace_w[component], busy) for component, busy in busy_w.items())


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
