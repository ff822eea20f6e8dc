"""Matrix products: with weights in crossbars, of two feature maps on the vector unit."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from pimsim.workload.dataflow import Edge, Matrix
from pimsim.workload.operations.registry import Call, OperationType, ShapeError, broadcast, register
from pimsim.workload.records import Operation, Shape
from pimsim.workload.spans import everything
from pimsim.workload.views import Axes, Grid, View, large, position_axes

if TYPE_CHECKING:
    from pimsim.workload.lowering import Lowering

#: inputs that hold the two operands, where they are not 0 and 1
OPERANDS = {"QLinearMatMul": (0, 3), "QGemm": (0, 3)}
NOT_ON_CROSSBARS = "product of two feature maps: not yet on crossbars, done by the vector unit"


def _operands(type: str) -> tuple[int, int]:
    return OPERANDS.get(type, (0, 1))


def matmul_shapes(call: Call) -> list[Shape]:
    """Numpy's matmul: ... x M x K times ... x K x N."""
    first, second = _operands(call.type)
    a, b = _transposed(call.shape(first), call, "transA"), _transposed(call.shape(second), call, "transB")
    if not a or not b:
        raise ShapeError("a scalar operand")
    left, right = (1, *a) if len(a) == 1 else a, (*b, 1) if len(b) == 1 else b
    if left[-1] != right[-2]:
        raise ShapeError(
            f"shapes {list(a)} and {list(b)} do not fit together: {left[-1]} columns meet {right[-2]} rows"
        )
    result = broadcast(left[:-2], right[:-2])
    result += (left[-2],) if len(a) > 1 else ()
    result += (right[-1],) if len(b) > 1 else ()
    return [result]


def _transposed(shape: Shape, call: Call, key: str) -> Shape:
    if call.get(key) and len(shape) > 1:
        return (*shape[:-2], shape[-1], shape[-2])
    return shape


def matmul_macs(call: Call, outputs: list[Shape]) -> int:
    """Length of the dot product for every output value."""
    a = _transposed(call.shape(_operands(call.type)[0]), call, "transA")
    return math.prod(outputs[0]) * a[-1]


def gemm_shapes(call: Call) -> list[Shape]:
    """A (M x K) times B (K x N); before opset 7 A may have more dimensions, which are flattened."""
    first, second = _operands(call.type)
    a = call.shape(first)
    if len(call.shape(second)) != 2:
        raise ShapeError(f"weights of shape {list(call.shape(second))} have other than two dimensions")
    if len(a) > 2 and not call.get("transA"):
        a = (a[0], math.prod(a[1:]))
    shapes = list(call.shapes)
    shapes[first] = a
    result = matmul_shapes(Call(call.type, tuple(shapes), call.constant, call.attributes))
    if call.type == "Gemm" and call.has(2):
        broadcast(result[0], call.shape(2))
    return result


def gemm_macs(call: Call, outputs: list[Shape]) -> int:
    """Length of the dot product for every output value."""
    second = call.shape(_operands(call.type)[1])
    return math.prod(outputs[0]) * math.prod(second) // outputs[0][-1]


def lower_matmul(low: Lowering, operation: Operation) -> None:
    """Constant weights go to crossbars, one window a row of the other operand."""
    first, second = (operation.inputs[at] for at in _operands(operation.type))
    if low.is_constant(second):
        transposed = bool(operation.attributes.get("transA"))
        _weights_right(low, operation, first, second, transposed)
    elif low.is_constant(first):
        _weights_left(low, operation, first, second)
    else:
        _two_maps(low, operation, first, second)


def _weights_right(low: Lowering, operation: Operation, source: str, weight: str, transposed: bool) -> None:
    view, shape = low.view(source), low.shape(weight)
    rank, output = len(view.shape), operation.outputs[0]
    contracted = rank - 2 if transposed else rank - 1
    length = view.shape[contracted]
    columns = math.prod(low.shape(output)) * length // _values(view) if len(shape) < 3 else shape[-1]
    if operation.type in ("Gemm", "QGemm"):
        length, columns = _gemm_size(operation, shape)
    groups = math.prod(shape[:-2])
    wanted = _input_axes(operation, view, contracted, groups, len(shape))
    if view.channels == 1 and not position_axes(replace(view, axes=wanted)):
        # one window takes all positions of a single channel: their order is that of the rows
        every = everything(1, view.grid[0]), everything(1, view.grid[1])
        view = replace(view.narrowed(view.shape, *every), axes=wanted)
    if view.axes != wanted or (wanted and view.kernel_positions is None):
        view = low.reordered(source, wanted, _grid_of(view, wanted))
    kernel = view.kernel_positions or 1
    if length * groups != kernel * sum(part.channels for part in view.parts):
        view, kernel = low.reordered(source, wanted, view.grid), 1
    matrix = Matrix(length, columns, groups, kernel)
    node = low.node(operation, "mvm", view.grid, columns * groups, low.each_of(view), matrix)
    low.produce(output, node, _output_axes(low.shape(output), groups), view.grid)


def _values(view: View) -> int:
    return view.channels * view.positions


def _gemm_size(operation: Operation, weight: Shape) -> tuple[int, int]:
    rows, columns = weight if not operation.attributes.get("transB") else weight[::-1]
    return rows, columns


def _input_axes(operation: Operation, view: View, contracted: int, groups: int, weight_rank: int) -> Axes:
    rank = len(view.shape)
    axes = {contracted}
    if operation.type in ("Gemm", "QGemm") and rank > 2 and not operation.attributes.get("transA"):
        axes = set(range(1, rank))
    if groups > 1:
        axes |= set(range(max(rank - weight_rank, 0), rank - 2))
    return large(axes, view.shape)


def _output_axes(shape: Shape, groups: int) -> Axes:
    axes, left, at = {len(shape) - 1}, groups, len(shape) - 3
    while left > 1 and at >= 0:
        axes.add(at)
        left //= shape[at]
        at -= 1
    return large(axes, shape)


def _grid_of(view: View, axes: Axes) -> Grid:
    sizes = [size for axis, size in enumerate(view.shape) if size > 1 and axis not in axes]
    return (math.prod(sizes), 1)


def _weights_left(low: Lowering, operation: Operation, weight: str, source: str) -> None:
    """W x B: the columns of B are the positions, its rows the channels."""
    view, shape, output = low.view(source), low.shape(weight), operation.outputs[0]
    contracted = max(len(view.shape) - 2, 0)
    view = low.arranged(source, frozenset({contracted}))
    length = low.shape(source)[contracted]
    kernel = view.kernel_positions
    if kernel is None or length != kernel * sum(part.channels for part in view.parts):
        view, kernel = low.reordered(source, large({contracted}, view.shape), view.grid), 1
    matrix = Matrix(length, math.prod(shape) // length, 1, kernel)
    node = low.node(operation, "mvm", view.grid, matrix.columns, low.each_of(view), matrix)
    result = low.shape(output)
    low.produce(output, node, set(range(len(result))) - set(_trailing_positions(result, view)), view.grid)


def _trailing_positions(shape: Shape, view: View) -> list[int]:
    """Dimensions of W x B that count B's columns."""
    axes = position_axes(view)
    offset = len(shape) - len(view.shape)
    return [axis + offset for axis in axes]


def _two_maps(low: Lowering, operation: Operation, first: str, second: str) -> None:
    a, b, shape = low.view(first), low.view(second), low.shape(operation.outputs[0])
    axes, grid, by_rows = _product_layout(a, b, shape)
    edges: list[Edge] = []
    for view, own in ((a, by_rows is True), (b, by_rows is False)):
        edges += low.each_of(view) if own else low.all_of(view, grid)
    values = operation.macs // (grid[0] * grid[1])
    channels = math.prod(shape) // (grid[0] * grid[1])
    node = low.node(operation, "digital", grid, channels, edges, actions={"vector": values}, note=NOT_ON_CROSSBARS)
    low.produce(operation.outputs[0], node, axes, grid)


def _product_layout(a: View, b: View, shape: Shape) -> tuple[Axes, Grid, bool | None]:
    """Channel dimensions and grid of A x B, and whose positions it has: A's, B's, or neither's (one window)."""
    rank = len(shape)
    for view, contracted, kept, by_rows in ((a, -1, -2, True), (b, -2, -1, False)):
        n = len(view.shape)
        if n < 2 or n != rank:
            continue
        positions = position_axes(view)
        fits = all(view.shape[axis] == shape[axis] for axis in positions if axis != n + contracted)
        if n + kept in positions and n + contracted not in positions and fits:
            return large(set(range(rank)) - set(positions), shape), view.grid, by_rows
    return large(range(rank), shape), (1, 1), None


register(
    OperationType("MatMul", matmul_shapes, lower_matmul, matmul_macs),
    OperationType("FusedMatMul", matmul_shapes, lower_matmul, matmul_macs),
    OperationType("MatMulInteger", matmul_shapes, lower_matmul, matmul_macs, weights=(0, 1)),
    OperationType("DynamicQuantizeMatMul", matmul_shapes, lower_matmul, matmul_macs, weights=(1, 4)),
    OperationType("MatMulIntegerToFloat", matmul_shapes, lower_matmul, matmul_macs, weights=(1, 6)),
    OperationType("QLinearMatMul", matmul_shapes, lower_matmul, matmul_macs, weights=(0, 3)),
    OperationType("Gemm", gemm_shapes, lower_matmul, gemm_macs, weights=(0, 1, 2)),
    OperationType("QGemm", gemm_shapes, lower_matmul, gemm_macs, weights=(3, 6)),
)
