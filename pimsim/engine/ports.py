"""Ports: first come, first served resources, one 64-byte record each.

A request made at ``now`` is served from ``max(now, free)``.  Requests must be made in order of
time; a port that sees one earlier than the last counts a violation, and a run with a violation
is an error, never a number.
"""

from __future__ import annotations

import numpy as np

from pimsim.engine.compiling import inlined

FREE, FREE2, SERVERS, BUSY, WAIT, OPS, LAST, VIOLATIONS = range(8)  #: fields of a port's record
FIELDS = 8


@inlined
def available(M: np.ndarray, port: int) -> int:
    """Time from which one server of the port is free [ps]."""
    free = M[port + FREE]
    if M[port + SERVERS] == 2 and M[port + FREE2] < free:
        free = M[port + FREE2]
    return free


@inlined
def occupy(M: np.ndarray, port: int, now: int, start: int, duration: int) -> None:
    """Hold one server from ``start`` for ``duration``, requested at ``now`` [ps]."""
    free = available(M, port)
    if free > now:
        M[port + WAIT] += free - now
    if M[port + SERVERS] == 2 and M[port + FREE2] <= M[port + FREE]:
        M[port + FREE2] = start + duration
    else:
        M[port + FREE] = start + duration
    M[port + BUSY] += duration
    M[port + OPS] += 1
    if now < M[port + LAST]:
        M[port + VIOLATIONS] += 1
    M[port + LAST] = now


@inlined
def serve(M: np.ndarray, port: int, now: int, duration: int) -> int:
    """Request the port at ``now`` for ``duration``; the time at which service starts [ps]."""
    start = max(now, available(M, port))
    occupy(M, port, now, start, duration)
    return start
