"""ISAAC's timing: what the model's definition says, predicted to the picosecond.

The pipeline table is recalled, not read ([R] in arch_configs/README.md): these tests define the model and are
no evidence for it.
"""

from __future__ import annotations

import numpy as np
import pytest

from pimsim.arch.run import run_compiled
from pimsim.config import load_system
from pimsim.mapping.compile import map_network
from pimsim.technology import peak_metrics
from tests.networks import Network, vgg16

SLOT = 100_000  #: [ps]
VECTOR = 16 * SLOT
FAST_HOST = ["host.gb_per_s=1e6", "host.latency_ns=0"]


def test_vgg16_delivers_an_image_every_196_windows_when_nothing_stalls():
    system = load_system("isaac-ce-16", ["mapping.interval_windows=196"])
    timing = run_compiled(map_network(vgg16(), system, "ideal"), batch=8)
    between = np.diff(timing.image_done_ps)
    assert np.median(between[3:]) == 196 * VECTOR == 313_600_000


def test_an_isolated_window_takes_22_slots():
    net = Network()
    net.conv(net.input(1, 1, 8), 8, kernel=1)
    system = load_system("isaac-ce", FAST_HOST)
    timing = run_compiled(map_network(net.finish(), system, "ideal"), log=True)
    start = timing.window_start_ps[0, 1]
    assert timing.image_done_ps[0] - start == 22 * SLOT


def test_windows_follow_every_16_slots():
    net = Network()
    net.conv(net.input(4, 4, 8), 8, kernel=1)
    system = load_system("isaac-ce", [*FAST_HOST, "mapping.replication=none"])
    timing = run_compiled(map_network(net.finish(), system, "ideal"), log=True)
    assert set(np.diff(timing.window_start_ps[0, 16:])) == {VECTOR}


@pytest.mark.parametrize("windows_each", [4, 40])
def test_a_layer_that_fills_its_crossbars_reaches_the_peak_less_the_fill(windows_each):
    """1024 inputs and 192 outputs fill the 96 crossbars of a tile; 168 copies fill a chip."""
    copies = 168
    net = Network()
    net.conv(net.input(windows_each, copies, 1024), 192, kernel=1)
    keys = ["host.gb_per_s=1e3", f"mapping.layer_replication.conv1={copies}", "mapping.windows=interleaved"]
    system = load_system("isaac-ce", keys)
    program = map_network(net.finish(), system, "ideal")
    assert program.slices.crossbars.sum() == 16_128
    timing = run_compiled(program, log=True)

    load = 7  # slots: 12 input registers of 16,384 bits, 64 eDRAM clocks of 0.8333 ns each
    latency = load + 16 + 1 + 1 + 1 + 1 + 1  # load, reads, ADC, shift-and-add, bus, activation, write
    predicted = (windows_each - 1) * VECTOR + latency * SLOT
    last_starts = timing.window_start_ps[0, program.replicas.window_first[2:] - 1]
    firsts = timing.window_start_ps[0, program.replicas.window_first[1:-1]]
    assert (last_starts - firsts == (windows_each - 1) * VECTOR).all()
    assert timing.image_done_ps[0] == firsts.max() + predicted

    operations = 2 * 1024 * 192 * copies * windows_each
    share = windows_each * 16 / ((windows_each - 1) * 16 + latency)
    achieved = operations / (predicted * 1e-12)
    assert achieved == pytest.approx(peak_metrics(system).tops * 1e12 * share, rel=1e-12)


def test_an_adc_at_the_tables_rate_stretches_a_read_to_two_slots():
    """128 conversions at 1.2 GSps take 106.7 ns, which the slots of 100 ns round up to 200: see DEVIATIONS.md."""
    net = Network()
    net.conv(net.input(1, 4, 8), 8, kernel=1)
    slow = [*FAST_HOST, "mapping.replication=none", "chip.tile.ima.adc.sample_rate_gsps=1.2"]
    timing = run_compiled(map_network(net.finish(), load_system("isaac-ce", slow), "ideal"), log=True)
    assert set(np.diff(timing.window_start_ps[0, 4:])) == {2 * VECTOR}
    timing = run_compiled(
        map_network(net.finish(), load_system("isaac-ce", [*slow, "pipeline.schedule=dynamic"]), "ideal"), log=True
    )
    assert set(np.diff(timing.window_start_ps[0, 4:])) == {16 * 106_667}


def test_fewer_wordlines_at_a_time_take_more_reads():
    net = Network()
    net.conv(net.input(1, 4, 128), 8, kernel=1)
    few = [*FAST_HOST, "mapping.replication=none", "chip.tile.ima.crossbar.active_wordlines=32"]
    timing = run_compiled(map_network(net.finish(), load_system("isaac-ce", few), "ideal"), log=True)
    assert set(np.diff(timing.window_start_ps[0, 4:])) == {4 * VECTOR}
