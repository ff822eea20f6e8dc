"""Timing and values from one Program: shipped networks execute the windows that the engine counts, layer by layer."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pimsim.functional.network.executor import Executor
from pimsim.functional.network.graph import build_network
from pimsim.functional.network.layers import Matrix
from pimsim.functional.network.weights import read_with_weights
from pimsim.workload import Workload, load_workload
from pimsim.workload.catalogue import shipped
from pimsim.workload.lowering import lower
from pimsim.workload.onnx_import import import_model
from tests.unit.inference_networks import images_for
from tests.unit.onnx_models import Graph

#: shipped tables of layers, with images small enough to be quick; not those whose layers ONNX does not know
SIZES = {
    "alexnet": (1, 3, 67, 67), "lenet5": (1, 1, 32, 32), "mnist-mlp": (1, 784), "mobilenetv2": (1, 3, 40, 40),
    "resnet18": (1, 3, 40, 40), "resnet50": (1, 3, 40, 40), "vgg11": (1, 3, 32, 32),
}  # fmt: skip


class Counted:
    """Products of zeros; remembers which vectors it has met."""

    def __init__(self, matrix: Matrix) -> None:
        self.outputs = matrix.weights.shape[0] * matrix.weights.shape[2]
        self.inputs = matrix.weights.shape[0] * matrix.weights.shape[1]
        self.seen: Counter[int] = Counter()

    def prepare(self, values: np.ndarray) -> np.ndarray:
        return values

    def multiply(self, vectors: np.ndarray, first_vector: int, stride: int = 1) -> np.ndarray:
        assert vectors.shape[1] == self.inputs
        self.seen.update(range(first_vector, first_vector + stride * len(vectors), stride))
        return np.zeros((len(vectors), self.outputs), np.float32)


def with_weights(workload: Workload) -> onnx.ModelProto:
    """A table of layers as an ONNX model, all weights zero, variances one."""
    nodes = []
    for each in workload.operations:
        kept = {key: value for key, value in each.attributes.items() if value is not None}
        limits = [kept.pop(key) for key in ("min", "max") if each.type == "Clip" and key in kept]
        names = [f"{each.name}/limit{at}" for at in range(len(limits))]
        nodes += [helper.make_node("Constant", [], [name], value_float=limit)
                  for name, limit in zip(names, limits, strict=True)]  # fmt: skip
        nodes.append(helper.make_node(each.type, [*each.inputs, *names], each.outputs, each.name, **kept))
    weights = [numpy_helper.from_array(np.zeros(tensor.shape, np.float32), name)
               for name, tensor in workload.tensors.items() if tensor.constant]  # fmt: skip
    inputs, outputs = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, workload.shape(name)) for name in names]
        for names in (workload.inputs, workload.outputs)
    )
    graph = helper.make_graph(nodes, workload.name, inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


@pytest.mark.parametrize("name", SIZES)
def test_a_network_executes_every_window_of_its_program_once(name: str) -> None:
    plain = load_workload(name)
    model = with_weights(load_workload(name, {plain.inputs[0]: SIZES[name]}))
    workload = import_model(model)
    dataflow = lower(workload)
    network = build_network(model, workload, dataflow)
    counted = [[Counted(matrix) for matrix in step.matrix.matrices] for step in network.matrix_steps if step.matrix]
    Executor(network).alone(np.zeros((2, *SIZES[name][1:]), np.float32), counted, first_image=3)
    nodes = {node.name: node for node in dataflow.nodes if node.kind == "mvm"}
    matrices = [matrix for step in network.matrix_steps if step.matrix for matrix in step.matrix.matrices]
    assert {matrix.name for matrix in matrices} == set(nodes)
    for matrix, products in zip(matrices, [each for step in counted for each in step], strict=True):
        node = nodes[matrix.name]
        assert node.matrix is not None
        assert matrix.weights.shape == (node.matrix.groups, node.matrix.rows, node.matrix.columns)
        assert products.seen == Counter(range(3 * node.windows, 5 * node.windows))


def test_vectors_behind_a_recurrent_layer_are_numbered_image_by_image() -> None:
    """Steps come before images in an LSTM's outputs; a vector's number must not depend on who else is in its batch."""
    g = Graph(17)
    steps = g("Transpose", g.input("x", ["N", 6, 5]), perm=[1, 0, 2])
    states, _ = g("RNN", steps, g.weight(1, 4, 5), g.weight(1, 4, 4), outputs=2, hidden_size=4)
    model = g.model(g("Transpose", g("MatMul", g("Squeeze", states, g.ints(1)), g.weight(4, 3)), perm=[1, 0, 2]))
    workload = import_model(model)
    network = build_network(model, workload, lower(workload))
    found = []

    class Numbered(Counted):
        def multiply(self, vectors: np.ndarray, first_vector: int, stride: int = 1) -> np.ndarray:
            numbers = range(first_vector, first_vector + stride * len(vectors), stride)
            found.extend(zip(numbers, vectors.sum(axis=1), strict=True))
            return super().multiply(vectors, first_vector, stride)

    executor = Executor(network)
    products = [executor.floating[0], [Numbered(network.matrix_steps[1].matrix.matrices[0])]]  # type: ignore[union-attr]
    images = images_for((3, 6, 5))
    executor.alone(images, products, first_image=10)
    together = dict(found)
    found.clear()
    for at in range(3):
        executor.alone(images[at : at + 1], products, first_image=10 + at)
    assert sorted(together) == list(range(60, 78))
    assert {number: pytest.approx(total, rel=1e-4, abs=1e-6) for number, total in found} == together


def test_a_recurrent_layer_executes_every_step_of_every_image() -> None:
    model = read_with_weights(shipped()["lstm-digits"])
    workload = import_model(model)
    dataflow = lower(workload)
    network = build_network(model, workload, dataflow)
    counted = [[Counted(matrix) for matrix in step.matrix.matrices] for step in network.matrix_steps if step.matrix]
    shape = tuple(size for at, size in enumerate(network.input_shape) if at != network.batch_axis)
    Executor(network).alone(np.zeros((2, *shape), np.float32), counted, first_image=3)
    windows = {node.name: node.windows for node in dataflow.nodes}
    steps = windows["lstm"]
    assert counted[0][0].seen == Counter(range(3 * steps, 5 * steps))
