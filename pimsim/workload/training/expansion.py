"""From the Dataflow of one inference to that of training: forward, loss, backward, weight gradients, update.

The chain rule, node by node from the last to the first: a node's gradient is the sum of what its consumers send back; a
matrix sends back products with its transpose and makes the gradient of its weights from the inputs that were kept.
"""

from __future__ import annotations

from dataclasses import replace

from pimsim.errors import InputError
from pimsim.workload.dataflow import Dataflow, Node
from pimsim.workload.lowering import lower
from pimsim.workload.records import Workload
from pimsim.workload.spans import identity
from pimsim.workload.training import kernels
from pimsim.workload.training.checks import check_dataflow
from pimsim.workload.training.digital import backward, refuse_steps
from pimsim.workload.training.graph import Contribution, Graph, kind_for_vectors
from pimsim.workload.training.matrices import Weights, check_trainable
from pimsim.workload.training.normalization import TYPE, BatchNorms
from pimsim.workload.training.options import Training
from pimsim.workload.training.regions import values_read
from pimsim.workload.training.room import with_room

SGD_NOTE = "plain gradient descent: without GPU cores there is no memory for momentum"
BIAS_NOTE = "biases are updated with the weights beside them; their gradients are not counted"


def training_dataflow(workload: Workload, options: Training) -> Dataflow:
    """Lower a workload for training and expand it; raises as :func:`expand_training` and ``lower``."""
    return expand_training(lower(workload, True, options.lowered_norm), options)


def expand_training(dataflow: Dataflow, options: Training) -> Dataflow:
    """The Dataflow of training, from one that ``lower(workload, training=True)`` made.

    Forward nodes come first and in their order (a BatchNorm is preceded by its statistics and their combination), then
    the losses, the backward pass in reverse with the weight gradients where their inputs are ready, the optimiser and
    the updates.  Only the edges from updates to the crossbars that they write point forward; they have an emission at
    the start.

    Raises:
        InputError: a layer whose training is not built, nothing to train, BatchNorm without GPU cores or over one
            image, weight gradients on GPU cores of a chip that has none.
    """
    for index, node in enumerate(dataflow.nodes):
        check_trainable(node, index)
    if not any(node.kind == "mvm" for node in dataflow.nodes):
        raise InputError(f"nothing to train: {dataflow.name} has no weights in crossbars")
    graph = Graph(options)
    norms = BatchNorms(graph)
    forward = _forward(graph, norms, dataflow)
    if not options.cores and options.weight_gradient == "gpu":  # after the forward pass, whose refusals say more
        raise InputError("gpu needs GPU cores; this chip has none", key="weight_gradient", allowed="outer")
    weights = Weights(graph, dataflow.nodes)
    for index in forward:
        _loss(graph, index)
    for index in reversed(forward):
        if graph.trained[index]:
            _backward(graph, norms, weights, index)
    weights.update()
    notes = dict.fromkeys((*dataflow.notes, BIAS_NOTE, *(() if options.cores else (SGD_NOTE,))))
    expanded = Dataflow(dataflow.name, with_room(graph.nodes, options.batch), tuple(notes), options.batch)
    check_dataflow(expanded)
    return expanded


def _forward(graph: Graph, norms: BatchNorms, dataflow: Dataflow) -> list[int]:
    """Copy the nodes of the inference; returns the new index of each."""
    place: list[int] = []
    for node in dataflow.nodes:
        edges = tuple(replace(edge, source=place[edge.source]) for edge in node.edges)
        moved = replace(node, edges=edges)
        if node.type == TYPE and node.kind == "gpu":
            place.append(norms.forward(moved))
        else:
            place.append(graph.add(_kernel(graph, moved) if node.kind == "gpu" else moved))
        learns = node.kind == "mvm" or node.type == TYPE or node.parameters > 0
        graph.trained[place[-1]] = learns or any(graph.trained[edge.source] for edge in edges)
    return place


def _kernel(graph: Graph, node: Node) -> Node:
    """A normalisation of one image: a kernel on a GPU core, or the work of the vector unit on a chip without."""
    if kind_for_vectors(graph.options) == "digital":
        return replace(node, kind="digital")
    values = sum(node.actions.values()) * node.windows
    moved = node.positions * node.channels + sum(values_read(edge) for edge in node.edges)
    return replace(node, actions={}, flops=values, memory_values=moved)


def _loss(graph: Graph, index: int) -> None:
    """Softmax cross-entropy of an output, and its gradient."""
    node = graph.nodes[index]
    if not node.is_output or not graph.trained[index]:
        return
    graph.nodes[index] = replace(node, is_output=False)
    values, grid = node.positions * node.channels, node.output_grid
    name, edge = f"{node.name}/loss", graph.all_of(index, grid)
    if graph.options.cores:
        loss = graph.kernel(name, "Loss", grid, node.channels, [edge], kernels.LOSS * values, memory_values=3 * values,
                            phase="backward")  # fmt: skip
    else:
        actions = {"sigmoid": node.channels, "vector": (kernels.LOSS - 1) * node.channels}  # one is the exponential
        loss = graph.add(Node(name, "digital", "Loss", grid, node.channels, (edge,), None, actions, phase="backward"))
    graph.sent_back(index, Contribution(loss, node.channels, identity(grid[0]), identity(grid[1])))


def _backward(graph: Graph, norms: BatchNorms, weights: Weights, index: int) -> None:
    """What one node of the forward pass adds to the backward pass."""
    node = graph.nodes[index]
    refuse_steps(node)
    delta = graph.gradient(index)
    if node.kind == "mvm":
        weights.backward(index, delta)
    elif index in norms.combined:
        norms.backward(index, delta)
    else:
        backward(graph, index, delta)
