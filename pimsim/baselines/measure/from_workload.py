"""An ONNX file from a network without weights: with random ones, of the right shapes, for times alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pimsim.errors import InputError
from pimsim.version import __version__
from pimsim.workload.operations.registry import TABLE
from pimsim.workload.records import Operation, Workload

OPSET = 20  #: the first with Gelu
IR_VERSION = 9  #: of the onnx release that brought it, 1.15
_INPUTS = {"Clip": {1: "min", 2: "max"}}
"""Inputs of ONNX that workloads from YAML have as attributes, beside those that the table of operations knows."""


def write_onnx(workload: Workload, path: Path, batch: int, seed: int = 1) -> None:
    """Save a network as ONNX with random float32 weights and a given batch.

    Raises:
        InputError: an operation is not one of ONNX's, or protobuf cannot hold so many weights.
    """
    import onnx
    from onnx import TensorProto, helper

    random = np.random.default_rng(seed)
    constants = {name: _weights(random, each.shape) for name, each in workload.tensors.items() if each.constant}
    nodes = []
    for operation in workload.operations:
        node, settings = _node(operation, constants)
        nodes.append(node)
        constants |= settings
    used = {name for node in nodes for name in node.input}
    values = {}
    for names in (workload.inputs, workload.outputs):
        for name in names:
            tensor = workload.tensors[name]
            kind = TensorProto.INT64 if tensor.integer else TensorProto.FLOAT
            values[name] = helper.make_tensor_value_info(name, kind, (batch, *tensor.shape[1:]))
    graph = helper.make_graph(
        nodes, workload.name, [values[name] for name in workload.inputs], [values[name] for name in workload.outputs],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items() if name in used],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="pimsim",
                              producer_version=__version__, ir_version=IR_VERSION)  # fmt: skip
    try:
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, str(path))
    except onnx.checker.ValidationError as error:
        raise InputError(f"{workload.name} cannot be written as ONNX: {error}") from None
    except ValueError:
        raise InputError(f"{workload.name} has {workload.parameters:,} weights: an ONNX file of one part holds 2 GiB",
                         allowed="an ONNX file with external data") from None  # fmt: skip


def _weights(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Small and positive: variances of BatchNorm among them, and nothing may overflow or become denormal."""
    return (0.5 + random.random(shape, np.float32) / 2) / np.float32(max(1, int(np.prod(shape[1:]))))


def _node(operation: Operation, known: Mapping[str, np.ndarray]) -> tuple[Any, dict[str, np.ndarray]]:
    """The ONNX node, and inputs that ONNX has where pimsim has attributes."""
    from onnx import defs, helper

    if operation.type == "Embedding":  # the same, with the table first
        table = operation.inputs[::-1]
        return helper.make_node("Gather", table, list(operation.outputs), name=operation.name, axis=0), {}
    if not defs.has(operation.type, OPSET):
        raise InputError(f"{operation.type} ('{operation.name}') is not an operator of ONNX", allowed="an ONNX file")
    inputs, attributes, settings = list(operation.inputs), dict(operation.attributes), {}
    row = TABLE[operation.type]
    for at, key in {**row.settings, **_INPUTS.get(operation.type, {})}.items():
        value = attributes.pop(key, None)
        if value is None:
            continue
        inputs += [""] * (at + 1 - len(inputs))
        inputs[at] = f"{operation.name}.{key}"
        if key == "shape":
            value = [0, *value[1:]]  # the batch is what it is, not the 1 of a workload
        whole = isinstance(value, list | tuple) or key in ("shape", "axes")
        settings[inputs[at]] = np.array(value, np.int64 if whole else np.float32)
    kept = {key: value for key, value in attributes.items() if value is not None}
    return helper.make_node(operation.type, inputs, list(operation.outputs), name=operation.name, **kept), settings
