"""A tile: bus, shift-and-add, activation, and eDRAM writes.

The stages of a window after its crossbars: output registers over the bus to the tile (20), the tile's
shift-and-add and activation (21), eDRAM write where the output is needed (22).

Letters ``q``, ``r``, ``f`` and ``p`` are offsets of the records of a slice, replica, leaf and buffer.
"""

from __future__ import annotations

from pimsim.arch import tracing
from pimsim.arch.layout import BUFFER, LEAF, REPLICA, SLICE
from pimsim.arch.noc.packet import launch, send, sent_at
from pimsim.arch.replica import IDLE, ask
from pimsim.arch.slots import slot_after, stage_end
from pimsim.engine.events import schedule
from pimsim.engine.ports import FIELDS, available, occupy, serve
from pimsim.engine.registry import behaviour, event

UNITS = 4  #: digital units of a tile, in the order of mapping.program.UNITS
SHIFT_ADD = 2  #: index of the shift-and-add among them


@event("output")
def transfer_outputs(M, T, at, H, now, s):  # type: ignore[no-untyped-def]
    """A slice's output registers are full: over the bus to the tile."""
    q = SLICE * s
    tile = M[at.sl_tile + q]
    hold = M[at.sl_output_ps + q]
    start = serve(M, at.bus + FIELDS * tile, now, hold) if hold > 0 else now
    tracing.record(M, at, tracing.OUTPUT, tile, M[at.sl_replica + q], -1, start, start + hold)
    schedule(M, at, H, stage_end(at.slot_ps, start, hold, at.output_latency_ps), at.begin_merge + s)


@event("merge")
def merge_imas(M, T, at, H, now, s):  # type: ignore[no-untyped-def]
    """Outputs of a slice are in the tile: at home they are counted; elsewhere they are added up and sent home."""
    q = SLICE * s
    if M[at.sl_tree + q] < 0:
        gather(M, T, at, H, now, s)
        return
    hold = M[at.sl_add_ps + q]
    unit = at.unit + FIELDS * (UNITS * M[at.sl_tile + q] + SHIFT_ADD)
    start = serve(M, unit, now, hold) if hold > 0 else now
    send(M, T, at, H, slot_after(at.slot_ps, start + hold), M[at.sl_tree + q])


@behaviour
def gather(M, T, at, H, now, s):  # type: ignore[no-untyped-def]
    """One more slice has delivered a window to the home tile; when all have, the window is activated."""
    v = M[at.sl_replica + SLICE * s]
    r = REPLICA * v
    delivered = M[at.sl_delivered + SLICE * s]
    M[at.sl_delivered + SLICE * s] = delivered + 1
    if delivered != M[at.rep_merged + r]:
        return
    first = M[at.rep_slice_first + r]
    last = M[at.rep_slice_end + r]
    M[at.rep_level + r] += 1
    while M[at.rep_level + r] == last - first:
        M[at.rep_merged + r] += 1
        schedule(M, at, H, slot_after(at.slot_ps, now), at.begin_activate + v)
        ahead = 0
        for other in range(first, last):
            if M[at.sl_delivered + SLICE * other] > M[at.rep_merged + r]:
                ahead += 1
        M[at.rep_level + r] = ahead


@event("activate")
def activate(M, T, at, H, now, v):  # type: ignore[no-untyped-def]
    """Stage 21: all digital units that the window needs, side by side; then its output leaves."""
    r = REPLICA * v
    if M[at.rep_core + r] >= 0:  # a GPU core has done all of it
        launch(M, T, at, H, now, v)
        return
    tile = M[at.rep_tile + r]
    start = now
    longest = 0
    for u in range(UNITS):
        hold = M[at.rep_unit_ps + r + u]
        if hold > 0:
            start = max(start, available(M, at.unit + FIELDS * (UNITS * tile + u)))
            longest = max(longest, hold)
    for u in range(UNITS):
        hold = M[at.rep_unit_ps + r + u]
        if hold > 0:
            occupy(M, at.unit + FIELDS * (UNITS * tile + u), now, start, hold)
    tracing.record(M, at, tracing.ACTIVATE, tile, v, M[at.rep_active_run + r], start, start + longest)
    launch(M, T, at, H, stage_end(at.slot_ps, start, longest, at.activation_latency_ps), v)


@event("deliver")
def write_edram(M, T, at, H, now, leaf):  # type: ignore[no-untyped-def]
    """A packet has arrived whole: partial sums are merged, data is written to eDRAM (22) or DRAM."""
    f = LEAF * leaf
    s = T[at.leaf_slice + f]
    if s >= 0:
        gather(M, T, at, H, now, s)
        return
    hold = T[at.leaf_write_ps + f]
    port = at.edram + FIELDS * T[at.leaf_tile + f]
    occupied = hold
    if T[at.leaf_spilled + f] > 0:
        port = at.dram + FIELDS * (T[at.leaf_spilled + f] - 1)
        occupied = hold + at.dram_latency_ps
    start = serve(M, port, now, hold) if hold > 0 else now
    tracing.record(M, at, tracing.WRITE, T[at.leaf_tile + f], T[at.leaf_tree + f], -1, start, start + hold)
    end = stage_end(T[at.leaf_slot_ps + f], start, occupied, T[at.leaf_latency_ps + f])
    schedule(M, at, H, end, at.begin_arrived + leaf)


@event("arrived")
def arrive(M, T, at, H, now, leaf):  # type: ignore[no-untyped-def]
    """A position can be read in this tile: tell the replicas that have waited for it."""
    f = LEAF * leaf
    message = T[at.leaf_message + f]
    emission = T[at.leaf_emission + f]
    window = T[at.message + message]
    message += 1
    if message == T[at.leaf_message_end + f]:
        message = T[at.leaf_message_first + f]
        T[at.leaf_emission + f] = emission + 1
    T[at.leaf_message + f] = message
    if T[at.leaf_sink + f]:
        M[at.image_outputs + emission] += 1
        M[at.image_done_ps + emission] = now
    transit = now - M[sent_at(T, at, window, emission)]
    entries = T[at.win_entry_first + window]
    for k in range(T[at.leaf_entry_first + f], T[at.leaf_entry_end + f]):
        receive(M, T, at, H, now, transit, emission, entries + T[at.entry_of_leaf + k])


@behaviour
def receive(M, T, at, H, now, transit, emission, entry):  # type: ignore[no-untyped-def]
    """One copy of a position is in place; when all are, and all before it, the replica may go on."""
    p = BUFFER * T[at.entry_buffer + entry]
    rank = (emission + M[at.buf_initial + p]) * M[at.buf_positions + p] + T[at.entry_rank + entry]
    capacity = M[at.buf_capacity + p]
    copies = M[at.buf_copies + p]
    ring = M[at.buf_ring + p]
    cell = ring + rank % capacity
    M[cell] += 1
    frontier = M[at.buf_frontier + p]
    if rank != frontier or M[cell] < copies:
        return
    while M[cell] == copies:
        M[cell] = 0
        frontier += 1
        cell += 1
        if cell == ring + capacity:
            cell = ring
    M[at.buf_frontier + p] = frontier
    v = M[at.buf_replica + p]
    if M[at.rep_state + REPLICA * v] == IDLE:
        M[at.rep_transit_ps + REPLICA * v] = transit
        ask(M, T, at, H, now, v)
