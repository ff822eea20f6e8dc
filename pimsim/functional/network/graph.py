"""A network as steps on arrays: its matrices apart from everything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from pimsim.errors import InputError
from pimsim.functional.network.digital import Evaluate, evaluator
from pimsim.functional.network.folding import fold
from pimsim.functional.network.layers import MatrixStep, convolution, gemm, matmul
from pimsim.functional.network.recurrent import GATES, recurrent
from pimsim.functional.network.transposed import transposed_convolution
from pimsim.functional.network.weights import tensor_values
from pimsim.workload.dataflow import Dataflow
from pimsim.workload.onnx_import import attribute_values, needed_nodes
from pimsim.workload.records import Workload

MATRICES = ("Conv", "ConvTranspose", "Gemm", "MatMul", *GATES)
"""Operations whose constant weights infer puts on crossbars."""


@dataclass(frozen=True)
class Step:
    """One operation: either a matrix step or an evaluation in numpy."""

    name: str
    inputs: tuple[str, ...]  #: tensors; '' where an optional input is absent
    outputs: tuple[str, ...]
    matrix: MatrixStep | None = None
    evaluate: Evaluate | None = None


@dataclass(frozen=True)
class Network:
    """A network of one input with the values of its weights."""

    name: str
    input: str
    dtype: np.dtype  #: of the input
    input_shape: tuple[int, ...]  #: of one image, a batch of 1 included
    batch_axis: int  #: of the input
    output: str
    scores: str  #: the tensor whose largest value decides: the output, or what Softmax and the like make it from
    constants: Mapping[str, np.ndarray]
    steps: tuple[Step, ...]
    ends_in_sigmoid: bool
    notes: tuple[str, ...]

    @property
    def matrix_steps(self) -> tuple[Step, ...]:
        """Steps that are matrices, in the order of execution."""
        return tuple(step for step in self.steps if step.matrix is not None)


def build_network(model: onnx.ModelProto, workload: Workload, dataflow: Dataflow) -> Network:
    """The steps of a model that was imported as ``workload`` and lowered to ``dataflow``.

    Raises:
        InputError: weights are missing or not finite, there are several inputs, or an operation cannot be evaluated.
    """
    return _Build(model, workload, dataflow).run()


class _Build:
    """State of one build."""

    def __init__(self, model: onnx.ModelProto, workload: Workload, dataflow: Dataflow) -> None:
        self.model, self.workload = model, workload
        self.constants = tensor_values(model.graph.initializer)
        self.names = {output: each.name for each in workload.operations for output in each.outputs if output}
        self.on_crossbars = {node.name for node in dataflow.nodes if node.kind == "mvm"}
        self.steps: list[Step] = []

    def run(self) -> Network:
        nodes, _ = needed_nodes(self.model.graph.node, [output.name for output in self.model.graph.output])
        for node in nodes:
            self._node(node)
        self._check_all_are_here()
        output = self.workload.outputs[0]
        steps = fold(self.steps, self.constants, self.workload, output)
        notes = [f"of {len(self.workload.outputs)} outputs, decisions come from the first, '{output}'"]
        last = next((node for node in nodes if output in node.output), None)
        return Network(
            self.workload.name, *self._input(), output, _scores(output, nodes), self.constants, steps,
            last is not None and last.op_type == "Sigmoid", tuple(notes if len(self.workload.outputs) > 1 else ()),
        )  # fmt: skip

    def _input(self) -> tuple[str, np.dtype, tuple[int, ...], int]:
        if len(self.workload.inputs) != 1:
            names = ", ".join(self.workload.inputs)
            raise InputError(f"infer needs a network of one input, this one has {len(self.workload.inputs)}: {names}")
        name = self.workload.inputs[0]
        value = next(each for each in self.model.graph.input if each.name == name)
        dims = value.type.tensor_type.shape.dim
        free = [at for at, dim in enumerate(dims) if not dim.HasField("dim_value")]
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
        if dtype.kind != "f":
            raise InputError(f"infer needs a network of images, the input '{name}' of this one holds {dtype} numbers")
        return name, dtype, self.workload.shape(name), free[0] if len(free) == 1 else 0

    def _node(self, node: onnx.NodeProto) -> None:
        name = next((self.names[each] for each in node.output if each in self.names), node.name or node.op_type)
        if node.op_type == "Constant":
            self.constants.update(_constant(node))
            return
        matrix = self._matrix(node, name)
        inputs, outputs = tuple(node.input), tuple(node.output)
        if matrix is not None:
            self.steps.append(Step(name, inputs, outputs, matrix))
            return
        run = evaluator(node, self.model.opset_import, name)
        if all(each in self.constants for each in inputs if each) and node.op_type not in ("Shape", "Size"):
            results = run([self.constants.get(each) for each in inputs])
            self.constants.update({each: value for each, value in zip(outputs, results, strict=True) if each})
            return
        self.steps.append(Step(name, inputs, outputs, evaluate=run))

    def _matrix(self, node: onnx.NodeProto, name: str) -> MatrixStep | None:
        """The node's matrices, if the Program holds them."""
        names = {name, f"{name}/forward", f"{name}/backward"}
        if not names & self.on_crossbars:
            return None
        if node.op_type not in MATRICES:
            raise InputError(f"node '{name}': infer cannot evaluate the operation {node.op_type}",
                             allowed=f"on crossbars: {', '.join(MATRICES)}")  # fmt: skip
        values = [self.constants.get(each) if each else None for each in node.input]
        attributes = attribute_values(node)
        if node.op_type in GATES:
            self._check_constant(node, name, (1, 2, 3, 7))
            return recurrent(node.op_type, name, [*values[:4], self._lengths(node), *values[5:]], attributes)
        if node.op_type == "MatMul":
            return self._product(node, name, values)
        self._check_constant(node, name, (1, 2))
        weights, bias = values[1], values[2] if len(values) > 2 else None
        assert weights is not None
        if node.op_type == "Gemm":
            return gemm(name, weights, bias, attributes, len(self.workload.shape(node.input[0])))
        if node.op_type == "ConvTranspose":
            return transposed_convolution(name, weights, bias, attributes)
        return convolution(name, weights, bias, attributes)

    def _lengths(self, node: onnx.NodeProto) -> np.ndarray | None:
        return np.empty(0) if len(node.input) > 4 and node.input[4] else None

    def _product(self, node: onnx.NodeProto, name: str, values: Sequence[np.ndarray | None]) -> MatrixStep:
        left = values[1] is None
        weights = values[0] if left else values[1]
        if weights is None or weights.ndim > 2:
            raise InputError(f"node '{name}': infer cannot evaluate MatMul with a stack of constant matrices")
        return matmul(name, weights, left, self.workload.shape(node.input[1 if left else 0]))

    def _check_constant(self, node: onnx.NodeProto, name: str, at: Sequence[int]) -> None:
        for each in at:
            if each < len(node.input) and node.input[each] and node.input[each] not in self.constants:
                what = f"'{node.input[each]}' is computed from the input; infer needs constant weights and biases"
                raise InputError(f"node '{name}': {what}")

    def _check_all_are_here(self) -> None:
        """Every matrix of the Program is executed; an If or Loop could hide one."""
        found = {each.name for step in self.steps if step.matrix for each in step.matrix.matrices}
        missing = sorted(self.on_crossbars - found)
        if missing:
            raise InputError(f"infer does not find the weights of '{missing[0]}'")


def _scores(output: str, nodes: Sequence[onnx.NodeProto]) -> str:
    """Back over operations that leave the order of values as it is."""
    makers = {each: node for node in nodes for each in node.output}
    while output in makers and makers[output].op_type in ("Softmax", "LogSoftmax", "Sigmoid", "Identity"):
        output = makers[output].input[0]
    return output


def _constant(node: onnx.NodeProto) -> dict[str, np.ndarray]:
    value = onnx.helper.get_attribute_value(node.attribute[0])
    if isinstance(value, onnx.TensorProto):
        named = onnx.TensorProto()
        named.CopyFrom(value)
        named.name = node.output[0]
        return tensor_values([named])
    array = np.asarray(value)
    return {node.output[0]: array.astype(np.float32) if array.dtype == np.float64 else array}
