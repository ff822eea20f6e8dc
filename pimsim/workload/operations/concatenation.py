"""Concatenation: along channels consumers read each source, along positions the parts are copied together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pimsim.workload.dataflow import Edge
from pimsim.workload.operations.registry import Call, ShapeError, checked_axis, family, size
from pimsim.workload.records import Operation, Shape
from pimsim.workload.spans import identity, points, span
from pimsim.workload.views import Axes, Grid, View, canonical_grid, large, regrid

if TYPE_CHECKING:
    from pimsim.workload.lowering import Lowering


def concat_shapes(call: Call) -> list[Shape]:
    """Sizes along ``axis`` add up."""
    inputs = call.shapes[2::3] if call.type == "QLinearConcat" else call.shapes
    shapes = [shape for shape in inputs if shape is not None]
    axis = call.axis(1, len(shapes[0]))
    rest = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(rest) > 1 or len({len(shape) for shape in shapes}) > 1:
        shown = " and ".join(str(list(shape)) for shape in shapes)
        raise ShapeError(f"shapes {shown} differ beside axis {axis}")
    result = list(shapes[0])
    result[axis] = sum(shape[axis] for shape in shapes)
    return [tuple(result)]


def lower_concat(low: Lowering, operation: Operation) -> None:
    """A view with the parts of all inputs, or a copy."""
    output = operation.outputs[0]
    shape = low.shape(output)
    axis = checked_axis(int(operation.attributes.get("axis", 1)), len(shape))
    inputs = operation.inputs[2::3] if operation.type == "QLinearConcat" else operation.inputs
    names = [name for name in inputs if name and size(low.shape(name))]
    views = [low.view(name) for name in names if not low.is_constant(name)]
    axes = _joined_axes(views, axis, shape)
    if axis in axes and len(views) == len(names) and _same_positions(views, axis, axes):
        low.views[output] = _side_by_side(views, axis, axes, shape)
        return
    _copy_together(low, operation, names, axis, axes)


def _joined_axes(views: Sequence[View], axis: int, shape: Shape) -> Axes:
    lead = max(views, key=lambda view: len(view.axes))
    scalars = all(view.shape[axis] == 1 for view in views) and axis == 1
    along_channels = scalars or any(axis in view.axes for view in views)
    return large(lead.axes | ({axis} if along_channels else set()), shape)


def _same_positions(views: Sequence[View], axis: int, axes: Axes) -> bool:
    return all(view.axes - {axis} == axes - {axis} and view.positions == views[0].positions for view in views)


def _side_by_side(views: Sequence[View], axis: int, axes: Axes, shape: Shape) -> View:
    grid = max((view.grid for view in views), key=lambda each: each[1])
    parts = tuple(part for view in views for part in regrid(view, grid).parts)
    mixed = any(view.mixed for view in views) or min(axes) != axis
    return View(shape, axes, grid, parts, None, mixed)


def _copy_together(low: Lowering, operation: Operation, names: Sequence[str], axis: int, axes: Axes) -> None:
    shape = low.shape(operation.outputs[0])
    grid, channels = canonical_grid(shape, axes), math.prod(shape[each] for each in axes)
    edges: list[Edge] = []
    first, along = 0, _along(shape, axes, axis)
    for name in names:
        n = low.shape(name)[axis]
        if not low.is_constant(name):
            place = np.arange(shape[axis]) - first
            edges += _range(low, low.view(name), np.where((place >= 0) & (place < n), place, -1), grid, along)
        first += n
    node = low.node(operation, "digital", grid, channels, edges, actions={"vector": channels})
    low.nodes[node].notes.append("concatenation along positions: copied by the vector unit")
    low.produce(operation.outputs[0], node, axes, grid)


def _range(low: Lowering, view: View, place: np.ndarray, grid: Grid, along: int | None) -> Sequence[Edge]:
    """What each position needs of the input whose index along the axis is ``place``; -1 where it is another's."""
    n = int(place.max()) + 1
    if along is not None and view.grid[along] == n and view.grid[1 - along] == grid[1 - along]:
        spans = [identity(grid[0]), identity(grid[1])]
        spans[along] = points(place)
        return view.edges(spans[0], spans[1])
    if along == 0 and grid[1] == 1 and view.positions == n:  # the input lies on other rows and columns: all of it
        rows = span(np.zeros(len(place)), np.where(place >= 0, view.grid[0] - 1, -1))
        return view.edges(rows, span([0], [view.grid[1] - 1]))
    return low.all_of(view, grid)


def _along(shape: Shape, axes: Axes, axis: int) -> int | None:
    """Whether an axis is the rows (0) or the columns (1) of the canonical grid; None if neither."""
    positions = [each for each in range(len(shape)) if shape[each] > 1 and each not in axes]
    if axis not in positions or len(positions) > 2:
        return None
    return positions.index(axis)


family("Concat QLinearConcat", concat_shapes, lower_concat)
