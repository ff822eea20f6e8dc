"""What every packed tile will draw, before anything has run: for searches that weigh temperature.

Energy of an image (in training, of an iteration) is counted as results count it, under the same prices: reads of
crossbars and everything that comes with them, registers, eDRAM, bus, digital units, writes of updates, kernels and the
memory of GPU cores.  Time is that of the busiest replica or GPU core: no image follows another faster.  Power is energy
over time, and static power where a tile is in use (or idle ones leak).

A run takes longer, by its fill, barriers and network: dynamic power is an upper bound, by one factor for all tiles,
which the time of a run before takes away (``interval_us`` of the search).

Left out: routers, links and DRAM.  Crossbars of a layer count as their mean, every cell of a row that is written as one
that holds a weight, and what leaves a GPU core in whole flits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pimsim.mapping.delivery import Deliveries
from pimsim.mapping.program import UNITS
from pimsim.technology import ActionCosts, action_costs
from pimsim.technology.components import vector_ns
from pimsim.technology.gpu_core import kernel_ps
from pimsim.units import PS_PER_NS

if TYPE_CHECKING:
    from pimsim.mapping.placement.layout import Layout

PS_PER_US = 10**6
_UNIT_PRICES = ("sigmoid_value_pj", "maxpool_value_pj", "tile_shift_add_value_pj", "vector_value_pj")  #: of UNITS


def estimated_power(layout: Layout, deliveries: Deliveries, interval_us: float | None = None) -> np.ndarray:
    """(tiles,) float64 power of each packed tile [W]; how it is made: see above.

    ``interval_us``: time of an image or iteration where it is known.

    Raises:
        InputError: a cost of the system cannot be scaled to its component's parameters.
    """
    system, tiles = layout.system, layout.fabric.n_tiles
    costs, on_gpu = action_costs(system), np.tile(system.chip.on_gpu, layout.fabric.chips)
    kernel_of = _kernel_ps(layout, on_gpu)
    replicas, slices = layout.replicas, layout.slices
    energy_pj = np.bincount(slices.tile, _of_slices(layout, costs, deliveries.slice_tree), tiles)
    at_home = replicas.tile >= 0
    energy_pj += np.bincount(replicas.tile[at_home], _at_home(layout, costs, kernel_of, on_gpu)[at_home], tiles)
    energy_pj += _of_memories(layout, deliveries, costs, on_gpu)
    time_ps = _longest_ps(layout, kernel_of) if interval_us is None else interval_us * PS_PER_US
    used = np.bincount(slices.tile, minlength=tiles) > 0
    static_mw = np.where(on_gpu, costs.static_gpu_core_mw, costs.static_tile_mw)
    dynamic_w: np.ndarray = energy_pj / time_ps if time_ps else np.zeros(tiles)
    return dynamic_w + np.where(used | (system.idle == "leaking"), static_mw / 1000, 0.0)


def _windows(layout: Layout) -> np.ndarray:
    """(V,) windows of each replica for one image or iteration."""
    windows: np.ndarray = layout.runs * np.diff(layout.replicas.window_first)
    return windows


def _of_slices(layout: Layout, costs: ActionCosts, tree: np.ndarray) -> np.ndarray:
    """(S,) energy in the tile of each slice [pJ]: crossbars, and what moves to them and from them.

    ``tree`` (S,): the way to the home tile; -1: it is the home tile.
    """
    slices, array = layout.slices, layout.system.chip.tile.ima.crossbar
    layer, windows = layout.replicas.layer[slices.replica], _windows(layout)[slices.replica]
    read = slices.read_values + slices.spilled_values
    bits_pj = (
        read * np.where(slices.imas > 0, costs.input_register_bit_pj or 0.0, 0.0)
        + slices.read_values * (costs.edram_bit_pj or 0.0)
        + (read + slices.sent_values) * (costs.bus_bit_pj or 0.0)
        + slices.sent_values * ((costs.output_register_bit_pj or 0.0) + (costs.tile_output_register_bit_pj or 0.0))
    )
    energy: np.ndarray = windows * (
        slices.crossbars * _of_crossbars(layout, costs)[layer] + layout.system.mapping.input_bits * bits_pj
        + np.where(tree >= 0, slices.added_values, 0) * (costs.tile_shift_add_value_pj or 0.0)
    )  # fmt: skip
    rows = slices.crossbars * windows * layout.replicas.written_rows[slices.replica]
    row_pj = (costs.crossbar_read_pj or 0.0) / array.wordlines + (costs.dac_drive_pj or 0.0)
    return energy + rows * (row_pj + array.write_pulses * array.columns * costs.cell_write_pj)


def _of_crossbars(layout: Layout, costs: ActionCosts) -> np.ndarray:
    """(layers,) energy of one crossbar for one vector, the mean over those of a layer [pJ]."""
    ima, found = layout.system.chip.tile.ima, np.zeros(len(layout.dataflow.nodes))
    drives = -(-layout.system.mapping.input_bits // ima.dac.bits)  # of each wordline
    sample_pj = (costs.sample_hold_pj or 0.0) + (costs.conversion_pj or 0.0) + (costs.ima_shift_add_pj or 0.0)
    read_pj = (costs.crossbar_read_pj or 0.0) + ima.crossbar.columns * sample_pj
    for i, tiling in layout.tilings.items():
        rows = tiling.row_hi - tiling.row_lo
        reads = -(-rows // ima.crossbar.wordlines)
        found[i] = drives * float((reads * read_pj + rows * (costs.dac_drive_pj or 0.0)).mean())
    return found


def _at_home(layout: Layout, costs: ActionCosts, kernel_of: np.ndarray, on_gpu: np.ndarray) -> np.ndarray:
    """(V,) energy of digital units or of the GPU core at the home tile of each replica [pJ]."""
    prices = np.array([getattr(costs, name) or 0.0 for name in _UNIT_PRICES])
    in_units = _windows(layout) * (layout.replicas.unit_values @ prices)
    return np.where(on_gpu[layout.replicas.tile], kernel_of * (costs.kernel_ps_pj or 0.0), in_units)


def _of_memories(layout: Layout, deliveries: Deliveries, costs: ActionCosts, on_gpu: np.ndarray) -> np.ndarray:
    """(tiles,) energy of packets that reach the eDRAM of a tile or the memory of a GPU core, or leave the latter [pJ].

    What leaves is counted in whole flits.
    """
    noc, leaves, tiles = layout.system.chip.noc, deliveries.leaves, layout.fabric.n_tiles
    source, uses = layout.sources(deliveries), layout.uses(deliveries)
    away = leaves.tile != source[leaves.tree]
    counts = np.where(on_gpu[leaves.tile], away, leaves.spilled == 0)
    bits = layout.system.mapping.input_bits * leaves.write_values * uses[leaves.tree] * counts
    memory_pj = costs.gpu_memory_bit_pj or 0.0
    bit_pj = np.where(on_gpu, memory_pj, costs.edram_bit_pj or 0.0)[leaves.tile]
    from_core = np.zeros(uses.size, bool)
    from_core[leaves.tree[away]] = True
    from_core &= (source >= 0) & on_gpu[source]
    sent = np.where(from_core, (deliveries.tree_flits - noc.header_flits) * noc.flit_bits * uses, 0)
    energy: np.ndarray = np.bincount(leaves.tile, bits * bit_pj, tiles)
    return energy + np.bincount(source[from_core], memory_pj * sent[from_core], tiles)


def _kernel_ps(layout: Layout, on_gpu: np.ndarray) -> np.ndarray:
    """(V,) time for which each replica keeps a GPU core busy, launches aside [ps]."""
    replicas, core = layout.replicas, layout.system.chip.gpu_core
    busy = np.zeros(replicas.layer.size)
    if core is not None:
        for v in np.flatnonzero((replicas.tile >= 0) & on_gpu[replicas.tile]).tolist():
            busy[v] = kernel_ps(core, int(replicas.kernel_flops[v]), int(replicas.kernel_values[v]))
    return layout.runs * busy


def _longest_ps(layout: Layout, kernel_of: np.ndarray) -> float:
    """Time of the busiest crossbars, digital unit or GPU core for one image or iteration [ps]."""
    replicas, slices, chip = layout.replicas, layout.slices, layout.system.chip
    window_ns = np.zeros(replicas.layer.size)
    window_ns[np.unique(slices.replica[slices.imas > 0])] = float(vector_ns(layout.system))
    for u, unit in enumerate(getattr(chip.tile, name) for name in UNITS):
        rate = unit.count * unit.values_per_clock * unit.clock_ghz
        window_ns = np.maximum(window_ns, replicas.unit_values[:, u] / rate)
    array = chip.tile.ima.crossbar
    window_ns += replicas.written_rows * (array.read_ns + array.write_pulses * array.write_row_ns)
    launch_ps = chip.gpu_core.launch_ns * PS_PER_NS if chip.gpu_core else 0.0
    of_core = np.where(kernel_of > 0, kernel_of + layout.runs * launch_ps, 0.0)
    at_home = replicas.tile >= 0
    cores = np.bincount(replicas.tile[at_home], of_core[at_home], layout.fabric.n_tiles)
    in_reram = np.where(at_home & (kernel_of == 0), _windows(layout) * window_ns, 0.0)
    return float(max(cores.max(initial=0.0), PS_PER_NS * in_reram.max(initial=0.0)))
