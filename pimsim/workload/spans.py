"""Regions along one dimension: for each index on one side the range that it needs on the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Span:
    """Index i needs ``lo[i]..hi[i]``, both included; ``hi < lo`` is nothing."""

    lo: np.ndarray  #: (n,) int64
    hi: np.ndarray  #: (n,) int64

    def __len__(self) -> int:
        return len(self.lo)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Span):
            return NotImplemented
        return np.array_equal(self.lo, other.lo) and np.array_equal(self.hi, other.hi)

    def __hash__(self) -> int:
        return hash((len(self.lo), int(self.lo.sum()), int(self.hi.sum())))

    @property
    def is_points(self) -> bool:
        """Whether no index needs more than one."""
        return bool((self.hi <= self.lo).all())

    @property
    def is_identity(self) -> bool:
        """Whether index i needs exactly i."""
        return np.array_equal(self.lo, self.hi) and np.array_equal(self.lo, np.arange(len(self.lo)))


def span(lo: Sequence[int] | np.ndarray, hi: Sequence[int] | np.ndarray) -> Span:
    """A span with every empty range written as 0..-1."""
    low, high = np.asarray(lo, np.int64), np.asarray(hi, np.int64)
    empty = high < low
    return Span(np.where(empty, 0, low), np.where(empty, -1, high))


def identity(n: int) -> Span:
    """Index i needs i."""
    return Span(np.arange(n, dtype=np.int64), np.arange(n, dtype=np.int64))


def everything(n: int, of: int) -> Span:
    """Each of ``n`` indices needs all of ``of``."""
    return Span(np.zeros(n, np.int64), np.full(n, of - 1, np.int64))


def points(index: Sequence[int] | np.ndarray) -> Span:
    """Index i needs the single ``index[i]``; a negative one is nothing."""
    at = np.asarray(index, np.int64)
    return span(at, np.where(at < 0, at - 1, at))


def windows(n: int, of: int, kernel: int, stride: int, pad: int, dilation: int) -> Span:
    """Sliding windows over ``of`` positions with ``pad`` before the first."""
    first = np.arange(n, dtype=np.int64) * stride - pad
    return span(np.maximum(first, 0), np.minimum(first + (kernel - 1) * dilation, of - 1))


def transposed_windows(n: int, of: int, kernel: int, stride: int, pad: int, dilation: int) -> Span:
    """Inputs that reach each output of a transposed convolution."""
    at = np.arange(n, dtype=np.int64) + pad
    first = -((-(at - (kernel - 1) * dilation)) // stride)
    return span(np.maximum(first, 0), np.minimum(at // stride, of - 1))


def chain(outer: Span, inner: Span) -> Span:
    """What ``outer``'s indices need of that which ``inner``'s indices need."""
    if inner.is_identity:
        return outer
    filled = inner.hi >= inner.lo
    low = np.where(filled, inner.lo, np.iinfo(np.int64).max)
    high = np.where(filled, inner.hi, -1)
    lo, hi = np.zeros(len(outer), np.int64), np.full(len(outer), -1, np.int64)
    for index in np.flatnonzero(outer.hi >= outer.lo):
        part = slice(outer.lo[index], outer.hi[index] + 1)
        lo[index], hi[index] = low[part].min(), high[part].max()
    return span(lo, hi)


def transposed(each: Span, of: int) -> Span:
    """For each of ``of`` positions the indices whose range holds it; widened to one range where they are several."""
    lo, hi = np.zeros(of, np.int64), np.full(of, -1, np.int64)
    for index in range(len(each)):
        hi[each.lo[index] : each.hi[index] + 1] = index
    for index in reversed(range(len(each))):
        lo[each.lo[index] : each.hi[index] + 1] = index
    return span(lo, hi)


def nested(major: Span, minor: Span, minor_of: int) -> Span:
    """Two dimensions written as one in raster order; the ranges are widened to the raster range around them."""
    lo = major.lo[:, None] * minor_of + minor.lo[None, :]
    hi = major.hi[:, None] * minor_of + minor.hi[None, :]
    empty = (major.hi < major.lo)[:, None] | (minor.hi < minor.lo)[None, :]
    return span(np.where(empty, 0, lo).ravel(), np.where(empty, -1, hi).ravel())
