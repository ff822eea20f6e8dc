"""Kernels to GPU cores: how many cores share one, and which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pimsim.config.records import System
from pimsim.errors import InputError
from pimsim.mapping.allocation import PlacedSlice
from pimsim.mapping.buffers import core_bytes
from pimsim.mapping.tiling import Slice, Tiling
from pimsim.technology.gpu_core import kernel_ps
from pimsim.workload.dataflow import Dataflow, Node
from pimsim.workload.training.batched import weights_sent, whole_batches
from pimsim.workload.training.regions import shares


def onto_cores(dataflow: Dataflow, system: System) -> Dataflow:
    """Digital operations beside a barrier become kernels: what waits for a whole batch has room in a core's memory.

    Such are the sum of a residual block whose shortcut arrives before the BatchNorm's batch is complete, and whatever
    the backward pass needs of the forward pass.  On a chip of nothing but GPU cores everything is a kernel.
    """
    if system.chip.gpu_core is None:
        return dataflow
    alone = system.chip.reram_tiles == 0
    if alone:
        dataflow = weights_sent(dataflow)
        if dataflow.batch > 1:
            dataflow = whole_batches(dataflow, system.chip.gpu_cores)
    return replace(dataflow, nodes=tuple(
        _as_kernel(node, dataflow)
        if node.kind == "digital" and any(edge.holds > 1 for edge in node.edges)
        or alone and node.kind in ("mvm", "digital", "update") else node
        for node in dataflow.nodes
    ))  # fmt: skip


def _as_kernel(node: Node, dataflow: Dataflow) -> Node:
    """Two operations a multiply-accumulate, one for each value that passed a digital unit.

    Every input and output passes the memory once, and weights once for each core that shares the kernel, as an input
    where updates send them; an update reads weight and step, and writes the weight.
    """
    inputs = [dataflow.nodes[edge.source].positions * edge.channels for edge in node.edges]
    work = 2 * node.macs + sum(node.actions.values()) * node.windows
    moved, weights = sum(inputs) + node.positions * node.channels, 0
    if node.matrix is not None and not any(edge.initial for edge in node.edges):
        weights = node.matrix.rows * node.matrix.columns * node.matrix.groups
    if node.kind == "update":
        moved, work = 3 * sum(inputs), sum(inputs)
    return replace(node, kind="gpu", matrix=None, of=-1, actions={}, flops=work, memory_values=moved,
                   each_values=weights, kept_values=weights)  # fmt: skip


def onto_rows(dataflow: Dataflow, tilings: Mapping[int, Tiling]) -> Dataflow:
    """Every update has a window for each row in use of the crossbars that it writes.

    The expansion knows the rows of a matrix; how many of its diagonal blocks share a crossbar, the tiling alone.
    """
    return replace(dataflow, nodes=tuple(_with_rows(node, dataflow, tilings) for node in dataflow.nodes))


def _with_rows(node: Node, dataflow: Dataflow, tilings: Mapping[int, Tiling]) -> Node:
    if node.kind != "update" or node.phase != "update":  # (outer products: rows of activations)
        return node
    tiling = tilings[node.of]
    rows = int((tiling.row_hi - tiling.row_lo).max())
    if node.windows == rows:
        return node
    parts = [shares(edge.source, dataflow.nodes[edge.source], rows) for edge in node.edges]
    edges = [
        replace(edge, rows_lo=part.rows_lo, rows_hi=part.rows_hi)
        for edge, part in zip(node.edges, parts, strict=True)
    ]
    return replace(node, grid=(rows, 1), edges=tuple(edges))


def in_the_way(node: Node) -> bool:
    """Whether images wait for a node on their way: for gradients of weights and updates nobody does."""
    return node.phase in ("forward", "backward")


def kernel_copies(node: Node, cores: int) -> int:
    """Cores among which the windows of a kernel are shared: bands of rows, where each needs its own inputs.

    Sums of gradients stay whole: every part would need all inputs.
    """
    return min(cores, node.grid[0]) if in_the_way(node) else 1


def deal_kernel(node: Node, copies: int) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`pimsim.mapping.windows.deal_windows`: whole rows, one block of them after another."""
    rows, columns = node.grid
    first = np.arange(copies + 1) * rows // copies * columns
    return first, np.arange(rows * columns)


def cores_in_the_way(dataflow: Dataflow, cores: int, system: System) -> int:
    """Cores for kernels of the forward and the backward pass, out of ``cores``; the others make gradients of weights.

    Images wait for the first, nobody waits for the second before the end of the batch; and a core does not leave a
    kernel that it has begun.  Shared by the time that they take, with more for the first where their memory does not
    hold what waits for a barrier otherwise; both on all cores where there is only one.
    """
    core = system.chip.gpu_core
    if core is None or cores < 2:
        return cores
    busy_ps = {False: 0.0, True: 0.0}
    for node in dataflow.nodes:
        if node.kind == "gpu":
            busy_ps[in_the_way(node)] += kernel_ps(core, node.flops, node.memory_values + node.each_values) / node.every
    if not busy_ps[False] or not busy_ps[True]:
        return cores
    share = busy_ps[True] / (busy_ps[True] + busy_ps[False])
    fewest, room = min(cores - 1, max(1, round(share * cores))), core.memory.mib * 2**20
    return next((n for n in range(fewest, cores) if _bytes_held(dataflow, n, system) <= room), fewest)


def _bytes_held(dataflow: Dataflow, cores: int, system: System) -> int:
    """Bytes that the fullest of the cores in the way must hold, if maps are shared among so many: its bands of rows."""
    held = 0
    for node in dataflow.nodes:
        if node.kind == "gpu" and in_the_way(node):
            rows = node.grid[0]
            held += bytes_in_core(node, dataflow, system) * -(-rows // kernel_copies(node, cores)) // rows
    return held


def place_kernels(
    dataflow: Dataflow, copies: list[int], on_gpu: np.ndarray, n: int, system: System
) -> dict[int, list[int]]:  # fmt: skip
    """Tiles of the replicas of each node that runs on GPU cores, ``n`` of them for what images wait for.

    What is shared among cores lies on the same ones in every layer, so that a band of a map stays on its core.
    Every other kernel, those of most work or memory first, goes to the core with the least to do in a batch, among
    those of its part of the work (see :func:`cores_in_the_way`) whose memory has room for it; an optimiser joins the
    kernel whose sum it takes.  Raises InputError where there is something to run, and no core.
    """
    every = np.flatnonzero(on_gpu)
    spread = np.arange(n) * every.size // max(n, 1)
    groups = {True: every[spread], False: np.delete(every, spread) if n < every.size else every}
    kernels = [i for i, node in enumerate(dataflow.nodes) if node.kind == "gpu"]
    for i in kernels:
        if groups[in_the_way(dataflow.nodes[i])].size == 0:
            node = dataflow.nodes[i]
            raise InputError(f"'{node.name}' ({node.operation}) needs a GPU core, and {system.name} has none",
                             key="chip.tiers", allowed="a chip with a tier of GPU cores")  # fmt: skip
    busy_ps, held = np.zeros(on_gpu.size), np.zeros(on_gpu.size)
    load_ps = {i: _load_ps(dataflow.nodes[i], copies[i], system) for i in kernels}
    size = {i: bytes_in_core(dataflow.nodes[i], dataflow, system) // copies[i] for i in kernels}
    joined = {i: dataflow.nodes[i].edges[0].source for i in kernels if _joins(i, dataflow, copies)}
    for i, with_it in joined.items():
        load_ps[with_it] += load_ps[i]
        size[with_it] += size[i]
    room, usual_ps = core_bytes(system), sum(load_ps.values()) / max(len(kernels), 1)
    placed: dict[int, list[int]] = {}
    alone = [i for i in kernels if copies[i] == 1 and i not in joined]
    alone.sort(key=lambda i: -max(load_ps[i] / max(usual_ps, 1.0), size[i] / room))
    for i in [i for i in kernels if copies[i] > 1] + alone:
        tiles = groups[in_the_way(dataflow.nodes[i])]
        if copies[i] > 1:
            chosen = tiles[np.arange(copies[i]) * tiles.size // copies[i]]
        else:
            fits = tiles[held[tiles] + size[i] <= room]
            chosen = tiles[[np.argmin(held[tiles])]] if fits.size == 0 else fits[[np.argmin(busy_ps[fits])]]
        busy_ps[chosen] += load_ps[i]
        held[chosen] += size[i]
        placed[i] = chosen.tolist()
    return placed | {i: placed[with_it] for i, with_it in joined.items()}


def _joins(i: int, dataflow: Dataflow, copies: list[int]) -> bool:
    """Whether a kernel of the update reads a single one, for which nobody waits either."""
    node = dataflow.nodes[i]
    if node.phase != "update" or len(node.edges) != 1 or copies[i] > 1:
        return False
    source = node.edges[0].source
    read = dataflow.nodes[source]
    return read.kind == "gpu" and read.phase == "gradient" and copies[source] == 1


def _load_ps(node: Node, copies: int, system: System) -> float:
    """Time of each core that shares a kernel, for one image [ps]."""
    core = system.chip.gpu_core
    assert core is not None
    return kernel_ps(core, node.flops // copies, node.memory_values // copies + node.each_values) / node.every


def bytes_in_core(node: Node, dataflow: Dataflow, system: System) -> int:
    """Bytes that the memories of all cores together must hold for a kernel: inputs, and what stays."""
    core = system.chip.gpu_core
    assert core is not None
    inputs = sum(
        dataflow.nodes[edge.source].positions * edge.channels * max(edge.holds, edge.gathers) for edge in node.edges
    )
    return core.value_bytes * (inputs + node.kept_values)


def kernel_slice(node: Node, tile: int) -> list[PlacedSlice]:
    """What lies in the tile of a kernel: all its inputs, and no crossbar."""
    channels = sum(edge.channels for edge in node.edges)
    return [PlacedSlice(tile, Slice(0, 0, 0, 0, 0, 0, 0, ((0, channels),)))]


def update_slices(node: Node, target: list[PlacedSlice]) -> list[PlacedSlice]:
    """An update lies where the crossbars are that it writes; each tile reads its share of the gradient."""
    channels = sum(edge.channels for edge in node.edges)
    imas = target[-1].part.ima_hi
    placed = []
    for piece in target:
        lo, hi = (channels * ima // imas for ima in (piece.part.ima_lo, piece.part.ima_hi))
        part = Slice(0, 0, piece.part.crossbars, hi - lo, 0, 0, 0, ((lo, hi),))
        placed.append(PlacedSlice(piece.tile, part))
    return placed
