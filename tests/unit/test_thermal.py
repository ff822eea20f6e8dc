"""The steady state of a stack: what can be worked out by hand, and what holds for every stack."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import spsolve

from pimsim.errors import InputError
from pimsim.thermal import Conduction, Layer, Stack, stack_for_tiers, steady_state
from pimsim.thermal.materials import COPPER, INTERFACE, SILICON, Material, with_vias

SIDE = 8e-3


def narrow(*layers: Layer, **others: float) -> Stack:
    """Layers as wide as the die: one dimension where power is even."""
    return Stack(layers, SIDE, SIDE, **{"convection_resistance": 0.5, **others})


def silicon(name: str = "die", **others: object) -> Layer:
    return Layer(name, 150e-6, 130.0, 1.63e6, **{"tier": True, **others})  # type: ignore[arg-type]


def bond(name: str = "bond") -> Layer:
    return Layer(name, 20e-6, 4.0, 4e6)


def even(conduction: Conduction, *tier_w: float) -> np.ndarray:
    """(tiers, y, x) powers spread evenly."""
    _, rows, columns = conduction.grid.shape
    return np.array(tier_w)[:, None, None] * np.ones((rows, columns)) / (rows * columns)


def test_one_uniform_layer_is_the_one_dimensional_solution() -> None:
    conduction = Conduction(narrow(silicon()), 7, 5)
    found = steady_state(conduction, even(conduction, 30.0))
    by_hand = 318.15 + 30 * (0.5 + 150e-6 / (130 * SIDE**2))
    assert found.temperature_k == pytest.approx(np.full((1, 5, 7), by_hand), rel=1e-9)


def test_tiers_in_one_dimension_carry_the_heat_of_those_farther_away() -> None:
    conduction = Conduction(narrow(silicon("a"), bond("1"), silicon("b", slices=3), bond("2")), 4, 4)
    found = steady_state(conduction, even(conduction, 10.0, 20.0))
    tier, glue = 150e-6 / (130 * SIDE**2), 20e-6 / (4 * SIDE**2)
    near = 318.15 + 30 * (0.5 + glue + tier)
    assert found.tier_mean_k == pytest.approx([near + 10 * (tier + glue), near], rel=1e-9)


def test_heat_divides_between_sink_and_board_as_their_resistances_say() -> None:
    stack = narrow(silicon(), board_resistance=2.0, convection_resistance=0.5)
    conduction = Conduction(stack, 3, 3)
    found = steady_state(conduction, even(conduction, 10.0))
    to_sink = 0.5 + 150e-6 / (130 * SIDE**2)  # heat is made on the board's side
    assert found.to_board_w == pytest.approx(10 * to_sink / (to_sink + 2), rel=1e-9)
    assert found.to_sink_w == pytest.approx(10 * 2 / (to_sink + 2), rel=1e-9)


def test_board_alone_cools_when_there_is_no_convection() -> None:
    conduction = Conduction(narrow(silicon(), convection_resistance=math.inf, board_resistance=3.0), 3, 3)
    found = steady_state(conduction, even(conduction, 2.0))
    assert found.tier_max_k == pytest.approx([318.15 + 6], rel=1e-9)


def test_a_hot_strip_falls_off_as_a_fin_does() -> None:
    """A thin layer with convection is a fin: T'' = m^2 (T - air), m^2 = h / (k t); heated at one end: cosh."""
    thickness, conductivity, resistance = 2e-6, 200.0, 1e3
    stack = narrow(Layer("fin", thickness, conductivity, 1e6, tier=True), convection_resistance=resistance)
    conduction = Conduction(stack, 256, 1)
    power = np.zeros((1, 1, 256))
    power[0, 0, 0] = 1e-3
    rise = steady_state(conduction, power).temperature_k[0, 0] - 318.15
    m = math.sqrt(1 / (resistance * SIDE**2) / (conductivity * thickness))
    x = conduction.grid.x.middles
    fin = 1e-3 / (conductivity * thickness * SIDE * m) * np.cosh(m * (SIDE - x)) / math.sinh(m * SIDE)
    assert m * SIDE > 1  # it does fall off
    assert rise[1:] == pytest.approx(fin[1:], rel=2e-3)


def test_the_tier_farthest_from_the_sink_is_the_hottest() -> None:
    conduction = Conduction(stack_for_tiers(4, SIDE, SIDE), 16, 16)
    found = steady_state(conduction, even(conduction, 5.0, 5.0, 5.0, 5.0))
    assert np.all(np.diff(found.tier_max_k) < -0.05)
    assert found.hottest.tier == 0


def test_a_symmetric_power_gives_a_symmetric_map() -> None:
    conduction = Conduction(stack_for_tiers(2, SIDE, SIDE), 12, 12)
    power = np.zeros(conduction.grid.shape)
    power[0, 2:4, 2:4] = power[0, -4:-2, 2:4] = power[0, 2:4, -4:-2] = power[0, -4:-2, -4:-2] = 0.5
    found = steady_state(conduction, power).temperature_k
    for turned in (found[:, ::-1], found[:, :, ::-1], found.transpose(0, 2, 1)):
        assert turned == pytest.approx(found, abs=1e-7)
    power[0, 2, 2] += 0.5
    lopsided = steady_state(conduction, power).temperature_k
    assert abs(lopsided - lopsided[:, ::-1]).max() > 0.1


def test_the_hottest_spot_is_where_power_is() -> None:
    conduction = Conduction(stack_for_tiers(2, 8e-3, 4e-3), 16, 8)
    power = np.zeros(conduction.grid.shape)
    power[1, 6, 3] = 4.0
    spot = steady_state(conduction, power).hottest
    assert (spot.tier, spot.x_m, spot.y_m) == (1, pytest.approx(1.75e-3), pytest.approx(3.25e-3))


def test_heat_out_is_power_in_with_package_and_board() -> None:
    stack = stack_for_tiers(3, SIDE, 5e-3, board_resistance=8.0)
    conduction = Conduction(stack, 20, 14)
    found = steady_state(conduction, np.random.default_rng(2).random(conduction.grid.shape))
    assert abs(found.imbalance) < 1e-9
    assert found.to_board_w > 0.01 * found.to_sink_w > 0


def test_preconditioned_gradients_are_the_sparse_factorisation() -> None:
    layers = stack_for_tiers(2, SIDE, 5e-3, tsv_fraction=0.05, board_resistance=10.0).layers
    substrate = Layer("substrate", 1e-3, 0.5, 1.6e6, width_m=0.021, depth_m=0.03, slices=2)
    conduction = Conduction(Stack((substrate, *layers), SIDE, 5e-3, board_resistance=10.0), 13, 9)
    power = np.random.default_rng(3).random(conduction.grid.shape)
    found = steady_state(conduction, power)
    exact = spsolve(conduction.grid.conductance.tocsc(), conduction.nodes_of(power))
    assert found.rise_k == pytest.approx(exact, abs=1e-8 * exact.max())
    assert found.iterations < 120


def test_without_overhanging_layers_the_preconditioner_is_the_answer() -> None:
    conduction = Conduction(narrow(silicon("a"), bond(), silicon("b")), 20, 20)
    assert steady_state(conduction, np.random.default_rng(4).random((2, 20, 20))).iterations <= 2


@pytest.mark.parametrize("side", [None, 3 * SIDE], ids=["narrow", "with a plate"])
def test_a_finer_grid_converges_with_second_order(side: float | None) -> None:
    """Layers thicker than cells, a rectangle that no grid cuts: the mean rise over it, on 8 to 128 cells."""
    plate = Layer("plate", 4e-3, 300.0, 1e6, width_m=side, depth_m=side, slices=2)
    stack, values = narrow(replace(silicon(slices=2), thickness_m=3e-3), plate), []
    for cells in (16, 32, 64, 128):
        conduction = Conduction(stack, cells, cells)
        part, power = cells // 8, np.zeros(conduction.grid.shape)
        power[0, part : 3 * part, part : 2 * part] = 10 / (2 * part * part)
        found = steady_state(conduction, power).temperature_k
        values.append(found[0, part : 3 * part, part : 2 * part].mean() - 318.15)
    steps = np.diff(values)
    assert np.log2(steps[:-1] / steps[1:]) == pytest.approx([2, 2], abs=0.35)
    assert abs(steps[-1]) < 5e-3 * values[-1]


def test_thinner_slices_converge_with_second_order() -> None:
    """One thick layer, heated in a corner: far_share 0.5 is of second order, HotSpot's 1 of first."""

    def hottest(slices: int, far_share: float) -> float:
        layer = replace(silicon(slices=slices), thickness_m=2e-3)
        conduction = Conduction(narrow(layer), 8, 8, far_share=far_share)
        power = np.zeros((1, 8, 8))
        power[0, :2, :2] = 1.0
        return steady_state(conduction, power).temperature_k.max()

    for far_share, order in ((0.5, 2), (1.0, 1)):
        steps = np.diff([hottest(slices, far_share) for slices in (4, 8, 16, 32)])
        assert np.log2(steps[:-1] / steps[1:]) == pytest.approx([order, order], abs=0.25)


lengths = st.floats(1e-5, 1e-3)
layers = st.builds(
    Layer, name=st.just("x"), thickness_m=lengths, conductivity=st.floats(0.3, 400), heat_capacity=st.floats(1e6, 4e6),
    tier=st.booleans(), lateral_conductivity=st.none() | st.floats(0.3, 400), slices=st.integers(1, 3),
)  # fmt: skip


@st.composite
def stacks(draw: st.DrawFn) -> Stack:
    """Any layers on any dies, some as wide as a package."""
    chosen = [replace(draw(layers), tier=True), *draw(st.lists(layers, max_size=4))]
    chosen = [each if each.tier or not draw(st.booleans()) else replace(each, width_m=draw(st.floats(4e-3, 3e-2)),
              depth_m=draw(st.floats(4e-3, 3e-2))) for each in draw(st.permutations(chosen))]  # fmt: skip
    resistance = st.floats(0.05, 50) | st.just(math.inf)
    sink, board = draw(resistance), draw(resistance)
    return Stack(tuple(chosen), draw(st.floats(1e-3, 4e-3)), draw(st.floats(1e-3, 4e-3)),
                 convection_resistance=1.0 if math.isinf(board) else sink, board_resistance=board)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(stacks(), st.integers(1, 7), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_any_stack_is_linear_reciprocal_and_loses_no_heat(stack: Stack, x_cells: int, y_cells: int, seed: int) -> None:
    conduction = Conduction(stack, x_cells, y_cells)
    shape, generator = conduction.grid.shape, np.random.default_rng(seed)
    one, other = generator.random(shape), generator.random(shape) * (generator.random(shape) < 0.3)
    rises = [steady_state(conduction, power) for power in (one, other, 2 * one + 3 * other)]
    assert abs(rises[0].imbalance) < 1e-8
    assert rises[0].temperature_k.min() > stack.ambient_k
    of_sum = 2 * rises[0].rise_k + 3 * rises[1].rise_k
    assert rises[2].rise_k == pytest.approx(of_sum, abs=1e-7 * of_sum.max())
    places = [np.unravel_index(place, shape) for place in generator.integers(0, math.prod(shape), 2)]
    felt, own = [], []
    for here, there in (places, places[::-1]):
        power = np.zeros(shape)
        power[here] = 1.0
        rise = steady_state(conduction, power).temperature_k - stack.ambient_k
        felt.append(rise[there])
        own.append(rise[here])
    assert felt[0] == pytest.approx(felt[1], abs=1e-7 * max(own))
    assert own[0] >= felt[1] * (1 - 1e-7) and own[1] >= felt[0] * (1 - 1e-7)  # nowhere hotter than where heat is made


@settings(max_examples=40, deadline=None)
@given(stacks(), st.integers(1, 6), st.integers(1, 6))
def test_the_equations_are_symmetric_and_nothing_but_the_air_takes_heat(stack: Stack, x: int, y: int) -> None:
    grid = Conduction(stack, x, y).grid
    assert abs(grid.conductance - grid.conductance.T).max() == 0
    taken = grid.conductance @ np.ones(grid.nodes)
    scale = grid.conductance.diagonal().max()
    assert taken == pytest.approx(grid.to_sink_air + grid.to_board_air, abs=1e-12 * scale)
    conductance = sum(1 / each for each in (stack.convection_resistance, stack.board_resistance))
    assert (grid.to_sink_air + grid.to_board_air).sum() == pytest.approx(conductance, rel=1e-12)
    capacity = sum(layer.heat_capacity * layer.thickness_m * math.prod(stack.size_of(layer)) for layer in stack.layers)
    assert grid.capacity.sum() == pytest.approx(capacity + stack.convection_capacity + stack.board_capacity, rel=1e-6)


def test_a_bonding_layer_with_vias_conducts_as_mixed() -> None:
    mixed, along = with_vias(INTERFACE, COPPER, 0.1)
    assert mixed.conductivity == pytest.approx(0.1 * 400 + 0.9 * 4)
    assert INTERFACE.conductivity < along < mixed.conductivity
    assert along == pytest.approx(4 * (404 + 0.1 * 396) / (404 - 0.1 * 396))
    assert with_vias(INTERFACE, COPPER, 0.0) == (INTERFACE, 4.0)
    assert with_vias(INTERFACE, COPPER, 1.0) == (COPPER, pytest.approx(400.0))
    assert with_vias(Material(2.0, 1e6), Material(2.0, 3e6), 0.5) == (Material(2.0, 2e6), 2.0)


def test_vias_cool_the_far_tiers_only() -> None:
    found = []
    for share in (0.0, 0.1):
        conduction = Conduction(stack_for_tiers(3, SIDE, SIDE, tsv_fraction=share), 8, 8)
        found.append(steady_state(conduction, even(conduction, 10.0, 10.0, 10.0)).tier_mean_k)
    cooled = found[0] - found[1]
    assert cooled[0] > 1.4 * cooled[1] > 0.5
    assert cooled[2] == pytest.approx(0, abs=0.01 * cooled[0])


def test_the_stack_of_tiers_is_hotspots_order() -> None:
    stack = stack_for_tiers(2, SIDE, SIDE)
    assert [layer.name for layer in stack.layers] == ["tier 0", "bond 0", "tier 1", "interface", "spreader", "sink"]
    assert [layer.tier for layer in stack.layers] == [True, False, True, False, False, False]
    assert stack.layers[0].conductivity == SILICON.conductivity and stack.size_of(stack.layers[-1]) == (0.06, 0.06)


@pytest.mark.parametrize(("change", "words"), [
    ({"convection_resistance": math.inf}, "no heat path"),
    ({"width_m": -1.0}, "width_m: is -1.0"),
    ({"depth_m": math.nan}, "depth_m"),
    ({"ambient_k": 0}, "ambient_k: is 0"),
    ({"convection_resistance": 0.0}, "convection_resistance: is 0.0"),
    ({"convection_capacity": math.inf}, "convection_capacity"),
    ({"board_capacity": -1.0}, "board_capacity"),
    ({"layers": ()}, "no layer carries power"),
    ({"layers": (bond(),)}, "no layer carries power"),
    ({"layers": (replace(silicon(), conductivity=0.0),)},
     "layers[0] ('die').conductivity: is 0.0"),
    ({"layers": (replace(silicon(), thickness_m=math.inf),)}, "thickness_m"),
    ({"layers": (replace(silicon(), heat_capacity="x"),)}, "heat_capacity"),  # type: ignore[arg-type]
    ({"layers": (replace(silicon(), lateral_conductivity=-2.0),)}, "lateral_conductivity"),
    ({"layers": (silicon(slices=0),)}, "slices: is 0"),
    ({"layers": (silicon(slices=1000),)}, "too many slices"),
    ({"layers": (silicon(), replace(bond(), width_m=SIDE / 2))}, "less than the die's"),
    ({"layers": (silicon(depth_m=2 * SIDE),)}, "as large as the die"),
])  # fmt: skip
def test_what_a_stack_cannot_be_is_one_line(change: dict, words: str) -> None:
    with pytest.raises(InputError) as caught:
        replace(narrow(silicon()), **change)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("count", "others", "words"), [
    (0, {}, "tiers: is 0"),
    (True, {}, "tiers"),
    (2, {"tsv_fraction": 1.5}, "tsv_fraction: is 1.5"),
    (2, {"bond_m": 0.0}, "thickness_m"),
    (1, {"spreader_side_m": 1e-3}, "less than the die's"),
])  # fmt: skip
def test_what_tiers_cannot_be_is_one_line(count: int, others: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        stack_for_tiers(count, SIDE, SIDE, **others)


def test_wrong_grids_and_powers_are_one_line() -> None:
    stack = narrow(silicon())
    for cells in (0, 1.5, 1000, True):
        with pytest.raises(InputError, match="x_cells"):
            Conduction(stack, cells, 4)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="too many nodes"):
        Conduction(narrow(silicon(slices=200)), 512, 512)
    with pytest.raises(InputError, match="far_share: is 2"):
        Conduction(stack, 4, 4, far_share=2)
    conduction = Conduction(stack, 4, 4)
    for power in (np.ones((4, 4)), np.full((1, 4, 4), -1.0), np.full((1, 4, 4), math.nan)):
        with pytest.raises(InputError, match="power_w"):
            steady_state(conduction, power)


def test_a_system_that_does_not_converge_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    conduction = Conduction(stack_for_tiers(1, SIDE, SIDE), 8, 8)
    monkeypatch.setattr("pimsim.thermal.conduction.MOST_ITERATIONS", 2)
    monkeypatch.setattr("pimsim.thermal.conduction.MOST_FACTORISED", 0)
    with pytest.raises(InputError, match="did not converge: residual .* after 2 iterations"):
        steady_state(conduction, even(conduction, 1.0))


def test_a_small_die_between_wide_plates_is_factorised(monkeypatch: pytest.MonkeyPatch) -> None:
    plates = (Layer(name, 10e-6, 1.0, 1e6, width_m=0.0234, depth_m=0.0156) for name in "ab")
    slabs = [Layer(name, 4e-4, conductivity, 1e6, tier=True) for name, conductivity in (("1", 3.0), ("2", 1.0))]
    first, second = plates
    stack = Stack((slabs[0], first, slabs[0], second, slabs[1]), 1e-3, 1e-3, convection_resistance=1.0)
    conduction = Conduction(stack, 2, 2)
    power = np.random.default_rng(5).random((3, 2, 2))
    found = steady_state(conduction, power)
    exact = spsolve(conduction.grid.conductance.tocsc(), conduction.nodes_of(power))
    assert found.rise_k == pytest.approx(exact, abs=1e-8 * exact.max())
    assert abs(found.imbalance) < 1e-9
    monkeypatch.setattr("pimsim.thermal.conduction.MOST_FACTORISED", 0)
    with pytest.raises(InputError, match="did not converge"):
        steady_state(conduction, power)


@pytest.mark.parametrize("resistance", [1e3, 1e6, 1e9, 1e15, 1e20, 1e300])
def test_hardly_any_heat_path_is_solved_or_refused_but_never_wrong(resistance: float) -> None:
    conduction = Conduction(replace(stack_for_tiers(2, SIDE, SIDE), convection_resistance=resistance), 8, 8)
    try:
        found = steady_state(conduction, even(conduction, 1.0, 1.0))
    except InputError as error:
        assert resistance > 1e3 and "\n" not in str(error)
    else:
        assert resistance < 1e20 and abs(found.imbalance) < 1e-3
        assert found.tier_mean_k[1] - 318.15 == pytest.approx(2 * resistance, rel=1e-3)


def test_no_power_is_the_air() -> None:
    conduction = Conduction(stack_for_tiers(2, SIDE, SIDE), 4, 4)
    found = steady_state(conduction, np.zeros(conduction.grid.shape))
    assert np.all(found.temperature_k == 318.15) and found.imbalance == 0
