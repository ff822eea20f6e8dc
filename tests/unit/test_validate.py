"""`pimsim validate`: verdicts, the models behind it, and what it prints."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimsim.cli import main
from pimsim.config import load_system
from pimsim.costmodels import pipelayer
from pimsim.costmodels.chip import estimate
from pimsim.costmodels.dadiannao import DaDianNao, dadiannao, fewest_chips
from pimsim.errors import InputError
from pimsim.report.validation import unchecked_lines, validation_csv, validation_page
from pimsim.validate import energy, suite, throughput
from pimsim.validate.checks import TOLERANCE, Check, describe_checks
from pimsim.validate.isaac import narrowest_adc, table_checks
from pimsim.validate.pipelayer import walk, walked_training
from pimsim.validate.suite import run_checks
from pimsim.workload import Builder, load_workload

DEVIATIONS = Path(__file__).parents[2] / "DEVIATIONS.md"


@pytest.fixture(scope="module")
def checks() -> list[Check]:
    return run_checks()


def check(ours: float = 1.0, theirs: float | None = 1.0, tolerance: float | None = 0.1, **rest: str) -> Check:
    return Check("group", "figure", "x", ours, theirs, tolerance, "a source", **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        (check(1.09, 1.0), "agrees"),
        (check(1.11, 1.0), "misses"),
        (check(0.89, 1.0), "misses"),
        (check(5, 5, 0), "agrees"),
        (check(5, 6, 0), "misses"),
        (check(1.01, 1.0, deviation="a topic"), "deviates"),
        (check(2.0, 1.0, deviation="a topic"), "misses"),
        (check(kind="definition", deviation="a topic"), "definition"),
        (check(kind="definition"), "definition"),
        (check(2.0, 1.0, kind="definition"), "misses"),
        (check(kind="not checkable"), "not checkable"),
        (check(theirs=None), "not checkable"),
        (check(tolerance=None), "not checkable"),
    ],
)
def test_a_verdict_follows_from_ratio_tolerance_and_source(one: Check, verdict: str) -> None:
    assert one.verdict == verdict


def test_every_claim_of_the_issue_is_checked(checks: list[Check]) -> None:
    names = {each.quantity for each in checks}
    assert {"power of a chip", "area of a chip", "crossbars of a chip", "peak", "CE", "SE", "PE", "PE, first version",
            "CE over DaDianNao", "ratio of peaks, chip by chip", "one position of a convolution",
            "from one vector to the next", "VGG-1, nothing stalls", "VGG-4, nothing stalls", "MSRA-3, nothing stalls",
            "DeepFace, nothing stalls", "mean of all, nothing stalls",
            "VGG-1, actions counted", "mean of all, actions counted", "mean of all, full power",
            "training, pipelined", "resolution, columns flipped"} <= names  # fmt: skip
    assert all(each.source for each in checks)


def test_what_misses_or_deviates_has_its_entry(checks: list[Check]) -> None:
    assert [each.quantity for each in checks if each.verdict == "misses"] == ["CE of IMAs alone", "PE, first version"]
    assert [each.quantity for each in checks if each.verdict == "deviates"] == ["CE"]
    topics = {line.split("|")[1].strip() for line in DEVIATIONS.read_text().splitlines() if line.startswith("| ")}
    assert {each.deviation for each in checks if each.deviation} <= topics
    assert all(each.deviation for each in checks if each.verdict in ("deviates", "misses"))
    assert "ISAAC, energy below DaDianNao's, the same networks" in topics


def test_there_is_one_tolerance_and_none_for_whole_numbers(checks: list[Check]) -> None:
    assert {each.tolerance for each in checks} == {None, 0, TOLERANCE}
    whole = ("", "cycles", "bit")
    assert all((each.tolerance == 0) == (each.unit in whole) for each in checks if each.tolerance is not None)


def test_arithmetic_on_the_table_itself_is_called_a_definition(checks: list[Check]) -> None:
    circular = ("power of an IMA", "area of an IMA", "crossbars of a chip", "peak", "SE", "PE",
                "ratio of peaks, chip by chip")  # fmt: skip
    assert {each.quantity: each.verdict for each in checks if each.quantity in circular} == dict.fromkeys(
        circular, "definition")  # fmt: skip


def test_an_interval_is_shown_and_not_checked(checks: list[Check]) -> None:
    row = next(each for each in checks if each.quantity == "CE of a layer that fills the chip")
    assert (row.theirs, row.interval, row.verdict) == (None, (352, 483), "not checkable")
    document = json.loads(json.dumps(describe_checks([row])))
    assert "| 352 to 483 |" in validation_page(document)
    cells = next(csv.DictReader(validation_csv(document).splitlines()))
    assert (cells["theirs_low"], cells["theirs_high"], cells["theirs"]) == ("352", "483", "")
    assert any(row.quantity in line and "chosen here" in line for line in unchecked_lines(document))


def test_what_is_recalled_is_never_called_agreement(checks: list[Check]) -> None:
    for each in checks:
        if each.source.startswith("PipeLayer's formula") or "section 6; recalled" in each.source:
            assert each.verdict == "definition", each.quantity


def test_throughput_over_dadiannao_stands_beside_the_paper_and_is_not_checked(checks: list[Check]) -> None:
    mean = next(each for each in checks if each.quantity == "mean of all, nothing stalls")
    rows = [each for each in checks if each.group == mean.group and each.theirs is None]
    assert (mean.theirs, mean.verdict) == (14.8, "not checkable")
    assert len(rows) == 8
    assert mean.ours == pytest.approx(np.mean([each.ours for each in rows]))


def test_energy_over_dadiannao_stands_beside_the_paper_and_is_not_checked(checks: list[Check]) -> None:
    """At full power on both sides the gain is that in throughput times the ratio of the chips' powers."""
    found = {each.quantity: each for each in checks if each.group == energy.GROUP}
    speed = next(each for each in checks if each.quantity == "mean of all, nothing stalls")
    assert found["mean of all, full power"].ours == pytest.approx(speed.ours * 20.1 / 65.8)
    rows = [each.ours for name, each in found.items() if not name.startswith("mean")]
    assert len(rows) == 8 and found["mean of all, actions counted"].ours == pytest.approx(sum(rows) / 8)
    assert {each.theirs for name, each in found.items() if name.startswith("mean")} == {5.5}
    assert {each.verdict for each in found.values()} == {"not checkable"} and 1 < min(rows) < max(rows) < 5.5


def test_energy_of_a_stream_is_that_of_a_run_at_the_pace_of_a_run() -> None:
    """A slower stream draws the power of its links for longer."""
    run = estimate("vgg16", "isaac-ce-16")
    alone = energy.isaac_energy_uj("vgg16", 16, 1e12 / run.times.run_ps)
    assert alone == pytest.approx(run.costs.energy_pj / 1e6)
    static_uj = sum(run.costs.static_pj.values()) / 1e6
    assert energy.isaac_energy_uj("vgg16", 16, 0.5e12 / run.times.run_ps) == pytest.approx(alone + static_uj)


def test_simulated_runs_come_beside_those_that_never_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def run(workload: str, system: str, *, batch: int, overrides: list[str]) -> SimpleNamespace:
        asked.append((workload, batch, *overrides))
        rate = 1000.0 if batch >= 20 else None  # the first batch is too short
        return SimpleNamespace(times=SimpleNamespace(throughput_per_s=rate, steady_batch=20))

    monkeypatch.setattr(throughput, "simulate", run)
    monkeypatch.setattr(throughput, "NETWORKS", {"VGG-3": "vgg16", "MSRA-3": "msra3"})
    rows = {each.quantity: each for each in throughput.throughput_checks(simulated=True)}
    assert asked == [("vgg16", 16, "chips=16"), ("vgg16", 32, "chips=16"), ("msra3", 16, "chips=32"),
                     ("msra3", 32, "chips=32")]  # fmt: skip
    ours = rows["VGG-3, simulated"].ours
    assert ours == pytest.approx(1000 / dadiannao(load_workload("vgg16"), 16).inferences_per_s)
    assert ours < rows["VGG-3, nothing stalls"].ours
    assert rows["mean of all, simulated"].theirs == 14.8


def test_another_chip_misses() -> None:
    wrong = {each.quantity for each in table_checks(load_system("isaac-ce", ["chip.tiles=160"]))
             if each.verdict == "misses"}  # fmt: skip
    assert {"crossbars of a chip", "peak", "power of 168 tiles"} <= wrong and "power of a tile" not in wrong


def test_flipped_columns_save_a_bit_of_the_converter() -> None:
    assert (narrowest_adc("offset"), narrowest_adc("flip")) == (9, 8)


# PipeLayer


@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 4))
def test_the_closed_forms_are_those_of_a_pipeline_that_is_walked(layers: int, batch: int, batches: int) -> None:
    images = batch * batches
    assert pipelayer.training_cycles(layers, batch, images) == walked_training(layers, batch, images, True)
    alone = pipelayer.training_cycles(layers, batch, images, pipelined=False)
    assert alone == walked_training(layers, batch, images, False)
    assert pipelayer.testing_cycles(layers, images) == walk(layers, images, True)


def test_the_examples_of_the_paper() -> None:
    assert pipelayer.crossbars(1152, 256) == 18
    assert pipelayer.layer_cycles(112 * 112) == 12_544
    assert [pipelayer.layer_cycles(positions, 256) for positions in (12_544, 12_545)] == [49, 50]


# DaDianNao


def test_a_convolution_on_dadiannao_by_hand() -> None:
    """64 channels to 100 over 3x3 windows of a 10x10 map: 7 groups of outputs x 100 positions on 2 x 16 tiles."""
    build = Builder("one")
    build.input("image", (1, 64, 10, 10))
    build.constant("kernel", (100, 64, 3, 3))
    build.add("Conv", ["image", "kernel"], ["map"], {"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]})
    layer = dadiannao(build.build(["map"]), chips=2).layers[0]
    assert layer.compute_ns == pytest.approx(22 * 36 / 0.606)  # ceil(700 / 32) rounds of 576 / 16 cycles
    assert layer.transfer_ns == pytest.approx(64 * 10 * 2 * 2 / 25.6)  # two rows of 16 bits over four links
    assert layer.time_ns == layer.compute_ns


def test_a_fully_connected_layer_on_dadiannao_by_hand() -> None:
    build = Builder("one")
    build.input("vector", (1, 1000))
    build.constant("matrix", (1000, 100))
    build.add("Gemm", ["vector", "matrix"], ["scores"])
    whole = dadiannao(build.build(["scores"]), chips=4)
    assert whole.layers[0].compute_ns == pytest.approx(63 / 0.606)
    assert whole.layers[0].transfer_ns == pytest.approx(1000 * 3 / 4 * 2 / 25.6)
    assert whole.energy_uj == pytest.approx(4 * 20.1 * whole.time_ns / 1e3)


def test_dadiannao_reaches_its_peak_at_most() -> None:
    network = load_workload("vgg16")
    whole = dadiannao(network, 16)
    macs_per_ns = network.macs / whole.time_ns
    assert 0.5 * 16 * 4096 * 0.606 < macs_per_ns <= 16 * 4096 * 0.606
    assert DaDianNao().peak_tops == pytest.approx(5.58, rel=0.001)
    assert dadiannao(network, 32).time_ns < whole.time_ns


def test_weights_must_fit_dadiannao() -> None:
    network = load_workload("vgg16")
    assert fewest_chips(network) == 9  # 277 MB in 32 MB each
    with pytest.raises(InputError, match="the weights of vgg16 do not fit 8 chips of DaDianNao; allowed: at least 9"):
        dadiannao(network, 8)
    assert fewest_chips(network, replace(DaDianNao(), weight_mb=64.0)) == 5


def test_dadiannao_refuses_what_it_does_not_know() -> None:
    with pytest.raises(InputError, match="DaDianNao's model knows no LSTM"):
        dadiannao(load_workload("lstm2"), 16)


# what is printed


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks that take no time: one agrees, one deviates, one misses."""
    rows = [check(), replace(check(1.01), quantity="other | figure", note="known", deviation="a topic"),
            replace(check(0.5), quantity="third")]  # fmt: skip
    monkeypatch.setattr(suite, "run_checks", lambda simulated: rows)


def test_a_miss_is_shown_with_its_entry_and_fails_only_if_strict(
    two: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate"]) == 0
    out = capsys.readouterr().out
    assert "other | figure deviates by +1.0%: known (DEVIATIONS.md, 'a topic')" in out
    assert "third misses by -50.0%" in out and "1 agrees, 1 deviates, 1 misses" in out
    assert main(["validate", "--strict"]) == 1


def test_figures_that_only_the_engine_tells_are_named(two: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate"]) == 0
    assert "Left out: figures of runs (throughput of ISAAC's networks, speed-ups of training" in capsys.readouterr().out
    assert main(["validate", "--simulate"]) == 0
    assert "Left out" not in capsys.readouterr().out
    assert main(["validate", "--help"]) == 0
    assert "speed-ups of training beside AccuReD" in " ".join(capsys.readouterr().out.split())


def test_a_narrow_terminal_numbers_the_sources(
    two: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["validate"]) == 0
    out = capsys.readouterr().out
    assert out.count("[1]") == 4 and "[1] a source" in out and "[2]" not in out


def test_strict_passes_where_nothing_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "run_checks", lambda simulated: [check(), check(2.0, deviation="a topic")])
    assert main(["validate", "--strict"]) == 0


def test_a_miss_without_an_entry_is_called_a_bug() -> None:
    assert "no entry in DEVIATIONS.md: a bug" in validation_page(describe_checks([check(2.0)]))


def test_json_and_a_folder_hold_the_same(two: None, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert main(["validate", "--json", "--out", str(folder)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == "pimsim-validation-1"
    assert document["counts"] == {"agrees": 1, "deviates": 1, "misses": 1, "definition": 0, "not checkable": 0}
    assert json.loads((folder / "validation.json").read_text()) == document
    rows = list(csv.DictReader((folder / "validation.csv").read_text().splitlines()))
    assert [row["verdict"] for row in rows] == ["agrees", "deviates", "misses"]
    assert "| other \\| figure |" in (folder / "validation.md").read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["validation.csv", "validation.json", "validation.md"]


def test_a_folder_that_cannot_be_written_is_one_line(two: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--out", "/proc/nowhere"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("pimsim: /proc/nowhere: cannot be written") and err.count("\n") == 1
    assert main(["validate", "--out", ""]) == 2


def test_missing_values_are_empty_in_csv() -> None:
    text = validation_csv(describe_checks([check(theirs=None, tolerance=None)]))
    row = next(csv.DictReader(text.splitlines()))
    assert (row["theirs"], row["ratio"], row["tolerance"], row["verdict"]) == ("", "", "", "not checkable")
