"""Wear that a user sees: `pimsim wear`, the endurance of `run`, and worn cells of `infer`."""

from __future__ import annotations

import csv
import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pimsim
from pimsim.cli import main
from pimsim.config.device import Device
from pimsim.device.endurance import endurance_at, endurance_of_cells, endurance_of_weakest, stuck_share
from pimsim.device.streams import stream
from pimsim.device.write_counter import POLICIES
from pimsim.errors import InputError
from pimsim.wear import count_updates

TWO_LAYERS = """\
format: pimsim-workload-1
name: two
inputs: {image: [3, 4, 4]}
layers:
  - {name: a, type: conv, channels: 5, kernel: 3, padding: 1}
  - {type: flatten}
  - {name: b, type: linear, features: 10}
"""
MLP = "mlp-digits"


@pytest.fixture
def two_layers(tmp_path: Path) -> str:
    file = tmp_path / "two.yaml"
    file.write_text(TWO_LAYERS)
    return str(file)


# pimsim wear


def test_full_updates_write_every_cell_once_more(two_layers: str) -> None:
    found = count_updates(two_layers, "isaac-ce", 7, endurance=(1000.0, 0.0))
    a, b = found.layers
    assert (a.crossbars, a.cells, b.crossbars, b.cells) == (1, 27 * 5 * 8, 1, 80 * 10 * 8)  # 16 bits in cells of 2
    for layer in (a, b):
        assert (layer.mean_writes, layer.max_writes, layer.max_row_writes) == (8, 8, 8)
        assert layer.writes == 8 * layer.cells and layer.cells_written == layer.cells
        assert layer.crossbar_writes == (layer.writes,) and layer.crossbar_max_writes == (8,)
        assert layer.levelling_writes == 0
        assert layer.lifetimes[0].updates == 999  # one write is the first programming
    assert (found.histogram_writes, found.histogram_cells) == ((8,), (a.cells + b.cells,))


def test_a_million_full_updates_are_counted_together(two_layers: str) -> None:
    low, high = count_updates(two_layers, "isaac-ce", 10**6).lifetimes
    assert (low.updates, high.updates) == (10**8 - 1, 10**12 - 1)


@pytest.mark.parametrize(("kind", "interval"), [("rotate", 1000), ("start_gap", 10)])
def test_levelling_spreads_writes_over_rows_that_hold_nothing(two_layers: str, kind: str, interval: int) -> None:
    updates = 10_000  # 270,000 row writes of layer a: hot rows go round the crossbar at least once
    plain = count_updates(two_layers, "isaac-ce", updates, endurance=(1e6, 0.0))
    levelled = count_updates(
        two_layers, "isaac-ce", updates, levelling=kind, interval=interval, endurance=(1e6, 0.0))  # fmt: skip
    for before, after in zip(plain.layers, levelled.layers, strict=True):
        assert before.max_writes == updates + 1
        assert after.levelling_writes > 0 and after.writes == before.writes + after.levelling_writes
        assert after.cells_written > before.cells_written
    evenly = 27 / 128 * updates  # 27 of 128 rows hold weights
    assert evenly < levelled.layers[0].max_writes < 1.7 * evenly
    assert levelled.layers[0].lifetimes[0].updates > plain.layers[0].lifetimes[0].updates  # type: ignore[operator]


def test_changed_cells_are_fewer_than_changed_rows_and_than_all() -> None:
    found = [count_updates(MLP, "isaac-ce", 20, policy=policy, size=3e-6) for policy in POLICIES]
    totals = [sum(layer.writes for layer in each.layers) for each in found]
    assert totals[0] == 21 * 51_712 and totals[0] > totals[1] > totals[2] > 0
    assert [each.size for each in found] == [None, 3e-6, 3e-6]
    assert count_updates(MLP, "isaac-ce", 20, policy="changed", size=3e-6) == found[-1]
    assert count_updates(MLP, "isaac-ce", 20, policy="changed", size=3e-6, seed=1) != found[-1]
    larger = count_updates(MLP, "isaac-ce", 20, policy="changed")
    assert sum(layer.writes for layer in larger.layers) > 2 * totals[2]


def test_crossbars_counted_a_few_at_a_time_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = count_updates(MLP, "isaac-ce", 5)
    monkeypatch.setattr("pimsim.wear.MOST_CELLS", 128 * 128)
    monkeypatch.setattr("pimsim.wear.MOST_BINS", 1)
    assert count_updates(MLP, "isaac-ce", 5) == whole
    calls: list[tuple[int, int]] = []
    count_updates(MLP, "isaac-ce", 5, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (7 * 6, 7 * 6)  # crossbars x (programming + updates)


def test_a_spread_of_endurance_wears_the_weakest_cell_first() -> None:
    found = count_updates(MLP, "isaac-ce", 3, endurance=(1e8, 0.5))
    cells = sum(layer.cells for layer in found.layers)
    ends = [endurance_at(1e8, 0.5, -math.expm1(math.log(kept) / cells)) for kept in (1 - 1e-6, 1e-6)]
    assert ends[0] < found.lifetimes[0].updates < ends[1]  # type: ignore[operator]


def test_the_command_prints_and_writes(two_layers: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    words = ["wear", two_layers, "--arch", "isaac-ce", "--updates", "7", "--endurance", "1000", "--out", str(out)]
    assert main(words) == 0
    assert "999 at 1000" in capsys.readouterr().out
    assert {file.name for file in out.iterdir()} == {"wear.json", "wear.csv", "crossbars.csv", "wear.png", "wear.svg"}
    assert json.loads((out / "wear.json").read_text())["layers"][0]["max_writes"] == 8
    rows = list(csv.DictReader((out / "wear.csv").read_text().splitlines()))
    assert [(row["name"], row["writes"], row["updates_at_1000"]) for row in rows] == [
        ("a", "8640", "999"), ("b", "51200", "999")]  # fmt: skip
    assert (out / "crossbars.csv").read_text().splitlines()[1:] == ["a,0,8640,8", "b,0,51200,8"]
    assert main([*words[:-2], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["updates"] == 7


@pytest.mark.parametrize(("options", "line"), [
    (["--updates", "0"], "--updates: is 0; allowed: a whole number from 1 to 1,000,000"),
    (["--updates", "2", "--interval", "0", "--levelling", "rotate"], "interval: is 0"),
    (["--updates", "2", "--size", "nan"], "--size: is nan"),
    (["--updates", "2", "--seed", "-1"], "--seed: is -1"),
    (["--updates", "2", "--endurance", "x"], "--endurance: 'x' is no endurance; allowed: WRITES or WRITES,DECADES"),
    (["--updates", "2", "--endurance", "0"], "--endurance: writes is 0"),
    (["--updates", "2", "--endurance", "1e6,-1"], "--endurance: decades is -1"),
    (["--updates", "2", "--out", ""], "--out: the name of the folder is empty"),
    (["--updates", "2", "--arch", "gpu-only-3d"], "--arch: gpu-only-3d has GPU cores alone, and no crossbars"),
    (["--updates", "2", "--policy", "changed"], "is a table of layers without weights"),
])  # fmt: skip
def test_bad_input_is_one_line(
    options: list[str], line: str, two_layers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["wear", two_layers, "--arch", "isaac-ce", *options]) == 2
    error = capsys.readouterr().err
    assert line in error and error.count("\n") == 1


# pimsim run --endurance


def test_a_run_says_how_long_cells_of_a_given_endurance_last(
    two_layers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    alike = pimsim.simulate(two_layers, "isaac-ce", endurance=2.5e6).wear
    assert [(each.endurance, each.programmings) for each in alike.lifetimes] == [(2.5e6, 2_500_000)]
    spread = pimsim.simulate(two_layers, "isaac-ce", endurance=(2.5e6, 0.4)).wear
    weakest, hundredth = (each.endurance for each in spread.lifetimes)
    assert weakest == endurance_of_weakest(2.5e6, 0.4, spread.cells_written) < hundredth < 2.5e6
    assert main(["run", two_layers, "--arch", "isaac-ce", "--endurance", "2.5e6,0.4"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "(the weakest cell)" in shown and "(1 % of the cells)" in shown
    for wrong in (0, float("nan"), (1e6, -1.0), "much", (True, 0.0)):
        with pytest.raises(InputError, match="endurance"):
            pimsim.simulate(two_layers, "isaac-ce", endurance=wrong)  # type: ignore[arg-type]


def test_the_weakest_cell_is_the_median_of_drawn_ones() -> None:
    cells, draws = 2000, 400
    lowest = endurance_of_cells(1e6, 0.5, (draws, cells), stream(0, "a", "test")).min(axis=1)
    below = np.count_nonzero(lowest < endurance_of_weakest(1e6, 0.5, cells))
    assert abs(below - draws / 2) < 5 * math.sqrt(draws / 4)
    assert endurance_of_weakest(1e6, 0.0, cells) == endurance_of_weakest(1e6, 0.5, 1) == pytest.approx(1e6)


# infer on cells that have been written before


@cache
def worn(writes_before: float, sigma: float = 0.3, images: int = 60) -> Any:
    endurance = {"writes": 1e4, "sigma_decades": sigma, "stuck_is": "low", "writes_before": writes_before}
    cells = Device.model_validate({"format": "pimsim-device-1", "name": "d", "endurance": endurance})
    return pimsim.infer(MLP, "isaac-ce", "digits", images=images, device=cells)


def test_accuracy_falls_where_writes_before_pass_the_endurance() -> None:
    fresh, old = worn(0.0), worn(2e4)
    assert fresh.accuracy.share > 0.9 > 0.5 > old.accuracy.share
    assert fresh.agreement_fixed.share == 1 and fresh.lifetime.stuck == 0
    assert any("device.endurance has no effect" in note for note in fresh.notes)
    assert worn(9999.0, 0.0).lifetime.stuck == 0 and worn(9999.0, 0.0).agreement_fixed.share == 1
    assert worn(1e4, 0.0).lifetime.stuck == worn(1e4, 0.0).lifetime.cells


def test_as_many_cells_are_stuck_as_the_distribution_says() -> None:
    found = worn(8e3).lifetime
    drawn = endurance_of_cells(1e4, 0.3, (1_000_000,), stream(1, "other cells", "endurance"))
    share = float(stuck_share(np.ones(drawn.size), drawn, 8001.0))
    sigma = math.sqrt(share * (1 - share) * (1 / found.cells + 1 / drawn.size))
    assert found.cells == 51_712 and abs(found.stuck / found.cells - share) < 4 * sigma


def test_a_network_lasts_as_long_as_its_cells(capsys: pytest.CaptureFixture[str]) -> None:
    fresh, later = worn(0.0).lifetime, worn(1000.0).lifetime
    assert later.programmings_to_first == max(0, fresh.programmings_to_first - 1000)
    assert later.programmings_to_one_percent == fresh.programmings_to_one_percent - 1000
    assert fresh.programmings_to_one_percent == pytest.approx(endurance_at(1e4, 0.3, 0.01), rel=0.05)
    ends = [endurance_at(1e4, 0.3, -math.expm1(math.log(kept) / fresh.cells)) for kept in (1 - 1e-4, 1e-4)]
    assert ends[0] - 1 < fresh.programmings_to_first < ends[1]
    # One programming fewer than the first cell bears: none is stuck; one more: one is.
    assert worn(float(fresh.programmings_to_first - 1), images=2).lifetime.stuck == 0
    assert worn(float(fresh.programmings_to_first), images=2).lifetime.stuck == 1
    alike = worn(0.0, 0.0).lifetime
    assert alike.programmings_to_first == alike.programmings_to_one_percent == 10_000


def test_the_cells_counted_are_those_that_are_programmed(monkeypatch: pytest.MonkeyPatch) -> None:
    from pimsim.functional import part

    stuck: dict[str, np.ndarray] = {}
    program_cells = part.program_cells

    def watched(*args: Any, layer: str, **options: Any) -> Any:
        cells = program_cells(*args, layer=layer, **options)
        stuck[layer] = cells.stuck
        return cells

    monkeypatch.setattr(part, "program_cells", watched)
    monkeypatch.setattr("pimsim.functional.crossbar.PART_CELLS", 10_000)  # several parts a layer
    endurance = {"writes": 1e4, "sigma_decades": 0.5, "stuck_is": "low", "writes_before": 2000}
    cells = Device.model_validate({"format": "pimsim-device-1", "name": "d", "endurance": endurance})
    found = pimsim.infer(MLP, "isaac-ce", "digits", images=1, device=cells,
                         overrides=["mapping.mitigation.copies=3"]).lifetime  # fmt: skip
    assert found is not None and len(stuck) > 3 * 3
    assert found.cells == sum(each.size for each in stuck.values()) == 3 * 51_712
    assert found.stuck == sum(int(each.sum()) for each in stuck.values()) > 0


def test_the_lifetime_of_cells_is_printed_kept_and_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pimsim.results.inference import load_inference, save_inference

    save_inference(worn(1000.0), tmp_path / "out")
    assert load_inference(tmp_path / "out") == worn(1000.0)
    old = json.loads((tmp_path / "out" / "inference.json").read_text())
    del old["lifetime"]
    (tmp_path / "old.json").write_text(json.dumps(old))
    assert load_inference(tmp_path / "old.json").lifetime is None  # type: ignore[union-attr]
    device = tmp_path / "worn.yaml"
    device.write_text("format: pimsim-device-1\nname: worn\nendurance: {writes: 10000, writes_before: 1000}\n")
    words = ["infer", MLP, "--arch", "isaac-ce", "--data", "digits", "--images", "2", "--device", str(device)]
    assert main(words) == 0
    assert "9,000 programmings, this one included" in " ".join(capsys.readouterr().out.split())
    assert main([*words, "--set", "device.endurance.writes_before=-1"]) == 2
    assert "writes_before" in capsys.readouterr().err
