"""What goes in comes out: rows written, activations kept, messages sent, work done, on random training programs.

The state of the engine at the end of a run, which no Timing shows, is taken where the Timing is made of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from unittest import mock

import numpy as np
from hypothesis import given, reject, settings

from pimsim.arch import run as engine
from pimsim.arch import tracing
from pimsim.arch.layout import BUFFER
from pimsim.config import load_system
from pimsim.errors import InputError
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.mapping.timing import Timing
from pimsim.technology.gpu_core import kernel_ps
from pimsim.units import ns_to_ps
from pimsim.workload.training import Training, expand_training
from tests.differential.test_engine_equals_reference import RANDOM
from tests.differential.training_cases import TrainingCase, training_cases
from tests.networks import Network

FEW = settings(RANDOM, max_examples=50)


@dataclass(frozen=True)
class Run:
    """One run of a random case, with what only the engine's state and its trace say."""

    case: TrainingCase
    program: Program
    timing: Timing
    frontier: np.ndarray  #: (B,) ranks below have arrived
    base: np.ndarray  #: (B,) ranks below are free
    half_there: int  #: positions of which some, but not all copies have arrived
    written: Counter[tuple[int, int]]  #: packets written, by tile and tree

    @property
    def images(self) -> int:
        """Images of all iterations."""
        return self.case.batch * self.case.iterations

    @property
    def runs(self) -> np.ndarray:
        """(V,) runs of every replica."""
        return self.images // self.program.replicas.every

    @property
    def emissions(self) -> np.ndarray:
        """(V,) emissions of every replica."""
        return self.runs // self.program.replicas.emits_every


def all_rows(case: TrainingCase) -> Program:
    """The case with updates of all rows of its crossbars, which the differential test cuts short."""
    tiers, rows = case.system.chip.tiers, case.system.chip.tile.ima.crossbar.rows
    norm = "sub-batch" if case.sub_batch else "batch"
    assert tiers is not None
    options = Training(case.batch, rows, case.system.chip.gpu_cores, norm, case.sub_batch, case.weight_gradient,
                       case.transposed, case.gradient_images)  # fmt: skip
    try:
        return map_network(expand_training(case.dataflow, options), case.system, case.network)
    except InputError:
        reject()


def run(case: TrainingCase) -> Run:
    """A whole run, traced."""
    program, state, written = all_rows(case), [], Counter[tuple[int, int]]()

    def keep(M, T, at, *rest):  # type: ignore[no-untyped-def]
        state.append((M, at))
        return timing_of(M, T, at, *rest)

    def trace(records: np.ndarray) -> None:
        arrived = records[records[:, 0] == tracing.WRITE]
        written.update(zip(arrived[:, 1].tolist(), arrived[:, 2].tolist(), strict=True))

    timing_of = engine._timing
    with mock.patch.object(engine, "_timing", keep):
        timing = engine.run_compiled(program, case.batch * case.iterations, log=True, trace=trace)
    ((M, at),) = state
    n = program.buffers.replica.size
    frontier, base, ring = (M[offset::BUFFER][:n] for offset in (at.buf_frontier, at.buf_base, at.buf_ring))
    half = sum(int(M[first : first + room].sum()) for first, room in zip(ring, program.buffers.capacity, strict=True))
    return Run(case, program, timing, frontier.copy(), base.copy(), half, written)


def started(result: Run, replica: int) -> np.ndarray:
    """(runs, windows) starts of a replica."""
    first, end = result.program.replicas.window_first[replica : replica + 2]
    times = result.timing.window_start_ps[:, first:end]
    return times[(times >= 0).all(axis=1)]


def check_rows(result: Run) -> None:
    """Every row of every copy is written once an iteration, after the last image has read and before the next does."""
    program, replicas, sent = result.program, result.program.replicas, result.timing.window_sent_ps
    nodes = program.dataflow.nodes
    copy = np.arange(replicas.layer.size) - np.searchsorted(replicas.layer, replicas.layer)
    writer = {(nodes[layer].of, copy[v]): v for v, layer in enumerate(replicas.layer) if nodes[layer].phase == "update"
              and nodes[layer].kind == "update"}  # fmt: skip
    users = {v: nodes[layer].of if nodes[layer].of >= 0 else layer for v, layer in enumerate(replicas.layer)
             if nodes[layer].kind == "mvm" and nodes[layer].phase in ("forward", "backward")}  # fmt: skip
    assert len(writer) == sum(holder == replicas.layer[v] for v, holder in users.items())
    for v, holder in users.items():
        u = writer[holder, copy[v]]
        assert _places(program, u) == _places(program, v)
        first, end = replicas.window_first[u : u + 2]
        rows = program.windows.position[first:end]
        assert np.array_equal(np.sort(rows), np.arange(_tallest(program, holder)))
        written, used = started(result, u), started(result, v)
        assert written.shape == (result.case.iterations, rows.size) and replicas.written_rows[u] == 1
        assert len(used) == result.images
        for n in range(result.case.iterations):
            last_use = used[(n + 1) * result.case.batch - 1].max()
            in_force = sent[n, end - 1]
            assert last_use < written[n].min()
            assert n + 1 == result.case.iterations or in_force <= used[(n + 1) * result.case.batch].min()


def _places(program: Program, replica: int) -> list[tuple[int, int]]:
    """Tile and crossbars of every slice of a replica."""
    of = program.slices.replica == replica
    return list(zip(program.slices.tile[of].tolist(), program.slices.crossbars[of].tolist(), strict=True))


def check_arrays(result: Run) -> None:
    """Crossbars that are read from both sides hold one vector at a time, in the same tiles for both."""
    replicas = result.program.replicas
    for array in set(replicas.array[replicas.array >= 0].tolist()):
        sharing = np.flatnonzero(replicas.array == array)
        assert sharing.size == 2 and sharing[0] == array
        assert len({tuple(_places(result.program, v)) for v in sharing}) == 1
        starts = [started(result, v).ravel() for v in sharing]
        begins = np.concatenate(starts)
        ends = begins + np.repeat(result.timing.interval_ps[sharing], [each.size for each in starts])
        order = np.argsort(begins)
        assert np.all(ends[order][:-1] <= begins[order][1:])


def _tallest(program: Program, layer: int) -> int:
    """Rows in use of the crossbar of a layer that has most of them."""
    tiling = program.layers[layer].tiling
    assert tiling is not None
    return int((tiling.row_hi - tiling.row_lo).max())


def check_buffers(result: Run) -> None:
    """All that is kept is received and freed: in the end nothing is left but the weights of the next batch."""
    buffers, nodes = result.program.buffers, result.program.dataflow.nodes
    left = buffers.initial * buffers.positions
    assert np.array_equal(result.frontier - result.base, left)
    emitted = np.array([result.images // (node.every * node.emits_every) for node in nodes])[buffers.source]
    assert np.array_equal(result.base, emitted * buffers.positions)
    assert result.half_there == 0
    saved = [nodes[result.program.replicas.layer[v]].edges[b - result.program.replicas.buffer_first[v]].saved
             for b, v in enumerate(buffers.replica)]  # fmt: skip
    assert any(saved) and (result.base[saved] > 0).any()


def check_messages(result: Run) -> None:
    """Of every tree as many packets pass each link, and arrive at each end, as there are messages in all emissions."""
    program, leaves = result.program, result.program.leaves
    counts = _packets(result)
    expected: Counter[tuple[int, int]] = Counter()
    for f in np.flatnonzero(leaves.slice < 0):
        expected[int(leaves.tile[f]), int(leaves.tree[f])] += int(counts[leaves.tree[f]])
    assert result.written == +expected
    links = program.trees.link >= 0
    tree = np.repeat(np.arange(counts.size), np.diff(program.trees.first))[links]
    passed = np.bincount(program.trees.link[links], weights=counts[tree], minlength=program.fabric.n_links)
    if program.network == "packet":
        assert np.array_equal(result.timing.ports["link"].count, passed)


def _packets(result: Run) -> np.ndarray:
    """(T,) packets of every tree in the run: results once an emission, partial sums in every run."""
    program = result.program
    message_first = program.message_first
    sender = np.searchsorted(program.replicas.window_first, program.message[message_first[:-1]], side="right") - 1
    partial = np.zeros(sender.size, dtype=bool)
    partial[program.slices.tree[program.slices.tree >= 0]] = True
    return np.diff(message_first) * np.where(partial, result.runs[sender], result.emissions[sender])


def check_work(result: Run) -> None:
    """dX and dW: windows x kernel x inputs x outputs of the layer each, for every image; SGD: four FLOPs a weight."""
    nodes, program = result.program.dataflow.nodes, result.program
    flops = np.bincount(program.replicas.layer, weights=program.replicas.kernel_flops * result.runs)
    for layer in result.case.dataflow.nodes:
        if layer.kind != "mvm":
            continue
        weights = layer.matrix.rows * layer.matrix.columns * layer.matrix.groups
        work = layer.windows * weights * result.images
        own = [(i, node.operation) for i, node in enumerate(nodes) if node.name.startswith(layer.name + "/")]
        done = {kind: [i for i, operation in own if operation == kind]
                for kind in ("Transposed", "WeightGradient", "Optimiser")}  # fmt: skip
        for kind in ("Transposed", "WeightGradient"):
            macs = sum(nodes[i].macs * _runs_of(result, i) for i in done[kind])
            assert macs == work or (kind == "Transposed" and not done[kind])
        if result.case.weight_gradient == "gpu":
            assert flops[done["WeightGradient"]].sum() == 2 * work
        assert flops[done["Optimiser"]].sum() == 4 * weights * result.case.iterations


def _runs_of(result: Run, layer: int) -> int:
    """Runs that all replicas of a layer made, as their windows show."""
    replicas = np.flatnonzero(result.program.replicas.layer == layer)
    made = {len(started(result, v)) for v in replicas}
    assert len(made) == 1
    return made.pop()


def check_cores(result: Run) -> None:
    """Cores are busy for a launch and the roofline of every run, whose windows each take a share rounded up."""
    program, replicas, core = result.program, result.program.replicas, result.case.system.chip.gpu_core
    assert core is not None
    busy = np.zeros(program.fabric.n_tiles, np.int64)
    for v in np.flatnonzero((replicas.tile >= 0) & program.on_gpu[replicas.tile]):
        windows = int(replicas.window_first[v + 1] - replicas.window_first[v])
        whole = kernel_ps(core, int(replicas.kernel_flops[v]), int(replicas.kernel_values[v]))
        busy[replicas.tile[v]] += result.runs[v] * (ns_to_ps(core.launch_ns) + windows * -(-whole // windows))
    assert np.array_equal(result.timing.ports["core"].busy_ps, busy)


@FEW
@given(training_cases())
def test_what_goes_in_comes_out(case):
    result = run(case)
    check_rows(result)
    check_arrays(result)
    check_buffers(result)
    check_messages(result)
    check_work(result)
    check_cores(result)


def test_blocks_on_a_diagonal_are_written_together():
    """Four groups of 18 rows and one output; 16 columns take two weights: crossbars of 36 rows, not of 72.

    The transposed blocks have 9 rows and two outputs: each has a crossbar of its own.
    """
    net = Network()
    net.conv(net.conv(net.input(2, 2, 2), 8, 1), 4, 3, groups=4)
    system = load_system("hetero-3d", ["chip.tile.ima.crossbar.columns=16"])
    training = expand_training(net.finish(), Training(2, system.chip.tile.ima.crossbar.rows, system.chip.gpu_cores))
    nodes = map_network(training, system).dataflow.nodes
    rows = {nodes[node.of].name: node.windows for node in nodes if node.kind == "update"}
    assert rows == {"conv1": 2, "conv2": 36, "conv2/backward": 9}
