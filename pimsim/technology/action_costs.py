"""Dynamic energy of every action that the simulation counts.

A component at its full rate draws its peak power P.  Of it the static fraction s is drawn all the
time, so an action costs ``(1 - s) P / rate`` [mW ns = pJ].  With everything at its full rate the
energies add up to the component table: no power is counted twice, none is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

from pimsim.config.records import DigitalUnit, System
from pimsim.technology.components import Component, Level, components, conversions_gsps, routers, vector_ns
from pimsim.technology.network_energy import router_flit_hop_pj, router_flits_per_ns
from pimsim.units import PS_PER_NS


@dataclass(frozen=True)
class ActionCosts:
    """Energy of one action [pJ]; None where the component is not priced."""

    crossbar_read_pj: float | None  #: one read of one crossbar, its active wordlines driven
    dac_drive_pj: float | None  #: one wordline in one read
    sample_hold_pj: float | None  #: one column in one read
    conversion_pj: float | None  #: one sample of one ADC
    ima_shift_add_pj: float | None  #: one conversion shifted and added
    input_register_bit_pj: float | None  #: one bit of an input vector, written once, then read into the DACs
    output_register_bit_pj: float | None  #: one bit of an IMA's result, its accumulation over the reads included
    edram_bit_pj: float | None  #: read or written
    bus_bit_pj: float | None
    tile_output_register_bit_pj: float | None  #: one bit of a tile's result
    sigmoid_value_pj: float | None
    maxpool_value_pj: float | None
    tile_shift_add_value_pj: float | None
    vector_value_pj: float | None
    router_flit_hop_pj: float | None  #: one flit through one router
    channel_bit_um_pj: float  #: one bit over one um of a channel; 0: it is in the figure of the router
    tsv_bit_pj: float  #: one bit over one vertical channel; 0: it is in the figure of the router
    link_byte_pj: float | None  #: one byte over one link between chips
    cell_write_pj: float  #: one cell programmed
    dram_bit_pj: float | None  #: None: the chip has no DRAM
    kernel_ps_pj: float | None  #: one ps of a kernel on a GPU core, its memory included; None: no core, or not priced
    gpu_memory_bit_pj: float | None  #: of a packet that leaves or reaches a GPU core; None: no core
    static_tile_mw: float  #: one tile, without its router
    static_gpu_core_mw: float  #: one GPU core, without its router
    static_shared_mw: float  #: routers and links of one chip
    static_chip_mw: float  #: one chip with all its tiles


def action_costs(system: System) -> ActionCosts:
    """Energies of ``system``; a run can be priced again under those of another one.

    Raises:
        InputError: a cost cannot be scaled to the component's parameters.
    """
    parts = {(part.level, part.name): part for part in components(system)}
    rates = full_rates_per_ns(system)
    energy = {action: _energy_pj(parts[component], rates[action]) for action, component in COMPONENT_OF.items()}
    channels = system.chip.noc.energy
    energy["router_flit_hop"] = router_flit_hop_pj(system.chip.noc)
    shared = sum(_static_mw(part) for part in parts.values() if part.level == "chip")
    shared += routers(system) * _static_mw_of_one(parts["tile", "router"])
    tile, core = _static_tile_mw(parts, system), parts.get(("gpu", "gpu_core"))
    static_core = _static_mw_of_one(core) if core else 0.0
    chip, memory = system.chip, system.chip.gpu_core.memory if system.chip.gpu_core and core else None
    dram = chip.dram
    return ActionCosts(
        **{f"{action}_pj": value for action, value in energy.items()},
        channel_bit_um_pj=channels.link_pj_per_bit_mm / 1000 if channels else 0.0,
        tsv_bit_pj=channels.tsv_pj_per_bit if channels else 0.0,
        cell_write_pj=system.chip.tile.ima.crossbar.write_cell_pj,
        dram_bit_pj=dram.pj_per_bit if dram else None,
        kernel_ps_pj=_energy_pj(core, PS_PER_NS) if core else None,
        gpu_memory_bit_pj=memory.pj_per_bit if memory else None,
        static_tile_mw=tile,
        static_gpu_core_mw=static_core,
        static_shared_mw=shared,
        static_chip_mw=chip.reram_tiles * tile + chip.gpu_cores * static_core + shared,
    )


COMPONENT_OF: dict[str, tuple[Level, str]] = {
    "crossbar_read": ("ima", "crossbar"),
    "dac_drive": ("ima", "dac"),
    "sample_hold": ("ima", "sample_hold"),
    "conversion": ("ima", "adc"),
    "ima_shift_add": ("ima", "shift_add"),
    "input_register_bit": ("ima", "input_register"),
    "output_register_bit": ("ima", "output_register"),
    "edram_bit": ("tile", "edram"),
    "bus_bit": ("tile", "bus"),
    "tile_output_register_bit": ("tile", "output_register"),
    "sigmoid_value": ("tile", "sigmoid"),
    "maxpool_value": ("tile", "maxpool"),
    "tile_shift_add_value": ("tile", "shift_add"),
    "vector_value": ("tile", "vector"),
    "router_flit_hop": ("tile", "router"),
    "link_byte": ("chip", "link"),
}
"""The component that does an action."""


def full_rates_per_ns(system: System) -> dict[str, float]:
    """For each action, how often in a ns one instance does it when it draws its peak power."""
    tile, noc = system.chip.tile, system.chip.noc
    ima = tile.ima
    reads = 1 / ima.crossbar.read_ns
    vectors = 1 / float(vector_ns(system))  # a register is filled and emptied once a vector
    return {
        # The peak power is that of all rows: fewer active wordlines draw less.
        "crossbar_read": reads * ima.crossbar.rows / ima.crossbar.wordlines,
        "dac_drive": reads,
        "sample_hold": reads,
        "conversion": ima.adc.sample_rate_gsps,
        "ima_shift_add": conversions_gsps(system),
        "input_register_bit": 8 * ima.input_register.bytes * vectors,
        "output_register_bit": 8 * ima.output_register.bytes * vectors,
        "edram_bit": tile.edram.banks * tile.edram.width_bits * tile.edram.clock_ghz,
        "bus_bit": tile.bus.wires * tile.bus.clock_ghz,
        "tile_output_register_bit": 8 * tile.output_register.bytes * vectors,
        "sigmoid_value": _values(tile.sigmoid),
        "maxpool_value": _values(tile.maxpool),
        "tile_shift_add_value": _values(tile.shift_add),
        "vector_value": _values(tile.vector),
        "router_flit_hop": router_flits_per_ns(noc),
        "link_byte": 2 * system.chip.links.gb_per_s,  # both directions
    }


def _values(unit: DigitalUnit) -> float:
    return unit.values_per_clock * unit.clock_ghz


def _energy_pj(part: Component, rate_per_ns: float) -> float | None:
    if part.cost.power_mw is None:
        return None
    return (1 - part.cost.static_fraction) * part.cost.power_mw / rate_per_ns


def _static_mw_of_one(part: Component) -> float:
    return part.cost.static_fraction * (part.cost.power_mw or 0.0)


def _static_mw(part: Component) -> float:
    """Of all instances in one parent."""
    return float(part.count) * _static_mw_of_one(part)


def _static_tile_mw(parts: dict[tuple[Level, str], Component], system: System) -> float:
    imas = system.chip.tile.imas * sum(_static_mw(part) for part in parts.values() if part.level == "ima")
    others = sum(_static_mw(part) for part in parts.values() if part.level == "tile" and part.name != "router")
    return imas + others
