"""The folder of a study: made, locked for one driver, and filled with all that a colleague needs."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import platform
import socket
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pimsim.errors import InputError
from pimsim.results.staging import staged_file, write_error
from pimsim.sweep.code import code_version
from pimsim.sweep.copies import keep_files
from pimsim.sweep.reading import sweep_text
from pimsim.sweep.spec import Sweep
from pimsim.sweep.store import STORE

SWEEP, RUN_INFO, LOCK, RESULTS = "sweep.yaml", "run_info.json", ".driver.lock", "results"
_PACKAGES = ("numpy", "scipy", "numba", "pydantic", "distributed")


def holds_study(folder: Path) -> bool:
    """Whether there is a study in it."""
    return (folder / STORE).exists()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The folder, made if it is not there, is this driver's alone in the block; a driver that dies lets go of it.

    Raises:
        InputError: it cannot be made or written, or another driver has it.
    """
    file = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(file, "a+", encoding="utf-8")
    except OSError as error:
        raise write_error(error, folder) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            raise InputError(f"another sweep is writing this study: {holder}", file=folder,
                             allowed="one driver at a time; wait for it, or give another --out") from None  # fmt: skip
        try:
            lock.truncate(0)
            lock.write(f"process {os.getpid()} on {socket.gethostname()}")
            lock.flush()
        except OSError as error:
            raise write_error(error, folder) from None
        yield  # (the file stays: who removes it lets a third driver in beside one that has just opened it)


def write_text(file: Path, text: str) -> None:
    """A whole text or none.

    Raises:
        InputError: it cannot be written.
    """
    try:
        file.parent.mkdir(exist_ok=True)
        with staged_file(file) as stage:
            stage.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise write_error(error, file) from None


def write_configurations(folder: Path, sweep: Sweep) -> None:
    """The sweep as resolved, and the files that it names, to which it refers by their places in the study."""
    write_text(folder / SWEEP, sweep_text(replace(sweep, files=keep_files(folder, sweep))))


def write_run_info(folder: Path, run: Mapping[str, Any]) -> None:
    """Versions, and what each driver did; this one's facts are added to those of the drivers before."""
    file = folder / RUN_INFO
    runs: list[Any] = []
    with contextlib.suppress(OSError, ValueError, AttributeError):
        runs = json.loads(file.read_text(encoding="utf-8")).get("runs", [])
    info = {"code_version": code_version(), "versions": _versions(), "runs": [*runs, dict(run)]}
    write_text(file, json.dumps(info, indent=1) + "\n")


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def utc_now() -> str:
    """Date and time in ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
