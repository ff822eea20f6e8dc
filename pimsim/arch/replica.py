"""A replica of a layer: issues its windows one after another, and holds places in memory for its inputs.

A window issues when its inputs have arrived, the input registers take the next vector, and every replica
that needs its output has a place for it (all or none).  Places are freed when the window has read.  A place
belongs to one position (see :mod:`pimsim.mapping.windows`), so replicas never compete for places.

In this file ``r`` is the offset of the record of replica ``v``, and ``p`` that of buffer ``b``.
"""

from __future__ import annotations

from pimsim.arch import tracing
from pimsim.arch.array import hold_array, must_queue
from pimsim.arch.gpu_core import run_kernel
from pimsim.arch.layout import BUFFER, REPLICA, SLICE
from pimsim.arch.noc.packet import emission_of, launch
from pimsim.arch.slots import slot_after, stage_end, stage_length
from pimsim.engine.events import schedule
from pimsim.engine.ports import FIELDS, available, occupy, serve
from pimsim.engine.registry import behaviour, event

IDLE, PENDING, DONE = range(3)  #: rep_state


@event("free")
def free_places(M, T, at, H, now, v):  # type: ignore[no-untyped-def]
    """The replica's oldest window has read: its places are free, and whoever waits for them tries again."""
    r = REPLICA * v
    i = M[at.rep_freed + r]
    run = M[at.rep_freed_run + r]
    for b in range(M[at.rep_buffer_first + r], M[at.rep_buffer_end + r]):
        p = BUFFER * b
        base = first_rank(M, at, p, run)
        shared = M[at.buf_shared + p]
        if shared == 1 or (run + 1) % shared == 0:  # what several runs read is free after the last of them
            base += M[M[at.buf_done + p] + i]
        M[at.buf_base + p] = base
        waiting = M[at.buf_waiting + p]
        M[at.buf_waiting + p] = -1
        while waiting >= 0:
            schedule(M, at, H, slot_after(M[at.rep_slot_ps + REPLICA * waiting], now), at.begin_issue + waiting)
            waiting = M[at.rep_next_waiting + REPLICA * waiting]
    i += 1
    if i == M[at.rep_window_end + r] - M[at.rep_window_first + r]:
        i = 0
        M[at.rep_freed_run + r] = run + 1
    M[at.rep_freed + r] = i


@behaviour
def first_rank(M, at, p, run):  # type: ignore[no-untyped-def]
    """Rank of the first position of what a run of the buffer's replica reads."""
    shared = M[at.buf_shared + p]
    before = run if shared == 1 else run // shared
    return before * M[at.buf_taken + p]


@behaviour
def ask(M, T, at, H, now, v):  # type: ignore[no-untyped-def]
    """If the idle replica has all inputs of its next window, schedule its issue."""
    r = REPLICA * v
    i = M[at.rep_next + r]
    run = M[at.rep_run + r]
    for b in range(M[at.rep_buffer_first + r], M[at.rep_buffer_end + r]):
        p = BUFFER * b
        if M[at.buf_frontier + p] < first_rank(M, at, p, run) + M[M[at.buf_ready + p] + i]:
            return
    time = slot_after(M[at.rep_slot_ps + r], max(now, M[at.rep_ready_ps + r]))
    M[at.rep_state + r] = PENDING
    M[at.rep_asked_ps + r] = time
    schedule(M, at, H, time, at.begin_issue + v)


@behaviour
def lacks_places(M, T, at, v, window, emission):  # type: ignore[no-untyped-def]
    """Whether some buffer has no place for the window's output; the replica then waits at the first such."""
    for e in range(T[at.win_entry_first + window], T[at.win_entry_first + window + 1]):
        p = BUFFER * T[at.entry_buffer + e]
        rank = (emission + M[at.buf_initial + p]) * M[at.buf_positions + p] + T[at.entry_rank + e]
        if rank >= M[at.buf_base + p] + M[at.buf_capacity + p]:
            M[at.rep_next_waiting + REPLICA * v] = M[at.buf_waiting + p]
            M[at.buf_waiting + p] = v
            return True
    return False


@event("issue")
def issue(M, T, at, H, now, v):  # type: ignore[no-untyped-def]
    """The next window: reserve places for its output, read its inputs, start its crossbars."""
    r = REPLICA * v
    run = M[at.rep_run + r]
    window = M[at.rep_window_first + r] + M[at.rep_next + r]
    emission = emission_of(M, at, r, run)
    last = M[at.rep_window_end + r] - 1 if M[at.rep_writes + r] else window
    if emission >= 0 and lacks_places(M, T, at, v, last, emission):
        return
    shared = M[at.rep_array + r]
    if shared >= 0 and must_queue(M, at, H, now, v, shared):
        return
    taken = M[at.rep_interval_ps + r]
    if M[at.rep_tile + r] < 0:
        start = serve(M, at.host, now, taken)
        launch(M, T, at, H, start + taken + M[at.rep_compute_ps + r], v)
    elif M[at.rep_core + r] >= 0:
        start = run_kernel(M, at, H, now, v)
        if M[at.rep_next + r] == 0:
            taken += M[at.rep_launch_ps + r]
    else:
        start = read_inputs(M, T, at, H, now, v)
        if shared >= 0:
            hold_array(M, at, H, shared, start + taken)
    note_losses(M, T, at, now, start, r)
    layer = run * at.n_layers + M[at.rep_layer + r]
    if start < M[at.layer_first_ps + layer]:
        M[at.layer_first_ps + layer] = start
    if at.log:
        M[at.log_start_ps + run * at.n_windows + window] = start
    M[at.rep_ready_ps + r] = start + taken
    M[at.rep_transit_ps + r] = 0
    M[at.rep_state + r] = IDLE
    M[at.rep_next + r] += 1
    if window + 1 == M[at.rep_window_end + r]:
        M[at.rep_next + r] = 0
        M[at.rep_run + r] = run + 1
        if run + 1 == M[at.rep_runs + r]:
            M[at.rep_state + r] = DONE
            return
    ask(M, T, at, H, now, v)


@behaviour
def is_last_with_weights(M, at, r, run):  # type: ignore[no-untyped-def]
    """Whether this window is the last before the crossbars are written: they are free when it has left them."""
    every = M[at.rep_written_every + r]
    if every == 0 or (run + 1) % every:
        return False
    return M[at.rep_window_first + r] + M[at.rep_next + r] + 1 == M[at.rep_window_end + r]


@behaviour
def read_inputs(M, T, at, H, now, v):  # type: ignore[no-untyped-def]
    """Stage 1 in every slice: eDRAM and bus together; when the last of them begins [ps].

    A transfer may share a slot with others, or slip: what counts as its beginning, for this window and for
    the interval to the next, is the beginning of the stage that ends where it ends.
    """
    r = REPLICA * v
    compute = M[at.rep_compute_ps + r]
    run = M[at.rep_run + r]
    latest = now
    taken = now
    for_bus = False
    for s in range(M[at.rep_slice_first + r], M[at.rep_slice_end + r]):
        q = SLICE * s
        tile = M[at.sl_tile + q]
        edram = at.edram + FIELDS * tile
        bus = at.bus + FIELDS * tile
        hold_edram = M[at.sl_edram_ps + q]
        hold_bus = M[at.sl_bus_ps + q]
        hold = max(hold_edram, hold_bus)
        start = now
        if hold_edram > 0:
            start = max(start, available(M, edram))
        if hold_bus > 0:
            start = max(start, available(M, bus))
        hold_dram = M[at.sl_dram_ps + q]
        if hold_dram > 0:
            dram = at.dram + FIELDS * M[at.sl_chip + q]
            start = max(start, available(M, dram))
            hold = max(hold, hold_dram + at.dram_latency_ps)
            occupy(M, dram, now, start, hold_dram)
        bus_is_late = hold_bus > 0 and available(M, bus) == start
        if hold_edram > 0:
            occupy(M, edram, now, start, hold_edram)
        if hold_bus > 0:
            occupy(M, bus, now, start, hold_bus)
        end = stage_end(at.slot_ps, start, hold, at.input_latency_ps)
        tracing.record(M, at, tracing.READ, tile, v, run, start, start + hold)
        if compute >= 0:
            schedule(M, at, H, end + compute, at.begin_output + s)
            tracing.record(M, at, tracing.COMPUTE, tile, v, run, end, end + compute)
        else:
            schedule(M, at, H, end, at.begin_activate + v)
        begin = end - stage_length(at.slot_ps, hold, at.input_latency_ps)
        if begin > latest:
            latest = begin
            for_bus = bus_is_late
        taken = max(taken, end)
    if is_last_with_weights(M, at, r, run):
        taken += compute
    schedule(M, at, H, taken, at.begin_free + v)
    if M[at.rep_last_start + r] >= 0:
        M[(at.lost_bus if for_bus else at.lost_edram) + r] += latest - now
    return latest


@behaviour
def note_losses(M, T, at, now, start, r):  # type: ignore[no-untyped-def]
    """Split the time since the last window's interval ended by what this window had to wait for."""
    if M[at.rep_last_start + r] < 0:
        M[at.lost_fill + r] = start
    else:
        asked = M[at.rep_asked_ps + r]
        late = asked - M[at.rep_ready_ps + r]
        transit = min(late, M[at.rep_transit_ps + r])
        M[at.lost_network + r] += transit
        M[at.lost_input + r] += late - transit
        queued = now if M[at.rep_queued_ps + r] < 0 else M[at.rep_queued_ps + r]
        M[at.lost_space + r] += queued - asked
        M[at.lost_array + r] += now - queued
    M[at.rep_queued_ps + r] = -1
    M[at.rep_last_start + r] = start
