"""Reductions over dimensions: within a position, over all positions, or something between."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pimsim.workload.operations.registry import Call, OperationType, checked_axis, family, register
from pimsim.workload.records import Operation, Shape
from pimsim.workload.spans import everything, identity
from pimsim.workload.views import Axes, View, canonical_grid, grid_axis, large, position_axes

if TYPE_CHECKING:
    from pimsim.workload.lowering import Lowering

#: unit that takes each reduced value
UNITS = {
    "ReduceMean": "shift_add",
    "ReduceSum": "shift_add",
    "ReduceMax": "maxpool",
    "ReduceMin": "maxpool",
    "ReduceProd": "vector",
    "ReduceL1": "vector",
    "ReduceL2": "vector",
    "ReduceSumSquare": "vector",
    "ReduceLogSum": "vector",
    "ReduceLogSumExp": "vector",
    "ArgMax": "maxpool",
    "ArgMin": "maxpool",
    "QLinearReduceMean": "shift_add",
}


def reduced(type: str, attributes: Mapping[str, Any], rank: int) -> set[int]:
    """Dimensions that are reduced."""
    if type in ("ArgMax", "ArgMin"):
        return {checked_axis(int(attributes.get("axis") or 0), rank)}
    axes = attributes.get("axes")
    if axes is None or len(axes) == 0:
        return set() if attributes.get("noop_with_empty_axes") else set(range(rank))
    return {checked_axis(int(axis), rank) for axis in axes}


def reduce_shapes(call: Call) -> list[Shape]:
    """Reduced dimensions become 1, or vanish without ``keepdims``."""
    shape = call.shape(0)
    axes = reduced(call.type, call.attributes, len(shape))
    if int(call.get("keepdims", 1)):
        return [tuple(1 if axis in axes else n for axis, n in enumerate(shape))]
    return [tuple(n for axis, n in enumerate(shape) if axis not in axes)]


def lower_reduce(low: Lowering, operation: Operation) -> None:
    """Over channels: a node with the same positions.  Over all positions: windows run over the input."""
    view, output = low.view(operation.inputs[0]), operation.outputs[0]
    over = large(reduced(operation.type, operation.attributes, len(view.shape)), view.shape)
    kept = large(set(range(len(view.shape))) - over, view.shape)
    positions = frozenset(position_axes(view))
    channels = math.prod(view.shape[axis] for axis in kept & view.axes)
    unit = UNITS[operation.type]
    if not over & positions:
        actions = {unit: view.channels} if over else {"vector": view.channels}
        node = low.node(operation, "digital", view.grid, channels, low.each_of(view), actions=actions)
        low.produce(output, node, _renamed(operation, low, view, kept & view.axes), view.grid)
    elif positions <= over:
        actions = {unit: view.channels}
        node = low.node(operation, "digital", view.grid, channels, low.each_of(view), actions=actions, reduces=True)
        low.produce(output, node, _renamed(operation, low, view, kept & view.axes))
    else:
        _some_positions(low, operation, view, over, kept, channels)


def _some_positions(low: Lowering, operation: Operation, view: View, over: Axes, kept: Axes, channels: int) -> None:
    output = operation.outputs[0]
    axes = _renamed(operation, low, view, kept & view.axes)
    grid = canonical_grid(low.shape(output), axes)
    left = sorted(kept - view.axes)
    along = grid_axis(view, left[0]) if len(left) == 1 else None
    edges = low.all_of(view, grid)
    if along is not None:
        spans = [everything(grid[0] * grid[1], view.grid[0]), everything(grid[0] * grid[1], view.grid[1])]
        spans[along] = identity(grid[0] * grid[1])
        spans[1 - along] = everything(1, view.grid[1 - along])
        grid = (len(spans[0]), len(spans[1]))
        edges = list(view.edges(spans[0], spans[1]))
    values = math.prod(view.shape[axis] for axis in over) * channels
    actions = {UNITS[operation.type]: values}
    node = low.node(operation, "digital", grid, channels, edges, actions=actions)
    low.produce(output, node, axes, grid)


def _renamed(operation: Operation, low: Lowering, view: View, axes: Axes) -> Axes:
    """Channel dimensions of the result, which may have fewer dimensions."""
    shape = low.shape(operation.outputs[0])
    if len(shape) == len(view.shape):
        return axes
    over = reduced(operation.type, operation.attributes, len(view.shape))
    place = {axis: at for at, axis in enumerate(each for each in range(len(view.shape)) if each not in over)}
    return frozenset(place[axis] for axis in axes)


_reductions = " ".join(name for name in UNITS if name not in ("ArgMax", "ArgMin"))
family(_reductions, reduce_shapes, lower_reduce, settings={1: "axes"}, weights=())
register(
    OperationType("ArgMax", reduce_shapes, lower_reduce, weights=()),
    OperationType("ArgMin", reduce_shapes, lower_reduce, weights=()),
)
