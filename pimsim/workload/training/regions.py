"""What windows need all together: of a layer's data that goes to crossbars row by row, of a kernel's inputs."""

from __future__ import annotations

import numpy as np

from pimsim.workload.dataflow import Edge, Node


def whole_region(edge: Edge, channels: int, rows: int, gathers: int = 1) -> Edge:
    """Every position that some window of an edge needs, for each of ``rows`` windows; kept for the backward pass."""
    (low, high), (left, right) = hull(edge.rows_lo, edge.rows_hi), hull(edge.cols_lo, edge.cols_hi)
    down, up = np.full(rows, low, np.int64), np.full(rows, high, np.int64)
    return Edge(edge.source, channels, down, up, np.array([left]), np.array([right]), saved=True,
                gathers=gathers)  # fmt: skip


def shares(index: int, source: Node, rows: int) -> Edge:
    """What ``rows`` windows need, each its share of the rows of a node's output, in order."""
    height, width = source.output_grid
    at = np.arange(rows, dtype=np.int64)
    low, high = at * height // rows, ((at + 1) * height - 1) // rows
    return Edge(index, source.channels, low, high, np.array([0]), np.array([width - 1]))


def values_read(edge: Edge) -> int:
    """Values that one run reads through an edge, each once."""
    (low, high), (left, right) = hull(edge.rows_lo, edge.rows_hi), hull(edge.cols_lo, edge.cols_hi)
    return (high - low + 1) * (right - left + 1) * edge.channels


def hull(lo: np.ndarray, hi: np.ndarray) -> tuple[int, int]:
    """Smallest and largest index of spans; (0, -1) where all are empty."""
    filled = hi >= lo
    return (int(lo[filled].min()), int(hi[filled].max())) if filled.any() else (0, -1)
