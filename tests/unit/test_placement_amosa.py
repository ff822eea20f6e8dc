"""The rules of AMOSA, case by case: domination, archive, clustering, the point that is used."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimsim.config.placement import Amosa
from pimsim.mapping.placement.amosa import (
    BETTER,
    EITHER,
    WORSE,
    Kept,
    amosa,
    amount,
    archive_new,
    compare,
    find_ranges,
    is_dominated,
)
from pimsim.mapping.placement.archive import cluster, dominates, knee, least_weighted, undominated
from pimsim.mapping.placement.objectives import Objectives
from tests.unit.test_placement_search import grid, hotspot, traffic_of_matrix

points = st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=12)


def archive_of(*values: list[float], present: list[float], new: list[float]) -> Kept:
    """An archive of these values; placement n of it has tile 0 on site n."""
    m, room = len(present), 8
    value, place = np.zeros((room, m)), np.zeros((room, 2), np.int64)
    value[: len(values)] = np.array(values).reshape(-1, m)
    place[:, 0] = np.arange(room)
    return Kept(
        size=np.array([len(values)]), place=place, value=value, objective=np.arange(m),
        present=np.array(present, float), new=np.array(new, float), ranges=np.zeros(m), values=np.zeros(5),
        move=np.zeros(3, np.int64),
    )  # fmt: skip


def test_smaller_values_dominate():
    a, b = np.array([1.0, 2.0]), np.array([1.0, 3.0])
    assert is_dominated(b, a) and not is_dominated(a, b)
    assert not is_dominated(a, a)
    assert not is_dominated(np.array([0.0, 4.0]), a)


def test_amount_of_domination_leaves_out_equal_objectives():
    ranges = np.array([10.0, 4.0, 5.0])
    assert amount(np.array([1.0, 2.0, 3.0]), np.array([3.0, 3.0, 3.0]), ranges) == pytest.approx(2 / 10 * 1 / 4)


def test_ranges_span_archive_present_and_new():
    ranges = np.zeros(2)
    find_ranges(ranges, np.array([[1.0, 5.0], [2.0, 4.0], [99.0, 99.0]]), 2, np.array([0.5, 4.5]), np.array([1.5, 7.0]))
    assert ranges.tolist() == [1.5, 3.0]


def test_case_1_averages_over_the_archive_and_the_present_one():
    kept = archive_of([0, 0], [10, -10], present=[1, 1], new=[2, 3])
    verdict, archived, mean_dom, least_dom, nearest = compare(kept)
    by_archive, by_present = 2 / 10 * 3 / 13, 1 / 10 * 2 / 13
    assert (verdict, archived, nearest) == (WORSE, 1, 0)
    assert mean_dom == pytest.approx((by_archive + by_present) / 2)
    assert least_dom == pytest.approx(by_archive)


def test_case_2_averages_over_the_archive_alone():
    kept = archive_of([0, 0], [1, 0], present=[4, 1], new=[2, 2])
    verdict, archived, mean_dom, _, _ = compare(kept)
    assert (verdict, archived) == (EITHER, 2)
    assert mean_dom == pytest.approx((2 / 4 * 2 / 2 + 1 / 4 * 2 / 2) / 2)


def test_case_3_finds_the_archived_one_that_dominates_least():
    kept = archive_of([0, 0], [1, 1.5], present=[4, 4], new=[2, 2])
    verdict, archived, _, least_dom, nearest = compare(kept)
    assert (verdict, archived, nearest) == (BETTER, 2, 1)
    assert least_dom == pytest.approx(1 / 4 * 0.5 / 4)


def test_what_is_archived_drives_out_what_it_dominates():
    kept = archive_of([3, 3], [1, 5], [4, 2], present=[9, 9], new=[2, 2])
    archive_new(kept, np.array([7, 0]))
    assert kept.value[: kept.size[0]].tolist() == [[1, 5], [2, 2]]
    assert kept.place[: kept.size[0], 0].tolist() == [1, 7]


def test_equal_values_are_archived_once():
    kept = archive_of([3, 3], present=[9, 9], new=[3, 3])
    archive_new(kept, np.array([7, 0]))
    assert kept.size[0] == 1 and kept.place[0, 0] == 0


@given(points)
def test_what_is_left_dominates_all_else_and_nothing_in_it(values):
    array = np.array(values, float)
    left = undominated(array)
    for i in range(len(array)):
        better = [j for j in left if dominates(array[j], array[i])]
        assert (i in left) <= (not better)
        assert i in left or better or any(np.array_equal(array[i], array[j]) for j in left)


def test_clusters_are_joined_by_their_nearest_members_and_stand_by_their_middle():
    values = np.array([[0.0, 10.0], [1.0, 9.0], [2.0, 8.0], [9.0, 1.0], [10.0, 0.0]])
    assert cluster(values, 2).tolist() == [1, 3]
    assert cluster(values, 5).tolist() == [0, 1, 2, 3, 4]


@given(points, st.integers(1, 12))
def test_clustering_leaves_the_limit(values, limit):
    kept = cluster(np.array(values, float), limit)
    assert len(kept) == min(limit, len(values)) and len(set(kept.tolist())) == len(kept)


def test_the_knee_is_nearest_to_the_best_of_everything():
    assert knee(np.array([[0.0, 100.0], [1.0, 20.0], [5.0, 0.0]])) == 1


def test_weights_choose_relative_to_the_start():
    values = np.array([[1.0, 40.0], [2.0, 10.0]])
    start = Objectives(2.0, 1.0, 40.0, 1.0, 1.0)
    names = ("latency", "spread")
    assert least_weighted(names, values, start, Objectives(1, 0, 1, 0, 0)) == 1
    assert least_weighted(names, values, start, Objectives(4, 0, 1, 0, 0)) == 0


def test_the_result_is_a_pareto_set_within_the_limits():
    settings = Amosa(moves=4000, climb_moves=500, hard_limit=10, soft_limit=20)
    found = amosa(traffic_of_matrix(hotspot(16, 2)), grid((4, 4)), settings)
    assert found.archive is not None
    values = found.archive.values
    assert 1 < len(values) <= 10
    assert undominated(values).size == len(values)
    front = found.archive.front()
    assert list(front) == ["latency", "spread", "energy"]
    assert np.all(np.diff(front["latency"]) >= 0)
    assert np.array_equal(found.archive.places[found.archive.chosen], found.place)
