"""Operations without a matrix, in numpy: fast ones here, all others by ONNX's reference implementation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from pimsim.errors import InputError
from pimsim.functional.network.windows import counted, pooled
from pimsim.workload.onnx_import import attribute_values
from pimsim.workload.operations.windows import sliding

Arrays = Sequence["np.ndarray | None"]
Evaluate = Callable[[Arrays], list[np.ndarray]]
NEWER = {"QuantizeLinear": 19, "DequantizeLinear": 19}
"""Operations that the reference has from an opset on whose operation does what the earlier ones do."""
WITH_GRAPHS = frozenset(("If", "Loop", "Scan", "SequenceMap"))


def evaluator(node: onnx.NodeProto, opsets: Sequence[onnx.OperatorSetIdProto], name: str) -> Evaluate:
    """What computes the outputs of a node from its inputs (None where an optional one is absent).

    Raises:
        InputError: nobody here can evaluate such an operation.
    """
    attributes = attribute_values(node)
    own = OWN.get(node.op_type)
    wanted = sum(1 for output in node.output if output)
    if own is not None and wanted == 1 and node.domain in ("", "ai.onnx"):
        return lambda inputs: [own(inputs, attributes)]
    if node.op_type in WITH_GRAPHS:
        raise _refused(node, name)
    return _reference(node, opsets, name)


def _reference(node: onnx.NodeProto, opsets: Sequence[onnx.OperatorSetIdProto], name: str) -> Evaluate:
    names = [each for each in dict.fromkeys(node.input) if each]
    values = [helper.make_tensor_value_info(each, TensorProto.FLOAT, None) for each in names]
    outputs = [each for each in node.output if each]
    results = [helper.make_tensor_value_info(each, TensorProto.FLOAT, None) for each in outputs]
    graph = helper.make_graph([node], "node", values, results)
    if node.op_type in NEWER:
        opsets = [helper.make_opsetid("", max(NEWER[node.op_type], *(each.version for each in opsets)))]
    try:
        session = ReferenceEvaluator(helper.make_model(graph, opset_imports=opsets))
    except Exception:  # RuntimeContextError, NotImplementedError, KeyError: whatever the operation lacks
        raise _refused(node, name) from None

    def run(inputs: Arrays) -> list[np.ndarray]:
        given = {each: value for each, value in zip(node.input, inputs, strict=True) if each}
        found = iter(session.run(None, given))
        return [next(found) if each else np.empty(0) for each in node.output]

    return run


def _refused(node: onnx.NodeProto, name: str) -> InputError:
    return InputError(f"node '{name}': infer cannot evaluate the operation {node.op_type}")


def _given(inputs: Arrays, at: int) -> np.ndarray:
    value = inputs[at]
    assert value is not None
    return value


def _relu(inputs: Arrays, _attributes: Mapping[str, Any]) -> np.ndarray:
    return np.maximum(_given(inputs, 0), 0)


def _max_pool(inputs: Arrays, attributes: Mapping[str, Any]) -> np.ndarray:
    maps = _given(inputs, 0)
    dimensions = sliding(maps.shape, attributes["kernel_shape"], attributes)
    lowest = -np.inf if maps.dtype.kind == "f" else np.iinfo(maps.dtype).min
    return pooled(maps, dimensions, lowest, np.maximum)


def _average_pool(inputs: Arrays, attributes: Mapping[str, Any]) -> np.ndarray:
    maps = _given(inputs, 0)
    dimensions = sliding(maps.shape, attributes["kernel_shape"], attributes)
    values = counted(dimensions, bool(attributes.get("count_include_pad")))
    return pooled(maps, dimensions, 0, np.add) / values.astype(maps.dtype)


def _global_average(inputs: Arrays, _attributes: Mapping[str, Any]) -> np.ndarray:
    maps = _given(inputs, 0)
    return maps.mean(axis=tuple(range(2, maps.ndim)), keepdims=True)


def _batch_norm(inputs: Arrays, attributes: Mapping[str, Any]) -> np.ndarray:
    """With the stored statistics, whatever the opset (ONNX's reference trains below opset 14)."""
    maps = _given(inputs, 0)
    factor, shift = batch_norm_factors([_given(inputs, at) for at in range(1, 5)], attributes)
    along = (1, -1) + (1,) * (maps.ndim - 2)
    return maps * factor.reshape(along).astype(maps.dtype) + shift.reshape(along).astype(maps.dtype)


def batch_norm_factors(
    parameters: Sequence[np.ndarray], attributes: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """((C,), (C,)) factor and summand a channel, of scale, bias, mean and variance."""
    scale, bias, mean, variance = (each.astype(np.float64) for each in parameters)
    factor = scale / np.sqrt(variance + float(attributes.get("epsilon", 1e-5)))
    return factor, bias - mean * factor


def _erf(inputs: Arrays, _attributes: Mapping[str, Any]) -> np.ndarray:
    """Abramowitz and Stegun, 7.1.26: an absolute error of at most 1.5e-7, about float32's."""
    values = _given(inputs, 0).astype(np.float64)
    t = 1 / (1 + 0.3275911 * np.abs(values))
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return (np.sign(values) * (1 - series * np.exp(-values * values))).astype(_given(inputs, 0).dtype)


OWN: dict[str, Callable[[Arrays, Mapping[str, Any]], np.ndarray]] = {
    "Relu": _relu,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average,
    "BatchNormalization": _batch_norm,
    "Dropout": lambda inputs, _: _given(inputs, 0),
    "Identity": lambda inputs, _: _given(inputs, 0),
    "Erf": _erf,
}
"""Operations that the reference does slowly, value by value, or for training."""
