"""Years until the first cell dies in training: by hand, against draws, and against counted writes."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import pimsim
from pimsim.cli import main
from pimsim.device.endurance import endurance_of_weakest
from pimsim.device.wear_levelling import WearLevelling
from pimsim.device.write_counter import WriteCounter
from pimsim.errors import InputError
from pimsim.lifetime import _first_death, _turned, training_life
from pimsim.mapping.tiling import Tiling
from pimsim.report.lifetime import lifetime_tables
from pimsim.report.terminal import terminal
from pimsim.results import Result, save_result
from pimsim.simulation import map_workload

NET = "mlp-digits"
LOAD = {"epochs": 10, "images": 1001}


@cache
def run(system: str = "hetero-3d", mode: str = "train") -> Result:
    return pimsim.simulate(NET, system, mode=mode, batch=4)  # type: ignore[arg-type]


# by hand


def test_a_training_is_whole_batches_and_a_cell_is_written_once_in_each() -> None:
    found = training_life(run(), **LOAD)
    assert found.iterations == 10 * 251  # 1,001 images are 251 batches of 4
    training = run().training
    assert training is not None
    assert found.training_s == pytest.approx(found.iterations * training.time_per_iteration_ps / 1e12)
    assert {layer.writes_an_iteration for layer in found.layers} == {1.0}
    assert {layer.writes for layer in found.layers} == {2510.0}


def test_years_are_endurance_over_writes_times_time() -> None:
    found = training_life(run(), **LOAD, endurance=(1e8, 0.0))
    (life,) = found.lives
    assert life.iterations == 1e8 and life.trainings == pytest.approx(1e8 / 2510)
    assert life.years == pytest.approx(1e8 / 2510 * found.training_s / (365.25 * 86400))
    assert all(layer.lives == found.lives for layer in found.layers)
    assert set(found.first) == {layer.name for layer in found.layers}
    half = training_life(run(), **LOAD, endurance=(1e8, 0.0), hours_per_day=12.0).lives[0]
    assert half.years == pytest.approx(2 * life.years) and half.trainings == life.trainings


def test_the_range_of_reram_is_the_default() -> None:
    low, high = training_life(run(), **LOAD).lives
    assert (low.endurance, high.endurance) == (1e8, 1e12)
    assert high.years == pytest.approx(1e4 * (low.years or 0))


def test_cells_of_activations_are_written_for_every_image() -> None:
    found = training_life(run("reram-only"), **LOAD, endurance=(1e8, 0.0))
    by_kind = {kind: [layer for layer in found.layers if layer.activations == kind] for kind in (True, False)}
    assert {layer.writes_an_iteration for layer in by_kind[True]} == {4.0}
    assert {layer.writes_an_iteration for layer in by_kind[False]} == {1.0}
    assert set(found.first) == {layer.name for layer in by_kind[True]}
    assert found.lives[0].iterations == 1e8 / 4
    share = training_life(run("reram-only"), **LOAD, share_written=0.5)
    assert {(layer.activations, layer.writes_an_iteration) for layer in share.layers} == {(True, 4.0), (False, 0.5)}


def test_cells_that_are_never_written_last_for_ever() -> None:
    found = training_life(run(), **LOAD, share_written=0.0, endurance=(1e8, 0.3))
    assert found.lives[0].years is None and found.first == ()
    assert {layer.lives[0].trainings for layer in found.layers} == {None}


# cells that differ


def test_cells_that_are_alike_die_as_the_weakest_of_them() -> None:
    found = _first_death(1e8, 0.3, np.array([2.0, 2.0]), np.array([3e5, 7e5]))
    assert found == pytest.approx(endurance_of_weakest(1e8, 0.3, 10**6) / 2, rel=1e-6)


def test_the_first_death_is_the_median_over_draws() -> None:
    rates, cells = np.array([1.0, 4.0, 0.0]), np.array([2000, 50, 500])
    generator = np.random.default_rng(3)
    written = np.repeat(rates[:2], cells[:2])
    firsts = [float((1e8 * 10 ** (0.4 * generator.standard_normal(2050)) / written).min()) for _ in range(2000)]
    assert _first_death(1e8, 0.4, rates, cells) == pytest.approx(np.median(firsts), rel=0.03)


def test_a_larger_spread_kills_sooner_and_more_cells_too() -> None:
    sharp, wide = (training_life(run(), **LOAD, endurance=(1e8, sigma)).lives[0].iterations for sigma in (0.1, 0.5))
    assert sharp is not None and wide is not None and wide < sharp < 1e8
    layers = training_life(run(), **LOAD, endurance=(1e8, 0.5)).layers
    assert wide < min(layer.lives[0].iterations or math.inf for layer in layers)


# wear levelling


@pytest.mark.parametrize("written", [3, 11, 16])
@pytest.mark.parametrize(("kind", "interval", "above"),
                         [("rotate", 8, 0.0), ("rotate", 7, 0.05), ("start_gap", 7, 0.0)])  # fmt: skip
def test_wear_levelling_is_what_is_counted_over_whole_turns(
    kind: str, interval: int, above: float, written: int
) -> None:
    """Of ``rotate`` the busiest row may be a little above the mean: where moves always fall on the same rows."""
    rows = 16
    turning = WearLevelling(kind, interval)
    rate, more = _turned(_tiling(written), rows, turning)
    assert more == (rows + turning.spare_rows) / written
    counter, updates = WriteCounter(rows, 1, 1, "full", turning), rows * (rows + turning.spare_rows) * interval
    levels = np.zeros((written, 1), np.uint8)
    for _ in range(updates // 4):
        counter.write(levels)
    before = counter.cell_writes.copy()
    for _ in range(updates):
        counter.write(levels)
    counted = (counter.cell_writes - before)[0] / updates
    assert counted.mean() == pytest.approx(rate, rel=1e-3)
    assert rate * (1 - 1e-9) <= counted.max() <= rate * (1 + above + 1e-3)


def _tiling(written: int) -> Tiling:
    """A layer of one crossbar with so many rows."""
    program = map_workload(NET, "isaac-ce")
    tiling = next(layer.tiling for layer in program.layers if layer.tiling is not None)
    changed = object.__new__(Tiling)
    changed.__dict__.update(tiling.__dict__)
    changed.__dict__.update(row_lo=np.array([0]), row_hi=np.array([written]))
    return changed


def test_wear_levelling_spares_layers_that_fill_few_rows() -> None:
    plain, turned = (training_life(run(), **LOAD, endurance=(1e8, 0.0), levelling=kind, interval=1000)
                     for kind in ("none", "start_gap"))  # fmt: skip
    rates = {layer.name: layer.writes_an_iteration for layer in turned.layers}
    assert rates["scores"] == pytest.approx(32 * 1.001 / 129)  # 32 inputs, 128 rows and the spare one
    assert rates["fc1"] == pytest.approx(64 * 1.001 / 129)
    assert (turned.lives[0].iterations or 0) == pytest.approx((plain.lives[0].iterations or 0) / max(rates.values()))


# what cannot be


@pytest.mark.parametrize(("options", "words"), [
    ({"epochs": 0}, "epochs: is 0; allowed: a whole number from 1"),
    ({"images": 1.5}, "images: is 1.5"),
    ({"hours_per_day": 25.0}, "hours_per_day: is 25.0; allowed: more than 0, at most 24"),
    ({"share_written": 1.5}, "share_written: is 1.5; allowed: 0 to 1"),
    ({"endurance": (0.0, 0.0)}, "endurance.writes: is 0.0"),
    ({"levelling": "shuffle"}, "there is no wear levelling 'shuffle'"),
    ({"levelling": "rotate", "interval": 0}, "interval: is 0"),
    ({"levelling": "rotate", "workload": "lenet5"}, "lenet5 is not the network whose run the result is of"),
])  # fmt: skip
def test_a_load_that_cannot_be_is_one_line(options: dict, words: str) -> None:
    with pytest.raises(InputError) as caught:
        training_life(run(), **{**LOAD, **options})
    assert words in str(caught.value)


def test_a_result_of_inference_is_one_line() -> None:
    with pytest.raises(InputError, match="is of inference, which writes no cell after the first programming; allowed"):
        training_life(run(mode="infer"), **LOAD)


# the command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("lifetime") / "run"
    save_result(run(), path)
    return str(path)


def test_the_command_writes_a_row_a_layer_and_a_picture(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    load = ("--epochs", "10", "--images", "1001", "--endurance", "1e8,0.3")
    assert main(["lifetime", folder, *load, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    for words in ("10 epochs of 1,001 images in batches of 4, 2,510 iterations", "First cell to die at 1e+08 (0.3 ",
                  "It belongs to fc1", "scores/backward"):  # fmt: skip
        assert words in shown
    assert {file.name for file in out.iterdir()} == {"lifetime.json", "lifetime.csv", "lifetime.png", "lifetime.svg"}
    found = training_life(run(), **LOAD, endurance=(1e8, 0.3))  # type: ignore[arg-type]
    with (out / "lifetime.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["years_at_1e+08"]) for row in rows] == [layer.lives[0].years for layer in found.layers]
    assert json.loads((out / "lifetime.json").read_text())["first"] == ["fc1"]


@pytest.mark.parametrize(("options", "words"), [
    (("--epochs", "0", "--images", "1"), "pimsim: --epochs: is 0"),
    (("--epochs", "1", "--images", "1", "--hours-per-day", "0"), "pimsim: --hours-per-day: is 0.0"),
    (("--epochs", "1", "--images", "1", "--endurance", "many"), "pimsim: --endurance: 'many' is no endurance"),
    (("--epochs", "1"), "Missing option '--images'"),
])  # fmt: skip
def test_wrong_options_are_one_line_and_leave_nothing(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: str
) -> None:
    assert main(["lifetime", folder, *options, "--out", str(tmp_path / "out")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and words in err
    assert not (tmp_path / "out").exists()


def test_levelling_needs_a_network_that_is_not_shipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_result(replace(run(), source=replace(run().source, workload="own")), tmp_path)
    load = ("--epochs", "1", "--images", "1", "--levelling", "rotate", "--quiet")
    assert main(["lifetime", str(tmp_path), *load]) == 2
    assert "pimsim: --workload: the network own is not a shipped one; allowed: the file" in capsys.readouterr().err
    assert main(["lifetime", str(tmp_path), *load, "--workload", run().source.workload]) == 0


def test_what_lasts_for_ever_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    terminal().print(lifetime_tables(training_life(run(), **LOAD, share_written=0.0)))  # type: ignore[arg-type]
    shown = capsys.readouterr().out
    assert "for ever" in shown and "Nothing is written: the cells last for ever" in shown
