"""Padding: positions that need nothing, or what lies near the edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pimsim.workload.operations.registry import Call, OperationType, ShapeError, checked_axis, register
from pimsim.workload.operations.selection import copy
from pimsim.workload.records import Operation, Shape
from pimsim.workload.spans import identity, points
from pimsim.workload.views import grid_axis

if TYPE_CHECKING:
    from pimsim.workload.lowering import Lowering


def pad_shapes(call: Call) -> list[Shape]:
    """Sizes with the padding; negative padding crops."""
    shape = call.shape(0)
    before, after = pad_amounts(shape, call.attributes)
    return [tuple(n + a + b for n, a, b in zip(shape, before, after, strict=True))]


def pad_amounts(shape: Shape, attributes: Mapping[str, Any]) -> tuple[list[int], list[int]]:
    """Padding before and after each dimension."""
    pads = attributes.get("pads")
    pads = attributes.get("paddings") if pads is None else pads  # opset 1
    if pads is None:
        raise ShapeError("the padding is computed from the data; a padding known beforehand is supported")
    axes: Sequence[int] | None = attributes.get("axes")
    axes = range(len(shape)) if axes is None else axes
    if len(pads) != 2 * len(axes):
        raise ShapeError(f"{len(pads)} numbers of padding for {len(axes)} dimensions")
    before, after = [0] * len(shape), [0] * len(shape)
    for at, axis in enumerate(axes):
        where = checked_axis(int(axis), len(shape))
        before[where], after[where] = int(pads[at]), int(pads[len(axes) + at])
    return before, after


def lower_pad(low: Lowering, operation: Operation) -> None:
    """Consumers read the tensor with further positions; padded channels are a copy."""
    source, output = operation.inputs[0], operation.outputs[0]
    view, shape = low.view(source), low.shape(output)
    before, after = pad_amounts(view.shape, operation.attributes)
    spans = [identity(view.grid[0]), identity(view.grid[1])]
    for axis in range(len(shape)):
        if before[axis] == after[axis] == 0:
            continue
        along = grid_axis(view, axis)
        if along is None:
            return copy(low, operation, output, view)
        mode = operation.attributes.get("mode") or "constant"
        spans[along] = points(_padded(before[axis], view.shape[axis], shape[axis], mode))
    low.views[output] = view.narrowed(shape, spans[0], spans[1])


def _padded(before: int, n: int, total: int, mode: str) -> np.ndarray:
    """Source of each position along one padded dimension; -1 where there is none."""
    at = np.arange(total) - before
    if mode == "edge":
        return np.clip(at, 0, n - 1)
    if mode == "reflect" and n > 1:
        around = np.abs(at) % (2 * n - 2)
        return np.where(around < n, around, 2 * n - 2 - around)
    if mode == "wrap":
        return at % n
    return np.where((at >= 0) & (at < n), at, -1)


register(OperationType("Pad", pad_shapes, lower_pad, settings={1: "pads", 3: "axes"}, weights=()))
