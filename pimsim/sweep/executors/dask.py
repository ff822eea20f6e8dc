"""A Dask cluster: one of this machine's own, or any that a scheduler's address leads to.

Dask begins the tasks of a worker that has died again on another; the store stays with the driver.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from pimsim.errors import InputError, one_line
from pimsim.sweep.code import code_version
from pimsim.sweep.executors import MOST_TRIES, TICK_S, Function, Outcome, Task, Warm, attempt, lost

AHEAD = 4  #: futures for each thread of the cluster, at most
MOST_SHARING = 8  #: tasks of the same label in one future
TOGETHER_S = 0.1  #: tasks that take less than this share a future: the scheduler takes milliseconds for each
MOST_TOGETHER = 32  #: tasks in one future
LOOK_S = 2.0  #: how often the cluster is asked for its size
CONNECT_S = 10.0  #: after which a scheduler that does not answer is given up


class DaskCluster:
    """Workers that a Dask scheduler gives.

    Args:
        scheduler: its address, ``tcp://host:8786``; None: a cluster on this machine, for the time of the run.
        workers: of a cluster on this machine.

    Raises:
        InputError: Dask is not installed, or there are no workers.
    """

    def __init__(self, scheduler: str | None = None, workers: int = 2) -> None:
        try:
            import distributed  # noqa: F401
        except ImportError:
            raise InputError("Dask is not installed", allowed="pip install 'pimsim[cluster]', or a pool of processes "
                             "(--workers)") from None  # fmt: skip
        if workers < 1:
            raise InputError(f"{workers} workers compute nothing", key="workers", allowed="a whole number from 1")
        self.scheduler, self.workers = scheduler, workers

    def describe(self) -> str:
        """In words, for the study's record."""
        return f"Dask, scheduler {self.scheduler}" if self.scheduler else f"Dask, {self.workers} workers here"

    def check(self) -> None:
        """Raises InputError where the scheduler does not answer, or its workers run another pimsim."""
        if self.scheduler is not None:
            with ExitStack() as stack:
                self._client(stack)

    def run(self, function: Function, tasks: Sequence[Task], warm: Warm | None) -> Iterator[Outcome | None]:
        """As the contract of executors."""
        with ExitStack() as stack:
            client = self._client(stack)
            yield from _warmed(client, warm)
            yield from _Run(client, function, _together(tasks)).outcomes()

    def _client(self, stack: ExitStack) -> Any:
        import dask
        import distributed

        stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": MOST_TRIES - 1}))
        if self.scheduler is None:
            cluster = stack.enter_context(distributed.LocalCluster(
                n_workers=self.workers, threads_per_worker=1, processes=True, dashboard_address=None,
            ))  # fmt: skip
            return stack.enter_context(distributed.Client(cluster))
        try:
            client = stack.enter_context(distributed.Client(self.scheduler, timeout=CONNECT_S))
        except (OSError, ValueError, TimeoutError) as error:
            what = one_line(str(error)) or type(error).__name__
            raise InputError(f"{self.scheduler} does not answer as a Dask scheduler: {what}", key="--scheduler",
                             allowed="the address that `dask scheduler` prints, such as tcp://10.0.0.1:8786") from None
        _check_code(client, self.scheduler)
        return client


def _check_code(client: Any, scheduler: str) -> None:
    """Results bear the driver's code version: no worker may run another."""
    try:
        found = client.run(code_version)
    except ImportError as error:
        raise InputError(f"a worker of {scheduler} cannot import pimsim: {one_line(str(error))}", key="--scheduler",
                         allowed="workers with the same pimsim as here") from None  # fmt: skip
    other = {address: version for address, version in found.items() if version != code_version()}
    if other:
        address, version = next(iter(other.items()))
        raise InputError(f"worker {address} runs pimsim {version}, and this is {code_version()}", key="--scheduler",
                         allowed="workers with the same pimsim as here")  # fmt: skip


def _together(tasks: Sequence[Task]) -> list[list[Task]]:
    """Groups of neighbours with the same label."""
    groups: list[list[Task]] = []
    for task in tasks:
        last = groups[-1] if groups else None
        if last is None or not task.label or last[0].label != task.label or len(last) >= MOST_SHARING:
            groups.append([task])
        else:
            last.append(task)
    return groups


def _warmed(client: Any, warm: Warm | None) -> Iterator[None]:
    if warm is None:
        return
    future = client.submit(_attempt_all, _call, [warm], pure=False)
    while not _ended([future], client):
        yield None


def _ended(futures: Sequence[Any], client: Any) -> list[Any]:
    """Those that have ended, after a tick at most.

    A future that is *lost* has not: its worker died with the result, and the scheduler has it computed again.
    """
    from distributed import CancelledError, wait

    try:
        wait(futures, timeout=TICK_S, return_when="FIRST_COMPLETED")
    except (TimeoutError, CancelledError):
        if client.status not in ("running", "connecting"):
            raise _gone() from None
    return [future for future in futures if future.status in ("finished", "error", "cancelled")]


class _Run:
    """One use of a cluster: groups of tasks that wait, and those that a future has."""

    def __init__(self, client: Any, function: Function, groups: list[list[Task]]) -> None:
        self.client, self.function = client, function
        self.waiting = groups[::-1]
        self.running: dict[Any, list[Task]] = {}
        self.task_s = TOGETHER_S  # what a task takes, as far as is known
        self.looked, self.room = 0.0, 0

    def outcomes(self) -> Iterator[Outcome | None]:
        """Until nothing waits and nothing runs."""
        while self.waiting or self.running:
            self._submit()
            for future in _ended(list(self.running), self.client):
                yield from self._outcomes_of(future, self.running.pop(future))
            yield None

    def _submit(self) -> None:
        if time.monotonic() - self.looked > LOOK_S:  # workers come and go
            self.looked = time.monotonic()
            self.room = AHEAD * max(1, sum(self.client.nthreads().values()))
        while self.waiting and len(self.running) < self.room:
            group = self.waiting.pop()
            while self.waiting and len(group) < min(TOGETHER_S / self.task_s, MOST_TOGETHER):
                group = group + self.waiting.pop()
            self._start(group)

    def _start(self, group: list[Task]) -> None:
        payloads = [task.payload for task in group]
        self.running[self.client.submit(_attempt_all, self.function, payloads, pure=False)] = group

    def _outcomes_of(self, future: Any, group: list[Task]) -> Iterator[Outcome]:
        from distributed import CancelledError

        try:
            worker, found, seconds = future.result()  # waits, where the result was lost with its worker meanwhile
        except CancelledError:
            raise _gone() from None
        except Exception as failure:  # Dask's: those of the function come back as values
            yield from self._failed(failure, group)
            return
        self.task_s = max(0.5 * self.task_s + 0.5 * seconds / len(group), 1e-6)
        for task, (value, error) in zip(group, found, strict=True):
            yield Outcome(task.number, value, error, worker)

    def _failed(self, failure: Exception, group: list[Task]) -> Iterator[Outcome]:
        if len(group) > 1:  # one of them kills; it takes no other with it
            for task in group:
                self._start([task])
            return
        told = lost(MOST_TRIES) if type(failure).__name__ == "KilledWorker" else one_line(f"Dask: {failure!r}")
        yield Outcome(group[0].number, None, told, "Dask")


def _gone() -> InputError:
    return InputError("the Dask scheduler is gone; what was stored before is safe", key="--scheduler",
                      allowed="--resume with another one")  # fmt: skip


def _attempt_all(function: Function, payloads: Sequence[Any]) -> tuple[str, list[tuple[Any, str | None]], float]:
    """In a worker: its address, what :func:`attempt` gives for each, and how long it took [s]."""
    from distributed import get_worker

    begin = time.perf_counter()
    found = [attempt(function, payload) for payload in payloads]
    return str(get_worker().address), found, time.perf_counter() - begin


def _call(function: Warm) -> Any:
    return function()
