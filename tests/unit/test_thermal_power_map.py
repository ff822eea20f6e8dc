"""Powers on rectangles become powers of cells; nothing is lost."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.errors import InputError
from pimsim.thermal import Conduction, PowerMap, stack_for_tiers, steady_state

WIDTH, DEPTH = 4e-3, 3e-3
GRID = Conduction(stack_for_tiers(2, WIDTH, DEPTH), 8, 6).grid


def power_map(*rectangles: tuple) -> PowerMap:
    """(x, y, width, depth, tier, power) each."""
    columns = list(zip(*rectangles, strict=True))
    return PowerMap(*(np.array(each) for each in columns))


def test_a_rectangle_of_whole_cells_fills_them_evenly() -> None:
    power = power_map((1e-3, 0.5e-3, 1e-3, 1.5e-3, 1, 6.0)).on(GRID)
    wanted = np.zeros((2, 6, 8))
    wanted[1, 1:4, 2:4] = 1.0
    assert power == pytest.approx(wanted, abs=1e-12)


def test_a_cell_gets_the_share_of_the_area_that_lies_on_it() -> None:
    power = power_map((0.25e-3, 0.0, 0.5e-3, 0.5e-3, 0, 4.0), (0.25e-3, 0.0, 0.5e-3, 2e-3, 0, 4.0)).on(GRID)
    assert power[0, 0, :3] == pytest.approx([2.5, 2.5, 0])
    assert power[0, 1:5, 0] == pytest.approx([0.5, 0.5, 0.5, 0])


@st.composite
def rectangles(draw: st.DrawFn) -> tuple:
    """Anywhere on the die, also much smaller than a cell."""
    ends = [sorted(draw(st.tuples(st.floats(0, 1), st.floats(0, 1)).filter(lambda pair: abs(pair[0] - pair[1]) > 1e-6)))
            for _ in range(2)]  # fmt: skip
    (left, right), (low, high) = ends
    return (left * WIDTH, low * DEPTH, (right - left) * WIDTH, (high - low) * DEPTH, draw(st.integers(0, 1)),
            draw(st.floats(0, 100)))  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(rectangles(), min_size=1, max_size=6))
def test_every_watt_arrives_on_its_tier_and_around_its_middle(chosen: list[tuple]) -> None:
    maps = power_map(*chosen)
    power = maps.on(GRID)
    for tier in (0, 1):
        wanted = sum(each[5] for each in chosen if each[4] == tier)
        assert power[tier].sum() == pytest.approx(wanted, rel=1e-12)
    assert power.min() >= 0 and maps.total_w == pytest.approx(power.sum(), rel=1e-12)
    for x, y, width, depth, tier, watts in chosen:
        alone = power_map((x, y, width, depth, tier, watts + 1)).on(GRID)[tier]
        middle = (alone.sum(axis=0) @ GRID.x.middles[GRID.x.die] / (watts + 1))
        assert abs(middle - (x + width / 2)) < WIDTH / 8 / 2 + 1e-9  # half a cell


def test_rounding_of_a_place_loses_nothing_of_a_tiny_rectangle() -> None:
    tiny = ((0.3 * place * WIDTH, 0.31 * place * DEPTH, 1e-12, 3e-13, 0, 1.0) for place in (1, 2, 3))
    power = power_map(*tiny).on(GRID)
    assert power.sum() == pytest.approx(3.0, rel=1e-12)


def test_no_rectangle_is_no_power() -> None:
    nothing = PowerMap(*(np.array([]) for _ in range(6)))
    assert nothing.on(GRID).sum() == 0


def test_power_maps_heat_a_stack() -> None:
    conduction = Conduction(stack_for_tiers(2, WIDTH, DEPTH), 8, 6)
    maps = power_map((0.0, 0.0, 1e-3, 1e-3, 0, 3.0))
    assert np.array_equal(steady_state(conduction, maps).power_w, maps.on(conduction.grid))
    assert steady_state(conduction, maps).hottest.x_m < 1e-3


@pytest.mark.parametrize(("rectangle", "words"), [
    ((3.5e-3, 0.0, 1e-3, 1e-3, 0, 1.0), "x_m[0]: the rectangle from 0.0035 to 0.0045 m is not on the die"),
    ((0.0, -1e-4, 1e-3, 1e-3, 0, 1.0), "y_m[0]"),
    ((0.0, 0.0, 1e-3, 1e-3, 2, 1.0), "tier[0]: is 2; allowed: 0 to 1"),
    ((0.0, 0.0, 1e-3, 1e-3, -1, 1.0), "tier[0]"),
    ((0.0, 0.0, 1e-3, 1e-3, 0.5, 1.0), "tier: is no whole number"),
    ((0.0, 0.0, 0.0, 1e-3, 0, 1.0), "width_m[0]: is 0"),
    ((0.0, 0.0, 1e-3, math.nan, 0, 1.0), "depth_m[0]: is nan"),
    ((math.inf, 0.0, 1e-3, 1e-3, 0, 1.0), "x_m[0]"),
    ((0.0, 0.0, 1e-3, 1e-3, 0, -1.0), "power_w[0]: is -1"),
    ((2e-3, 0.0, 1e-25, 1e-3, 0, 1.0), "too narrow"),
])  # fmt: skip
def test_what_a_rectangle_cannot_be_is_one_line(rectangle: tuple, words: str) -> None:
    with pytest.raises(InputError) as caught:
        power_map(rectangle).on(GRID)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_arrays_of_several_lengths_are_one_line() -> None:
    with pytest.raises(InputError, match="power_w: has another length"):
        PowerMap(*(np.ones(2) for _ in range(4)), tier=np.zeros(2, int), power_w=np.ones(3))
