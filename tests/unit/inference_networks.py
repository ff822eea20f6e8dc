"""Small networks with weights, and what a network does in ONNX's reference implementation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from pimsim.functional.network.executor import Executor
from pimsim.functional.network.graph import Network, build_network
from pimsim.workload.dataflow import Dataflow
from pimsim.workload.lowering import lower
from pimsim.workload.onnx_import import import_model
from tests.unit.onnx_models import Graph


def built(model: onnx.ModelProto) -> tuple[Network, Dataflow]:
    """The steps of a model, and the nodes that a Program would hold."""
    workload = import_model(model)
    dataflow = lower(workload)
    return build_network(model, workload, dataflow), dataflow


def in_float(model: onnx.ModelProto, images: np.ndarray) -> np.ndarray:
    """What the executor computes in floating point."""
    return Executor(built(model)[0]).floats(images)


def by_reference(model: onnx.ModelProto, images: np.ndarray) -> np.ndarray:
    """What ONNX's reference implementation computes."""
    name = next(each.name for each in model.graph.input)
    result: np.ndarray = ReferenceEvaluator(model).run(None, {name: images})[0]
    return result


def small_cnn(batch: int | str = "N", channels: int = 2) -> onnx.ModelProto:
    """Convolution with BatchNorm, depthwise, pool, dense: an input of 8x8, four classes."""
    g = Graph(17)
    x = g("Conv", g.input("x", [batch, channels, 8, 8]), g.weight(6, channels, 3, 3), g.weight(6), pads=[1] * 4)
    x = g("Relu", g("BatchNormalization", x, *(g.weight(6) for _ in range(4))))
    x = g("Relu", g("Conv", x, g.weight(6, 1, 3, 3), group=6, strides=[2, 2], pads=[1] * 4))
    x = g("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = g("Gemm", g("Flatten", x), g.weight(4, 24), g.weight(4), transB=1)
    return g.model(x)


def saved(model: onnx.ModelProto, path: Path) -> str:
    """The file of a model, and its name."""
    model.ir_version = 8
    onnx.save(model, str(path))
    return str(path)


def images_for(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Normal values in float32."""
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)
