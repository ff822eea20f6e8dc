"""The command line: what it prints, and one line for everything that a user can get wrong."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pimsim.cli import main
from pimsim.mapping.timing import Standstill
from pimsim.report.plots import PLOTS
from pimsim.results.files import FILES
from pimsim.results.record import Front
from tests.unit.results_runs import result
from tests.unit.training_runs import trained

LENET = ("run", "lenet5", "--arch", "isaac-ce")


def failed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    """Run a command that must fail with one line on stderr and nothing on stdout; that line."""
    assert main(list(arguments)) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1 and err.startswith("pimsim: ")
    return err.strip()


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must succeed; what it prints."""
    assert main(list(arguments)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_run_prints_layers_and_summary(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, *LENET, "--batch", "8")
    for words in ("lenet5 on isaac-ce, batch 8", "c1", "Latency", "Throughput", "Bottleneck"):
        assert words in out


def test_baselines_beside_a_run_may_have_short_names(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, *LENET, "--baseline", "v100,1080ti,gtx-1080-ti")
    assert "Tesla V100" in out and out.count("GTX 1080 Ti") == 1
    assert "--baseline: 'v100,' is no list of names" in failed(capsys, *LENET, "--baseline", "v100,")


def test_run_as_json_prints_the_result_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(shown(capsys, *LENET, "--json", "--noc", "ideal", "--set", "chip.tile.imas=8"))
    assert data["format"] == "pimsim-result-3"
    assert data["source"]["network"] == "ideal"
    assert data["source"]["config"]["chip"]["tile"]["imas"] == 8
    assert data["summary"]["throughput_per_s"] is None


def test_a_quiet_run_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, *LENET, "--quiet") == ""


def test_an_output_folder_holds_result_table_plots_and_a_timeline(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = [*LENET, "--out", str(tmp_path / "out"), "--trace", str(tmp_path / "t.json"), "--trace-tiles", "0,2-3"]
    assert f"Written to {tmp_path / 'out'}" in shown(capsys, *arguments, "--trace-from", "100", "--trace-to", "9000")
    names = ("energy", "losses", "network", "timeline", "utilisation")
    plots = [f"{name}.{kind}" for name in names for kind in ("png", "svg")]
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == sorted(["layers.csv", "links.csv", "result.json", "run_info.json", *plots])
    assert json.loads((tmp_path / "t.json").read_text())["traceEvents"]


def test_a_folder_that_is_written_again_holds_nothing_of_the_run_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, inference = trained()[2], result()
    front = Front(("latency", "energy"), ((1.0, 2.0), (2.0, 1.0)), 0)
    training = replace(training, placement=replace(training.placement, front=front))
    (tmp_path / "notes.txt").write_text("mine")
    found = []
    for each in (training, inference):
        monkeypatch.setattr("pimsim.cli._simulate", lambda *_, each=each, **__: each)
        assert main([*LENET, "--quiet", "--out", str(tmp_path)]) == 0
        found.append({path.name for path in tmp_path.iterdir()})
    assert {"training.png", "traffic.svg", "placement.png"} <= found[0] <= {"notes.txt", *FILES, *PLOTS}
    plots = {f"{name}.{kind}" for name in ("energy", "losses", "network", "timeline", "utilisation")
             for kind in ("png", "svg")}  # fmt: skip
    assert found[1] == {"notes.txt", "layers.csv", "links.csv", "result.json", "run_info.json", *plots}


def test_an_input_may_have_another_shape(capsys: pytest.CaptureFixture[str]) -> None:
    facts = json.loads(shown(capsys, "show", "vgg11", "--input", "image=1,3,64,64", "--json"))
    assert facts["inputs"] == {"image": [1, 3, 64, 64]}


def test_show_tells_systems_from_workloads(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "Peak of a chip" in shown(capsys, "show", "isaac-ce")
    assert "12 operations" in shown(capsys, "show", "lenet5")
    assert "crossbars each" in shown(capsys, "show", "lenet5", "--arch", "isaac-ce")
    (tmp_path / "mine.yaml").write_text("base: isaac-ce\nname: mine\n")
    assert json.loads(shown(capsys, "show", str(tmp_path / "mine.yaml"), "--json"))["system"] == "mine"
    (tmp_path / "net.yaml").write_text(
        "format: pimsim-workload-1\nname: net\ninputs: {x: [4]}\nlayers: [{type: linear, features: 2}]\n"
    )
    assert json.loads(shown(capsys, "show", str(tmp_path / "net.yaml"), "--json"))["macs"] == 8


def test_show_of_a_mapping_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    facts = json.loads(shown(capsys, "show", "vgg16", "--arch", "isaac-ce", "--json", "--set", "chips=auto",
                             "--set", "mapping.replication=none"))  # fmt: skip
    assert facts["crossbars_used"] == 67_576
    assert facts["chips"] == 5


def test_schemas_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("system", "workload"):
        assert "properties" in shown(capsys, "schema", kind)


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "--version").startswith("pimsim ")
    assert "Commands:" in shown(capsys)
    assert "--trace-tiles" in shown(capsys, "run", "--help")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "lenet5"), "Missing option '--arch'"),
        (("run", "lenet5", "--arch", "isaac-ce", "--fast"), "No such option"),
        (("go",), "No such command 'go'"),
        ((*LENET, "--noc", "bus"), "is not one of 'packet', 'flit', 'ideal'"),
        ((*LENET, "--batch", "x"), "'x' is not a valid integer"),
        ((*LENET, "--batch", "0"), "a batch of 0 images cannot run"),
        ((*LENET, "--batch", "-3"), "a batch of -3 images cannot run"),
        ((*LENET, "--input", "image"), "'image' is no shape; allowed: NAME=1,3,224,224"),
        ((*LENET, "--input", "image=0,1,1"), "zero"),
        ((*LENET, "--input", "picture=1,32,32"), "has no input 'picture'"),
        ((*LENET, "--trace", "t.json", "--trace-tiles", "a"), "'a' is no tile"),
        ((*LENET, "--trace", "t.json", "--trace-from", "9", "--trace-to", "3"), "there is nothing from 9 to 3 ns"),
        ((*LENET, "--trace", "t.json", "--trace-from", "nan"), "there is nothing from nan to inf ns"),
        ((*LENET, "--trace", "t.json", "--trace-from", "inf"), "there is nothing from inf to inf ns"),
        ((*LENET, "--trace", "t.json", "--trace-to", "nan"), "there is nothing from 0 to nan ns"),
        ((*LENET, "--trace-from", "0"), "--trace-from: is a part of a timeline, and none is written"),
        ((*LENET, "--trace-to", "9"), "--trace-to: is a part of a timeline"),
        ((*LENET, "--trace-tiles", "0"), "--trace-tiles: is a part of a timeline"),
        ((*LENET, "--out", ""), "--out: the name of the folder is empty"),
        ((*LENET, "--trace", ""), "--trace: the name of the file is empty"),
        ((*LENET, "--batch", "99999999999"), "allowed: a whole number from 1 to 1,000,000,000"),
        ((*LENET, "--set", "chip.noc.clock_ghz=1e-6"), "too large"),
        ((*LENET, "--set", "chip.noc.topology.kind=torus", "--set", "chip.noc.router.vcs=1"),
         "--set chip.noc.router.vcs=1: chip.noc.router.vcs: a torus with a dateline needs"),
        (("run", "lenet6", "--arch", "isaac-ce"), "did you mean 'lenet5'"),
        (("run", "missing.yaml", "--arch", "isaac-ce"), "missing.yaml"),
        (("run", "missing.onnx", "--arch", "isaac-ce"), "missing.onnx"),
        (("run", "lenet5", "--arch", "isaac-cf"), "did you mean 'isaac-ce'"),
        (("run", "lenet5", "--arch", "missing.yaml"), "missing.yaml"),
        ((*LENET, "--set", "chip.tiless=3"), "did you mean 'tiles'"),
        ((*LENET, "--set", "chip.tiles"), "has no value"),
        ((*LENET, "--set", "chip.tiles=many"), "'many' is not allowed; allowed: a whole number"),
        ((*LENET, "--set", "chip.tiles=0"), "chip.tiles: 0 is not allowed"),
        (("run", "vgg16", "--arch", "isaac-ce"), "it needs 5 chips"),
        (("show", "lenet6"), "did you mean 'lenet5'"),
        (("show", "isaac-ce", "--arch", "isaac-ce"), "is a system"),
        (("show", "lenet5", "--set", "chips=2"), "allowed: --arch SYSTEM beside it"),
        (("schema", "result"), "is not one of"),
    ],
)
def test_what_a_user_gets_wrong_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    assert told in failed(capsys, *arguments)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("base: isaac-ce\nnmae: x\n", "2: nmae: there is no such key, did you mean 'name'?"),
        ("base: isaac-ce\nchips: many\n", "2: chips: 'many' is not allowed"),
        ("base: isaac-ce\nname: x\nname: y\n", "3: name"),
        ("base: isaac-ce\nchip: {tiles: 0}\n", "2: chip.tiles: 0 is not allowed"),
        ("base: isaac-ce\nchip: [\n", "x.yaml:"),
        ("base: !!python/object/apply:os.system ['true']\n", "1"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "x.yaml").write_text(text)
    line = failed(capsys, "run", "lenet5", "--arch", str(tmp_path / "x.yaml"))
    assert line.startswith(f"pimsim: {tmp_path / 'x.yaml'}:")
    assert told in line


def test_small_numbers_may_be_written_as_powers_of_ten(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("base: isaac-ce\nname: x\nchip: {links: {latency_ns: 1e-9}}\n")
    data = json.loads(shown(capsys, "run", "lenet5", "--arch", str(tmp_path / "x.yaml"), "--json"))
    assert data["source"]["config"]["chip"]["links"]["latency_ns"] == 1e-9


def test_a_truncated_onnx_file_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "cut.onnx").write_bytes(b"\x08\x07\x12\x04abc")
    assert "cut.onnx" in failed(capsys, "run", str(tmp_path / "cut.onnx"), "--arch", "isaac-ce")


def test_an_unknown_operation_or_an_empty_layer_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    head = "format: pimsim-workload-1\nname: net\ninputs: {x: [4]}\nlayers:\n"
    (tmp_path / "net.yaml").write_text(head + "  - {type: liner, features: 2}\n")
    assert "unknown layer type 'liner'" in failed(capsys, "run", str(tmp_path / "net.yaml"), "--arch", "isaac-ce")
    (tmp_path / "net.yaml").write_text(head + "  - {type: linear, features: 0}\n")
    assert "features" in failed(capsys, "show", str(tmp_path / "net.yaml"))


def test_an_output_that_cannot_be_written_is_known_before_the_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pimsim.cli._simulate", lambda *_, **__: pytest.fail("the simulation has begun"))
    (tmp_path / "file").write_text("")
    assert "Not a directory" in failed(capsys, *LENET, "--out", str(tmp_path / "file" / "out"))
    assert "it is a file" in failed(capsys, *LENET, "--out", str(tmp_path / "file"))
    assert "it is a folder" in failed(capsys, *LENET, "--trace", str(tmp_path))
    assert "No such file" in failed(capsys, *LENET, "--trace", str(tmp_path / "no" / "t.json"))


def test_an_output_folder_with_a_folder_in_the_way_stays_as_it_was(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pimsim.cli._simulate", lambda *_, **__: pytest.fail("the simulation has begun"))
    (tmp_path / "result.json").mkdir()
    assert "result.json: cannot be written: it is a folder" in failed(capsys, *LENET, "--out", str(tmp_path))
    assert list(tmp_path.iterdir()) == [tmp_path / "result.json"]


def test_a_timeline_may_end_at_infinity(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name, until in (("a", ()), ("b", ("--trace-to", "inf"))):
        shown(capsys, *LENET, "--quiet", "--trace", str(tmp_path / name), *until)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_full_disk_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "/dev/full: cannot be written: No space left on device" in failed(capsys, *LENET, "--trace", "/dev/full")


def test_a_run_that_fails_leaves_no_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    failed(capsys, "run", "vgg16", "--arch", "isaac-ce", "--out", str(tmp_path / "a" / "b"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "told", "code"),
    [
        (Standstill("standstill: a waits for b"), "a waits for b", 1),
        (OverflowError("too late"), "some number is too large: too late", 2),
        (MemoryError(), "there is not enough memory", 2),
    ],
)
def test_a_simulation_that_cannot_go_on_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception, told: str, code: int
) -> None:
    def stops(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("pimsim.simulation.simulate", stops)
    assert told in failed(capsys, *LENET, code=code)


def test_an_error_of_the_program_itself_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise AssertionError("a bug")

    monkeypatch.setattr("pimsim.simulation.simulate", breaks)
    with pytest.raises(AssertionError, match="a bug"):
        main(list(LENET))
