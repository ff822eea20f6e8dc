"""BatchNorm in training: statistics over many images are a barrier, forward and backward.

A band of rows of every image goes to a kernel that adds up sums; after the last image of the batch (or sub-batch) the
bands are combined, and only then the first image can be normalised (Ioffe and Szegedy, ICML 2015, algorithm 1).
Backward the same again, for the sums of dy and dy x^.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pimsim.errors import InputError
from pimsim.workload.dataflow import Edge, Node
from pimsim.workload.training import kernels
from pimsim.workload.training.graph import Contribution, Graph

TYPE = "BatchNormalization"
STEP_NOTE = "gamma and beta are updated by the kernel that combines their gradients; their traffic is not counted"


class BatchNorms:
    """The BatchNorms of a network."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.combined: dict[int, int] = {}  #: BatchNorm -> node that sends its mean and 1/sigma

    def forward(self, node: Node) -> int:
        """Statistics, their combination, and the normalisation itself; returns the index of the last."""
        graph, options = self.graph, self.graph.options
        check_batch_norm(node, options.cores, options.together)
        together = options.together
        values = node.positions * node.channels
        bands = _bands(node.grid[0], options.cores)
        n = bands[0].size
        statistics = graph.kernel(
            f"{node.name}/statistics", "Statistics", (n, 1), 2 * node.channels,
            [_banded(edge, bands) for edge in node.edges],
            kernels.STATISTICS * values, emits_every=together,
        )  # fmt: skip
        combine = graph.kernel(
            f"{node.name}/combine", "Combine", (1, 1), 2 * node.channels, [graph.all_of(statistics, (1, 1))],
            (2 * n + kernels.COMBINE) * node.channels, every=together,
        )  # fmt: skip
        edges = [*(replace(edge, saved=True) for edge in node.edges), graph.all_of(combine, node.grid, shared=together)]
        fused = sum(node.actions.values()) * node.windows
        flops = kernels.NORMALISE * values + kernels.ACTIVATION * fused
        index = graph.kernel(
            node.name, node.operation, node.grid, node.channels, edges, flops, reduces=node.reduces, macs=node.macs,
            parameters=node.parameters, is_output=node.is_output, notes=node.notes, activation=node.activation,
        )  # fmt: skip
        self.combined[index] = combine
        return index

    def backward(self, c: int, delta: int) -> None:
        """Sums of dy and dy x^ over the batch, and the gradient of the input where somebody needs it."""
        graph, options, node = self.graph, self.graph.options, self.graph.nodes[c]
        together, sources = options.together, node.edges[:-1]
        values, masks = node.positions * node.channels, kernels.MASK * len(node.activation)
        bands = _bands(node.grid[0], options.cores)
        n = bands[0].size
        kept = {"saved": True, "holds": options.batch // together}  # means of all statistics until the last is used
        mean = graph.all_of(self.combined[c], (n, 1), shared=together, **kept)
        statistics = graph.kernel(
            f"{node.name}/backward/statistics", "BackwardStatistics", (n, 1), 2 * node.channels,
            [*(_banded(edge, bands) for edge in (graph.each(delta), *sources)), mean],
            (kernels.BACKWARD_STATISTICS + masks) * values, emits_every=together, phase="backward",
        )  # fmt: skip
        trained = [edge for edge in sources if graph.trained[edge.source]]
        combine = graph.kernel(
            f"{node.name}/backward/combine", "BackwardCombine", (1, 1), 4 * node.channels,
            [graph.all_of(statistics, (1, 1)), graph.each(self.combined[c], **kept)],
            (2 * n + kernels.BACKWARD_COMBINE) * node.channels, every=together, phase="backward",
            is_output=not trained and together == options.batch, notes=(STEP_NOTE,),
        )  # fmt: skip
        if not trained:
            return
        edges = [graph.each(delta, saved=True), *sources, graph.all_of(combine, node.grid, shared=together)]
        index = graph.kernel(
            f"{node.name}/backward", "BatchNormBackward", node.grid, node.channels, edges,
            (kernels.BACKWARD_NORMALISE + masks) * values, phase="backward",
        )  # fmt: skip
        for edge in trained:
            graph.sent_back(edge.source, Contribution(index, edge.channels, *graph.windows_of(c, edge)))


def check_batch_norm(node: Node, cores: int, together: int) -> None:
    """Refuse statistics that nobody can take.

    Raises:
        InputError: no GPU core, or a batch of one image.
    """
    if not cores:
        what = "BatchNorm in training needs mini-batch mean, variance, division and square root"
        raise InputError(f"node '{node.name}': {what}; this chip has no GPU cores")
    if together < 2:
        what = "BatchNorm over a batch of 1 image has no statistics"
        raise InputError(f"node '{node.name}': {what}; take a larger batch, norm: group or norm: none")


def _bands(rows: int, cores: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last row of each band: as many as cores, if there are rows enough."""
    cuts = np.arange(min(rows, max(cores, 1)) + 1, dtype=np.int64) * rows // min(rows, max(cores, 1))
    return cuts[:-1], cuts[1:] - 1


def _banded(edge: Edge, bands: tuple[np.ndarray, np.ndarray]) -> Edge:
    """The edge of windows that each need what a band of rows of ``edge``'s windows needs."""
    low = np.array([edge.rows_lo[first : last + 1].min() for first, last in zip(*bands, strict=True)])
    high = np.array([edge.rows_hi[first : last + 1].max() for first, last in zip(*bands, strict=True)])
    left, right = np.array([edge.cols_lo.min()]), np.array([edge.cols_hi.max()])
    return replace(edge, rows_lo=low, rows_hi=high, cols_lo=left, cols_hi=right)
