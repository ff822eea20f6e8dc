"""What holds for every dataflow, whatever network it came from."""

from __future__ import annotations

import numpy as np

from pimsim.workload import Dataflow, Node


def check(dataflow: Dataflow) -> None:
    """Assert that edges, grids and matrices fit together."""
    read = {edge.source for index, node in enumerate(dataflow.nodes) for edge in node.edges if edge.source != index}
    for index, node in enumerate(dataflow.nodes):
        assert node.windows > 0 and node.channels > 0, node.name
        assert (node.kind == "input") == (not node.edges), node.name
        assert node.is_output or index in read, f"{node.name} is read by nobody"
        for edge in node.edges:
            assert edge.source <= index, node.name
            _check_edge(node, edge, dataflow.nodes[edge.source])
        assert (node.kind == "mvm") == (node.matrix is not None), node.name
        if node.matrix:
            matrix, taken = node.matrix, sum(edge.channels for edge in node.edges)
            assert matrix.rows * matrix.groups == matrix.kernel_positions * taken, node.name
            recurrent = any(edge.source == index for edge in node.edges)
            assert recurrent or node.channels == matrix.columns * matrix.groups, node.name
        assert all(values > 0 for values in node.actions.values()), node.name
    assert len({node.name for node in dataflow.nodes}) == len(dataflow.nodes)


def _check_edge(node: Node, edge, source: Node) -> None:
    height, width = (1, 1) if source.reduces else source.grid
    assert 0 < edge.channels <= source.channels, node.name
    for low, high, windows, size in (
        (edge.rows_lo, edge.rows_hi, node.grid[0], height),
        (edge.cols_lo, edge.cols_hi, node.grid[1], width),
    ):
        assert low.dtype == np.int64 and len(low) == len(high) == windows, node.name
        assert low.min() >= 0 and high.max() < size, node.name


def nodes_named(dataflow: Dataflow, operation: str) -> list[Node]:
    """Nodes of an operation."""
    return [node for node in dataflow.nodes if node.operation == operation]
