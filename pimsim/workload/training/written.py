"""Weight gradients on crossbars that are written with every image's activations (PipeLayer, Song et al., HPCA 2017).

The gradient of a weight from input channel c at kernel position k to output channel m is the sum over all positions of
c's value there, moved by k, times the gradient of m.  The activations lie in crossbars, a row for each position and a
column for each channel; the gradient of one output channel after the other is driven through them, once for each
kernel position.  The sums of all images of a batch add up behind the crossbars.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pimsim.errors import InputError
from pimsim.workload.dataflow import Edge, Matrix, Node
from pimsim.workload.spans import identity
from pimsim.workload.training.graph import Graph
from pimsim.workload.training.regions import values_read, whole_region

NOTE = "sums of weight gradients over the batch lie in memory arrays; their room is not counted"


def written_gradient(graph: Graph, c: int, delta: int, overlap: bool) -> int:
    """Add the nodes that make the gradient of an mvm node's weights; returns the index of the last.

    ``overlap``: windows of c share positions, so that rows are positions of the input and each kernel position is a
    pass of its own.  Otherwise rows are windows, and columns the values of a window.

    Raises:
        InputError: the matrix has groups.
    """
    node, options = graph.nodes[c], graph.options
    assert node.matrix is not None, node.name
    matrix, data = node.matrix, node.edges
    if matrix.groups > 1:
        what = "has groups; gradients of its weights on written crossbars are not supported"
        raise InputError(f"node '{node.name}' ({node.operation}) {what}", key="weight_gradient", allowed="gpu")
    channels = sum(edge.channels for edge in data)
    kernel = matrix.kernel_positions
    first = replace(data[0], channels=1)
    rows, columns = (values_read(first), channels) if overlap else (node.windows, channels * kernel)
    passes = kernel if overlap else 1
    turned = graph.add(
        Node(
            f"{node.name}/columns", "digital", "Reorder", (matrix.columns, 1), rows,
            (graph.all_of(delta, (matrix.columns, 1)),), actions={"vector": rows}, phase="gradient",
        )
    )  # fmt: skip
    n_written = min(options.rows, rows)
    written = graph.add(
        Node(
            f"{node.name}/activations", "update", "Write", (n_written, 1), 0,
            tuple(whole_region(edge, edge.channels, n_written) for edge in data), reduces=True, phase="gradient",
            of=len(graph.nodes) + 1,
        )
    )  # fmt: skip
    grid, each = (matrix.columns, passes), identity(matrix.columns)
    zero = np.zeros(passes, np.int64)
    driven = Edge(turned, rows, each.lo, each.hi, zero, zero)
    return graph.add(
        Node(
            f"{node.name}/gradient:0", "mvm", "WeightGradient", grid, columns,
            (driven, graph.all_of(written, grid, 0)), Matrix(rows, columns), {"shift_add": columns}, macs=node.macs,
            phase="gradient", emits_every=options.batch, notes=(NOTE,),
        )
    )  # fmt: skip
