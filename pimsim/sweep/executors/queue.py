"""Which task a worker gets next: those that share a label stay with one worker as long as there are others."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Sequence

from pimsim.sweep.executors import Task


class TaskQueue:
    """Tasks that have not begun, by label."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._waiting: OrderedDict[str, deque[Task]] = OrderedDict()
        self._held: dict[Hashable, str] = {}  # label that a worker is at
        for task in tasks:
            self._waiting.setdefault(task.label, deque()).append(task)

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def take(self, worker: Hashable) -> Task:
        """The next task for a worker: of its label, else of one that no other is at, else of any."""
        held = self._held.get(worker)
        label = held if held is not None and held in self._waiting else self._free_label(worker)
        self._held[worker] = label
        task = self._waiting[label].popleft()
        if not self._waiting[label]:
            del self._waiting[label]
        return task

    def _free_label(self, worker: Hashable) -> str:
        others = {each for who, each in self._held.items() if who != worker}
        return next((each for each in self._waiting if each not in others), next(iter(self._waiting)))

    def give_back(self, worker: Hashable, task: Task) -> None:
        """A task whose worker has died is the next of its label."""
        self.leave(worker)
        self._waiting.setdefault(task.label, deque()).appendleft(task)

    def leave(self, worker: Hashable) -> None:
        """A worker is there no more."""
        self._held.pop(worker, None)
