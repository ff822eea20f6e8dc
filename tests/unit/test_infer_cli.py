"""`pimsim infer`: what it prints and writes, and one line for everything that a user can get wrong."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pimsim.cli import main
from pimsim.report.inference import decibels, per_cent, sweep_notes
from pimsim.report.plots import layer_values
from pimsim.report.plots import sweep as sweep_plot
from pimsim.report.plots.inference import save_inference_plots
from pimsim.results.inference import InferenceResult, InferenceSweep, Share, load_inference, snr_db
from tests.unit.inference_networks import images_for, saved, small_cnn


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A network and a dataset that suits it."""
    folder = tmp_path_factory.mktemp("infer")
    network = saved(small_cnn(channels=3), folder / "cnn.onnx")
    np.savez(folder / "data.npz", images=images_for((12, 3, 8, 8)), labels=np.arange(12) % 4)
    return network, str(folder / "data.npz")


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must succeed; what it prints."""
    assert main(["infer", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def failed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must fail with one line on stderr and nothing on stdout; that line."""
    assert main(["infer", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1 and err.startswith("pimsim: ")
    return err.strip()


def test_tables_say_how_networks_decide_and_what_layers_do(
    capsys: pytest.CaptureFixture[str], files: tuple[str, str]
) -> None:
    network, data = files
    out = shown(capsys, network, "--arch", "isaac-ce", "--data", data, "--images", "8")
    for words in ("cnn on isaac-ce, ideal cells, 8 images of data", "SNR to exact", "[dB]", "Accuracy on crossbars",
                  "100.00% (8 of 8; 95 %: 67.56% to 100.00%)", "Writes of the weights", "note: "):  # fmt: skip
        assert words in out
    assert "ADC clips: " not in out
    narrow = ("--set", "chip.tile.ima.adc.bits=2")
    assert "above the range of the ADC, and sums below 0" in shown(
        capsys, network, "--arch", "isaac-ce", "--data", data, *narrow
    )
    assert shown(capsys, network, "--arch", "isaac-ce", "--data", data, "--quiet") == ""


def test_json_is_the_record(capsys: pytest.CaptureFixture[str], files: tuple[str, str], tmp_path: Path) -> None:
    network, data = files
    text = shown(capsys, network, "--arch", "isaac-ce", "--data", data, "--json", "--seed", "7", "--calibration", "3",
                 "--set", "chip.tile.ima.adc.bits=7")  # fmt: skip
    (tmp_path / "inference.json").write_text(text)
    result = load_inference(tmp_path)
    assert isinstance(result, InferenceResult)
    assert (result.source.seed, result.source.images, result.source.calibration_images) == (7, 12, 3)
    assert {layer.adc_bits for layer in result.layers} == {7}


def test_a_folder_holds_result_table_and_plots(
    capsys: pytest.CaptureFixture[str], files: tuple[str, str], tmp_path: Path
) -> None:
    network, data = files
    out = shown(capsys, network, "--arch", "isaac-ce", "--data", data, "--out", str(tmp_path / "a" / "out"))
    assert f"Written to {tmp_path / 'a' / 'out'}" in out
    plots = [f"{name}.{kind}" for name in ("decisions", "layer_values", "adc_histogram") for kind in ("png", "svg")]
    written = sorted(path.name for path in (tmp_path / "a" / "out").iterdir())
    assert written == sorted(["inference.json", "layers.csv", *plots])


def test_a_sweep_is_a_table_and_a_plot(
    capsys: pytest.CaptureFixture[str], files: tuple[str, str], tmp_path: Path
) -> None:
    network, data = files
    (tmp_path / "out").mkdir()
    for name in ("inference.json", "decisions.svg"):  # of an execution before, at one point
        (tmp_path / "out" / name).write_text("old")
    out = shown(capsys, network, "--arch", "isaac-ce", "--data", data, "--sweep", "chip.tile.ima.adc.bits=2,4,8",
                "--out", str(tmp_path / "out"))  # fmt: skip
    assert "chip.tile.ima.adc.bits" in out and "floating point: " in out
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["sweep.csv", "sweep.json", "sweep.png", "sweep.svg"]
    swept = load_inference(tmp_path / "out")
    assert isinstance(swept, InferenceSweep)
    assert [result.layers[0].adc_bits for result in swept.results] == [2, 4, 8]
    assert len((tmp_path / "out" / "sweep.csv").read_text().splitlines()) == 4


def test_a_sweep_without_numbers_is_drawn_too(
    capsys: pytest.CaptureFixture[str], files: tuple[str, str], tmp_path: Path
) -> None:
    network, data = files
    arguments = ("--data", data, "--images", "3", "--sweep", "mapping.scale=real,power_of_two")
    shown(capsys, network, "--arch", "isaac-ce", *arguments, "--out", str(tmp_path / "out"))
    assert (tmp_path / "out" / "sweep.png").stat().st_size > 5_000


def test_a_sweep_keeps_notes_of_single_points_and_claims_no_difference_within_intervals(
    capsys: pytest.CaptureFixture[str], files: tuple[str, str], tmp_path: Path
) -> None:
    network, data = files
    (tmp_path / "sweep.json").write_text(
        shown(capsys, network, "--arch", "isaac-ce", "--data", data, "--json", "--sweep", "mapping.weight_bits=15,16")
    )
    found = load_inference(tmp_path)
    assert isinstance(found, InferenceSweep)
    first, second = found.results
    assert sweep_notes(found) == first.notes
    noted = replace(found, results=(first, replace(second, notes=(*second.notes, "odd"))))
    assert sweep_notes(noted) == (*first.notes, "weight_bits 16: odd")
    for counts, told in (((50, 52), "no difference beyond"), ((50, 90), "goes from"), ((50, 50), "whatever")):
        pairs = zip(found.results, counts, strict=True)
        results = tuple(replace(each, accuracy=Share(count, 100)) for each, count in pairs)
        title = sweep_plot.draw(replace(found, results=results)).axes[0].get_title()
        assert told in title


def test_a_layer_without_signal_is_no_exact_one(
    capsys: pytest.CaptureFixture[str], files: tuple[str, str], tmp_path: Path
) -> None:
    network, data = files
    text = shown(capsys, network, "--arch", "isaac-ce", "--data", data, "--json", "--set", "chip.tile.ima.adc.bits=2")
    (tmp_path / "inference.json").write_text(text)
    result = load_inference(tmp_path)
    assert isinstance(result, InferenceResult)
    silent = replace(result, layers=(replace(result.layers[0], exact_signal=0.0), *result.layers[1:]))
    assert silent.layers[0].exact_snr_db == -math.inf
    axes = layer_values.draw(silent).axes[0]
    assert "its products are nothing else" in axes.get_title()
    assert "no signal" in [text.get_text() for text in axes.texts]


def test_a_noisy_result_without_labels_is_drawn_too(
    capsys: pytest.CaptureFixture[str], files: tuple[str, str], tmp_path: Path
) -> None:
    network, _ = files
    np.savez(tmp_path / "images.npz", images=images_for((4, 3, 8, 8)))
    text = shown(capsys, network, "--arch", "isaac-ce", "--data", str(tmp_path / "images.npz"), "--json",
                 "--set", "chip.tile.ima.adc.bits=2")  # fmt: skip
    (tmp_path / "inference.json").write_text(text)
    result = load_inference(tmp_path)
    assert isinstance(result, InferenceResult) and result.accuracy is None
    assert any(layer.exact_snr_db is not None for layer in result.layers)
    assert len(save_inference_plots(result, tmp_path, ("png",))) == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--images", "99"), "--images: 99 images"),
        (("--images", "0"), "--images: 0 images"),
        (("--seed", "-1"), "--seed: -1 is not allowed; allowed: a whole number from 0 to 9223372036854775807"),
        (("--calibration", "0"), "--calibration: 0 images cannot calibrate"),
        (("--sweep", "adc"), "--sweep: 'adc' is no sweep"),
        (("--sweep", "mapping.weight_bits=8,"), "--sweep: 'mapping.weight_bits=8,' is no sweep"),
        (("--sweep", "device.drift.time_s=1,2"), "is a key of a device, and none is given"),
        (("--sweep", "mapping.weight_bits=8,x"), "--sweep mapping.weight_bits=x"),
        (("--sweep", "mapping.bits=1,2"), "--sweep mapping.bits=1: mapping.bits: mapping has no key 'bits'"),
        (("--device", "nosuch"), "nosuch"),
        (("--out", ""), "--out: the name of the folder is empty"),
        (("--tier", "T7"), "'T7' is not one of"),
        (("--input", "x"), "--input: 'x' is no shape"),
        (("--arch", "gpu-only-3d"), "pimsim: --arch: gpu-only-3d has GPU cores alone, and no crossbars"),
    ],
)
def test_wrong_options_are_one_line(
    capsys: pytest.CaptureFixture[str], files: tuple[str, str], arguments: tuple[str, ...], told: str
) -> None:
    network, data = files
    assert told in failed(capsys, network, "--arch", "isaac-ce", "--data", data, *arguments)


def test_nothing_is_written_when_something_is_wrong(
    capsys: pytest.CaptureFixture[str], files: tuple[str, str], tmp_path: Path
) -> None:
    network, _ = files
    np.savez(tmp_path / "small.npz", images=images_for((3, 1, 5, 5)))
    line = failed(capsys, network, "--arch", "isaac-ce", "--data", str(tmp_path / "small.npz"),
                  "--out", str(tmp_path / "out"))  # fmt: skip
    assert "--data: images of shape [1, 5, 5] do not fit the network's input of shape [1, 3, 8, 8]" in line
    assert [path.name for path in tmp_path.iterdir()] == ["small.npz"]


def test_networks_without_weights_name_those_that_have_some(capsys: pytest.CaptureFixture[str]) -> None:
    line = failed(capsys, "lenet5", "--arch", "isaac-ce", "--data", "digits")
    assert "'lenet5' is a table of layers without weights, which infer needs" in line and "mlp-digits" in line
    assert "did you mean 'mlp-digits'" in failed(capsys, "mlp-digit", "--arch", "isaac-ce", "--data", "digits")


def test_numbers_are_told_apart_from_none() -> None:
    assert (decibels(None), decibels(12.345), decibels(-math.inf)) == ("exact", "12.3", "no signal")
    assert (snr_db(1.0, 0.0), snr_db(0.0, 0.0), snr_db(0.0, 1.0)) == (None, None, -math.inf)
    assert snr_db(100.0, 1.0) == pytest.approx(20.0)
    assert (per_cent(0.0), per_cent(1e-6)) == ("0", "0.0001")
    assert json.loads(json.dumps(per_cent(0.5))) == "50"
