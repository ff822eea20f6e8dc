"""Sliding windows of convolutions and pools: kernel, stride, padding, dilation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pimsim.workload.operations.registry import ShapeError
from pimsim.workload.records import Shape
from pimsim.workload.spans import Span, identity, nested, windows


@dataclass(frozen=True)
class Sliding:
    """One spatial dimension of a window operation."""

    of: int  #: positions of the input
    kernel: int
    stride: int
    dilation: int
    before: int  #: padding
    after: int
    out: int  #: positions of the output

    @property
    def span(self) -> Span:
        """Input positions that each output position needs."""
        return windows(self.out, self.of, self.kernel, self.stride, self.before, self.dilation)


def sliding(shape: Shape, kernel: Sequence[int], attributes: Mapping[str, Any]) -> list[Sliding]:
    """The window operation on N x C x spatial..., from ONNX's attributes; raises ShapeError."""
    spatial = shape[2:]
    n = len(spatial)
    if n == 0 or len(kernel) != n:
        raise ShapeError(f"a kernel of {len(kernel)} dimensions does not suit an input of shape {list(shape)}")
    strides = per_dimension(attributes, "strides", n, 1)
    dilations = per_dimension(attributes, "dilations", n, 1)
    if min(*kernel, *strides, *dilations) < 1:
        raise ShapeError("kernel, strides and dilations must be at least 1")
    result = []
    for at in range(n):
        extent = (kernel[at] - 1) * dilations[at] + 1
        before, after = padding(attributes, at, n, spatial[at], extent, strides[at])
        padded = spatial[at] + before + after
        if extent > padded:
            raise ShapeError(f"a kernel that covers {extent} positions is larger than its padded input of {padded}")
        out = (padded - extent) // strides[at] + 1
        if attributes.get("ceil_mode"):
            out = -(-(padded - extent) // strides[at]) + 1
            if (out - 1) * strides[at] >= spatial[at] + before:
                out -= 1  # a window that starts in the padding behind the input does not exist
        result.append(Sliding(spatial[at], kernel[at], strides[at], dilations[at], before, after, out))
    return result


def padding(attributes: Mapping[str, Any], at: int, n: int, size: int, extent: int, stride: int) -> tuple[int, int]:
    """Padding before and after one spatial dimension."""
    mode = attributes.get("auto_pad") or "NOTSET"
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        total = max((-(-size // stride) - 1) * stride + extent - size, 0)
        small, big = total // 2, total - total // 2
        return (small, big) if mode == "SAME_UPPER" else (big, small)
    pads = list(attributes.get("pads") or [0] * 2 * n)
    if mode == "VALID":
        return 0, 0
    if mode != "NOTSET":
        raise ShapeError(f"auto_pad is {mode}; NOTSET, SAME_UPPER, SAME_LOWER and VALID are supported")
    if len(pads) != 2 * n or min(pads) < 0:
        raise ShapeError(f"pads {pads} must be {2 * n} numbers that are not negative")
    return int(pads[at]), int(pads[n + at])


def per_dimension(attributes: Mapping[str, Any], key: str, n: int, default: int) -> list[int]:
    """An attribute with one number for each spatial dimension."""
    values = [int(value) for value in attributes.get(key) or [default] * n]
    if len(values) != n:
        raise ShapeError(f"{key} has {len(values)} numbers for {n} spatial dimensions")
    return values


def grid_spans(batch: int, dimensions: Sequence[Span], sizes: Sequence[int]) -> tuple[Span, Span]:
    """Spans of grid rows and columns: images and all dimensions but the last are rows, in raster order."""
    if len(dimensions) == 1:  # a sequence lies along the rows
        rows = dimensions[0] if batch == 1 else nested(identity(batch), dimensions[0], sizes[0])
        return rows, identity(1)
    rows = dimensions[0] if batch == 1 else nested(identity(batch), dimensions[0], sizes[0])
    for dimension, size in zip(dimensions[1:-1], sizes[1:-1], strict=True):
        rows = nested(rows, dimension, size)
    return rows, dimensions[-1]


def positions(kernel: Sequence[int]) -> int:
    """Positions of a kernel."""
    return math.prod(kernel)
