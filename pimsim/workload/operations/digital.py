"""Operations with a plain digital cost: the vector unit takes every value once, after the whole input."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pimsim.workload.operations.registry import (
    Call,
    OperationType,
    ShapeError,
    broadcast,
    family,
    register,
    same_shape,
)
from pimsim.workload.records import Operation, Shape
from pimsim.workload.views import canonical_grid, large

if TYPE_CHECKING:
    from pimsim.workload.lowering import Lowering

NOTE = "generic digital cost: one pass of the vector unit over inputs and outputs after the whole input"


def lower_generic(low: Lowering, operation: Operation) -> None:
    """One node whose every window waits for all inputs; the vector unit takes all that goes in and comes out."""
    views = [low.view(name) for name in low.activations(operation)]
    outputs = [name for name in operation.outputs if name]  # of one shape each
    shape = low.shape(outputs[0])
    same = next((view for view in views if view.shape == shape), None)
    axes = same.axes if same else large({1} if len(shape) > 3 else {len(shape) - 1}, shape)
    grid = same.grid if same else canonical_grid(shape, axes)
    channels = math.prod(shape[axis] for axis in axes) * len(outputs)
    edges = [edge for view in views for edge in low.all_of(view, grid)]
    values = sum(view.channels * view.positions for view in views) + math.prod(shape) * len(outputs)
    per_window = max(-(-max(values, operation.macs) // (grid[0] * grid[1])), 1)
    node = low.node(operation, "digital", grid, channels, edges, actions={"vector": per_window}, note=NOTE)
    for name in outputs:
        low.produce(name, node, axes, grid)
        if len(outputs) > 1:  # only a part of what the node writes: nothing may join it
            low.views[name] = replace(low.views[name], owner=None)


def tile_shapes(call: Call) -> list[Shape]:
    """Each dimension repeated."""
    shape, repeats = call.shape(0), call.get("repeats")
    if repeats is None or len(repeats) != len(shape):
        raise ShapeError("repeats must be known beforehand, one for each dimension")
    return [tuple(n * int(times) for n, times in zip(shape, repeats, strict=True))]


def expand_shapes(call: Call) -> list[Shape]:
    """Broadcast to a shape."""
    wanted = call.get("shape")
    if wanted is None:
        raise ShapeError("the new shape is computed from the data; a shape known beforehand is supported")
    return [broadcast(call.shape(0), tuple(int(n) for n in wanted))]


def top_k_shapes(call: Call) -> list[Shape]:
    """The k largest along an axis, and their places."""
    shape, k = list(call.shape(0)), call.get("k")
    if k is None:
        raise ShapeError("k is computed from the data; a k known beforehand is supported")
    shape[call.axis(-1, len(shape))] = int(np.asarray(k).reshape(-1)[0])
    return [tuple(shape)] * call.n_outputs


def grid_sample_shapes(call: Call) -> list[Shape]:
    """N x C x the grid's spatial dimensions."""
    return [(*call.shape(0)[:2], *call.shape(1)[1:-1])]


def like_index_shapes(call: Call) -> list[Shape]:
    """As the index."""
    return [call.shape(1)]


def gather_nd_shapes(call: Call) -> list[Shape]:
    """The index's last dimension picks leading dimensions of the data."""
    data, index, batch = call.shape(0), call.shape(1), int(call.get("batch_dims", 0))
    return [(*index[:-1], *data[batch + index[-1] :])]


def one_hot_shapes(call: Call) -> list[Shape]:
    """A further dimension of the given depth."""
    depth = call.get("depth")
    if depth is None:
        raise ShapeError("depth is computed from the data")
    shape = list(call.shape(0))
    axis = int(call.get("axis", -1))
    shape.insert(axis if axis >= 0 else len(shape) + 1 + axis, int(np.asarray(depth).reshape(-1)[0]))
    return [tuple(shape)]


def roi_align_shapes(call: Call) -> list[Shape]:
    """Regions x C x height x width."""
    height, width = int(call.get("output_height", 1)), int(call.get("output_width", 1))
    return [(call.shape(1)[0], call.shape(0)[1], height, width)]


register(
    OperationType("Tile", tile_shapes, lower_generic, settings={1: "repeats"}, weights=()),
    OperationType("Expand", expand_shapes, lower_generic, settings={1: "shape"}, weights=()),
    OperationType("TopK", top_k_shapes, lower_generic, settings={1: "k"}, weights=()),
    OperationType("GridSample", grid_sample_shapes, lower_generic),
    OperationType("GatherElements", like_index_shapes, lower_generic),
    OperationType("GatherND", gather_nd_shapes, lower_generic),
    OperationType("OneHot", one_hot_shapes, lower_generic, settings={1: "depth"}, weights=()),
    OperationType("RoiAlign", roi_align_shapes, lower_generic),
)
family(
    "CumSum CumProd ScatterND ScatterElements Scatter Trilu ReverseSequence EyeLike Det Bernoulli RandomNormalLike "
    "RandomUniformLike",
    same_shape,
    lower_generic,
)
