"""State layout of a run: offsets into the arena, and parameters.  A NamedTuple of ints.

(A tuple of *arrays* would cost thirty times as much: it is taken apart and put together at every call.)
"""

from __future__ import annotations

from typing import NamedTuple

REPLICA, SLICE, BUFFER, EDGE, LEAF = 48, 16, 16, 8, 16
"""Words of one record (edges and leaves: of 32 bits, in T; others: of 64 bits, in M).  The fields of a record lie
side by side: what is used together shares a cache line."""


class Layout(NamedTuple):
    """Offsets in the state M and in the tables T, and plain parameters; V, S, B, F... as in ``mapping.program``.

    ``rep_``, ``sl_``, ``buf_``, ``edge_`` and ``leaf_`` are offsets of a field in the first record of a table:
    field f of record r is ``M[at.rep_f + REPLICA * r]``, and so on.
    """

    # the queue
    id_bits: int  #: parameter: bits of a static id in a key
    margin: int  #: parameter: most events that one handler schedules
    base: int  #: time to which the keys' times are relative [ps]
    pause: int  #: a handler sets it to leave the loop
    overflow: int  #: set when a time does not fit a key
    begin_free: int  #: ranges of static ids, in the order of handling at equal times
    end_free: int
    begin_issue: int
    end_issue: int
    begin_output: int
    end_output: int
    begin_merge: int
    end_merge: int
    begin_activate: int
    end_activate: int
    begin_hop: int
    end_hop: int
    begin_deliver: int
    end_deliver: int
    begin_arrived: int
    end_arrived: int
    flit: int  #: parameter: 1: messages take the flit-level network
    begin_inject: int  #: then, the first static id of what joins its queues; one for each tree
    # parameters of time
    slot_ps: int  #: results are taken over at multiples of this; 1: dynamic schedule
    input_latency_ps: int
    output_latency_ps: int
    activation_latency_ps: int
    write_latency_ps: int
    dram_latency_ps: int
    n_layers: int
    # ports, one record each
    host: int
    edram: int  #: (tiles)
    bus: int  #: (tiles)
    unit: int  #: (tiles, 4)
    core: int  #: (tiles) GPU cores
    dram: int  #: (chips)
    link: int  #: (links)
    arrays: int  #: crossbars that two replicas share, one record each
    # replicas (V)
    rep_layer: int
    rep_tile: int
    rep_slice_first: int
    rep_slice_end: int
    rep_window_first: int
    rep_window_end: int
    rep_buffer_first: int
    rep_buffer_end: int
    rep_unit_ps: int  #: four words: occupancy of each digital unit by a window
    rep_interval_ps: int  #: a window follows the last one at the earliest after this
    rep_work_ps: int  #: of it, what crossbars and digital units alone would need
    rep_paced_by_bus: int  #: 1: the bus, rather than the eDRAM, stretches it
    rep_compute_ps: int  #: inputs in the registers to last output in the output register; -1: no crossbars
    rep_slot_ps: int  #: windows are issued at multiples of this; 1 for the host and for GPU cores
    rep_core: int  #: offset of the port of its GPU core; -1: none
    rep_array: int  #: offset of the array whose crossbars it shares; -1: none
    rep_kernel_ps: int  #: a run holds the core for this long, launch included
    rep_launch_ps: int  #: of it, before the first window
    rep_runs: int  #: of all images
    rep_emits_every: int  #: runs of one emission
    rep_writes: int  #: 1: it writes crossbars, and begins when nobody reads them any more
    rep_written_every: int  #: runs after which its own crossbars are written; 0: never
    rep_next: int  #: next window to issue, within its run
    rep_run: int  #: and its run
    rep_state: int  #: IDLE, PENDING, DONE
    rep_ready_ps: int  #: the input registers take the next vector from here on
    rep_asked_ps: int  #: when the pending window had its inputs and registers
    rep_transit_ps: int  #: time in the network of the packet that came last
    rep_next_waiting: int  #: next replica that waits for the same buffer, or for the same array
    rep_queued_ps: int  #: since when the pending window waits for its array; -1: it does not
    rep_freed: int  #: windows that have read, within the run
    rep_freed_run: int
    rep_merged: int  #: windows whose partial sums are together
    rep_level: int  #: slices that have delivered the window after those
    rep_active: int  #: window in activation, within its run
    rep_active_run: int
    # why time was lost, per replica
    lost_fill: int
    lost_input: int
    lost_network: int
    lost_space: int
    lost_edram: int
    lost_bus: int
    lost_core: int
    lost_array: int
    rep_last_start: int
    # slices (S)
    sl_replica: int
    sl_tile: int
    sl_edram_ps: int
    sl_bus_ps: int
    sl_dram_ps: int
    sl_chip: int
    sl_output_ps: int
    sl_add_ps: int
    sl_tree: int
    sl_delivered: int  #: windows delivered to the home tile
    # in T: windows (W)
    win_sent_ps: int  #: (W + 1) offset, in M, of a ring of times at which the window's last emissions left
    win_tree: int
    win_entry_first: int  #: (W + 1)
    # in T: entries
    entry_buffer: int
    entry_rank: int
    # buffers (B)
    buf_replica: int
    buf_capacity: int
    buf_positions: int
    buf_taken: int  #: positions that one run takes, of one emission or of several
    buf_copies: int
    buf_ready: int  #: offset of the replica's table of ranks that must have arrived
    buf_done: int  #: offset of the table of ranks that are free afterwards
    buf_ring: int  #: offset of the counts of copies that have arrived
    buf_base: int  #: ranks below are free
    buf_frontier: int  #: ranks below have arrived
    buf_shared: int  #: runs that read the same emission
    buf_initial: int  #: emissions that are there at the start
    buf_waiting: int  #: first replica that waits for places, or -1
    # in T: trees and their edges
    tree_first: int  #: (T + 1)
    tree_roots: int  #: (T)
    message: int
    edge_link: int
    edge_child_lo: int
    edge_child_hi: int
    edge_leaf: int
    edge_hold_ps: int  #: the packet occupies the link for this long
    edge_head_ps: int  #: from there until the packet asks for the next links
    edge_tail_ps: int  #: from there until it has arrived whole
    entry_of_leaf: int  #: entries that arrive at each leaf, as indices among the window's entries
    # in T: leaves (F)
    leaf_tree: int
    leaf_tile: int
    leaf_slice: int
    leaf_write_ps: int
    leaf_spilled: int
    leaf_sink: int
    leaf_entry_first: int
    leaf_entry_end: int
    leaf_message_first: int  #: of its tree
    leaf_message_end: int
    leaf_message: int  #: message that arrives next
    leaf_emission: int  #: and its emission
    leaf_slot_ps: int  #: writes are taken over at multiples of this
    leaf_latency_ps: int  #: of a write, at least
    # progress
    windows_sent: int
    image_outputs: int  #: (emissions of results) positions of results that are written
    image_done_ps: int  #: (emissions of results)
    layer_first_ps: int  #: (images, layers) first window of a run starts
    layer_last_ps: int  #: (images, layers) last output of a run leaves
    log: int  #: parameter: 1 keeps the times of every window
    log_start_ps: int  #: (images, W) by run
    log_sent_ps: int  #: (images, W)
    n_windows: int
    # tracing
    trace: int  #: parameter: room for so many records, 0: off
    trace_count: int
    trace_records: int  #: (trace, 6)
