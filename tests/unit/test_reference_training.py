"""Training in the timing model, computed by hand: runs and emissions, barriers, weights, kernels, writes.

The programs are those of small networks of inference whose nodes are then told to be something else, so that what is
tested is the timing and not the mapping.  The charts are those of test_gantt.py, in slots of 100 ns; its small system
writes what the host sends within the slot in which it is sent.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pimsim.arch.run import run_compiled
from pimsim.config.cost import Cost
from pimsim.config.gpu import GpuCore, GpuMemory
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.mapping.timing import Standstill, Timing
from pimsim.reference import run_simpy
from tests.networks import Network
from tests.unit.test_gantt import SLOT_PS, small

UPDATE = ["chip.tile.ima.crossbar.write_row_ns=130", "chip.tile.ima.crossbar.write_pulses=2"]
"""A row is read for 100 ns and written twice for 130 ns: three rows take 1,080 ns, which are 11 slots."""

CORE = GpuCore(
    multiprocessors=2, flops_per_clock=5, clock_ghz=1.0, launch_ns=10.0, occupancy=0.5, cost=Cost(source="none"),
    memory=GpuMemory(mib=1, gb_per_s=8.0, latency_ns=20.0, pj_per_bit=0.0, source="none"),
)  # fmt: skip


@pytest.fixture(params=[run_compiled, run_simpy], ids=["compiled", "reference"])
def engine(request):
    return request.param


@pytest.fixture(params=["packet", "flit", "ideal"])
def network(request):
    """Whatever the network, what is sent within a slot is there at the next."""
    return request.param


class Training(Network):
    """A network whose nodes can be changed; what the mapping of inference does not know is put in afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: dict[int, str] = {}
        self.columns: dict[str, dict[int, int]] = {"kernel_flops": {}, "kernel_values": {}, "written_rows": {}}

    def change(self, node: int, **fields) -> int:
        """Other fields of a node."""
        self.nodes[node] = replace(self.nodes[node], **fields)
        return node

    def change_edge(self, node: int, edge: int, **fields) -> int:
        """Other fields of an edge."""
        edges = list(self.nodes[node].edges)
        edges[edge] = replace(edges[edge], **fields)
        return self.change(node, edges=tuple(edges))

    def kernel(self, node: int, flops: int, values: int) -> int:
        """A node runs on a GPU core."""
        self.kinds[node] = "gpu"
        self.columns["kernel_flops"][node], self.columns["kernel_values"][node] = flops, values
        return node

    def update(self, node: int, rows: int, **fields) -> int:
        """A node writes weights."""
        self.kinds[node] = "update"
        self.columns["written_rows"][node] = rows
        return self.change(node, reduces=True, is_output=True, **fields)

    def program(self, system, batch: int = 1, capacity: dict[int, int] | None = None,
                network: str = "packet") -> Program:  # fmt: skip
        """Mapped as if all were inference; ``capacity``: buffer -> positions."""
        program = map_network(self.finish(), system, network)
        nodes = [replace(node, kind=self.kinds.get(i, node.kind)) for i, node in enumerate(program.dataflow.nodes)]
        layers = [replace(row, tiling=None) if i in self.kinds else row for i, row in enumerate(program.layers)]
        rows = program.replicas
        assert rows.layer.tolist() == list(range(len(nodes))), "a replica of each"
        columns = {
            name: np.array([values.get(i, 0) for i in range(len(nodes))]) for name, values in self.columns.items()
        }
        buffers, on_gpu = program.buffers, program.on_gpu.copy()
        for b, positions in (capacity or {}).items():
            buffers.capacity[b] = positions
        for i in (i for i, kind in self.kinds.items() if kind == "gpu"):
            on_gpu[rows.tile[i]] = True
            for b in range(rows.buffer_first[i], rows.buffer_first[i + 1]):
                buffers.ready[b][:] = buffers.positions[b]
        return replace(
            program, dataflow=replace(program.dataflow, nodes=tuple(nodes), batch=batch), layers=tuple(layers),
            replicas=replace(rows, **columns), on_gpu=on_gpu,
        )  # fmt: skip


def starts(timing: Timing, program: Program, layer: int) -> list[list[float]]:
    """Starts of the windows of a layer, a list for each run [slots]."""
    return _in_slots(timing.window_start_ps, program, layer)


def sent(timing: Timing, program: Program, layer: int) -> list[list[float]]:
    """When its outputs leave [slots]."""
    return _in_slots(timing.window_sent_ps, program, layer)


def _in_slots(times_ps: np.ndarray, program: Program, layer: int) -> list[list[float]]:
    first, end = program.replicas.window_first[layer : layer + 2]
    runs = times_ps[:, first:end]
    return (runs[runs[:, 0] >= 0] / SLOT_PS).tolist()


class TestBarrier:
    """Every image of a batch of two waits for a statistic of both.

        slot              1             17            39 40 41 42 43        57        79 80
        conv1 (sums)      r x ... (22)  r x ... (38)        r x ... (62)    r x ... (78)
                                              sends w|                            sends w|
        add2 image 0                                  r  a (41)
             image 1                                     r  a (42) w|

    conv1 sends after its second and fourth run only.  The addition has the images 0 and 1 in its own two places, and
    takes each together with the same statistic.  Image 2 finds a place at slot 40, when image 0 has been read.  The
    addition sends the sum of both images, which is there at slot 43.
    """

    def training(self) -> Training:
        net = Training()
        x = net.input(1, 1, 1)
        statistic = net.change(net.conv(x, 1, kernel=1), emits_every=2)
        result = net.change(net.add(x, statistic), emits_every=2)
        net.change_edge(result, 1, shared=2)
        return net

    def run(self, engine, network="packet", images=4):
        program = self.training().program(small(), batch=2, capacity={0: 2, 1: 2, 2: 1}, network=network)
        return program, engine(program, images, log=True)

    def test_every_image_waits_for_the_statistic_of_all(self, engine, network):
        program, timing = self.run(engine, network)
        assert starts(timing, program, 1) == [[1], [17], [41], [57]]
        assert sent(timing, program, 1) == [[22], [38], [62], [78]]
        assert starts(timing, program, 2) == [[39], [40], [79], [80]]
        assert sent(timing, program, 2) == [[41], [42], [81], [82]]

    def test_an_iteration_is_done_when_its_result_is_there(self, engine):
        _, timing = self.run(engine)
        assert timing.image_done_ps.tolist() == [43 * SLOT_PS, 83 * SLOT_PS]

    def test_what_is_not_sent_takes_no_link(self, engine):
        """Of conv1 and the addition, which share a tile, nothing leaves it; four images come in."""
        program, timing = self.run(engine)
        assert program.replicas.tile.tolist() == [-1, 0, 0]
        assert timing.ports["link"].count.sum() == 4
        assert timing.ports["edram"].count[0] == 4 + 2 + 4 + 4 + 2  # writes: images, statistics; reads; results

    def test_a_place_for_one_image_only_is_a_standstill(self, engine):
        """The second image finds no place in the addition, and conv1 never sees it."""
        program = self.training().program(small(), batch=2, capacity={0: 2, 1: 1, 2: 1})
        with pytest.raises(Standstill, match=r"standstill.*input .* waits for a place .*conv1 .* waits for"):
            engine(program, 2)

    def test_a_batch_is_not_begun_that_is_not_whole(self):
        with pytest.raises(AssertionError, match="whole batches"):
            self.run(run_simpy, images=3)


class TestUpdate:
    """Three windows that write three rows each: 11 slots, of which the next window waits.

        slot        0  1  2 ... 12 13 14 15 16 ... 23 24      26                37  38
        window 0    w  r  W ... W  o  a|
        window 1                r  W  W  W  W  ... W  o  a|
        window 2                                   r  W  ...                 a  w|

    The weights are there when the last has been written; nothing is sent before.
    """

    def test_rows_are_written_one_after_another(self, engine):
        net = Training()
        net.update(net.conv(net.input(3, 1, 1), 1, kernel=1), rows=3)
        program = net.program(small(*UPDATE))
        timing = engine(program, 1, log=True)
        assert starts(timing, program, 1) == [[1, 12, 23]]
        assert sent(timing, program, 1) == [[15, 26, 37]]
        assert timing.image_done_ps.tolist() == [38 * SLOT_PS]
        assert (timing.interval_ps[1], timing.work_ps[1]) == (11 * SLOT_PS, 11 * SLOT_PS)


class TestWeights:
    """conv1 uses the same weights for two images; the addition, which stands for the gradient, is soon done with both.

        slot          1    3    6       17 18      36     39            73   75    78    89 90       108
        conv1         r x ...           r x ... x|                      r x ...          r x ... x|
        add2          r    r                       r (image 2)               r (image 3)
        update3                                    r W ... 47 ... 58 ...a(72)w|                       r W ...

    The update has its gradient at slot 6, but writes no row before the second image has left conv1's crossbars: read
    from slot 17 to 18, in them for 18 more.  Its three windows start 11 slots apart, the last is through at 58 + 14;
    one slot later conv1 goes on.  The first iteration's weights are there from the beginning.
    """

    def run(self, engine, network="packet"):
        net = Training()
        x = net.input(1, 1, 1)
        layer = net.change(net.conv(x, 1, kernel=1), emits_every=2)
        gradient = net.change(net.add(x), emits_every=2)
        update = net.conv(gradient, 1, kernel=1)
        net.change_edge(update, 0, rows_lo=np.zeros(3, np.int64), rows_hi=np.zeros(3, np.int64))
        net.update(update, rows=3, grid=(3, 1), every=2)
        weights = replace(net.nodes[layer].edges[0], source=update, channels=0, shared=2, initial=1)
        net.change(layer, edges=(*net.nodes[layer].edges, weights))
        program = net.program(small(*UPDATE), batch=2, network=network)
        return program, engine(program, 4, log=True)

    def test_new_weights_are_waited_for(self, engine, network):
        program, timing = self.run(engine, network)
        assert starts(timing, program, 1) == [[1], [17], [73], [89]]

    def test_no_row_is_written_while_the_old_weights_are_in_use(self, engine):
        program, timing = self.run(engine)
        assert sent(timing, program, 2) == [[3], [5], [39], [77]]
        assert starts(timing, program, 3) == [[36, 47, 58], [108, 119, 130]]
        assert sent(timing, program, 3) == [[50, 61, 72], [122, 133, 144]]
        assert timing.lost_ps["space"][3] == (108 - 78) * SLOT_PS

    def test_an_iteration_is_done_when_its_weights_are_written(self, engine):
        _, timing = self.run(engine)
        assert timing.image_done_ps.tolist() == [73 * SLOT_PS, 145 * SLOT_PS]

    def test_runs_that_are_not_made_have_no_times(self, engine):
        program, timing = self.run(engine)
        assert timing.layer_first_ps.shape == timing.layer_last_ps.shape == (4, 4)
        assert (timing.layer_first_ps[:, 3] / SLOT_PS).tolist() == [36, 108, -1 / SLOT_PS, -1 / SLOT_PS]
        assert (timing.layer_last_ps[:, 3] / SLOT_PS).tolist() == [72, 144, -1 / SLOT_PS, -1 / SLOT_PS]
        last_windows = slice(*program.replicas.window_first[3:5])
        assert np.all(timing.window_start_ps[2:, last_windows] == -1)
        assert np.all(timing.window_sent_ps[2:, last_windows] == -1)


class TestKernels:
    """Two kernels on one core; times in ps.

    The core reaches 5 operations and 4 bytes (one value) a ns; a launch takes 10 ns.  gpu1: 1,001 operations, 200,200
    for three windows of 66,734.  gpu2: 300 values, 300,000 for three windows of 100,000, whatever its 10 operations.

    The host's three positions are sent at 2, 4 and 6; each takes two flits on the link into the tile, 2,000, so that
    the last enters it at 4,002, has its head there 5,000 and its tail 1,000 later.  500 to write its four bytes, and
    the memory's 20,000: at 30,502 all is there.

        core     30,502  gpu1  240,704             gpu2             550,704
                 launch 66,734 66,734 66,734| launch 100,000 100,000 100,000|
        free            0      1      2              0       1       2
    """

    def system(self, *overrides):
        system = small("chip.tile.imas=2", *overrides)
        return system.model_copy(update={"chip": system.chip.model_copy(update={"gpu_core": CORE})})

    def training(self) -> tuple[Training, int]:
        """The network, and gpu1."""
        net = Training()
        x = net.input(1, 3, 1)
        first = net.kernel(net.conv(x, 1, kernel=1), 1001, 100)
        net.kernel(net.conv(x, 1, kernel=1), 10, 300)
        return net, first

    def run(self, engine):
        program = self.training()[0].program(self.system())
        assert program.replicas.tile.tolist() == [-1, 0, 0]
        return program, engine(program, 2, log=True)

    def test_a_kernel_begins_when_all_inputs_are_there_and_the_core_is_free(self, engine):
        _, timing = self.run(engine)
        first, second = timing.window_start_ps[0, 3:6], timing.window_start_ps[0, 6:9]
        assert first.tolist() == [30_502, 107_236, 173_970]
        assert second.tolist() == [240_704, 350_704, 450_704]
        assert timing.window_sent_ps[0, 3:].tolist() == [107_236, 173_970, 240_704, 350_704, 450_704, 550_704]

    def test_the_next_run_waits_for_its_last_input(self, engine):
        """Its place is free once gpu2 has ended at 550,704; 2 + 6,000 + 500 + 20,000 later it is there."""
        _, timing = self.run(engine)
        assert timing.window_start_ps[1, [3, 6]].tolist() == [577_206, 577_206 + 210_202]

    def test_the_core_counts_its_work_and_its_queue(self, engine):
        program, timing = self.run(engine)
        core = timing.ports["core"]
        assert core.busy_ps.size == program.fabric.n_tiles
        assert (core.busy_ps[0], core.wait_ps[0], core.count[0]) == (2 * (210_202 + 310_000), 2 * 210_202, 4)
        assert core.busy_ps.sum() == core.busy_ps[0]

    def test_waiting_for_the_core_has_a_name(self, engine):
        """Before the first start all is fill; in the second run gpu2 waits for gpu1."""
        _, timing = self.run(engine)
        assert timing.lost_ps["core"].tolist() == [0, 0, 210_202]
        assert timing.lost_ps["fill"].tolist() == [0, 30_502, 240_704]
        assert timing.interval_ps.tolist()[1:] == timing.work_ps.tolist()[1:] == [66_734, 100_000]

    def test_results_are_written_into_the_memory_of_the_core(self, engine):
        """In its own tile: no link, 500 to write, 20,000 until they can be read; on no slot."""
        _, timing = self.run(engine)
        last = 577_206 + 210_202 + 310_000
        assert timing.image_done_ps.tolist() == [550_704 + 20_500, last + 20_500]
        writes = 2 * (3 + 6)
        memory = timing.ports["edram"]
        assert (memory.count[0], memory.busy_ps[0]) == (writes, writes * 500)
        assert timing.ports["bus"].count[0] == 0

    def test_results_without_a_place_leave_the_core_to_others(self, engine):
        """conv3, in a tile of its own, has one place for what gpu1 makes, and takes 16 slots a vector.

        The first result is there at slot 2 and its place free at slot 3: only then the second window goes on, from
        300,000 to 366,734, and it is there at slot 4.  conv3 has read it at slot 19, when the third window goes on.
        gpu2 has the core from 240,704 all the same.
        """
        net, kernel = self.training()
        net.conv(kernel, 1, kernel=1)
        program = net.program(self.system("chip.tile.edram.banks=1"), capacity={2: 1})
        timing = engine(program, 1, log=True)
        assert program.replicas.tile.tolist() == [-1, 0, 0, 1]
        assert timing.window_start_ps[0, 3:6].tolist() == [30_502, 300_000, 1_900_000]
        assert timing.window_sent_ps[0, 3:6].tolist() == [107_236, 366_734, 1_966_734]
        assert timing.window_start_ps[0, 6] == 240_704
        assert starts(timing, program, 3) == [[2, 18, 34]]
        assert timing.lost_ps["space"][1] == (300_000 - 107_236) + (1_900_000 - 366_734)
