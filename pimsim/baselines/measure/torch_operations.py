"""ONNX operators in PyTorch, as far as feed-forward networks and transformers need them.

Each takes the inputs (tensors, None where one is absent) and the attributes of a node, and returns its first output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional

from pimsim.errors import InputError

Inputs = Sequence[Any]
Attributes = dict[str, Any]
Operation = Callable[[Inputs, Attributes], Any]


def _pads(attributes: Attributes, n: int) -> list[int]:
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise InputError("the PyTorch runtime knows no auto_pad", allowed="--runtime onnxruntime")
    return list(attributes.get("pads", [0] * 2 * n))


def _padded(x: torch.Tensor, attributes: Attributes, value: float) -> torch.Tensor:
    """With the padding of a window operator put in place; ONNX lists beginnings, then ends."""
    pads = _pads(attributes, 0)
    n = len(pads) // 2
    order = [pads[side * n + axis] for axis in reversed(range(n)) for side in (0, 1)]
    return functional.pad(x, order, value=value) if any(order) else x


def _conv(inputs: Inputs, attributes: Attributes) -> torch.Tensor:
    x, weight = inputs[0], inputs[1]
    bias = inputs[2] if len(inputs) > 2 else None
    n = weight.ndim - 2
    pads = _pads(attributes, n)
    even = pads[:n] == pads[n:]
    x = x if even else _padded(x, attributes, 0.0)
    convolve = (functional.conv1d, functional.conv2d, functional.conv3d)[n - 1]
    return convolve(x, weight, bias, attributes.get("strides", 1), pads[:n] if even else 0,
                    attributes.get("dilations", 1), attributes.get("group", 1))  # fmt: skip


def _gemm(inputs: Inputs, attributes: Attributes) -> torch.Tensor:
    a = inputs[0].T if attributes.get("transA") else inputs[0]
    b = inputs[1].T if attributes.get("transB") else inputs[1]
    alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    if len(inputs) < 3 or inputs[2] is None:
        return alpha * (a @ b) if alpha != 1 else a @ b
    return torch.addmm(inputs[2], a, b, beta=beta, alpha=alpha)


def _max_pool(inputs: Inputs, attributes: Attributes) -> torch.Tensor:
    kernel = attributes["kernel_shape"]
    pool = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[len(kernel) - 1]
    x = _padded(inputs[0], attributes, float("-inf"))
    result: torch.Tensor = pool(x, kernel, attributes.get("strides", [1] * len(kernel)), 0,
                                attributes.get("dilations", 1), bool(attributes.get("ceil_mode")))  # fmt: skip
    return result


def _average_pool(inputs: Inputs, attributes: Attributes) -> torch.Tensor:
    kernel = attributes["kernel_shape"]
    pool = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)[len(kernel) - 1]
    pads = _pads(attributes, len(kernel))
    if pads[: len(kernel)] != pads[len(kernel) :]:
        raise InputError("the PyTorch runtime averages no windows with uneven padding", allowed="--runtime onnxruntime")
    counted = bool(attributes.get("count_include_pad"))
    result: torch.Tensor = pool(inputs[0], kernel, attributes.get("strides", [1] * len(kernel)), pads[: len(kernel)],
                                bool(attributes.get("ceil_mode")), counted)  # fmt: skip
    return result


def _clip(inputs: Inputs, attributes: Attributes) -> torch.Tensor:
    low, high = (inputs[at] if len(inputs) > at else attributes.get(key) for at, key in ((1, "min"), (2, "max")))
    return torch.clamp(inputs[0], low, high)


def _batch_norm(inputs: Inputs, attributes: Attributes) -> torch.Tensor:
    x, scale, bias, mean, variance = inputs
    return functional.batch_norm(x, mean, variance, scale, bias, eps=attributes.get("epsilon", 1e-5))


def _layer_norm(inputs: Inputs, attributes: Attributes) -> torch.Tensor:
    bias = inputs[2] if len(inputs) > 2 else None
    return functional.layer_norm(inputs[0], inputs[1].shape, inputs[1], bias, attributes.get("epsilon", 1e-5))


def _reduce_mean(inputs: Inputs, attributes: Attributes) -> torch.Tensor:
    axes = inputs[1].tolist() if len(inputs) > 1 else attributes.get("axes")
    return inputs[0].mean(dim=axes, keepdim=bool(attributes.get("keepdims", 1)))


def _reshape(inputs: Inputs, attributes: Attributes) -> torch.Tensor:
    sizes = [inputs[0].shape[at] if size == 0 else size for at, size in enumerate(inputs[1].tolist())]
    return inputs[0].reshape(sizes)


def _flatten(inputs: Inputs, attributes: Attributes) -> torch.Tensor:
    axis = attributes.get("axis", 1) % (inputs[0].ndim + 1)
    return inputs[0].reshape(int(torch.tensor(inputs[0].shape[:axis]).prod()), -1)


def _axes(inputs: Inputs, attributes: Attributes) -> list[int]:
    return inputs[1].tolist() if len(inputs) > 1 else list(attributes.get("axes", ()))


def _squeeze(inputs: Inputs, attributes: Attributes) -> torch.Tensor:
    axes = _axes(inputs, attributes)
    return inputs[0].squeeze(tuple(axes)) if axes else inputs[0].squeeze()


def _unsqueeze(inputs: Inputs, attributes: Attributes) -> torch.Tensor:
    x = inputs[0]
    for axis in sorted(_axes(inputs, attributes)):
        x = x.unsqueeze(axis)
    return x


def _slice(inputs: Inputs, _attributes: Attributes) -> torch.Tensor:
    x, starts, ends = inputs[0], inputs[1].tolist(), inputs[2].tolist()
    axes = inputs[3].tolist() if len(inputs) > 3 and inputs[3] is not None else range(len(starts))
    steps = inputs[4].tolist() if len(inputs) > 4 and inputs[4] is not None else [1] * len(starts)
    if min(steps) < 1:
        raise InputError("the PyTorch runtime slices forwards only", allowed="--runtime onnxruntime")
    cuts = [slice(None)] * x.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        cuts[axis] = slice(start, end, step)
    return x[tuple(cuts)]


def _gelu(inputs: Inputs, attributes: Attributes) -> torch.Tensor:
    kind = attributes.get("approximate", b"none")
    return functional.gelu(inputs[0], approximate=kind.decode() if isinstance(kind, bytes) else kind)


def _lrn(inputs: Inputs, attributes: Attributes) -> torch.Tensor:
    return functional.local_response_norm(inputs[0], attributes["size"], attributes.get("alpha", 1e-4),
                                          attributes.get("beta", 0.75), attributes.get("bias", 1.0))  # fmt: skip


def _of_first(function: Callable[..., Any]) -> Operation:
    return lambda inputs, _: function(inputs[0])


def _of_both(function: Callable[..., Any]) -> Operation:
    return lambda inputs, _: function(inputs[0], inputs[1])


OPERATIONS: dict[str, Operation] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _of_both(torch.matmul),
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": lambda inputs, _: inputs[0].mean(dim=tuple(range(2, inputs[0].ndim)), keepdim=True),
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "LRN": _lrn,
    "ReduceMean": _reduce_mean,
    "Softmax": lambda inputs, attributes: inputs[0].softmax(dim=attributes.get("axis", -1)),
    "Relu": _of_first(torch.relu),
    "LeakyRelu": lambda inputs, attributes: functional.leaky_relu(inputs[0], attributes.get("alpha", 0.01)),
    "Sigmoid": _of_first(torch.sigmoid),
    "Tanh": _of_first(torch.tanh),
    "Erf": _of_first(torch.erf),
    "Sqrt": _of_first(torch.sqrt),
    "Gelu": _gelu,
    "Clip": _clip,
    "Add": _of_both(torch.add),
    "Sub": _of_both(torch.sub),
    "Mul": _of_both(torch.mul),
    "Div": _of_both(torch.div),
    "Pow": _of_both(torch.pow),
    "Concat": lambda inputs, attributes: torch.cat(list(inputs), dim=attributes["axis"]),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Transpose": lambda inputs, attributes: inputs[0].permute(
        attributes.get("perm") or tuple(reversed(range(inputs[0].ndim)))
    ),
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Gather": lambda inputs, attributes: torch.moveaxis(
        inputs[0].movedim(attributes.get("axis", 0), 0)[inputs[1].long()],
        tuple(range(inputs[1].ndim)),
        tuple(range(attributes.get("axis", 0), attributes.get("axis", 0) + inputs[1].ndim)),
    ),
    "Slice": _slice,
    "Identity": _of_first(lambda x: x),
    "Dropout": _of_first(lambda x: x),
}  # fmt: skip
