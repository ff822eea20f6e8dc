"""Networks of published shapes with random weights, for benchmarks that do not depend on what weights say."""

from __future__ import annotations

import numpy as np
import onnx

from scripts.onnx_graph import OnnxGraph

CLASSES = 10
BLOCKS = 3  #: residual blocks in a stage: 6 n + 2 = 20 layers with n = 3


def resnet20(seed: int = 0) -> onnx.ModelProto:
    """ResNet-20 for CIFAR-10 (He et al., CVPR 2016, section 4.2): input ``image`` (N, 3, 32, 32), output (N, 10).

    The shortcut of a stage's first block is a 1x1 convolution with stride 2 (the paper's option B), which has 21
    convolutions instead of the 19 of its option A.  Convolutions have normal weights of variance 2 / fan-in
    (He et al., ICCV 2015, equation 10), batch normalisations the statistics of a network before training (mean 0,
    variance 1): they change nothing, and values grow with every residual addition, to about 20 at the end.
    """
    writer = _Writer(seed)
    values = writer.conv_bn_relu("image", "conv1", 3, 16)
    inputs = 16
    for stage, outputs in enumerate((16, 32, 64), 1):
        for block in range(1, BLOCKS + 1):
            values = writer.block(values, f"stage{stage}_block{block}", inputs, outputs)
            inputs = outputs
    graph = writer.graph
    flat = graph.flatten(graph.add("GlobalAveragePool", [values], "mean"))
    weight = writer.normal((CLASSES, inputs), 1 / inputs)
    return graph.model(graph.gemm(flat, "scores", weight, np.zeros(CLASSES)), CLASSES)


class _Writer:
    """Nodes with random weights."""

    def __init__(self, seed: int) -> None:
        self.graph, self.random = OnnxGraph("resnet20", (3, 32, 32)), np.random.default_rng(seed)

    def normal(self, shape: tuple[int, ...], variance: float) -> np.ndarray:
        return self.random.normal(0, variance**0.5, shape).astype(np.float32)

    def conv_bn(self, source: str, name: str, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> str:
        weight = self.normal((outputs, inputs, kernel, kernel), 2 / (inputs * kernel**2))
        values = self.graph.conv(source, name, weight, stride=stride, pad=kernel // 2)
        statistics = {"scale": np.ones(outputs), "shift": np.zeros(outputs)}
        statistics |= {"mean": np.zeros(outputs), "variance": np.ones(outputs)}
        return self.graph.batch_norm(values, f"{name}_bn", statistics, epsilon=1e-5)

    def conv_bn_relu(self, source: str, name: str, inputs: int, outputs: int, stride: int = 1) -> str:
        return self.graph.relu(self.conv_bn(source, name, inputs, outputs, stride=stride), f"{name}_relu")

    def block(self, source: str, name: str, inputs: int, outputs: int) -> str:
        stride = 1 if inputs == outputs else 2
        values = self.conv_bn_relu(source, f"{name}_conv1", inputs, outputs, stride)
        values = self.conv_bn(values, f"{name}_conv2", outputs, outputs)
        kept = source
        if stride != 1:
            kept = self.conv_bn(source, f"{name}_shortcut", inputs, outputs, kernel=1, stride=stride)
        return self.graph.relu(self.graph.add("Add", [values, kept], f"{name}_add"), f"{name}_relu")
