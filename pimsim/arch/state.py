"""A Program becomes the arena of a run: tables of durations, empty ports, idle replicas."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial

import numpy as np

from pimsim.arch import tracing
from pimsim.arch.array import FIELDS as ARRAY
from pimsim.arch.array import FREE
from pimsim.arch.ima import vector_timing
from pimsim.arch.layout import BUFFER, EDGE, LEAF, REPLICA, SLICE, Layout
from pimsim.arch.noc.flit.chip import EVENTS as FLIT_EVENTS
from pimsim.arch.noc.flit.chip_network import plan_ways
from pimsim.arch.noc.flit.chip_state import add_chip
from pimsim.config.records import DigitalUnit, System
from pimsim.engine.arena import Arena
from pimsim.engine.ports import FIELDS, SERVERS
from pimsim.mapping.program import UNITS, Program
from pimsim.mapping.timing import LOSSES
from pimsim.network.fabric import CHIP
from pimsim.technology.gpu_core import kernel_ps
from pimsim.units import cycles_to_ps, ns_to_ps, stream_ps, transfer_ps

EVENTS = ("free", "issue", "output", "merge", "activate", "hop", "deliver", "arrived")
"""Events in the order in which simultaneous ones are handled."""

_NEVER = np.iinfo(np.int64).max


def build_state(
    program: Program, images: int, log: bool = False, trace: int = 0
) -> tuple[np.ndarray, np.ndarray, Layout]:
    """State (int64), tables (int32) and layout for ``images`` images.

    ``trace`` is the number of trace records kept at a time.
    """
    arena, tables = Arena(), Arena(np.int32)
    flit = program.network == "flit"
    ways = plan_ways(program) if flit else None
    parameters = _parameters(program, log, trace)
    _add_ports(arena, program)
    _add_replicas(arena, program, parameters["slot_ps"], images)
    _add_slices(arena, program)
    _add_windows(arena, tables, program)
    _add_buffers(arena, program)
    _add_network(tables, program, parameters)
    _add_progress(arena, program, images, log, trace)
    arena.add("base", 1)
    arena.add("pause", 1)
    arena.add("overflow", 1)
    fields = {**arena.offsets, **tables.offsets, **parameters}
    layout = Layout(**fields) if ways is None else add_chip(arena, tables, program, ways, fields)
    return arena.build(), tables.build(), layout


def _event_counts(program: Program) -> dict[str, int]:
    """How many static ids each event has, in the order of handling at equal times."""
    replicas, slices, leaves = program.replicas.layer.size, program.slices.tile.size, program.leaves.tile.size
    edges, trees = program.trees.link.size, program.trees.roots.size
    counts = {
        "free": replicas, "issue": replicas, "output": slices, "merge": slices, "activate": replicas, "hop": edges,
        "chip_link": edges, "inject": trees + edges, "deliver": leaves, "arrived": leaves, "cycle": 1,
    }  # fmt: skip
    return {name: counts[name] for name in events_of(program)}


def events_of(program: Program) -> tuple[str, ...]:
    """Events in the order in which simultaneous ones are handled."""
    return FLIT_EVENTS if program.network == "flit" else EVENTS


def _parameters(program: Program, log: bool, trace: int) -> dict[str, int]:
    pipeline = program.system.pipeline
    replicas = program.replicas.layer.size
    parameters, first = {"begin_hop": 0, "end_hop": 0, "begin_inject": 0}, 0
    for name, count in _event_counts(program).items():
        parameters[f"begin_{name}"] = first
        first += count
        parameters[f"end_{name}"] = first
    per_leaf = np.diff(program.leaves.entry_first).max(initial=0)
    waiting = np.bincount(program.entry_buffer).max(initial=0) if program.entry_buffer.size else 0
    fan_out = max(program.trees.roots.max(initial=0), (program.trees.child_hi - program.trees.child_lo).max(initial=0))
    own = max(np.diff(program.replicas.slice_first).max(initial=0), 1)
    parameters.update(
        id_bits=max(1, int(first).bit_length()),
        margin=int(64 + per_leaf + min(waiting, replicas) + fan_out + 2 * own),
        slot_ps=ns_to_ps(pipeline.slot_ns) if pipeline.slot_ns is not None else 1,
        input_latency_ps=ns_to_ps(pipeline.latency_ns("input_read")),
        output_latency_ps=ns_to_ps(pipeline.latency_ns("output_transfer")),
        activation_latency_ps=ns_to_ps(pipeline.latency_ns("activation")),
        write_latency_ps=ns_to_ps(pipeline.latency_ns("edram_write")),
        dram_latency_ps=ns_to_ps(program.system.chip.dram.latency_ns) if program.system.chip.dram else 0,
        n_layers=len(program.layers),
        n_windows=program.windows.position.size,
        log=int(log),
        trace=trace,
        flit=int(program.network == "flit"),
    )
    return parameters


def _add_ports(arena: Arena, program: Program) -> None:
    tiles, banks = program.fabric.n_tiles, program.system.chip.tile.edram.banks
    for name, count, servers in (
        ("host", 1, 1),
        ("edram", tiles, min(banks, 2)),
        ("bus", tiles, 1),
        ("unit", tiles * len(UNITS), 1),
        ("core", tiles, 1),
        ("dram", program.chips, 1),
        ("link", program.fabric.n_links, 1),
    ):
        ports = np.zeros((count, FIELDS), np.int64)
        ports[:, SERVERS] = servers
        if name == "edram":
            ports[program.on_gpu, SERVERS] = 1  # the memory of a GPU core
        arena.add(name, ports)


def _durations(values: np.ndarray, of_one) -> np.ndarray:  # type: ignore[no-untyped-def]
    """``of_one`` of every value, computed once for each distinct one."""
    distinct, inverse = np.unique(values, return_inverse=True)
    return np.array([of_one(int(value)) for value in distinct], np.int64)[inverse].reshape(values.shape)


def _unit_ps(system: System, name: str, values: int) -> int:
    """Time in which all instances of a digital unit together finish ``values`` [ps]."""
    resource = "tile_shift_add" if name == "shift_add" else "digital"
    if values == 0 or not system.pipeline.occupies("activation", resource):
        return 0
    unit: DigitalUnit = getattr(system.chip.tile, name)
    together = unit.count * Fraction(str(unit.values_per_clock))  # exact: 21 values at 0.7 a clock take 30 clocks
    return cycles_to_ps(math.ceil(values / together), unit.clock_ghz)


def _edram_ps(system: System, values: np.ndarray, stage: str) -> np.ndarray:
    """Time one of two banks is held for ``values`` in a stage [ps]; more banks make these two wider."""
    if not system.pipeline.occupies(stage, "edram"):
        return np.zeros_like(values)
    edram, bits = system.chip.tile.edram, system.mapping.input_bits
    width = max(edram.width_bits, edram.width_bits * edram.banks // 2)
    return _durations(values, lambda n: transfer_ps(n * bits, width, edram.clock_ghz))


def _bus_ps(system: System, values: np.ndarray, stage: str) -> np.ndarray:
    """Time the bus is held for ``values`` in a stage [ps]."""
    if not system.pipeline.occupies(stage, "bus"):
        return np.zeros_like(values)
    bus, bits = system.chip.tile.bus, system.mapping.input_bits
    return _durations(values, lambda n: transfer_ps(n * bits, bus.wires, bus.clock_ghz))


def _dram_ps(system: System, values: np.ndarray) -> np.ndarray:
    dram, bits = system.chip.dram, system.mapping.input_bits
    if dram is None:
        return np.zeros_like(values)
    rate = dram.gb_per_s
    return _durations(values, lambda n: stream_ps(n * bits / 8, rate))


def runs_of(program: Program, images: int) -> np.ndarray:
    """(V,) runs that each replica makes for so many images."""
    runs: np.ndarray = images // program.replicas.every
    return runs


def emissions_of_results(program: Program, images: int) -> int:
    """How often the network's results come out: once an image, or once a batch of training."""
    replicas, nodes = program.replicas, program.dataflow.nodes
    result = np.array([node.is_output and node.kind != "input" for node in nodes])[replicas.layer]
    return int((images // (replicas.every * replicas.emits_every))[result].max(initial=1))


def _written_every(program: Program) -> np.ndarray:
    """(V,) runs after which the replica waits for new weights; 0: it keeps those it has."""
    buffers = program.buffers
    every = np.zeros_like(program.replicas.layer)
    weights = buffers.initial > 0
    every[buffers.replica[weights]] = buffers.shared[weights]
    return every


def write_row_ps(system: System) -> int:
    """Read, and write again, one row of a crossbar, in all pulses that its cells are given [ps]."""
    array = system.chip.tile.ima.crossbar
    return ns_to_ps(array.read_ns) + array.write_pulses * ns_to_ps(array.write_row_ns)


def _core_memory_ps(system: System, values: np.ndarray) -> tuple[np.ndarray, int]:
    """How long the memory of a GPU core is held for values of a packet, and its latency [ps]."""
    core = system.chip.gpu_core
    if core is None:
        return np.zeros_like(values), 0
    rate, size = core.memory.gb_per_s, core.value_bytes
    return _durations(values, lambda n: stream_ps(n * size, rate)), ns_to_ps(core.memory.latency_ns)


def _add_replicas(arena: Arena, program: Program, slot_ps: int, images: int) -> None:
    replicas = program.replicas
    unit_ps = np.stack(
        [
            _durations(replicas.unit_values[:, u], partial(_unit_ps, program.system, name))
            for u, name in enumerate(UNITS)
        ],
        axis=1,
    )
    nothing = np.zeros_like(replicas.layer)
    on_gpu = (replicas.tile >= 0) & program.on_gpu[replicas.tile]
    state = ("next", "run", "state", "ready_ps", "asked_ps", "transit_ps", "next_waiting", "freed", "freed_run",
             "merged", "level", "active", "active_run")  # fmt: skip
    arena.add_table(REPLICA, {
        "rep_layer": replicas.layer,
        "rep_tile": replicas.tile,
        "rep_slice_first": replicas.slice_first[:-1],
        "rep_slice_end": replicas.slice_first[1:],
        "rep_window_first": replicas.window_first[:-1],
        "rep_window_end": replicas.window_first[1:],
        "rep_buffer_first": replicas.buffer_first[:-1],
        "rep_buffer_end": replicas.buffer_first[1:],
        "rep_unit_ps": unit_ps,
        **_paces(program, unit_ps, slot_ps),
        "rep_slot_ps": np.where((replicas.tile < 0) | on_gpu, 1, slot_ps),
        "rep_core": np.where(on_gpu, arena.offsets["core"] + FIELDS * replicas.tile, -1),
        "rep_array": _arrays(arena, replicas.array),
        "rep_runs": runs_of(program, images),
        "rep_emits_every": replicas.emits_every,
        "rep_written_every": _written_every(program),
        "rep_writes": (replicas.written_rows > 0).astype(np.int64),
        **{f"rep_{name}": nothing for name in state},
        "rep_queued_ps": nothing - 1,
        "rep_last_start": nothing - 1,
        **{f"lost_{reason}": nothing for reason in LOSSES},
    })  # fmt: skip


def _arrays(arena: Arena, array: np.ndarray) -> np.ndarray:
    """(V,) offset of the record of each replica's array, which is free and has no queue; -1: it shares none."""
    shared, number = np.unique(array[array >= 0], return_inverse=True)
    records = np.full((shared.size, ARRAY), -1, np.int64)
    records[:, FREE] = 0
    offset = np.full_like(array, -1)
    offset[array >= 0] = arena.add("arrays", records) + ARRAY * number
    return offset


def _paces(program: Program, unit_ps: np.ndarray, slot_ps: int) -> dict[str, np.ndarray]:
    """Columns of the replicas' records that say how fast a replica can be; (V,) [ps].

    ``compute`` is -1 for a digital operation in one tile, which needs no transfer between read and activation.
    """
    system, replicas, slices = program.system, program.replicas, program.slices
    edram = _edram_ps(system, slices.read_values, "input_read")
    bus = np.maximum(
        _bus_ps(system, slices.read_values, "input_read"), _bus_ps(system, slices.sent_values, "output_transfer")
    )
    busiest = unit_ps.max(axis=1)
    work, interval, by_bus, kernel, launch = (np.zeros_like(replicas.layer) for _ in range(5))
    compute = np.full_like(replicas.layer, -1)
    vectors = {
        i: vector_timing(system, slot_ps, int((layer.tiling.row_hi - layer.tiling.row_lo).max()), layer.tiling.passes)
        for i, layer in enumerate(program.layers)
        if layer.tiling is not None
    }
    for v, layer in enumerate(replicas.layer):
        if replicas.tile[v] < 0:
            values = program.dataflow.nodes[layer].channels
            work[v] = interval[v] = stream_ps(values * system.mapping.input_bits / 8, system.host.gb_per_s)
            compute[v] = ns_to_ps(system.host.latency_ns)
            continue
        if program.on_gpu[replicas.tile[v]]:
            core = system.chip.gpu_core
            assert core is not None
            windows = int(replicas.window_first[v + 1] - replicas.window_first[v])
            busy_ps = kernel_ps(core, int(replicas.kernel_flops[v]), int(replicas.kernel_values[v]))
            work[v] = interval[v] = -(-busy_ps // windows)
            launch[v] = ns_to_ps(core.launch_ns)
            kernel[v] = launch[v] + windows * interval[v]
            continue
        own = slice(int(replicas.slice_first[v]), int(replicas.slice_first[v + 1]))
        needed = max(int(busiest[v]), vectors[layer].interval_ps if layer in vectors else 0)
        if layer in vectors:
            compute[v] = vectors[layer].latency_ps
        elif replicas.written_rows[v] > 0:
            compute[v] = needed = -(-int(replicas.written_rows[v]) * write_row_ps(system) // slot_ps) * slot_ps
        elif own.stop - own.start > 1:  # a digital operation whose inputs lie in several tiles
            compute[v] = 0
        work[v] = max(-(-needed // slot_ps), 1) * slot_ps
        moving = max(int(edram[own].max()), int(bus[own].max()))
        interval[v] = max(work[v], -(-moving // slot_ps) * slot_ps)
        by_bus[v] = bus[own].max() > edram[own].max()
    return {
        "rep_interval_ps": interval,
        "rep_work_ps": work,
        "rep_paced_by_bus": by_bus,
        "rep_compute_ps": compute,
        "rep_kernel_ps": kernel,
        "rep_launch_ps": launch,
    }


def _add_slices(arena: Arena, program: Program) -> None:
    slices, system = program.slices, program.system
    arena.add_table(SLICE, {
        "sl_replica": slices.replica,
        "sl_tile": slices.tile,
        "sl_edram_ps": _edram_ps(system, slices.read_values, "input_read"),
        "sl_bus_ps": _bus_ps(system, slices.read_values + slices.spilled_values, "input_read"),
        "sl_dram_ps": _dram_ps(system, slices.spilled_values),
        "sl_chip": slices.tile // program.fabric.tiles,
        "sl_output_ps": _bus_ps(system, slices.sent_values, "output_transfer"),
        "sl_add_ps": _durations(slices.added_values, partial(_unit_ps, system, "shift_add")),
        "sl_tree": slices.tree,
        "sl_delivered": np.zeros_like(slices.tile),
    })  # fmt: skip


def _add_windows(arena: Arena, tables: Arena, program: Program) -> None:
    tables.add("win_tree", program.windows.tree)
    tables.add("win_entry_first", program.windows.entry_first)
    depth = _emissions_under_way(program)
    rings = arena.add("win_sent_rings", int(depth.sum()))
    del arena.offsets["win_sent_rings"]
    tables.add("win_sent_ps", rings + np.concatenate([[0], np.cumsum(depth)]))
    tables.add("entry_buffer", program.entry_buffer)
    tables.add("entry_rank", program.entry_rank)


def _emissions_under_way(program: Program) -> np.ndarray:
    """(W,) emissions of a window of which some may be on their way: as many as find places, and one more."""
    buffers, windows = program.buffers, program.windows
    places = -(-buffers.capacity // np.maximum(buffers.positions, 1)) + 1
    depth = np.full(windows.tree.size, 2)
    entries = np.diff(windows.entry_first)
    np.maximum.at(depth, np.repeat(np.arange(windows.tree.size), entries), places[program.entry_buffer])
    return depth


def _add_buffers(arena: Arena, program: Program) -> None:
    buffers = program.buffers
    lengths = np.array([table.size for table in buffers.ready], np.int64)
    starts = np.cumsum(lengths) - lengths
    ready = arena.add("buf_ready_tables", np.concatenate([*buffers.ready, np.zeros(0, np.int64)]))
    done = arena.add("buf_done_tables", np.concatenate([*buffers.done, np.zeros(0, np.int64)]))
    ring = arena.add("buf_rings", int(buffers.capacity.sum()))
    nothing = np.zeros_like(buffers.replica)
    arena.add_table(BUFFER, {
        "buf_replica": buffers.replica,
        "buf_capacity": buffers.capacity,
        "buf_positions": buffers.positions,
        "buf_taken": buffers.gathers * buffers.positions,
        "buf_copies": buffers.copies,
        "buf_ready": ready + starts,
        "buf_done": done + starts,
        "buf_ring": ring + np.cumsum(buffers.capacity) - buffers.capacity,
        "buf_base": nothing,
        "buf_frontier": buffers.initial * buffers.positions,
        "buf_shared": buffers.shared,
        "buf_initial": buffers.initial,
        "buf_waiting": nothing - 1,
    })  # fmt: skip
    for name in ("buf_ready_tables", "buf_done_tables", "buf_rings"):
        del arena.offsets[name]


def _add_network(tables: Arena, program: Program, parameters: dict[str, int]) -> None:
    trees, leaves, system = program.trees, program.leaves, program.system
    hold, head, tail = _edge_durations(program)
    tables.add("tree_first", trees.first)
    tables.add("tree_roots", trees.roots)
    tables.add("message", program.message)
    tables.add_table(EDGE, {
        "edge_link": trees.link,
        "edge_child_lo": trees.child_lo,
        "edge_child_hi": trees.child_hi,
        "edge_leaf": trees.target,
        "edge_hold_ps": hold,
        "edge_head_ps": head,
        "edge_tail_ps": tail,
    })  # fmt: skip
    write = _edram_ps(system, leaves.write_values, "edram_write")
    in_dram = _dram_ps(system, leaves.write_values)
    in_core, latency = _core_memory_ps(system, leaves.write_values)
    on_gpu = program.on_gpu[leaves.tile]
    first = program.message_first[leaves.tree]
    tables.add_table(LEAF, {
        "leaf_tree": leaves.tree,
        "leaf_tile": leaves.tile,
        "leaf_slice": leaves.slice,
        "leaf_write_ps": np.where(on_gpu, in_core, np.where(leaves.spilled > 0, in_dram, write)),
        "leaf_slot_ps": np.where(on_gpu, 1, parameters["slot_ps"]),
        "leaf_latency_ps": np.where(on_gpu, in_core + latency, parameters["write_latency_ps"]),
        "leaf_spilled": np.where(leaves.spilled > 0, leaves.tile // program.fabric.tiles + 1, 0),
        "leaf_sink": sink_leaves(program),
        "leaf_entry_first": leaves.entry_first[:-1],
        "leaf_entry_end": leaves.entry_first[1:],
        "leaf_message_first": first,
        "leaf_message_end": program.message_first[leaves.tree + 1],
        "leaf_message": first,
        "leaf_emission": np.zeros_like(first),
    })  # fmt: skip
    tables.add("entry_of_leaf", leaves.entry)


def sink_leaves(program: Program) -> np.ndarray:
    """(F,) 1 where a result of the network stays in the tile that made it."""
    leaves, nodes = program.leaves, program.dataflow.nodes
    window = np.append(program.message, 0)[program.message_first[leaves.tree]]
    replica = np.searchsorted(program.replicas.window_first, window, side="right") - 1
    result = np.array([node.is_output and node.kind != "input" for node in nodes])[program.replicas.layer[replica]]
    return (result & (leaves.slice < 0) & (leaves.tile == program.replicas.tile[replica])).astype(np.int64)


def _edge_durations(program: Program) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(edges,) link held, head onward, tail arrived: each from the start of service [ps]."""
    noc, links, trees = program.system.chip.noc, program.system.chip.links, program.trees
    speeds = program.fabric.speeds
    flits = program.tree_flits[np.repeat(np.arange(program.tree_flits.size), np.diff(trees.first))]
    rest = _durations((flits - 1) * trees.pace, lambda n: cycles_to_ps(n, noc.clock_ghz))
    chip_link = _durations(flits, lambda n: stream_ps(n * noc.flit_bits / 8, links.gb_per_s))
    latency = np.array([cycles_to_ps(speed.head_cycles, noc.clock_ghz) for speed in speeds], np.int64)
    latency[CHIP] = ns_to_ps(links.latency_ns)
    if program.network == "ideal":
        passed = trees.passed
        travel = passed @ latency + passed[:, CHIP] * chip_link
        zero = np.zeros_like(travel)
        return zero, zero, np.where(passed.sum(axis=1) > 0, travel + rest, 0)
    speed = program.fabric.link_speeds()[trees.link]
    occupied = flits * np.array([speed.flit_cycles for speed in speeds])[speed]
    on_chip = _durations(occupied, lambda n: cycles_to_ps(n, noc.clock_ghz))
    between = (speed == CHIP) & (trees.link >= 0)
    hold = np.where(trees.link < 0, 0, np.where(between, chip_link, on_chip))
    head = np.where(trees.link < 0, 0, latency[speed] + np.where(between, chip_link, 0))
    tail = np.where(trees.link < 0, 0, latency[speed] + np.where(between, chip_link, rest))
    return hold, head, tail


def _add_progress(arena: Arena, program: Program, images: int, log: bool, trace: int) -> None:
    layers, windows = len(program.layers), program.windows.position.size
    results = emissions_of_results(program, images)
    arena.add("windows_sent", 1)
    arena.add("image_outputs", results)
    arena.add("image_done_ps", results)
    arena.add("layer_first_ps", np.full(images * layers, _NEVER))
    arena.add("layer_last_ps", images * layers)
    arena.add("log_start_ps", np.full(images * windows if log else 0, -1))
    arena.add("log_sent_ps", np.full(images * windows if log else 0, -1))
    arena.add("trace_count", 1)
    arena.add("trace_records", trace * tracing.FIELDS)
