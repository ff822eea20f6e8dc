"""Crossbars that several replicas share, computed by hand: who reads when, and whose wait has which name.

The programs are those of small networks whose layers are then told to share an array, so that what is tested is the
timing and not the mapping.  The charts are those of test_gantt.py, in slots of 100 ns: of a window that starts in slot
s the output is sent at s + 21 and there at s + 22; what the host sends in slot 0 is there at slot 1; an addition that
starts in slot s sends at s + 2, and its sum is there at s + 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pimsim.arch.run import run_compiled
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.mapping.timing import Timing
from pimsim.reference import run_simpy
from pimsim.reference.durations import Durations
from tests.differential.comparison import differences
from tests.networks import Network
from tests.unit.test_gantt import SLOT_PS, in_slots, small


def shared(net: Network, *numbers: int, overrides: tuple[str, ...] = (), passes: dict[int, int] | None = None,
           capacity: dict[int, int] | None = None) -> Program:  # fmt: skip
    """The network, mapped, with the array of each replica; ``passes``: of a layer; ``capacity``: of a buffer."""
    program = map_network(net.finish(), small("chip.tile.imas=4", *overrides))
    layers = list(program.layers)
    for i, n in (passes or {}).items():
        layers[i] = replace(layers[i], tiling=replace(layers[i].tiling, passes=n))
    for b, positions in (capacity or {}).items():
        program.buffers.capacity[b] = positions
    rows = replace(program.replicas, array=np.array(numbers, dtype=np.int64))
    return replace(program, layers=tuple(layers), replicas=rows)


@pytest.fixture(params=[run_compiled, run_simpy], ids=["compiled", "reference"])
def run(request) -> Callable[[Program], Timing]:
    return lambda program: request.param(program, 1, log=True)


def starts(timing: Timing, program: Program, *layers: int) -> list[list[float]]:
    """Starts of the windows of some layers [slots]."""
    return [in_slots(timing.window_start_ps, program, program.layers[i].name) for i in layers]


def lost(timing: Timing, reason: str) -> list[float]:
    """What each replica lost for a reason [slots]."""
    return (timing.lost_ps[reason] / SLOT_PS).tolist()


class TestHolderAndReader:
    """Two windows each of two layers, whose vectors take 16 slots, in one array.

        slot            1           17          33          49          65
        holder (conv1)  r x ...                 r x ...
        reader (conv2)  . . . . . . r x ...                 r x ...

    Both ask at slot 1; the holder, the lower replica, has its turn first.  At slot 17 it asks again, is first at its
    turn again, and stands in line behind the reader, who does so at slot 33.
    """

    def network(self, windows: int = 2, values: int = 1) -> Network:
        net = Network()
        x = net.input(1, windows, values)
        net.conv(x, 1, kernel=1)
        net.conv(x, 1, kernel=1)
        return net

    def test_they_take_turns_and_the_lower_is_first(self, run):
        program = shared(self.network(), -1, 0, 0)
        timing = run(program)
        assert starts(timing, program, 1, 2) == [[1, 33], [17, 49]]
        assert in_slots(timing.window_sent_ps, program, "conv1") == [22, 54]
        assert in_slots(timing.window_sent_ps, program, "conv2") == [38, 70]
        assert timing.image_done_ps.tolist() == [71 * SLOT_PS]

    def test_the_wait_has_a_name(self, run):
        """But before the first start all is the filling of the pipeline."""
        timing = run(shared(self.network(), -1, 0, 0))
        assert lost(timing, "fill") == [0, 1, 17]
        assert lost(timing, "array") == [0, 16, 16]
        assert lost(timing, "input") == lost(timing, "space") == [0, 0, 0]

    def test_the_pace_of_a_replica_is_its_own(self, run):
        """What the other takes is lost, and does not make the interval longer."""
        timing = run(shared(self.network(), -1, 0, 0))
        assert timing.interval_ps[1:].tolist() == timing.work_ps[1:].tolist() == [16 * SLOT_PS] * 2

    def test_whoever_asks_first_is_first(self, run):
        """The holder's input comes through an addition, at slot 4, and it stands in line until 17.

            slot            1     4     17          33          49
            holder (conv2)        . . . r x ...     . . . . . . r x ...
            reader (conv3)  r x ...     . . . . . . r x ...
        """
        net = Network()
        x = net.input(1, 2, 1)
        net.conv(net.add(x), 1, kernel=1)
        net.conv(x, 1, kernel=1)
        program = shared(net, -1, -1, 0, 0)
        timing = run(program)
        assert starts(timing, program, 2, 3) == [[17, 49], [1, 33]]
        assert lost(timing, "array") == [0, 0, 16, 16]
        assert lost(timing, "fill") == [0, 1, 17, 1]

    def test_passes_make_the_reader_slower_and_the_holder_wait(self, run):
        """The reader's vectors take 3 x 16 slots: 17 to 65, and from 81, behind the holder's second."""
        program = shared(self.network(), -1, 0, 0, passes={2: 3})
        timing = run(program)
        assert starts(timing, program, 1, 2) == [[1, 65], [17, 81]]
        assert in_slots(timing.window_sent_ps, program, "conv2") == [17 + 21 + 32, 81 + 21 + 32]
        assert lost(timing, "array") == [0, 48, 16]

    def test_arrays_of_different_numbers_do_not_wait_for_each_other(self, run):
        program = shared(self.network(), -1, 1, 0)
        timing = run(program)
        assert starts(timing, program, 1, 2) == [[1, 17], [1, 17]]
        assert lost(timing, "array") == [0, 0, 0]

    def test_an_array_that_is_free_again_is_taken_at_once(self, run):
        """The reader's only input is the holder's own result, at slot 23."""
        net = Network()
        net.conv(net.conv(net.input(1, 1, 1), 1, kernel=1), 1, kernel=1)
        program = shared(net, -1, 0, 0)
        assert starts(run(program), program, 1, 2) == [[1], [23]]


def test_the_line_is_first_in_first_out(run):
    """Four layers of one window each in one array, behind three, one, two and no additions of one slot's reading.

        slot     1     4     7     10    17          33          49
        conv4                      . . . . . . . . . . . . . . . r x ...
        conv5          . . . . . . . . . r x ...
        conv6                . . . . . . . . . . . . r x ...
        conv7    r x ...
    """
    net = Network()
    x = net.input(1, 1, 1)
    one = net.add(x)
    two = net.add(one)
    three = net.add(two)
    for source in (three, one, two, x):
        net.conv(source, 1, kernel=1)
    program = shared(net, -1, -1, -1, -1, 0, 0, 0, 0)
    assert starts(run(program), program, 4, 5, 6, 7) == [[49], [17], [33], [1]]


def test_of_those_who_ask_at_one_time_the_lower_replica_is_first(run):
    """Three layers ask at slot 1, and each again when it may: the line stays in this order."""
    net = Network()
    x = net.input(1, 2, 1)
    for _ in range(3):
        net.conv(x, 1, kernel=1)
    program = shared(net, -1, 0, 0, 0)
    timing = run(program)
    assert starts(timing, program, 1, 2, 3) == [[1, 49], [17, 65], [33, 81]]
    assert lost(timing, "array") == [0, 32, 32, 32]


def test_a_window_without_a_place_is_not_in_the_line(run):
    """An addition has one place for the holder's results, and needs one of the reader's with each.

        slot            1           17          33    40    49
        holder (conv1)  r x ...     s s s s s s s s s . . . r x ...
        reader (conv2)  . . . . . . r x ...     r x ...
        add3                                         r (39)

    The holder's second window could start at 17 but for its place (s), which is free at slot 40, when the addition
    has read.  Meanwhile the array is free at 33, and the reader, whose turn it is at that very slot, finds nobody in
    line.  Only from 40 on does the holder wait for the array, free at 49.
    """
    net = Network()
    x = net.input(1, 2, 1)
    net.add(net.conv(x, 1, kernel=1), net.conv(x, 1, kernel=1))
    program = shared(net, -1, 0, 0, -1, capacity={2: 1})
    timing = run(program)
    assert (program.buffers.replica[2], program.buffers.source[2]) == (3, 1)
    assert starts(timing, program, 1, 2, 3) == [[1, 49], [17, 33], [39, 71]]
    assert lost(timing, "space") == [0, 23, 0, 0]
    assert lost(timing, "array") == [0, 9, 0, 0]


def test_the_array_is_taken_from_the_start_of_the_reading(run):
    """The bus moves 100 values a slot, and each of three layers reads 60.

        slot      1         2         3                   18
        bus       1111112222 22
        conv1     rrrrrr....x
        conv2          (rrrrrrr)......x ...
        conv3     . . . . . . . . . . . . . . . . . . . . r x

    conv2, issued at slot 1, starts at 2 and keeps the array that it shares with conv3 for 16 slots from there.
    """
    net = Network()
    x = net.input(1, 1, 60)
    for _ in range(3):
        net.conv(x, 1, kernel=1)
    program = shared(net, -1, -1, 0, 0, overrides=("chip.tile.bus.wires=16",))
    assert program.replicas.tile.tolist() == [-1, 0, 0, 0]
    assert starts(run(program), program, 1, 2, 3) == [[1], [2], [18]]


def test_whoever_comes_from_the_line_has_its_turn_among_all_others(run):
    """The bus moves 100 values a slot; conv2 and conv4 read 60 and conv3 reads 30, in the array that conv4 waits for.

        slot      1           17        18
        bus       333222222   2222224444 44
        conv2     r x ...     r x ...
        conv3     r x ...
        conv4     . . . . . . (rrrrrrr).x ...

    At slot 17 conv4 has the array, but conv2, a lower replica, has the bus before it.
    """
    net = Network()
    narrow, wide = net.input(1, 1, 30), net.input(1, 2, 60)
    for source in (wide, narrow, wide):
        net.conv(source, 1, kernel=1)
    program = shared(net, -1, -1, -1, 0, 0, overrides=("chip.tile.bus.wires=16",))
    assert starts(run(program), program, 2, 3, 4) == [[1, 17], [1], [18, 34]]


@pytest.mark.parametrize("overrides", [
    ("chip.tile.edram.kib=1", "chip.tile.ima.crossbar.active_wordlines=64"),
    ("chip.tile.imas=1", "chip.tile.ima.crossbars=1"),
    ("chip.tile.bus.wires=8",),
    ("pipeline.schedule=dynamic", "chip.tile.bus.wires=8"),
], ids=["little room", "several tiles", "narrow bus", "dynamic"])  # fmt: skip
def test_a_replica_alone_is_never_delayed(overrides, run):
    """An array for each replica changes no number, whatever it waits for."""
    net = Network()
    net.conv(net.conv(net.input(1, 9, 4), 128, kernel=1), 16, kernel=1)
    alone, without = shared(net, -1, 3, 5, overrides=overrides), shared(net, -1, -1, -1, overrides=overrides)
    assert differences(run(alone), run(without)) == []


def test_a_read_of_the_other_side_takes_as_many_passes_as_a_weight_has_cells():
    """ISAAC drives all wordlines: 16 reads of one bit, 8 cells of two bits a weight; three slots until the sums are
    in the output register."""
    net = Network()
    net.conv(net.input(1, 1, 1), 1, kernel=1)
    interval, latency = Durations(shared(net, -1, -1)).vector(1)
    assert (interval / SLOT_PS, latency / SLOT_PS) == (16, 18)
    interval, latency = Durations(shared(net, -1, -1, passes={1: 8})).vector(1)
    assert (interval / SLOT_PS, latency / SLOT_PS) == (128, 130)


def test_lines_are_driven_in_groups_whichever_side_they_are_on():
    """A crossbar of 32 rows has up to 128 lines on its other side: four groups of 32."""
    net = Network()
    net.conv(net.input(1, 1, 1), 1, kernel=1)
    program = shared(net, -1, -1, overrides=("chip.tile.ima.crossbar.rows=32",))
    layer = program.layers[1]
    wide = replace(layer, tiling=replace(layer.tiling, row_hi=layer.tiling.row_lo + 128))
    interval, _ = Durations(replace(program, layers=(program.layers[0], wide))).vector(1)
    assert interval / SLOT_PS == 4 * 16
