"""Packets on a mesh: every link is served first come, first served; routers have unlimited buffers.

A packet's head asks for a link as it reaches the router (virtual cut-through), holds it for as long as its
flits take, and branches where its tree does.  Links between chips take the whole packet before they pass
it on (store and forward).  The flit-level network is in the folder ``flit``.
"""

from __future__ import annotations

from pimsim.arch import tracing
from pimsim.arch.layout import EDGE, REPLICA
from pimsim.engine.events import schedule
from pimsim.engine.ports import FIELDS, serve
from pimsim.engine.registry import behaviour, event


@behaviour
def emission_of(M, at, r, run):  # type: ignore[no-untyped-def]
    """The number of what a replica sends in a run; -1: it sends nothing, and goes on adding up."""
    together = M[at.rep_emits_every + r]
    if together == 1:
        return run
    if (run + 1) % together:
        return -1
    return run // together


@behaviour
def sent_at(T, at, window, emission):  # type: ignore[no-untyped-def]
    """Where the time is kept at which an emission of a window left: rings are longer than what is ever under way."""
    first = T[at.win_sent_ps + window]
    length = T[at.win_sent_ps + window + 1] - first
    if length == 2:
        return first + (emission & 1)
    return first + emission % length


@behaviour
def launch(M, T, at, H, time, v):  # type: ignore[no-untyped-def]
    """The output of the replica's oldest active window leaves at ``time``, if it is needed anywhere."""
    r = REPLICA * v
    run = M[at.rep_active_run + r]
    window = M[at.rep_window_first + r] + M[at.rep_active + r]
    layer = run * at.n_layers + M[at.rep_layer + r]
    if time > M[at.layer_last_ps + layer]:
        M[at.layer_last_ps + layer] = time
    if at.log:
        M[at.log_sent_ps + run * at.n_windows + window] = time
    M[at.windows_sent] += 1
    M[at.rep_active + r] += 1
    if window + 1 == M[at.rep_window_end + r]:
        M[at.rep_active + r] = 0
        M[at.rep_active_run + r] = run + 1
    emission = emission_of(M, at, r, run)
    if emission >= 0 and T[at.win_tree + window] >= 0:
        M[sent_at(T, at, window, emission)] = time
        send(M, T, at, H, time, T[at.win_tree + window])


@behaviour
def send(M, T, at, H, time, tree):  # type: ignore[no-untyped-def]
    """Put a packet on the first links of a tree, or a message into the queue of the flit-level network."""
    first = T[at.tree_first + tree]
    if at.flit:
        schedule(M, at, H, time, at.begin_inject + tree)
    for x in range(first, first + T[at.tree_roots + tree]):
        e = EDGE * x
        if T[at.edge_link + e] < 0:
            schedule(M, at, H, time + T[at.edge_tail_ps + e], at.begin_deliver + T[at.edge_leaf + e])
        elif not at.flit:
            schedule(M, at, H, time, at.begin_hop + x)


@event("hop")
def hop(M, T, at, H, now, x):  # type: ignore[no-untyped-def]
    """The head of a packet asks for the link of edge ``x`` of its tree."""
    e = EDGE * x
    hold = T[at.edge_hold_ps + e]
    link = T[at.edge_link + e]
    start = serve(M, at.link + FIELDS * link, now, hold)
    leaf = T[at.edge_leaf + e]
    tracing.record(M, at, tracing.HOP, link, x, leaf, start, start + hold)
    if leaf >= 0:
        schedule(M, at, H, start + T[at.edge_tail_ps + e], at.begin_deliver + leaf)
    else:
        onward = start + T[at.edge_head_ps + e]
        for child in range(T[at.edge_child_lo + e], T[at.edge_child_hi + e]):
            schedule(M, at, H, onward, at.begin_hop + child)
