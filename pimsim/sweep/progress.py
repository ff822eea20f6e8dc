"""Progress of a sweep on stderr: a bar where that is a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from typing import Any

from pimsim.sweep.run import Progress

LINE_S = 30.0  #: between two lines where there is no terminal


class SweepProgress:
    """Call it with every :class:`Progress`; close it at the end."""

    def __init__(self, wanted: bool = True) -> None:
        self._wanted = wanted
        self._bar: Any = None
        self._task: Any = None
        self._last_line = time.perf_counter()

    def __call__(self, now: Progress) -> None:
        """Show how far the sweep is."""
        if not self._wanted:
            return
        if sys.stderr.isatty():
            self._draw(now)
        elif time.perf_counter() - self._last_line >= LINE_S:
            self._last_line = time.perf_counter()
            print(f"pimsim: {words(now)}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing is shown any more."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _draw(self, now: Progress) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(BarColumn(), TextColumn("{task.description}"), console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("preparing", total=now.waiting)
            self._bar.start()
        self._bar.update(self._task, description=words(now), completed=now.done + now.failed)


def words(now: Progress) -> str:
    """How far, how fast, how long yet, what failed."""
    ended = now.done + now.failed
    told = f"{ended:,} of {now.waiting:,} points"
    if ended:
        left_s = (now.waiting - ended) / now.rate_per_s
        told += f", {_rate(now.rate_per_s)}, {_duration(left_s)} left"
    else:
        told += ", preparing"
    if now.failed:
        told += f", {now.failed:,} failed"
    return told + (f", {now.stored_before:,} stored before" if now.stored_before else "")


def _rate(per_s: float) -> str:
    return f"{per_s:.1f} a second" if per_s >= 1 else f"{60 * per_s:.1f} a minute"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
