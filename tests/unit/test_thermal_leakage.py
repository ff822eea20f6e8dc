"""Leakage that grows with temperature."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from pimsim.errors import InputError
from pimsim.thermal import Conduction, Layer, Stack, exponential_leakage, fixed_point, stack_for_tiers, steady_state

FILM = Layer("film", 1e-9, 400.0, 1.0, tier=True)


def one_resistance(kelvin_per_watt: float) -> Conduction:
    return Conduction(Stack((FILM,), 1e-2, 1e-2, convection_resistance=kelvin_per_watt, ambient_k=300.0), 1, 1)


def cell(watts: float) -> np.ndarray:
    return np.full((1, 1, 1), watts)


def test_linear_leakage_is_the_geometric_series() -> None:
    """P = 10 + 0.5 (T - 300), R = 1 K/W: T - 300 = 10 / (1 - 0.5), and the loop gain is 0.5."""
    found = fixed_point(one_resistance(1.0), lambda kelvin: 10 + 0.5 * (kelvin - 300), tolerance_k=1e-6)
    assert found.temperatures.temperature_k.item() == pytest.approx(320, abs=1e-4)
    assert found.loop_gain == pytest.approx(0.5, abs=1e-3)
    assert found.change_k < 1e-6


def test_exponential_leakage_is_the_cooler_root() -> None:
    leak = exponential_leakage(cell(20.0), cell(5.0), reference_k=300.0, doubling_k=25.0)
    found = fixed_point(one_resistance(1.0), leak, tolerance_k=1e-5)
    resistance = 1.0  # the film has none
    cooler = brentq(lambda rise: resistance * (20 + 5 * 2 ** (rise / 25)) - rise, 0, 40)
    assert found.temperatures.temperature_k.item() - 300 == pytest.approx(cooler, abs=1e-3)


def test_a_fixed_point_is_one() -> None:
    conduction = Conduction(stack_for_tiers(3, 6e-3, 6e-3), 6, 6)
    power = np.random.default_rng(1).random(conduction.grid.shape) * 0.2
    leak = exponential_leakage(power, 0.2 * power, reference_k=318.15, doubling_k=25.0)
    found = fixed_point(conduction, leak, tolerance_k=1e-4)
    again = steady_state(conduction, leak(found.temperatures.temperature_k))
    assert again.temperature_k == pytest.approx(found.temperatures.temperature_k, abs=2e-4)
    without = steady_state(conduction, power)
    assert np.all(found.temperatures.temperature_k > without.temperature_k + 1)
    hotter = (found.temperatures.power_w / power)[:, 3, 3]
    assert hotter[0] > hotter[1] > hotter[2] > 1.2  # far tiers are hotter and leak more


def test_constant_power_needs_two_rounds() -> None:
    found = fixed_point(one_resistance(1.0), lambda kelvin: np.full_like(kelvin, 7.0))
    assert (found.iterations, found.loop_gain) == (2, 0)
    assert found.temperatures.temperature_k.item() == pytest.approx(307, abs=1e-3)


def test_runaway_is_one_line_that_names_the_tier() -> None:
    conduction = Conduction(stack_for_tiers(3, 6e-3, 6e-3), 4, 4)
    power = np.full(conduction.grid.shape, 0.2)
    hottest = steady_state(conduction, power).hottest.temperature_k
    with pytest.raises(InputError, match=rf"in iteration 1 tier 0 reached {hottest:.4g} K with 9\.6 W on the chip"):
        fixed_point(conduction, lambda _: power, limit_k=hottest - 0.1)


def test_runaway_is_one_line() -> None:
    leak = exponential_leakage(cell(20.0), cell(5.0), reference_k=300.0, doubling_k=10.0)
    with pytest.raises(InputError) as caught:
        fixed_point(one_resistance(1.0), leak)
    assert "thermal runaway: no steady state below 500 K; in iteration" in str(caught.value)
    assert "the stack reached" in str(caught.value) and "\n" not in str(caught.value)
    fixed_point(one_resistance(0.4), leak)  # a better heat sink does hold it


def test_what_is_hotter_than_the_limit_has_run_away() -> None:
    conduction = one_resistance(1.0)
    assert fixed_point(conduction, lambda kelvin: 20 + 0 * kelvin, limit_k=321.0).iterations == 2
    with pytest.raises(InputError, match="below 319 K; in iteration 1 the stack reached 320 K or more with 20 W"):
        fixed_point(conduction, lambda kelvin: 20 + 0 * kelvin, limit_k=319.0)


@pytest.mark.parametrize("doubling_k", [1e-300, 0.01, 0.2, 0.3])  # 160 K above the reference: up to 2^16,000 times
@pytest.mark.filterwarnings("error")
def test_a_power_without_bound_is_runaway(doubling_k: float) -> None:
    leak = exponential_leakage(cell(400.0), cell(1.0), reference_k=300.0, doubling_k=doubling_k)
    with pytest.raises(InputError, match="thermal runaway: no steady state below 500 K; in iteration 2 the stack"):
        fixed_point(one_resistance(0.4), leak)


@pytest.mark.filterwarnings("error")
def test_what_leaks_nothing_does_so_at_any_temperature() -> None:
    """160 K above the reference, which would be 2^16,000 times any leakage."""
    leak = exponential_leakage(cell(400.0), cell(0.0), reference_k=300.0, doubling_k=0.01)
    found = fixed_point(one_resistance(0.4), leak)
    assert found.temperatures.temperature_k.item() == pytest.approx(460, abs=1e-3)


def test_a_loop_that_swings_is_one_line() -> None:
    with pytest.raises(InputError, match="no fixed point of power and temperature in 30 iterations"):
        fixed_point(one_resistance(1.0), lambda kelvin: np.where(kelvin > 310, 5.0, 20.0), most_iterations=30)


@pytest.mark.parametrize(("options", "words"), [
    ({"tolerance_k": 0.0}, "tolerance_k: is 0.0"),
    ({"limit_k": 300.0}, "limit_k"),
    ({"most_iterations": 0}, "most_iterations"),
])  # fmt: skip
def test_wrong_options_are_one_line(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        fixed_point(one_resistance(1.0), lambda kelvin: kelvin * 0, **options)


@pytest.mark.parametrize("power", [-1.0, math.nan])
def test_a_power_that_cannot_be_is_one_line(power: float) -> None:
    with pytest.raises(InputError, match="power_w"):
        fixed_point(one_resistance(1.0), lambda kelvin: np.full_like(kelvin, power))
    with pytest.raises(InputError, match="doubling_k"):
        exponential_leakage(cell(1.0), cell(1.0), reference_k=300.0, doubling_k=power)
