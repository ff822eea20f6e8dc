"""`pimsim baseline`: tables, JSON, measuring, and one line for everything that a user can get wrong."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import onnx
import pytest

from pimsim.baselines import load_network, networks, presets, read_measured
from pimsim.baselines.measure import energy, machine, measuring, sessions
from pimsim.baselines.measure.from_workload import write_onnx
from pimsim.baselines.measure.sessions import KernelTimes
from pimsim.cli import main


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must succeed; what it prints."""
    assert main(["baseline", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def failed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must fail with one line on stderr and nothing on stdout; that line."""
    assert main(["baseline", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("pimsim: ")
    return err.strip()


def test_list_names_every_preset_and_marks_what_is_not_simulated(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, "list")
    assert all(name in out for name in presets())
    assert "Other accelerators: published, not simulated" in out


def test_list_as_json_holds_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(shown(capsys, "list", "--json"))
    assert [row["name"] for row in document["presets"]] == list(presets())
    assert {row["mark"] for row in document["published"]} == {"published, not simulated"}


def test_show_gives_every_source(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(shown(capsys, "show", "a100", "--json"))
    assert document["figures"]["peak_tflops.tf32"]["trust"] == "published"
    assert document["ridge_flops_per_byte"]["fp32"] == pytest.approx(19.5e12 / 2039e9)
    assert "idle_w" in shown(capsys, "show", "a100")


def test_show_runs_a_network_on_the_roofline(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("show", "v100", "--workload", "resnet18", "--batch", "8", "--precision", "fp16")
    document = json.loads(shown(capsys, *arguments, "--json"))["roofline"]
    assert document["time_us"] == pytest.approx(sum(row["time_us"] for row in document["kernels"]))
    assert document["inferences_per_s"] == pytest.approx(8e6 / document["time_us"])
    assert document["energy_per_inference_uj"] == pytest.approx(document["energy_uj"] / 8)
    out = shown(capsys, *arguments)
    assert "resnet18 on v100, fp16, batch 8: roofline" in out and "bound by" in out


def test_show_takes_short_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "show", "1080ti") == shown(capsys, "show", "gtx-1080-ti")


def test_show_a_paper(capsys: pytest.CaptureFixture[str]) -> None:
    assert "PipeLayer (HPCA 2017), ReRAM, training too: published, not simulated" in shown(capsys, "show", "pipelayer")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "v10"), "no baseline is called 'v10', did you mean 'v100'?"),
        (("show", "prime", "--workload", "lenet5"), "prime is no preset; --workload"),
        (("show", "v100", "--precision", "tf32", "--workload", "lenet5"), "v100 has no peak in tf32"),
        (("show", "v100", "--calibrate", "x.json"), "--calibrate: needs the network that was measured"),
        (("show", "none.json"), "none.json: cannot be read"),
        (("show", "h100", "--batch", "4"), "--batch: says how a network runs, and none is named; allowed: --workload"),
        (("show", "h100", "--unfused"), "--unfused: says how a network runs"),
        (("show", "v100", "--input", "x=1,2"), "--input: says how a network runs"),
        (("measure", "nowhere.onnx", "--device", "cpu"), "nowhere.onnx"),
        (("measure", "bert", "--device", "cpu"), "no network is called 'bert', did you mean 'bert-base'?"),
        (("measure", "bert-base", "--device", "cpu", "--input", "tokens=64"), "do not fit together"),
        (("measure", "lenet5", "--device", "cpu", "--precision", "fp16"), "precision: fp16 is measured on CUDA alone"),
        (("measure", "lenet5", "--device", "cuda", "--precision", "fp16", "--runtime", "onnxruntime"), "needs PyTorch"),
        (("measure", "lenet5", "--device", "tpu"), "'tpu' is not one of 'cpu', 'cuda'"),
        (("measure", "lenet5", "--device", "cpu", "--out", "/nowhere/x.json"), "/nowhere: --out: is no folder"),
        (("measure", "lenet5", "--device", "cpu", "--out", ""), "--out: the name of the file is empty"),
    ],
)
def test_what_is_wrong_is_one_line(capsys: pytest.CaptureFixture[str], arguments: tuple, words: str) -> None:
    assert words in failed(capsys, *arguments)


def test_without_a_runtime_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "find_spec", lambda name: None)
    line = failed(capsys, "measure", "lenet5-fashion", "--device", "cpu")
    assert "neither is installed" in line and "pip install onnxruntime" in line and "pip install torch" in line
    line = failed(capsys, "measure", "lenet5-fashion", "--device", "cuda", "--runtime", "torch")
    assert "torch is not installed" in line


class StandIn:
    """A session that takes no time, with two kernels."""

    software = {"runtime": "1.0"}
    conditions = "no work at all"
    threads = 2

    def run(self) -> list:
        return []

    def kernels(self, repeats: int) -> list[KernelTimes]:
        return [KernelTimes("conv1", "Conv", (1.0, 9.0, 2.0)), KernelTimes("relu", "Relu", (3.0,))]


def test_measuring_writes_down_what_the_session_did(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Everything but the runtime."""
    monkeypatch.setattr(measuring, "open_session", lambda *_: StandIn())
    monkeypatch.setattr(measuring, "WARM_UP_S", 0.0)
    path = tmp_path / "measured.json"
    command = ("measure", "lenet5-fashion", "--device", "cpu", "--batch", "3", "--seconds", "0.01", "--out", str(path))
    out = shown(capsys, *command)
    assert "Kernels, slowest first" in out and f"Written to {path}" in out
    found = read_measured(path)
    assert (found.model.name, found.model.macs, found.batch) == ("lenet5-fashion", 416_520, 3)
    assert [(each.name, each.median_us) for each in found.operations] == [("conv1", 2.0), ("relu", 3.0)]
    assert 10 <= found.repeats <= 1000 and found.warm_up >= 3
    assert "no work at all" in found.notes
    assert found.device.kind == "cpu" and found.device.threads == 2 and found.device.name
    assert found.model.sha256 is not None and found.software["runtime"] == "1.0"
    again = json.loads(shown(capsys, "show", str(path), "--json"))
    assert again["measured"]["batch"] == 3
    assert "conv1" in shown(capsys, "show", str(path))
    line = failed(capsys, "show", "v100", "--workload", "lenet5-fashion", "--calibrate", str(path))
    assert "which is no GPU" in line


def test_a_gpu_is_described_by_nvidia_smi(monkeypatch: pytest.MonkeyPatch) -> None:
    told = ["NVIDIA Example", "555.42", "1410", "1215", "300.00", "40960"]
    monkeypatch.setattr(machine, "_nvidia_smi", lambda: told)
    device = machine.describe_device("cuda", None)
    facts = (device.name, device.driver, device.power_limit_w, device.memory_gib)
    assert facts == ("NVIDIA Example", "555.42", 300.0, 40.0)
    assert device.clocks_mhz == {"sm": 1410.0, "memory": 1215.0}


def test_a_gpu_that_does_not_tell_is_still_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_nvidia_smi", lambda: ["NVIDIA Jetson", "1", "[N/A]", "[N/A]", "[N/A]", "[N/A]"])
    device = machine.describe_device("cuda", None)
    assert (device.name, device.clocks_mhz) == ("NVIDIA Jetson", {})
    assert device.power_limit_w is device.memory_gib is None
    monkeypatch.setattr(machine, "_nvidia_smi", lambda: None)
    assert machine.describe_device("cuda", None).name == "CUDA device"


def test_a_processors_energy_counter_is_read_past_its_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(energy, "RAPL", tmp_path)
    (tmp_path / "max_energy_range_uj").write_text("1000\n")
    (tmp_path / "energy_uj").write_text("900\n")
    meter, words = energy.energy_meter("cpu")
    assert meter is not None and "RAPL" in words
    before = meter()
    for value in (990, 40, 500, 10):  # twice past its end
        (tmp_path / "energy_uj").write_text(f"{value}\n")
        drawn = meter() - before
    assert drawn == 2 * 1000 + 10 - 900


def test_a_processor_that_tells_no_energy_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(energy, "RAPL", tmp_path / "none")
    assert energy.energy_meter("cpu") == (
        None, "energy not measured: the processor's counters (RAPL) cannot be read here"
    )  # fmt: skip


def test_a_gpu_tells_its_energy_through_nvml(monkeypatch: pytest.MonkeyPatch) -> None:
    """In millijoules."""
    drawn = iter([7, 7000, 7250])
    library = SimpleNamespace(nvmlInit=lambda: None, nvmlDeviceGetHandleByIndex=lambda index: index,
                              nvmlDeviceGetTotalEnergyConsumption=lambda handle: next(drawn))  # fmt: skip
    monkeypatch.setitem(sys.modules, "pynvml", library)
    meter, words = energy.energy_meter("cuda")
    assert meter is not None and "NVML" in words
    assert meter() - meter() == -250_000
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert energy.energy_meter("cuda")[0] is None


@pytest.mark.parametrize("name", ["lenet5", "mobilenetv2", "resnet50", "lstm2"])
def test_a_network_without_weights_becomes_a_sound_onnx_file_of_the_same_work(tmp_path: Path, name: str) -> None:
    network = load_network(name)
    path = tmp_path / "net.onnx"
    write_onnx(network, path, batch=1)
    again = load_network(path)
    assert again.macs == network.macs and again.shape(again.outputs[0]) == network.shape(network.outputs[0])


def small_bert(folder: Path) -> Path:
    """BERT with a layer of 4 heads of 2, and 10 words."""
    text = (networks()["bert-base"]).read_text().partition("  # layer 2\n")[0].replace("bert-base", "small")
    for old, new in (("30522", "10"), ("features: 768", "features: 8"), ("3072", "16"), ("12, 64", "4, 2"),
                     ("-1, 768", "-1, 8"), ("[128]", "[5]")):  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    file = folder / "small.yaml"
    file.write_text(text)
    return file


def test_bert_base_has_the_published_size() -> None:
    """110 M parameters (Devlin et al.); MACs of 12 layers and the pooler by hand, at 128 and at 384 tokens."""
    network = load_network("bert-base")
    assert network.parameters == 109_482_240
    for tokens in (128, 384):
        shapes = {name: [tokens] for name in ("tokens", "segments", "positions")}
        layer = tokens * (4 * 768**2 + 2 * 768 * 3072) + 2 * tokens**2 * 768
        assert load_network("bert-base", shapes).macs == 12 * layer + 768**2
    assert network.shape("hidden12") == (1, 128, 768) and network.shape("layer1.attention") == (1, 12, 128, 128)


def test_the_roofline_prices_bert_base(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(shown(capsys, "show", "v100", "--workload", "bert-base", "--json"))["roofline"]
    assert sum(row["flops"] for row in document["kernels"]) >= 2 * 11_174_215_680
    names = {row["name"] for row in document["kernels"]}
    assert {"layer1.scores", "layer12.out", "words", "pooler"} <= names


def test_a_batch_of_a_transformer_stays_a_batch(tmp_path: Path) -> None:
    """Reshapes keep the batch apart from the tokens; Embedding becomes Gather."""
    path = tmp_path / "net.onnx"
    write_onnx(load_network(small_bert(tmp_path)), path, batch=3)
    graph = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True, data_prop=True).graph
    shapes = {each.name: tuple(dim.dim_value for dim in each.type.tensor_type.shape.dim) for each in graph.value_info}
    assert shapes["layer1.query_heads"] == (3, 4, 5, 2) and shapes["layer1.scores"] == (3, 4, 5, 5)
    assert shapes["words"] == shapes["layer1.context"] == (3, 5, 8)
    assert [node.op_type for node in graph.node].count("Gather") == 3


def test_what_is_no_onnx_operator_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    line = failed(capsys, "measure", "deepface", "--device", "cpu")
    assert "LocallyConnected ('l4') is not an operator of ONNX" in line


@pytest.mark.skipif(find_spec("onnxruntime") is None, reason="onnxruntime is not installed")
def test_onnxruntime_measures_the_network_at_hand(capsys: pytest.CaptureFixture[str]) -> None:
    command = ("measure", "mlp-digits", "--device", "cpu", "--runtime", "onnxruntime", "--seconds", "0.05", "--json")
    facts = json.loads(shown(capsys, *command))["measured"]
    assert "onnxruntime" in facts["software"] and len(facts["operations"]) >= 3


@pytest.mark.skipif(find_spec("torch") is None or find_spec("onnxruntime") is None, reason="both are needed")
@pytest.mark.parametrize("name", ["lenet5-fashion", "resnet8-fashion", "mlp-digits", "small-bert"])
def test_both_runtimes_compute_the_same(tmp_path: Path, name: str) -> None:
    from pimsim.baselines.measure.onnx_session import OnnxSession
    from pimsim.baselines.measure.torch_session import TorchSession

    network = load_network(small_bert(tmp_path) if name == "small-bert" else name)
    path, inputs = measuring._shipped_onnx(name), measuring._inputs(network, 2)
    if path is None:
        path = tmp_path / "net.onnx"
        write_onnx(network, path, batch=2)
    one, other = (kind(path, "cpu", inputs).run()[0] for kind in (OnnxSession, TorchSession))
    assert other == pytest.approx(one, rel=1e-4, abs=1e-4)


def test_no_runtime_is_imported_by_looking_at_baselines() -> None:
    before = set(sys.modules)
    assert main(["baseline", "list", "--json"]) == 0
    assert not {"torch", "onnxruntime"} & (set(sys.modules) - before)
