"""Placement on chips of two kinds of tiles, and placement that weighs temperature."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim import floorplan as floorplan_module
from pimsim.arch.run import run_compiled
from pimsim.config import load_system
from pimsim.config.placement import Amosa, Annealing, Weights
from pimsim.errors import InputError
from pimsim.heat import temperatures
from pimsim.mapping.compile import map_network
from pimsim.mapping.placement.amosa import amosa
from pimsim.mapping.placement.annealing import anneal
from pimsim.mapping.placement.heat import Heat, heat_of_system, hottest_rise
from pimsim.mapping.placement.layout import deliveries_of, layout_of, problem_of
from pimsim.mapping.placement.objectives import measure
from pimsim.mapping.placement.power import busiest_ps, energy_of_tiles, estimated_power
from pimsim.mapping.placement.saved import load_placement, save_placement
from pimsim.mapping.placement.search import ROUTERS, begin, make, objectives_of, propose
from pimsim.mapping.placement.traffic import traffic_of_matrix
from pimsim.mapping.program import Program
from pimsim.network.fabric import build_fabric
from pimsim.report.plots import placement, style
from pimsim.results import build_result, load_result, save_result
from pimsim.results.counting import tally
from pimsim.results.pricing import prices
from pimsim.simulation import map_workload, simulate
from pimsim.technology.area_power import Subtotal, roll_up
from pimsim.workload.training import Training, expand_training
from tests.networks import Network
from tests.unit.results_runs import wide
from tests.unit.test_placement_search import grid, hotspot

SHORT = ("mapping.placement=annealing", "mapping.annealing.moves=3000")
WARM = (*SHORT, "mapping.annealing.temperature=4")
NOTHING = dict.fromkeys(Weights.model_fields, 0.0)


@st.composite
def warm_problems(draw_from):
    """Traffic, ways with up to three kinds of tiles, sites and heat of a small chip or two."""
    ways = grid(tuple(draw_from(st.lists(st.integers(1, 3), min_size=1, max_size=3))), draw_from(st.integers(1, 2)))
    tiles = ways.tiles
    rng = np.random.default_rng(draw_from(st.integers(0, 2**32)))
    ways = replace(ways, kind=rng.integers(0, draw_from(st.integers(1, 3)), tiles))
    chips = draw_from(st.sampled_from([n for n in (1, 2) if tiles % n == 0]))
    places = tiles // chips
    heat = Heat(rng.integers(0, 3_000_000, tiles), rng.integers(1, 2_000_000, (places, places)),
                rng.integers(0, 10**12, places))  # fmt: skip
    sites = np.flatnonzero(rng.random(tiles) < 0.8)
    traffic = traffic_of_matrix(rng.integers(0, 9, (tiles, tiles)) * (rng.random((tiles, tiles)) < 0.3))
    return traffic, ways, sites if sites.size else np.arange(tiles), heat


@settings(max_examples=60, deadline=None)
@given(warm_problems(), st.integers(0, 2**32), st.integers(1, 30))
def test_after_any_moves_the_temperature_is_that_reckoned_anew_and_kinds_have_not_mixed(problem, seed, moves):
    traffic, ways, sites, heat = problem
    state = begin(traffic, ways, np.arange(traffic.tiles), sites, seed, heat)
    move, fixed = np.zeros(3, np.int64), np.setdiff1d(np.arange(traffic.tiles), sites)
    for _ in range(moves):
        propose(state, move)
        make(state, move)
        assert np.array_equal(ways.kind[state.site], ways.kind)
    assert objectives_of(state).temperature == hottest_rise(heat, state.site)  # to the last bit
    power = np.array([heat.power_uw[state.tile[site]] for site in range(traffic.tiles)])
    chips = power.reshape(-1, heat.always.size)
    by_hand = [int(heat.always[p]) + sum(int(r) * int(w) for r, w in zip(heat.resistance[p], chip, strict=True))
               for chip in chips for p in range(heat.always.size)]  # fmt: skip
    assert state.rise.tolist() == by_hand
    assert np.array_equal(state.site[fixed], fixed)
    anew = measure(traffic, ways, state.site, heat)
    assert objectives_of(state)._replace(spread=anew.spread) == pytest.approx(anew, rel=1e-14)
    before = state.site.copy(), state.rise.copy()
    propose(state, move)
    make(state, move)
    make(state, move)
    assert np.array_equal(state.site, before[0]) and np.array_equal(state.rise, before[1])


def test_a_partner_of_another_kind_is_met_at_the_nearest_router():
    """Tiers of two kinds: tile 0 of the lower tier sends to tile 8 above; tile 1 follows into the tier it may not
    enter."""
    ways = grid((4, 1, 2))
    ways = replace(ways, kind=np.repeat([0, 1], 4))
    f = np.zeros((8, 8), np.int64)
    f[0, 7] = 100  # from one corner of the lower tier to the far corner of the upper one
    state = begin(traffic_of_matrix(f), ways, np.arange(8), np.arange(8), 1)
    row = 7 * 2 + 0  # at the router of tile 7, of the kind of tile 0: right below
    assert state.near[state.near_first[row] : state.near_first[row + 1]].tolist() == [3]
    found = anneal(traffic_of_matrix(f), ways, Annealing(moves=300))
    assert found.place[0] < 4 <= found.place[7]
    assert found.place[7] - found.place[0] == 4  # one above the other
    move, kinds = np.zeros(3, np.int64), set()
    for _ in range(100):
        propose(state, move)
        if move[0] == ROUTERS:
            kinds.add((move[1] % 2, move[2] % 2))
    assert kinds == {(0, 0), (1, 1)}


def heat_of(power_w: np.ndarray, *keys: str) -> Heat:
    """On one chip of 64 ReRAM tiles in four tiers."""
    system = load_system("hetero-3d", ["chip.tiers=[reram, reram, reram, reram]", "chip.gpu_core=null", *keys])
    return heat_of_system(build_fabric(system, 1), system, power_w)


def test_power_in_one_column_is_spread_over_the_tier_at_the_sink():
    """Nearly as cool as the best of all ways to lay four warm tiles into that tier."""
    power, ways, column = np.zeros(64), grid((4, 4, 4)), [5, 21, 37, 53]
    power[column] = 10.0  # one above the other
    heat, quiet = heat_of(power), traffic_of_matrix(np.zeros((64, 64)))
    start = hottest_rise(heat, np.arange(64))
    best = min(int((heat.resistance[:, 48 + np.array(four)].sum(axis=1) * 10**7 + heat.always).max())
               for four in itertools.combinations(range(16), 4)) / 1e12  # fmt: skip
    for found in (
        anneal(quiet, ways, Annealing(**NOTHING | {"temperature": 1.0}, moves=20_000), heat=heat),
        amosa(quiet, ways, Amosa(objectives=("temperature", "latency"), moves=2000, climb_moves=10_000), heat=heat),
    ):
        assert found.start.temperature == start
        assert found.objectives.temperature == hottest_rise(heat, found.place)
        assert best <= found.objectives.temperature < 1.02 * best < 0.9 * start
        assert set(found.place[column] // 16) == {3}


@pytest.mark.parametrize("system", ["hetero-3d", "isaac-ce"])
def test_one_kelvin_of_the_search_is_one_of_the_thermal_solver(system):
    """Rises of the search's coarse grid are those of `pimsim thermal`, links between chips and all."""
    result = simulate("lenet5", system)
    program = map_workload("lenet5", system)
    heat = heat_of_system(program.fabric, program.system, np.array(result.tile_power_w))
    whole = temperatures(result)
    rise = (heat.resistance @ heat.power_uw + heat.always) / 1e12
    assert rise == pytest.approx(whole.temperature_k - whole.hottest.ambient_k, rel=0.03)


@pytest.fixture(scope="module")
def snake() -> Program:
    return map_workload("resnet20-cifar", "hetero-3d", mode="train", batch=4)


@pytest.fixture(scope="module")
def cooled() -> Program:
    return map_workload("resnet20-cifar", "hetero-3d", mode="train", batch=4, overrides=WARM)


def test_gpu_cores_and_crossbars_keep_to_their_tiers(snake, cooled):
    place = cooled.placement.place
    assert not np.array_equal(place, np.arange(64))
    assert np.array_equal(snake.on_gpu[place], snake.on_gpu)
    assert np.array_equal(cooled.slices.tile, place[snake.slices.tile])
    traffic, ways = problem_of(snake)
    assert cooled.placement.at_start._replace(temperature=0.0) == pytest.approx(measure(traffic, ways, np.arange(64)))
    assert cooled.placement.objectives.temperature < cooled.placement.at_start.temperature


def test_estimated_power_is_that_of_the_run_where_its_time_is_known(snake):
    """All of it but routers."""
    result = build_result(snake, run_compiled(snake, 4), 4, "compiled")
    real = np.array(result.tile_power_w)
    layout, sent = layout_of(snake), deliveries_of(snake)
    known = estimated_power(layout, sent, result.times.run_ps / 1e6)
    assert known[snake.on_gpu] == pytest.approx(real[snake.on_gpu], rel=0.05)
    reram = ~snake.on_gpu & (real > 0.1 * real[~snake.on_gpu].max())
    assert known[reram] == pytest.approx(real[reram], rel=0.15)
    assert known.sum() == pytest.approx(real.sum(), rel=0.02)
    bound = estimated_power(layout, sent)
    assert np.all(bound >= known) and bound.sum() < 3 * real.sum()  # nothing is faster than its busiest unit


def two_convolutions(**options: str) -> Program:
    """Training of two layers, whose backward pass reads two crossbars for the second."""
    net = Network()
    net.conv(net.conv(net.input(4, 4, 4), 40), 8)
    training = Training(batch=2, rows=128, cores=32, **options)  # type: ignore[arg-type]
    keys = ["mapping.replication=none", "chip.tile.ima.crossbar.active_wordlines=16", "chip.gpu_core.launch_ns=1"]
    return map_network(expand_training(net.finish(), training), load_system("hetero-3d", keys))


@pytest.fixture(scope="module", params=["copy", "array", "outer", "inference"])
def small(request: pytest.FixtureRequest) -> Program:
    if request.param == "inference":  # of layers that spread over tiles, and of groups on the diagonal of crossbars
        return map_network(wide(), load_system("isaac-ce"))
    return two_convolutions(**{"weight_gradient" if request.param == "outer" else "transposed": request.param})


def test_the_search_counts_the_energy_of_every_tile_as_results_do(small):
    """All that belongs to a tile, to the last bit but for the order of adding."""
    energies = prices(small.system)
    counted = sum(count * (energies.get(action) or 0.0) for action, count in tally(small).by_tile.items())
    estimated = energy_of_tiles(layout_of(small), deliveries_of(small))
    assert estimated == pytest.approx(counted, rel=1e-9)
    for kind in np.unique(small.on_gpu):
        assert estimated[small.on_gpu == kind].sum() > 0


def test_both_sides_of_an_array_take_their_time_one_after_the_other():
    program = two_convolutions(transposed="array")
    work, replicas = run_compiled(program, 2).work_ps, program.replicas
    each = 2 * np.diff(replicas.window_first) * work
    number = replicas.array.max()  # the second layer's: 128 rows in groups of 16; its backward pass, 8 in eight passes
    turns = each[replicas.array == number]
    assert turns.size == 2 and turns.min() > 0
    assert busiest_ps(layout_of(program)) == turns.sum() > each.max()


def test_training_counts_flits_of_an_iteration(snake):
    """What is sent once in a batch counts once, what is sent for every image four times."""
    result = build_result(snake, run_compiled(snake, 4), 4, "compiled")
    traffic, _ = problem_of(snake)
    ejected = sum(layer.counts.get("flit_eject", 0) for layer in result.layers)
    assert traffic.pair_flits == ejected


def test_a_placement_that_weighed_temperature_is_used_again(cooled, tmp_path: Path):
    save_placement(cooled, tmp_path / "kept.json")
    again = map_workload("resnet20-cifar", "hetero-3d", mode="train", batch=4,
                         overrides=[f"mapping.placement={tmp_path / 'kept.json'}"])  # fmt: skip
    assert np.array_equal(again.slices.tile, cooled.slices.tile)
    assert again.placement.objectives == cooled.placement.objectives
    text = (tmp_path / "kept.json").read_text()
    before = text.replace(f', "temperature": {cooled.placement.objectives.temperature}', "")
    before = before.replace(f', "temperature": {cooled.placement.at_start.temperature}', "")
    assert "temperature" not in before
    (tmp_path / "kept.json").write_text(before)  # as of a version that knew no temperature
    assert load_placement(tmp_path / "kept.json").objectives == cooled.placement.objectives._replace(temperature=0.0)


def test_a_result_holds_the_pareto_set_and_draws_it(tmp_path: Path):
    keys = ["mapping.placement=amosa", "mapping.amosa.objectives=[latency, temperature]", "mapping.amosa.moves=500",
            "mapping.amosa.climb_moves=500"]  # fmt: skip
    result = simulate("lenet5", "hetero-3d", overrides=keys)
    front = result.placement.front
    assert front.names == ("latency", "temperature")
    used = result.placement.objectives
    assert front.values[front.chosen] == pytest.approx((used["latency"], used["temperature"]))
    assert "hottest tile over the air" in repr(result)
    save_result(result, tmp_path)
    assert load_result(tmp_path) == result
    with style.in_style():
        figure = placement.draw(result, front)
    x, y = figure.axes[0].collections[0].get_offsets().T
    assert np.array_equal(np.transpose([x, y]), front.values)
    assert "hottest tile" in figure.axes[0].get_ylabel()


def test_a_saved_placement_that_mixes_kinds_is_refused(tmp_path: Path):
    program, path = map_workload("lenet5", "hetero-3d"), tmp_path / "kept.json"
    save_placement(program, path)
    data, core = json.loads(path.read_text()), int(np.flatnonzero(program.on_gpu)[0])
    other = int(np.flatnonzero(~program.on_gpu)[0])
    data["place"][core], data["place"][other] = data["place"][other], data["place"][core]
    path.write_text(json.dumps(data))
    words = f"kept.json: .*is damaged: the work of GPU core {core} lies on a ReRAM tile, {other}"
    with pytest.raises(InputError, match=words) as caught:
        map_workload("lenet5", "hetero-3d", overrides=[f"mapping.placement={path}"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (["mapping.annealing.interval_us=5"], "interval_us is for temperature, which has no weight"),
        (["mapping.annealing.temperature=-1"], "a number from 0"),
        (["mapping.annealing.temperature=1", "chip.thermal.spreader_side_mm=2"], "spreader of 2 mm does not cover"),
        (["mapping.annealing.temperature=1", "chip.thermal.convection_k_per_w=null"], "no heat path"),
        (["mapping.annealing.temperature=1", "chip.thermal.convection_k_per_w=1e6"], "K warmer than the air"),
    ],
)
def test_bad_input_is_one_line(keys, words):
    with pytest.raises(InputError, match=words) as caught:
        map_workload("lenet5", "hetero-3d", overrides=[*SHORT, *keys])
    assert "\n" not in str(caught.value)


def test_tiles_without_an_area_have_no_temperature(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(floorplan_module, "roll_up", lambda system: replace(roll_up(system), tile=Subtotal(1.0, 0.0)))
    with pytest.raises(InputError, match="tiles have no area"):
        map_workload("lenet5", "hetero-3d", overrides=WARM)


def test_kinds_with_one_tile_each_stay_where_they_are():
    ways = replace(grid((3,)), kind=np.arange(3))
    traffic = traffic_of_matrix(hotspot(3, 1))
    for found in (anneal(traffic, ways, Annealing(moves=50)), amosa(traffic, ways, Amosa(moves=50, climb_moves=5))):
        assert np.array_equal(found.place, np.arange(3))
