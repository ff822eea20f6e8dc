"""Split, slice, gather: consumers read a part of the producer's output; values stay where they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pimsim.workload.operations.registry import Call, OperationType, ShapeError, checked_axis, register
from pimsim.workload.records import Operation, Shape
from pimsim.workload.spans import identity, points
from pimsim.workload.views import Part, View, canonical_grid, grid_axis, large, regrid

if TYPE_CHECKING:
    from pimsim.workload.lowering import Lowering

COPY = "values are picked from all positions: copied by the vector unit after the whole input"


def take(low: Lowering, operation: Operation, output: str, axis: int, index: np.ndarray) -> None:
    """``output`` is ``index`` of the input along ``axis``: channels or positions of the same producer."""
    source = operation.inputs[0]
    view, shape = low.view(source), low.shape(output)
    kept = list(view.shape)
    kept[axis] = len(index)
    view = replace(view, owner=None)
    if np.array_equal(index, np.arange(view.shape[axis])):
        low.views[output] = _renamed(view, tuple(kept), shape)
        return
    if view.shape[axis] == 1:  # one value over and over
        copy(low, operation, output, view)
        return
    if axis in view.axes:
        parts = _channel_parts(view, axis, index)
        taken = replace(view, shape=tuple(kept), axes=large(view.axes, tuple(kept)), parts=parts)
        low.views[output] = _renamed(taken, tuple(kept), shape)
        return
    along = grid_axis(view, axis)
    if along is None:
        view = regrid(view, canonical_grid(view.shape, view.axes))
        along = grid_axis(view, axis)
    if along is None:
        copy(low, operation, output, view)
        return
    spans = [identity(view.grid[0]), identity(view.grid[1])]
    spans[along] = points(index)
    low.views[output] = _renamed(view.narrowed(tuple(kept), spans[0], spans[1]), tuple(kept), shape)


def _renamed(view: View, shape: Shape, final: Shape) -> View:
    """The view after a dimension of one is dropped, as a scalar index does."""
    if shape == final:
        return replace(view, shape=shape, axes=large(view.axes, shape))
    names = [axis for axis in range(len(shape)) if shape[axis] > 1]
    places = [axis for axis in range(len(final)) if final[axis] > 1]
    moved = dict(zip(names, places, strict=True))
    return replace(view, shape=final, axes=frozenset(moved[axis] for axis in large(view.axes, shape)))


def _channel_parts(view: View, axis: int, index: np.ndarray) -> tuple[Part, ...]:
    total, wanted = view.shape[axis], len(index)
    if len(view.axes) > 1 or view.mixed or len(view.parts) == 1:
        share = [-(-part.channels * wanted // total) for part in view.parts]
        return tuple(replace(part, channels=n) for part, n in zip(view.parts, share, strict=True))
    per_value = view.kernel_positions or 1
    parts, first = [], 0
    for part in view.parts:
        last = first + part.channels * per_value
        n = int(np.count_nonzero((index >= first) & (index < last)))
        if n:
            parts.append(replace(part, channels=-(-n // per_value)))
        first = last
    return tuple(parts)


def copy(low: Lowering, operation: Operation, output: str, view: View) -> None:
    """A digital node that waits for the whole input and writes what is wanted of it."""
    shape = low.shape(output)
    axes = large({1} if len(shape) > 3 else {len(shape) - 1}, shape)
    if len(shape) == len(view.shape):
        axes = large(view.axes, shape)
    grid, channels = canonical_grid(shape, axes), math.prod(shape[each] for each in axes)
    node = low.node(
        operation, "digital", grid, channels, low.all_of(view, grid), actions={"vector": channels}, note=COPY
    )
    low.produce(output, node, axes, grid)


def split_shapes(call: Call) -> list[Shape]:
    """Parts along ``axis``: given sizes, or as equal as possible."""
    shape = call.shape(0)
    axis = call.axis(0, len(shape))
    sizes = _split_sizes(shape[axis], call.get("split"), int(call.get("num_outputs", call.n_outputs)))
    return [(*shape[:axis], each, *shape[axis + 1 :]) for each in sizes]


def _split_sizes(total: int, given: Sequence[int] | None, n: int) -> list[int]:
    if given is not None and len(given):
        sizes = [int(each) for each in given]
        if sum(sizes) != total:
            raise ShapeError(f"parts {sizes} do not add up to {total}")
        return sizes
    each = -(-total // n)
    return [min(each, total - each * at) for at in range(n)]


def lower_split(low: Lowering, operation: Operation) -> None:
    """Consecutive ranges."""
    shape = low.shape(operation.inputs[0])
    axis = checked_axis(int(operation.attributes.get("axis") or 0), len(shape))
    at = 0
    for output in operation.outputs:
        if not output:
            continue
        n = low.shape(output)[axis]
        take(low, operation, output, axis, np.arange(at, at + n))
        at += n


def slice_ranges(shape: Shape, attributes: Mapping[str, Any]) -> dict[int, np.ndarray]:
    """Indices kept along each sliced dimension; raises ShapeError where bounds are computed from the data."""
    starts, ends = attributes.get("starts"), attributes.get("ends")
    if starts is None or ends is None:
        raise ShapeError("starts and ends are computed from the data; bounds known beforehand are supported")
    axes = attributes.get("axes")
    axes = list(range(len(starts))) if axes is None else axes
    steps = attributes.get("steps")
    steps = [1] * len(starts) if steps is None else steps
    if len({len(each) for each in (starts, ends, axes, steps)}) > 1:
        raise ShapeError("starts, ends, axes and steps differ in their number")
    if 0 in steps:
        raise ShapeError("a step of zero")
    kept = {}
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = checked_axis(int(axis), len(shape))
        kept[axis] = np.arange(shape[axis])[slice(*_bounds(int(start), int(end), int(step), shape[axis]))]
    return kept


def _bounds(start: int, end: int, step: int, n: int) -> tuple[int | None, int | None, int]:
    # ONNX writes "to the very beginning" as a large negative end, which Python's slice reads differently
    return start, None if step < 0 and end < -n else end, step


def slice_shapes(call: Call) -> list[Shape]:
    """Sizes of the kept ranges."""
    result = list(call.shape(0))
    for axis, kept in slice_ranges(call.shape(0), call.attributes).items():
        result[axis] = len(kept)
    return [tuple(result)]


def lower_slice(low: Lowering, operation: Operation) -> None:
    """Ranges along each dimension, one after the other."""
    source, output = operation.inputs[0], operation.outputs[0]
    ranges = slice_ranges(low.shape(source), operation.attributes)
    n = low.shape(source)
    ranges = {axis: kept for axis, kept in ranges.items() if len(kept) != n[axis] or kept[0] != 0}
    if len(ranges) == 0:
        low.alias(operation, low.view(source))
    elif len(ranges) == 1:
        ((axis, kept),) = ranges.items()
        take(low, operation, output, axis, kept)
    else:
        _slice_all(low, operation, ranges)


def _slice_all(low: Lowering, operation: Operation, ranges: dict[int, np.ndarray]) -> None:
    source, output = operation.inputs[0], operation.outputs[0]
    view = low.view(source)
    spans = [identity(view.grid[0]), identity(view.grid[1])]
    for axis, kept in ranges.items():
        along = grid_axis(view, axis)
        if axis in view.axes:
            view = replace(view, parts=_channel_parts(view, axis, kept))
        elif along is None:
            return copy(low, operation, output, low.view(source))
        else:
            spans[along] = points(kept)
    shape = low.shape(output)
    low.views[output] = replace(view.narrowed(shape, spans[0], spans[1]), axes=large(view.axes, shape))


def gather_shapes(call: Call) -> list[Shape]:
    """The indexed dimension is replaced by the index's dimensions."""
    shape, index = call.shape(0), call.shape(1)
    axis = call.axis(0, len(shape))
    size = shape[axis] if shape else 1
    known = np.asarray(() if call.get("indices") is None else call.get("indices"))
    outside = known[(known < -size) | (known >= size)]
    if outside.size:
        raise ShapeError(f"index {outside[0]} lies outside dimension {axis}, which has {size} values")
    return [(*shape[:axis], *index, *shape[axis + 1 :])]


def lower_gather(low: Lowering, operation: Operation) -> None:
    """A known index is a slice; an index into a constant table is a look-up; else a copy."""
    source, index = operation.inputs[0], operation.inputs[1]
    output, known = operation.outputs[0], operation.attributes.get("indices")
    if low.is_constant(source):
        return _look_up(low, operation, index)
    shape = low.shape(source)
    axis = checked_axis(int(operation.attributes.get("axis") or 0), len(shape))
    if known is not None and np.ndim(known) < 2:
        at = np.atleast_1d(np.asarray(known, np.int64))
        return take(low, operation, output, axis, np.where(at < 0, at + shape[axis], at))
    copy(low, operation, output, low.view(source))


def embedding_shapes(call: Call) -> list[Shape]:
    """A row of the table for each token."""
    return [(*call.shape(0), call.shape(1)[1])]


def lower_embedding(low: Lowering, operation: Operation) -> None:
    """A look-up for each position of the tokens."""
    index, table = operation.inputs
    _look_up(low, replace(operation, inputs=(table, index)), index)


def _look_up(low: Lowering, operation: Operation, index: str) -> None:
    """Rows of a table, one for each position of the index."""
    view, output = low.view(index), operation.outputs[0]
    shape, n = low.shape(output), len(low.shape(index))
    axis = checked_axis(int(operation.attributes.get("axis") or 0), len(low.shape(operation.inputs[0])))
    axes = large(set(range(len(shape))) - set(range(axis, axis + n)), shape)
    if view.axes:
        view = low.arranged(index, frozenset())
    channels = math.prod(shape[each] for each in axes)
    note = "table look-up: the table is held outside the crossbars, its memory is not modelled"
    node = low.node(
        operation, "digital", view.grid, channels, low.each_of(view), actions={"vector": channels}, note=note
    )
    low.produce(output, node, axes, view.grid)


register(
    OperationType("Split", split_shapes, lower_split, settings={1: "split"}, weights=()),
    OperationType(
        "Slice",
        slice_shapes,
        lower_slice,
        settings={1: "starts", 2: "ends", 3: "axes", 4: "steps"},
        weights=(),
    ),
    OperationType("Gather", gather_shapes, lower_gather, hints={1: "indices"}, weights=(0,)),
    OperationType("Embedding", embedding_shapes, lower_embedding, weights=(1,)),
)
