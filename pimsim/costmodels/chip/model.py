"""The analytical model of a chip: a network and a system in, a Result out, without events.

Mapping, intervals and counts are those of the simulator; the time of an inference is the longest path through the
dependencies of its windows on an empty system (:mod:`pimsim.costmodels.chip.timing`).  What NOTE names is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pimsim.config import System, config_hash, load_system, naming_keys, resolved
from pimsim.costmodels.chip.outline import Outline, find_outline
from pimsim.errors import InputError, shown
from pimsim.mapping.cautions import cautions
from pimsim.results.pricing import price
from pimsim.results.record import FORMAT, NetworkUse, Programming, Resource, Result, Source, Timeline, Times, Usage
from pimsim.results.usage import name_bottleneck
from pimsim.results.wear import wear_of_run, write_energy_pj, write_time_ns
from pimsim.version import __version__
from pimsim.workload import Dataflow, Workload, load_workload, lower

ENGINE = "analytical"  #: ``source.engine`` of an estimate
MOST_IMAGES = 10**6  #: of a batch: each has an entry in the result

NOTE = (
    "analytical estimate: no events; the network is ideal (a shared one, packet or flit, can be several times slower), "
    "and ports and digital units are free whenever another layer asks for them"
)


def estimate(
    workload: str | Path | Workload | Dataflow,
    system: str | Path | System,
    *,
    batch: int = 1,
    overrides: Sequence[str] = (),
    input_shapes: Mapping[str, Sequence[int]] | None = None,
) -> Result:
    """What :func:`pimsim.simulate` would say with an ideal network, nearly, in a tenth of the time.

    The Result has the figures of a run; ``source.engine`` is ``analytical``, the throughput is always there, and of
    the time of layers what they lose in the network and for lack of places is part of what they wait for inputs.

    >>> from pimsim.costmodels.chip import estimate
    >>> estimate("mnist-mlp", "isaac-ce").summary["latency_us"]
    7.9

    Estimates of one Dataflow on systems that differ in prices alone share everything but the prices.

    Args:
        workload: a shipped name, a YAML or ONNX file, or what :func:`pimsim.workload.load_workload` or
            :func:`pimsim.workload.lower` returns; the latter saves time where there are many systems.
        system: a shipped name, a YAML file, or what :func:`pimsim.config.load_system` returns.
        batch: images that stream through.
        overrides: ``KEY=VALUE`` with dotted keys, for a system given by name or file.
        input_shapes: shape by input name, for a workload given by name or file.

    Raises:
        InputError: something given is wrong, or the network does not fit the system.
        Standstill: buffers are too small for the network to go on.
    """
    if isinstance(batch, bool) or not isinstance(batch, int) or not 1 <= batch <= MOST_IMAGES:
        raise InputError(f"a batch of {shown(batch)} images cannot be estimated", key="batch",
                         allowed=f"a whole number from 1 to {MOST_IMAGES:,}")  # fmt: skip
    if isinstance(system, System) and overrides:
        raise InputError("overrides change a system given by name or file, not one already loaded", key="overrides")
    described = system if isinstance(system, System) else load_system(system, overrides)
    if not isinstance(workload, Dataflow):
        loaded = workload if isinstance(workload, Workload) else load_workload(workload, input_shapes)
        workload = lower(loaded)
    with naming_keys(system, overrides):
        return _result(workload, described, find_outline(workload, described), batch)


def _result(dataflow: Dataflow, system: System, outline: Outline, batch: int) -> Result:
    times = _times(outline, batch)
    layers = outline.layers_of_batch(batch, times.run_ps)
    usage = _usage(outline, system, batch, times.run_ps)
    resources = _resources(outline, times, batch)
    programming = _programming(outline, system)
    return Result(
        format=FORMAT,
        pimsim_version=__version__,
        source=_source(dataflow, system, outline, batch),
        times=times,
        usage=usage,
        costs=price(layers, usage, times, batch, system),
        programming=programming,
        wear=wear_of_run(programming),
        bottleneck=name_bottleneck(resources, layers),
        resources=resources,
        layers=layers,
        timeline=Timeline(
            (tuple(layer.first_start_ps for layer in outline.layers),),
            (tuple(layer.last_output_ps for layer in outline.layers),),
        ),
        tiles=outline.tile_map(system, batch, times.run_ps),
        placement=outline.placement,
        links=NetworkUse((), (), (), ()),
        notes=(NOTE, *dataflow.notes, *cautions(system), *outline.notes),
    )


def _times(outline: Outline, batch: int) -> Times:
    later = [round(k * outline.interval_ps) for k in range(batch)]
    return Times(
        latency_ps=outline.latency_ps,
        run_ps=outline.run_ps + later[-1],
        image_done_ps=tuple(outline.latency_ps + each for each in later),
        output_interval_ps=outline.interval_ps,
        steady_batch=1,
    )


def _usage(outline: Outline, system: System, batch: int, run_ps: int) -> Usage:
    ima, used = system.chip.tile.ima, outline.crossbars_used
    imas = outline.tiles * system.chip.tile.imas
    return Usage(
        chips=outline.chips,
        chips_used=outline.chips_used,
        tiles=outline.tiles,
        tiles_used=outline.tiles_used,
        imas=imas,
        imas_used=sum(layer.imas for layer in outline.layers),
        crossbars=imas * ima.crossbars,
        crossbars_used=used,
        cells_used=sum(layer.cells_used for layer in outline.layers),
        cells_allotted=used * ima.crossbar.rows * ima.crossbar.columns,
        crossbar_busy_share=batch * outline.reading_ps / (used * run_ps) if used else 0.0,
    )


def _resources(outline: Outline, times: Times, batch: int) -> tuple[Resource, ...]:
    """The busiest of each kind, busiest first."""
    found = [
        Resource(busy.kind, busy.place, batch * busy.image_ps / times.run_ps, busy.image_ps / outline.interval_ps)
        for busy in outline.busy
        if busy.image_ps
    ]
    return tuple(sorted(found, key=lambda each: (-each.busy_share, each.kind, each.place)))


def _programming(outline: Outline, system: System) -> Programming:
    array, cells = system.chip.tile.ima.crossbar, sum(layer.cells_used for layer in outline.layers)
    energy_pj = sum(write_energy_pj(layer.cells_used, array) for layer in outline.layers)
    time_ns = write_time_ns(outline.most_rows, array)
    return Programming(outline.crossbars_used, outline.rows_used, cells, time_ns, energy_pj / 1e6)


def _source(dataflow: Dataflow, system: System, outline: Outline, batch: int) -> Source:
    return Source(
        workload=dataflow.name,
        workload_hash=outline.workload_hash,
        parameters=sum(node.parameters for node in dataflow.nodes),
        macs=sum(node.macs for node in dataflow.nodes),
        system=system.name,
        config_hash=config_hash(system),
        config=resolved(system),
        batch=batch,
        network="ideal",
        engine=ENGINE,
        network_hash=outline.workload_hash,
    )
