"""What is noted while a program runs; nothing here decides anything."""

from __future__ import annotations

import numpy as np

from pimsim.mapping.program import Program
from pimsim.mapping.timing import LOSSES


class Log:
    """When windows started and left, when images were done, and what was waited for [ps]."""

    def __init__(self, program: Program, batch: int) -> None:
        replicas = program.replicas.layer.size
        self.window_start = np.zeros((batch, program.windows.position.size), dtype=np.int64)
        self.window_sent = np.zeros_like(self.window_start)
        self.image_done = np.zeros(batch, dtype=np.int64)
        self.last_start = np.full(replicas, -1, dtype=np.int64)
        self.lost = {reason: np.zeros(replicas, dtype=np.int64) for reason in LOSSES}
        self.windows_sent = 0

    def wait(self, replica: int, due: int, asked: int, issued: int, transit: int) -> None:
        """A window could have been asked for at ``due``, was at ``asked``, and had its places at ``issued``.

        ``transit``: how long the input was under way that it waited for; so much of the wait is the network's.
        """
        if self.last_start[replica] < 0:  # all before the first start is the filling of the pipeline
            return
        late = asked - due
        self.lost["network"][replica] += min(late, transit)
        self.lost["input"][replica] += late - min(late, transit)
        self.lost["space"][replica] += issued - asked

    def start(self, image: int, window: int, replica: int, issued: int, now: int, port: str) -> None:
        """A window starts at ``now``; ``port``, edram or bus, is what it waited for since it was issued."""
        if self.last_start[replica] < 0:
            self.lost["fill"][replica] = now
        else:
            self.lost[port][replica] += now - issued
        self.window_start[image, window] = self.last_start[replica] = now

    def sent(self, image: int, window: int, at: int) -> None:
        """A window's output leaves at time ``at``."""
        self.window_sent[image, window] = at
        self.windows_sent += 1
