"""Resize, upsampling, and moving values between channels and positions: copies by the vector unit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pimsim.workload.operations.registry import Call, OperationType, ShapeError, register
from pimsim.workload.operations.windows import grid_spans
from pimsim.workload.records import Operation, Shape
from pimsim.workload.spans import Span, points, span
from pimsim.workload.views import spatial_grid

if TYPE_CHECKING:
    from pimsim.workload.lowering import Lowering

#: source positions on each side of the exact place, and products for each value and dimension
REACH = {"nearest": (0, 1), "linear": (1, 2), "bilinear": (1, 2), "cubic": (2, 4)}


def resize_shapes(call: Call) -> list[Shape]:
    """Given sizes, or the input's times the scales."""
    shape = call.shape(0)
    sizes, scales = call.get("sizes"), call.get("scales")
    axes = [int(axis) % len(shape) for axis in call.get("axes", range(len(shape)))]
    result = list(shape)
    if sizes is not None and len(sizes):
        for axis, n in zip(axes, sizes, strict=True):
            result[axis] = int(n)
    elif scales is not None and len(scales):
        for axis, scale in zip(axes, scales, strict=True):
            result[axis] = math.floor(shape[axis] * float(scale) + 1e-6)
    elif call.has(0) and call.get("height_scale"):
        result[2:] = [int(shape[2] * call.get("height_scale")), int(shape[3] * call.get("width_scale"))]
    else:
        raise ShapeError("sizes or scales are computed from the data; values known beforehand are supported")
    return [tuple(result)]


def sources(n: int, of: int, attributes: Mapping[str, Any], mode: str) -> Span:
    """Input positions that each output position of one dimension reads."""
    if n == of:
        return points(np.arange(n))
    at = np.arange(n, dtype=float)
    transform = attributes.get("coordinate_transformation_mode") or "half_pixel"
    if mode == "nearest" or transform == "asymmetric":
        exact = at * of / n
    elif transform == "align_corners":
        exact = at * (of - 1) / max(n - 1, 1)
    else:
        exact = (at + 0.5) * of / n - 0.5
    reach = REACH[mode][0]
    first = np.floor(exact + 1e-9).astype(np.int64)
    low, high = (first, first) if reach == 0 else (first - (reach - 1), first + reach)
    return span(np.clip(low, 0, of - 1), np.clip(high, 0, of - 1))


def lower_resize(low: Lowering, operation: Operation) -> None:
    """Each output position reads its neighbours in the input."""
    source, output = operation.inputs[0], operation.outputs[0]
    shape, new = low.shape(source), low.shape(output)
    mode = operation.attributes.get("mode") or "nearest"
    mode = mode if mode in REACH else "linear"
    if len(shape) < 3:
        raise ShapeError(f"an input of shape {list(shape)} has no spatial dimensions")
    view = low.arranged(source, frozenset({1}), spatial_grid(shape))
    spans = [sources(n, of, operation.attributes, mode) for n, of in zip(new[2:], shape[2:], strict=True)]
    rows, cols = grid_spans(shape[0], spans, shape[2:])
    scaled = sum(n != of for n, of in zip(new[2:], shape[2:], strict=True))
    actions = {"vector": REACH[mode][1] ** scaled * new[1]}
    node = low.node(operation, "digital", spatial_grid(new), new[1], view.edges(rows, cols), actions=actions)
    low.produce(output, node, {1}, spatial_grid(new))


def depth_to_space_shapes(call: Call) -> list[Shape]:
    """Channels become a block of positions."""
    n, channels, height, width = _four(call)
    block = int(call.get("blocksize", 1))
    if block < 1 or channels % (block * block):
        raise ShapeError(f"{channels} channels cannot become blocks of {block} x {block}")
    return [(n, channels // block**2, height * block, width * block)]


def space_to_depth_shapes(call: Call) -> list[Shape]:
    """A block of positions becomes channels."""
    n, channels, height, width = _four(call)
    block = int(call.get("blocksize", 1))
    if block < 1 or height % block or width % block:
        raise ShapeError(f"{height} x {width} positions cannot be divided into blocks of {block} x {block}")
    return [(n, channels * block**2, height // block, width // block)]


def _four(call: Call) -> Sequence[int]:
    if len(call.shape(0)) != 4:
        raise ShapeError(f"an input of shape {list(call.shape(0))}; four dimensions are needed")
    return call.shape(0)


def lower_blocks(low: Lowering, operation: Operation) -> None:
    """Each output position reads the block that it is made of."""
    source, output = operation.inputs[0], operation.outputs[0]
    shape, new = low.shape(source), low.shape(output)
    block = int(operation.attributes["blocksize"])
    view = low.arranged(source, frozenset({1}), spatial_grid(shape))
    spans = []
    for n in new[2:]:
        at = np.arange(n)
        spans.append(
            points(at // block) if operation.type == "DepthToSpace" else span(at * block, at * block + block - 1)
        )
    rows, cols = grid_spans(shape[0], spans, shape[2:])
    actions = {"vector": new[1]}
    node = low.node(operation, "digital", spatial_grid(new), new[1], view.edges(rows, cols), actions=actions)
    low.produce(output, node, {1}, spatial_grid(new))


register(
    OperationType(
        "Resize",
        resize_shapes,
        lower_resize,
        settings={2: "scales", 3: "sizes"},
        weights=(),
    ),
    OperationType("Upsample", resize_shapes, lower_resize, settings={1: "scales"}, weights=()),
    OperationType("DepthToSpace", depth_to_space_shapes, lower_blocks, weights=()),
    OperationType("SpaceToDepth", space_to_depth_shapes, lower_blocks, weights=()),
)
