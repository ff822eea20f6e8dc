"""Operations that only rename dimensions, and those that join, cut and pad tensors."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from pimsim.workload.operations.registry import (
    Call,
    OperationType,
    ShapeError,
    checked_axis,
    family,
    register,
    same_shape,
)
from pimsim.workload.records import Operation, Shape
from pimsim.workload.spans import everything
from pimsim.workload.views import (
    canonical_grid,
    channel_order_kept,
    large,
    reshaped_axes,
    transposed_axes,
)

if TYPE_CHECKING:
    from pimsim.workload.lowering import Lowering


def reshape_shapes(call: Call) -> list[Shape]:
    """0 copies a dimension (unless ``allowzero``), one -1 is what is left."""
    old, wanted = call.shape(0), call.get("shape")
    if wanted is None:
        raise ShapeError("the new shape is computed from the data; a shape known beforehand is supported")
    new = [old[at] if size == 0 and not call.get("allowzero") else int(size) for at, size in enumerate(wanted)]
    known = math.prod(size for size in new if size != -1)
    if -1 in new:
        new[new.index(-1)] = math.prod(old) // max(known, 1)
    if math.prod(new) != math.prod(old):
        raise ShapeError(f"{list(old)} cannot become {[int(size) for size in wanted]}: other number of values")
    return [tuple(new)]


def flatten_shapes(call: Call) -> list[Shape]:
    """Two dimensions, cut at ``axis``."""
    shape = call.shape(0)
    axis = int(call.get("axis", 1))
    axis = axis + len(shape) if axis < 0 else axis
    return [(math.prod(shape[:axis]), math.prod(shape[axis:]))]


def squeeze_shapes(call: Call) -> list[Shape]:
    """Without dimensions of one."""
    shape = call.shape(0)
    wanted = call.get("axes")
    if wanted is None:
        return [tuple(size for size in shape if size != 1)]
    axes = {checked_axis(int(axis), len(shape)) for axis in wanted}
    if any(shape[axis] != 1 for axis in axes):
        raise ShapeError(f"axes {sorted(axes)} of shape {list(shape)} are not all of size 1")
    return [tuple(size for axis, size in enumerate(shape) if axis not in axes)]


def unsqueeze_shapes(call: Call) -> list[Shape]:
    """With further dimensions of one."""
    shape, wanted = call.shape(0), call.get("axes")
    if wanted is None:
        raise ShapeError("axes are missing")
    rank = len(shape) + len(wanted)
    axes = {checked_axis(int(axis), rank) for axis in wanted}
    rest = iter(shape)
    return [tuple(1 if axis in axes else next(rest) for axis in range(rank))]


def transpose_shapes(call: Call) -> list[Shape]:
    """Dimensions in another order."""
    shape = call.shape(0)
    order = [int(axis) for axis in call.get("perm", list(range(len(shape)))[::-1])]
    if sorted(order) != list(range(len(shape))):
        raise ShapeError(f"perm {order} is no order of {len(shape)} dimensions")
    return [tuple(shape[axis] for axis in order)]


def lower_same(low: Lowering, operation: Operation) -> None:
    """Nothing changes."""
    low.alias(operation, replace(low.view(operation.inputs[0]), shape=low.shape(operation.outputs[0])))
    for extra in operation.outputs[1:]:
        if extra:
            low.views[extra] = replace(low.view(operation.inputs[0]), shape=low.shape(extra), owner=None)


def lower_reshape(low: Lowering, operation: Operation) -> None:
    """Dimensions are renamed; a flattened map is one position; anything else is written anew."""
    source, output = operation.inputs[0], operation.outputs[0]
    view, shape = low.view(source), low.shape(output)
    axes = reshaped_axes(view.shape, view.axes, shape)
    if axes is not None:
        low.alias(operation, replace(view, shape=shape, axes=axes))
        return
    if sum(size > 1 for size in shape) == 1:
        every = (everything(1, view.grid[0]), everything(1, view.grid[1]))
        flat = replace(view.narrowed(shape, *every), axes=large(range(len(shape)), shape), owner=view.owner)
        low.alias(operation, flat)
        return
    axes = large({1} if len(shape) > 3 else {len(shape) - 1}, shape)
    grid = canonical_grid(shape, axes)
    low.views[output] = low.reordered(source, axes, grid, shape)


def lower_transpose(low: Lowering, operation: Operation) -> None:
    """Dimensions are renamed, unless positions change their order."""
    source, output = operation.inputs[0], operation.outputs[0]
    view, shape = low.view(source), low.shape(output)
    order = list(operation.attributes.get("perm") or list(range(len(view.shape)))[::-1])
    axes = transposed_axes(view.axes, view.shape, order)
    if axes is None:
        axes = large((order.index(axis) for axis in view.axes), shape)
        low.views[output] = low.reordered(source, axes, canonical_grid(shape, axes), shape)
        return
    mixed = view.mixed or not channel_order_kept(view, order)
    low.alias(operation, replace(view, shape=shape, axes=axes, mixed=mixed))


family("Identity Dropout Cast CastLike", same_shape, lower_same, weights=())
family("DequantizeLinear QuantizeLinear", same_shape, lower_same, weights=(0,))
register(
    OperationType("Reshape", reshape_shapes, lower_reshape, settings={1: "shape"}, weights=()),
    OperationType("Flatten", flatten_shapes, lower_reshape, weights=()),
    OperationType("Squeeze", squeeze_shapes, lower_reshape, settings={1: "axes"}, weights=()),
    OperationType("Unsqueeze", unsqueeze_shapes, lower_reshape, settings={1: "axes"}, weights=()),
    OperationType("Transpose", transpose_shapes, lower_transpose, weights=()),
)
