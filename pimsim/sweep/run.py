"""A sweep run: points planned, computed by an executor, stored by this process."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pimsim.errors import InputError
from pimsim.sweep import folder as folders
from pimsim.sweep.code import code_version
from pimsim.sweep.evaluation import Evaluation
from pimsim.sweep.executors import Executor, Function, Outcome, Task
from pimsim.sweep.executors.in_process import InProcess
from pimsim.sweep.executors.pool import ProcessPool
from pimsim.sweep.export import export, table_columns
from pimsim.sweep.points import Point, Setting, fingerprint, load_bases, plan
from pimsim.sweep.reading import load_sweep, sweep_data
from pimsim.sweep.spec import RESULT, Sweep
from pimsim.sweep.store import Store, open_store

COMMIT_S = 0.2  #: outcomes that come within so long are stored together


@dataclass(frozen=True)
class Progress:
    """How far a sweep has come."""

    waiting: int  #: points that this driver found to be computed
    done: int  #: of these, with success
    failed: int
    stored_before: int
    seconds: float

    @property
    def rate_per_s(self) -> float:
        """Points a second so far."""
        return (self.done + self.failed) / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class SweepSummary:
    """What a driver leaves behind."""

    folder: Path
    points: int  #: of the sweep
    different: int  #: equal ones counted once
    done: int  #: of the different ones
    failed: int
    computed: int  #: by this driver
    seconds: float
    stopped: bool  #: before the end, because it was asked to
    first_error: str | None
    files: tuple[Path, ...] = field(repr=False)


def run_sweep(
    sweep: Sweep | str | Path,
    out: str | Path,
    *,
    workers: int = 2,
    executor: Executor | None = None,
    resume: bool = False,
    retry_failed: bool = False,
    evaluate: Function | None = None,
    progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
    tell: Callable[[str], None] = lambda _: None,
) -> SweepSummary:
    """Compute every point of a sweep that the study does not hold yet.

    Args:
        sweep: a :class:`Sweep` or a SWEEP.yaml.
        out: folder of the study, made if it is not there.
        workers: processes on this machine; 0: in this process.
        executor: another place to compute; ``workers`` does not count then.
        resume: go on with a study that is there, also under a sweep that has changed: equal points are not
            computed again.
        retry_failed: with ``resume``, points that have failed are computed again.
        evaluate: what computes a point, by its setting, instead of the simulator.
        progress: called now and then.
        stop: asked now and then whether to stop.
        tell: called with a line that a user should know before the computing begins.

    Raises:
        InputError: something about the sweep is wrong; the folder holds a study and ``resume`` is false, or is in the
            hands of another driver, of another version or cannot be written; or the workers are gone for good.
            Whatever was stored stays.
    """
    sweep = sweep if isinstance(sweep, Sweep) else load_sweep(sweep)
    folder = Path(out)
    if folders.holds_study(folder) and not resume:
        raise InputError("holds a study already", file=folder, allowed="--resume to go on with it, or another --out")
    if executor is None:
        executor = ProcessPool(workers) if workers else InProcess()
    executor.check()
    points = None if resume else list(plan(sweep))  # what is wrong with the sweep is known before a folder is made
    with folders.locked(folder), contextlib.closing(open_store(folder)) as store:
        driver = _Driver(sweep, folder, store, executor, progress, stop)
        driver.plan(points, retry_failed, tell)
        driver.compute(evaluate)
        return driver.finish()


class _Driver:
    """The steps of a run, in order."""

    def __init__(self, sweep: Sweep, folder: Path, store: Store, executor: Executor,
                 progress: Callable[[Progress], None] | None, stop: Callable[[], bool]) -> None:  # fmt: skip
        self.sweep, self.folder, self.store, self.executor = sweep, folder, store, executor
        self.progress, self.stop = progress, stop
        self.begun, self.begun_utc = time.perf_counter(), folders.utc_now()
        self.done = self.failed = self.stored_before = 0
        self.stopped = False

    def plan(self, points: Sequence[Point] | None, retry_failed: bool, tell: Callable[[str], None]) -> None:
        """What there is to compute; nothing is planned again where nothing has changed."""
        word = fingerprint(self.sweep, sweep_data(self.sweep))
        if points is not None or self.store.fact("fingerprint") != word:
            found = list(plan(self.sweep)) if points is None else points
            before = self.store.fact("code_version")
            if before not in (None, code_version()):
                tell(f"pimsim has changed since ({before}, now {code_version()}): every point is computed again")
            self.store.replace_plan(found, self.sweep, word, code_version())
            folders.write_configurations(self.folder, self.sweep)
        if retry_failed:
            self.store.forget_failures()
        if self.sweep.keeps_results:
            self.store.forget(key for key in self.store.done_keys() if not self._result_file(key).is_file())
        self.waiting = self.store.waiting()

    def compute(self, evaluate: Function | None) -> None:
        """Every point that waits, until all have ended or somebody asks to stop."""
        counts = self.store.counts()
        self.stored_before = counts["done"] + counts["failed"]
        if not self.waiting:
            return
        with _shared_cache():
            function, warm = evaluate, None
            if function is None:
                function = evaluation = Evaluation(load_bases(self.sweep), self.sweep.files)
                warm = functools.partial(evaluation.warm, _one_of_each_kind(setting for _, _, setting in self.waiting))
            tasks = [Task(n, setting, mapping) for n, (_, mapping, setting) in enumerate(self.waiting)]
            outcomes = self.executor.run(function, _by_label(tasks), warm)
            try:
                self._store_all(outcomes)
            finally:
                getattr(outcomes, "close", lambda: None)()

    def _store_all(self, outcomes: Iterator[Outcome | None]) -> None:
        unstored: list[tuple[str, Outcome]] = []
        committed = time.perf_counter()
        try:
            for outcome in outcomes:
                if outcome is not None:
                    unstored.append((self.waiting[outcome.number][0], outcome))
                now = time.perf_counter()
                if now - committed >= COMMIT_S:
                    self._commit(unstored)
                    committed = now
                    if self.stop():
                        self.stopped = True
                        return
        finally:
            self._commit(unstored)

    def _commit(self, unstored: list[tuple[str, Outcome]]) -> None:
        kept, unstored[:] = list(unstored), []
        for key, outcome in kept:
            if outcome.error is None and RESULT in outcome.value:
                folders.write_text(self._result_file(key), outcome.value[RESULT])
        if kept:
            self.store.add(kept, code_version())
        failed = sum(outcome.error is not None for _, outcome in kept)
        self.failed += failed
        self.done += len(kept) - failed
        if self.progress is not None:
            seconds = time.perf_counter() - self.begun
            self.progress(Progress(len(self.waiting), self.done, self.failed, self.stored_before, seconds))

    def _result_file(self, key: str) -> Path:
        return self.folder / folders.RESULTS / f"{key[:16]}.json"

    def finish(self) -> SweepSummary:
        """Exports and the record of this run; nothing of it where nothing has changed."""
        counts = self.store.counts()
        computed = self.done + self.failed
        seconds = time.perf_counter() - self.begun
        files = export(self.store, table_columns(self.sweep), self.folder)
        run = {"begun_utc": self.begun_utc, "seconds": round(seconds, 3), "executor": self.executor.describe(),
               "computed": computed, "failed": self.failed, "stopped": self.stopped}  # fmt: skip
        folders.write_run_info(self.folder, run)
        return SweepSummary(self.folder, **counts, computed=computed, seconds=seconds, stopped=self.stopped,
                            first_error=self.store.first_error(), files=tuple(files))  # fmt: skip


def _one_of_each_kind(settings: Iterable[Setting]) -> list[Setting]:
    """The first of those that are computed by the same code."""
    kinds: dict[tuple[str, str], Setting] = {}
    for setting in settings:
        kinds.setdefault((setting["fidelity"], setting["noc"]), setting)
    return list(kinds.values())


def _by_label(tasks: Sequence[Task]) -> list[Task]:
    """Tasks that share a mapping one after another, in the order in which the first of each comes."""
    groups: OrderedDict[str, list[Task]] = OrderedDict()
    for task in tasks:
        groups.setdefault(task.label, []).append(task)
    return [task for group in groups.values() for task in group]


@contextlib.contextmanager
def _shared_cache() -> Iterator[None]:
    """Workers share compiled code: also where the user's folder for it cannot be written."""
    from pimsim.engine.cache import cache_root

    try:
        cache_root().mkdir(parents=True, exist_ok=True)
        writable = os.access(cache_root(), os.W_OK | os.X_OK)
    except OSError:
        writable = False
    if writable:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="pimsim-cache-") as place:
        os.environ["PIMSIM_CACHE_DIR"] = place
        try:
            yield
        finally:
            del os.environ["PIMSIM_CACHE_DIR"]
