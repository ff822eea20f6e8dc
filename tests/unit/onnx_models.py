"""Small ONNX models in the styles of the usual exporters, built node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


class Graph:
    """Collects nodes; weights are small random numbers."""

    def __init__(self, opset: int = 17) -> None:
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.count = 0
        self.random = np.random.default_rng(1)

    def input(self, name: str, shape: Sequence[int | str | None], kind: int = FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def weight(self, *shape: int, kind: type = np.float32) -> str:
        values = self.random.normal(0, 0.2, shape)
        return self.value((abs(values) if len(shape) == 1 else values).astype(kind))  # variances are not negative

    def value(self, value: Any, name: str | None = None) -> str:
        self.count += 1
        name = name or f"const{self.count}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def ints(self, *values: int) -> str:
        return self.value(np.array(values, np.int64))

    def __call__(self, type: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        self.count += 1
        names = [f"t{self.count}_{at}" for at in range(outputs)]
        self.nodes.append(helper.make_node(type, inputs, names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def model(self, *outputs: str) -> onnx.ModelProto:
        results = [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "g", self.inputs, results, self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])

    # blocks

    def linear(self, x: str, rows: int, columns: int) -> str:
        return self("Add", self("MatMul", x, self.weight(rows, columns)), self.weight(columns))

    def layer_norm(self, x: str, width: int) -> str:
        """As PyTorch wrote it before opset 17."""
        mean = self("ReduceMean", x, axes=[-1])
        centred = self("Sub", x, mean)
        variance = self("ReduceMean", self("Pow", centred, self.value(np.float32(2))), axes=[-1])
        deviation = self("Sqrt", self("Add", variance, self.value(np.float32(1e-5))))
        scaled = self("Div", centred, deviation)
        return self("Add", self("Mul", scaled, self.weight(width)), self.weight(width))

    def heads(self, x: str, n: int, width: int) -> str:
        """B x T x D to B x heads x T x D/heads with shapes read from the data, as PyTorch traces view()."""
        shape = self("Shape", x)
        batch = self("Unsqueeze", self("Gather", shape, self.value(np.int64(0)), axis=0), self.ints(0))
        steps = self("Unsqueeze", self("Gather", shape, self.value(np.int64(1)), axis=0), self.ints(0))
        wanted = self("Concat", batch, steps, self.ints(n), self.ints(width // n), axis=0)
        return self("Transpose", self("Reshape", x, wanted), perm=[0, 2, 1, 3])


def transformer_block(width: int = 64, heads: int = 4, steps: Any = "sequence") -> onnx.ModelProto:
    """Encoder block with dynamic batch and sequence, LayerNorm decomposed, GELU by Erf."""
    g = Graph(13)
    x = g.input("tokens", ["batch", steps, width])
    normed = g.layer_norm(x, width)
    q, k, v = (g.heads(g.linear(normed, width, width), heads, width) for _ in range(3))
    scores = g("Div", g("MatMul", q, g("Transpose", k, perm=[0, 1, 3, 2])), g.value(np.float32(4)))
    mixed = g("Transpose", g("MatMul", g("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
    shape = g("Shape", mixed)
    batch = g("Unsqueeze", g("Gather", shape, g.value(np.int64(0)), axis=0), g.ints(0))
    joined = g("Reshape", mixed, g("Concat", batch, g.ints(-1), g.ints(width), axis=0))
    x = g("Add", g.linear(joined, width, width), x)
    hidden = g.linear(g.layer_norm(x, width), width, 4 * width)
    erf = g("Erf", g("Div", hidden, g.value(np.float32(1.4142135))))
    gelu = g("Mul", g("Mul", hidden, g("Add", erf, g.value(np.float32(1)))), g.value(np.float32(0.5)))
    return g.model(g("Add", g.linear(gelu, 4 * width, width), x))


def speech_net() -> onnx.ModelProto:
    """Raw wave, strided 1-D convolutions, BatchNorm, recurrent layer, log-softmax."""
    g = Graph(15)
    x = g("Unsqueeze", g.input("wave", [1, "samples"]), g.ints(1))
    for channels, before, kernel, stride in ((16, 1, 10, 5), (32, 16, 3, 2)):
        x = g("Conv", x, g.weight(channels, before, kernel), strides=[stride], kernel_shape=[kernel])
        x = g("BatchNormalization", x, *(g.weight(channels) for _ in range(4)))
        x = g("Relu", x)
    x = g("Transpose", x, perm=[2, 0, 1])
    x, *_ = g("GRU", x, g.weight(1, 72, 32), g.weight(1, 72, 24), outputs=2, hidden_size=24)
    x = g("Squeeze", x, g.ints(1))
    return g.model(g("LogSoftmax", g.linear(x, 24, 30), axis=-1))


def mobile_net() -> onnx.ModelProto:
    """HardSwish in its decomposed and its whole form, depthwise, squeeze-and-excite."""
    g = Graph(14)
    x = g("Conv", g.input("image", ["N", 3, 32, 32]), g.weight(16, 3, 3, 3), strides=[2, 2], pads=[1] * 4)
    gate = g("Clip", g("Add", x, g.value(np.float32(3))), g.value(np.float32(0)), g.value(np.float32(6)))
    x = g("Div", g("Mul", x, gate), g.value(np.float32(6)))
    x = g("Conv", x, g.weight(16, 1, 3, 3), g.weight(16), group=16, pads=[1] * 4)
    s = g("Conv", g("GlobalAveragePool", x), g.weight(4, 16, 1, 1), g.weight(4))
    s = g("Conv", g("Relu", s), g.weight(16, 4, 1, 1), g.weight(16))
    x = g("Mul", x, g("HardSigmoid", s))
    x = g("HardSwish", g("Conv", x, g.weight(24, 16, 1, 1)))
    x = g("ReduceMean", x, axes=[2, 3], keepdims=0)
    return g.model(g("Gemm", x, g.weight(10, 24), g.weight(10), transB=1))


def detector_neck() -> onnx.ModelProto:
    """SiLU backbone, upsampling and concatenation, three outputs; head reshaped to anchors."""
    g = Graph(12)

    def block(x: str, before: int, after: int, stride: int) -> str:
        x = g("Conv", x, g.weight(after, before, 3, 3), g.weight(after), strides=[stride] * 2, pads=[1] * 4)
        return g("Mul", x, g("Sigmoid", x))

    c1 = block(g.input("images", [1, 3, "height", "width"]), 3, 16, 2)
    c2 = block(c1, 16, 32, 2)
    c3 = block(c2, 32, 64, 2)
    up = g("Resize", c3, "", g.value(np.array([1, 1, 2, 2], np.float32)), mode="nearest")
    left, right = g("Split", g("Concat", up, c2, axis=1), outputs=2, axis=1, split=[48, 48])
    p2 = block(
        g("Concat", left, g("MaxPool", right, kernel_shape=[5, 5], pads=[2] * 4, strides=[1, 1]), axis=1), 96, 32, 1
    )
    head = g("Conv", p2, g.weight(21, 32, 1, 1), g.weight(21))
    anchors = g("Transpose", g("Reshape", head, g.ints(1, 3, 7, 8, 8)), perm=[0, 1, 3, 4, 2])
    boxes, scores = g("Split", g("Sigmoid", anchors), outputs=2, axis=4, split=[4, 3])
    boxes = g("Reshape", g("Add", g("Mul", boxes, g.value(np.float32(2))), g.weight(1, 3, 8, 8, 4)), g.ints(1, -1, 4))
    scores = g("Reshape", scores, g.ints(1, -1, 3))
    return g.model(g("Concat", boxes, scores, axis=2), c3)


def crnn() -> onnx.ModelProto:
    """OCR: convolutions to height 1, then a bidirectional LSTM along the width."""
    g = Graph(11)
    x = g("Conv", g.input("line", ["N", 1, 8, 40]), g.weight(16, 1, 3, 3), pads=[1] * 4)
    x = g("MaxPool", g("Relu", x), kernel_shape=[2, 2], strides=[2, 2])
    x = g("Relu", g("Conv", x, g.weight(32, 16, 4, 3), pads=[0, 1, 0, 1]))
    x = g("Transpose", g("Squeeze", x, axes=[2]), perm=[2, 0, 1])
    x, *_ = g("LSTM", x, g.weight(2, 96, 32), g.weight(2, 96, 24), g.weight(2, 192), outputs=3,
              hidden_size=24, direction="bidirectional")  # fmt: skip
    x = g("Reshape", g("Transpose", x, perm=[0, 2, 1, 3]), g.ints(0, 0, -1))
    return g.model(g("Softmax", g.linear(x, 48, 37), axis=2))


def quantised_operators() -> onnx.ModelProto:
    """QLinearConv, QLinearAdd, QLinearMatMul between quantisation and dequantisation."""
    g = Graph(13)
    scale, zero = g.value(np.float32(0.1)), g.value(np.uint8(0))
    x = g("QuantizeLinear", g.input("image", [1, 3, 16, 16]), scale, zero)
    w = g.weight(8, 3, 3, 3, kind=np.int8)
    x = g(
        "QLinearConv",
        x,
        scale,
        zero,
        w,
        scale,
        g.value(np.int8(0)),
        scale,
        zero,
        g.weight(8, kind=np.int32),
        pads=[1] * 4,
    )
    w = g.weight(8, 8, 3, 3, kind=np.int8)
    y = g("QLinearConv", x, scale, zero, w, scale, g.value(np.int8(0)), scale, zero, pads=[1] * 4)
    x = g("QLinearAdd", x, scale, zero, y, scale, zero, scale, zero, domain="com.microsoft")
    x = g("Flatten", g("QLinearGlobalAveragePool", x, scale, zero, scale, zero, domain="com.microsoft"))
    x = g("QLinearMatMul", x, scale, zero, g.weight(8, 10, kind=np.int8), scale, g.value(np.int8(0)), scale, zero)
    return g.model(g("DequantizeLinear", x, scale, zero))


def quantised_pairs() -> onnx.ModelProto:
    """Float operators between QuantizeLinear/DequantizeLinear pairs; int8 weights dequantised."""
    g = Graph(13)
    scale, zero = g.value(np.float32(0.1)), g.value(np.int8(0))

    def pair(x: str) -> str:
        return g("DequantizeLinear", g("QuantizeLinear", x, scale, zero), scale, zero)

    x = pair(g.input("image", [1, 3, 16, 16]))
    w = g("DequantizeLinear", g.weight(8, 3, 3, 3, kind=np.int8), g.weight(8), g.weight(8, kind=np.int8), axis=0)
    b = g("DequantizeLinear", g.weight(8, kind=np.int32), g.weight(8))
    x = pair(g("Relu", g("Conv", x, w, b, pads=[1] * 4)))
    x = g("Flatten", pair(g("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])))
    w = g("Transpose", g("DequantizeLinear", g.weight(10, 512, kind=np.int8), scale, zero), perm=[1, 0])
    return g.model(g("Gemm", x, w, g.weight(10)))


def dynamically_quantised() -> onnx.ModelProto:
    """DynamicQuantizeLinear and MatMulInteger, as onnxruntime's quantiser writes a linear layer."""
    g = Graph(13)
    x = g.input("tokens", ["batch", 7, 16])
    q, scale, zero = g("DynamicQuantizeLinear", x, outputs=3)
    y = g("MatMulInteger", q, g.weight(16, 24, kind=np.int8), zero, g.value(np.int8(0)))
    y = g("Mul", g("Cast", y, to=FLOAT), g("Mul", scale, g.value(np.float32(0.1))))
    return g.model(g("Relu", g("Add", y, g.weight(24))))


def vision_transformer() -> onnx.ModelProto:
    """Patches by a strided convolution, class token, positions, attention from one fused projection."""
    g = Graph(17)
    x = g("Conv", g.input("image", ["batch", 3, 32, 32]), g.weight(32, 3, 8, 8), g.weight(32), strides=[8, 8])
    x = g("Transpose", g("Reshape", x, g.ints(0, 32, -1)), perm=[0, 2, 1])
    x = g("Add", g("Concat", g.weight(1, 1, 32), x, axis=1), g.weight(1, 17, 32))
    normed = g("LayerNormalization", x, g.weight(32), g.weight(32), axis=-1)
    qkv = g("Reshape", g.linear(normed, 32, 96), g.ints(1, 17, 3, 4, 8))
    qkv = g("Transpose", qkv, perm=[2, 0, 3, 1, 4])
    q, k, v = (g("Gather", qkv, g.value(np.int64(at)), axis=0) for at in range(3))
    scores = g(
        "Softmax", g("MatMul", g("Mul", q, g.value(np.float32(0.35))), g("Transpose", k, perm=[0, 1, 3, 2])), axis=-1
    )
    y = g("Reshape", g("Transpose", g("MatMul", scores, v), perm=[0, 2, 1, 3]), g.ints(1, 17, 32))
    x = g("Add", g.linear(y, 32, 32), x)
    return g.model(g("Gemm", g("Gather", x, g.value(np.int64(0)), axis=1), g.weight(10, 32), g.weight(10), transB=1))


def bert() -> onnx.ModelProto:
    """Token ids, three embeddings, attention mask, pooled first token."""
    g = Graph(13)
    ids = g.input("input_ids", ["batch", "sequence"], INT64)
    mask = g.input("attention_mask", ["batch", "sequence"], INT64)
    steps = g("Gather", g("Shape", ids), g.value(np.int64(1)), axis=0)
    places = g("Slice", g.value(np.arange(64).reshape(1, 64)), g.ints(0), g("Unsqueeze", steps, g.ints(0)), g.ints(1))
    x = g("Add", g("Gather", g.weight(100, 32), ids), g("Gather", g.weight(64, 32), places))
    x = g("LayerNormalization", x, g.weight(32), g.weight(32), axis=-1)
    bias = g("Cast", g("Unsqueeze", mask, g.ints(1, 2)), to=FLOAT)
    bias = g("Mul", g("Sub", g.value(np.float32(1)), bias), g.value(np.float32(-1e4)))
    q, k, v = (g.heads(g.linear(x, 32, 32), 2, 32) for _ in range(3))
    scores = g("Add", g("MatMul", q, g("Transpose", k, perm=[0, 1, 3, 2])), bias)
    mixed = g("Transpose", g("MatMul", g("Softmax", scores, axis=3), v), perm=[0, 2, 1, 3])
    x = g("Add", x, g.linear(g("Reshape", mixed, g.ints(0, 0, 32)), 32, 32))
    first = g("Gather", x, g.value(np.int64(0)), axis=1)
    return g.model(g("Tanh", g("Gemm", first, g.weight(32, 32), g.weight(32), transB=1)), x)


def channels_last() -> onnx.ModelProto:
    """TensorFlow's order of dimensions around ONNX's convolutions, asymmetric padding, mean over positions."""
    g = Graph(11)
    x = g("Transpose", g.input("image", ["unk__1", 33, 33, 3]), perm=[0, 3, 1, 2])
    x = g("Conv", x, g.weight(8, 3, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER")
    x = g("Clip", g("Add", x, g.weight(1, 8, 1, 1)), g.value(np.float32(0)), g.value(np.float32(6)))
    x = g("Pad", x, g.ints(0, 0, 0, 0, 0, 0, 1, 1))
    x = g("Conv", x, g.weight(8, 1, 3, 3), strides=[2, 2], group=8)
    x = g("Transpose", x, perm=[0, 2, 3, 1])
    x = g("ReduceMean", x, axes=[1, 2], keepdims=0)
    return g.model(g("Softmax", g("MatMul", x, g.weight(8, 5)), axis=-1))


def u_net() -> onnx.ModelProto:
    """Transposed convolution, odd size padded to its partner, group norm by reshape, crop by slices."""
    g = Graph(17)
    x = g.input("image", [1, 1, 18, 18])
    down = g("Relu", g("Conv", x, g.weight(8, 1, 3, 3), pads=[1] * 4))
    low = g("Conv", g("MaxPool", down, kernel_shape=[2, 2], strides=[2, 2]), g.weight(16, 8, 3, 3), pads=[1] * 4)
    normed = g("InstanceNormalization", g("Reshape", low, g.ints(0, 4, -1)), g.weight(4), g.weight(4))
    low = g("Reshape", normed, g("Shape", low))
    low = g("Mul", g("Mul", low, g.weight(16, 1, 1)), g("Sigmoid", low))
    up = g("ConvTranspose", low, g.weight(16, 8, 2, 2), g.weight(8), strides=[2, 2])
    x = g("Conv", g("Concat", g("Pad", up, g.ints(*[0] * 8)), down, axis=1), g.weight(4, 16, 3, 3), pads=[1] * 4)
    return g.model(g("Slice", x, g.ints(1, 1), g.ints(-1, -1), g.ints(2, 3)))


def shuffle_and_blocks() -> onnx.ModelProto:
    """Channel shuffle by reshape, focus slices, depth to space, einsum, top-k, argmax."""
    g = Graph(17)
    x = g.input("image", [1, 4, 16, 16])
    cuts = [
        g("Slice", x, g.ints(a, b), g.ints(2**40, 2**40), g.ints(2, 3), g.ints(2, 2)) for a in (0, 1) for b in (0, 1)
    ]
    x = g("Conv", g("Concat", *cuts, axis=1), g.weight(16, 16, 1, 1))
    x = g("Transpose", g("Reshape", x, g.ints(1, 2, 8, 8, 8)), perm=[0, 2, 1, 3, 4])
    x = g("Reshape", x, g.ints(1, 16, 8, 8))
    half = g("Slice", x, g.ints(0), g.ints(8), g.ints(1))
    x = g("Concat", half, g("Conv", half, g.weight(8, 1, 3, 3), group=8, pads=[1] * 4), axis=1)
    x = g("DepthToSpace", x, blocksize=2)
    y = g("Einsum", x, g.weight(4, 6), equation="bchw,cd->bdhw")
    values, places = g("TopK", g("Reshape", y, g.ints(1, 6, -1)), g.ints(5), outputs=2, axis=2)
    return g.model(values, g("ArgMax", y, axis=1))


def volume_net() -> onnx.ModelProto:
    """Three spatial dimensions."""
    g = Graph(13)
    x = g("Conv", g.input("scan", [1, 2, 4, 6, 6]), g.weight(4, 2, 3, 3, 3), pads=[1] * 6)
    x = g("MaxPool", x, kernel_shape=[2, 2, 2], strides=[2, 2, 2])
    return g.model(g("Gemm", g("Flatten", g("GlobalAveragePool", x)), g.weight(4, 3)), x)


def windowed_attention() -> onnx.ModelProto:
    """Swin: cyclic shift by slices, windows by reshape and transpose."""
    g = Graph(13)
    x = g.input("tokens", [1, 4, 6, 16])
    shifted = g(
        "Concat",
        g("Slice", x, g.ints(1), g.ints(99), g.ints(1)),
        g("Slice", x, g.ints(0), g.ints(1), g.ints(1)),
        axis=1,
    )
    x = g("Transpose", g("Reshape", shifted, g.ints(1, 2, 2, 3, 2, 16)), perm=[0, 1, 3, 2, 4, 5])
    x = g("Reshape", x, g.ints(6, 4, 16))
    x = g("Add", g("MatMul", g("Softmax", g("MatMul", x, g("Transpose", x, perm=[0, 2, 1])), axis=-1), x), x)
    return g.model(g.linear(x, 16, 8))


def odds_and_ends() -> onnx.ModelProto:
    """Products and sums that broadcast both ways, grouped matrices, partial reductions, last state of an LSTM."""
    g = Graph(14)
    x = g.input("tokens", [1, 8, 16])
    outer = g("Sub", g("Unsqueeze", x, g.ints(1)), g("Unsqueeze", x, g.ints(2)))
    grouped = g("MatMul", g("Transpose", g("Reshape", x, g.ints(1, 8, 4, 4)), perm=[0, 2, 1, 3]), g.weight(4, 4, 6))
    image = g("Reshape", x, g.ints(1, 16, 2, 4))
    rows = g("ReduceMax", image, axes=[3], keepdims=1)
    pooled = g("AveragePool", g("Add", image, rows), kernel_shape=[2, 3], strides=[1, 2], ceil_mode=1)
    _, last, _ = g("LSTM", g("Transpose", x, perm=[1, 0, 2]), g.weight(2, 32, 16), g.weight(2, 32, 8), outputs=3,
                   hidden_size=8, direction="bidirectional")  # fmt: skip
    left = g("MatMul", g.weight(5, 8), x)
    return g.model(g("ReduceMean", outer, axes=[3]), grouped, pooled, g("Transpose", last, perm=[1, 0, 2]), left)


ALL = {
    "transformer": (transformer_block, {"tokens": [1, 10, 64]}),
    "speech": (speech_net, {"wave": [1, 400]}),
    "mobile": (mobile_net, None),
    "detector": (detector_neck, {"images": [1, 3, 32, 32]}),
    "crnn": (crnn, None),
    "quantised operators": (quantised_operators, None),
    "quantised pairs": (quantised_pairs, None),
    "dynamically quantised": (dynamically_quantised, None),
    "vision transformer": (vision_transformer, None),
    "bert": (bert, {"input_ids": [1, 12]}),
    "channels last": (channels_last, None),
    "u-net": (u_net, None),
    "shuffle and blocks": (shuffle_and_blocks, None),
    "volume": (volume_net, None),
    "windowed attention": (windowed_attention, None),
    "odds and ends": (odds_and_ends, None),
}
