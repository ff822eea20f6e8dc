"""Regions along one dimension, against loops over every output and input."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.workload.spans import Span, chain, everything, identity, nested, points, transposed_windows, windows

sizes = st.integers(1, 5)


def ranges(each: Span) -> list[set[int]]:
    return [set(range(low, high + 1)) for low, high in zip(each.lo, each.hi, strict=True)]


def hull(values: set[int]) -> set[int]:
    return set(range(min(values), max(values) + 1)) if values else set()


@given(st.integers(1, 12), sizes, st.integers(1, 3), st.integers(0, 3), st.integers(1, 2))
@settings(max_examples=60, deadline=None)
def test_windows_are_the_kernel_without_its_padding(of, kernel, stride, pad, dilation):
    n = (of + 2 * pad - (kernel - 1) * dilation - 1) // stride + 1
    if n < 1:
        return
    naive = []
    for out in range(n):
        touched = {out * stride - pad + k * dilation for k in range(kernel)}
        naive.append({at for at in hull(touched) if 0 <= at < of})
    assert ranges(windows(n, of, kernel, stride, pad, dilation)) == naive


@given(st.integers(1, 8), sizes, st.integers(1, 3), st.integers(0, 2), st.integers(1, 2))
@settings(max_examples=60, deadline=None)
def test_transposed_windows_hold_every_input_that_reaches_the_output(of, kernel, stride, pad, dilation):
    n = stride * (of - 1) + (kernel - 1) * dilation + 1 - 2 * pad
    if n < 1:
        return
    got = ranges(transposed_windows(n, of, kernel, stride, pad, dilation))
    for out in range(n):
        naive = {i for i in range(of) for k in range(kernel) if i * stride + k * dilation - pad == out}
        assert naive <= got[out]
        assert dilation > 1 or not naive or got[out] == hull(naive)


@given(st.lists(st.integers(-1, 5), min_size=6, max_size=6), st.integers(0, 5), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_a_chain_covers_what_the_inner_ranges_cover(index, first, last):
    outer = Span(np.array([first]), np.array([last if last >= first else -1]))
    naive = {index[at] for at in range(first, last + 1) if index[at] >= 0}
    assert ranges(chain(outer, points(index))) == [hull(naive)]


def test_nothing_is_written_as_minus_one_at_the_upper_end():
    padded = points([-1, 0, 1, -1])
    assert padded.lo.tolist() == [0, 0, 1, 0] and padded.hi.tolist() == [-1, 0, 1, -1]


def test_two_dimensions_become_one_in_raster_order():
    assert nested(identity(2), identity(3), 3).is_identity
    assert ranges(nested(everything(1, 2), points([1]), 3)) == [{1, 2, 3, 4}]
