"""The loop closed: temperatures of a run's layers, cells at these temperatures, and what that does to decisions."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pimsim
from pimsim.cli import main
from pimsim.config.device import Device
from pimsim.errors import InputError
from pimsim.functional.temperature import at_temperature, at_temperatures, temperature_of
from pimsim.heat import accuracy_at_temperatures, layer_temperatures, temperatures
from pimsim.results import Result, save_result
from pimsim.simulation import map_workload

pytest.importorskip("sklearn", reason="the digits are scikit-learn's")

NET, CHIP = "mlp-digits", "hetero-3d"
OPTIONS: dict[str, Any] = {"images": 20, "calibration": 8}


def device(**parts: Any) -> Device:
    given = {"format": "pimsim-device-1", "name": "warm", "cell": {"g_min_us": 2.0, "g_max_us": 200.0}, **parts}
    return Device.model_validate(given)


NOISY = {"voltage_v": 0.002, "frequency_mhz": 300.0, "temperature_k": 300.0}
FORGETFUL = {"time_s": 1e4, "tau_s": 1e6, "activation_ev": 1.0, "temperature_k": 300.0,
             "reference_temperature_k": 300.0}  # fmt: skip


@cache
def run(mode: str = "infer", network: str = NET, system: str = CHIP) -> Result:
    return pimsim.simulate(network, system, mode=mode, batch=4)  # type: ignore[arg-type]


# layers


@pytest.mark.parametrize("mode", ["infer", "train"])
def test_a_layer_is_as_warm_as_the_tiles_of_its_crossbars(mode: str) -> None:
    result = run(mode)
    heat = temperatures(result)
    found = layer_temperatures(result, heat=heat)
    program = map_workload(NET, CHIP, mode=mode, batch=4)  # type: ignore[arg-type]
    first = next(i for i, node in enumerate(program.dataflow.nodes) if node.name == "fc1")
    own = program.replicas.layer[program.slices.replica] == first
    kelvin, crossbars = heat.temperature_k[program.slices.tile[own]], program.slices.crossbars[own]
    assert found["fc1"] == pytest.approx((kelvin * crossbars).sum() / crossbars.sum())
    assert {"fc1", "fc2", "scores"} <= set(found)
    assert ("fc2/backward" in found) == (mode == "train")
    assert min(heat.temperature_k) <= min(found.values()) <= max(found.values()) <= max(heat.temperature_k)


def test_layers_in_several_tiles_differ() -> None:
    result = pimsim.simulate("lenet5", "isaac-ce")
    heat = temperatures(result)
    found = layer_temperatures(result, heat=heat)
    program = map_workload("lenet5", "isaac-ce")
    layer = program.replicas.layer[program.slices.replica]
    sums = np.bincount(layer, weights=heat.temperature_k[program.slices.tile] * program.slices.crossbars)
    counts = np.bincount(layer, weights=program.slices.crossbars)
    assert found == pytest.approx({node.name: sums[i] / counts[i] for i, node in enumerate(program.dataflow.nodes)
                                   if node.kind == "mvm"})  # fmt: skip
    assert max(found.values()) - min(found.values()) > 0.01


def test_layers_of_another_network_are_one_line() -> None:
    with pytest.raises(InputError, match="lenet5 is not the network whose run the result is of: mlp-digits on hetero"):
        layer_temperatures(run(), "lenet5")
    with pytest.raises(InputError) as caught:
        accuracy_at_temperatures(NET, "isaac-ce", "digits", run(network="lenet5"), device=device(read_noise=NOISY))
    assert str(caught.value) == ("the result of lenet5 on hetero-3d has no crossbars of fc1, fc2, scores; allowed: a "
                                 "result of a run of mlp-digits on a chip with crossbars")  # fmt: skip
    with pytest.raises(InputError, match="mlp-digits on gpu-only-3d has no crossbars of fc1, fc2, scores"):
        accuracy_at_temperatures(NET, "isaac-ce", "digits", run(system="gpu-only-3d"), device=device(read_noise=NOISY))


# cells


def test_thermal_noise_and_retention_get_the_temperature() -> None:
    warm = at_temperature(device(read_noise=NOISY, retention=FORGETFUL), 350.0)
    assert warm.read_noise is not None and warm.retention is not None
    assert (warm.read_noise.temperature_k, warm.retention.temperature_k) == (350.0, 350.0)
    assert warm.retention.reference_temperature_k == 300.0 and temperature_of(warm) == 350.0
    cold = at_temperature(device(retention=FORGETFUL), 250.0)
    assert cold.read_noise is None and temperature_of(cold) == 250.0


@pytest.mark.parametrize(("cells", "words"), [
    (device(), "device: nothing of warm depends on temperature; allowed: one with thermal read_noise"),
    (device(read_noise=NOISY | {"thermal": False}), "nothing of warm depends on temperature"),
    (None, "device: ideal cells are the same at any temperature"),
])  # fmt: skip
def test_cells_that_know_no_temperature_are_one_line(cells: Device | None, words: str) -> None:
    with pytest.raises(InputError) as caught:
        at_temperatures(cells, {"a": 300.0}, ["a"])
    assert words in str(caught.value)
    with pytest.raises(InputError) as caught:
        accuracy_at_temperatures(NET, "isaac-ce", "digits", run(), device=cells)
    assert words in str(caught.value)


def test_a_layer_without_a_temperature_is_one_line() -> None:
    with pytest.raises(InputError, match="no temperature is known of b, c; allowed: a, b, c"):
        at_temperatures(device(read_noise=NOISY), {"a": 300.0}, ["a", "b", "c"])
    with pytest.raises(InputError, match="temperatures_k: is -3.0; allowed: more than 0"):
        at_temperatures(device(read_noise=NOISY), {"a": -3.0}, ["a"])


# decisions


def executed(temperatures_k: dict[str, float] | None, cells: Device | None = None) -> Any:
    return pimsim.infer(NET, "isaac-ce", "digits", device=cells or device(read_noise=NOISY),
                        temperatures_k=temperatures_k, **OPTIONS)  # fmt: skip


def test_the_temperature_of_the_device_itself_changes_nothing() -> None:
    as_given = executed(None)
    same = executed(dict.fromkeys(("fc1", "fc2", "scores"), 300.0))
    assert same.accuracy == as_given.accuracy and same.layers == as_given.layers


def test_only_the_warm_layer_gets_more_noise() -> None:
    as_given = executed(None)
    found = executed({"fc1": 300.0, "fc2": 300.0, "scores": 3000.0})
    assert found.layers[:2] == as_given.layers[:2]
    assert found.layers[2].exact_noise > 2 * as_given.layers[2].exact_noise
    assert any("scores 3000.0" in note for note in found.notes)


def test_the_table_is_of_runs_at_each_temperature() -> None:
    result, cells = run("train"), device(read_noise=NOISY)
    heat = temperatures(result)
    found = accuracy_at_temperatures(NET, "isaac-ce", "digits", result, device=cells, heat=heat, **OPTIONS)
    own = layer_temperatures(result, heat=heat)
    names = [value.partition(" K ")[2] for value in found.values]
    assert names == ["(device)", "(air)", "(each layer)", "(hottest tile)"]
    for place, kelvin in ((0, None), (1, dict.fromkeys(own, 318.15)), (2, own),
                          (3, dict.fromkeys(own, float(heat.temperature_k.max())))):  # fmt: skip
        assert found.results[place].layers == executed(kelvin).layers
    noise = [sum(layer.exact_noise for layer in each.layers) for each in found.results]
    assert noise[0] != noise[1] != noise[2] != noise[3]


def test_a_hotter_chip_forgets_sooner() -> None:
    cells = device(retention=FORGETFUL)
    found = accuracy_at_temperatures(NET, "isaac-ce", "digits", run("train"), device=cells, **OPTIONS)
    agreement = [each.agreement_fixed.share for each in found.results]
    noise = [sum(layer.exact_noise for layer in each.layers) for each in found.results]
    assert noise[0] < noise[1] < noise[2] < noise[3] and agreement[0] > agreement[2]


# the command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("accuracy") / "run"
    save_result(run("train"), path)
    return str(path)


COMMAND = ("infer", NET, "--arch", CHIP, "--data", "digits", "--images", "6",
           "--calibration", "4", "--device", "reram-pytorx")  # fmt: skip


def test_the_command_prints_a_table_against_temperature(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main([*COMMAND, "--temperature-from", folder, "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["key"] == "temperature" and len(found["results"]) == 4
    assert (out / "sweep.png").exists()
    rows = (out / "sweep.csv").read_text().splitlines()
    assert rows[0].startswith("temperature,") and "(each layer)," in rows[3]


def test_a_sweep_takes_the_temperatures_of_the_layers(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    swept = ("--sweep", "device.programming.sigma=0,0.5", "--json")
    assert main([*COMMAND, "--temperature-from", folder, *swept]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["values"] == ["0", "0.5"]
    own = layer_temperatures(run("train"))
    for result in found["results"]:
        assert any(f"fc1 {own['fc1']:.1f}" in note for note in result["notes"])


def test_a_package_for_the_heat_comes_with_set(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND, "--temperature-from", folder, "--json", "--set",
                 "chip.thermal.convection_k_per_w=2"]) == 0  # fmt: skip
    hottest = float(json.loads(capsys.readouterr().out)["values"][3].partition(" ")[0])
    hot = temperatures(run("train"), overrides=["chip.thermal.convection_k_per_w=2"])
    assert hottest == pytest.approx(hot.temperature_k.max(), abs=0.06)
    assert hot.temperature_k.max() > temperatures(run("train")).temperature_k.max() + 10


@pytest.mark.parametrize(("options", "words"), [
    (("--device", "ideal"), "pimsim: --device: nothing of ideal depends on temperature"),
    (("--temperature-from", "nowhere"), "pimsim: nowhere: cannot be read"),
    (("--set", "chip.thermal.convection_k_per_w=null"), "the tiers have no heat path"),
    (("--arch", "gpu-only-3d"), "pimsim: --arch: gpu-only-3d has GPU cores alone, and no crossbars"),
    (("--set", "mapping.weight_bits=1"), "pimsim: mapping.weight_bits: one bit holds no signed weight"),
])  # fmt: skip
def test_wrong_options_are_one_line(
    folder: str, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: str
) -> None:
    assert main([*COMMAND, "--temperature-from", folder, *options]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and words in err


def test_another_network_is_one_line(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["lstm-digits" if word == NET else word for word in COMMAND]
    assert main([*given, "--temperature-from", folder]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"pimsim: --temperature-from {folder}: the result of {NET} on {CHIP} has no crossbars of ")
    assert np.count_nonzero(np.array(list(err)) == "\n") == 1
