"""Iterations that were not simulated end where a run that simulates them all says, within the stated error."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings

from pimsim.arch.run import run_compiled
from pimsim.arch.steady import LOOK_BACK, Extrapolation, extrapolate
from pimsim.mapping.program import Program
from pimsim.simulation import map_workload
from tests.differential.test_engine_equals_reference import RANDOM
from tests.differential.training_cases import TrainingCase, training_cases

FEW, MANY = 3, 10


def ends(program: Program, iterations: int) -> np.ndarray:
    return run_compiled(program, program.batch * iterations).image_done_ps


def test_random_trainings_end_where_three_iterations_say():
    """Nearly all to the picosecond, with an error of zero stated."""
    seen: Counter[str] = Counter()

    @settings(RANDOM, max_examples=40)
    @given(training_cases())
    def check(case: TrainingCase) -> None:
        program = case.program()
        found, last = extrapolate(ends(program, FEW), MANY), int(ends(program, MANY)[-1])
        if found is None:
            seen["not steady"] += 1
            return
        assert abs(found.done_ps_of_last - last) <= found.error_ps
        seen["exact"] += found.error_ps == 0
        seen["steady"] += 1

    check()
    assert seen["exact"] >= 32 and seen["not steady"] <= 2, seen


def test_ten_iterations_of_a_residual_network_from_three():
    keys = ["mapping.replication=none"]
    program = map_workload("resnet20-cifar", "hetero-3d", mode="train", batch=2, overrides=keys)
    found, last = extrapolate(ends(program, FEW), MANY), int(ends(program, MANY)[-1])
    assert found is not None
    assert abs(found.done_ps_of_last - last) <= found.error_ps <= last / 1000


class TestBound:
    """Ends of iterations as somebody might see them."""

    def test_equal_intervals_go_on(self):
        assert extrapolate(np.array([130, 230, 330]), 10) == Extrapolation(330 + 700, 100, 0)

    def test_the_last_interval_ends_the_longer_run_too(self):
        """Four iterations of 1,000, and the last, which nobody follows, of 998: seven more are of 1,000 each."""
        found = extrapolate(np.array([1300, 2300, 3300, 4300, 5298]), 12)
        assert found == Extrapolation(5298 + 7 * 1000, 1000, 7 * 2)

    def test_the_error_grows_with_what_is_not_simulated(self):
        few, many = (extrapolate(np.array([1000, 2000, 3001, 4000]), n) for n in (5, 14))
        assert (few.error_ps, many.error_ps) == (2, 20)

    def test_the_beginning_is_forgotten(self):
        times = np.cumsum([5000, 700, *[1000] * LOOK_BACK])
        assert extrapolate(times, 100).error_ps == 0

    @pytest.mark.parametrize("times", [[10], [10, 20], [1000, 2000, 3011]])
    def test_too_few_or_unlike_iterations_are_not_steady(self, times):
        assert extrapolate(np.array(times), 10) is None

    def test_what_was_simulated_is_not_extrapolated(self):
        assert extrapolate(np.array([10, 20, 30]), 3) == Extrapolation(30, 10, 0)
        with pytest.raises(ValueError, match="2 iterations from a run of 3"):
            extrapolate(np.array([10, 20, 30]), 2)
