"""Edges of windows that take a layer's data row of crossbars by row."""

from __future__ import annotations

import numpy as np

from pimsim.workload.dataflow import Edge, Node
from pimsim.workload.spans import Span


def whole_region(edge: Edge, channels: int, rows: int) -> Edge:
    """Every position that some window of an edge needs, for each of ``rows`` windows; kept for the backward pass."""
    low, high = _hull(Span(edge.rows_lo, edge.rows_hi))
    left, right = _hull(Span(edge.cols_lo, edge.cols_hi))
    down, up = np.full(rows, low, np.int64), np.full(rows, high, np.int64)
    return Edge(edge.source, channels, down, up, np.array([left]), np.array([right]), saved=True)


def shares(index: int, source: Node, rows: int) -> Edge:
    """What ``rows`` windows need, each its share of the rows of a node's output, in order."""
    height, width = source.output_grid
    at = np.arange(rows, dtype=np.int64)
    low, high = at * height // rows, ((at + 1) * height - 1) // rows
    return Edge(index, source.channels, low, high, np.array([0]), np.array([width - 1]))


def _hull(each: Span) -> tuple[int, int]:
    filled = each.hi >= each.lo
    return (int(each.lo[filled].min()), int(each.hi[filled].max())) if filled.any() else (0, -1)
