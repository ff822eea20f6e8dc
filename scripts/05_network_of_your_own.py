"""A network of your own: an ONNX file, as any framework exports it (weights may be left out).

    python scripts/05_network_of_your_own.py
"""

import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import pimsim


def residual_network() -> onnx.ModelProto:
    """Two convolutions with a skip connection, then global pooling and a classifier."""
    weights = [
        numpy_helper.from_array(np.zeros(shape, np.float32), name)
        for name, shape in (("w1", (32, 3, 3, 3)), ("w2", (32, 32, 3, 3)), ("w3", (10, 32)), ("b3", (10,)))
    ]
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["c1"], "first", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], "second", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["r1", "c2"], ["sum"], "skip"),
        helper.make_node("GlobalAveragePool", ["sum"], ["mean"], "mean"),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w3", "b3"], ["scores"], "classifier", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "residual",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 32, 32])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 10])],
        weights,
    )
    return helper.make_model(graph)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "residual.onnx"
        onnx.save(residual_network(), file)
        print(pimsim.simulate(file, "isaac-ce", batch=8))


if __name__ == "__main__":
    main()
