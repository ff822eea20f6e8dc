"""Pareto fronts: equal to comparing every row with every other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.sweep import pareto, pareto_front


def naive_front(costs: np.ndarray) -> np.ndarray:
    """Every row against every other, as the definition says."""
    found = []
    for row in costs:
        beaten = any(np.all(other <= row) and np.any(other < row) for other in costs)  # NaN compares as false
        found.append(not beaten and not np.isnan(row).any())
    return np.array(found, dtype=bool)


values = st.one_of(
    st.integers(-3, 3).map(float), st.floats(allow_nan=False), st.sampled_from([np.nan, np.inf, -np.inf, -0.0])
)


@st.composite
def tables(draw):
    objectives = draw(st.integers(1, 5))
    rows = draw(st.lists(st.lists(values, min_size=objectives, max_size=objectives), max_size=40))
    return np.array(rows, dtype=float).reshape(len(rows), objectives)


@settings(max_examples=300, deadline=None)
@given(tables())
def test_the_front_is_the_naive_one(costs):
    np.testing.assert_array_equal(pareto_front(costs), naive_front(costs))


@pytest.mark.parametrize("objectives", [2, 3, 5])
def test_the_front_of_many_rows_is_the_naive_one_across_blocks(objectives, monkeypatch):
    monkeypatch.setattr(pareto, "BLOCK", 7)
    monkeypatch.setattr(pareto, "MOST_COMPARED", 50)
    costs = np.random.default_rng(objectives).integers(0, 12, (400, objectives)).astype(float)
    np.testing.assert_array_equal(pareto_front(costs), naive_front(costs))


def test_equal_rows_are_on_the_front_together():
    assert pareto_front(np.array([[1.0, 2], [1, 2], [2, 2]])).tolist() == [True, True, False]


def test_a_row_that_is_not_measured_is_on_no_front_and_beats_nothing():
    assert pareto_front(np.array([[np.nan, 0.0], [1, 1]])).tolist() == [False, True]


def test_no_rows_have_no_front():
    assert pareto_front(np.zeros((0, 3))).tolist() == []


def test_rows_without_objectives_are_refused():
    with pytest.raises(ValueError, match="no rows of objectives"):
        pareto_front(np.zeros((3, 0)))


def test_ten_thousand_rows_of_three_objectives_compare_with_the_front_only():
    costs = np.random.default_rng(1).random((10_000, 3))
    front = pareto_front(costs)
    kept = costs[front]
    assert 10 < len(kept) < 500
    assert not any(np.all(kept <= row, axis=1).sum() > 1 for row in kept)  # none of the front beats another
    assert all(np.any(np.all(kept <= row, axis=1)) for row in costs[~front])  # all others are beaten by it
