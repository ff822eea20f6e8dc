"""Convolutions: a matrix in crossbars that meets one window of the feature map at a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pimsim.workload.dataflow import Matrix
from pimsim.workload.operations.registry import Call, OperationType, ShapeError, refused, register
from pimsim.workload.operations.windows import Sliding, grid_spans, per_dimension, sliding
from pimsim.workload.records import Operation, Shape
from pimsim.workload.spans import Span, transposed_windows
from pimsim.workload.views import spatial_grid

if TYPE_CHECKING:
    from pimsim.workload.lowering import Lowering

WEIGHT = {"QLinearConv": 3}  #: input that holds the weights; 1 for all others
BIAS = {"QLinearConv": 8}  #: input that holds the bias; 2 for all others


def _weight(call: Call) -> Shape:
    return call.shape(WEIGHT.get(call.type, 1))


def _check_kernel(call: Call, kernel: Shape) -> None:
    given = call.get("kernel_shape")
    if given and tuple(given) != tuple(kernel):
        raise ShapeError(f"kernel_shape is {list(given)}, the weights' kernel is {list(kernel)}")


def _check_bias(call: Call, channels: int) -> None:
    at = BIAS.get(call.type, 2)
    if call.type != "ConvInteger" and call.has(at) and math.prod(call.shape(at)) != channels:
        raise ShapeError(f"the bias has shape {list(call.shape(at))} for {channels} output channels")


def _windows(call: Call) -> list[Sliding]:
    shape, weight, groups = call.shape(0), _weight(call), int(call.get("group", 1))
    if len(shape) < 3 or len(weight) != len(shape):
        raise ShapeError(f"weights of shape {list(weight)} do not suit an input of shape {list(shape)}")
    if groups < 1 or shape[1] != weight[1] * groups:
        raise ShapeError(
            f"the input has {shape[1]} channels, the weights {list(weight)} in {groups} groups expect "
            f"{weight[1] * groups}"
        )
    if weight[0] % groups:
        raise ShapeError(f"{weight[0]} output channels cannot be divided into {groups} groups")
    _check_kernel(call, weight[2:])
    return sliding(shape, weight[2:], call.attributes)


def conv_shapes(call: Call) -> list[Shape]:
    """N x M x spatial; the weights are M x C/groups x kernel."""
    dimensions, weight = _windows(call), _weight(call)
    _check_bias(call, weight[0])
    return [(call.shape(0)[0], weight[0], *(each.out for each in dimensions))]


def conv_macs(call: Call, outputs: list[Shape]) -> int:
    """Weights of one output channel for every output value."""
    return math.prod(outputs[0]) * math.prod(_weight(call)[1:])


def lower_conv(low: Lowering, operation: Operation) -> None:
    """One window an output position; groups are diagonal blocks."""
    weight = operation.inputs[WEIGHT.get(operation.type, 1)]
    if operation.type == "FusedConv" and len(operation.inputs) > 3:
        raise refused(operation, "a fused addition; export the network without this optimisation")
    if not low.is_constant(weight):
        return _lower_dynamic(low, operation, weight)
    shape, weight_shape = low.shape(operation.inputs[0]), low.shape(weight)
    groups = int(operation.attributes.get("group") or 1)
    kernel = math.prod(weight_shape[2:])
    matrix = Matrix(math.prod(weight_shape[1:]), weight_shape[0] // groups, groups, kernel)
    _place(low, operation, sliding(shape, weight_shape[2:], operation.attributes), weight_shape[0], matrix)


def _place(low: Lowering, operation: Operation, dimensions: list[Sliding], channels: int, matrix: Matrix) -> None:
    source, output = operation.inputs[0], operation.outputs[0]
    shape = low.shape(source)
    view = low.arranged(source, frozenset({1}), spatial_grid(shape))
    rows, cols = grid_spans(shape[0], [each.span for each in dimensions], shape[2:])
    node = low.node(operation, "mvm", spatial_grid(low.shape(output)), channels, view.edges(rows, cols), matrix)
    if operation.type == "FusedConv":
        low.nodes[node].act("sigmoid", channels)
    low.produce(output, node, {1})


def _lower_dynamic(low: Lowering, operation: Operation, weight: str) -> None:
    source, output = operation.inputs[0], operation.outputs[0]
    shape, weight_shape = low.shape(source), low.shape(weight)
    view = low.arranged(source, frozenset({1}), spatial_grid(shape))
    dimensions = sliding(shape, weight_shape[2:], operation.attributes)
    rows, cols = grid_spans(shape[0], [each.span for each in dimensions], shape[2:])
    grid = spatial_grid(low.shape(output))
    edges = [*view.edges(rows, cols), *low.all_of(low.view(weight), grid)]
    actions = {"vector": math.prod(weight_shape)}
    note = "convolution with computed weights: not yet on crossbars, done by the vector unit"
    node = low.node(operation, "digital", grid, weight_shape[0], edges, actions=actions, note=note)
    low.produce(output, node, {1})


# transposed


def _transposed(call: Call) -> list[tuple[int, int]]:
    """Output size and padding before, for each spatial dimension."""
    shape, weight, groups = call.shape(0), call.shape(1), int(call.get("group", 1))
    n = len(shape) - 2
    if n < 1 or len(weight) != len(shape) or shape[1] != weight[0] or groups < 1 or shape[1] % groups:
        raise ShapeError(f"weights of shape {list(weight)} do not suit an input of shape {list(shape)}")
    _check_kernel(call, weight[2:])
    strides = per_dimension(call.attributes, "strides", n, 1)
    dilations = per_dimension(call.attributes, "dilations", n, 1)
    extra = per_dimension(call.attributes, "output_padding", n, 0)
    pads = list(call.get("pads", [0] * 2 * n))
    wanted, mode = call.get("output_shape"), call.get("auto_pad", "NOTSET")
    result = []
    for at in range(n):
        full = strides[at] * (shape[2 + at] - 1) + extra[at] + (weight[2 + at] - 1) * dilations[at] + 1
        if wanted or mode in ("SAME_UPPER", "SAME_LOWER"):
            out = int(wanted[len(wanted) - n + at]) if wanted else shape[2 + at] * strides[at]
            total = max(full - out, 0)
            result.append((out, total - total // 2 if mode == "SAME_LOWER" else total // 2))
        else:
            before, after = (0, 0) if mode == "VALID" else (pads[at], pads[n + at])
            result.append((full - before - after, before))
    if min(out for out, _ in result) < 1:
        raise ShapeError("the padding leaves no output")
    return result


def transposed_shapes(call: Call) -> list[Shape]:
    """N x M x spatial; the weights are C x M/groups x kernel."""
    sizes = _transposed(call)
    channels = call.shape(1)[1] * int(call.get("group", 1))
    _check_bias(call, channels)
    return [(call.shape(0)[0], channels, *(out for out, _ in sizes))]


def transposed_macs(call: Call, _outputs: list[Shape]) -> int:
    """Every input value meets its part of the weights once."""
    return math.prod(call.shape(0)) * math.prod(call.shape(1)[1:])


def lower_transposed(low: Lowering, operation: Operation) -> None:
    """One window an output position: the whole kernel is stored, rows that meet inserted zeros stay idle."""
    source, weight, output = operation.inputs[0], operation.inputs[1], operation.outputs[0]
    shape, weight_shape = low.shape(source), low.shape(weight)
    if not low.is_constant(weight):
        raise refused(operation, "its weights are computed; constant weights are supported")
    call = Call(operation.type, (shape, weight_shape), (False, True), operation.attributes)
    strides = per_dimension(operation.attributes, "strides", len(shape) - 2, 1)
    dilations = per_dimension(operation.attributes, "dilations", len(shape) - 2, 1)
    spans: list[Span] = []
    for at, (out, before) in enumerate(_transposed(call)):
        spans.append(transposed_windows(out, shape[2 + at], weight_shape[2 + at], strides[at], before, dilations[at]))
    rows, cols = grid_spans(shape[0], spans, shape[2:])
    groups, kernel = int(operation.attributes.get("group") or 1), math.prod(weight_shape[2:])
    matrix = Matrix(weight_shape[0] // groups * kernel, weight_shape[1], groups, kernel)
    view = low.arranged(source, frozenset({1}), spatial_grid(shape))
    grid, channels = spatial_grid(low.shape(output)), weight_shape[1] * groups
    note = "transposed convolution: every window drives the whole kernel, rows of inserted zeros idle"
    node = low.node(operation, "mvm", grid, channels, view.edges(rows, cols), matrix, note=note)
    low.produce(output, node, {1})


# locally connected


def local_shapes(call: Call) -> list[Shape]:
    """N x M x spatial; the weights are positions x M x C/groups x kernel."""
    shape, weight = call.shape(0), call.shape(1)
    if len(weight) != len(shape) + 1 or shape[1] != weight[2]:
        raise ShapeError(f"weights of shape {list(weight)} do not suit an input of shape {list(shape)}")
    _check_kernel(call, weight[3:])
    dimensions = sliding(shape, weight[3:], call.attributes)
    if math.prod(each.out for each in dimensions) != weight[0]:
        raise ShapeError(f"weights for {weight[0]} positions, the output has another number")
    return [(shape[0], weight[1], *(each.out for each in dimensions))]


def local_macs(call: Call, outputs: list[Shape]) -> int:
    """As a convolution."""
    return math.prod(outputs[0]) * math.prod(call.shape(1)[2:])


def lower_local(low: Lowering, operation: Operation) -> None:
    """A convolution whose every window has a matrix of its own."""
    shape, weight = low.shape(operation.inputs[0]), low.shape(operation.inputs[1])
    matrix = Matrix(math.prod(weight[2:]), weight[1], 1, math.prod(weight[3:]), local=True)
    _place(low, operation, sliding(shape, weight[3:], operation.attributes), weight[1], matrix)


register(
    OperationType("Conv", conv_shapes, lower_conv, conv_macs, weights=(1, 2)),
    OperationType("FusedConv", conv_shapes, lower_conv, conv_macs, weights=(1, 2)),
    OperationType("ConvInteger", conv_shapes, lower_conv, conv_macs, weights=(1,)),
    OperationType("QLinearConv", conv_shapes, lower_conv, conv_macs, weights=(3, 8)),
    OperationType("ConvTranspose", transposed_shapes, lower_transposed, transposed_macs, weights=(1, 2)),
    OperationType("LocallyConnected", local_shapes, lower_local, local_macs, weights=(1, 2)),
)
