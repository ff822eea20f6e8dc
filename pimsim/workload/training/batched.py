"""Kernels that take all images of a batch at once, as on a chip of nothing but GPU cores.

There nothing is gained by sending one image after another: a kernel for each would read the weights again and again.
Every step of an image becomes one of the batch (of a sub-batch, if BatchNorm takes one), and a position of its output
becomes an image: cores share a kernel by images, each keeps its own from layer to layer, and statistics and gradients
of weights are what they send each other.  Where there are more cores than images, an image is cut into bands of rows.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from pimsim.workload.dataflow import Dataflow, Edge, Node
from pimsim.workload.spans import Span, everything, identity
from pimsim.workload.training.regions import hull, values_read

BANDED = ("Statistics", "BackwardStatistics")  #: sums over images that cores make each for its own


def whole_batches(dataflow: Dataflow, cores: int) -> Dataflow:
    """The same work, every step for as many images as BatchNorm takes together.

    Args:
        dataflow: of training, as :func:`pimsim.workload.training.expand_training` makes it.
        cores: among which images are dealt.
    """
    together = min((node.emits_every for node in dataflow.nodes if node.type in BANDED), default=dataflow.batch)
    return _Batches(dataflow, together, cores).made()


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


class _Batches:
    """Nodes of images, and what becomes of them."""

    def __init__(self, dataflow: Dataflow, images: int, cores: int) -> None:
        self.dataflow, self.before, self.images, self.cores = dataflow, dataflow.nodes, images, cores
        self.of_images = [node.every == 1 and node.emits_every == 1 for node in self.before]
        self.after = [self._batched(index) for index in range(len(self.before))]

    def made(self) -> Dataflow:
        return replace(self.dataflow, nodes=tuple(
            replace(node, edges=tuple(self._edge(edge, index) for edge in node.edges))
            for index, node in enumerate(self.after)
        ))  # fmt: skip

    def _parts(self, index: int) -> int:
        """Bands of rows into which an image of a node's output is cut, so that every core has one."""
        return min(self.before[index].output_grid[0], -(-self.cores // self.images))

    def _cuts(self, index: int) -> np.ndarray:
        """(parts + 1,) first row of each band of a node's output."""
        parts = self._parts(index)
        return np.arange(parts + 1, dtype=np.int64) * self.before[index].output_grid[0] // parts

    def _positions_of_part(self, index: int) -> int:
        """Positions of the largest band."""
        height, width = self.before[index].output_grid
        return -(-height // self._parts(index)) * width

    def _sums(self, index: int) -> int:
        """Cores that make a sum over images, each for its own."""
        return min(self.cores, self.images * self._parts(self.before[index].edges[0].source))

    def _batched(self, index: int) -> Node:
        """A node with the edges that it had; what runs once a batch stays as it is."""
        node, images = self.before[index], self.images
        if node.every > 1:
            added = sum(self.before[edge.source].channels * (self._sums(edge.source) - self.before[edge.source].grid[0])
                        for edge in node.edges if self.before[edge.source].type in BANDED)  # fmt: skip
            return replace(node, flops=node.flops + added)
        together = replace(node, every=images, flops=images * node.flops, macs=images * node.macs)
        if self.of_images[index]:
            parts = self._parts(index)
            return replace(
                together, grid=(images * parts, 1), channels=self._positions_of_part(index) * node.channels,
                reduces=False, memory_values=images * node.memory_values,
                actions={unit: -(-values * node.windows // parts) for unit, values in node.actions.items()},
            )  # fmt: skip
        read = sum(values_read(edge) for edge in node.edges)
        kept = node.memory_values - read if node.kind == "gpu" else 0  # sums so far: in and out once
        return replace(
            together, emits_every=node.emits_every // images, memory_values=images * (node.memory_values - kept) + kept,
            grid=(self._sums(index), 1) if node.type in BANDED else node.grid,
        )  # fmt: skip

    def _edge(self, edge: Edge, index: int) -> Edge:
        source, consumer = self.after[edge.source], self.after[index]
        shared = source.every * source.emits_every // consumer.every
        if not self.of_images[edge.source]:
            edge = replace(edge, shared=shared)
            if consumer.grid == self.before[index].grid and source.grid == self.before[edge.source].grid:
                return edge
            height, width = source.output_grid
            return _spanning(edge, everything(consumer.grid[0], height), everything(consumer.grid[1], width))
        images, positions = self.images, source.grid[0]
        edge = replace(edge, shared=shared, holds=-(-edge.holds // images), wanted=-(-edge.wanted // images),
                       channels=self._positions_of_part(edge.source) * edge.channels)  # fmt: skip
        if self.of_images[index]:
            return _spanning(edge, self._bands_needed(edge, index), identity(1))
        if consumer.type in BANDED:
            cuts = np.arange(consumer.grid[0] + 1, dtype=np.int64) * positions // consumer.grid[0]
            return _spanning(edge, Span(cuts[:-1], cuts[1:] - 1), identity(1))
        return _spanning(edge, everything(consumer.grid[0], positions), identity(1))

    def _bands_needed(self, edge: Edge, index: int) -> Span:
        """Bands of the source that each band of a node's images needs; image after image."""
        rows = self._cuts(index) if not self.before[index].reduces else np.array([0, edge.rows_lo.size])
        of_source = self._cuts(edge.source)
        low, high = np.zeros(rows.size - 1, np.int64), np.full(rows.size - 1, -1, np.int64)
        for part, (first, end) in enumerate(itertools.pairwise(rows.tolist())):
            needed = hull(edge.rows_lo[first:end], edge.rows_hi[first:end])
            if needed[0] <= needed[1]:
                low[part], high[part] = np.searchsorted(of_source, needed, side="right") - 1
        image = np.repeat(np.arange(self.images), low.size)
        empty = np.tile(high < low, self.images)
        shift = image * (of_source.size - 1)
        return Span(np.tile(low, self.images) + shift, np.where(empty, -1, np.tile(high, self.images) + shift))


def _spanning(edge: Edge, rows: Span, cols: Span) -> Edge:
    return replace(edge, rows_lo=rows.lo, rows_hi=rows.hi, cols_lo=cols.lo, cols_hi=cols.hi)
