"""Kernels that take all images of a batch at once, as on a chip of nothing but GPU cores.

There nothing is gained by sending one image after another: a kernel for each would read the weights again and again.
Every step of an image becomes one of the batch (of a sub-batch, if BatchNorm takes one), and a position of its output
becomes an image: cores share a kernel by images, each keeps its own from layer to layer, and statistics and gradients
of weights are what they send each other.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pimsim.workload.dataflow import Dataflow, Edge, Node
from pimsim.workload.spans import Span, everything, identity
from pimsim.workload.training.regions import values_read

BANDED = ("Statistics", "BackwardStatistics")  #: sums over images that cores make each for its own


def whole_batches(dataflow: Dataflow, cores: int) -> Dataflow:
    """The same work, every step for as many images as BatchNorm takes together.

    Args:
        dataflow: of training, as :func:`pimsim.workload.training.expand_training` makes it.
        cores: among which images are dealt.
    """
    together = min((node.emits_every for node in dataflow.nodes if node.type in BANDED), default=dataflow.batch)
    nodes = [_batched(node, dataflow.nodes, together, min(cores, together)) for node in dataflow.nodes]
    return replace(dataflow, nodes=tuple(
        replace(node, edges=tuple(_edge(edge, index, dataflow.nodes, nodes) for edge in dataflow.nodes[index].edges))
        for index, node in enumerate(nodes)
    ))  # fmt: skip


def weights_sent(dataflow: Dataflow) -> Dataflow:
    """Updates that send the new weights, row by row, to every core that multiplies with them, and keeps them."""
    nodes = list(dataflow.nodes)
    for index, node in enumerate(nodes):
        if node.kind == "update":
            matrix = nodes[node.of].matrix
            assert matrix is not None
            channels = -(-matrix.rows * matrix.columns * matrix.groups // node.windows)
            nodes[index] = replace(node, reduces=False, channels=channels)
    return replace(dataflow, nodes=tuple(
        replace(node, edges=tuple(_weights(edge, node, nodes[edge.source]) for edge in node.edges)) for node in nodes
    ))  # fmt: skip


def _weights(edge: Edge, node: Node, source: Node) -> Edge:
    if source.kind != "update":
        return edge
    rows, columns = everything(node.grid[0], source.grid[0]), everything(node.grid[1], source.grid[1])
    return _spanning(replace(edge, channels=source.channels), rows, columns)


def _batched(node: Node, nodes: tuple[Node, ...], images: int, bands: int) -> Node:
    """A node without its edges; what runs once a batch stays as it is."""
    if node.every > 1:
        added = sum(nodes[edge.source].channels * (bands - nodes[edge.source].grid[0]) for edge in node.edges
                    if nodes[edge.source].type in BANDED)  # fmt: skip
        return replace(node, flops=node.flops + added)
    read = sum(values_read(edge) for edge in node.edges)
    together = replace(node, every=images, flops=images * node.flops, macs=images * node.macs)
    if node.emits_every == 1:
        return replace(
            together, grid=(images, 1), channels=node.positions * node.channels, reduces=False,
            actions={unit: values * node.windows for unit, values in node.actions.items()},
            memory_values=images * node.memory_values,
        )  # fmt: skip
    kept = node.memory_values - read if node.kind == "gpu" else 0  # sums so far: in and out once
    return replace(
        together, emits_every=node.emits_every // images, memory_values=images * (node.memory_values - kept) + kept,
        grid=(bands, 1) if node.type in BANDED else node.grid,
    )  # fmt: skip


def _edge(edge: Edge, index: int, before: tuple[Node, ...], after: list[Node]) -> Edge:
    source, consumer = after[edge.source], after[index]
    shared = source.every * source.emits_every // consumer.every
    images = source.grid[0] if _is_of_images(before[edge.source]) else 1
    edge = replace(edge, shared=shared, holds=-(-edge.holds // images), wanted=-(-edge.wanted // images))
    if _is_of_images(before[edge.source]):
        channels = before[edge.source].positions * edge.channels
        if _is_of_images(before[index]):
            return _spanning(replace(edge, channels=channels), identity(consumer.grid[0]), identity(1))
        if consumer.type in BANDED:
            cuts = np.arange(consumer.grid[0] + 1, dtype=np.int64) * images // consumer.grid[0]
            return _spanning(replace(edge, channels=channels), Span(cuts[:-1], cuts[1:] - 1), identity(1))
        return _spanning(replace(edge, channels=channels), everything(consumer.grid[0], images), identity(1))
    if consumer.grid == before[index].grid and source.grid == before[edge.source].grid:
        return edge
    height, width = source.output_grid
    return _spanning(edge, everything(consumer.grid[0], height), everything(consumer.grid[1], width))


def _is_of_images(node: Node) -> bool:
    """Whether a node makes something of each image."""
    return node.every == 1 and node.emits_every == 1


def _spanning(edge: Edge, rows: Span, cols: Span) -> Edge:
    return replace(edge, rows_lo=rows.lo, rows_hi=rows.hi, cols_lo=cols.lo, cols_hi=cols.hi)
