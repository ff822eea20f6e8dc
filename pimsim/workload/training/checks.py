"""What holds for every Dataflow of training."""

from __future__ import annotations

from pimsim.workload.dataflow import Dataflow, Edge, Node
from pimsim.workload.lowering import check_windows


def check_dataflow(dataflow: Dataflow) -> None:
    """Check rates, order, regions, and that every copy of weights has one update.

    Raises:
        ValueError: an expansion that is wrong, with the node's name; no input leads to one.
        InputError: a window that reaches outside its input.
    """
    check_windows(dataflow.nodes)
    updates: dict[int, int] = {}
    for index, node in enumerate(dataflow.nodes):
        for edge in node.edges:
            _check_edge(dataflow, index, edge)
        if dataflow.batch % (node.every * node.emits_every):
            raise ValueError(f"{node.name}: a batch of {dataflow.batch} is not a whole number of its emissions")
        if node.kind == "update":
            updates[node.of] = updates.get(node.of, 0) + 1
    held = [index for index, node in enumerate(dataflow.nodes) if node.has_crossbars]
    wrong = [index for index in sorted({*held, *updates}) if updates.get(index) != 1 or index not in held]
    if wrong:
        name = dataflow.nodes[wrong[0]].name
        raise ValueError(f"{name}: {updates.get(wrong[0], 0)} updates of its crossbars instead of one")


def _check_edge(dataflow: Dataflow, index: int, edge: Edge) -> None:
    node, source = dataflow.nodes[index], dataflow.nodes[edge.source]
    if source.every * source.emits_every * edge.gathers != node.every * edge.shared:
        raise ValueError(f"{node.name}: the edge from {source.name} is not balanced")
    if edge.source >= index and not edge.initial:
        raise ValueError(f"{node.name}: the edge from {source.name} points forward")
    if edge.channels > source.channels:
        raise ValueError(f"{node.name}: takes {edge.channels} of {source.channels} channels of {source.name}")
    _check_matrix(node)


def _check_matrix(node: Node) -> None:
    if node.matrix is None:
        return
    taken = sum(edge.channels for edge in node.edges)
    if node.matrix.rows * node.matrix.groups != node.matrix.kernel_positions * taken:
        raise ValueError(f"{node.name}: {node.matrix.rows} rows do not suit {taken} channels")
