"""Sweeps run: what is stored, what is computed again, what a killed worker or driver costs."""

from __future__ import annotations

import csv
import functools
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter, OrderedDict
from pathlib import Path

import pytest

from pimsim.errors import InputError
from pimsim.sweep import grid, load_study, run_sweep
from pimsim.sweep.executors import Task
from pimsim.sweep.executors.pool import ProcessPool
from pimsim.sweep.executors.queue import TaskQueue
from pimsim.sweep.folder import locked
from pimsim.sweep.store import STORE, VERSION, open_store, read_store
from tests.sweep_tasks import Logged, fails_at_odd_waits, latency, note, small_sweep

ROOT = Path(__file__).resolve().parents[2]
TIMELESS = ("ordinal", "key", "wait_ns", "status", "error", "latency_ns", "energy_pJ")


def stored(folder):
    """Everything in the store that does not tell of the time or the worker."""
    store = read_store(folder)
    try:
        return store.rows(TIMELESS)
    finally:
        store.close()


def rows(folder):
    with sqlite3.connect(folder / STORE) as connection:
        return connection.execute("SELECT count(*) FROM points").fetchone()[0]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The study of 40 points that nothing has disturbed."""
    folder = tmp_path_factory.mktemp("study")
    run_sweep(small_sweep(40), folder, workers=0, evaluate=latency)
    return folder


# one process


def test_a_simulated_point_has_the_figures_of_its_result(tmp_path):
    import pimsim

    summary = run_sweep(small_sweep(1, keep=["result"]), tmp_path / "s", workers=0)
    expected = pimsim.simulate("mnist-mlp", "isaac-ce", noc="ideal", overrides=["host.latency_ns=100"])
    study = load_study(tmp_path / "s")
    assert summary.done == 1
    assert study.columns["latency_ns"] == (expected.times.latency_ps / 1000,)
    assert study.columns["energy_pJ"][0] == expected.costs.energy_pj
    assert study.columns["area_mm2"][0] == expected.costs.area_mm2
    assert study.result(0).summary == expected.summary


def test_points_that_share_a_mapping_get_their_own_prices(tmp_path, monkeypatch):
    import pimsim
    from pimsim import simulation

    mapped = Counter()
    real = simulation.map_workload
    monkeypatch.setattr(simulation, "map_workload", lambda *a, **k: (mapped.update(["mapped"]), real(*a, **k))[1])
    key = "chip.tile.edram.cost.power_mw"
    sweep = small_sweep(1, axes={"power": grid(key, [31.5, 77.5]), "batch": grid("batch", [1, 2])})
    run_sweep(sweep, tmp_path / "s", workers=0)
    assert mapped["mapped"] == 1
    energies = load_study(tmp_path / "s").columns["energy_pJ"]
    for n, (power, batch) in enumerate([(31.5, 1), (31.5, 2), (77.5, 1), (77.5, 2)]):
        expected = pimsim.simulate("mnist-mlp", "isaac-ce", noc="ideal", batch=batch, overrides=[f"{key}={power}"])
        assert energies[n] == expected.costs.energy_pj


def test_points_apart_in_what_adcs_resolve_are_run_once_and_each_has_its_own_result(tmp_path, monkeypatch):
    """All of the Result: notes about narrow ADCs, prices, configuration."""
    import pimsim
    from pimsim.arch import run as engine
    from pimsim.results import result_json
    from pimsim.sweep import evaluation

    monkeypatch.setattr(evaluation, "_kept", OrderedDict())
    runs = Counter()
    real = engine.run_compiled
    monkeypatch.setattr(engine, "run_compiled", lambda *a, **k: (runs.update(["run"]), real(*a, **k))[1])
    adc = "chip.tile.ima.adc"
    axes = {"bits": grid(f"{adc}.bits", [9, 4, 8]), "steps": grid(f"{adc}.range", ["levels", "full"])}
    run_sweep(small_sweep(1, axes=axes, keep=["result"]), tmp_path / "s", workers=0)
    assert runs["run"] == 1
    study = load_study(tmp_path / "s")
    for n, (bits, steps) in enumerate(itertools.product([9, 4, 8], ["levels", "full"])):
        alone = pimsim.simulate("mnist-mlp", "isaac-ce", noc="ideal",
                                overrides=[f"{adc}.bits={bits}", f"{adc}.range={steps}"])  # fmt: skip
        assert result_json(study.result(n)) == result_json(alone)
    assert len({study.result(n).notes for n in range(6)}) > 1


def test_an_analytical_point_has_the_figures_of_the_estimate(tmp_path):
    from pimsim.costmodels.chip import estimate

    axes = {"fidelity": grid("fidelity", ["engine", "analytical"]), "noc": grid("noc", ["ideal", "packet"])}
    conditions = ["fidelity == 'engine' or noc == 'ideal'"]  # an estimate knows no contention
    run_sweep(small_sweep(1, axes=axes, noc=None, keep=["result"], conditions=conditions), tmp_path / "s", workers=0)
    study = load_study(tmp_path / "s")
    expected = estimate("mnist-mlp", "isaac-ce")
    assert study.columns["latency_ns"][2] == expected.times.latency_ps / 1000
    assert study.columns["noc"] == ("ideal", "packet", "ideal")
    assert study.result(2).source.engine == "analytical"


def test_accuracy_is_a_column_where_there_is_data(tmp_path):
    import pimsim
    from pimsim.sweep import Inference

    axes = {"sigma": grid("device.programming.sigma", [0.0, 0.2]), "images": grid("images", [12])}
    inference = Inference("digits", device="reram-pytorx", calibration=10)
    run_sweep(small_sweep(1, workloads=["mlp-digits"], axes=axes, inference=inference), tmp_path / "s", workers=0)
    expected = [pimsim.infer("mlp-digits", "isaac-ce", "digits", device="reram-pytorx", images=12, calibration=10,
                             device_overrides=[f"programming.sigma={sigma}"]) for sigma in (0.0, 0.2)]  # fmt: skip
    study = load_study(tmp_path / "s")
    assert study.columns["error"] == (None, None)
    assert study.columns["accuracy"] == tuple(result.accuracy.share for result in expected)
    assert study.columns["images_executed"] == (12, 12)


def test_a_failing_point_is_stored_and_stops_nothing(tmp_path):
    summary = run_sweep(small_sweep(6), tmp_path, workers=0, evaluate=fails_at_odd_waits)
    assert (summary.done, summary.failed) == (3, 3)
    errors = load_study(tmp_path).columns["error"]
    assert [error is None for error in errors] == [True, False] * 3
    assert errors[1].startswith("ZeroDivisionError: no even number of ns (sweep_tasks.py:")
    again = run_sweep(small_sweep(6), tmp_path, workers=0, evaluate=latency, resume=True)
    assert again.computed == 0
    retried = run_sweep(small_sweep(6), tmp_path, workers=0, evaluate=latency, resume=True, retry_failed=True)
    assert (retried.computed, retried.done, retried.failed) == (3, 6, 0)


def test_a_point_that_cannot_be_configured_is_a_failed_one(tmp_path):
    sweep = small_sweep(1, axes={"lines": grid("chip.tile.ima.crossbar.active_wordlines", [64, 999])})
    logged = []
    summary = run_sweep(sweep, tmp_path, workers=0, evaluate=lambda setting: logged.append(setting) or {})
    assert (summary.done, summary.failed, len(logged)) == (1, 1, 1)
    assert "but the crossbar has 128 rows" in summary.first_error


def test_equal_points_are_computed_once(tmp_path):
    log = Logged(str(tmp_path / "log"))
    axes = {"wait_ns": grid("host.latency_ns", [110, 120, 110]), "imas": grid("chip.tile.imas", [12, 12])}
    sweep = small_sweep(1, axes=axes)
    summary = run_sweep(sweep, tmp_path / "s", workers=0, evaluate=log)
    assert (summary.points, summary.different, summary.computed) == (6, 2, 2)
    assert load_study(tmp_path / "s").columns["wait_ns"] == (110, 110, 120, 120, 110, 110)
    assert len(log.begun()) == 2


def test_a_study_is_not_overwritten_without_being_told_to(undisturbed):
    with pytest.raises(InputError, match="holds a study already; allowed: --resume"):
        run_sweep(small_sweep(40), undisturbed, workers=0, evaluate=latency)


def test_resume_computes_what_is_new_and_nothing_twice(tmp_path):
    log = Logged(str(tmp_path / "log"))
    stops = iter([False, False, True])
    first = run_sweep(small_sweep(30), tmp_path / "s", workers=0, evaluate=Logged(log.log, seconds=0.05), resume=True,
                      stop=lambda: next(stops))  # fmt: skip
    assert first.stopped and 3 <= first.done < 30
    run_sweep(small_sweep(30), tmp_path / "s", workers=0, evaluate=log, resume=True)
    run_sweep(small_sweep(35), tmp_path / "s", workers=0, evaluate=log, resume=True)
    assert sorted(log.begun()) == list(range(100, 135))
    assert load_study(tmp_path / "s").counts == {"points": 35, "different": 35, "done": 35, "failed": 0}
    narrower = run_sweep(small_sweep(5), tmp_path / "s", workers=0, evaluate=log, resume=True)
    assert (narrower.points, narrower.computed) == (5, 0)


def test_results_of_another_pimsim_are_kept_and_not_taken_for_this_ones(tmp_path, monkeypatch):
    from pimsim.sweep import points, run

    run_sweep(small_sweep(3), tmp_path, workers=0, evaluate=latency)
    for module in (points, run):
        monkeypatch.setattr(module, "code_version", lambda: "9.9.9+0")
    told = []
    summary = run_sweep(small_sweep(3), tmp_path, workers=0, evaluate=latency, resume=True, tell=told.append)
    assert (summary.computed, summary.points, rows(tmp_path)) == (3, 3, 6)
    assert len(told) == 1 and "now 9.9.9+0): every point is computed again" in told[0]


def test_a_finished_study_is_not_planned_again(undisturbed, monkeypatch):
    from pimsim.sweep import run

    monkeypatch.setattr(run, "plan", lambda sweep: pytest.fail("planned again"))
    assert run_sweep(small_sweep(40), undisturbed, workers=0, evaluate=latency, resume=True).computed == 0


def test_a_study_holds_what_a_colleague_needs(undisturbed):
    from pimsim.config import load_system

    with open(undisturbed / "points.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [float(row["latency_ns"]) for row in table] == [10.0 * wait for wait in range(100, 140)]
    info = json.loads((undisturbed / "run_info.json").read_text())
    assert info["code_version"].startswith("0.") and info["versions"]["numpy"]
    assert load_system(undisturbed / "systems" / "isaac-ce.yaml") == load_system("isaac-ce")
    assert load_study(undisturbed).sweep().axes == small_sweep(40).axes
    assert not [path for path in undisturbed.iterdir() if path.name.endswith(("-wal", "-shm", ".partial"))]


def test_parquet_holds_the_same_table(undisturbed):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    table = parquet.read_table(undisturbed / "points.parquet")
    assert table.column("latency_ns").to_pylist() == [10.0 * wait for wait in range(100, 140)]


# what can be wrong with a folder


def test_a_second_driver_is_refused(tmp_path):
    folder = tmp_path / "s"
    code = f"""
import pathlib, time
from pimsim.sweep.folder import locked
with locked(pathlib.Path({str(folder)!r})):
    print("locked", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT, text=True) as other:
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(InputError, match=f"another sweep is writing this study: process {other.pid} on"):
            run_sweep(small_sweep(2), folder, workers=0, evaluate=latency)
        os.kill(other.pid, signal.SIGKILL)
    assert run_sweep(small_sweep(2), folder, workers=0, evaluate=latency).done == 2


def test_a_store_of_another_version_is_left_as_it_is(tmp_path):
    run_sweep(small_sweep(2), tmp_path, workers=0, evaluate=latency)
    with sqlite3.connect(tmp_path / STORE) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = (tmp_path / STORE).read_bytes()
    for refused in (lambda: run_sweep(small_sweep(3), tmp_path, workers=0, evaluate=latency, resume=True),
                    lambda: load_study(tmp_path)):  # fmt: skip
        with pytest.raises(InputError, match=f"is a store of version {VERSION + 1}, which this pimsim does not read"):
            refused()
    assert (tmp_path / STORE).read_bytes() == before


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be looked at", b"SQLite format 3\0junk"])
def test_what_is_no_store_is_left_as_it_is(tmp_path, content):
    (tmp_path / STORE).write_bytes(content)
    with pytest.raises(InputError, match="cannot be opened as a study's store: file is not a database"):
        run_sweep(small_sweep(2), tmp_path, workers=0, evaluate=latency, resume=True)
    assert (tmp_path / STORE).read_bytes() == content


def test_a_database_of_others_is_left_as_it_is(tmp_path):
    with sqlite3.connect(tmp_path / STORE) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    with pytest.raises(InputError, match="is a database, but not a study of pimsim"):
        run_sweep(small_sweep(2), tmp_path, workers=0, evaluate=latency, resume=True)


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path, monkeypatch):
    from pimsim.sweep import run

    def small_disk(folder):
        store = open_store(folder)
        pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
        store.connection.execute(f"PRAGMA max_page_count = {pages + 40}")
        return store

    monkeypatch.setattr(run, "COMMIT_S", 0.0)  # each point by itself
    monkeypatch.setattr(run, "open_store", small_disk)
    with pytest.raises(InputError, match="database or disk is full; what was stored before is safe"):
        run_sweep(small_sweep(300), tmp_path, workers=0, evaluate=latency)
    before = rows(tmp_path)
    monkeypatch.setattr(run, "open_store", open_store)
    log = Logged(str(tmp_path / "log"))
    summary = run_sweep(small_sweep(300), tmp_path, workers=0, evaluate=log, resume=True)
    assert summary.done == 300 and summary.computed == len(log.begun()) == 300 - before


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written: Not a directory"):
        run_sweep(small_sweep(2), tmp_path / "file" / "s", workers=0, evaluate=latency)
    with pytest.raises(InputError, match="cannot be written: File exists"):
        run_sweep(small_sweep(2), tmp_path / "file", workers=0, evaluate=latency)


def test_a_lock_is_let_go_of(tmp_path):
    with locked(tmp_path):
        with pytest.raises(InputError, match="another sweep"), locked(tmp_path):
            pass
    with locked(tmp_path):
        pass


def test_a_folder_without_a_store_is_no_study(tmp_path):
    with pytest.raises(InputError, match="is no study: it holds no store"):
        load_study(tmp_path)


# processes that are killed


def test_a_pool_whose_worker_is_killed_ends_with_the_same_store(tmp_path, undisturbed):
    log = Logged(str(tmp_path / "log"), kills_at=120)
    summary = run_sweep(small_sweep(40), tmp_path / "s", workers=2, evaluate=log)
    assert (summary.done, summary.failed) == (40, 0)
    assert stored(tmp_path / "s") == stored(undisturbed)
    assert sorted(log.begun()) == sorted([*range(100, 140), 120])  # the killed one again, no other


def test_workers_killed_from_outside_cost_nothing_but_time(tmp_path, undisturbed):
    killed = []

    class Killing(ProcessPool):
        def run(self, *arguments):
            for outcome in super().run(*arguments):
                yield outcome
                if outcome is not None and outcome.number in (5, 6, 7, 20):
                    os.kill(int(outcome.worker.removeprefix("pid ")), signal.SIGKILL)
                    killed.append(outcome.worker)

    summary = run_sweep(small_sweep(40), tmp_path, executor=Killing(2), evaluate=latency)
    assert len(set(killed)) >= 2 and (summary.done, summary.failed) == (40, 0)
    assert stored(tmp_path) == stored(undisturbed)


def test_a_point_that_always_kills_its_worker_is_a_failed_one(tmp_path):
    log = Logged(str(tmp_path / "log"), kills_at=103, always=True)
    summary = run_sweep(small_sweep(6), tmp_path / "s", workers=2, evaluate=log)
    assert (summary.done, summary.failed) == (5, 1)
    assert "ended 3 times: out of memory, or killed" in summary.first_error
    assert log.begun().count(103) == 3


DRIVER = """
import sys
from pimsim.sweep import run_sweep
from tests.sweep_tasks import Logged, small_sweep
if __name__ == "__main__":
    run_sweep(small_sweep(40), sys.argv[1], workers=2, evaluate=Logged(sys.argv[2], seconds=0.1), resume=True)
"""


def test_a_killed_driver_loses_nothing_and_what_it_stored_is_not_computed_again(tmp_path, undisturbed):
    script, folder, log = tmp_path / "driver.py", tmp_path / "s", Logged(str(tmp_path / "log"))
    script.write_text(DRIVER)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    driver = subprocess.Popen([sys.executable, str(script), str(folder), log.log], cwd=ROOT, env=environment)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not (folder / STORE).exists() or _rows_or_none(folder) < 8):
        time.sleep(0.05)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    kept = {row[2] for row in stored(folder) if row[3] == "done"}
    assert 8 <= len(kept) < 40
    before = len(log.begun())
    summary = run_sweep(small_sweep(40), folder, workers=2, evaluate=Logged(log.log), resume=True)
    assert summary.computed == 40 - len(kept)
    assert kept.isdisjoint(log.begun()[before:])
    assert stored(folder) == stored(undisturbed)


def _rows_or_none(folder):
    try:
        return len([row for row in stored(folder) if row[3] == "done"])
    except InputError:  # the tables are being made
        return 0


def test_workers_are_warmed_once_before_any_task(tmp_path):
    log = str(tmp_path / "log")
    tasks = [Task(n, "task") for n in range(6)]
    run = ProcessPool(2).run(functools.partial(note, log), tasks, functools.partial(note, log, "warm"))
    workers = {outcome.worker for outcome in run if outcome is not None}
    assert Path(log).read_text().split() == ["warm"] + ["task"] * 6
    assert len(workers) == 2


def test_tasks_that_share_a_label_stay_with_one_worker():
    queue = TaskQueue([Task(n, None, label) for n, label in enumerate("aaabbb")])
    first, second = queue.take("one"), queue.take("two")
    assert (first.label, second.label) == ("a", "b")
    assert [queue.take("one").number, queue.take("one").number] == [1, 2]
    queue.give_back("two", second)
    assert [queue.take("one").number for _ in range(3)] == [3, 4, 5]
    assert not queue


def test_closing_an_executor_ends_its_workers():
    run = ProcessPool(2).run(time.sleep, [Task(0, 0), Task(1, 60), Task(2, 60)], None)
    worker = next(outcome.worker for outcome in run if outcome is not None)
    run.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(worker.removeprefix("pid ")), 0)


def test_a_pool_needs_workers():
    with pytest.raises(InputError, match="0 processes compute nothing"):
        ProcessPool(0)
