"""Actions of one inference, layer by layer: the counts of :mod:`pimsim.results.counting` without a Program.

What crossbars, registers and digital units do is counted exactly.  What crosses the network, and what is written into
eDRAM on arrival, is counted for a sample of the positions of each layer and scaled up; layers of few positions are
counted whole.
"""

from __future__ import annotations

import numpy as np

from pimsim.costmodels.chip.layer import PlannedLayer
from pimsim.costmodels.chip.plan import Plan
from pimsim.mapping.crossbars import bit_slices, crossbar_reads
from pimsim.mapping.program import UNITS
from pimsim.network.fabric import CHIP, EJECT, INJECT, KIND_NAMES, MESH
from pimsim.network.trees import Trees, build_trees
from pimsim.results.counting import UNIT_ACTIONS

SAMPLE = 96  #: positions of a layer, fewer where each goes to many tiles
SAMPLE_TARGETS = 4096  #: about as many tiles in a sample
_GOLDEN = 0.6180339887498949  #: multiples of it, modulo 1, are spread evenly whatever their number

Counts = dict[str, float]


def count_layers(plan: Plan) -> list[dict[str, int]]:
    """Actions of each layer, those that it does at all."""
    moved = [_deliveries(plan, i) for i in range(len(plan.layers))]
    counts = []
    for layer, sent in zip(plan.layers, moved, strict=True):
        found: Counts = {**_in_crossbars(plan, layer), **_in_tiles(plan, layer)}
        for part in (sent, _partial_sums(plan, layer)):
            for action, count in part.items():
                found[action] = found.get(action, 0) + count
        if layer.node.kind == "input":
            found["host_byte"] = layer.node.windows * layer.node.channels * plan.system.mapping.input_bits // 8
        counts.append({action: round(count) for action, count in found.items() if round(count)})
    return counts


def _in_crossbars(plan: Plan, layer: PlannedLayer) -> Counts:
    if layer.tiling is None:
        return {}
    system, tiling, windows = plan.system, layer.tiling, layer.node.windows
    reads = windows * int(crossbar_reads(tiling, system).sum())
    samples = reads * system.chip.tile.ima.crossbar.columns
    rows = int((tiling.row_hi - tiling.row_lo).sum())
    return {
        "crossbar_read": reads,
        "dac_drive": windows * rows * bit_slices(system),
        "sample_hold": samples,
        "conversion": samples,
        "ima_shift_add": samples,
    }


def _in_tiles(plan: Plan, layer: PlannedLayer) -> Counts:
    """Registers, bus, digital units, and eDRAM where it is read."""
    bits, cuts = plan.system.mapping.input_bits, layer.cuts
    windows, vectors = layer.windows_of_replica, layer.windows_of_replica[layer.slice_replica]
    read, sent = int(cuts.read @ vectors), int(cuts.sent @ vectors)
    in_imas = read if layer.tiling is not None else 0
    away = layer.slice_tile != layer.home[layer.slice_replica]
    units = {UNIT_ACTIONS[name]: int(layer.unit_values[:, u] @ windows) for u, name in enumerate(UNITS)}
    units["tile_shift_add_value"] += int((cuts.added * away) @ vectors)
    return {
        "input_register_bit": bits * in_imas,
        "output_register_bit": bits * sent,
        "edram_bit": bits * read,
        "bus_bit": bits * (read + sent),
        "tile_output_register_bit": bits * sent,
        **units,
    }


def _partial_sums(plan: Plan, layer: PlannedLayer) -> Counts:
    """Messages from slices to their home tiles."""
    home = layer.home[layer.slice_replica]
    away = np.flatnonzero(layer.slice_tile != home)
    if away.size == 0:
        return {}
    ways = plan.distances.ways(layer.slice_tile[away], home[away])
    messages = layer.windows_of_replica[layer.slice_replica[away]]
    noc = plan.system.chip.noc
    payload = -(-layer.cuts.results[away] * plan.system.mapping.input_bits // noc.flit_bits)
    flits = messages * (payload + noc.header_flits)
    return _flit_actions(
        plan, int(flits.sum()), int(flits @ ways.channels), int(flits.sum()), int(flits @ ways.chip_links),
        int(flits @ ways.um), int(flits @ ways.vertical), int(messages.sum()),
    )  # fmt: skip


def _flit_actions(
    plan: Plan, inject: float, mesh: float, eject: float, chip: float, um: float, vertical: float, packets: float
) -> Counts:  # fmt: skip
    bits = plan.system.chip.noc.flit_bits
    return {
        "router_flit_hop": mesh + eject + chip,
        "link_byte": chip * bits / 8,
        "channel_bit_um": bits * um,
        "tsv_bit": bits * vertical,
        "packet": packets,
        **dict(zip((f"flit_{kind}" for kind in KIND_NAMES), (inject, mesh, eject, chip), strict=True)),
    }


def _deliveries(plan: Plan, i: int) -> Counts:
    """Outputs of a layer on their way to all tiles that need them, and written there."""
    layer, system = plan.layers[i], plan.system
    readers = [
        (j, e) for j, each in enumerate(plan.layers) for e, edge in enumerate(each.node.edges) if edge.source == i
    ]
    chosen = _sample(layer, [plan.layers[j] for j, _ in readers])
    index = np.full(layer.node.positions, -1, np.int64)
    index[chosen] = np.arange(chosen.size)
    rows = [_targets(plan.layers[j], e, index) for j, e in readers]
    if layer.node.is_output and layer.node.kind != "input":
        kept = np.full(chosen.size, layer.node.channels, np.int64)
        rows.append((np.arange(chosen.size), layer.home[layer.owner[chosen]], kept))
    if not rows:
        return {}
    position, tile, values = (np.concatenate(column) for column in zip(*rows, strict=True))
    position, tile, values = _distinct(position, tile, values, plan.distances.fabric.n_tiles)
    scale = layer.node.positions / chosen.size
    first = np.searchsorted(position, np.arange(chosen.size + 1))
    sources = layer.home[layer.owner[chosen]]
    trees = build_trees(plan.distances.fabric, sources, first, tile, system.chip.noc.multicast)
    noc = system.chip.noc
    sent = max((plan.layers[j].node.edges[e].channels for j, e in readers), default=0)
    flits = -(-sent * system.mapping.input_bits // noc.flit_bits) + noc.header_flits
    found = {action: scale * count for action, count in _on_trees(plan, trees, flits).items()}
    found["edram_bit"] = scale * system.mapping.input_bits * float(values.sum())
    return found


def _sample(layer: PlannedLayer, readers: list[PlannedLayer]) -> np.ndarray:
    """Positions spread over all of a layer's, in no step with its rows."""
    tiles = max((reader.slice_tile.size / reader.copies for reader in readers), default=1.0)
    size = min(layer.node.positions, max(8, min(SAMPLE, int(SAMPLE_TARGETS / tiles))))
    if size == layer.node.positions:
        return np.arange(size)
    return np.unique((((np.arange(size) + 0.5) * _GOLDEN) % 1 * layer.node.positions).astype(np.int64))


def _targets(reader: PlannedLayer, e: int, index: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number in the sample, tile and values of each copy of a sampled position that one input's buffers keep."""
    need = reader.needs[e]
    listed = np.flatnonzero(index[need.positions] >= 0)
    position = index[need.positions[listed]]
    replica = np.searchsorted(need.first, listed, side="right") - 1
    first = np.append(reader.first_slice, reader.slice_replica.size)
    count = np.diff(first)[replica]
    slice_ = np.repeat(first[:-1][replica], count) + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    values = reader.cuts.channels[slice_, e]
    kept = values > 0
    return np.repeat(position, count)[kept], reader.slice_tile[slice_][kept], values[kept]


def _distinct(
    position: np.ndarray, tile: np.ndarray, values: np.ndarray, tiles: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each (position, tile) once, with the most values that are needed there."""
    pair = position * tiles + tile
    order = np.argsort(pair, kind="stable")
    pair = pair[order]
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    most = np.maximum.reduceat(values[order], first) if first.size else values
    return pair[first] // tiles, pair[first] % tiles, most


def _on_trees(plan: Plan, trees: Trees, flits: int) -> Counts:
    """Flits of one message along each tree, by kind of link."""
    fabric = plan.distances.fabric
    link = trees.link[trees.link >= 0]
    kinds = np.bincount(fabric.link_kinds()[link], minlength=len(KIND_NAMES)) * flits
    channel = link[(link >= fabric.first_channel) & (link < fabric.first_chip_link)] - fabric.first_channel
    topology = fabric.topology
    um, vertical = 0, 0
    if topology.channels:
        channel %= topology.channels
        upright = topology.vertical[channel]
        um = int(np.rint(1000 * topology.length_mm)[channel][~upright].sum()) * flits
        vertical = int(np.count_nonzero(upright)) * flits
    begins = np.arange(trees.link.size) < np.repeat(trees.first[:-1] + trees.roots, np.diff(trees.first))
    packets = int(np.count_nonzero(begins & (trees.link >= 0)))
    return _flit_actions(
        plan, int(kinds[INJECT]), int(kinds[MESH]), int(kinds[EJECT]), int(kinds[CHIP]), um, vertical, packets
    )
