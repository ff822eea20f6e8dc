"""The slotted schedule: what a stage produces is taken over at the next multiple of the slot.

ISAAC (section 6) works in cycles of 100 ns.  Several transfers share a slot as long as they fit; one that
does not end in its slot slips by whole slots.  With ``schedule: dynamic`` the slot is one picosecond.
"""

from __future__ import annotations

from pimsim.engine.registry import behaviour


@behaviour
def slot_after(slot_ps, time):  # type: ignore[no-untyped-def]
    """First slot boundary at or after ``time`` [ps]."""
    if slot_ps == 1:
        return time
    return (time + slot_ps - 1) // slot_ps * slot_ps


@behaviour
def stage_end(slot_ps, start, occupied, latency):  # type: ignore[no-untyped-def]
    """When a stage's result is taken over: it began at ``start`` and held its resource for ``occupied`` [ps].

    The stage takes at least ``latency``, counted from the slot in which it began, in whole slots.
    """
    if slot_ps == 1:
        return start + max(occupied, latency)
    begun = start // slot_ps * slot_ps
    return max(slot_after(slot_ps, start + occupied), begun + slot_after(slot_ps, latency))


@behaviour
def stage_length(slot_ps, occupied, latency):  # type: ignore[no-untyped-def]
    """How long a stage takes that begins on a slot boundary with its resource free [ps]."""
    return slot_after(slot_ps, max(occupied, latency))
