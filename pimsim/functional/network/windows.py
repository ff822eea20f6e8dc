"""Windows of feature maps as the vectors that meet a matrix (im2col), and pools over windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pimsim.workload.operations.windows import Sliding


def windows_of(maps: np.ndarray, dimensions: Sequence[Sliding], fill: float = 0.0) -> np.ndarray:
    """All windows as a view, (N, C, out..., kernel...), of maps (N, C, spatial...) padded with ``fill``."""
    n = len(dimensions)
    padding = [(0, 0), (0, 0), *((each.before, _after(each)) for each in dimensions)]
    if any(before or after for before, after in padding):
        maps = np.pad(maps, padding, constant_values=fill)
    extents = [(each.kernel - 1) * each.dilation + 1 for each in dimensions]
    view = np.lib.stride_tricks.sliding_window_view(maps, extents, tuple(range(2, 2 + n)))
    taken = [slice(None, (each.out - 1) * each.stride + 1, each.stride) for each in dimensions]
    within = [slice(None, None, each.dilation) for each in dimensions]
    return view[(slice(None), slice(None), *taken, *within)]


def _after(each: Sliding) -> int:
    """Padding behind: with ``ceil_mode`` the last window may reach farther than the stated padding."""
    needed = (each.out - 1) * each.stride + (each.kernel - 1) * each.dilation + 1 - each.of - each.before
    return max(each.after, needed)


def vectors_of(maps: np.ndarray, dimensions: Sequence[Sliding]) -> np.ndarray:
    """(N x windows, C x kernel positions): windows in raster order, rows channel-major as in a Program's matrix."""
    view, n = windows_of(maps, dimensions), len(dimensions)
    order = (0, *range(2, 2 + n), 1, *range(2 + n, 2 + 2 * n))
    rows = view.shape[1] * int(np.prod(view.shape[2 + n :]))
    return view.transpose(order).reshape(-1, rows)


def pooled(
    maps: np.ndarray, dimensions: Sequence[Sliding], fill: float, combine: Callable[..., np.ndarray]
) -> np.ndarray:
    """(N, C, out...): the values of each window combined, one kernel position after the other."""
    view, n = windows_of(maps, dimensions, fill), len(dimensions)
    first, *others = np.ndindex(*view.shape[2 + n :])
    result = view[(..., *first)].copy()
    for at in others:
        combine(result, view[(..., *at)], out=result)
    return result


def counted(dimensions: Sequence[Sliding], with_padding: bool) -> np.ndarray:
    """(out...) values in each window; stated padding counts where ``with_padding``."""
    counts = np.ones(())
    for each in dimensions:
        first = np.arange(each.out) * each.stride - each.before
        at = first[:, None] + np.arange(each.kernel) * each.dilation
        low, high = (-each.before, each.of + each.after) if with_padding else (0, each.of)
        counts = np.multiply.outer(counts, np.count_nonzero((at >= low) & (at < high), axis=1))
    return counts
