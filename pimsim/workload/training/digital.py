"""The backward pass of operations without weights: pools, sums, products, copies, normalisations of one image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pimsim.errors import InputError
from pimsim.workload.dataflow import Edge, Node
from pimsim.workload.spans import Span, chain, identity
from pimsim.workload.training import kernels
from pimsim.workload.training.graph import Contribution, Graph, backward_name

COPIES = frozenset("Add Sub Sum QLinearAdd Concat QLinearConcat Slice Split Gather Pad Identity".split())
"""Operations that hand every value on as it is, so that its gradient is the gradient of where it went (a difference
apart, whose sign the next product takes along)."""

LINEAR = COPIES | frozenset(
    """Reorder Mean AveragePool QLinearAveragePool GlobalAveragePool QLinearGlobalAveragePool ReduceMean ReduceSum
    QLinearReduceMean Resize Upsample DepthToSpace SpaceToDepth Transpose Reshape Tile Expand Neg""".split()
)
"""Operations whose derivative does not depend on the values."""

FROM_OUTPUT = frozenset(
    "Softmax LogSoftmax QLinearSoftmax Relu LeakyRelu Sigmoid Tanh Exp Sqrt Elu Selu Softplus Clip Reciprocal".split()
)
"""Operations whose derivative the output tells."""

WITHOUT_DERIVATIVE = frozenset(
    """ArgMax ArgMin Hardmax TopK NonZero Sign Floor Ceil Round Mod Equal Greater GreaterOrEqual Less LessOrEqual And Or
    Not Xor IsNaN IsInf BitShift BitwiseAnd BitwiseOr BitwiseXor BitwiseNot""".split()
)
"""Operations through which no gradient comes: it is zero or not defined."""

PRODUCTS = frozenset(["Mul", "QLinearMul"])
"""The gradient of one operand is a product with the others."""


def backward(graph: Graph, c: int, delta: int) -> None:
    """Send the gradient of node c's output, made by node ``delta``, back to every source that needs one."""
    node = graph.nodes[c]
    for at, edge in enumerate(node.edges):
        if not graph.trained[edge.source]:
            continue
        rows, cols = graph.windows_of(c, edge)
        whole = edge.channels == node.channels
        if node.type in COPIES and whole and rows.is_points and cols.is_points and not node.reduces:
            graph.sent_back(edge.source, Contribution(delta, node.channels, rows, cols))
            continue
        _add(graph, c, at, Edge(delta, node.channels, rows.lo, rows.hi, cols.lo, cols.hi))


def refuse_steps(node: Node) -> None:
    """Refuse operations without a derivative between weights and the loss.

    Raises:
        InputError: names the node.
    """
    for step in (node.type, *node.activation):
        if step in WITHOUT_DERIVATIVE:
            what = f"has no derivative ({step}); end the network before it to train it"
            raise InputError(f"node '{node.name}' ({node.operation}) {what}")


def _add(graph: Graph, c: int, at: int, data: Edge) -> None:
    node, edge = graph.nodes[c], graph.nodes[c].edges[at]
    grid = graph.nodes[edge.source].output_grid
    edges = [data, *_saved(graph, c, at, data)]
    name = backward_name(node, at)
    if node.kind == "gpu":
        each = kernels.BACKWARD.get(node.type, kernels.BACKWARD_PER_IMAGE) + kernels.MASK * len(node.activation)
        flops = each * node.positions * node.channels
        index = graph.kernel(name, f"{node.type}Backward", grid, edge.channels, edges, flops, phase="backward")
    else:
        values = max(-(-_own_values(node) * node.windows // (grid[0] * grid[1])), 1)
        index = graph.add(
            Node(
                name, "digital", f"{node.type}Backward", grid, edge.channels, tuple(edges),
                actions={"vector": values}, phase="backward",
            )
        )  # fmt: skip
    graph.sent_back(edge.source, Contribution(index, edge.channels, identity(grid[0]), identity(grid[1])))


def _saved(graph: Graph, c: int, at: int, data: Edge) -> Sequence[Edge]:
    """What the derivative with respect to input ``at`` needs of the forward pass."""
    node, edge = graph.nodes[c], graph.nodes[c].edges[at]
    if node.type in LINEAR:
        return []
    if node.type in FROM_OUTPUT:
        return [replace(data, source=c, saved=True)]
    own = graph.each(edge.source, edge.channels, saved=True)
    rows, cols = Span(data.rows_lo, data.rows_hi), Span(data.cols_lo, data.cols_hi)
    others = [] if node.reduces else [_through(other, rows, cols) for k, other in enumerate(node.edges) if k != at]
    return others if node.type in PRODUCTS and others else [own, *others]


def _through(edge: Edge, rows: Span, cols: Span) -> Edge:
    """What the windows of ``edge``'s consumer that each position needs, need themselves."""
    rows, cols = chain(rows, Span(edge.rows_lo, edge.rows_hi)), chain(cols, Span(edge.cols_lo, edge.cols_hi))
    return Edge(edge.source, edge.channels, rows.lo, rows.hi, cols.lo, cols.hi, saved=True)


def _own_values(node: Node) -> int:
    """Values a window puts through the digital units, without the activations that are fused."""
    return max(sum(node.actions.values()) - node.channels * len(node.activation), 0)
