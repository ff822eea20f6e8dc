"""Program and timing become a Result; a Result can be priced again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np

from pimsim.config import config_hash, resolved
from pimsim.config.records import System
from pimsim.mapping.program import Program
from pimsim.mapping.timing import Timing
from pimsim.results.counting import count_actions
from pimsim.results.pricing import price
from pimsim.results.record import (
    FORMAT,
    TIME_PARTS,
    LayerResult,
    PlacementResult,
    Programming,
    Result,
    Source,
    Timeline,
    Times,
)
from pimsim.results.time_split import run_end_ps, split_time
from pimsim.results.usage import busiest_resources, measure_usage, name_bottleneck, use_of_links
from pimsim.results.wear import programming_wear, wear_of_run, write_energy_pj
from pimsim.version import __version__
from pimsim.workload.dataflow import Dataflow

MEASURED_FROM = 8  #: images below which throughput is never measured
FEWEST_INTERVALS = 4  #: intervals between outputs that a throughput needs
MOST_PACE = 1.005  #: share of a resource above which a measured pace cannot last
TIMELINE_IMAGES = 16  #: images whose times by layer are kept


def build_result(program: Program, timing: Timing, batch: int, engine: str) -> Result:
    """Everything that is known about a run.

    Raises:
        InputError: a cost of the system cannot be scaled to its component's parameters.
    """
    times = _times(program, timing)
    usage, tiles = measure_usage(program, batch, times.run_ps)
    layers = _layers(program, timing, batch)
    programming = _programming(program)
    resources = busiest_resources(program, timing, layers, times, batch)
    if any((each.pace_share or 0) > MOST_PACE for each in resources):  # a burst: nothing can keep that pace up
        times = replace(times, output_interval_ps=None, steady_batch=max(times.steady_batch, 2 * batch))
        resources = busiest_resources(program, timing, layers, times, batch)
    return Result(
        format=FORMAT,
        pimsim_version=__version__,
        source=_source(program, batch, engine),
        times=times,
        usage=usage,
        costs=price(layers, usage, times, batch, program.system),
        programming=programming,
        wear=wear_of_run(programming),
        bottleneck=name_bottleneck(resources, layers),
        resources=resources,
        layers=layers,
        timeline=_timeline(timing),
        tiles=tiles,
        placement=_placement(program),
        links=use_of_links(program, timing, times.run_ps),
        notes=program.notes,
    )


def _placement(program: Program) -> PlacementResult:
    used = program.placement
    place = used.place.tolist()
    return PlacementResult(
        strategy=used.strategy, start=used.start, fingerprint=used.fingerprint,
        place=() if place == list(range(len(place))) else tuple(place),
        at_start=used.at_start and used.at_start._asdict(),
        objectives=used.objectives and used.objectives._asdict(),
    )  # fmt: skip


def reprice(result: Result, system: System) -> Result:
    """The same run under the prices of another system; times and counts stay."""
    costs = price(result.layers, result.usage, result.times, result.source.batch, system)
    energy_uj = write_energy_pj(result.programming.cells, system.chip.tile.ima.crossbar) / 1e6
    return replace(result, costs=costs, programming=replace(result.programming, energy_uj=energy_uj))


def workload_hash(dataflow: Dataflow) -> str:
    """SHA-256 of everything about a network that mapping and timing can see."""
    digest = hashlib.sha256()
    for node in dataflow.nodes:
        facts = [node.name, node.kind, node.operation, node.grid, node.channels, sorted(node.actions.items()),
                 node.reduces, node.is_output]  # fmt: skip
        matrix = node.matrix
        if matrix:
            facts += [matrix.rows, matrix.columns, matrix.groups, matrix.kernel_positions, matrix.local]
        digest.update(json.dumps(facts, default=int).encode())
        for edge in node.edges:
            digest.update(f"{edge.source} {edge.channels}".encode())
            for bounds in (edge.rows_lo, edge.rows_hi, edge.cols_lo, edge.cols_hi):
                digest.update(np.ascontiguousarray(bounds, dtype="<i8").tobytes())
    return digest.hexdigest()


def _source(program: Program, batch: int, engine: str) -> Source:
    nodes = program.dataflow.nodes
    return Source(
        workload=program.dataflow.name,
        workload_hash=workload_hash(program.dataflow),
        parameters=sum(node.parameters for node in nodes),
        macs=sum(node.macs for node in nodes),
        system=program.system.name,
        config_hash=config_hash(program.system),
        config=resolved(program.system),
        batch=batch,
        network=program.network,
        engine=engine,
    )


def _times(program: Program, timing: Timing) -> Times:
    done = np.sort(timing.image_done_ps)
    inputs = [i for i, node in enumerate(program.dataflow.nodes) if node.kind == "input"]
    entered = timing.layer_last_ps[:, inputs].max(axis=1)
    in_flight = int(max(np.count_nonzero(entered <= done[0]), np.count_nonzero(done > entered[-1])))
    last_half = np.diff(done[-(done.size // 2) - 1 :])
    while_filled = last_half[done[done.size - last_half.size :] <= entered[-1]]  # without the drain
    measured = done.size >= MEASURED_FROM and while_filled.size >= FEWEST_INTERVALS
    interval = float(np.median(while_filled)) if measured else None
    return Times(
        latency_ps=int(timing.image_done_ps[0]),
        run_ps=run_end_ps(timing),
        image_done_ps=tuple(timing.image_done_ps.tolist()),
        output_interval_ps=interval,
        steady_batch=max(MEASURED_FROM, 2 * (in_flight + FEWEST_INTERVALS)),
    )


def _timeline(timing: Timing) -> Timeline:
    first, last = timing.layer_first_ps[:TIMELINE_IMAGES], timing.layer_last_ps[:TIMELINE_IMAGES]
    return Timeline(tuple(map(tuple, first.tolist())), tuple(map(tuple, last.tolist())))


def _layers(program: Program, timing: Timing, batch: int) -> tuple[LayerResult, ...]:
    counts = count_actions(program)
    replicas, n = program.replicas, len(program.layers)
    time = {part: np.zeros(n, np.int64) for part in TIME_PARTS}
    for part, ps in split_time(program, timing, batch).items():
        np.add.at(time[part], replicas.layer, ps)
    per_image = np.zeros(n, np.int64)
    np.maximum.at(per_image, replicas.layer, np.diff(replicas.window_first) * timing.interval_ps)
    interval = np.zeros(n, np.int64)
    np.maximum.at(interval, replicas.layer, timing.interval_ps)
    pace = np.bincount(replicas.layer, weights=1e6 / np.maximum(timing.interval_ps, 1), minlength=n)
    of_slice = replicas.layer[program.slices.replica]
    found = []
    for i, (mapped, node) in enumerate(zip(program.layers, program.dataflow.nodes, strict=True)):
        own = of_slice == i
        found.append(
            LayerResult(
                name=mapped.name,
                kind=node.kind,
                operation=node.operation,
                windows=node.windows,
                replicas=mapped.replicas,
                crossbars=int(program.slices.crossbars[own].sum()),
                imas=int(program.slices.imas[own].sum()),
                tiles=np.unique(program.slices.tile[own]).size,
                cells_used=mapped.replicas * mapped.tiling.used_cells if mapped.tiling else 0,
                weight_bits=mapped.weight_bits,
                macs=node.macs,
                interval_ps=int(interval[i]),
                image_ps=int(per_image[i]),
                peak_windows_per_us=float(pace[i]),
                first_start_ps=int(timing.layer_first_ps[:, i].min()),
                last_output_ps=int(timing.layer_last_ps[:, i].max()),
                time_ps={part: int(ps[i]) for part, ps in time.items()},
                counts={action: int(count[i]) for action, count in counts.items() if count[i]},
            )
        )
    return tuple(found)


def _programming(program: Program) -> Programming:
    found = programming_wear(program)
    return Programming(found.crossbars, found.rows, found.cells, found.time_ns, found.energy_pj / 1e6)
