"""The closed form for placement."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from pimsim.errors import InputError
from pimsim.thermal import (
    Conduction,
    Layer,
    Stack,
    column_model,
    column_temperatures,
    stack_for_tiers,
    steady_state,
)

SIDE = 8e-3


def narrow() -> Stack:
    layers = [Layer("lid", 1e-4, 1.0, 1e6)]
    for name, conductivity in (("a", 130.0), ("b", 100.0), ("c", 60.0)):
        layers += [Layer(name, 1e-4, conductivity, 1e6, tier=True), Layer(f"{name} bond", 2e-5, 3.0, 1e6)]
    return Stack(tuple(layers), SIDE, SIDE, convection_resistance=0.7)


def cong(power: np.ndarray, tier: np.ndarray, foot: float) -> np.ndarray:
    """The formula of 2004, tier 1 at the sink, written out; (tiers, columns) rise."""
    tiers, columns = power.shape
    rise = np.zeros((tiers, columns))
    for n in range(columns):
        for k in range(1, tiers + 1):
            for i in range(1, k + 1):
                rise[k - 1, n] += power[i - 1, n] * sum(tier[j - 1] for j in range(1, i + 1)) + foot * power[i - 1, n]
    return rise


@pytest.mark.parametrize("share_package", [True, False])
def test_in_one_dimension_it_is_the_grid(share_package: bool) -> None:
    stack, columns = narrow(), 16
    of_tiers = np.array([3.0, 5.0, 2.0])
    conduction = Conduction(stack, 4, 4)
    power = of_tiers[:, None, None] * np.ones((3, 4, 4)) / columns
    found = steady_state(conduction, power)
    closed = column_temperatures(power.reshape(3, columns), column_model(stack, columns, share_package=share_package))
    assert closed == pytest.approx(found.temperature_k.reshape(3, columns), rel=1e-9)


@pytest.mark.parametrize("share_package", [True, False])
def test_even_power_on_a_package_is_near_the_grid(share_package: bool) -> None:
    stack = stack_for_tiers(3, SIDE, SIDE, bond_m=1e-4, tsv_fraction=0.5)  # bonds between tiers unlike the last one
    conduction = Conduction(stack, 16, 16)
    found = steady_state(conduction, np.full((3, 16, 16), 30 / 768)).tier_mean_k - 318.15
    model = column_model(stack, 64, share_package=share_package)
    closed = column_temperatures(np.full((3, 64), 30 / 192), model)[:, 0] - 318.15
    if share_package:
        assert closed == pytest.approx(found, rel=0.01)
    else:
        assert np.all(closed > found)  # a package as narrow as the die spreads nothing


def test_each_column_on_its_own_is_the_published_formula_for_the_farthest_tier() -> None:
    power = np.random.default_rng(1).random((3, 5))
    model = column_model(narrow(), 5, share_package=False)
    rise = column_temperatures(power, model) - 318.15
    published = cong(power[::-1], model.tier_resistance[::-1], model.foot_resistance)[::-1]
    assert rise[0] == pytest.approx(published[0])
    assert np.all(rise[1:] > published[1:] + 0.1)  # which leaves out the heat that comes through from above


def test_candidates_at_once_are_candidates_one_by_one() -> None:
    model = column_model(stack_for_tiers(4, SIDE, SIDE), 9)
    power = np.random.default_rng(2).random((2, 7, 4, 9))
    found = column_temperatures(power, model)
    assert found.shape == power.shape
    assert found[1, 3] == pytest.approx(column_temperatures(power[1, 3], model))


def test_it_ranks_placements_as_the_grid_does() -> None:
    """Peaks of 30 random placements of the same tiles: rank correlation, and height."""
    stack, generator = stack_for_tiers(4, 1e-2, 1e-2), np.random.default_rng(3)
    conduction, model = Conduction(stack, 16, 16), column_model(stack, 16)
    tiles, peaks = np.concatenate([np.full(16, 2.0), np.full(48, 0.3)]), []
    for _ in range(30):
        power = generator.permutation(tiles).reshape(4, 4, 4)
        grid = steady_state(conduction, np.kron(power, np.ones((1, 4, 4))) / 16).temperature_k
        means = grid.reshape(4, 4, 4, 4, 4).mean(axis=(2, 4))
        peaks.append((means.max() - 318.15, column_temperatures(power.reshape(4, 16), model).max() - 318.15))
    by_grid, closed = np.array(peaks).T
    ranks = [np.argsort(np.argsort(each)) for each in (by_grid, closed)]
    assert np.corrcoef(*ranks)[0, 1] > 0.6
    assert np.all((closed > by_grid) & (closed < 1.3 * by_grid))  # columns that exchange no heat are hotter


def test_the_board_is_left_out() -> None:
    stack = stack_for_tiers(2, SIDE, SIDE)
    model = column_model(replace(stack, board_resistance=5.0), 4)
    assert model.shared_resistance == pytest.approx(column_model(stack, 4).shared_resistance)


def test_wrong_columns_are_one_line() -> None:
    stack = stack_for_tiers(2, SIDE, SIDE)
    for columns in (0, 2.5, True):
        with pytest.raises(InputError, match="columns"):
            column_model(stack, columns)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a column needs a way to the sink"):
        column_model(replace(stack, convection_resistance=math.inf, board_resistance=1.0), 4)
    for power in (np.ones(2), np.ones((3, 4))):
        with pytest.raises(InputError, match="power_w"):
            column_temperatures(power, column_model(stack, 4))
