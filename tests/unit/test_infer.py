"""Networks executed on data: quantisation, what equals what, what does not depend on batches, and the record."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import pimsim
from pimsim.config import load_system
from pimsim.config.device import Device
from pimsim.config.mitigation import Mitigation
from pimsim.config.records import Mapping, System
from pimsim.datasets import Dataset
from pimsim.errors import InputError
from pimsim.functional.crossbar import program_matrix
from pimsim.functional.network import preparation, products
from pimsim.functional.network.executor import Executor
from pimsim.functional.network.quantisation import Range, input_quantiser, quantise_weights
from pimsim.functional.network.windows import vectors_of
from pimsim.inference import sweep
from pimsim.mapping.arithmetic import layer_arithmetic
from pimsim.results.inference import Share, inference_json, load_inference, save_inference
from pimsim.simulation import map_workload
from pimsim.workload.catalogue import shipped
from pimsim.workload.operations.windows import sliding
from tests.unit.inference_networks import built, images_for, saved, small_cnn
from tests.unit.onnx_models import Graph

NOISE = Device.model_validate({
    "format": "pimsim-device-1", "name": "noisy", "cell": {"g_min_us": 1.0, "g_max_us": 100.0},
    "read_noise": {"thermal": False, "shot": False, "other": {"sigma": 0.05, "relative_to": "range"}},
})  # fmt: skip


@pytest.fixture(scope="module")
def cnn(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(small_cnn(), tmp_path_factory.mktemp("networks") / "cnn.onnx")


def data(n: int, shape: tuple[int, ...] = (2, 8, 8), labels: bool = True) -> Dataset:
    classes = np.arange(n) % 4 if labels else None
    return Dataset("made up", images_for((n, *shape)), classes, ("a", "b", "c", "d") if labels else (), "normal values")


# quantisation


def test_weights_have_one_step_for_the_layer_or_one_for_each_output() -> None:
    weights = np.array([[[0.5, 0.01], [-1.0, 0.02]]])  # one group, two rows, two outputs
    whole = quantise_weights(weights, 8, Mapping())
    assert whole.scale.tolist() == [[[1 / 127, 1 / 127]]]
    assert whole.integers.tolist() == [[[64, 1], [-127, 3]]]
    each = quantise_weights(weights, 8, Mapping(weight_scale="per_channel"))
    assert each.scale.reshape(-1).tolist() == pytest.approx([1 / 127, 0.02 / 127])
    assert each.integers.tolist() == [[[64, 64], [-127, 127]]]


def test_steps_that_are_powers_of_two_are_never_too_small() -> None:
    found = quantise_weights(np.array([[[0.5], [-1.0]]]), 8, Mapping(scale="power_of_two"))
    assert found.scale.item() == 2.0**-6  # 1 / 127 is between 2^-7 and 2^-6
    assert found.integers.reshape(-1).tolist() == [32, -64]
    exact = quantise_weights(np.array([[[127 / 64]]]), 8, Mapping(scale="power_of_two"))
    assert (exact.scale.item(), exact.integers.item()) == (2.0**-6, 127)


def test_weights_beyond_a_multiple_of_their_deviation_are_clipped() -> None:
    weights = np.array([[[1.0], [-1.0], [1.0], [-3.0]]])
    most = 1.5 * weights.std()
    found = quantise_weights(weights, 8, Mapping(mitigation=Mitigation(weight_clip=1.5)))
    assert found.clipped == 1
    assert found.scale.item() == pytest.approx(most / 127)
    assert found.integers[0, 3].item() == -127


def test_inputs_saturate_at_the_ends_of_twos_complement() -> None:
    quantiser, signed = input_quantiser(Range(2.0, -1.0), 8, Mapping())
    assert signed and quantiser.scale == 2 / 127
    integers, beyond = quantiser.integers(np.array([0.0, 2.0, 5.0, -9.0]))
    assert integers.tolist() == [0, 127, 127, -128]
    assert beyond == 2


def test_inputs_that_were_never_negative_may_do_without_a_sign() -> None:
    mapping = Mapping(unsigned_inputs=True)
    quantiser, signed = input_quantiser(Range(2.0, 0.0), 8, mapping)
    assert (signed, quantiser.low, quantiser.high, quantiser.scale) == (False, 0, 255, 2 / 255)
    assert input_quantiser(Range(2.0, -0.1), 8, mapping)[1]


def test_one_bit_holds_nothing_with_a_sign() -> None:
    with pytest.raises(InputError, match="one bit holds no signed input"):
        input_quantiser(Range(1.0, -1.0), 1, Mapping())
    with pytest.raises(InputError, match="one bit holds no signed weight"):
        quantise_weights(np.ones((1, 1, 1)), 1, Mapping())


def test_a_layer_of_zeros_has_steps_of_one() -> None:
    assert quantise_weights(np.zeros((1, 2, 2)), 8, Mapping()).scale.max() == 1
    assert input_quantiser(Range(), 8, Mapping())[0].scale == 1


def test_wide_products_are_exact_where_float64_is_not() -> None:
    weights = quantise_weights(np.array([[[1.0], [1.0]]]), 30, Mapping())
    quantiser, _ = input_quantiser(Range(1.0), 30, Mapping())
    exact = products.ExactProducts(weights, quantiser)
    most = 2**29 - 1
    vectors = np.array([[most, most], [most, -1.0]])
    assert exact.exact(vectors).reshape(-1).tolist() == [2 * most * most, most * (most - 1)]


# execution


def test_exact_crossbars_decide_as_exact_integers(cnn: str) -> None:
    result = pimsim.infer(cnn, "isaac-ce", data(40), calibration=10)
    assert result.agreement_fixed == Share(40, 40)
    assert result.accuracy == result.fixed_accuracy
    assert [layer.exact_snr_db for layer in result.layers] == [None] * 3
    assert all(layer.float_snr_db is None or layer.float_snr_db > 40 for layer in result.layers)
    assert result.agreement_float.count >= 39  # two outputs may be closer than 16 bits can tell


def test_the_windows_executed_are_those_of_the_program(cnn: str) -> None:
    result = pimsim.infer(cnn, "isaac-ce", data(5))
    assert [(layer.windows, layer.windows_mapped, layer.vectors) for layer in result.layers] == [
        (64, 64, 320), (16, 16, 80), (1, 1, 5),
    ]  # fmt: skip


@pytest.mark.parametrize("name", [name for name, path in shipped().items() if path.suffix == ".onnx"])
def test_every_network_with_weights_executes_the_windows_of_its_program(name: str) -> None:
    workload = pimsim.workload.load_workload(name)
    shape = workload.shape(workload.inputs[0])
    result = pimsim.infer(name, "isaac-ce", Dataset("x", images_for((2, *((1,) * (4 - len(shape))), *shape[1:])),
                                                    None, (), "normal"))  # fmt: skip
    assert [layer.windows for layer in result.layers] == [layer.windows_mapped for layer in result.layers]
    assert result.accuracy is None and result.agreement_fixed == Share(2, 2)


@pytest.mark.parametrize("batch_bytes", [1, 40_000])
def test_results_do_not_depend_on_how_images_are_split(
    cnn: str, batch_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pimsim.infer(cnn, "isaac-ce", data(12), device=NOISE, seed=3)
    assert max(layer.exact_noise for layer in whole.layers) > 0
    monkeypatch.setattr(preparation, "BATCH_BYTES", batch_bytes)
    split = pimsim.infer(cnn, "isaac-ce", data(12), device=NOISE, seed=3)
    for layer, same in zip(whole.layers, split.layers, strict=True):
        assert layer.exact_noise == pytest.approx(same.exact_noise, rel=1e-12)
        assert (layer.clipped, layer.conversions) == (same.clipped, same.conversions)
        assert layer.input_scale == same.input_scale
    assert whole.agreement_float == split.agreement_float


def test_a_network_that_takes_one_image_at_a_time_gives_the_same(tmp_path: Path) -> None:
    weights = images_for((32, 5), 1)
    files = []
    for name, batch, rows in (("one", 1, 1), ("many", "N", -1)):
        g = Graph(17)
        x = g("Reshape", g.input("x", [batch, 2, 4, 4]), g.ints(rows, 32))
        files.append(saved(g.model(g("Gemm", x, g.value(weights))), tmp_path / f"{name}.onnx"))
    one, many = (pimsim.infer(file, "isaac-ce", data(6, (2, 4, 4)), device=NOISE) for file in files)
    assert any("one image at a time" in note for note in one.notes)
    assert not any("one image at a time" in note for note in many.notes)
    assert one.layers[0].exact_noise == pytest.approx(many.layers[0].exact_noise, rel=1e-12)


def test_noise_makes_a_finite_ratio_and_another_seed_another_one(cnn: str) -> None:
    first, same, other = (pimsim.infer(cnn, "isaac-ce", data(8), device=NOISE, seed=seed) for seed in (1, 1, 2))
    ratios = [[layer.exact_snr_db for layer in result.layers] for result in (first, same, other)]
    assert ratios[0] == ratios[1] != ratios[2]
    assert all(ratio is not None and ratio < 60 for ratio in ratios[0])


def test_every_step_of_a_recurrent_layer_has_noise_of_its_own() -> None:
    matrix = program_matrix(np.ones((8, 6), np.int64), layer_arithmetic(load_system("isaac-ce")), device=NOISE)
    vectors = np.ones((5, 8), np.int64)
    first, second, again = (matrix.multiply(vectors, first_vector=step, stride=3).values for step in (0, 1, 0))
    assert np.array_equal(first, again) and not np.array_equal(first, second)


def test_the_ratio_is_that_of_the_products_themselves(cnn: str) -> None:
    """Of the first layer alone, by hand: signal over noise of the integer products."""
    images = data(4)
    result = pimsim.infer(cnn, "isaac-ce", images, overrides=["chip.tile.ima.adc.bits=3"])
    layer = result.layers[0]
    network, _ = built(onnx.load(cnn))
    matrix = network.matrix_steps[0].matrix
    assert matrix is not None
    weights = np.rint(matrix.matrices[0].weights[0] / layer.weight_scales[0]).astype(np.int64)
    dimensions = sliding((4, 2, 8, 8), (3, 3), {"pads": [1, 1, 1, 1]})
    vectors = np.rint(vectors_of(images.images.astype(np.float64), dimensions) / layer.input_scale).astype(np.int64)
    system = load_system("isaac-ce", ["chip.tile.ima.adc.bits=3"])
    product = program_matrix(weights, layer_arithmetic(system)).multiply(vectors)
    noise = np.mean((product.values - vectors @ weights).astype(float) ** 2)
    assert noise > 0 and layer.clipped == product.clipped > 0
    assert layer.exact_noise == pytest.approx(noise)
    assert layer.exact_snr_db == pytest.approx(10 * math.log10(np.mean((vectors @ weights).astype(float) ** 2) / noise))


def test_every_layer_shows_what_its_converters_deliver(cnn: str) -> None:
    result = pimsim.infer(cnn, "isaac-ce", data(3))
    for layer in result.layers:
        assert 0 < layer.sampled_vectors <= products.SAMPLE
        assert max(layer.histogram_codes) <= 255
        assert sum(layer.histogram_counts) == layer.conversions * layer.sampled_vectors // layer.vectors


def test_a_calibrated_converter_has_a_step_that_fits_what_it_saw(cnn: str) -> None:
    coarse = ["chip.tile.ima.adc.bits=3"]
    plain, fitted = (pimsim.infer(cnn, "isaac-ce", data(8), overrides=[*coarse, *more])
                     for more in ([], ["chip.tile.ima.adc.range=calibrated"]))  # fmt: skip
    assert all(layer.adc_step == 1 for layer in plain.layers)
    assert fitted.layers[0].adc_step > 1
    assert fitted.layers[0].clipped < plain.layers[0].clipped


def test_registers_get_a_shift_that_fits_what_calibration_saw(cnn: str) -> None:
    result = pimsim.infer(cnn, "isaac-ce", data(8), overrides=["mapping.accumulation=register"])
    assert [layer.overflows for layer in result.layers] == [0, 0, 0]
    assert min(layer.register_shift for layer in result.layers) > 8
    assert all(layer.exact_snr_db is not None and layer.exact_snr_db > 40 for layer in result.layers)


def test_a_forced_tier_is_used(cnn: str) -> None:
    chosen, forced = (pimsim.infer(cnn, "isaac-ce", data(3), tier=tier) for tier in (None, "T1"))
    assert set(chosen.layers[0].tiers) == {"T0"} and set(forced.layers[0].tiers) == {"T1"}
    assert forced.agreement_fixed == Share(3, 3)


def test_parts_of_a_device_without_effect_are_named(cnn: str) -> None:
    idle = NOISE.model_copy(update={"read_noise": None})
    idle = Device.model_validate({**idle.model_dump(), "programming": {"sigma": 0.0, "relative_to": "range"}})
    notes = pimsim.infer(cnn, "isaac-ce", data(2), device=idle).notes
    assert [note for note in notes if note.startswith("device.programming has no effect in this run")]


def test_a_device_that_changes_no_product_is_named(cnn: str) -> None:
    def told(sigma: float) -> list[str]:
        reads = {"thermal": False, "shot": False, "other": {"sigma": sigma, "relative_to": "range"}}
        noisy = Device.model_validate({**NOISE.model_dump(), "read_noise": reads})
        notes = pimsim.infer(cnn, "isaac-ce", data(2), device=noisy).notes
        return [note for note in notes if "changed no product in this run" in note]

    assert len(told(1e-9)) == 1 and "device.read_noise" in told(1e-9)[0]
    assert told(0.05) == []


def test_calibration_that_saw_less_saturates_inputs(cnn: str) -> None:
    images = data(30)
    images.images[0] /= 100
    result = pimsim.infer(cnn, "isaac-ce", images, calibration=1)
    assert result.layers[0].saturated_inputs > 0.3
    assert result.source.calibration_images == 1


def test_labels_may_be_missing(cnn: str) -> None:
    result = pimsim.infer(cnn, "isaac-ce", images_for((3, 2, 8, 8)))
    assert (result.accuracy, result.float_accuracy, result.fixed_accuracy) == (None, None, None)
    assert result.summary["accuracy"] is None
    assert "accuracy: no labels" in str(result)


def test_images_may_be_rows_of_values(tmp_path: Path) -> None:
    g = Graph(17)
    file = saved(g.model(g("MatMul", g.input("x", ["N", 128]), g.weight(128, 4))), tmp_path / "flat.onnx")
    assert pimsim.infer(file, "isaac-ce", data(3)).agreement_fixed == Share(3, 3)


def test_a_single_output_decides_by_its_sign(tmp_path: Path) -> None:
    g = Graph(17)
    x = g("MatMul", g.input("x", ["N", 128]), g.weight(128, 1))
    for name, output in (("plain", x), ("sigmoid", g("Sigmoid", x))):
        file = saved(g.model(output), tmp_path / f"{name}.onnx")
        result = pimsim.infer(file, "isaac-ce", data(40))
        assert result.float_accuracy is not None
        flat = data(40).images.reshape(40, -1) @ onnx.numpy_helper.to_array(g.initializers[0])
        assert result.float_accuracy.count == np.count_nonzero((flat[:, 0] > 0) == data(40).labels)


# the record


def test_the_interval_is_wilsons() -> None:
    low, high = Share(8, 10).interval  # z = 1.96: (0.8 + 0.192 +- 1.96 sqrt(0.016 + 0.0096)) / 1.384
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert Share(0, 10).interval[0] == 0 and Share(10, 10).interval[1] == 1
    assert Share(0, 0).interval == (0.0, 1.0)


def test_a_result_can_be_saved_and_read(cnn: str, tmp_path: Path) -> None:
    result = pimsim.infer(cnn, "isaac-ce", data(4), device=NOISE)
    save_inference(result, tmp_path / "out")
    assert load_inference(tmp_path / "out") == result
    assert len((tmp_path / "out" / "layers.csv").read_text().splitlines()) == 1 + 3
    assert json.loads(inference_json(result))["summary"]["agreement_fixed"][0] == result.agreement_fixed.share
    swept = sweep(cnn, "isaac-ce", data(4), "mapping.weight_bits", [4, 8])
    save_inference(swept, tmp_path / "sweep")
    assert load_inference(tmp_path / "sweep") == swept


def test_a_sweep_changes_one_key(cnn: str) -> None:
    found = sweep(cnn, "isaac-ce", data(4), "device.read_noise.other.sigma", [0.05, 0.2],
                  device=write_device(Path(cnn).with_name("noisy.yaml")))  # fmt: skip
    noise = [result.layers[0].exact_noise for result in found.results]
    assert noise[1] > 4 * noise[0] > 0
    with pytest.raises(InputError, match="is a key of a device, and none is given"):
        sweep(cnn, "isaac-ce", data(4), "device.read_noise.other.sigma", [0.1])


def test_a_sweep_checks_every_value_before_the_first_point(cnn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pimsim.inference.infer", lambda *_, **__: pytest.fail("a point was executed"))
    noisy = write_device(Path(cnn).with_name("late.yaml"))
    for key, value in (("chip.tile.ima.adc.bits", "many"), ("device.read_noise.other.sigma", -1)):
        with pytest.raises(InputError, match=str(value)):
            sweep(cnn, "isaac-ce", data(4), key, [8, value], device=noisy)


def write_device(path: Path) -> str:
    path.write_text(json.dumps(NOISE.model_dump(exclude_none=True)))
    return str(path)


# bad input


def refused(told: str, *arguments: Any, **options: Any) -> None:
    with pytest.raises(InputError) as error:
        pimsim.infer(*arguments, **options)
    assert told in str(error.value) and "\n" not in str(error.value)


def test_bad_input_is_one_line(cnn: str, tmp_path: Path) -> None:
    refused("images of shape [1, 8, 8] do not fit the network's input of shape [1, 2, 8, 8]", cnn, "isaac-ce",
            data(2, (1, 8, 8)))  # fmt: skip
    refused("is a table of layers without weights", str(Path("workloads/lenet5.yaml")), "isaac-ce", data(2))
    refused("mlp-digits", "lenet5", "isaac-ce", data(2))  # which shipped networks have weights
    refused("there is no tier 'T9'", cnn, "isaac-ce", data(2), tier="T9")
    refused("images cannot calibrate", cnn, "isaac-ce", data(2), calibration=0)
    refused("0 images are asked for", cnn, "isaac-ce", data(2), images=0)
    refused("no dataset is called 'digit'", cnn, "isaac-ce", "digit")
    refused("cannot be read", str(tmp_path / "absent.onnx"), "isaac-ce", data(2))
    refused("changes a device, and none is given", cnn, "isaac-ce", data(2), device_overrides=["drift.time_s=3"])


def test_bad_arrays_and_numbers_are_one_line(cnn: str) -> None:
    images = images_for((3, 2, 8, 8))
    refused("a tuple of 1 is neither images nor images and labels", cnn, "isaac-ce", (images,))
    refused("2.5 images are asked for", cnn, "isaac-ce", images, images=2.5)
    refused("holds images that are no numbers", cnn, "isaac-ce", np.full((3, 2, 8, 8), "a"))
    refused("holds images of different sizes", cnn, "isaac-ce", [[1.0, 2.0], [3.0]])
    refused("holds labels that are no numbers", cnn, "isaac-ce", (images, ["a", "b", "c"]))
    refused("holds labels of shape [3, 1]", cnn, "isaac-ce", (images, [[0], [1], [2]]))
    for labels in ([0.5, 0, 1], [-1, 0, 1], [0, 1, np.nan], [0, 1, 10**12]):
        refused("holds labels that are no classes", cnn, "isaac-ce", (images, labels))
    for seed in ("x", 1.5, -1, 2**63, True):
        refused("a whole number from 0 to 9223372036854775807", cnn, "isaac-ce", images, seed=seed)


@pytest.mark.parametrize(("kind", "x", "w"), [("Gemm", ["N", 8], [8, 4]), ("Conv", ["N", 2, 8, 8], [4, 2, 3, 3])])
def test_weights_that_are_inputs_are_missed(kind: str, x: list[int | str], w: list[int], tmp_path: Path) -> None:
    g = Graph(17)
    file = saved(g.model(g(kind, g.input("x", x), g.input("w", w))), tmp_path / "inputs.onnx")
    refused("'w' is an input of the network, without values", file, "isaac-ce", data(2))


def test_weights_that_are_beside_the_file_are_read_and_missed(tmp_path: Path) -> None:
    path = tmp_path / "external.onnx"
    model = small_cnn()
    model.ir_version = 8
    onnx.save(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert pimsim.infer(str(path), "isaac-ce", data(2)).agreement_fixed == Share(2, 2)
    (tmp_path / "weights.bin").unlink()
    refused("infer needs the network's weights", str(path), "isaac-ce", data(2))
    assert map_workload(str(path), "isaac-ce").tiles_used.size > 0  # a run does without


def test_a_system_that_is_loaded_already_takes_no_overrides(cnn: str) -> None:
    system = load_system("isaac-ce")
    assert isinstance(system, System)
    refused("overrides change a system given by name or file", cnn, system, data(2), overrides=["chips=2"])
    assert pimsim.infer(cnn, system, data(2)).agreement_fixed == Share(2, 2)


def test_the_executor_frees_what_nobody_reads_any_more() -> None:
    executor = Executor(built(small_cnn())[0])
    ends = [name for names in executor._last.values() for name in names]
    produced = {name for step in executor.network.steps for name in step.outputs}
    assert set(ends) == (produced | {"x"}) - {executor.network.output}
