"""A transposable array: crossbars that the forward pass reads along their columns, and the backward pass across.

The two directions have drivers and input registers of their own, and share cells and converters, so that one vector at
a time is in the crossbars of a replica.  Who finds them busy waits its turn, first come, first served.

In this file ``a`` is the offset of an array's record.
"""

from __future__ import annotations

from pimsim.arch.layout import REPLICA
from pimsim.arch.slots import slot_after
from pimsim.engine.events import schedule
from pimsim.engine.registry import behaviour

FREE, FIRST, LAST = range(3)  #: fields of an array's record: when it falls free [ps]; its queue of replicas, -1: empty
FIELDS = 8


@behaviour
def must_queue(M, at, H, now, v, a):  # type: ignore[no-untyped-def]
    """Whether the replica's window has to wait; it is issued again when its turn has come."""
    first = M[a + FIRST]
    if first == v:
        M[a + FIRST] = M[at.rep_next_waiting + REPLICA * v]
        return False
    if first < 0:
        if M[a + FREE] <= now:
            return False
        M[a + FIRST] = v
        schedule(M, at, H, slot_after(at.slot_ps, M[a + FREE]), at.begin_issue + v)
    else:
        M[at.rep_next_waiting + REPLICA * M[a + LAST]] = v
    M[a + LAST] = v
    M[at.rep_next_waiting + REPLICA * v] = -1
    M[at.rep_queued_ps + REPLICA * v] = now
    return True


@behaviour
def hold_array(M, at, H, a, until):  # type: ignore[no-untyped-def]
    """A vector is in the crossbars until then; the next in the queue follows it."""
    M[a + FREE] = until
    first = M[a + FIRST]
    if first >= 0:
        schedule(M, at, H, slot_after(at.slot_ps, until), at.begin_issue + first)
