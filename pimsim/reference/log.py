"""What is noted while a program runs; nothing here decides anything."""

from __future__ import annotations

import numpy as np

from pimsim.mapping.program import Program
from pimsim.mapping.timing import LOSSES


class Log:
    """When windows started and left, when images were done, and what was waited for [ps]."""

    def __init__(self, program: Program, images: int) -> None:
        replicas = program.replicas.layer.size
        shape = images, program.windows.position.size
        self.window_start = np.full(shape, -1, dtype=np.int64)  #: row r: run r; -1: not that many runs
        self.window_sent = np.full(shape, -1, dtype=np.int64)
        self.image_done = np.zeros(images // program.batch, dtype=np.int64)
        self.last_start = np.full(replicas, -1, dtype=np.int64)
        self.lost = {reason: np.zeros(replicas, dtype=np.int64) for reason in LOSSES}
        self.windows_sent = 0

    def wait(self, replica: int, due: int, asked: int, found: int, transit: int) -> None:
        """A window could have been asked for at ``due``, was at ``asked``, and had its places at ``found``.

        ``transit``: how long the input was under way that it waited for; so much of the wait is the network's.
        """
        if self.last_start[replica] < 0:  # all before the first start is the filling of the pipeline
            return
        late = asked - due
        self.lost["network"][replica] += min(late, transit)
        self.lost["input"][replica] += late - min(late, transit)
        self.lost["space"][replica] += found - asked

    def array(self, replica: int, found: int, issued: int) -> None:
        """A window that had its places at ``found`` had its crossbars, which others read as well, at ``issued``."""
        if self.last_start[replica] >= 0:
            self.lost["array"][replica] += issued - found

    def start(self, run: int, window: int, replica: int, issued: int, now: int, port: str) -> None:
        """A window starts at ``now``; ``port``, edram, bus or core, is what it waited for since it was issued."""
        if self.last_start[replica] < 0:
            self.lost["fill"][replica] = now
        else:
            self.lost[port][replica] += now - issued
        self.window_start[run, window] = self.last_start[replica] = now

    def sent(self, run: int, window: int, at: int) -> None:
        """A window's output leaves at time ``at``, or would leave if the run emitted it."""
        self.window_sent[run, window] = at
        self.windows_sent += 1
