"""Temperatures in time."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from pimsim.errors import InputError
from pimsim.thermal import Conduction, Layer, Stack, stack_for_tiers, steady_state, transient_response
from pimsim.thermal.transient import _steps

TAU = 10.0 * 2.0  #: of the lumped stack [s]


def lumped() -> Conduction:
    """One resistance of 10 K/W, one capacity of 2 J/K: a film that holds no heat on a face that does."""
    film = Layer("film", 1e-9, 400.0, 1.0, tier=True)
    return Conduction(Stack((film,), 1e-3, 1e-3, convection_resistance=10.0, convection_capacity=2.0), 1, 1)


def small() -> Conduction:
    layers = (Layer("die", 2e-4, 130.0, 1.6e6, tier=True), Layer("bond", 5e-5, 2.0, 4e6),
              Layer("plate", 1e-3, 400.0, 3.5e6, width_m=4e-3, depth_m=3e-3))  # fmt: skip
    return Conduction(Stack(layers, 2e-3, 2e-3, convection_resistance=20.0, convection_capacity=0.05), 3, 2)


def test_one_resistance_and_capacity_heat_up_exponentially() -> None:
    times = np.linspace(0, 100, 21)
    found = transient_response(lumped(), [100.0], [np.full((1, 1, 1), 3.0)], times)
    exact = 318.15 + 30 * (1 - np.exp(-times / TAU))
    assert found.temperature_k[:, 0, 0, 0] == pytest.approx(exact, abs=1e-3 * 30)
    assert found.temperature_k[0, 0, 0, 0] == 318.15


def test_heating_and_cooling_follow_the_powers() -> None:
    times = np.array([5.0, 30.0, 35.0, 90.0])
    found = transient_response(lumped(), [30.0, 60.0], [np.full((1, 1, 1), 3.0), np.zeros((1, 1, 1))], times)
    top = 30 * (1 - math.exp(-30 / TAU))
    exact = [30 * (1 - math.exp(-5 / TAU)), top, top * math.exp(-5 / TAU), top * math.exp(-60 / TAU)]
    assert found.temperature_k.ravel() == pytest.approx(318.15 + np.array(exact), abs=1e-3 * 30)


def test_equal_steps_are_of_second_order() -> None:
    exact = 30 * (1 - math.exp(-20 / TAU))
    errors = []
    for step in (4.0, 2.0, 1.0):
        found = transient_response(lumped(), [20.0], [np.full((1, 1, 1), 3.0)], [20.0], growth=1, first_step_s=step)
        assert found.steps == 20 / step
        errors.append(abs(found.temperature_k.item() - 318.15 - exact))
    assert np.log2([a / b for a, b in pairwise(errors)]) == pytest.approx([2, 2], abs=0.15)


def test_a_grid_follows_the_exponential_of_its_matrix() -> None:
    """C d rise / dt = heat - G rise, solved exactly by the matrix exponential."""
    conduction = small()
    grid, power = conduction.grid, np.random.default_rng(1).random(conduction.grid.shape)
    steady = steady_state(conduction, power).rise_k
    decay = grid.conductance.toarray() / grid.capacity[:, None]
    times = np.array([1e-3, 1e-2, 0.1, 1.0, 10.0])
    found = transient_response(conduction, [10.0], [power], times)
    exact = [grid.of_tiers(steady - expm(-decay * time) @ steady) for time in times]
    assert found.temperature_k - 318.15 == pytest.approx(np.array(exact), abs=2e-3 * steady.max())
    assert exact[0].max() < 0.2 * exact[-1].max()  # it does change between them


def test_the_end_of_a_long_transient_is_the_steady_state() -> None:
    conduction = Conduction(stack_for_tiers(2, 6e-3, 6e-3), 6, 6)
    power = np.random.default_rng(2).random(conduction.grid.shape)
    steady = steady_state(conduction, power)
    found = transient_response(conduction, [1e4], [power], [1.0, 1e4])
    assert found.temperature_k[-1] == pytest.approx(steady.temperature_k, abs=1e-4 * (steady.tier_max_k[0] - 318))
    assert found.temperature_k[0].max() < steady.temperature_k.max() - 5
    stays = transient_response(conduction, [50.0], [power], [0.0, 10.0, 50.0], start_rise_k=steady.rise_k)
    assert stays.temperature_k == pytest.approx(np.array([steady.temperature_k] * 3), abs=1e-5)


def test_what_is_heated_warms_up_all_the_time_and_never_overshoots() -> None:
    conduction = small()
    power = np.zeros(conduction.grid.shape)
    power[0, 0, 0] = 2.0
    steady = steady_state(conduction, power).temperature_k
    found = transient_response(conduction, [20.0], [power], np.geomspace(1e-4, 20, 60)).temperature_k
    assert np.all(np.diff(found, axis=0) > -1e-6)
    assert np.all(found <= steady + 1e-6)


def test_a_transient_goes_on_where_another_ended() -> None:
    conduction = small()
    power = np.random.default_rng(3).random(conduction.grid.shape)
    options = {"growth": 1, "first_step_s": 0.01}
    whole = transient_response(conduction, [0.2], [power], [0.1, 0.2], **options)
    first = transient_response(conduction, [0.1], [power], [0.1], **options)
    second = transient_response(conduction, [0.1], [power], [0.1], start_rise_k=first.rise_k, **options)
    assert first.temperature_k[0] == pytest.approx(whole.temperature_k[0], rel=1e-9)
    assert second.temperature_k[0] == pytest.approx(whole.temperature_k[1], rel=1e-9)
    two = transient_response(conduction, [0.1, 0.1], [power, power], [0.2], **options)
    assert two.temperature_k[0] == pytest.approx(whole.temperature_k[1], rel=1e-9)


def test_stored_heat_is_what_came_in_and_has_not_left() -> None:
    """Implicit steps conserve heat exactly: over one step of no loss, C rise = power x time."""
    layer = Layer("die", 1e-3, 100.0, 2e6, tier=True)
    stack = Stack((layer,), 1e-3, 1e-3, convection_resistance=1e9, convection_capacity=0.0)
    conduction = Conduction(stack, 3, 3)
    power = np.random.default_rng(4).random(conduction.grid.shape)
    found = transient_response(conduction, [1e-3], [power], [1e-3])
    assert conduction.grid.capacity @ found.rise_k == pytest.approx(1e-3 * power.sum(), rel=1e-6)


@settings(max_examples=200, deadline=None)
@given(
    st.floats(1e-6, 1e4), st.lists(st.floats(0.001, 0.999), max_size=5, unique=True), st.floats(1e-4, 3),
    st.sampled_from([1.0, 1.2, 2.0]),
)  # fmt: skip
def test_steps_end_on_every_time_asked_for(duration: float, stops: list, first: float, growth: float) -> None:
    ends = np.sort(np.array(stops)) * duration
    lengths, at = _steps(duration, ends, first * duration, growth, 10**6)
    reached = np.cumsum(lengths)
    assert reached[-1] == pytest.approx(duration, rel=1e-9)
    assert lengths.min() > 0
    assert [reached[place] for place in np.flatnonzero(at >= 0)] == pytest.approx(list(ends), rel=1e-6)
    assert list(at[at >= 0]) == list(range(len(ends)))
    assert lengths[0] <= first * duration * (1 + 1e-9) or len(lengths) == 1


@pytest.mark.parametrize(("change", "words"), [
    ({"durations_s": []}, "durations_s"),
    ({"durations_s": [0.0]}, "durations_s"),
    ({"durations_s": [1.0, 1.0]}, "powers: 1 powers for 2 intervals"),
    ({"times_s": []}, "times_s"),
    ({"times_s": [0.5, 0.5]}, "times_s: is no increasing row"),
    ({"times_s": [2.0]}, "allowed: 0 to 1 s"),
    ({"times_s": [math.nan]}, "times_s"),
    ({"growth": 0.9}, "growth: is 0.9"),
    ({"first_step_s": 0.0}, "first_step_s: is 0.0"),
    ({"growth": 1, "first_step_s": 1e-9}, "too many steps"),
    ({"start_rise_k": np.zeros(3)}, "start_rise_k"),
    ({"powers": [np.ones((2, 2))]}, "power_w"),
])  # fmt: skip
def test_what_a_transient_cannot_be_is_one_line(change: dict, words: str) -> None:
    given_ = {"durations_s": [1.0], "powers": [np.ones((1, 1, 1))], "times_s": [1.0], **change}
    with pytest.raises(InputError) as caught:
        transient_response(lumped(), **given_)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_too_many_temperatures_to_keep_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pimsim.thermal.transient.MOST_VALUES", 1)
    with pytest.raises(InputError, match="too many to keep"):
        transient_response(lumped(), [1.0], [np.ones((1, 1, 1))], [0.5, 1.0])
