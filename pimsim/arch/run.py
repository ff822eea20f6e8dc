"""Runs a Program in the compiled engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import pimsim.arch.replica
import pimsim.arch.tile  # noqa: F401  (the imports register the handlers)
from pimsim import engine
from pimsim.arch import tracing
from pimsim.arch.layout import BUFFER, REPLICA, Layout
from pimsim.arch.noc.flit import chip, chip_state
from pimsim.arch.replica import DONE, PENDING
from pimsim.arch.state import build_state, emissions_of_results, events_of, runs_of
from pimsim.engine.cache import use_cache
from pimsim.engine.ports import BUSY, FIELDS, OPS, VIOLATIONS, WAIT
from pimsim.engine.queue import WIDTH_BITS, grown, move_base, new_queue, push_key
from pimsim.engine.registry import generate_loop, load_component
from pimsim.mapping.program import UNITS, Program
from pimsim.mapping.timing import LOSSES, PortCounts, Standstill, Timing

EVENTS_AT_A_TIME = 1 << 19  #: then the loop is left for progress and Ctrl-C


def run_compiled(
    program: Program,
    batch: int = 1,
    log: bool = False,
    progress: Callable[[int, int], None] | None = None,
    trace: Callable[[np.ndarray], None] | None = None,
    trace_records: int = 1 << 17,
    budget: int = EVENTS_AT_A_TIME,
    components: Sequence[Path] = (),
) -> Timing:
    """Simulate ``batch`` images: in training, a multiple of the program's batch.

    ``progress(windows done, windows in all)`` is called now and then; ``trace(records)`` gets (n, 6) int64
    arrays (see :mod:`pimsim.arch.tracing`).  ``components`` are files whose event handlers replace the
    project's own (see :mod:`pimsim.engine.registry`).  Raises Standstill, or OverflowError for a time beyond the clock.
    """
    loop = _loop(components, events_of(program))
    M, T, at = build_state(program, batch, log, trace_records if trace else 0)
    H = new_queue(max(1 << 14, program.replicas.layer.size + 4 * at.margin))
    _start(M, at, H, program)
    total = int((runs_of(program, batch) * np.diff(program.replicas.window_first)).sum())
    base, events = 0, 0
    while True:
        reason, handled, now = loop.run(M, T, at, H, base, budget)
        events += handled
        if M[at.overflow]:
            raise OverflowError(f"an event lies too far after {now} ps for the clock of this run")
        if at.flit:
            T = _look_after_network(M, T, at, program)
        if trace and (M[at.pause] or reason == loop.EMPTY):
            _flush(M, at, trace)
        M[at.pause] = 0
        if progress:
            progress(int(M[at.windows_sent]), total)
        if reason == loop.EMPTY:
            break
        if reason == loop.GROW:
            H = grown(H, at.id_bits + WIDTH_BITS)
        base += move_base(H, now - base, at.id_bits)
    if M[at.windows_sent] < total or np.any(_states(M, at, program) != DONE):
        raise Standstill(describe_standstill(M, at, program))
    return _timing(M, T, at, program, batch, events)


def _look_after_network(M: np.ndarray, T: np.ndarray, at: Any, program: Program) -> np.ndarray:
    """The tables, with more room where packets need it; raises Standstill where flits wait for each other."""
    if M[at.clock + chip.DEAD]:
        raise Standstill("standstill: flits of the network wait for each other; "
                         "`pimsim noc check` names the channels")  # fmt: skip
    return chip_state.more_records(M, T, at) if M[at.clock + chip.SPARES] < at.reserve else T


def _loop(components: Sequence[Path], events: Sequence[str]) -> ModuleType:
    if not components:
        return generate_loop(events, engine.CACHE)
    folder = use_cache(components)
    replaced = {event: handler for path in components for event, handler in load_component(path).items()}
    return generate_loop(events, folder, replaced)


def _start(M: np.ndarray, at: Layout, H: np.ndarray, program: Program) -> None:
    """Every replica that waits for nothing may issue its first window at time 0."""
    for v in range(program.replicas.layer.size):
        buffers = range(program.replicas.buffer_first[v], program.replicas.buffer_first[v + 1])
        rows = program.buffers
        if all(rows.ready[b][0] <= rows.initial[b] * rows.positions[b] for b in buffers):
            M[at.rep_state + REPLICA * v] = PENDING
            push_key(H, at.begin_issue + v, at.id_bits + WIDTH_BITS)


def _flush(M: np.ndarray, at: Layout, trace: Callable[[np.ndarray], None]) -> None:
    count = int(M[at.trace_count])
    trace(M[at.trace_records : at.trace_records + count * tracing.FIELDS].reshape(-1, tracing.FIELDS).copy())
    M[at.trace_count] = 0


def _timing(M: np.ndarray, T: np.ndarray, at: Layout, program: Program, batch: int, events: int) -> Timing:
    def column(offset: int, count: int) -> np.ndarray:
        return M[offset : offset + count].copy()

    def of_replicas(offset: int) -> np.ndarray:
        return M[offset :: REPLICA][:replicas].copy()

    replicas, layers, windows = program.replicas.layer.size, len(program.layers), program.windows.position.size
    tiles = program.fabric.n_tiles
    ports = {
        name: _port_counts(M, getattr(at, name), count)
        for name, count in (("host", 1), ("edram", tiles), ("bus", tiles), ("dram", program.chips), ("core", tiles),
                            ("link", program.fabric.n_links))
    }  # fmt: skip
    if at.flit:
        chip_state.require_nothing_lost(M, T, at)
        ports["link"] = _with_flits(ports["link"], *chip_state.link_counts(M, T, at, program))
    units = _port_counts(M, at.unit, tiles * len(UNITS))
    for u, name in enumerate(UNITS):
        ports[name] = PortCounts(units.busy_ps[u :: len(UNITS)], units.wait_ps[u :: len(UNITS)],
                                 units.count[u :: len(UNITS)])  # fmt: skip
    logged = batch * windows if at.log else 0
    every = np.array([node.every for node in program.dataflow.nodes])
    made = np.arange(batch)[:, None] < batch // every  # (batch, layers): the layer makes as many runs
    return Timing(
        image_done_ps=column(at.image_done_ps, emissions_of_results(program, batch)),
        layer_first_ps=np.where(made, column(at.layer_first_ps, batch * layers).reshape(batch, layers), -1),
        layer_last_ps=np.where(made, column(at.layer_last_ps, batch * layers).reshape(batch, layers), -1),
        lost_ps={
            reason: of_replicas(getattr(at, f"lost_{reason}")) for reason in LOSSES
        },
        interval_ps=of_replicas(at.rep_interval_ps),
        work_ps=of_replicas(at.rep_work_ps),
        paced_by_bus=of_replicas(at.rep_paced_by_bus) != 0,
        last_start_ps=of_replicas(at.rep_last_start),
        ports=ports,
        window_start_ps=column(at.log_start_ps, logged).reshape(-1, windows),
        window_sent_ps=column(at.log_sent_ps, logged).reshape(-1, windows),
        events=events,
    )


def _with_flits(links: PortCounts, flits: np.ndarray, busy_ps: np.ndarray) -> PortCounts:
    """What links between chips did, and what the flit-level network's did."""
    return PortCounts(links.busy_ps + busy_ps, links.wait_ps, links.count + flits)


def _port_counts(M: np.ndarray, offset: int, count: int) -> PortCounts:
    table = M[offset : offset + count * FIELDS].reshape(count, FIELDS)
    if table[:, VIOLATIONS].any():
        raise RuntimeError("a port was asked out of order: this run's figures would be wrong")
    return PortCounts(table[:, BUSY].copy(), table[:, WAIT].copy(), table[:, OPS].copy())


def _states(M: np.ndarray, at: Layout, program: Program) -> np.ndarray:
    return M[at.rep_state :: REPLICA][: program.replicas.layer.size]


def describe_standstill(M: np.ndarray, at: Layout, program: Program) -> str:
    """Follow what each replica waits for until one comes up again; that cycle in words."""
    nodes, replicas = program.dataflow.nodes, program.replicas
    stuck = np.flatnonzero(_states(M, at, program) != DONE)
    if stuck.size == 0:
        return "standstill: packets are left though every window has been issued"
    v, seen, told = int(stuck[0]), [], []
    while v >= 0 and v not in seen:
        seen.append(v)
        layer = replicas.layer[v]
        copy = v - int(np.searchsorted(replicas.layer, layer))
        following, why = _waits_for(M, at, program, v)
        told.append(f"{nodes[layer].name} (replica {copy}, window {M[at.rep_next + REPLICA * v]}) {why}")
        v = following
    return "standstill: " + "; ".join(told[seen.index(v) if v in seen else 0 :])


def _waits_for(M: np.ndarray, at: Layout, program: Program, v: int) -> tuple[int, str]:
    """The replica that ``v`` waits for, and the reason in words; -1 where none was found."""
    replicas, buffers, nodes = program.replicas, program.buffers, program.dataflow.nodes
    for b in range(buffers.replica.size):
        waiting = int(M[at.buf_waiting + BUFFER * b])
        while waiting >= 0:
            if waiting == v:
                reader = int(buffers.replica[b])
                where = nodes[replicas.layer[reader]].name
                return reader, f"waits for a place at {where}, where all {buffers.capacity[b]} are taken"
            waiting = int(M[at.rep_next_waiting + REPLICA * waiting])
    i, run = M[at.rep_next + REPLICA * v], M[at.rep_run + REPLICA * v]
    for b in range(replicas.buffer_first[v], replicas.buffer_first[v + 1]):
        frontier = M[at.buf_frontier + BUFFER * b]
        taken = run // buffers.shared[b] * buffers.gathers[b] * buffers.positions[b]
        if frontier >= taken + buffers.ready[b][i]:
            continue
        rank = frontier % buffers.positions[b]
        entry = np.flatnonzero((program.entry_buffer == b) & (program.entry_rank == rank))
        window = np.searchsorted(program.windows.entry_first, entry[0], side="right") - 1
        producer = int(np.searchsorted(replicas.window_first, window, side="right") - 1)
        return producer, f"waits for position {rank} of its input {nodes[replicas.layer[producer]].name}"
    return -1, "waits for nothing that was found"
