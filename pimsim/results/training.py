"""What training adds to a Result: iterations, phases, kinds, saved activations, wear."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from pimsim.config.records import Crossbar
from pimsim.mapping.program import Program
from pimsim.mapping.timing import PortCounts, Timing
from pimsim.results.record import TIME_PARTS, Costs, LayerResult, Times
from pimsim.results.sending import edges_of_buffers
from pimsim.results.time_split import run_end_ps
from pimsim.results.training_record import (
    KINDS,
    PHASES,
    KindResult,
    MoreIterations,
    PhaseResult,
    TrainingResult,
    TrainingWear,
)
from pimsim.results.training_wear import wear_of_training
from pimsim.results.wear import write_energy_pj

KIND_OF_COMPONENT = {"ima": "reram", "tile": "reram", "gpu": "gpu"}
"""Level of a component -> one of KINDS, but for those of the network and DRAM."""
LONGEST_PS = 2**62  #: of a run: twice as much no longer fits the counters
_NETWORK = ("tile.router", "chip.channel", "chip.link")


def of_all_iterations(timing: Timing, iterations: int, more: MoreIterations) -> Timing:
    """What the ports of a longer run do: every iteration has the same work.  All else stays that of the simulated run.

    Raises:
        OverflowError: the run is too long for the simulator's clock.
    """
    if more.done_ps >= LONGEST_PS:
        raise OverflowError(f"{iterations:,} iterations take longer than the simulator's clock goes")

    def added(done: np.ndarray) -> np.ndarray:
        each, rest = np.divmod(done, more.simulated)
        return each * iterations + rest * iterations // more.simulated

    ports = {kind: PortCounts(added(port.busy_ps), added(port.wait_ps), added(port.count))
             for kind, port in timing.ports.items()}  # fmt: skip
    return replace(timing, ports=ports)


def times_of_iterations(timing: Timing, iterations: int, more: MoreIterations | None = None) -> Times:
    """When iterations had ended: the last weights of each are in their cells."""
    done = timing.image_done_ps[: iterations if more is None else more.simulated]
    last_ps = int(done[-1]) if more is None else more.done_ps
    return Times(
        latency_ps=int(done[0]),
        run_ps=run_end_ps(timing) + last_ps - int(done[-1]),
        image_done_ps=tuple(done.tolist()),
        output_interval_ps=(last_ps - int(done[0])) / (iterations - 1) if iterations > 1 else None,
        steady_batch=2,
    )


def training_result(
    program: Program, timing: Timing, iterations: int, times: Times, layers: Sequence[LayerResult],
    costs: Costs, more: MoreIterations | None = None,
) -> TrainingResult:  # fmt: skip
    """Everything about a run of training that inference has not; ``timing`` as :func:`of_all_iterations` makes it."""
    busy = timing.ports["core"].busy_ps[program.tiles_used[program.on_gpu[program.tiles_used]]]
    working = [layer for layer in layers if layer.kind != "input"]
    spent = _summed(working)
    ended = tuple(np.diff(times.image_done_ps, prepend=0).tolist())
    found = TrainingResult(
        batch=program.batch,
        iterations=iterations,
        iteration_ps=ended,
        phases=tuple(_phases(program, timing, len(ended), layers)),
        kinds=tuple(_kinds(layers)),
        core_busy_shares=tuple((busy / max(times.run_ps, 1)).tolist()),
        network_share=spent["network"] / max(sum(spent.values()), 1),
        saved_bytes=saved_bytes(program),
        wear=TrainingWear(1.0, (), ()),
        more=more,
    )
    found = replace(found, wear=wear_of_training(program, found.time_per_iteration_ps))
    return with_energies(found, layers, costs, program.system.chip.tile.ima.crossbar)


def with_energies(
    found: TrainingResult, layers: Sequence[LayerResult], costs: Costs, array: Crossbar
) -> TrainingResult:  # fmt: skip
    """The same run of training with the energies of ``costs``, those of writes at the prices of ``array``."""
    of_layer = [sum(energy.values()) for energy in costs.by_layer_pj]
    phases = tuple(
        replace(each, dynamic_pj=sum(
            (pj for pj, layer in zip(of_layer, layers, strict=True) if layer.phase == each.phase), 0.0
        ))
        for each in found.phases
    )  # fmt: skip
    kinds = tuple(
        replace(each, dynamic_pj=_of_kind(each.kind, costs.dynamic_pj), static_pj=_of_kind(each.kind, costs.static_pj))
        for each in found.kinds
    )
    writes = tuple(
        replace(each, energy_pj=each.cell_writes * write_energy_pj(each.cells, array)) for each in found.wear.layers
    )
    return replace(found, phases=phases, kinds=kinds, wear=replace(found.wear, layers=writes))


def kind_of(component: str) -> str:
    """The kind, one of KINDS, to which the energy of a component belongs."""
    if component in _NETWORK:
        return "network"
    return KIND_OF_COMPONENT.get(component.partition(".")[0], "other")


def _of_kind(kind: str, energy: Mapping[str, float]) -> float:
    return sum((pj for component, pj in energy.items() if kind_of(component) == kind), 0.0)


def _summed(layers: Iterable[LayerResult]) -> dict[str, int]:
    """TIME_PARTS, summed over the replicas of some layers."""
    of_layers = [layer.time_ps for layer in layers]
    return {part: sum(each[part] for each in of_layers) for part in TIME_PARTS}


def _phases(
    program: Program, timing: Timing, iterations: int, layers: Sequence[LayerResult]
) -> Iterable[PhaseResult]:  # fmt: skip
    first, last = layer_times(program, timing, iterations)
    for phase in PHASES:
        own = [i for i, layer in enumerate(layers) if layer.phase == phase and layer.kind != "input"]
        if not own:
            continue
        yield PhaseResult(
            phase=phase,
            layers=len(own),
            macs=sum(layers[i].macs for i in own if layers[i].kind == "mvm"),
            kernel_flops=sum(layers[i].counts.get("kernel_flop", 0) for i in own),
            first_start_ps=int(first[-1, own].min()),
            last_output_ps=int(last[-1, own].max()),
            time_ps=_summed(layers[i] for i in own),
            dynamic_pj=0.0,
        )


def _kinds(layers: Sequence[LayerResult]) -> Iterable[KindResult]:
    for kind in KINDS:
        own = [layer for layer in layers if kind == _kind_of_layer(layer)]
        yield KindResult(kind, sum(layer.replicas for layer in own), _summed(own) if own else {}, 0.0, 0.0)


def _kind_of_layer(layer: LayerResult) -> str:
    return {"gpu": "gpu", "input": "host"}.get(layer.kind, "reram")


def layer_times(program: Program, timing: Timing, iterations: int) -> tuple[np.ndarray, np.ndarray]:
    """(iterations, layers) first window's start and last output of each layer in each iteration."""
    every = np.array([node.every for node in program.dataflow.nodes])
    shape = iterations, every.size
    first, last = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for runs in np.unique(program.batch // every).tolist():
        own = program.batch // every == runs
        made = iterations * runs
        first[:, own] = timing.layer_first_ps[:made, own].reshape(iterations, runs, -1).min(axis=1)
        last[:, own] = timing.layer_last_ps[:made, own].reshape(iterations, runs, -1).max(axis=1)
    return first, last


def saved_bytes(program: Program) -> dict[str, int]:
    """Bytes of the places for activations that the backward pass needs: in eDRAM, DRAM, and memory of GPU cores."""
    nodes, replicas, buffers = program.dataflow.nodes, program.replicas, program.buffers
    core, word = program.system.chip.gpu_core, -(-program.system.mapping.input_bits // 8)
    spilled = np.zeros(buffers.replica.size, bool)
    spilled[_buffers_in_dram(program)] = True
    places = {"edram": 0, "dram": 0, "gpu_memory": 0}
    for b, (i, e) in enumerate(edges_of_buffers(program)):
        edge = nodes[i].edges[e]
        if edge.saved:
            on_gpu = program.on_gpu[replicas.tile[buffers.replica[b]]]
            place = "gpu_memory" if on_gpu else "dram" if spilled[b] else "edram"
            size = core.value_bytes if core is not None and on_gpu else word
            places[place] += int(buffers.capacity[b]) * edge.channels * size
    return places


def _buffers_in_dram(program: Program) -> np.ndarray:
    """Buffers that packets reach which are written to DRAM."""
    leaves = program.leaves
    leaf = np.repeat(np.arange(leaves.tile.size), np.diff(leaves.entry_first))
    own = leaves.spilled[leaf] > 0
    window = np.append(program.message, 0)[program.message_first[leaves.tree[leaf[own]]]]
    buffers: np.ndarray = program.entry_buffer[program.windows.entry_first[window] + leaves.entry[own]]
    return buffers
