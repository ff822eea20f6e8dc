"""The store of a study: one SQLite file, one row a point, written by the driver alone.

``points`` holds what was computed, by key; ``plan`` says which points the sweep has now, and in what order; the view
``study`` joins them, with a column for each axis.  Every commit is whole: whatever is killed, what was stored stays.
"""

from __future__ import annotations

import datetime
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pimsim.errors import InputError
from pimsim.sweep.columns import ALL_COLUMNS, COUNT_COLUMNS, TEXT_COLUMNS
from pimsim.sweep.executors import Outcome
from pimsim.sweep.points import Point
from pimsim.sweep.spec import Sweep

STORE = "study.sqlite"
VERSION = 1  #: of the tables below, in ``PRAGMA user_version``
_APPLICATION = 0x70696D73  #: "pims", in ``PRAGMA application_id``

_TYPES = {**dict.fromkeys(ALL_COLUMNS, "REAL"), **dict.fromkeys(TEXT_COLUMNS, "TEXT"),
          **dict.fromkeys(COUNT_COLUMNS, "INTEGER")}  # fmt: skip
_RESULTS = ", ".join(f"{name} {kind}" for name, kind in _TYPES.items())
_SCHEMA = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE plan (
    ordinal INTEGER PRIMARY KEY, key TEXT NOT NULL, mapping TEXT NOT NULL, workload TEXT NOT NULL,
    system TEXT NOT NULL, batch INTEGER NOT NULL, noc TEXT NOT NULL, fidelity TEXT NOT NULL,
    parameters TEXT NOT NULL, setting TEXT NOT NULL
);
CREATE TABLE points (
    key TEXT PRIMARY KEY, status TEXT NOT NULL CHECK (status IN ('done', 'failed')), error TEXT, {_RESULTS},
    compute_s REAL, finished_utc TEXT NOT NULL, worker TEXT NOT NULL, code_version TEXT NOT NULL
);
"""


def _quoted(name: str) -> str:
    """A column in SQL, also where it is called as a word of SQL is."""
    return f'"{name}"'


class Store:
    """An open store; use :func:`open_store` or :func:`read_store`."""

    def __init__(self, connection: sqlite3.Connection, file: Path, writes: bool) -> None:
        self.connection, self.file, self.writes = connection, file, writes

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What SQLite finds, as one line; what was stored before stays."""
        try:
            yield
        except sqlite3.Error as error:
            raise InputError(f"{error}; what was stored before is safe", file=self.file) from None

    # facts about the study

    def fact(self, name: str) -> str | None:
        """What :meth:`set_fact` has kept, if it has."""
        with self._told():
            row = self.connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_fact(self, name: str, value: str) -> None:
        """Keep a word about the whole study."""
        with self._told(), self.connection:
            self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    # the plan

    def replace_plan(self, points: Iterable[Point], sweep: Sweep, fingerprint: str, code_version: str) -> None:
        """The sweep has these points now; results of points that it has no longer stay in ``points``."""
        with self._told(), self.connection:
            self.connection.execute("DELETE FROM plan")
            for point in points:
                setting = point.setting
                self.connection.execute("INSERT INTO plan VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (
                    point.ordinal, point.key, point.mapping, setting["workload"], setting["system"], setting["batch"],
                    setting["noc"], setting["fidelity"], json.dumps(point.parameters), json.dumps(setting),
                ))  # fmt: skip
                if point.error is not None:
                    self._insert(point.key, None, point.error, "", code_version)
            self._make_view(list(sweep.axes))
            facts = {"fingerprint": fingerprint, "axes": json.dumps(list(sweep.axes)), "code_version": code_version,
                     "seed_axes": json.dumps(list(sweep.seed_axes))}  # fmt: skip
            self.connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(facts.items()))

    def _make_view(self, axes: Sequence[str]) -> None:
        own = ["ordinal", "workload", "system", *(n for n in ("batch", "noc", "fidelity") if n not in axes)]
        shown = [f"plan.{name} AS {name}" for name in own]
        shown += [f"json_extract(plan.parameters, '$.\"{axis}\"') AS {_quoted(axis)}" for axis in axes]
        shown += ["coalesce(points.status, 'waiting') AS status", "points.error AS error"]
        shown += [f"points.{name} AS {name}" for name in (*ALL_COLUMNS, "compute_s", "finished_utc", "code_version")]
        self.connection.execute("DROP VIEW IF EXISTS study")
        self.connection.execute(f"CREATE VIEW study AS SELECT {', '.join(shown)}, plan.key AS key "
                                "FROM plan LEFT JOIN points USING (key) ORDER BY ordinal")  # fmt: skip

    def waiting(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Key, mapping and setting of every point of the plan that has no row, each key once, in order."""
        query = """SELECT key, mapping, setting FROM plan WHERE key NOT IN (SELECT key FROM points)
                   GROUP BY key HAVING ordinal = min(ordinal) ORDER BY min(ordinal)"""
        with self._told():
            return [(key, mapping, json.loads(text)) for key, mapping, text in self.connection.execute(query)]

    def forget_failures(self) -> int:
        """Points of the plan that have failed have no row any more; how many there were."""
        with self._told(), self.connection:
            query = "DELETE FROM points WHERE status = 'failed' AND key IN (SELECT key FROM plan)"
            return self.connection.execute(query).rowcount

    def forget(self, keys: Iterable[str]) -> None:
        """These points have no row any more."""
        with self._told(), self.connection:
            self.connection.executemany("DELETE FROM points WHERE key = ?", [(key,) for key in keys])

    # results

    def add(self, outcomes: Sequence[tuple[str, Outcome]], code_version: str) -> None:
        """Store what became of points, by key: all of it or nothing.

        Raises:
            InputError: the disk is full or cannot be written; or a point has a row already.
        """
        with self._told(), self.connection:
            for key, outcome in outcomes:
                self._insert(key, outcome.value, outcome.error, outcome.worker, code_version)

    def _insert(self, key: str, value: Mapping[str, Any] | None, error: str | None, worker: str, code: str) -> None:
        columns = {name: item for name, item in (value or {}).items() if name in _TYPES or name == "compute_s"}
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        row = {"key": key, "status": "done" if error is None else "failed", "error": error, **columns,
               "finished_utc": now, "worker": worker, "code_version": code}  # fmt: skip
        marks = ", ".join("?" * len(row))
        verb = "INSERT OR IGNORE" if not worker else "INSERT"  # what failed without a worker fails again and again
        self.connection.execute(f"{verb} INTO points ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))

    # reading

    def counts(self) -> dict[str, int]:
        """Points of the plan: all, different, done, failed (the latter three each key once)."""
        query = """SELECT count(*), sum(status = 'done'), sum(status = 'failed')
                   FROM (SELECT DISTINCT key FROM plan) LEFT JOIN points USING (key)"""
        with self._told():
            different, done, failed = self.connection.execute(query).fetchone()
            all_points = self.connection.execute("SELECT count(*) FROM plan").fetchone()[0]
        return {"points": all_points, "different": different, "done": done or 0, "failed": failed or 0}

    def first_error(self) -> str | None:
        """The error of the first point that has failed."""
        query = "SELECT error FROM study WHERE status = 'failed' LIMIT 1"
        with self._told():
            row = self.connection.execute(query).fetchone()
        return None if row is None else str(row[0])

    def done_keys(self) -> list[str]:
        """Keys of the plan's points that are done, each once."""
        query = "SELECT DISTINCT key FROM plan JOIN points USING (key) WHERE status = 'done'"
        with self._told():
            return [key for (key,) in self.connection.execute(query)]

    @property
    def axes(self) -> list[str]:
        """Names of the sweep's axes."""
        return list(json.loads(self.fact("axes") or "[]"))

    @property
    def seed_axes(self) -> list[str]:
        """Names of the axes that set the seed of the execution on data alone."""
        return list(json.loads(self.fact("seed_axes") or "[]"))

    def rows(self, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        """The given columns of the view ``study``, a row for each point of the plan."""
        with self._told():
            known = [row[1] for row in self.connection.execute("PRAGMA table_info(study)")]
            unknown = [name for name in columns if name not in known]
            if unknown:
                raise InputError(f"has no column {unknown[0]!r}", file=self.file, allowed=known)
            return self.connection.execute(f"SELECT {', '.join(map(_quoted, columns))} FROM study").fetchall()

    def close(self) -> None:
        """A driver leaves one file, which can be read also from a folder that cannot be written."""
        if self.writes:
            with suppress(sqlite3.Error):
                self.connection.execute("PRAGMA journal_mode = DELETE")
        self.connection.close()


def open_store(folder: Path) -> Store:
    """The store in a study's folder, made if it is not there; the caller holds the study's lock.

    Raises:
        InputError: it is of another version or none of pimsim's, or cannot be written.
    """
    file = folder / STORE
    try:
        connection = sqlite3.connect(file, timeout=10)
        _check_version(connection, file)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # no wait for the disk at each commit, and none is torn
        if not connection.execute("PRAGMA user_version").fetchone()[0]:
            connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA application_id = {_APPLICATION}; "
                                     f"PRAGMA user_version = {VERSION}; COMMIT;")  # fmt: skip
    except sqlite3.Error as error:
        raise InputError(f"cannot be opened as a study's store: {error}", file=file) from None
    return Store(connection, file, writes=True)


def read_store(folder: Path) -> Store:
    """The store in a study's folder, for reading, also while a driver writes it.

    Raises:
        InputError: there is none, or it is of another version.
    """
    file = folder / STORE
    if not file.is_file():
        raise InputError("is no study: it holds no store", file=folder, allowed=f"a folder with {STORE} in it")
    try:
        connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=10)
        _check_version(connection, file)
        if not connection.execute("PRAGMA user_version").fetchone()[0]:
            raise InputError("is empty: no sweep has written anything into it", file=file,
                             allowed="pimsim sweep with --resume, which fills it")  # fmt: skip
    except sqlite3.Error as error:
        raise InputError(f"cannot be read as a study's store: {error}", file=file) from None
    return Store(connection, file, writes=False)


def _check_version(connection: sqlite3.Connection, file: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if empty and not version:
        return
    if application != _APPLICATION:
        raise InputError("is a database, but not a study of pimsim", file=file)
    if version != VERSION:
        raise InputError(f"is a store of version {version}, which this pimsim does not read", file=file,
                         allowed=f"version {VERSION}")  # fmt: skip
