"""Trace records: one row for each service, streamed out by leaving the loop when the buffer fills."""

from __future__ import annotations

from pimsim.engine.registry import behaviour

READ, COMPUTE, OUTPUT, ACTIVATE, WRITE, HOP, KERNEL = range(7)  #: kinds of records
KIND_NAMES = ("input read", "crossbars", "output transfer", "activation", "eDRAM write", "packet on link", "GPU kernel")
FIELDS = 6  #: kind, place, what, image, start [ps], end [ps]
SPARE = 4096  #: records that one handler may still add after it has asked to leave


@behaviour
def record(M, at, kind, place, what, image, start, end):  # type: ignore[no-untyped-def]
    """Note that ``place`` (tile or link) worked for ``what`` (replica or tree) from ``start`` to ``end``."""
    if at.trace == 0:
        return
    n = M[at.trace_count]
    if n >= at.trace:
        return
    row = at.trace_records + FIELDS * n
    M[row] = kind
    M[row + 1] = place
    M[row + 2] = what
    M[row + 3] = image
    M[row + 4] = start
    M[row + 5] = end
    M[at.trace_count] = n + 1
    if n + SPARE >= at.trace:
        M[at.pause] = 1
