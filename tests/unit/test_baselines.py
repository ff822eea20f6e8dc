"""Baselines as data: presets and published figures with their sources, measured files, calibration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pimsim.baselines import (
    Measured,
    accelerators,
    calibrate,
    load_accelerator,
    load_measured,
    load_preset,
    measured_files,
    preset_device,
    preset_name,
    presets,
    read_measured,
    read_presets,
    run_on_baseline,
    write_measured,
)
from pimsim.costmodels.roofline import roofline
from pimsim.errors import InputError
from pimsim.workload import load_workload

WANTED = ("gtx-1080", "gtx-1080-ti", "titan-rtx", "v100", "a100", "h100", "h200", "jetson-tx2", "jetson-nano",
          "xavier-nx")  # fmt: skip

PRESET = """format: pimsim-baselines-1
baselines:
  own:
    title: A GPU
    peak_tflops:
      fp32: {value: 10, trust: published, source: data sheet}
    bandwidth_gb_per_s: {value: 500, trust: published, source: data sheet}
    launch_us: {value: 5, trust: recalled, source: usual}
    idle_w: {value: 20, trust: recalled, source: usual}
    loaded_w: {value: 200, trust: published, source: data sheet}
"""


def measured(**changes: object) -> Measured:
    """A run of the small LeNet on some GPU."""
    facts = {
        "format": "pimsim-measured-1",
        "date": "2026-01-31",
        "device": {"kind": "cuda", "name": "NVIDIA Example 1", "driver": "555.1", "clocks_mhz": {"sm": 1500.0},
                   "power_limit_w": 250.0, "memory_gib": 16.0},
        "software": {"torch": "2.0"},
        "model": {"name": "lenet5-fashion", "sha256": "0" * 64, "parameters": 61706, "macs": 416520},
        "batch": 4,
        "precision": "fp32",
        "warm_up": 3,
        "repeats": 100,
        "batch_time": {"median_us": 200.0, "low_us": 190.0, "high_us": 230.0},
        "energy_uj": 5000.0,
        "operations": [{"name": "conv1", "type": "Conv", "median_us": 50.0}],
        "notes": ["energy of the board, from NVML's counter"],
    }  # fmt: skip
    return Measured.model_validate(facts | changes)


def test_the_wanted_presets_are_there() -> None:
    assert tuple(presets()) == WANTED


@pytest.mark.parametrize("name", WANTED)
def test_every_figure_of_a_preset_has_a_source_and_a_trust(name: str) -> None:
    preset = load_preset(name)
    figures = preset.figures()
    assert {"peak_tflops.fp32", "bandwidth_gb_per_s", "launch_us", "idle_w", "loaded_w"} <= set(figures)
    for key, figure in figures.items():
        assert len(figure.source) > 3, key
        assert figure.trust in ("published", "derived", "recalled", "assumption"), key
    assert ("die_mm2" in figures) == (preset.die_mm2 is not None)
    assert preset.idle_w.value < preset.loaded_w.value
    assert all(peak.value >= preset.peak_tflops["fp32"].value for peak in preset.peak_tflops.values())


@pytest.mark.parametrize(
    ("name", "fp32_tflops", "gb_per_s"),
    [("gtx-1080", 8.23, 320), ("gtx-1080-ti", 11.34, 484), ("titan-rtx", 16.3, 672), ("v100", 14.13, 897),
     ("jetson-nano", 0.236, 25.6), ("xavier-nx", 0.845, 51.2)],
)  # fmt: skip
def test_a_preset_becomes_a_roofline_in_base_units(name: str, fp32_tflops: float, gb_per_s: float) -> None:
    device = preset_device(name)
    assert device.peak("fp32") == pytest.approx(fp32_tflops * 1e12)
    assert device.bandwidth_bytes_per_s == pytest.approx(gb_per_s * 1e9)
    assert 0 < device.launch_s < 1e-4


@pytest.mark.parametrize(("written", "name"), [
    ("1080ti", "gtx-1080-ti"), ("GTX 1080 Ti", "gtx-1080-ti"), ("gtx1080", "gtx-1080"), ("1080", "gtx-1080"),
    ("V100", "v100"), ("titanrtx", "titan-rtx"), ("jetson_tx2", "jetson-tx2"), ("v10", "v10"), ("ti", "ti"), ("", ""),
])  # fmt: skip
def test_names_may_be_written_in_other_ways(written: str, name: str) -> None:
    assert preset_name(written) == name


def test_every_way_to_write_a_name_leads_to_one_baseline() -> None:
    assert all(preset_name(name) == name for name in (*presets(), *measured_files(), *accelerators()))
    short = [name.removeprefix("gtx-").replace("-", "") for name in presets()]
    assert [preset_name(name) for name in short] == [*presets()]
    assert load_preset("1080ti") is load_preset("gtx-1080-ti")
    assert preset_device("1080ti") == preset_device("gtx-1080-ti")
    assert run_on_baseline("1080ti", load_workload("lenet5")).name == "gtx-1080-ti"


def test_published_figures_name_the_paper_and_its_trust() -> None:
    assert {"dadiannao", "prime", "pipelayer", "atomlayer", "retransformer", "isaac-ce"} <= set(accelerators())
    assert load_accelerator("pipelayer").value("PE") == 142.9
    for each in accelerators().values():
        assert all(figure.source for figure in each.figures)


def test_derived_figures_follow_from_the_others() -> None:
    """Arithmetic between papers: ReTransformer's two ratios and PipeLayer's own figure."""
    efficiency = load_accelerator("retransformer").value
    over_pipelayer = efficiency("PE") / efficiency("computing efficiency over PipeLayer")
    assert over_pipelayer == pytest.approx(load_accelerator("pipelayer").value("PE"), rel=0.01)
    assert efficiency("PE of that GPU") == pytest.approx(
        efficiency("PE") / efficiency("computing efficiency over a GPU"), rel=1e-3
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("    launch_us:", "    launch_ms:", ":8: baselines.own.launch_ms: there is no such key, did you mean 'laun"),
        ("value: 500", "value: -500", ".bandwidth_gb_per_s.value: -500 is not allowed; allowed: a number"),
        ("value: 500", "value: fast", ":7: baselines.own.bandwidth_gb_per_s.value: 'fast' is not allowed"),
        ("trust: recalled", "trust: sure", ".trust: 'sure' is not allowed; allowed: published or derived or recalled"),
        ("      fp32:", "      fp8:", "fp8"),
        (", source: usual", "", ".source: is missing"),
        ("pimsim-baselines-1", "pimsim-baselines-9", ":1: format: 'pimsim-baselines-9' is not allowed"),
        ("    title: A GPU\n", "", ":3: baselines.own.title: is missing"),
    ],
)  # fmt: skip
def test_a_wrong_key_says_file_line_and_what_is_allowed(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tmp_path / "own.yaml"
    assert old in PRESET
    path.write_text(PRESET.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        read_presets(path)
    assert words in str(error.value) and str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(PRESET)
    device = read_presets(path)["own"].roofline_device("own")
    assert (device.peak("fp32"), device.idle_w, device.loaded_w) == (1e13, 20, 200)


def test_a_name_that_does_not_exist_lists_those_that_do() -> None:
    with pytest.raises(InputError, match="did you mean 'v100'.*allowed: gtx-1080, "):
        load_preset("v10")
    with pytest.raises(InputError, match="did you mean 'prime'"):
        load_accelerator("prim")
    with pytest.raises(InputError, match=r"allowed: .*a \.json file"):
        load_measured("nowhere")


# measured files


def test_a_measured_file_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / measured().file_name
    write_measured(measured(), path)
    assert read_measured(path) == measured()
    assert path.name == "lenet5-fashion-b4-nvidia-example-1-2026-01-31.json"
    assert measured().inferences_per_s == pytest.approx(20_000)


def test_a_measured_file_without_energy_or_kernels_comes_back_too(tmp_path: Path) -> None:
    bare = measured(energy_uj=None, operations=[], notes=[])
    write_measured(bare, tmp_path / "bare.json")
    assert load_measured(tmp_path / "bare.json") == bare


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"median_us": 200.0', '"median_us": 20.0', "batch_time: low_us, median_us and high_us must rise"),
        ('"batch": 4', '"batch": 0', "batch: 0 is not allowed; allowed: a whole number from 1"),
        ('"date": "2026-01-31"', '"date": "yesterday"', "date: 'yesterday' is not allowed"),
        ('"kind": "cuda"', '"kind": "tpu"', "device.kind: 'tpu' is not allowed; allowed: cpu or cuda"),
        ('"warm_up"', '"warmup"', "warmup: there is no such key, did you mean 'warm_up'?"),
    ],
)
def test_a_wrong_measured_file_is_one_line(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tmp_path / "wrong.json"
    write_measured(measured(), path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        read_measured(path)
    assert words in str(error.value)


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_measured(measured(), tmp_path / "none" / "file.json")


def test_shipped_measured_files_are_sound_and_bear_their_names() -> None:
    for name, path in measured_files().items():
        assert read_measured(path).file_name == f"{name}.json"


# calibration


def synthetic(efficiency: dict[str, float], fused: bool) -> Measured:
    """What a device of these efficiencies would have measured."""
    device = replace(preset_device("v100"), efficiency=efficiency)
    cost = roofline(load_workload("lenet5-fashion"), device, batch=64, fused=fused)
    kernels = [{"name": each.work.name, "type": each.work.type, "median_us": each.time_s * 1e6}
               for each in cost.kernels]  # fmt: skip
    return measured(operations=kernels, batch=64, batch_time=_time(cost.time_s * 1e6))


def _time(us: float) -> dict[str, float]:
    return {"median_us": us, "low_us": us, "high_us": us}


@pytest.mark.parametrize("fused", [True, False])
def test_calibration_finds_the_efficiencies_that_were_put_in(fused: bool) -> None:
    wanted = {"convolution": 0.01, "matrix": 0.002, "memory": 0.02}
    found = calibrate(synthetic(wanted, fused), load_workload("lenet5-fashion"), preset_device("v100"))
    assert found.efficiency == pytest.approx(wanted, rel=1e-6)
    assert found.total_error == pytest.approx(0, abs=1e-9)
    assert found.errors == pytest.approx(dict.fromkeys(wanted, 0.0), abs=1e-9)
    assert found.kernel_error == pytest.approx(dict.fromkeys(wanted, 0.0), abs=1e-9)
    assert dict(found.device.efficiency) == dict(found.efficiency)


def test_kernels_named_after_the_last_fused_operation_are_recognised() -> None:
    """As onnxruntime names them; what has no kernel there is not asked of the roofline."""
    device = replace(preset_device("v100"), efficiency={"convolution": 0.01, "matrix": 0.002, "memory": 0.02})
    cost = roofline(load_workload("lenet5-fashion"), device, batch=64)
    kernels = [{"name": (each.work.name, *each.work.fused)[-1], "type": each.work.type, "median_us": each.time_s * 1e6}
               for each in cost.kernels if each.work.name != "pool2"]  # fmt: skip
    batch = _time(sum(each["median_us"] for each in kernels))
    facts = measured(operations=kernels, batch=64, batch_time=batch)
    found = calibrate(facts, load_workload("lenet5-fashion"), preset_device("v100"))
    assert found.efficiency == pytest.approx(dict(device.efficiency), rel=1e-6)
    assert found.kernels == {"memory": 1, "matrix": 3, "convolution": 2}
    assert found.kernel_error == pytest.approx(dict.fromkeys(found.efficiency, 0.0), abs=1e-9)


def test_kernels_of_a_class_that_differ_leave_an_error_though_their_sum_fits() -> None:
    whole = synthetic({"convolution": 0.01}, fused=True)
    times = {"conv1": 10.0, "conv2": 1000.0}
    kernels = [each.model_dump() | {"median_us": times.get(each.name, each.median_us)} for each in whole.operations]
    uneven = measured(batch=64, operations=kernels, batch_time=_time(sum(each["median_us"] for each in kernels)))
    found = calibrate(uneven, load_workload("lenet5-fashion"), preset_device("v100"))
    assert found.errors["convolution"] == pytest.approx(0, abs=1e-9)
    one, two = (synthetic(dict(found.efficiency), fused=True).operations[at].median_us for at in (0, 2))
    assert found.kernel_error["convolution"] == pytest.approx((abs(one - 10) + abs(two - 1000)) / 1010)


def test_kernels_faster_than_their_roof_leave_an_error_that_is_shown() -> None:
    whole = synthetic({}, fused=True)
    faster = whole.model_copy(update={"batch_time": whole.batch_time.model_copy(
        update={"median_us": whole.batch_time.median_us / 2})})  # fmt: skip
    found = calibrate(faster, load_workload("lenet5-fashion"), preset_device("v100"))
    assert set(found.efficiency.values()) == {1.0}
    assert found.total_error == pytest.approx(1.0)


def test_profiled_kernels_are_scaled_to_the_batch_and_the_error_is_the_batchs() -> None:
    """Profiling that makes each kernel take 2.5 times as long changes nothing but the scale."""
    wanted = {"convolution": 0.01, "matrix": 0.002, "memory": 0.02}
    whole = synthetic(wanted, fused=True)
    slow = whole.model_copy(update={"operations": tuple(
        each.model_copy(update={"median_us": 2.5 * each.median_us}) for each in whole.operations)})  # fmt: skip
    found = calibrate(slow, load_workload("lenet5-fashion"), preset_device("v100"))
    assert found.scale == pytest.approx(0.4)
    assert found.efficiency == pytest.approx(wanted, rel=1e-6)
    assert found.roofline_us == pytest.approx(whole.batch_time.median_us) and found.total_error == pytest.approx(0)


def test_the_stated_error_is_that_of_the_roofline_that_is_used() -> None:
    """A kernel that the runtime does not have is still part of the roofline's batch."""
    whole = synthetic({"convolution": 0.01, "matrix": 0.002, "memory": 0.02}, fused=True)
    kernels = [each.model_dump() for each in whole.operations if each.name != "pool2"]
    facts = measured(operations=kernels, batch=64, batch_time=_time(sum(each["median_us"] for each in kernels)))
    network = load_workload("lenet5-fashion")
    found = calibrate(facts, network, preset_device("v100"))
    run = run_on_baseline("v100", network, batch=64, precision="fp32", measured=facts)
    assert found.total_error == pytest.approx(run.batch_s * 1e6 / facts.batch_time.median_us - 1)
    assert found.total_error > 0.01


def test_calibration_refuses_what_it_cannot_use() -> None:
    network, device = load_workload("lenet5-fashion"), preset_device("v100")
    with pytest.raises(InputError, match="no times of single operations"):
        calibrate(measured(operations=[]), network, device)
    with pytest.raises(InputError, match="measured was lenet5-fashion with 416,520 MACs, not resnet18"):
        calibrate(measured(), load_workload("resnet18"), device)
    with pytest.raises(InputError, match="v100 has no peak in int8"):
        calibrate(measured(precision="int8"), network, device)


# what a chip is set beside


def test_a_preset_runs_a_network_in_fp16_where_it_can() -> None:
    network = load_workload("resnet18")
    fast, slow = (run_on_baseline(name, network, batch=16) for name in ("v100", "gtx-1080"))
    assert (fast.precision, slow.precision, fast.mark) == ("fp16", "fp32", "roofline")
    cost = roofline(network, preset_device("v100"), batch=16, precision="fp16")
    assert (fast.batch_s, fast.energy_per_inference_j) == (cost.time_s, cost.energy_j / 16)
    assert fast.inferences_per_s == pytest.approx(16 / cost.time_s)
    assert (fast.power_w, fast.die_mm2) == (250, 815)
    assert run_on_baseline("v100", network, precision="fp32").precision == "fp32"
    assert run_on_baseline("jetson-nano", network).die_mm2 is None


def test_a_measured_file_is_taken_as_it_is_and_only_for_its_network(tmp_path: Path) -> None:
    path = str(tmp_path / "gpu.json")
    write_measured(measured(), path)
    run = run_on_baseline(path, load_workload("lenet5-fashion"))
    assert (run.mark, run.batch, run.batch_s) == ("measured", 4, pytest.approx(200e-6))
    assert run.energy_per_inference_j == pytest.approx(5000e-6 / 4)
    with pytest.raises(InputError, match="was measured with lenet5-fashion"):
        run_on_baseline(path, load_workload("resnet18"))


def test_a_calibrated_roofline_says_that_it_is_one() -> None:
    network = load_workload("lenet5-fashion")
    facts = synthetic({"convolution": 0.01, "matrix": 0.002, "memory": 0.02}, fused=True)
    run = run_on_baseline("v100", network, batch=64, precision="fp32", measured=facts)
    assert run.mark == "calibrated roofline"
    assert run.batch_s == pytest.approx(sum(each.median_us for each in facts.operations) / 1e6)
    assert run.batch_s > run_on_baseline("v100", network, batch=64, precision="fp32").batch_s


def test_an_unknown_baseline_is_one_line() -> None:
    with pytest.raises(InputError, match="no baseline is called 'v10', did you mean 'v100'"):
        run_on_baseline("v10", load_workload("lenet5"))
