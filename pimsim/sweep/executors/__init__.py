"""Where points are computed: in this process, in processes on this machine, or on a Dask cluster.

An executor computes tasks in any order, each once; what it yields the driver stores.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pimsim.errors import InputError, one_line

TICK_S = 0.2  #: the longest time between two things that an executor yields, where it has a choice
MOST_TRIES = 3  #: times that a task is begun; more workers than that it does not kill

Function = Callable[[Any], Any]
Warm = Callable[[], Any]


@dataclass(frozen=True)
class Task:
    """Something to compute."""

    number: int
    payload: Any
    label: str = ""  #: tasks of the same label are cheaper one after another in the same process


@dataclass(frozen=True)
class Outcome:
    """What became of a task."""

    number: int
    value: Any  #: what the function returned; None: it failed
    error: str | None  #: in one line, why it failed
    worker: str  #: who computed it


class Executor(Protocol):
    """The contract of every executor."""

    def run(self, function: Function, tasks: Sequence[Task], warm: Warm | None) -> Iterator[Outcome | None]:
        """Compute ``function(task.payload)`` for every task.

        Yields an Outcome for each task once, in any order, and None at least every ``TICK_S`` where nothing has ended
        (only within a process of its own).  A worker that dies costs nothing but time: its task is begun again, up to
        ``MOST_TRIES`` times.  Closing the iterator ends all workers.

        Args:
            function: can be pickled; errors that it raises become outcomes.
            warm: is called once, in a worker, before any task is begun.

        Raises:
            InputError: workers cannot be had, or not any more.
        """
        ...

    def check(self) -> None:
        """Called before anything is written; raises InputError where workers cannot be had."""
        ...

    def describe(self) -> str:
        """In words, for the study's record."""
        ...


def attempt(function: Function, payload: Any) -> tuple[Any, str | None]:
    """The value and None, or None and why there is none."""
    try:
        return function(payload), None
    except InputError as error:
        return None, str(error)
    except Exception as error:  # a fault in one point must not stop the others
        name = type(error).__name__
        if name == "Standstill":
            return None, one_line(str(error))
        where = traceback.extract_tb(error.__traceback__)[-1]
        return None, one_line(f"{name}: {error} ({os.path.basename(where.filename)}:{where.lineno})")


def lost(tries: int) -> str:
    """The error of a task whose worker died too often."""
    return f"the process that computed this ended {tries} times: out of memory, or killed"
