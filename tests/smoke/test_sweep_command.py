"""`pimsim sweep` and `pimsim pareto` as a user has them."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pimsim.cli import main
from pimsim.sweep import load_study
from pimsim.sweep.store import STORE

ROOT = Path(__file__).resolve().parents[2]
SWEEP = """
format: pimsim-sweep-1
workloads: [mnist-mlp, lenet5]
systems: [isaac-ce]
noc: ideal
axes:
  bits: {key: chip.tile.ima.adc.bits, grid: [7, 8]}
  chip.tile.imas: [8, 12]
conditions: [bits == 8 or imas == 12]
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A sweep of six points run in this process, and its SWEEP.yaml."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "s.yaml").write_text(SWEEP)
    assert main(["sweep", str(folder / "s.yaml"), "--out", str(folder / "study"), "--workers", "0", "--quiet"]) == 0
    return folder / "study", folder / "s.yaml"


def test_a_sweep_tells_what_became_of_it(study, capsys):
    folder, file = study
    assert main(["sweep", str(file), "--out", str(folder), "--workers", "2", "--resume"]) == 0
    assert capsys.readouterr().out.startswith("6 points: 6 done; 0 computed now, in ")
    assert main(["sweep", str(file), "--out", str(folder), "--resume", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == 6
    with open(folder / "points.csv", newline="") as table:
        rows = list(csv.DictReader(table))
    assert [(row["workload"], row["bits"], row["imas"]) for row in rows[:3]] == [
        ("mnist-mlp", "7", "12"), ("mnist-mlp", "8", "8"), ("mnist-mlp", "8", "12")]  # fmt: skip


def test_a_dry_run_shows_the_points_and_leaves_nothing(study, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", str(study[1]), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "8 combinations, 6 points under the conditions, 6 different, 4 mappings" in told
    assert main(["sweep", str(study[1]), "--dry-run", "--json"]) == 0
    assert [row["bits"] for row in json.loads(capsys.readouterr().out)["points"]] == [7, 8, 8, 7, 8, 8]
    assert not list(tmp_path.iterdir())


def test_pareto_has_a_front_for_each_workload(study, capsys):
    folder, _ = study
    assert main(["pareto", str(folder), "--minimize", "latency_ns,area_mm2", "--maximize",
                 "spatial_utilisation_cells", "--plot", "--json"]) == 0  # fmt: skip
    shown = json.loads(capsys.readouterr().out)["points"]
    assert {row["workload"] for row in shown} == {"mnist-mlp", "lenet5"}
    with open(folder / "plots" / "pareto.csv", newline="") as table:
        assert [row["ordinal"] for row in csv.DictReader(table)] == [str(row["ordinal"]) for row in shown]
    for kind in ("png", "svg"):
        assert (folder / "plots" / f"pareto.{kind}").stat().st_size > 5000


@pytest.mark.parametrize(("arguments", "told"), [
    (["pareto", "STUDY"], "--minimize, --maximize: there is nothing to minimize or maximize"),
    (["pareto", "STUDY", "--minimize", "latency"], "has no column 'latency', did you mean 'latency_ns'?"),
    (["pareto", "STUDY", "--minimize", "bottleneck"], "the column 'bottleneck' holds words"),
    (["pareto", "STUDY", "--minimize", "area_mm2,area_mm2"], "'area_mm2' is there twice"),
    (["pareto", "STUDY", "--minimize", "area_mm2,"], "--minimize: 'area_mm2,' is no list of columns"),
    (["pareto", "STUDY", "--minimize", "accuracy"], "has no point in which all of these are measured"),
    (["pareto", "nothing", "--minimize", "area_mm2"], "nothing: is no study"),
    (["sweep", "SWEEP", "--out", "STUDY"], "holds a study already; allowed: --resume"),
    (["sweep", "SWEEP", "--retry-failed"], "--retry-failed: goes with --resume"),
    (["sweep", "SWEEP", "--workers", "-1"], "--workers: -1 is not allowed"),
    (["sweep", "SWEEP", "--workers", "2", "--scheduler", "tcp://x:1"], "--scheduler: brings its own workers"),
    (["sweep", "SWEEP", "--out", ""], "--out: the name of the folder is empty"),
    (["sweep", "SWEEP", "--out", "SWEEP"], "--out: is SWEEP.yaml itself"),
    (["sweep", "none.yaml"], "none.yaml: cannot be read"),
])  # fmt: skip
def test_what_is_wrong_is_one_line(study, capsys, arguments, told):
    words = {"STUDY": str(study[0]), "SWEEP": str(study[1])}
    assert main([words.get(word, word) for word in arguments]) == 2
    line = capsys.readouterr().err
    assert told in line and line.count("\n") == 1


def test_ctrl_c_stores_what_has_ended_and_says_how_to_go_on(tmp_path):
    more = SWEEP.replace("[8, 12]", "[" + ", ".join(map(str, range(4, 44))) + "]").replace("== 12", "> 0")
    (tmp_path / "s.yaml").write_text(more)
    command = [sys.executable, "-m", "pimsim", "sweep", "s.yaml", "--workers", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, start_new_session=True) as driver:  # fmt: skip
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not _done(tmp_path / "s"):
            time.sleep(0.05)
        os.killpg(driver.pid, signal.SIGINT)  # as a terminal does: to the workers too
        out, err = driver.communicate(timeout=60)
    assert driver.returncode == 130, err
    assert "Stopped.  Go on with: pimsim sweep s.yaml --resume" in out
    assert "Traceback" not in err
    assert 0 < _done(tmp_path / "s") < 160
    assert (tmp_path / "s" / "points.csv").exists()


def _done(folder):
    try:
        return load_study(folder).counts["done"] if (folder / STORE).exists() else 0
    except Exception:  # the tables are being made
        return 0
