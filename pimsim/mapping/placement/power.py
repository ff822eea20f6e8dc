"""What every packed tile will draw, before anything has run: for searches that weigh temperature.

Energy of an image (in training, of an iteration) is counted as results count it, under the same prices: reads of
crossbars and everything that comes with them, registers, eDRAM, bus, digital units, writes of updates, kernels and the
memory of GPU cores.  Time is that of the busiest replica, GPU core, or crossbars that two replicas read in turns: no
image follows another faster.  Power is energy over time, and static power where a tile is in use (or idle ones leak).

A run takes longer, by its fill, barriers and network: dynamic power is an upper bound, by one factor for all tiles,
which the time of a run before takes away (``interval_us`` of the search).

Left out: routers, links and DRAM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pimsim.mapping.crossbars import bit_slices, cells_of_rows, crossbar_reads, sums_of_slices
from pimsim.mapping.delivery import Deliveries
from pimsim.mapping.program import UNITS
from pimsim.technology import ActionCosts, action_costs
from pimsim.technology.components import read_beat_ns
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
    system, on_gpu = layout.system, layout.on_gpu
    costs = action_costs(system)
    time_ps = busiest_ps(layout) if interval_us is None else interval_us * PS_PER_US
    used = np.bincount(layout.slices.tile, minlength=on_gpu.size) > 0
    static_mw = np.where(on_gpu, costs.static_gpu_core_mw, costs.static_tile_mw)
    dynamic_w: np.ndarray = energy_of_tiles(layout, deliveries) / time_ps if time_ps else np.zeros(on_gpu.size)
    return dynamic_w + np.where(used | (system.idle == "leaking"), static_mw / 1000, 0.0)


def energy_of_tiles(layout: Layout, deliveries: Deliveries) -> np.ndarray:
    """(tiles,) float64 dynamic energy of each packed tile for one image or, in training, one iteration [pJ].

    Raises:
        InputError: a cost of the system cannot be scaled to its component's parameters.
    """
    costs, tiles = action_costs(layout.system), layout.fabric.n_tiles
    replicas, slices = layout.replicas, layout.slices
    energy_pj = np.bincount(slices.tile, _of_slices(layout, costs, deliveries.slice_tree), tiles)
    at_home = replicas.tile >= 0
    energy_pj += np.bincount(replicas.tile[at_home], _at_home(layout, costs)[at_home], tiles)
    return energy_pj + _of_memories(layout, deliveries, costs)


def _windows(layout: Layout) -> np.ndarray:
    """(V,) windows of each replica for one image or iteration."""
    windows: np.ndarray = layout.runs * np.diff(layout.replicas.window_first)
    return windows


def _of_slices(layout: Layout, costs: ActionCosts, tree: np.ndarray) -> np.ndarray:
    """(S,) energy in the tile of each slice [pJ]: crossbars, and what moves to them and from them.

    ``tree`` (S,): the way to the home tile; -1: it is the home tile.
    """
    slices = layout.slices
    windows, runs = _windows(layout)[slices.replica], layout.runs[slices.replica]
    read = slices.read_values + slices.spilled_values
    # a layer that reads the crossbars of another across has none of its own, but loads input registers, too
    in_crossbars = np.isin(layout.replicas.layer, list(layout.tilings))[slices.replica]
    bits_pj = (
        read * np.where(in_crossbars, costs.input_register_bit_pj or 0.0, 0.0)
        + slices.read_values * (costs.edram_bit_pj or 0.0)
        + (read + slices.sent_values) * (costs.bus_bit_pj or 0.0)
        + slices.sent_values * ((costs.output_register_bit_pj or 0.0) + (costs.tile_output_register_bit_pj or 0.0))
    )
    added = np.where(tree >= 0, slices.added_values, 0) * (costs.tile_shift_add_value_pj or 0.0)
    of_vector = sums_of_slices(layout.replicas, slices, _of_vectors(layout, costs))
    of_window = of_vector + layout.system.mapping.input_bits * bits_pj + added
    of_run = sums_of_slices(layout.replicas, slices, _of_updates(layout, costs))
    energy: np.ndarray = windows * of_window + runs * of_run
    return energy


def _of_vectors(layout: Layout, costs: ActionCosts) -> dict[int, np.ndarray]:
    """Layer -> (crossbars,) energy of each for one vector [pJ]."""
    ima, found = layout.system.chip.tile.ima, {}
    sample_pj = (costs.sample_hold_pj or 0.0) + (costs.conversion_pj or 0.0) + (costs.ima_shift_add_pj or 0.0)
    read_pj = (costs.crossbar_read_pj or 0.0) + ima.crossbar.columns * sample_pj
    for i, tiling in layout.tilings.items():
        rows = tiling.row_hi - tiling.row_lo
        drives = bit_slices(layout.system) * tiling.passes  # of each wordline
        found[i] = crossbar_reads(tiling, layout.system) * read_pj + drives * rows * (costs.dac_drive_pj or 0.0)
    return found


def _of_updates(layout: Layout, costs: ActionCosts) -> dict[int, np.ndarray]:
    """Update -> (crossbars,) energy of each that it writes, for one run [pJ]: a row is read, and its cells written."""
    array, nodes, found = layout.system.chip.tile.ima.crossbar, layout.dataflow.nodes, {}
    row_pj = (costs.crossbar_read_pj or 0.0) / array.wordlines + (costs.dac_drive_pj or 0.0)
    for i, node in enumerate(nodes):
        if node.kind == "update" and node.of in layout.tilings:
            tiling, matrix = layout.tilings[node.of], nodes[node.of].matrix
            assert matrix is not None
            cells_pj = array.write_pulses * cells_of_rows(tiling, matrix) * costs.cell_write_pj
            found[i] = (tiling.row_hi - tiling.row_lo) * (row_pj + cells_pj)
    return found


def _at_home(layout: Layout, costs: ActionCosts) -> np.ndarray:
    """(V,) energy of digital units or of the GPU core at the home tile of each replica [pJ]."""
    prices = np.array([getattr(costs, name) or 0.0 for name in _UNIT_PRICES])
    in_units = _windows(layout) * (layout.replicas.unit_values @ prices)
    return np.where(layout.on_gpu[layout.replicas.tile], _kernel_ps(layout) * (costs.kernel_ps_pj or 0.0), in_units)


def _of_memories(layout: Layout, deliveries: Deliveries, costs: ActionCosts) -> np.ndarray:
    """(tiles,) energy of packets that reach the eDRAM of a tile or the memory of a GPU core, or leave the latter [pJ].

    The bits of a value are those of the memory that holds it.
    """
    leaves, on_gpu, core = deliveries.leaves, layout.on_gpu, layout.system.chip.gpu_core
    source, uses = layout.sources(deliveries), layout.uses(deliveries)
    in_core = 8 * core.value_bytes * (costs.gpu_memory_bit_pj or 0.0) if core is not None else 0.0
    in_edram = layout.system.mapping.input_bits * (costs.edram_bit_pj or 0.0)
    away = leaves.tile != source[leaves.tree]
    value_pj = np.where(on_gpu[leaves.tile], in_core * away, in_edram * (leaves.spilled == 0))
    energy: np.ndarray = np.bincount(leaves.tile, value_pj * leaves.write_values * uses[leaves.tree], on_gpu.size)
    leaving = np.zeros(uses.size, bool)
    leaving[leaves.tree[away]] = True
    leaving &= (source >= 0) & on_gpu[source]
    sent = (layout.values(deliveries) * uses)[leaving]
    return energy + np.bincount(source[leaving], in_core * sent, on_gpu.size)


def _kernel_ps(layout: Layout) -> np.ndarray:
    """(V,) time for which each replica keeps a GPU core busy, launches aside [ps]; windows take whole ones."""
    replicas, core = layout.replicas, layout.system.chip.gpu_core
    busy, windows = np.zeros(replicas.layer.size), np.diff(replicas.window_first).tolist()
    if core is not None:
        for v in np.flatnonzero((replicas.tile >= 0) & layout.on_gpu[replicas.tile]).tolist():
            whole = kernel_ps(core, int(replicas.kernel_flops[v]), int(replicas.kernel_values[v]))
            busy[v] = windows[v] * -(-whole // windows[v])
    return layout.runs * busy


def busiest_ps(layout: Layout) -> float:
    """Time of the busiest crossbars, digital unit or GPU core for one image or iteration [ps]."""
    replicas, chip = layout.replicas, layout.system.chip
    on_gpu = (replicas.tile >= 0) & layout.on_gpu[replicas.tile]
    launch_ps = chip.gpu_core.launch_ns * PS_PER_NS if chip.gpu_core else 0.0
    of_core = _kernel_ps(layout) + layout.runs * launch_ps
    cores = np.bincount(replicas.tile[on_gpu], of_core[on_gpu], layout.fabric.n_tiles)
    in_reram = np.where((replicas.tile >= 0) & ~on_gpu, _windows(layout) * _window_ns(layout), 0.0)
    # replicas that read one array from both sides take turns
    turns = np.bincount(np.where(replicas.array >= 0, replicas.array, np.arange(in_reram.size)), in_reram)
    return float(max(cores.max(initial=0.0), PS_PER_NS * turns.max(initial=0.0)))


def _window_ns(layout: Layout) -> np.ndarray:
    """(V,) from one window of a replica in tiles with crossbars to its next, at full speed [ns].

    A vector takes as many reads as the crossbar with most rows needs.
    """
    replicas, tile = layout.replicas, layout.system.chip.tile
    array, of_layer = tile.ima.crossbar, np.zeros(len(layout.dataflow.nodes))
    for i, tiling in layout.tilings.items():
        of_layer[i] = int(crossbar_reads(tiling, layout.system).max()) * float(read_beat_ns(layout.system))
    writes = replicas.written_rows * (array.read_ns + array.write_pulses * array.write_row_ns)
    found = np.maximum(of_layer[replicas.layer], writes)
    for u, unit in enumerate(getattr(tile, name) for name in UNITS):
        rate = unit.count * unit.values_per_clock * unit.clock_ghz
        found = np.maximum(found, replicas.unit_values[:, u] / rate)
    return found
