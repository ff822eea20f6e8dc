"""Program and timing become a Result; a Result can be priced again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from pimsim.config import config_hash, resolved
from pimsim.config.records import System
from pimsim.mapping.placement.archive import Archive
from pimsim.mapping.program import Program
from pimsim.mapping.timing import Timing
from pimsim.results.counting import Tally, tally
from pimsim.results.pricing import price
from pimsim.results.record import (
    FORMAT,
    TIME_PARTS,
    Front,
    LayerResult,
    PlacementResult,
    Programming,
    Result,
    Source,
    Timeline,
    Times,
)
from pimsim.results.tile_power import power_of_tiles
from pimsim.results.time_split import run_end_ps, split_time
from pimsim.results.traffic import traffic_of_run
from pimsim.results.training import (
    layer_times,
    of_all_iterations,
    times_of_iterations,
    training_result,
    with_energies,
)
from pimsim.results.training_record import MoreIterations
from pimsim.results.training_wear import wear_of_iterations
from pimsim.results.usage import busiest_resources, measure_usage, name_bottleneck, use_of_links
from pimsim.results.wear import programming_wear, wear_of_run, write_energy_pj
from pimsim.results.work import kernels_of, own_crossbars, runs_of, windows_of
from pimsim.version import __version__
from pimsim.workload.dataflow import Dataflow, Edge, Node

MEASURED_FROM = 8  #: images below which throughput is never measured
FEWEST_INTERVALS = 4  #: intervals between outputs that a throughput needs
MOST_PACE = 1.005  #: share of a resource above which a measured pace cannot last
TIMELINE_IMAGES = 16  #: images whose times by layer are kept


def build_result(
    program: Program, timing: Timing, images: int, engine: str, *, network_hash: str | None = None,
    more: MoreIterations | None = None,
) -> Result:  # fmt: skip
    """Everything that is known about a run of ``images`` images; in training, a multiple of the program's batch.

    Args:
        network_hash: :func:`workload_hash` of the network lowered for inference, whatever was made of it; None: the
            program is that inference.
        more: in training, of how many iterations ``timing`` is, and how the others follow; None: of all.

    Raises:
        InputError: a cost of the system cannot be scaled to its component's parameters.
        OverflowError: so many iterations take too long for the simulator's clock.
    """
    trains, units = is_training(program.dataflow), images // program.batch
    simulated = units if more is None else more.simulated
    times = times_of_iterations(timing, units, more) if trains else _times(program, timing)
    if more is not None:
        timing = of_all_iterations(timing, units, more)
    found = tally(program)
    usage, tiles = measure_usage(program, timing, units, times.run_ps)
    layers = _layers(program, timing, simulated * program.batch, found)
    programming = _programming(program)
    resources = busiest_resources(program, timing, layers, times, units)
    if any((each.pace_share or 0) > MOST_PACE for each in resources):  # a burst: nothing can keep that pace up
        times = replace(times, output_interval_ps=None, steady_batch=max(times.steady_batch, 2 * units))
        resources = busiest_resources(program, timing, layers, times, units)
    costs = price(layers, usage, times, units, program.system)
    training = training_result(program, timing, units, times, layers, costs, more) if trains else None
    return Result(
        format=FORMAT,
        pimsim_version=__version__,
        source=_source(program, images if training is None else program.batch, engine, layers, network_hash),
        times=times,
        usage=usage,
        costs=costs,
        programming=programming,
        wear=wear_of_run(programming) if training is None else wear_of_iterations(programming, training.wear, units),
        bottleneck=name_bottleneck(resources, layers, "the run" if more is None else f"{simulated} iterations"),
        resources=resources,
        layers=layers,
        timeline=_timeline(*_times_of_layers(program, timing, simulated, trains)),
        tiles=tiles,
        placement=_placement(program),
        links=use_of_links(program, timing, times.run_ps),
        notes=program.notes if more is None else (*program.notes, _which(units, simulated)),
        tile_power_w=tuple(power_of_tiles(program, found, units, times.run_ps).tolist()),
        training=training,
        traffic=traffic_of_run(program, timing, times.run_ps),
    )


def with_ideal_network(result: Result, program: Program, timing: Timing) -> Result:
    """A result beside a run of the same length on an ideal network.

    Args:
        program, timing: of that run (see :func:`pimsim.results.ideal_network.on_ideal_network`); where the result was
            extrapolated, of as many iterations as were simulated.
    """
    trained = result.training
    times = _times(program, timing) if trained is None else times_of_iterations(timing, trained.simulated)
    return replace(result, times_on_ideal=times)


def _which(iterations: int, simulated: int) -> str:
    """What an extrapolated result tells of which iterations."""
    return (f"{iterations:,} iterations, extrapolated from {simulated}: run, energies, powers, writes and how busy "
            f"hardware is are those of all {iterations:,}; what replicas wait for, the times of phases and layers and "
            f"what an ideal network saves, those of the {simulated} that were simulated")  # fmt: skip


def is_training(dataflow: Dataflow) -> bool:
    """Whether a network is there to be trained: weights are updated, be it after every image."""
    return any(node.phase == "update" for node in dataflow.nodes)


def _placement(program: Program) -> PlacementResult:
    used = program.placement
    place = used.place.tolist()
    return PlacementResult(
        strategy=used.strategy, start=used.start, fingerprint=used.fingerprint,
        place=() if place == list(range(len(place))) else tuple(place),
        at_start=used.at_start and used.at_start._asdict(),
        objectives=used.objectives and used.objectives._asdict(), front=_front(used.archive),
    )  # fmt: skip


def _front(archive: Archive | None) -> Front | None:
    if archive is None:
        return None
    return Front(archive.names, tuple(map(tuple, archive.values.tolist())), archive.chosen)


def reprice(result: Result, system: System) -> Result:
    """The same run under the prices of another system; times and counts stay, powers of tiles are not known."""
    if config_hash(system) == result.costs.table_hash:
        return result
    costs = price(result.layers, result.usage, result.times, result.units, system)
    array, training = system.chip.tile.ima.crossbar, result.training
    return replace(
        result,
        costs=costs,
        programming=replace(
            result.programming, energy_uj=write_energy_pj(result.programming.cells, array) / 1e6
        ),
        tile_power_w=(),
        training=training and with_energies(training, result.layers, costs, array),
    )


def workload_hash(dataflow: Dataflow) -> str:
    """SHA-256 of everything about a network that mapping and timing can see.

    What only training has is left out of inference, and where it is as in inference.
    """
    digest, trains = hashlib.sha256(), is_training(dataflow)
    if trains:
        digest.update(f"batch {dataflow.batch}".encode())
    for node in dataflow.nodes:
        facts = [node.name, node.kind, node.operation, node.grid, node.channels, sorted(node.actions.items()),
                 node.reduces, node.is_output]  # fmt: skip
        matrix = node.matrix
        if matrix:
            facts += [matrix.rows, matrix.columns, matrix.groups, matrix.kernel_positions, matrix.local]
        digest.update(json.dumps(facts + (_unusual(node, _OF_TRAINED_NODES) if trains else []), default=int).encode())
        for edge in node.edges:
            digest.update(f"{edge.source} {edge.channels}".encode())
            if trains and (kept := _unusual(edge, _OF_TRAINED_EDGES)):
                digest.update(json.dumps(kept, default=int).encode())
            for bounds in (edge.rows_lo, edge.rows_hi, edge.cols_lo, edge.cols_hi):
                digest.update(np.ascontiguousarray(bounds, dtype="<i8").tobytes())
    return digest.hexdigest()


_OF_TRAINED_NODES = ("phase", "every", "emits_every", "of", "flops", "memory_values", "each_values", "kept_values",
                     "reads", "activation")  # fmt: skip
_OF_TRAINED_EDGES = ("shared", "gathers", "initial", "saved", "holds", "wanted")


def _unusual(record: Node | Edge, names: Iterable[str]) -> list[Any]:
    """Name and value of those fields that are not as they are in inference."""
    usual = {each.name: each.default for each in fields(record)}
    return [[name, getattr(record, name)] for name in names if getattr(record, name) != usual[name]]


def _source(
    program: Program, batch: int, engine: str, layers: Sequence[LayerResult], network_hash: str | None
) -> Source:  # fmt: skip
    nodes, mapped = program.dataflow.nodes, workload_hash(program.dataflow)
    return Source(
        workload=program.dataflow.name,
        workload_hash=mapped,
        parameters=sum(node.parameters for node in nodes),
        macs=sum(layer.macs for layer in layers),
        system=program.system.name,
        config_hash=config_hash(program.system),
        config=resolved(program.system),
        batch=batch,
        network=program.network,
        engine=engine,
        network_hash=network_hash or ("" if is_training(program.dataflow) else mapped),
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


def _times_of_layers(program: Program, timing: Timing, units: int, trains: bool) -> tuple[np.ndarray, np.ndarray]:
    """(images, layers), or (iterations, layers) in training: first start and last output."""
    return layer_times(program, timing, units) if trains else (timing.layer_first_ps, timing.layer_last_ps)


def _timeline(first: np.ndarray, last: np.ndarray) -> Timeline:
    kept = first[:TIMELINE_IMAGES].tolist(), last[:TIMELINE_IMAGES].tolist()
    return Timeline(*(tuple(map(tuple, each)) for each in kept))


def _layers(program: Program, timing: Timing, images: int, found: Tally) -> tuple[LayerResult, ...]:
    replicas, n = program.replicas, len(program.layers)
    time = {part: np.zeros(n, np.int64) for part in TIME_PARTS}
    for part, ps in split_time(program, timing, images).items():
        np.add.at(time[part], replicas.layer, ps)
    windows, runs, launch_ps = windows_of(program), runs_of(program), kernels_of(program).launch_ps
    made, per_image, interval = (np.zeros(n, np.int64) for _ in range(3))
    np.add.at(made, replicas.layer, windows)
    np.maximum.at(per_image, replicas.layer, windows * timing.interval_ps + runs * launch_ps)
    np.maximum.at(interval, replicas.layer, timing.interval_ps)
    between = timing.interval_ps + launch_ps / np.diff(replicas.window_first)  # on average over a run
    pace = np.bincount(replicas.layer, weights=1e6 / np.maximum(between, 1), minlength=n)
    crossbars = own_crossbars(program)
    first_start = np.where(timing.layer_first_ps < 0, timing.layer_last_ps.max(), timing.layer_first_ps).min(axis=0)
    of_slice = replicas.layer[program.slices.replica]
    described = []
    for i, (mapped, node) in enumerate(zip(program.layers, program.dataflow.nodes, strict=True)):
        own = of_slice == i
        described.append(
            LayerResult(
                name=mapped.name,
                kind=node.kind,
                operation=node.operation,
                windows=int(made[i]),
                replicas=mapped.replicas,
                crossbars=int(crossbars[own].sum()),
                imas=int(program.slices.imas[own].sum()),
                tiles=np.unique(program.slices.tile[own]).size,
                cells_used=mapped.replicas * mapped.tiling.used_cells if mapped.tiling else 0,
                weight_bits=mapped.weight_bits,
                macs=node.macs * (program.batch // node.every),
                interval_ps=int(interval[i]),
                image_ps=int(per_image[i]),
                peak_windows_per_us=float(pace[i]),
                first_start_ps=int(first_start[i]),
                last_output_ps=int(timing.layer_last_ps[:, i].max()),
                time_ps={part: int(ps[i]) for part, ps in time.items()},
                counts={action: int(count[i]) for action, count in found.by_layer.items() if count[i]},
                phase=node.phase,
            )
        )
    return tuple(described)


def _programming(program: Program) -> Programming:
    found = programming_wear(program)
    return Programming(found.crossbars, found.rows, found.cells, found.time_ns, found.energy_pj / 1e6)
