"""Tensors as positions x channels, and which producer's positions they are made of.

Some of a tensor's dimensions hold the channels, all others count positions in raster order.  A reshape or
a transpose that keeps this order only renames dimensions; a concatenation, slice or padding changes the
parts.  None of them costs a node.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pimsim.workload.dataflow import Edge
from pimsim.workload.records import Shape
from pimsim.workload.spans import Span, chain, everything, identity, span

Axes = frozenset[int]
Grid = tuple[int, int]


@dataclass(frozen=True)
class Part:
    """Channels of a tensor that one node produces."""

    source: int  #: index of the node
    channels: int  #: values taken of each of its positions
    rows: Span  #: for each grid row of the tensor, rows of the node's output grid
    cols: Span


@dataclass(frozen=True)
class View:
    """A tensor as its consumers see it."""

    shape: Shape
    axes: Axes  #: dimensions larger than 1 that hold channels
    grid: Grid  #: positions as rows x columns; their product is that of the other dimensions
    parts: tuple[Part, ...]  #: in channel order
    owner: int | None = None  #: node whose whole output this is, seen by nobody else
    mixed: bool = False  #: channels of the parts are interleaved

    @property
    def channels(self) -> int:
        """Values of one position."""
        return math.prod(self.shape[axis] for axis in self.axes)

    @property
    def positions(self) -> int:
        """Number of positions."""
        return self.grid[0] * self.grid[1]

    @property
    def kernel_positions(self) -> int | None:
        """Positions of the producers in one position of this view; None where the parts differ."""
        counts = {region_size(part) for part in self.parts}
        return counts.pop() if len(counts) == 1 else None

    def edges(self, rows: Span, cols: Span) -> tuple[Edge, ...]:
        """Edges of a node whose windows need these rows and columns of the view."""
        return tuple(
            Edge(part.source, part.channels, at.lo, at.hi, across.lo, across.hi)
            for part in self.parts
            for at, across in [(chain(rows, part.rows), chain(cols, part.cols))]
        )

    def narrowed(self, shape: Shape, rows: Span, cols: Span) -> View:
        """The view whose grid row i is ``rows[i]`` of this one's (one range each), and so for columns."""
        parts = (replace(part, rows=chain(rows, part.rows), cols=chain(cols, part.cols)) for part in self.parts)
        return replace(self, shape=shape, grid=(len(rows), len(cols)), parts=tuple(parts), owner=None)


def region_size(part: Part) -> int:
    """Producer positions behind the first grid position of a part."""
    rows, cols = part.rows, part.cols
    return int((rows.hi[0] - rows.lo[0] + 1) * (cols.hi[0] - cols.lo[0] + 1))


def whole(node: int, shape: Shape, axes: Iterable[int], grid: Grid, owner: int | None) -> View:
    """The output of a node."""
    axes = large(axes, shape)
    channels = math.prod(shape[axis] for axis in axes)
    return View(shape, axes, grid, (Part(node, channels, identity(grid[0]), identity(grid[1])),), owner)


def large(axes: Iterable[int], shape: Shape) -> Axes:
    """Those of ``axes`` that have more than one element; the others belong to nobody."""
    return frozenset(axis for axis in axes if shape[axis] > 1)


def position_axes(view: View) -> list[int]:
    """Dimensions larger than 1 that count positions."""
    return [axis for axis, size in enumerate(view.shape) if size > 1 and axis not in view.axes]


def canonical_grid(shape: Shape, axes: Axes) -> Grid:
    """Positions of a tensor: the last of several dimensions as columns, a single one as rows."""
    sizes = [size for axis, size in enumerate(shape) if size > 1 and axis not in axes]
    if len(sizes) < 2:
        return (sizes[0] if sizes else 1, 1)
    return (math.prod(sizes[:-1]), sizes[-1])


def spatial_grid(shape: Shape) -> Grid:
    """Positions of a feature map N x C x ...: images and all spatial dimensions but the last as rows."""
    if len(shape) == 3:
        return (shape[0] * shape[2], 1)
    return (shape[0] * math.prod(shape[2:-1]), shape[-1])


def regrid(view: View, grid: Grid) -> View:
    """The same positions in the same order under other rows and columns.

    A new row then needs whole old rows: never less than the truth, at times more.
    """
    if grid == view.grid:
        return view
    height, width = view.grid
    starts = [row * grid[1] for row in range(grid[0])]
    rows = span([at // width for at in starts], [(at + grid[1] - 1) // width for at in starts])
    moved = view.narrowed(view.shape, rows, everything(grid[1], width))
    return replace(moved, owner=view.owner)


def grid_axis(view: View, axis: int) -> int | None:
    """Whether a position dimension is the rows (0) or the columns (1) of the grid; None if neither."""
    axes = position_axes(view)
    sizes = tuple(view.shape[each] for each in axes)
    if axis not in axes:
        return None
    if len(axes) == 1:
        return 0 if view.grid == (sizes[0], 1) else 1 if view.grid == (1, sizes[0]) else None
    if len(axes) == 2 and view.grid == sizes:
        return axes.index(axis)
    return None


def reshaped_axes(shape: Shape, axes: Axes, new_shape: Shape) -> Axes | None:
    """Channel dimensions after a reshape; None where channels and positions are mixed."""
    result: set[int] = set()
    old = [axis for axis in range(len(shape)) if shape[axis] > 1]
    new = [axis for axis in range(len(new_shape)) if new_shape[axis] > 1]
    while old or new:
        left, right = [old.pop(0)], [new.pop(0)]
        n_left, n_right = shape[left[0]], new_shape[right[0]]
        while n_left != n_right:
            if n_left < n_right:
                left.append(old.pop(0))
                n_left *= shape[left[-1]]
            else:
                right.append(new.pop(0))
                n_right *= new_shape[right[-1]]
        inside = [axis in axes for axis in left]
        if all(inside):
            result.update(right)
        elif any(inside):
            return None
    return frozenset(result)


def transposed_axes(view_axes: Axes, shape: Shape, order: list[int]) -> Axes | None:
    """Channel dimensions after a transpose; None where positions change their order."""
    positions = [axis for axis in order if axis not in view_axes and shape[axis] > 1]
    if positions != sorted(positions):
        return None
    return frozenset(place for place, axis in enumerate(order) if axis in view_axes)


def channel_order_kept(view: View, order: list[int]) -> bool:
    """Whether a transpose leaves the channels in their order."""
    channels = [axis for axis in order if axis in view.axes]
    return channels == sorted(channels)
