"""A pool of processes on this machine, each with a pipe of its own: a pipe that ends tells which task died.

Workers are forked from a server that has imported the simulator and nothing else ("forkserver"): they begin within
milliseconds, and inherit neither the store nor its lock.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any

from pimsim.errors import InputError
from pimsim.sweep.executors import MOST_TRIES, TICK_S, Function, Outcome, Task, Warm, attempt, lost
from pimsim.sweep.executors.queue import TaskQueue

PRELOADED = ("pimsim.sweep.evaluation", "pimsim.simulation")


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    task: Task | None = None


class ProcessPool:
    """Processes on this machine.

    Args:
        workers: how many.

    Raises:
        InputError: fewer than one.
    """

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise InputError(f"{workers} processes compute nothing", key="workers", allowed="a whole number from 1")
        self.workers = workers

    def check(self) -> None:
        """Nothing is needed."""

    def describe(self) -> str:
        """In words, for the study's record."""
        return f"{self.workers} processes on this machine"

    def run(self, function: Function, tasks: Sequence[Task], warm: Warm | None) -> Iterator[Outcome | None]:
        """As the contract of executors."""
        run = _Run(function, tasks, self.workers)
        try:
            if warm is not None:
                yield from run.warm(warm)
            yield from run.outcomes()
        finally:
            run.end()


class _Run:
    """One use of the pool."""

    def __init__(self, function: Function, tasks: Sequence[Task], workers: int) -> None:
        self.function, self.most = function, min(workers, len(tasks))
        self.queue = TaskQueue(tasks)
        self.tries: dict[int, int] = {}
        self.workers: list[_Worker] = []
        self.context = _context()

    def warm(self, warm: Warm) -> Iterator[None]:
        """One worker warms up, the others are not there yet."""
        for _ in range(MOST_TRIES):
            worker = self._start()
            worker.pipe.send((warm, None))
            while not wait([worker.pipe], TICK_S):
                yield None
            try:
                worker.pipe.recv()
                return
            except (EOFError, OSError):
                self._remove(worker)
        raise InputError("the processes of the pool end as soon as they begin", key="workers",
                         allowed="fewer of them, or in this process (workers 0)")  # fmt: skip

    def outcomes(self) -> Iterator[Outcome | None]:
        """Until nothing waits and nobody works."""
        while self.queue or any(worker.task for worker in self.workers):
            self._employ()
            ready = wait([worker.pipe for worker in self.workers], TICK_S)
            for worker in [each for each in self.workers if each.pipe in ready]:
                outcome = self._receive(worker)
                if outcome is not None:
                    yield outcome
            yield None

    def end(self) -> None:
        """No worker is left behind."""
        for worker in self.workers:
            worker.pipe.close()
            worker.process.kill()
        for worker in self.workers:
            worker.process.join()
        self.workers = []

    def _employ(self) -> None:
        for worker in self.workers:
            if worker.task is None and self.queue:
                self._give(worker)
        while self.queue and len(self.workers) < self.most:
            self._give(self._start())

    def _start(self) -> _Worker:
        ours, theirs = self.context.Pipe()
        process = self.context.Process(target=_serve, args=(theirs, self.function), daemon=True)  # type: ignore[attr-defined]
        process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self.workers.append(worker)
        return worker

    def _give(self, worker: _Worker) -> None:
        worker.task = task = self.queue.take(worker)
        self.tries[task.number] = self.tries.get(task.number, 0) + 1
        try:
            worker.pipe.send((None, task.payload))
        except OSError:  # it has died while idle: its pipe says so next
            pass

    def _receive(self, worker: _Worker) -> Outcome | None:
        """What a worker has to say; None: it has died."""
        task = worker.task
        try:
            value, error = worker.pipe.recv()
        except (EOFError, OSError):
            self._remove(worker)
            return None if task is None else self._after_death(worker, task)
        assert task is not None
        worker.task = None
        return Outcome(task.number, value, error, f"pid {worker.process.pid}")

    def _after_death(self, worker: _Worker, task: Task) -> Outcome | None:
        tries = self.tries[task.number]
        if tries >= MOST_TRIES:
            return Outcome(task.number, None, lost(tries), f"pid {worker.process.pid}")
        self.queue.give_back(worker, task)
        return None

    def _remove(self, worker: _Worker) -> None:
        self.workers.remove(worker)
        self.queue.leave(worker)
        worker.pipe.close()
        worker.process.kill()
        worker.process.join()


def _context() -> BaseContext:
    methods = multiprocessing.get_all_start_methods()
    if "forkserver" not in methods:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", *PRELOADED])
    return context


def _serve(pipe: Connection, function: Function) -> None:
    """A worker: computes what comes until the driver is gone.  Ctrl-C is the driver's to act upon."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while True:
            other, payload = pipe.recv()
            pipe.send(attempt(function, payload) if other is None else attempt(_call, other))
    except (EOFError, OSError):
        return


def _call(function: Warm) -> Any:
    return function()
