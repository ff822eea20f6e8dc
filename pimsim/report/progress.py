"""A progress bar on stderr for whatever takes longer than a second."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from threading import Lock, Timer
from types import TracebackType
from typing import Any

AFTER_S = 1.0  #: nothing is shown before


class ProgressBar:
    """Call it with (done, total); it shows itself if stderr is a terminal and the block lasts long enough."""

    def __init__(self, wanted: bool = True, words: str = "simulating windows") -> None:
        self._wanted = wanted and sys.stderr.isatty()
        self._words = words  # what is being counted
        self._lock = Lock()
        self._bar: Any = None
        self._task: Any = None
        self._state = (words, 0, 0)
        self._timer: Timer | None = None

    def __enter__(self) -> ProgressBar:
        if self._wanted:
            self._timer = Timer(AFTER_S, self._show)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __call__(self, done: int, total: int) -> None:
        self._count(self._words, done, total)

    def counting(self, words: str) -> Callable[[int, int], None]:
        """The same bar for something else that is counted."""
        return partial(self._count, words)

    def _count(self, words: str, done: int, total: int) -> None:
        with self._lock:
            self._state = (words, done, total)
            if self._bar is not None:
                self._draw()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._wanted = False
            if self._bar is not None:
                self._bar.stop()

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        with self._lock:
            if not self._wanted:
                return
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
                       TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())  # fmt: skip
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("preparing", total=None)
            self._bar.start()
            self._draw()

    def _draw(self) -> None:
        words, done, total = self._state
        if total:
            self._bar.update(self._task, description=words, completed=done, total=total)
