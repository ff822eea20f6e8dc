"""Scheduling an event from within a handler."""

from __future__ import annotations

from pimsim.engine.queue import WIDTH_BITS, push_key
from pimsim.engine.registry import behaviour


@behaviour
def schedule(M, at, H, time, static_id):  # type: ignore[no-untyped-def]
    """Put an event into the queue; ``static_id`` decides among events of equal time."""
    ahead = time - M[at.base]
    if ahead < 0 or (ahead >> (62 - at.id_bits)) > 1:
        M[at.overflow] = 1
        ahead = 0
    push_key(H, (ahead << at.id_bits) | static_id, at.id_bits + WIDTH_BITS)
