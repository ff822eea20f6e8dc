"""Kernels to GPU cores: which cores make what images wait for, and where every kernel lies."""

from __future__ import annotations

import numpy as np

from pimsim.config.records import System
from pimsim.errors import InputError
from pimsim.mapping.buffers import core_bytes
from pimsim.mapping.kernels import in_the_way, kernel_copies
from pimsim.technology.gpu_core import kernel_ps
from pimsim.workload.dataflow import Dataflow, Node

EVEN = 0.8  #: share of the memories of several cores that kernels fill which are not shared


def cores_in_the_way(dataflow: Dataflow, cores: int, system: System) -> int:
    """Cores for kernels of the forward and the backward pass, out of ``cores``; the others make gradients of weights.

    Images wait for the first, nobody waits for the second before the end of the batch; and a core does not leave a
    kernel that it has begun.  Shared by the time that they take, as far as their memories hold what waits for a
    barrier, and what gradients need; both on all cores where there is only one.
    """
    if system.chip.gpu_core is None or cores < 2:
        return cores
    nodes = dataflow.nodes
    size = {i: bytes_in_core(node, dataflow, system) for i, node in enumerate(nodes) if node.kind == "gpu"}
    first = [i for i in size if in_the_way(nodes[i])]
    if not first or len(first) == len(size):
        return cores
    busy_ps, all_ps = (sum(_load_ps(nodes[i], 1, system) for i in group) for group in (first, size))
    by_time = min(cores - 1, max(1, round(busy_ps / all_ps * cores)))
    of_others = sum(size.values()) - sum(size[i] for i in first)
    fullest: dict[int, float] = {}
    for n in sorted(range(1, cores), key=lambda n: abs(n - by_time)):
        copies = [kernel_copies(node, n) for node in nodes]
        shared, held = _share(dataflow, copies, n, size)
        alone = sum(size[i] for i in first if i not in shared)
        fullest[n] = max(held.max() + alone / n / EVEN, of_others / (cores - n) / EVEN)
        if fullest[n] <= core_bytes(system):
            return n
    best = min(fullest, key=lambda n: fullest[n])
    return best if EVEN * fullest[best] <= core_bytes(system) else by_time  # the memories may do, or they do not


def _share(
    dataflow: Dataflow, copies: list[int], n: int, size: dict[int, int]
) -> tuple[dict[int, np.ndarray], np.ndarray]:  # fmt: skip
    """Node -> those of ``n`` cores that share it, and (n,) bytes that each must hold.

    What is shared among equally many cores lies on the same ones, so that a band of a map stays on its core; where
    they are fewer than ``n``, on those which hold least when the first such kernel comes.
    """
    held, sets = np.zeros(n), dict[int, np.ndarray]()
    shared: dict[int, np.ndarray] = {}
    for i in size:
        node = dataflow.nodes[i]
        if in_the_way(node) and copies[i] > 1:
            if copies[i] not in sets:
                sets[copies[i]] = np.sort(np.argsort(held, kind="stable")[: copies[i]])
            shared[i] = sets[copies[i]]
            rows = node.grid[0]
            held[shared[i]] += size[i] * -(-rows // copies[i]) / rows
    return shared, held


def place_kernels(
    dataflow: Dataflow, copies: list[int], on_gpu: np.ndarray, n: int, system: System
) -> dict[int, list[int]]:  # fmt: skip
    """Tiles of the replicas of each node that runs on GPU cores, ``n`` of them for what images wait for.

    Every kernel that is not shared, those of most work or memory first, goes to the core with the least to do in a
    batch, among those of its part of the work (see :func:`cores_in_the_way`) whose memory has room for it; an optimiser
    joins the kernel whose sum it takes.  Raises InputError where there is something to run, and no core.
    """
    every = np.flatnonzero(on_gpu)
    spread = np.arange(n) * every.size // max(n, 1)
    groups = {True: every[spread], False: np.delete(every, spread) if n < every.size else every}
    kernels = [i for i, node in enumerate(dataflow.nodes) if node.kind == "gpu"]
    for i in kernels:
        if groups[in_the_way(dataflow.nodes[i])].size == 0:
            node = dataflow.nodes[i]
            raise InputError(f"'{node.name}' ({node.operation}) needs a GPU core, and {system.name} has none",
                             key="chip.tiers", allowed="a chip with a tier of GPU cores")  # fmt: skip
    busy_ps, held = np.zeros(on_gpu.size), np.zeros(on_gpu.size)
    load_ps = {i: _load_ps(dataflow.nodes[i], copies[i], system) for i in kernels}
    size = {i: bytes_in_core(dataflow.nodes[i], dataflow, system) for i in kernels}
    joined = {i: dataflow.nodes[i].edges[0].source for i in kernels if _joins(i, dataflow, copies)}
    for i, with_it in joined.items():
        load_ps[with_it] += load_ps[i]
        size[with_it] += size[i]
    shared, held[groups[True]] = _share(dataflow, copies, groups[True].size, size)
    placed = {i: groups[True][cores].tolist() for i, cores in shared.items()}
    for i, tiles_of in placed.items():
        busy_ps[tiles_of] += load_ps[i]
    room, usual_ps = core_bytes(system), sum(load_ps.values()) / max(len(kernels), 1)
    alone = [i for i in kernels if i not in shared and i not in joined]
    alone.sort(key=lambda i: -max(load_ps[i] / max(usual_ps, 1.0), size[i] / room))
    for i in alone:
        tiles = groups[in_the_way(dataflow.nodes[i])]
        fits = tiles[held[tiles] + size[i] <= room]
        chosen = int(fits[np.argmin(busy_ps[fits])] if fits.size else tiles[np.argmin(held[tiles])])
        busy_ps[chosen] += load_ps[i]
        held[chosen] += size[i]
        placed[i] = [chosen]
    return placed | {i: placed[with_it] for i, with_it in joined.items()}


def _joins(i: int, dataflow: Dataflow, copies: list[int]) -> bool:
    """Whether a kernel of the update reads a single one, for which nobody waits either."""
    node = dataflow.nodes[i]
    if node.phase != "update" or len(node.edges) != 1 or copies[i] > 1:
        return False
    source = node.edges[0].source
    read = dataflow.nodes[source]
    return read.kind == "gpu" and read.phase == "gradient" and copies[source] == 1


def _load_ps(node: Node, copies: int, system: System) -> float:
    """Time of each core that shares a kernel, for one image [ps]."""
    core = system.chip.gpu_core
    assert core is not None
    return kernel_ps(core, node.flops // copies, node.memory_values // copies + node.each_values) / node.every


def bytes_in_core(node: Node, dataflow: Dataflow, system: System) -> int:
    """Bytes that the memories of all cores together must hold for a kernel: inputs, and what stays."""
    core = system.chip.gpu_core
    assert core is not None
    inputs = sum(
        dataflow.nodes[edge.source].positions * edge.channels * max(edge.holds, edge.gathers) for edge in node.edges
    )
    return core.value_bytes * (inputs + node.kept_values)
