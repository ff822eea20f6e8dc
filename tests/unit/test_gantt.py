"""Five small networks, computed by hand: when every window starts, leaves and arrives.

The charts count slots of 100 ns.  Of a window that starts in slot s (a letter for each stage):

    r  s            eDRAM read and bus, into the input register
    x  s+1 .. s+18  sixteen one-bit reads of the crossbars, ADC and shift-and-add each one slot behind
    o  s+19         output register, over the bus to the tile
    a  s+20         shift-and-add and activation of the tile: at the end of it, s+21, the output is sent
    w  s+21         network and eDRAM write where it is needed: from s+22 on it can be read

These are tests of the model's definition: what ISAAC's pipeline is taken to mean here.  The 22 stages are
recalled, not measured on hardware, so that the tests are no evidence for them.

In the small systems every clock runs at 1 GHz: a bus of 16 wires moves one value a ns, a 32-bit link
two; tiles 0 to 3 hang on one router, two clocks in and five out, and so does the host.
"""

from __future__ import annotations

import numpy as np
import pytest

from pimsim.arch.run import run_compiled
from pimsim.config.loading import load_system
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.reference import run_simpy
from tests.networks import Network

SLOT_PS = 100_000
SMALL = [
    "chip.tile.imas=1",
    "chip.noc.io_router=[0,0]",
    "host.gb_per_s=1000",
    "mapping.replication=none",
    *(f"chip.{part}.clock_ghz=1" for part in ("noc", *(f"tile.{name}" for name in (
        "edram", "bus", "sigmoid", "maxpool", "shift_add", "vector")))),
]  # fmt: skip


@pytest.fixture(params=[run_compiled, run_simpy], ids=["compiled", "reference"])
def engine(request):
    return request.param


def small(*overrides):
    return load_system("isaac-ce", [*SMALL, *overrides])


def in_slots(times_ps, program: Program, layer: str) -> list[float]:
    """Times of the windows of one layer, replica after replica [slots]."""
    index = [row.name for row in program.layers].index(layer)
    of_window = np.repeat(program.replicas.layer, np.diff(program.replicas.window_first))
    return (times_ps[0, of_window == index] / SLOT_PS).tolist()


class TestOneLayer:
    """Windows of one layer, on ISAAC as published.

        slot    0 1 2                 20  22      33              49
        host    w
        win 0     r x x ... x x x o a w|
        win 1                     r x x x ... x x x x x o a w|
        win 2                                     r x x ...       (17 + 16)
                  |<------ 22 ------->|
                  |<----- 16 ---->|<----- 16 ---->|

    The host's values arrive within slot 0: 0.3 ns each on its link, four routers, two flits, one clock of eDRAM.
    """

    def run(self, engine, windows):
        net = Network()
        net.conv(net.input(1, windows, 1), 1, kernel=1)
        program = map_network(net.finish(), load_system("isaac-ce", ["mapping.replication=none"]))
        return program, engine(program, 1, log=True)

    def test_an_isolated_window_takes_22_slots(self, engine):
        """Model definition: from the start of its first stage to the end of its last."""
        program, timing = self.run(engine, windows=1)
        assert in_slots(timing.window_start_ps, program, "conv1") == [1]
        assert in_slots(timing.window_sent_ps, program, "conv1") == [22]
        assert timing.image_done_ps.tolist() == [23 * SLOT_PS]

    def test_a_window_every_16_slots_in_steady_state(self, engine):
        """Model definition: the input register takes its next vector during the last of 16 reads."""
        program, timing = self.run(engine, windows=4)
        assert in_slots(timing.window_start_ps, program, "conv1") == [1, 17, 33, 49]
        assert in_slots(timing.window_sent_ps, program, "conv1") == [22, 38, 54, 70]
        assert timing.image_done_ps.tolist() == [71 * SLOT_PS]

    def test_the_host_sends_one_position_after_another(self, engine):
        """2 bytes at 6.4 GB/s are 0.3125 ns, rounded up to 313 ps."""
        _, timing = self.run(engine, windows=4)
        assert timing.window_start_ps[0, :4].tolist() == [0, 313, 626, 939]
        assert timing.window_sent_ps[0, :4].tolist() == [313, 626, 939, 1252]


class TestSharedBus:
    """Two replicas of a layer in one tile, with a bus of 100 values a slot.

    Each reads 60 values:

        slot          0    1         2         3                      20   21   22   23
        bus                0000001111 11
        replica 0     w    rrrrrr....x         x ...                  o    a    w|
        replica 1     w         (rrrrrrr)......x         x ...             o    a    w|

    Replica 1 has the bus 60 ns into slot 1 and until 20 ns into slot 2: its vector is taken over at slot 3, and
    everything after that is one slot late, as if its reading had begun at slot 2.

    Each reads 40 values: both loads fit one slot, are taken over at slot 2, and repeat every 16 slots.
    """

    def run(self, engine, values, windows):
        net = Network()
        net.conv(net.input(1, windows, values), 4, kernel=1)
        system = small("chip.tile.imas=2", "chip.tile.bus.wires=16", "mapping.layer_replication.conv1=2")
        program = map_network(net.finish(), system)
        return program, engine(program, 1, log=True)

    def test_a_second_load_that_does_not_fit_slips_a_slot(self, engine):
        program, timing = self.run(engine, values=60, windows=2)
        assert program.replicas.tile.tolist() == [-1, 0, 0]
        assert in_slots(timing.window_start_ps, program, "conv1") == [1, 2]
        assert in_slots(timing.window_sent_ps, program, "conv1") == [22, 23]
        assert timing.image_done_ps.tolist() == [24 * SLOT_PS]

    def test_the_bus_counts_its_work_and_its_queue(self, engine):
        """Two reads of 60 ns and two transfers of 4 outputs; the second read waits 60 ns."""
        _, timing = self.run(engine, values=60, windows=2)
        bus = timing.ports["bus"]
        assert (bus.busy_ps[0], bus.wait_ps[0], bus.count[0]) == (128_000, 60_000, 4)

    def test_two_loads_that_fit_share_the_slot(self, engine):
        program, timing = self.run(engine, values=40, windows=4)
        assert in_slots(timing.window_start_ps, program, "conv1") == [1, 17, 1, 17]
        assert in_slots(timing.window_sent_ps, program, "conv1") == [22, 38, 22, 38]


class TestPartialSums:
    """256 inputs take two crossbars, in a tile each: tile 1 sends its 16 partial sums to tile 0.

        slot       0  1  2 ... 19  20  21  22  23
        tile 0     w  r  x ... x   o   .   a   w|
        tile 1     w  r  x ... x   o   p
                                       ^ in tile 1 at slot 21; 5 flits: 2 + 5 clocks, and 4 more for the tail

    With 64-bit flits the packet is there 11 ns after slot 21, so that the sum is made in slot 22, one later than
    without it.  (The 65 flits of the input are there and written within slot 0: 5 + 64 + 8 ns.)
    """

    def run(self, engine):
        net = Network()
        net.conv(net.input(1, 1, 256), 16, kernel=1)
        program = map_network(net.finish(), small("chip.tile.ima.crossbars=1", "chip.noc.flit_bits=64"))
        return program, engine(program, 1, log=True)

    def test_the_partial_sum_costs_one_slot(self, engine):
        program, timing = self.run(engine)
        assert program.slices.tile.tolist() == [0, 1]
        assert in_slots(timing.window_start_ps, program, "conv1") == [1]
        assert in_slots(timing.window_sent_ps, program, "conv1") == [23]
        assert timing.image_done_ps.tolist() == [24 * SLOT_PS]

    def test_links_and_adder_count_it_once(self, engine):
        """5 flits out of tile 1; into tile 0 after the input's 65; 16 additions at home and none in tile 1."""
        program, timing = self.run(engine)
        link, adder = timing.ports["link"], timing.ports["shift_add"]
        out_of_tile_1, into_tile_0 = 1, program.fabric.n_tiles
        assert (link.busy_ps[out_of_tile_1], link.count[out_of_tile_1]) == (5_000, 1)
        assert (link.busy_ps[into_tile_0], link.count[into_tile_0]) == (65_000 + 5_000, 2)
        assert (adder.busy_ps[0], adder.count[0], adder.count[1]) == (16_000, 1, 0)


class TestJoin:
    """Two branches of different length, joined by an addition; every convolution in a tile of its own.

        slot            0  1           17          23    39    45    61
        a (conv1)       w  r x ... (22)r x ... (38)
        b (conv2)       w  r x ... (22)r x ... (38)
        c (conv3) of b                             r ... (44)
                                                         r ... (60)
        a + c (add4)                                           r a w|
                                                                     r a w|

    In brackets: sent; it can be read one slot later.  The addition reads for one slot and adds for one.
    """

    def test_the_join_waits_for_the_longer_branch(self, engine):
        net = Network()
        x = net.input(1, 2, 4)
        a, b = net.conv(x, 4, kernel=1), net.conv(x, 4, kernel=1)
        net.add(a, net.conv(b, 4, kernel=1))
        program = map_network(net.finish(), small())
        timing = engine(program, 1, log=True)
        starts = {name: in_slots(timing.window_start_ps, program, name) for name in ("conv1", "conv2", "conv3", "add4")}
        assert starts == {"conv1": [1, 17], "conv2": [1, 17], "conv3": [23, 39], "add4": [45, 61]}
        assert in_slots(timing.window_sent_ps, program, "conv3") == [44, 60]
        assert in_slots(timing.window_sent_ps, program, "add4") == [47, 63]
        assert timing.image_done_ps.tolist() == [64 * SLOT_PS]


class TestBackPressure:
    """A fast layer before a slow one whose 1 KiB holds 4 positions of 128 values (256 bytes each).

    64 wordlines are read at once: the 4 rows of conv1 take 16 reads a vector, the 128 of conv2 take 32.

        window          0    1    2    3    4    5    6    7    8
        conv1 starts    1   17   33   49   65   81   97  120  152
        conv2 starts   23   55   87  119  151  183  215  247  279
        ... and frees  24   56   88  120  152

    Window k of conv1 needs the place of position k - 4, free once conv2 has read it, one slot after the start of
    window k - 4.  Windows 0 to 6 find it free.  Window 7 could start at 113 and waits until 120; window 8 could
    start at 136 and waits until 152; the faster layer has fallen into the slower one's pace.
    """

    def run(self, engine):
        net = Network()
        net.conv(net.conv(net.input(1, 9, 4), 128, kernel=1), 16, kernel=1)
        system = small("chip.tile.edram.kib=1", "chip.tile.ima.crossbar.active_wordlines=64")
        program = map_network(net.finish(), system)
        return program, engine(program, 1, log=True)

    def test_the_fast_layer_falls_into_the_pace_of_the_slow_one(self, engine):
        program, timing = self.run(engine)
        assert program.buffers.capacity.tolist()[1] == 4
        assert in_slots(timing.window_start_ps, program, "conv1") == [1, 17, 33, 49, 65, 81, 97, 120, 152]
        assert in_slots(timing.window_start_ps, program, "conv2") == [23 + 32 * k for k in range(9)]
        assert in_slots(timing.window_sent_ps, program, "conv2") == [23 + 32 * k + 37 for k in range(9)]
        assert timing.image_done_ps.tolist() == [317 * SLOT_PS]

    def test_the_wait_is_booked_as_lost_to_space(self, engine):
        """7 slots before window 7 and 16 before window 8."""
        _, timing = self.run(engine)
        host, fast, slow = timing.lost_ps["space"].tolist()
        assert (host, fast, slow) == (0, 23 * SLOT_PS, 0)
