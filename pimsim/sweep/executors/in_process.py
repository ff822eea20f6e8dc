"""All tasks one after another in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from pimsim.sweep.executors import Function, Outcome, Task, Warm, attempt


class InProcess:
    """For debugging, and for points that take no time."""

    def run(self, function: Function, tasks: Sequence[Task], warm: Warm | None) -> Iterator[Outcome | None]:
        """As the contract of executors; a task that has begun is not interrupted."""
        for task in tasks:
            yield Outcome(task.number, *attempt(function, task.payload), worker=f"pid {os.getpid()}")

    def check(self) -> None:
        """Nothing is needed."""

    def describe(self) -> str:
        """In words, for the study's record."""
        return "in this process"
