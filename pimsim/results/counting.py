"""Actions of one inference, or of one iteration of training, layer by layer and tile by tile.

They follow from the Program alone, whatever the timing: a replica works through its windows in every run, what it makes
is sent with every emission.  Counts are int64.  Names are those of `pimsim.technology.ActionCosts`; beside them stand
facts that have no price of their own: packets, flits over each kind of link, bytes from the host, rows that are written
and kernels.

A packet belongs to the layer that sends it, its writes into memory included.  An action in a router or on a channel
out of it belongs to that router; one on a link between chips, in DRAM or at the host to no tile and no router.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pimsim.mapping.crossbars import bit_slices, cells_of_rows, crossbar_reads, sums_of_slices
from pimsim.mapping.program import UNITS, Program
from pimsim.network.fabric import CHIP, EJECT, KIND_NAMES, MESH, Fabric
from pimsim.network.packets import cut
from pimsim.results.sending import Sending, sending
from pimsim.results.work import kernels_of, runs_of, windows_of, written_by

UNIT_ACTIONS = {
    "sigmoid": "sigmoid_value",
    "maxpool": "maxpool_value",
    "shift_add": "tile_shift_add_value",
    "vector": "vector_value",
}
"""The action that one value through a digital unit is."""


@dataclass
class Tally:
    """Counts of actions: who caused them, and where they happened."""

    layers: int
    tiles: int
    routers: int
    by_layer: dict[str, np.ndarray] = field(default_factory=dict)  #: action -> (layers,) int64
    by_tile: dict[str, np.ndarray] = field(default_factory=dict)  #: action -> (tiles,) int64
    by_router: dict[str, np.ndarray] = field(default_factory=dict)  #: action -> (routers,) int64

    def add(
        self, action: str, layer: np.ndarray, count: np.ndarray, tile: np.ndarray | None = None,
        router: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """``count`` actions each of a layer, in a tile or at a router; numbers of -1 are nowhere."""
        _sum_up(self.by_layer, action, self.layers, layer, count)
        if tile is not None:
            _sum_up(self.by_tile, action, self.tiles, tile, count)
        if router is not None:
            _sum_up(self.by_router, action, self.routers, router, count)


def _sum_up(sums: dict[str, np.ndarray], action: str, size: int, at: np.ndarray, count: np.ndarray) -> None:
    total = sums.setdefault(action, np.zeros(size, np.int64))
    counted = np.broadcast_to(count, at.shape)
    somewhere = at >= 0
    np.add.at(total, at[somewhere], counted[somewhere])


def count_actions(program: Program) -> dict[str, np.ndarray]:
    """Actions of one inference, or of one iteration of training: name -> (layers,) int64."""
    return tally(program).by_layer


def tally(program: Program) -> Tally:
    """Actions of one inference, or of one iteration of training."""
    found = Tally(len(program.layers), program.fabric.n_tiles, program.fabric.n_routers)
    sent = sending(program)
    _in_crossbars(program, found)
    _in_tiles(program, sent, found)
    _in_network(program, sent, found)
    _in_updates(program, found)
    _in_cores(program, sent, found)
    return found


def cells_of_crossbars(program: Program, layer: int) -> np.ndarray:
    """(crossbars,) cells of one replica of a layer that hold a part of a weight."""
    tiling, matrix = program.layers[layer].tiling, program.dataflow.nodes[layer].matrix
    assert tiling is not None and matrix is not None
    cells: np.ndarray = (tiling.row_hi - tiling.row_lo) * cells_of_rows(tiling, matrix)
    return cells


def reads_of_slices(program: Program) -> np.ndarray:
    """(S,) reads of all crossbars of a slice."""
    reads = {
        i: crossbar_reads(layer.tiling, program.system)
        for i, layer in enumerate(program.layers) if layer.tiling is not None
    }  # fmt: skip
    return sums_of_slices(program.replicas, program.slices, reads) * windows_of(program)[program.slices.replica]


def _in_crossbars(program: Program, found: Tally) -> None:
    """Reads, and what comes with each: all columns of a crossbar are sampled, converted and added.

    Arrays that are read from both sides have as many rows as columns.
    """
    system, slices = program.system, program.slices
    layer = program.replicas.layer[slices.replica]
    rows = {
        i: (each.tiling.row_hi - each.tiling.row_lo) * each.tiling.passes
        for i, each in enumerate(program.layers) if each.tiling is not None
    }  # fmt: skip
    reads = reads_of_slices(program)
    driven = sums_of_slices(program.replicas, slices, rows) * bit_slices(system)
    drives = driven * windows_of(program)[slices.replica]
    samples = reads * system.chip.tile.ima.crossbar.columns
    found.add("crossbar_read", layer, reads, slices.tile)
    found.add("dac_drive", layer, drives, slices.tile)
    for action in ("sample_hold", "conversion", "ima_shift_add"):
        found.add(action, layer, samples, slices.tile)


def _in_tiles(program: Program, sent: Sending, found: Tally) -> None:
    """Registers, eDRAM, bus and digital units, [bits] or values; the memory of GPU cores is another's."""
    replicas, slices, leaves = program.replicas, program.slices, program.leaves
    bits, windows = program.system.mapping.input_bits, windows_of(program)
    vectors, of_slice = windows[slices.replica], replicas.layer[slices.replica]
    read = slices.read_values + slices.spilled_values
    written = bits * leaves.write_values * sent.uses[leaves.tree]
    of_leaf, in_edram = sent.layer[leaves.tree], (leaves.spilled == 0) & ~program.on_gpu[leaves.tile]

    def add(action: str, values: np.ndarray) -> None:
        found.add(action, of_slice, bits * values * vectors, slices.tile)

    in_crossbars = np.array([each.tiling is not None for each in program.layers])[of_slice]
    add("input_register_bit", np.where(in_crossbars, read, 0))
    add("output_register_bit", slices.sent_values)
    add("edram_bit", slices.read_values)
    found.add("edram_bit", of_leaf, np.where(in_edram, written, 0), leaves.tile)
    add("bus_bit", read + slices.sent_values)
    add("tile_output_register_bit", slices.sent_values)
    on_units = (replicas.tile >= 0) & ~program.on_gpu[replicas.tile]
    for u, name in enumerate(UNITS):
        values = np.where(on_units, replicas.unit_values[:, u] * windows, 0)
        found.add(UNIT_ACTIONS[name], replicas.layer, values, replicas.tile)
    added = np.where(slices.tree >= 0, slices.added_values, 0) * vectors
    found.add("tile_shift_add_value", of_slice, added, slices.tile)
    found.add("dram_bit", of_slice, bits * slices.spilled_values * vectors)
    found.add("dram_bit", of_leaf, np.where(leaves.spilled > 0, written, 0))


def _in_network(program: Program, sent: Sending, found: Tally) -> None:
    """Packets and flits; a router is passed once for every link that a flit takes out of it."""
    trees, noc = program.priced_trees, program.system.chip.noc
    of_edge = np.repeat(np.arange(trees.roots.size), np.diff(trees.first))
    layer, messages = sent.layer[of_edge], sent.uses[of_edge]
    router = routers_of_links(program.fabric, trees.link)
    passed = _links_passed(program)
    packets, _ = packets_of_trees(program)
    flits = passed * (flits_of_edges(program) * messages)[:, None]
    begins = np.arange(of_edge.size) < (trees.first[:-1] + trees.roots)[of_edge]
    um, vertical = _channels_of_edges(program)
    found.add("router_flit_hop", layer, flits[:, [MESH, EJECT, CHIP]].sum(axis=1), router=router)
    found.add("link_byte", layer, flits[:, CHIP])
    found.by_layer["link_byte"] = found.by_layer["link_byte"] * noc.flit_bits // 8
    found.add("channel_bit_um", layer, flits[:, MESH] * noc.flit_bits * um, router=router)
    found.add("tsv_bit", layer, flits[:, MESH] * noc.flit_bits * vertical, router=router)
    found.add("packet", layer, messages * packets[of_edge] * (begins & passed.any(axis=1)))
    for k, kind in enumerate(KIND_NAMES):
        found.add(f"flit_{kind}", layer, flits[:, k])
    nodes = program.dataflow.nodes
    inputs = np.flatnonzero([node.kind == "input" for node in nodes])
    bits = np.array([nodes[i].channels * program.system.mapping.input_bits for i in inputs], np.int64)
    runs = program.batch // np.array([nodes[i].every for i in inputs], np.int64)
    windows = np.array([nodes[i].windows for i in inputs], np.int64)
    found.add("host_byte", inputs, windows * runs * bits // 8)


def routers_of_links(fabric: Fabric, link: np.ndarray) -> np.ndarray:
    """The router of the system out of which each link leads; -1: it leads out of a tile, or is none."""
    router = np.full(link.size, -1, np.int64)
    ejects = (link >= fabric.n_tiles) & (link < fabric.first_channel)
    router[ejects] = routers_of_tiles(fabric)[link[ejects] - fabric.n_tiles]
    inside = (link >= fabric.first_channel) & (link < fabric.first_chip_link)
    if inside.any():
        chip, channel = np.divmod(link[inside] - fabric.first_channel, fabric.topology.channels)
        router[inside] = chip * fabric.routers + fabric.topology.source[channel]
    between = link >= fabric.first_chip_link
    router[between] = (link[between] - fabric.first_chip_link) // 4 * fabric.routers + fabric.io_router
    return router


def routers_of_tiles(fabric: Fabric) -> np.ndarray:
    """(tiles,) the router of the system at which each tile hangs."""
    chip, tile = np.divmod(np.arange(fabric.n_tiles), fabric.tiles)
    router: np.ndarray = chip * fabric.routers + tile // fabric.concentration
    return router


def packets_of_trees(program: Program) -> tuple[np.ndarray, np.ndarray]:
    """(trees,) packets of a message, and their flits: in a flit-level network each packet has a header."""
    noc = program.system.chip.noc
    if program.network != "flit":
        return np.ones_like(program.tree_flits), program.tree_flits
    packets, size, last = cut(program.tree_flits, noc.header_flits, noc.longest_packet)
    return packets, (packets - 1) * size + last


def flits_of_trees(program: Program) -> np.ndarray:
    """(trees,) flits of a message as routers pass them on, headers of its packets included."""
    return packets_of_trees(program)[1]


def flits_of_edges(program: Program) -> np.ndarray:
    """(edges,) flits of a message on each edge of the priced trees: whole messages pass between chips."""
    trees = program.priced_trees
    of_edge = np.repeat(np.arange(trees.roots.size), np.diff(trees.first))
    between_chips = (program.fabric.link_kinds()[trees.link] == CHIP) & (trees.link >= 0)
    flits: np.ndarray = np.where(between_chips, program.tree_flits[of_edge], flits_of_trees(program)[of_edge])
    return flits


def _links_passed(program: Program) -> np.ndarray:
    """(edges, 4) 1 for the kind of link that an edge of a priced tree is."""
    trees = program.priced_trees
    kinds = program.fabric.link_kinds()[trees.link]
    passed: np.ndarray = ((kinds[:, None] == np.arange(len(KIND_NAMES))) & (trees.link >= 0)[:, None]).astype(np.int64)
    return passed


def _channels_of_edges(program: Program) -> tuple[np.ndarray, np.ndarray]:
    """(edges,) length of the channel that an edge of a priced tree is [um], 0 if vertical; and 1 if vertical."""
    fabric, link = program.fabric, program.priced_trees.link
    topology = fabric.topology
    if topology.channels == 0:
        return np.zeros_like(link), np.zeros_like(link)
    inside = (link >= fabric.first_channel) & (link < fabric.first_chip_link)
    channel = np.where(inside, link - fabric.first_channel, 0) % topology.channels
    vertical = inside & topology.vertical[channel]
    um = np.rint(1000 * topology.length_mm).astype(np.int64)
    return np.where(inside & ~vertical, um[channel], 0), vertical.astype(np.int64)


def _in_updates(program: Program, found: Tally) -> None:
    """Rows that are read and written again, and cells that are given a pulse.

    Each row in use is read once, by the sense amplifiers of its write drivers: one wordline is driven, nothing is
    converted.  Rows are those that hold weights; which of a crossbar's are written in which window does not matter.
    """
    slices, layer = program.slices, program.replicas.layer[program.slices.replica]
    pulses = program.system.chip.tile.ima.crossbar.write_pulses
    runs = runs_of(program)[slices.replica]
    rows, cells = {}, {}
    for i, target in written_by(program).items():
        tiling = program.layers[target].tiling
        assert tiling is not None
        rows[i], cells[i] = tiling.row_hi - tiling.row_lo, cells_of_crossbars(program, target)
    written = sums_of_slices(program.replicas, program.slices, rows) * runs
    for action in ("row_read", "dac_drive"):
        found.add(action, layer, written, slices.tile)
    found.add("row_write", layer, written * pulses, slices.tile)
    found.add("cell_write", layer, sums_of_slices(program.replicas, program.slices, cells) * runs * pulses, slices.tile)


def _in_cores(program: Program, sent: Sending, found: Tally) -> None:
    """Kernels, and the bits of packets that reach a GPU core's memory from elsewhere, or leave it."""
    replicas, leaves, core = program.replicas, program.leaves, program.system.chip.gpu_core
    bits = 8 * core.value_bytes if core is not None else 0
    kernels = kernels_of(program)
    runs = np.where(kernels.is_kernel, runs_of(program), 0)
    found.add("kernel_ps", replicas.layer, runs * kernels.busy_ps, replicas.tile)
    found.add("kernel_launch", replicas.layer, runs, replicas.tile)
    found.add("kernel_flop", replicas.layer, runs * replicas.kernel_flops, replicas.tile)
    reached = program.on_gpu[leaves.tile] & (leaves.tile != sent.tile[leaves.tree])
    written = leaves.write_values * sent.uses[leaves.tree]
    found.add("gpu_memory_bit", sent.layer[leaves.tree], bits * np.where(reached, written, 0), leaves.tile)
    leaving = (sent.tile >= 0) & program.on_gpu[sent.tile] & sent.leaves_tile
    found.add("gpu_memory_bit", sent.layer, bits * np.where(leaving, sent.values * sent.uses, 0), sent.tile)

