"""Writes an ONNX network with its weights, node by node, under readable names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8  #: of the onnx release that brought opset 17, 1.12; later readers read it too


class OnnxGraph:
    """Collects nodes and float32 weights; a method adds one node and returns the name of its result.

    The input is ``image`` (N, C, H, W) with a free batch N.
    """

    def __init__(self, name: str, image: Sequence[int]) -> None:
        self.name, self.image = name, tuple(image)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def conv(
        self, source: str, name: str, weight: np.ndarray, bias: np.ndarray | None = None, stride: int = 1, pad: int = 0
    ) -> str:
        """Convolution; ``weight`` (out, in, kernel, kernel)."""
        inputs = [source, self._weight(f"{name}.weight", weight)]
        if bias is not None:
            inputs.append(self._weight(f"{name}.bias", bias))
        kernel = list(weight.shape[2:])
        return self.add("Conv", inputs, name, kernel_shape=kernel, strides=[stride] * 2, pads=[pad] * 4)

    def batch_norm(self, source: str, name: str, values: Mapping[str, np.ndarray], epsilon: float) -> str:
        """Batch normalisation; ``values``: scale, shift, mean, variance, each (channels,)."""
        weights = [self._weight(f"{name}.{key}", values[key]) for key in ("scale", "shift", "mean", "variance")]
        return self.add("BatchNormalization", [source, *weights], name, epsilon=epsilon)

    def gemm(self, source: str, name: str, weight: np.ndarray, bias: np.ndarray) -> str:
        """Fully connected; ``weight`` (out, in)."""
        inputs = [source, self._weight(f"{name}.weight", weight), self._weight(f"{name}.bias", bias)]
        return self.add("Gemm", inputs, name, transB=1)

    def lstm(self, source: str, name: str, weight: np.ndarray, recurrent: np.ndarray, bias: np.ndarray) -> str:
        """Hidden state after the last step; ``source`` (T, N, D), result (1, N, H).

        Gates stand in ONNX's order, input, output, forget, cell: ``weight`` (4 H, D), ``recurrent`` (4 H, H),
        ``bias`` (4 H,), the sum of what ONNX keeps as two.
        """
        both = np.concatenate([bias, np.zeros_like(bias)])
        parts = {"weight": weight, "recurrent": recurrent, "bias": both}
        inputs = [source, *(self._weight(f"{name}.{key}", value[None]) for key, value in parts.items())]
        last = f"{name}_last"
        outputs = ["", last]
        self.nodes.append(helper.make_node("LSTM", inputs, outputs, name, hidden_size=recurrent.shape[1]))
        return last

    def relu(self, source: str, name: str) -> str:
        """max(0, x)."""
        return self.add("Relu", [source], name)

    def max_pool(self, source: str, name: str, kernel: int = 2) -> str:
        """Maximum of windows that do not overlap."""
        return self.add("MaxPool", [source], name, kernel_shape=[kernel] * 2, strides=[kernel] * 2)

    def flatten(self, source: str, name: str = "flatten") -> str:
        """(N, everything else)."""
        return self.add("Flatten", [source], name)

    def squeeze(self, source: str, name: str, axis: int) -> str:
        """Without an axis of length 1."""
        axes = numpy_helper.from_array(np.array([axis], np.int64), f"{name}.axes")
        self.constants.append(axes)
        return self.add("Squeeze", [source, axes.name], name)

    def add(self, operation: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Any node with one result, which is named as the node is."""
        self.nodes.append(helper.make_node(operation, list(inputs), [name], name, **attributes))
        return name

    def model(self, output: str, n_classes: int, facts: Mapping[str, str] | None = None) -> onnx.ModelProto:
        """The checked model; ``output`` (N, n_classes), ``facts`` go into its metadata."""
        graph = helper.make_graph(
            self.nodes,
            self.name,
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", *self.image])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", n_classes])],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="pimsim")
        model.ir_version = IR_VERSION
        helper.set_model_props(model, dict(facts or {}))
        onnx.checker.check_model(model, full_check=True)
        return model

    def _weight(self, name: str, values: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name
