"""`pimsim sweep`: what it ends with, and what it leaves behind where it is refused."""

from __future__ import annotations

import json

import pytest

from pimsim.cli import main
from pimsim.sweep import load_study
from pimsim.sweep.store import STORE

HEAD = "workloads: [mnist-mlp]\nsystems: [isaac-ce]\nfidelity: analytical\n"
BAD = HEAD + "axes: {lines: {key: chip.tile.ima.crossbar.active_wordlines, grid: [64, 999]}}\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_failed_points_are_told_and_exit_with_1(here, capsys):
    (here / "s.yaml").write_text(BAD)
    assert main(["sweep", "s.yaml", "--workers", "0"]) == 1
    told = capsys.readouterr().out
    assert "2 points: 1 done, 1 failed" in told
    assert "1 failed: the column error of s/points.csv says why; the first: " in told
    assert main(["sweep", "s", "--workers", "0", "--resume", "--json"]) == 1  # the study in place of its sweep
    assert json.loads(capsys.readouterr().out)["failed"] == 1
    assert load_study(here / "s").columns["noc"] == ("ideal", "ideal")


def test_a_dry_run_without_points_is_refused_as_the_run_is(here, capsys):
    (here / "s.yaml").write_text(BAD + "conditions: [lines > 999]\n")
    told = []
    for more in ([], ["--dry-run"], ["--dry-run", "--json"]):
        assert main(["sweep", "s.yaml", *more]) == 2
        told.append(capsys.readouterr().err)
    assert set(told) == {"pimsim: s.yaml:5: conditions: leave no point\n"}
    assert not (here / "s").exists()


def test_a_dry_run_speaks_of_conditions_where_there_are_any(here, capsys):
    (here / "s.yaml").write_text(BAD)
    assert main(["sweep", "s.yaml", "--dry-run"]) == 0
    assert "2 combinations, 2 points, 2 different, 1 mappings; 1 cannot be computed" in capsys.readouterr().out


def test_a_wrong_scheduler_leaves_no_study_behind(here, capsys):
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'pimsim[cluster]'")
    (here / "s.yaml").write_text(BAD)
    assert main(["sweep", "s.yaml", "--scheduler", "nonsense"]) == 2
    assert "does not answer as a Dask scheduler" in capsys.readouterr().err
    assert not (here / "s").exists()


def test_an_empty_store_is_no_study_yet(here, capsys):
    (here / "s").mkdir()
    (here / "s" / STORE).touch()
    assert main(["pareto", "s", "--minimize", "area_mm2"]) == 2
    assert capsys.readouterr().err.startswith(f"pimsim: s/{STORE}: is empty: no sweep has written anything into it")
    (here / "s.yaml").write_text(BAD)
    assert main(["sweep", "s.yaml", "--workers", "0", "--resume", "--quiet"]) == 1
    assert load_study(here / "s").counts["points"] == 2


def test_axes_may_be_called_as_words_of_sql(here, capsys):
    (here / "s.yaml").write_text(HEAD + "axes:\n  group: {key: chip.tile.imas, grid: [8, 12]}\n"
                                 "  order: {key: chip.tiles, grid: [168]}\n  select: {key: chips, grid: [1]}\n")
    assert main(["sweep", "s.yaml", "--workers", "0", "--quiet"]) == 0
    assert (here / "s" / "points.csv").read_text().startswith("ordinal,workload,system,batch,noc,fidelity,group,order,")
    assert load_study(here / "s").columns["group"] == (8, 12)
    assert main(["pareto", "s", "--minimize", "area_mm2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["points"][0]["group"] == 8
