"""The nodes of a training Dataflow while they are added, and the gradients that nodes send back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pimsim.workload.dataflow import Edge, Kind, Node
from pimsim.workload.spans import Span, everything, identity, transposed
from pimsim.workload.training.options import Training
from pimsim.workload.training.regions import values_read
from pimsim.workload.views import Grid

DERIVED_FROM_INPUT = frozenset(
    "Gelu FastGelu QuickGelu BiasGelu Swish Silu Mish HardSwish Erf Sin Cos Abs Pow Mul Div".split()
)
"""Activations whose derivative the output does not tell: what goes in must be kept."""


@dataclass(frozen=True)
class Contribution:
    """A gradient of a node's output that one of its consumers sends back."""

    node: int  #: who makes it
    channels: int  #: values taken of each position of ``node``
    rows: Span  #: for each output row of the node whose gradient it is, rows of ``node``
    cols: Span

    def edge(self) -> Edge:
        """Edge of windows that lie as the output whose gradient this is."""
        return Edge(self.node, self.channels, self.rows.lo, self.rows.hi, self.cols.lo, self.cols.hi)


class Graph:
    """Nodes so far, and what has been sent back to each of them."""

    def __init__(self, options: Training) -> None:
        self.options = options
        self.nodes: list[Node] = []
        self.names: set[str] = set()
        self.contributions: dict[int, list[Contribution]] = {}
        self.trained: list[bool] = []  #: whether somebody needs the gradient of a node's output

    def add(self, node: Node, trained: bool = False) -> int:
        """Append a node under a name of its own; returns its index."""
        name, number = node.name, 1
        while name in self.names:
            number += 1
            name = f"{node.name}_{number}"
        self.names.add(name)
        self.nodes.append(replace(node, name=name))
        self.trained.append(trained)
        return len(self.nodes) - 1

    def kernel(self, name: str, operation: str, grid: Grid, channels: int, edges: list[Edge], flops: int,
               **rest: Any) -> int:  # fmt: skip
        """Append a gpu node; every value that it reads or writes passes the core's memory once."""
        moved = grid[0] * grid[1] * channels + sum(values_read(edge) for edge in edges)
        rest.setdefault("memory_values", moved)
        return self.add(Node(name, "gpu", operation, grid, channels, tuple(edges), flops=flops, **rest))

    def sent_back(self, to: int, contribution: Contribution) -> None:
        """Note a gradient of the output of node ``to``."""
        self.contributions.setdefault(to, []).append(contribution)

    # edges

    def each(self, source: int, channels: int | None = None, **rest: Any) -> Edge:
        """Edge of windows that lie as the source's output, and need their own position."""
        node = self.nodes[source]
        rows, cols = identity(node.output_grid[0]), identity(node.output_grid[1])
        return Edge(source, node.channels if channels is None else channels, rows.lo, rows.hi, cols.lo, cols.hi, **rest)

    def all_of(self, source: int, grid: Grid, channels: int | None = None, **rest: Any) -> Edge:
        """Edge of windows that each need the whole output."""
        node = self.nodes[source]
        rows, cols = everything(grid[0], node.output_grid[0]), everything(grid[1], node.output_grid[1])
        return Edge(source, node.channels if channels is None else channels, rows.lo, rows.hi, cols.lo, cols.hi, **rest)

    def windows_of(self, consumer: int, edge: Edge) -> tuple[Span, Span]:
        """For each output position of ``edge``'s source, output positions of the consumer whose windows need it."""
        node, (height, width) = self.nodes[consumer], self.nodes[edge.source].output_grid
        rows = transposed(Span(edge.rows_lo, edge.rows_hi), height)
        cols = transposed(Span(edge.cols_lo, edge.cols_hi), width)
        return (_to_first(rows), _to_first(cols)) if node.reduces else (rows, cols)

    # gradients

    def gradient(self, f: int) -> int:
        """Index of the node that makes the gradient of f's output, before its fused activations if f is not gpu.

        The only contribution itself where it lies as f's output, else a digital node that adds and masks.
        """
        node, parts = self.nodes[f], self.contributions[f]
        masks = () if node.kind == "gpu" else node.activation  # a kernel computes its activation's derivative again
        if len(parts) == 1 and not masks and self._lies_as(parts[0], node):
            return parts[0].node
        edges = list({_key(part): part.edge() for part in parts}.values())
        notes = []
        if masks:
            edges.append(self.each(f, saved=True))
            if DERIVED_FROM_INPUT.intersection(masks):
                names = "+".join(masks)
                notes.append(f"the derivative of {names} is priced as one of its output; what went in must be kept too")
        values = node.channels * max(len(parts) - 1 + len(masks), 1)
        return self.add(
            Node(
                f"{node.name}/delta", "digital", "Delta", node.output_grid, node.channels, tuple(edges),
                actions={"vector": values}, phase="backward", notes=tuple(notes),
            )
        )  # fmt: skip

    def _lies_as(self, part: Contribution, node: Node) -> bool:
        maker = self.nodes[part.node]
        same = maker.output_grid == node.output_grid and part.channels == maker.channels == node.channels
        return same and part.rows.is_identity and part.cols.is_identity


def backward_name(node: Node, at: int) -> str:
    """Name of the node that sends the gradient of a node's input number ``at`` back."""
    return f"{node.name}/backward" + (f":{at}" if len(node.edges) > 1 else "")


def kind_for_vectors(options: Training) -> Kind:
    """What normalisations of one image run on."""
    return "gpu" if options.cores else "digital"


def _to_first(each: Span) -> Span:
    """Every index that needs something needs 0: the one result of a node that reduces."""
    return Span(np.zeros(len(each), np.int64), np.where(each.hi >= each.lo, 0, -1))


def _key(part: Contribution) -> tuple[int, Span, Span]:
    return part.node, part.rows, part.cols
