"""An ONNX file with the values of its weights."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import external_data_helper, inliner, numpy_helper

from pimsim.errors import InputError
from pimsim.workload.onnx_import import read_model

WITH_WEIGHTS = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN"))
NEEDS_WEIGHTS = "infer needs the network's weights (run does without)"


def read_with_weights(path: str | Path) -> onnx.ModelProto:
    """The model with its external data, its functions inlined.

    Raises:
        InputError: the file cannot be read, or its weights are neither in it nor beside it, or inputs.
    """
    model = read_model(path)
    for tensor in model.graph.initializer:
        if external_data_helper.uses_external_data(tensor):
            _read_external(tensor, path)
    model = inliner.inline_local_functions(model) if model.functions else model
    _check_weights_have_values(model.graph, path)
    return model


def _check_weights_have_values(graph: onnx.GraphProto, path: str | Path) -> None:
    """Weights may be declared as inputs of the network, for whoever runs it to hand in."""
    inputs = {each.name for each in graph.input} - {each.name for each in graph.initializer}
    operands = (each for node in graph.node if node.op_type in WITH_WEIGHTS for each in node.input[1:3])
    empty = next((each for each in operands if each in inputs), None)
    if empty is not None and len(inputs) > 1:
        raise InputError(f"'{empty}' is an input of the network, without values; {NEEDS_WEIGHTS}", file=path)


def _read_external(tensor: onnx.TensorProto, path: str | Path) -> None:
    try:
        external_data_helper.load_external_data_for_tensor(tensor, str(Path(path).parent))
    except Exception as error:  # onnx raises its checker's ValidationError, OSError or ValueError, as it sees fit
        where = next((each.value for each in tensor.external_data if each.key == "location"), "?")
        what = f"the values of '{tensor.name}' are in '{where}', which cannot be read ({type(error).__name__})"
        raise InputError(f"{what}; {NEEDS_WEIGHTS}", file=path) from None
    tensor.data_location = onnx.TensorProto.DEFAULT
    del tensor.external_data[:]


def tensor_values(tensors: Iterable[onnx.TensorProto], file: object = None) -> dict[str, np.ndarray]:
    """Values by name.

    Raises:
        InputError: a tensor has a shape but no values, or values that are not finite.
    """
    values = {}
    for tensor in tensors:
        try:
            value = numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError):
            what = f"'{tensor.name}' of shape {list(tensor.dims)} has no values; {NEEDS_WEIGHTS}"
            raise InputError(what, file=file) from None
        if value.dtype.kind == "f" and not np.all(np.isfinite(value)):
            n = int(np.count_nonzero(~np.isfinite(value)))
            raise InputError(f"{n:,} of the {value.size:,} values of '{tensor.name}' are NaN or infinite", file=file)
        values[tensor.name] = value
    return values
