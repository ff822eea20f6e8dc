"""Heat of a run: floorplan, balance, symmetry, leakage, several chips, and one line for what cannot be."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import pimsim
from pimsim.cli import main
from pimsim.config import load_system
from pimsim.errors import InputError
from pimsim.floorplan import floorplan
from pimsim.heat import temperatures
from pimsim.report.heat_tables import COLUMNS, hottest_words
from pimsim.results import Result, save_result
from pimsim.technology import roll_up

SMALL = 24  #: cells along a side


@cache
def run(network: str = "mlp-digits", system: str = "hetero-3d", mode: str = "infer") -> Result:
    return pimsim.simulate(network, system, mode=mode, batch=4)  # type: ignore[arg-type]


def with_power(result: Result, *power_w: float) -> Result:
    """The same with these powers of its tiles, one for all or one for each, and no links between chips."""
    own = np.broadcast_to(power_w, len(result.tile_power_w)) if len(power_w) == 1 else np.array(power_w)
    costs = replace(result.costs, dynamic_pj={"ima.adc": 1.0}, static_pj={}, average_power_w=float(own.sum()))
    return replace(result, tile_power_w=tuple(own.tolist()), costs=costs)


def routers(result: Result) -> np.ndarray:
    return np.array(result.tiles.router_places)


# where tiles lie


def test_an_isaac_die_is_as_large_as_its_tiles_and_links() -> None:
    system = load_system("isaac-ce")
    plan = floorplan(routers(run(system="isaac-ce")), system)
    assert plan.width_m * plan.depth_m * 1e6 == pytest.approx(roll_up(system).chip.area_mm2, rel=1e-9)
    assert plan.width_m * plan.links_m * 1e6 == pytest.approx(22.88)
    assert (plan.tiers, len(plan.x_m)) == (1, 168)


@pytest.mark.parametrize("name", ["isaac-ce", "hetero-3d"])
def test_tiles_lie_on_the_die_and_not_on_each_other(name: str) -> None:
    system = load_system(name)
    plan = floorplan(routers(run(system=name)), system)
    assert plan.x_m.min() >= -1e-12 and plan.y_m.min() >= plan.links_m - 1e-12
    assert (plan.x_m + plan.side_m).max() <= plan.width_m + 1e-12
    assert (plan.y_m + plan.side_m).max() <= plan.depth_m + 1e-12
    apart = np.maximum(abs(plan.x_m[:, None] - plan.x_m), abs(plan.y_m[:, None] - plan.y_m))
    apart[plan.tier[:, None] != plan.tier] = 1
    np.fill_diagonal(apart, 1)
    assert apart.min() >= plan.side_m.max() * (1 - 1e-9)


def test_tiers_and_sizes_are_those_of_the_tiles() -> None:
    system = load_system("hetero-3d")
    plan, areas = floorplan(routers(run()), system), roll_up(system)
    assert plan.tier.tolist() == [tile // 16 for tile in range(64)]
    assert plan.side_m[0] ** 2 * 1e6 == pytest.approx(areas.gpu_core.area_mm2)
    assert plan.side_m[16] ** 2 * 1e6 == pytest.approx(areas.tile.area_mm2)
    assert plan.x_m[17] - plan.x_m[16] == pytest.approx(plan.side_m[0])  # the larger kind sets the pitch


def test_routers_in_no_grid_fill_a_square() -> None:
    ring = np.array([(n, n, 0) for n in range(42)], float)
    plan = floorplan(ring, load_system("isaac-ce"))
    assert plan.width_m == pytest.approx(7 * 2 * plan.side_m[0])
    assert len(set(zip(plan.x_m.round(9), plan.y_m.round(9), strict=True))) == 168


def test_tiles_without_an_area_are_one_line() -> None:
    system = load_system("isaac-ce")
    tile = system.chip.tile
    unpriced = {name: part.model_copy(update={"cost": part.cost.model_copy(update={"area_mm2": 0.0})})
                for name, part in tile if hasattr(part, "cost")}  # fmt: skip
    ima = tile.ima.model_copy(update={
        name: part.model_copy(update={"cost": part.cost.model_copy(update={"area_mm2": 0.0})})
        for name, part in tile.ima if hasattr(part, "cost")})  # fmt: skip
    noc = system.chip.noc
    noc = noc.model_copy(update={"cost": noc.cost.model_copy(update={"area_mm2": 0.0})})
    chip = system.chip.model_copy(update={"tile": tile.model_copy(update=unpriced | {"ima": ima}), "noc": noc})
    with pytest.raises(InputError, match="tiles have no area"):
        floorplan(routers(run(system="isaac-ce")), system.model_copy(update={"chip": chip}))


# temperatures


@pytest.mark.parametrize(("system", "mode"), [("isaac-ce", "infer"), ("hetero-3d", "infer"), ("hetero-3d", "train")])
def test_all_power_of_a_run_goes_in_and_comes_out(system: str, mode: str) -> None:
    result = run(system=system, mode=mode)
    heat = temperatures(result, cells=SMALL)
    assert heat.heat_in_w == pytest.approx(result.costs.average_power_w, rel=1e-9)
    assert heat.heat_out_w == pytest.approx(heat.heat_in_w, rel=1e-3)
    assert heat.power_w.tolist() == list(result.tile_power_w) and heat.notes == ()
    assert heat.links_w.tolist() == pytest.approx([10.4])


def test_symmetric_power_makes_a_symmetric_map() -> None:
    heat = temperatures(with_power(run(), 0.5), cells=SMALL)
    found = heat.maps[0].temperature_k
    assert np.allclose(found, found[:, :, ::-1], atol=1e-6)
    assert heat.heat_in_w == pytest.approx(32.0)


def test_the_tier_farthest_from_the_sink_is_the_hottest() -> None:
    heat = temperatures(with_power(run(), 0.5), cells=SMALL)
    assert np.all(np.diff(heat.maps[0].tier_mean_k) < 0)
    by_tier = [heat.temperature_k[heat.tier == tier].mean() for tier in range(4)]
    assert by_tier == sorted(by_tier, reverse=True)


def test_a_hot_tile_is_the_hottest_and_is_named() -> None:
    power = np.zeros(64)
    power[21] = 20.0  # tier 1, column 1, row 1
    heat = temperatures(with_power(run(), *power), cells=SMALL)
    assert heat.hottest_tile == 21
    assert "tier 1 at" in hottest_words(heat) and "in tile 21. Hottest tile: 21," in hottest_words(heat)
    near, far = heat.temperature_k[[22, 31]]
    assert heat.temperature_k[21] > near > far
    x_m, y_m = heat.middle_m
    assert abs(heat.hottest.hottest.x_m - x_m[21]) < heat.floorplan.side_m[21] / 2
    assert abs(heat.hottest.hottest.y_m - y_m[21]) < heat.floorplan.side_m[21] / 2


def test_twice_the_power_is_twice_the_rise() -> None:
    once, twice = (temperatures(with_power(run(), watts), cells=SMALL) for watts in (0.5, 1.0))
    air = once.maps[0].ambient_k
    assert np.allclose(twice.temperature_k - air, 2 * (once.temperature_k - air), rtol=1e-6)


def test_finer_grids_agree() -> None:
    coarse, fine = (temperatures(run(mode="train"), cells=cells) for cells in (32, 64))
    rise = fine.temperature_k - fine.maps[0].ambient_k
    assert np.allclose(coarse.temperature_k - coarse.maps[0].ambient_k, rise, rtol=0.02)


def test_another_package_changes_the_heat_and_not_the_run() -> None:
    better, worse = (temperatures(run(), cells=SMALL, overrides=[f"chip.thermal.convection_k_per_w={k}"])
                     for k in (0.1, 1.1))  # fmt: skip
    assert np.allclose(worse.temperature_k - better.temperature_k, better.heat_in_w, rtol=0.01)  # 1 K/W more


# leakage


def test_leakage_and_temperature_agree_with_each_other() -> None:
    result = with_power(run(), 0.4)
    cold = temperatures(result, cells=SMALL)
    warm = temperatures(result, cells=SMALL, overrides=["chip.thermal.static_doubling_k=25"])
    assert warm.heat_in_w == pytest.approx(warm.power_w.sum(), rel=1e-4) and warm.heat_in_w > cold.heat_in_w
    gpu = 0.1 * 3.125  # idle power of a core; its router has none
    grown = gpu * 2 ** ((warm.temperature_k - 318.15) / 25)
    on_gpu = warm.on_gpu
    assert np.allclose(warm.power_w[on_gpu], 0.4 - gpu + grown[on_gpu], rtol=1e-3)


def test_leakage_at_its_reference_is_what_the_run_says() -> None:
    hot = ["chip.thermal.static_doubling_k=1e9"]
    assert temperatures(run(), cells=SMALL, overrides=hot).heat_in_w == pytest.approx(temperatures(run()).heat_in_w)


@pytest.mark.filterwarnings("error")
def test_leakage_beyond_all_numbers_is_runaway_though_some_cells_leak_nothing() -> None:
    leaky = temperatures(run(), cells=SMALL, overrides=["chip.thermal.static_doubling_k=30"])
    assert np.all(np.isfinite(leaky.power_w)) and np.any(leaky.power_w == run().tile_power_w)
    with pytest.raises(InputError, match="static_doubling_k: thermal runaway: no steady state below 500 K"):
        temperatures(run(), cells=SMALL, overrides=["chip.thermal.static_doubling_k=0.001"])


def test_air_beyond_what_circuits_bear_is_named_and_not_their_leakage() -> None:
    keys = ["chip.thermal.ambient_k=600", "chip.thermal.static_doubling_k=30"]
    with pytest.raises(InputError, match=r"chip\.thermal\.ambient_k: is 600; allowed: less than 500 K"):
        temperatures(run(), cells=SMALL, overrides=keys)


def test_thermal_runaway_is_one_line() -> None:
    keys = ["chip.thermal.static_doubling_k=2", "chip.thermal.convection_k_per_w=2"]
    with pytest.raises(InputError, match=r"static_doubling_k: thermal runaway: no steady state below 500 K"):
        temperatures(run(mode="train"), overrides=keys, cells=SMALL)


# several chips, and time


def test_every_chip_has_a_stack_of_its_own() -> None:
    result = run(system="isaac-ce-16")
    heat = temperatures(result, cells=SMALL)
    assert (len(heat.maps), len(heat.temperature_k)) == (16, 16 * 168)
    assert heat.hottest_chip == 0
    assert np.allclose(heat.temperature_k[heat.chip > 0], heat.maps[0].ambient_k)  # idle chips are as warm as the air
    alone = temperatures(run(system="isaac-ce"), cells=SMALL)
    assert np.allclose(heat.temperature_k[:168], alone.temperature_k, rtol=1e-3)


def test_a_chip_warms_up_to_its_steady_state() -> None:
    heat = temperatures(run(), cells=16, transient=True)
    assert heat.transient is not None
    course = heat.transient.tier_max_k
    assert np.all(np.diff(course, axis=0) > -1e-6)
    assert np.allclose(course[0], heat.maps[0].ambient_k)
    assert np.allclose(course[-1] - course[0], heat.maps[0].tier_max_k - course[0], rtol=0.01)


# what cannot be


@pytest.mark.parametrize(("key", "words"), [
    ("chip.thermal.convection_k_per_w=null", "the tiers have no heat path"),
    ("chip.thermal.spreader_side_mm=5", "a spreader of 5 mm does not cover the die of 13.4 x 15.1 mm"),
    ("chip.thermal.sink_side_mm=5", "is smaller than the spreader"),
    ("chip.thermal.colour=red", "has no key 'colour'"),
    ("chip.tiles=3", "belongs to the run, which is over; allowed: keys of chip.thermal"),
])  # fmt: skip
def test_a_package_that_cannot_be_is_one_line(key: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        temperatures(run(), overrides=[key])
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_result_without_powers_is_one_line() -> None:
    with pytest.raises(InputError, match="does not say what power each tile draws: .* run it again"):
        temperatures(replace(run(), tile_power_w=()))


# the command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("heat") / "run"
    save_result(run(), path)
    return str(path)


def test_the_command_writes_a_row_a_tile_and_pictures(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a" / "out"
    assert main(["thermal", folder, "--cells", "16", "--transient", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    for words in ("Heat in: ", "heat out: ", "Hottest spot: ", "Warming up: tier ", "3, at the sink", "GPU"):
        assert words in shown
    assert {file.name for file in out.iterdir()} == {
        "heat.json", "heat.csv", "heat_transient.csv", "heat.png", "heat.svg", "heat_transient.png",
        "heat_transient.svg"}  # fmt: skip
    heat = temperatures(run(), cells=16)
    with (out / "heat.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS and len(rows) == 64
    for name, values in (("power_w", heat.power_w), ("temperature_k", heat.temperature_k), ("tier", heat.tier),
                         ("temperature_c", heat.temperature_k - 273.15)):  # fmt: skip
        assert np.allclose([float(row[name]) for row in rows], values)
    assert [row["kind"] for row in rows[15:17]] == ["gpu", "reram"]
    assert main(["thermal", folder, "--cells", "2", "--quiet", "--out", str(out)]) == 0
    assert {file.name for file in out.iterdir()} == {"heat.json", "heat.csv", "heat.png", "heat.svg"}


def test_json_is_the_whole_of_it(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["thermal", folder, "--cells", "16", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["tiles"]) == 64 and found["hottest_spot"]["what"] == "in the links between chips"
    assert found["heat_in_w"] == pytest.approx(found["heat_out_w"])


@pytest.mark.parametrize(("options", "words"), [
    (("--cells", "0"), "pimsim: --cells: is 0; allowed: a whole number from 1 to 512"),
    (("--set", "chip.thermal.convection_k_per_w=null"), "the tiers have no heat path"),
    (("--out", ""), "--out: the name of the folder is empty"),
])  # fmt: skip
def test_wrong_options_are_one_line_and_leave_nothing(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: str
) -> None:
    given = ["--out", str(tmp_path / "out")] if "--out" not in options else []
    assert main(["thermal", folder, *given, *options]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and words in err
    assert not (tmp_path / "out").exists()


def test_what_is_no_result_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["thermal", str(tmp_path)]) == 2
    assert "result.json: cannot be read" in capsys.readouterr().err
