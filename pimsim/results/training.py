"""What training adds to a Result: iterations, phases, kinds, traffic between tiers, saved activations, wear."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from pimsim.config.records import Crossbar
from pimsim.mapping.program import Program
from pimsim.mapping.timing import Timing
from pimsim.network.fabric import HOST
from pimsim.results.record import TIME_PARTS, Costs, LayerResult, Times
from pimsim.results.sending import edges_of_buffers, sending
from pimsim.results.time_split import run_end_ps
from pimsim.results.traffic import tiers_of_tiles
from pimsim.results.training_record import (
    KINDS,
    PHASES,
    KindResult,
    PhaseResult,
    TierTraffic,
    TrainingResult,
    pace_ps,
)
from pimsim.results.training_wear import wear_of_training
from pimsim.results.wear import write_energy_pj

KIND_OF_COMPONENT = {"ima": "reram", "tile": "reram", "gpu": "gpu"}
"""Level of a component -> one of KINDS, but for those of the network and DRAM."""
_NETWORK = ("tile.router", "chip.channel", "chip.link")


def times_of_iterations(timing: Timing, iterations: int) -> Times:
    """When iterations had ended: the last weights of each are in their cells."""
    done = timing.image_done_ps[:iterations]
    later = int(done[-1] - done[0])
    return Times(
        latency_ps=int(done[0]),
        run_ps=run_end_ps(timing),
        image_done_ps=tuple(done.tolist()),
        output_interval_ps=later / (iterations - 1) if iterations > 1 else None,
        steady_batch=2,
    )


def training_result(
    program: Program, timing: Timing, iterations: int, times: Times, layers: Sequence[LayerResult],
    costs: Costs,
) -> TrainingResult:  # fmt: skip
    """Everything about a run of training that inference has not."""
    busy = timing.ports["core"].busy_ps[program.tiles_used[program.on_gpu[program.tiles_used]]]
    working = [layer for layer in layers if layer.kind != "input"]
    spent = _summed(working)
    ended = tuple(np.diff(times.image_done_ps, prepend=0).tolist())
    found = TrainingResult(
        batch=program.batch,
        iterations=iterations,
        iteration_ps=ended,
        phases=tuple(_phases(program, timing, iterations, layers)),
        kinds=tuple(_kinds(layers)),
        core_busy_shares=tuple((busy / max(times.run_ps, 1)).tolist()),
        traffic=tier_traffic(program),
        network_share=spent["network"] / max(sum(spent.values()), 1),
        saved_bytes=saved_bytes(program),
        wear=wear_of_training(program, pace_ps(ended)),
    )
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


def tier_traffic(program: Program) -> TierTraffic:
    """Flits of one iteration between the tiles of each pair of tiers; what stays in its tile is no traffic."""
    fabric, leaves, sent = program.fabric, program.leaves, sending(program)
    tier, tiers = tiers_of_tiles(fabric), int(fabric.tier.max()) + 1
    source, flits = sent.tile[leaves.tree], (program.tree_flits * sent.uses)[leaves.tree]
    counts = np.zeros((tiers, tiers), np.int64)
    moved = (source != HOST) & (source != leaves.tile)
    np.add.at(counts, (tier[source[moved]], tier[leaves.tile[moved]]), flits[moved])
    from_host = np.zeros(tiers, np.int64)
    np.add.at(from_host, tier[leaves.tile[source == HOST]], flits[source == HOST])
    kinds = program.system.chip.tiers or ("reram",) * tiers
    return TierTraffic(tuple(kinds), tuple(map(tuple, counts.tolist())), tuple(from_host.tolist()))


def saved_bytes(program: Program) -> dict[str, int]:
    """Bytes of the places for activations that the backward pass needs: in eDRAM, DRAM, and memory of GPU cores."""
    nodes, replicas, buffers = program.dataflow.nodes, program.replicas, program.buffers
    word = -(-program.system.mapping.input_bits // 8)
    spilled = np.zeros(buffers.replica.size, bool)
    spilled[_buffers_in_dram(program)] = True
    places = {"edram": 0, "dram": 0, "gpu_memory": 0}
    for b, (i, e) in enumerate(edges_of_buffers(program)):
        edge = nodes[i].edges[e]
        if edge.saved:
            on_gpu = program.on_gpu[replicas.tile[buffers.replica[b]]]
            place = "gpu_memory" if on_gpu else "dram" if spilled[b] else "edram"
            places[place] += int(buffers.capacity[b]) * edge.channels * word
    return places


def _buffers_in_dram(program: Program) -> np.ndarray:
    """Buffers that packets reach which are written to DRAM."""
    leaves = program.leaves
    leaf = np.repeat(np.arange(leaves.tile.size), np.diff(leaves.entry_first))
    own = leaves.spilled[leaf] > 0
    window = np.append(program.message, 0)[program.message_first[leaves.tree[leaf[own]]]]
    buffers: np.ndarray = program.entry_buffer[program.windows.entry_first[window] + leaves.entry[own]]
    return buffers
