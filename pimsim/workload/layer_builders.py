"""From a layer of the YAML to operations with their weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pimsim.errors import InputError, did_you_mean
from pimsim.workload import layers
from pimsim.workload.builder import Builder
from pimsim.workload.operations.registry import ShapeError
from pimsim.workload.operations.windows import sliding
from pimsim.workload.records import Shape

ACTIVATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "relu6": ("Clip", {"min": 0.0, "max": 6.0}),
    "leaky_relu": ("LeakyRelu", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "gelu": ("Gelu", {}),
    "silu": ("Swish", {}),
    "hard_swish": ("HardSwish", {}),
    "hard_sigmoid": ("HardSigmoid", {}),
    "softplus": ("Softplus", {}),
    "mish": ("Mish", {}),
    "elu": ("Elu", {}),
    "selu": ("Selu", {}),
    "exp": ("Exp", {}),
    "sqrt": ("Sqrt", {}),
}
PLAIN = {
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "div": "Div",
    "max": "Max",
    "min": "Min",
    "matmul": "MatMul",
    "global_avg_pool": "GlobalAveragePool",
    "global_max_pool": "GlobalMaxPool",
    "max_pool": "MaxPool",
    "avg_pool": "AveragePool",
    "depth_to_space": "DepthToSpace",
    "space_to_depth": "SpaceToDepth",
    "lstm": "LSTM",
    "gru": "GRU",
    "rnn": "RNN",
}
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
SEVERAL = ("add", "sub", "mul", "div", "max", "min", "matmul", "concat")

#: of how many BatchNorms one is kept; 0: none
KEPT = {"all": 1, "alternate": 2, "third": 3, "none": 0}

#: an operation of a layer: type, weight shapes (None: absent input), attributes
Step = tuple[str, Sequence[Shape | None], dict[str, Any]]


class LayerBuilder:
    """Adds layers one after the other; remembers which tensor each layer's name stands for."""

    def __init__(self, builder: Builder, batch_norm: layers.BatchNormPlaces = "all") -> None:
        self.builder = builder
        self.batch_norm = batch_norm
        self._batch_norms = 0  #: met so far
        self.outputs: dict[str, str] = {}  #: layer or input -> tensor
        self.read: set[str] = set()  #: layers and inputs that some layer reads
        self._numbers: dict[str, int] = {}

    @property
    def last(self) -> str:
        """The layer or input added last."""
        return next(reversed(self.outputs))

    def add(self, layer: Any) -> None:
        """Add one layer; raises InputError naming it."""
        sources = self._sources(layer)
        name = self._name(layer)
        steps = _STEPS.get(layer.type, _plain)(layer, [self.builder.tensors[each].shape for each in sources], name)
        if getattr(layer, "batch_norm", False):
            steps.append(_batch_norm(layer.channels if hasattr(layer, "channels") else steps[0][1][0][0]))
        if KEPT[self.batch_norm] != 1:
            steps = self._without_batch_norms(steps)
        if layer.activation:
            steps.append((ACTIVATIONS[layer.activation][0], (), ACTIVATIONS[layer.activation][1]))
        self._emit(name, sources, steps)

    def _without_batch_norms(self, steps: list[Step]) -> list[Step]:
        every, kept = KEPT[self.batch_norm], []
        for step in steps:
            is_norm = step[0] == "BatchNormalization"
            if not is_norm or (every and self._batch_norms % every == 0):
                kept.append(step)
            self._batch_norms += is_norm
        return kept

    def _sources(self, layer: Any) -> list[str]:
        names = layer.inputs if layer.inputs is not None else [self.last]
        names = [names] if isinstance(names, str) else names
        for name in names:
            if name not in self.outputs:
                raise InputError(f"no earlier layer or input is called '{name}'{did_you_mean(name, self.outputs)}")
        if layer.type in SEVERAL and len(names) < 2:
            raise InputError(f"a layer of type {layer.type} needs two inputs or more")
        if layer.type not in SEVERAL and len(names) != 1:
            raise InputError(f"a layer of type {layer.type} has one input, not {len(names)}")
        self.read.update(names)
        return [self.outputs[name] for name in names]

    def _name(self, layer: Any) -> str:
        number = self._numbers[layer.type] = self._numbers.get(layer.type, 0) + 1
        name = layer.name or f"{layer.type}{number}"
        if name in self.outputs:
            raise InputError(f"the name '{name}' is used twice")
        return name

    def _emit(self, name: str, sources: list[str], steps: list[Step]) -> None:
        builder = self.builder
        for at, (type, weights, attributes) in enumerate(steps):
            step_name = name if at == 0 else f"{name}/{type}"
            inputs = list(sources)
            for number, shape in enumerate(weights):
                inputs.append("" if shape is None else builder.constant(f"{step_name}.weight{number}", shape))
            output = name if at == len(steps) - 1 else f"{name}/{at}"
            builder.add(type, inputs, [output], attributes, step_name)
            sources = [output]
        self.outputs[name] = sources[0]


def _spatial(shape: Shape, name: str) -> int:
    if len(shape) < 3:
        raise InputError(f"layer '{name}' needs C x H x W or C x T, its input has the shape {list(shape[1:])}")
    return len(shape) - 2


def _each(value: int | list[int], n: int, name: str, key: str) -> list[int]:
    values = [value] * n if isinstance(value, int) else list(value)
    if len(values) != n:
        raise InputError(f"layer '{name}': {key} has {len(values)} numbers for {n} spatial dimensions")
    return values


def _pads(padding: int | str | list[int], n: int, name: str) -> dict[str, Any]:
    if isinstance(padding, str):
        return {"auto_pad": {"same": "SAME_UPPER", "valid": "VALID"}[padding]}
    if isinstance(padding, list) and len(padding) == 2 * n:
        return {"pads": list(padding)}
    return {"pads": _each(padding, n, name, "padding") * 2}


def _window(layer: Any, shape: Shape, name: str) -> tuple[list[int], dict[str, Any]]:
    n = _spatial(shape, name)
    kernel = _each(layer.kernel, n, name, "kernel")
    attributes = {
        "kernel_shape": kernel,
        "strides": _each(layer.stride, n, name, "stride"),
        "dilations": _each(getattr(layer, "dilation", 1), n, name, "dilation"),
        **_pads(layer.padding, n, name),
    }
    return kernel, attributes


def _batch_norm(channels: int) -> Step:
    return "BatchNormalization", [(channels,)] * 4, {}


def _conv(layer: layers.Conv, shapes: list[Shape], name: str) -> list[Step]:
    kernel, attributes = _window(layer, shapes[0], name)
    if shapes[0][1] % layer.groups:
        raise InputError(f"layer '{name}': {shapes[0][1]} channels cannot be divided into {layer.groups} groups")
    weight = (layer.channels, shapes[0][1] // layer.groups, *kernel)
    return [("Conv", _biased(layer, weight, layer.channels), attributes | {"group": layer.groups})]


def _depthwise(layer: layers.DepthwiseConv, shapes: list[Shape], name: str) -> list[Step]:
    kernel, attributes = _window(layer, shapes[0], name)
    channels = shapes[0][1]
    return [("Conv", _biased(layer, (channels, 1, *kernel), channels), attributes | {"group": channels})]


def _conv_transpose(layer: layers.ConvTranspose, shapes: list[Shape], name: str) -> list[Step]:
    kernel, attributes = _window(layer, shapes[0], name)
    attributes["output_padding"] = _each(layer.output_padding, len(kernel), name, "output_padding")
    if layer.channels % layer.groups:
        raise InputError(f"layer '{name}': {layer.channels} channels cannot be divided into {layer.groups} groups")
    weight = (shapes[0][1], layer.channels // layer.groups, *kernel)
    return [("ConvTranspose", _biased(layer, weight, layer.channels), attributes | {"group": layer.groups})]


def _local(layer: layers.LocallyConnected, shapes: list[Shape], name: str) -> list[Step]:
    kernel, attributes = _window(layer, shapes[0], name)
    try:
        dimensions = sliding(shapes[0], kernel, attributes)
    except ShapeError as error:
        raise InputError(f"layer '{name}' ({layer.type}): {error}") from None
    positions = math.prod(each.out for each in dimensions)
    weight = (positions, layer.channels, shapes[0][1], *kernel)
    return [("LocallyConnected", _biased(layer, weight, positions * layer.channels), attributes)]


def _biased(layer: Any, weight: Shape, channels: int) -> list[Shape | None]:
    return [weight, (channels,)] if layer.bias else [weight]


def _linear(layer: layers.Linear, shapes: list[Shape], name: str) -> list[Step]:
    shape = shapes[0]
    if len(shape) > 3:
        raise InputError(f"layer '{name}' has an input of shape {list(shape[1:])}; put a flatten layer before it")
    if len(shape) == 2:
        return [("Gemm", _biased(layer, (layer.features, shape[1]), layer.features), {"transB": 1})]
    steps: list[Step] = [("MatMul", [(shape[-1], layer.features)], {})]
    return steps + ([("Add", [(layer.features,)], {})] if layer.bias else [])


def _pool(layer: layers.Pool, shapes: list[Shape], name: str) -> list[Step]:
    n = _spatial(shapes[0], name)
    attributes = {
        "kernel_shape": _each(layer.kernel, n, name, "kernel"),
        "strides": _each(layer.kernel if layer.stride is None else layer.stride, n, name, "stride"),
        "ceil_mode": int(layer.ceil),
        **_pads(layer.padding, n, name),
    }
    return [(PLAIN[layer.type], (), attributes)]


def _matmul(layer: layers.MatMul, shapes: list[Shape], _name: str) -> list[Step]:
    return [("FusedMatMul" if layer.transpose_b else "MatMul", (), {"transB": 1} if layer.transpose_b else {})]


def _plain(layer: Any, _shapes: list[Shape], _name: str) -> list[Step]:
    return [(PLAIN[layer.type], (), {})]


def _behind_batch(axis: int, shape: Shape, name: str) -> int:
    rank = len(shape) - 1
    if not -rank <= axis < rank:
        raise InputError(f"layer '{name}': axis {axis} lies outside the shape {list(shape[1:])}")
    return axis % rank + 1


def _recurrent(layer: layers.Recurrent, shapes: list[Shape], name: str) -> list[Step]:
    if len(shapes[0]) != 3:
        raise InputError(f"layer '{name}' needs a sequence T x D, its input has the shape {list(shapes[0][1:])}")
    n, rows = (2 if layer.bidirectional else 1), GATES[layer.type] * layer.hidden
    steps_, features = shapes[0][1:]
    weights: list[Shape | None] = [(n, rows, features), (n, rows, layer.hidden)]
    if layer.bias:
        weights.append((n, 2 * rows))
    direction = "bidirectional" if layer.bidirectional else "forward"
    attributes = {"hidden_size": layer.hidden, "direction": direction, "layout": 1}
    result: list[Step] = [(PLAIN[layer.type], weights, attributes)]
    if layer.output == "last":
        result.append(("Slice", (), {"starts": [steps_ - 1], "ends": [steps_], "axes": [1]}))
        return [*result, ("Reshape", (), {"shape": [1, n * layer.hidden]})]
    return [*result, ("Reshape", (), {"shape": [1, steps_, n * layer.hidden]})]


def _norm(layer: Any, shapes: list[Shape], name: str) -> list[Step]:
    shape = shapes[0]
    if layer.type == "batch_norm":
        return [_batch_norm(shape[1])]
    if layer.type == "layer_norm":
        return [("LayerNormalization", [(shape[-1],), (shape[-1],)], {"axis": -1})]
    channels: list[Shape | None] = [(shape[1],), (shape[1],)]
    if layer.type == "instance_norm":
        return [("InstanceNormalization", channels, {})]
    if shape[1] % layer.groups:
        raise InputError(f"layer '{name}': {shape[1]} channels cannot be divided into {layer.groups} groups")
    return [("GroupNormalization", channels, {"num_groups": layer.groups})]


def _slice(layer: layers.Slice, shapes: list[Shape], name: str) -> list[Step]:
    axis = _behind_batch(layer.axis, shapes[0], name)
    return [("Slice", (), {"starts": [layer.start], "ends": [layer.end], "axes": [axis]})]


def _resize(layer: layers.Resize, shapes: list[Shape], name: str) -> list[Step]:
    n = _spatial(shapes[0], name)
    return [("Resize", (), {"scales": [1.0, 1.0] + [layer.scale] * n, "mode": layer.mode})]


def _pad(layer: layers.Pad, shapes: list[Shape], name: str) -> list[Step]:
    pads = _pads(layer.padding, _spatial(shapes[0], name), name)["pads"]
    half = len(pads) // 2
    return [("Pad", (), {"pads": [0, 0, *pads[:half], 0, 0, *pads[half:]]})]


def _transpose(layer: layers.Transpose, _shapes: list[Shape], _name: str) -> list[Step]:
    return [("Transpose", (), {"perm": [0, *(axis + 1 for axis in layer.order)]})]


def _embedding(layer: layers.Embedding, shapes: list[Shape], name: str) -> list[Step]:
    if len(shapes[0]) != 2:
        raise InputError(f"layer '{name}' needs a vector of tokens, its input has the shape {list(shapes[0][1:])}")
    return [("Embedding", [(layer.vocabulary, layer.features)], {})]


_STEPS: dict[str, Any] = {
    "conv": _conv,
    "depthwise_conv": _depthwise,
    "conv_transpose": _conv_transpose,
    "locally_connected": _local,
    "linear": _linear,
    "matmul": _matmul,
    "max_pool": _pool,
    "avg_pool": _pool,
    "activation": lambda layer, _shapes, _name: [(ACTIVATIONS[layer.function][0], (), ACTIVATIONS[layer.function][1])],
    "concat": lambda layer, shapes, name: [("Concat", (), {"axis": _behind_batch(layer.axis, shapes[0], name)})],
    "slice": _slice,
    "flatten": lambda _layer, _shapes, _name: [("Flatten", (), {"axis": 1})],
    "reshape": lambda layer, _shapes, _name: [("Reshape", (), {"shape": [1, *layer.shape]})],
    "transpose": _transpose,
    "resize": _resize,
    "depth_to_space": lambda layer, _shapes, _name: [(PLAIN[layer.type], (), {"blocksize": layer.block})],
    "space_to_depth": lambda layer, _shapes, _name: [(PLAIN[layer.type], (), {"blocksize": layer.block})],
    "pad": _pad,
    "batch_norm": _norm,
    "layer_norm": _norm,
    "instance_norm": _norm,
    "group_norm": _norm,
    "lrn": lambda layer, _shapes, _name: [("LRN", (), {"size": layer.size})],
    "softmax": lambda layer, shapes, name: [("Softmax", (), {"axis": _behind_batch(layer.axis, shapes[0], name)})],
    "lstm": _recurrent,
    "gru": _recurrent,
    "rnn": _recurrent,
    "embedding": _embedding,
}
