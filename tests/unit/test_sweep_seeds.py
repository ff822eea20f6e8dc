"""Points that differ in the seed alone are one design: means over seeds with their intervals, fronts on means."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pimsim.cli import main
from pimsim.sweep import Inference, grid, load_study, mean_interval, run_sweep
from tests.sweep_tasks import small_sweep, wait_of

ACCURACY = {100: [0.90, 0.80, 0.70, 0.80], 101: [0.85, 0.86, 0.84, 0.85], 102: [0.60, 0.60, 0.60, 0.60]}


def accuracy(setting):
    """The design that waits 100 ns is lucky once; that which waits 101 ns is better on average."""
    if setting["inference"]["seed"] == 9:
        raise ZeroDivisionError("this seed fails")
    return {"latency_ns": 50.0, "accuracy": ACCURACY[wait_of(setting)][setting["inference"]["seed"]]}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return seeded(tmp_path_factory.mktemp("seeds"), [0, 1, 2, 3])


def seeded(folder, seeds):
    sweep = small_sweep(3, workloads=["mlp-digits"], inference=Inference("digits", images=5))
    axes = {"luck": grid("seed", seeds), **sweep.axes}
    run_sweep(small_sweep(3, workloads=["mlp-digits"], inference=sweep.inference, axes=axes), folder, workers=0,
              evaluate=accuracy)  # fmt: skip
    return folder


def test_the_luckiest_seed_is_not_on_the_front(study):
    found = load_study(study)
    assert found.front_designs(["latency_ns"], ["accuracy"]).tolist() == [False, True, False]
    on_front = found.front(["latency_ns"], ["accuracy"])
    assert {found.columns["wait_ns"][n] for n in np.flatnonzero(on_front)} == {101}
    assert on_front.sum() == 4


def test_the_table_has_means_and_their_intervals(study):
    found = load_study(study)
    row, = found.design_rows(np.array([True, False, False]), ["accuracy", "latency_ns"])
    low, high = stats.t.interval(0.95, 3, loc=0.8, scale=stats.sem(ACCURACY[100]))
    assert row == {"ordinal": 0, "workload": "mlp-digits", "system": "isaac-ce", "wait_ns": 100, "seeds": 4,
                   "accuracy": pytest.approx(0.8), "accuracy_interval95": pytest.approx((high - low) / 2),
                   "latency_ns": 50.0, "latency_ns_interval95": 0.0}  # fmt: skip


def test_a_seed_that_fails_is_left_out_of_the_mean(tmp_path):
    found = load_study(seeded(tmp_path, [0, 9, 1]))
    interval = found.interval("accuracy")
    assert interval.count.tolist() == [2, 2, 2]
    assert interval.mean[0] == pytest.approx(0.85)


def test_a_seed_that_is_there_twice_counts_once(tmp_path):
    assert load_study(seeded(tmp_path, [0, 1, 1])).interval("accuracy").count.tolist() == [2, 2, 2]


def test_pareto_tells_means_and_how_sure_they_are(study, capsys):
    command = ["pareto", str(study), "--minimize", "latency_ns", "--maximize", "accuracy"]
    assert main([*command, "--plot"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "0.85 +- 0.013" in told
    assert ("1 of 3 designs are on the front; means over seeds, +- half of the 95 % interval of the mean (Student's t)"
            in told)  # fmt: skip
    with open(study / "plots" / "pareto.csv", newline="") as table:
        row, = csv.DictReader(table)
    assert (row["wait_ns"], row["seeds"], float(row["accuracy"])) == ("101", "4", pytest.approx(0.85))
    assert main([*command, "--json"]) == 0
    row, = json.loads(capsys.readouterr().out)["points"]
    assert row["accuracy_interval95"] == pytest.approx(0.01299, abs=1e-5)


# intervals


def test_intervals_are_those_of_a_table():
    """t of 9 degrees of freedom at 97.5 % is 2.262."""
    found = mean_interval(np.arange(10.0))
    assert found.mean[0] == 4.5
    assert found.half_width[0] == pytest.approx(2.262157 * np.std(np.arange(10), ddof=1) / np.sqrt(10), rel=1e-6)


def test_one_value_has_no_interval_and_none_has_no_mean():
    found = mean_interval(np.array([3.0, np.nan, 1.0, 1.0]), np.array([0, 1, 2, 2]), 3)
    np.testing.assert_array_equal(found.mean, [3, np.nan, 1])
    np.testing.assert_array_equal(found.half_width, [np.nan, np.nan, 0])
    assert found.count.tolist() == [1, 0, 2]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-(10**9), 10**9).map(lambda n: n / 1000)), max_size=30))
def test_intervals_of_groups_are_those_of_each_group(pairs):
    group, values = np.array([g for g, _ in pairs], np.int64), np.array([v for _, v in pairs])
    found = mean_interval(values, group, 4)
    for each in range(4):
        own = values[group == each]
        assert found.count[each] == own.size
        if own.size:
            assert found.mean[each] == pytest.approx(own.mean(), abs=1e-6)
        if own.size > 1 and np.ptp(own):
            low, high = stats.t.interval(0.95, own.size - 1, loc=own.mean(), scale=stats.sem(own))
            assert 2 * found.half_width[each] == pytest.approx(high - low, rel=1e-6, abs=1e-6)
