"""Actions of one inference, layer by layer: they follow from the Program alone, whatever the timing.

All arrays are (layers,) int64.  Names are those of `pimsim.technology.ActionCosts`; beside them stand
facts that have no price of their own: packets, flits over each kind of link, bytes from the host.

A packet belongs to the layer that sends it, its writes into eDRAM included.
"""

from __future__ import annotations

import numpy as np

from pimsim.config.records import System
from pimsim.mapping.program import UNITS, Program
from pimsim.mapping.tiling import Tiling
from pimsim.network.fabric import CHIP, EJECT, KIND_NAMES, MESH
from pimsim.network.packets import cut

UNIT_ACTIONS = {
    "sigmoid": "sigmoid_value",
    "maxpool": "maxpool_value",
    "shift_add": "tile_shift_add_value",
    "vector": "vector_value",
}
"""The action that one value through a digital unit is."""


def count_actions(program: Program) -> dict[str, np.ndarray]:
    """Actions of one inference: name -> (layers,) int64."""
    return {**_in_crossbars(program), **_in_tiles(program), **_in_network(program)}


def crossbar_reads(tiling: Tiling, system: System) -> np.ndarray:
    """(crossbars,) reads for one vector: input bits over DAC bits, for each group of active wordlines in use."""
    rows: np.ndarray = tiling.row_hi - tiling.row_lo
    return -(-rows // system.chip.tile.ima.crossbar.wordlines) * bit_slices(system)


def bit_slices(system: System) -> int:
    """How often each wordline is driven for one vector."""
    return -(-system.mapping.input_bits // system.chip.tile.ima.dac.bits)


def _in_crossbars(program: Program) -> dict[str, np.ndarray]:
    """Reads, and what comes with each: all columns of a crossbar are sampled, converted and added."""
    system, layers = program.system, program.layers
    reads, drives = np.zeros(len(layers), np.int64), np.zeros(len(layers), np.int64)
    for i, (layer, node) in enumerate(zip(layers, program.dataflow.nodes, strict=True)):
        if layer.tiling is not None:
            reads[i] = node.windows * int(crossbar_reads(layer.tiling, system).sum())
            rows = int((layer.tiling.row_hi - layer.tiling.row_lo).sum())
            drives[i] = node.windows * rows * bit_slices(system)
    samples = reads * system.chip.tile.ima.crossbar.columns
    return {
        "crossbar_read": reads,
        "dac_drive": drives,
        "sample_hold": samples,
        "conversion": samples.copy(),
        "ima_shift_add": samples.copy(),
    }


def _in_tiles(program: Program) -> dict[str, np.ndarray]:
    """Registers, eDRAM, bus and digital units, [bits] or values."""
    replicas, slices, leaves = program.replicas, program.slices, program.leaves
    bits = program.system.mapping.input_bits
    windows = np.diff(replicas.window_first)
    vectors, of_slice = windows[slices.replica], replicas.layer[slices.replica]
    messages, of_tree = messages_of_trees(program), layers_of_trees(program)

    def by_slice(values: np.ndarray) -> np.ndarray:
        return _sums(of_slice, values * vectors, program)

    in_imas = slices.imas > 0
    read = slices.read_values + slices.spilled_values
    written = leaves.write_values * messages[leaves.tree]
    to_edram = _sums(of_tree[leaves.tree], np.where(leaves.spilled > 0, 0, written), program)
    to_dram = _sums(of_tree[leaves.tree], np.where(leaves.spilled > 0, written, 0), program)
    sent = by_slice(slices.sent_values)
    units = {
        UNIT_ACTIONS[name]: _sums(replicas.layer, replicas.unit_values[:, u] * windows, program)
        for u, name in enumerate(UNITS)
    }
    units["tile_shift_add_value"] += by_slice(np.where(slices.tree >= 0, slices.added_values, 0))
    return {
        "input_register_bit": bits * by_slice(np.where(in_imas, read, 0)),
        "output_register_bit": bits * sent,
        "edram_bit": bits * (by_slice(slices.read_values) + to_edram),
        "bus_bit": bits * (by_slice(read) + sent),
        "tile_output_register_bit": bits * sent,
        **units,
        "dram_bit": bits * (by_slice(slices.spilled_values) + to_dram),
    }


def _in_network(program: Program) -> dict[str, np.ndarray]:
    """Packets and flits; a router is passed once for every link that a flit takes out of it."""
    trees = program.priced_trees
    of_edge = np.repeat(np.arange(trees.roots.size), np.diff(trees.first))
    layer, messages = layers_of_trees(program)[of_edge], messages_of_trees(program)[of_edge]
    passed = _links_passed(program)
    packets, carried = _in_packets(program)
    flits = passed * (carried[of_edge] * messages)[:, None]
    flits[:, CHIP] = passed[:, CHIP] * program.tree_flits[of_edge] * messages  # whole messages pass between chips
    begins = np.arange(of_edge.size) < (trees.first[:-1] + trees.roots)[of_edge]
    hops = {kind: _sums(layer, flits[:, k], program) for k, kind in enumerate(KIND_NAMES)}
    bits = flits[:, MESH] * program.system.chip.noc.flit_bits
    um, vertical = _channels_of_edges(program)
    host = [
        node.windows * node.channels * program.system.mapping.input_bits // 8 if node.kind == "input" else 0
        for node in program.dataflow.nodes
    ]
    return {
        "router_flit_hop": sum(hops[KIND_NAMES[kind]] for kind in (MESH, EJECT, CHIP)),  # type: ignore[dict-item]
        "link_byte": hops[KIND_NAMES[CHIP]] * program.system.chip.noc.flit_bits // 8,
        "channel_bit_um": _sums(layer, bits * um, program),
        "tsv_bit": _sums(layer, bits * vertical, program),
        "packet": _sums(layer, messages * packets[of_edge] * (begins & passed.any(axis=1)), program),
        **{f"flit_{kind}": count for kind, count in hops.items()},
        "host_byte": np.array(host, np.int64),
    }


def _in_packets(program: Program) -> tuple[np.ndarray, np.ndarray]:
    """(trees,) packets of a message, and their flits: in a flit-level network each packet has a header."""
    noc = program.system.chip.noc
    if program.network != "flit":
        return np.ones_like(program.tree_flits), program.tree_flits
    packets, size, last = cut(program.tree_flits, noc.header_flits, noc.longest_packet)
    return packets, (packets - 1) * size + last


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


def messages_of_trees(program: Program) -> np.ndarray:
    """(trees,) packets of one inference that use each tree."""
    return np.diff(program.message_first)


def layers_of_trees(program: Program) -> np.ndarray:
    """(trees,) the layer that sends along each tree."""
    window = np.append(program.message, 0)[program.message_first[:-1]]
    replica = np.searchsorted(program.replicas.window_first, window, side="right") - 1
    layer: np.ndarray = program.replicas.layer[replica]
    return layer


def _sums(layer: np.ndarray, values: np.ndarray, program: Program) -> np.ndarray:
    """(layers,) sum of the values of each layer, in whole numbers."""
    sums = np.zeros(len(program.layers), np.int64)
    np.add.at(sums, layer, values)
    return sums
