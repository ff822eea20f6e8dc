"""What becomes a kernel on a GPU core, and how its windows are shared among cores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pimsim.config.records import System
from pimsim.mapping.allocation import PlacedSlice
from pimsim.mapping.tiling import Slice, Tiling
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
            chips = 1 if system.chips == "auto" else system.chips
            dataflow = whole_batches(dataflow, system.chip.gpu_cores * chips)
    return replace(dataflow, nodes=tuple(
        _as_kernel(node, dataflow)
        if node.kind == "digital" and any(edge.holds > 1 for edge in node.edges)
        or alone and node.kind in ("mvm", "digital", "update") else node
        for node in dataflow.nodes
    ))  # fmt: skip


def _as_kernel(node: Node, dataflow: Dataflow) -> Node:
    """Two operations a multiply-accumulate, one for each value that passed a digital unit.

    Every input and output passes the memory once, and weights once for each core that shares the kernel, as an input
    where updates send them; an update reads weight and step, and writes the weight, which stays.
    """
    inputs = [dataflow.nodes[edge.source].positions * edge.channels for edge in node.edges]
    work = 2 * node.macs + sum(node.actions.values()) * node.windows
    sent, weights = node.positions * node.channels, 0
    moved = sum(inputs) + sent
    if node.matrix is not None and not any(edge.initial for edge in node.edges):
        weights = node.matrix.rows * node.matrix.columns * node.matrix.groups
    if node.kind == "update":
        moved, work = 3 * sum(inputs), sum(inputs)
    return replace(node, kind="gpu", matrix=None, of=-1, actions={}, flops=work, memory_values=moved,
                   each_values=weights, kept_values=sent if node.kind == "update" else weights)  # fmt: skip


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
