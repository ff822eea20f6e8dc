"""Sweeps on a Dask cluster: the same store, also when workers are killed."""

from __future__ import annotations

import os
import signal
import time
from types import SimpleNamespace

import pytest

from pimsim.errors import InputError
from pimsim.sweep import run_sweep
from pimsim.sweep.executors import Task
from tests.sweep_tasks import Logged, latency, loads_a_system, small_sweep
from tests.unit.test_sweep_run import stored

distributed = pytest.importorskip("distributed", reason="Dask is not installed: pip install 'pimsim[cluster]'")
pytestmark = pytest.mark.filterwarnings("ignore")  # Dask's own

from pimsim.sweep.executors.dask import DaskCluster  # noqa: E402


@pytest.fixture(scope="module")
def cluster():
    """A cluster like any other: known by its scheduler's address alone."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local:
        yield local


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The study of 40 points computed in one process."""
    folder = tmp_path_factory.mktemp("study")
    run_sweep(small_sweep(40), folder, workers=0, evaluate=latency)
    return folder


def test_a_cluster_on_this_machine_ends_with_the_same_store(tmp_path, undisturbed):
    summary = run_sweep(small_sweep(40), tmp_path, executor=DaskCluster(workers=1), evaluate=latency)
    assert summary.computed == 40
    assert stored(tmp_path) == stored(undisturbed)


def test_a_worker_that_is_killed_costs_nothing_but_time(tmp_path, cluster, undisturbed):
    log = Logged(str(tmp_path / "log"), kills_at=120)
    summary = run_sweep(small_sweep(40), tmp_path / "s", executor=DaskCluster(cluster.scheduler_address), evaluate=log)
    assert (summary.done, summary.failed) == (40, 0)
    assert stored(tmp_path / "s") == stored(undisturbed)
    assert log.begun().count(120) == 2


def test_a_worker_that_is_killed_from_outside_costs_nothing_but_time(tmp_path, cluster, undisturbed):
    killed = []

    class Killing(DaskCluster):
        def run(self, *arguments):
            for outcome in super().run(*arguments):
                yield outcome
                if outcome is not None and not killed:
                    pids = [nanny.process.pid for nanny in cluster.workers.values()]
                    os.kill(pids[0], signal.SIGKILL)
                    killed.append(pids[0])

    slow = Logged(str(tmp_path / "log"), seconds=0.02)
    summary = run_sweep(small_sweep(40), tmp_path / "s", executor=Killing(cluster.scheduler_address), evaluate=slow)
    assert killed and (summary.done, summary.failed) == (40, 0)
    assert stored(tmp_path / "s") == stored(undisturbed)


class KilledWorker(Exception):
    """As Dask names what it says of a future whose workers died too often."""


class Future(SimpleNamespace):
    """What a client's submit gives; can be a key."""

    __hash__ = object.__hash__


class KillingClient:
    """A cluster on which futures with payload 3 kill every worker (real ones take half a minute to die so often)."""

    status = "running"

    def submit(self, _, function, payloads, pure):
        killed = 3 in payloads

        def result():
            if killed:
                raise KilledWorker("3")
            return "worker", [(function(payload), None) for payload in payloads], 0.001

        return Future(status="error" if killed else "finished", result=result)

    def nthreads(self):
        return {"worker": 1}


def test_a_point_that_always_kills_its_worker_takes_no_other_with_it(monkeypatch):
    from pimsim.sweep.executors import dask

    monkeypatch.setattr(distributed, "wait", lambda futures, **_: None)
    tasks = [Task(n, n, "one mapping") for n in range(6)]
    run = dask._Run(KillingClient(), abs, dask._together(tasks))
    found = {each.number: each for each in run.outcomes() if each is not None}
    assert sorted(found) == list(range(6))
    assert [n for n in found if found[n].error] == [3]
    assert "ended 3 times: out of memory, or killed" in found[3].error


class ForgetfulClient(KillingClient):
    """A cluster whose workers die with each result, once: a lost future, which the scheduler has computed again."""

    def submit(self, _, function, payloads, pure):
        answer = ("worker", [(function(payload), None) for payload in payloads], 0.001)
        return Future(status="lost", result=lambda: answer)


def test_a_result_that_is_lost_with_its_worker_is_waited_for(monkeypatch):
    """It happens where a worker dies between the end of a task and the transfer of what it gave."""
    from pimsim.sweep.executors import dask

    def looked(futures, **_):
        for future in futures:
            future.looks = getattr(future, "looks", 0) + 1
            future.status = "finished" if future.looks > 1 else "lost"

    monkeypatch.setattr(distributed, "wait", looked)
    run = dask._Run(ForgetfulClient(), abs, dask._together([Task(n, -n) for n in range(6)]))
    found = {each.number: each.value for each in run.outcomes() if each is not None}
    assert found == {n: n for n in range(6)}


def test_a_scheduler_that_ends_is_one_line():
    """What was cancelled by its end is not reported as computed."""
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as local:
        slow = DaskCluster(local.scheduler_address).run(_slow, [Task(n, n) for n in range(50)], None)
        next(slow)
        local.close()
        with pytest.raises(InputError, match="the Dask scheduler is gone; what was stored before is safe"):
            list(slow)


def test_errors_and_labels_come_back_with_their_tasks(cluster):
    tasks = [Task(n, n, label) for n, label in enumerate("aaabb")]
    found = [each for each in DaskCluster(cluster.scheduler_address).run(_inverse, tasks, _nothing) if each is not None]
    assert sorted((each.number, each.value) for each in found if each.error is None) == [
        (1, 1.0), (2, 0.5), (3, 1 / 3), (4, 0.25)]  # fmt: skip
    assert [each.error.split(" (")[0] for each in found if each.error] == ["ZeroDivisionError: float division by zero"]
    assert len({each.worker for each in found if each.number in (0, 1, 2)}) == 1


def test_workers_have_pimsim(cluster):
    tasks = [Task(0, None)]
    found = [each for each in DaskCluster(cluster.scheduler_address).run(loads_a_system, tasks, None) if each]
    assert found[0].value == "isaac-ce"


def test_workers_of_another_pimsim_are_refused(cluster, monkeypatch):
    from pimsim.sweep.executors import dask

    monkeypatch.setattr(dask, "code_version", _other_version)
    with pytest.raises(InputError, match=f"runs pimsim of process [0-9]+, and this is of process {os.getpid()}"):
        list(DaskCluster(cluster.scheduler_address).run(latency, [], None))


def test_a_scheduler_that_does_not_answer_is_one_line(monkeypatch):
    from pimsim.sweep.executors import dask

    monkeypatch.setattr(dask, "CONNECT_S", 0.5)
    with pytest.raises(InputError, match="tcp://127.0.0.1:1 does not answer as a Dask scheduler"):
        list(DaskCluster("tcp://127.0.0.1:1").run(latency, [], None))


def _slow(number):
    time.sleep(0.1)
    return number


def _inverse(number):
    return 1.0 / float(number)


def _nothing():
    return None


def _other_version():
    """Another in every process."""
    return f"of process {os.getpid()}"
