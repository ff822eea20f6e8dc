"""What must hold between two runs of which nobody knows the right figures."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pimsim.arch.run import run_compiled
from pimsim.config.loading import load_system
from pimsim.mapping.compile import map_network
from pimsim.workload.dataflow import Dataflow
from tests.differential.random_cases import networks

RANDOM = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
UNREPLICATED = "mapping.replication=none"


def run(dataflow: Dataflow, network: str, batch: int, *overrides: str):
    program = map_network(dataflow, load_system("isaac-ce", [UNREPLICATED, *overrides]), network)
    return run_compiled(program, batch, log=True)


@RANDOM
@given(networks(), st.integers(1, 3))
def test_twice_the_flit_width_never_slows_an_ideal_network(dataflow, batch):
    narrow = run(dataflow, "ideal", batch, "chip.noc.flit_bits=32")
    wide = run(dataflow, "ideal", batch, "chip.noc.flit_bits=64")
    assert np.all(wide.image_done_ps <= narrow.image_done_ps)


@RANDOM
@given(networks(), st.integers(1, 3), st.sampled_from(["packet", "ideal"]))
def test_half_the_adc_rate_never_speeds_up(dataflow, batch, network):
    fast = run(dataflow, network, batch, "chip.tile.ima.adc.sample_rate_gsps=1.28")
    slow = run(dataflow, network, batch, "chip.tile.ima.adc.sample_rate_gsps=0.64")
    assert np.all(slow.image_done_ps >= fast.image_done_ps)


@RANDOM
@given(networks(), st.integers(1, 3), st.sampled_from(["packet", "ideal"]))
def test_unused_tiles_change_nothing(dataflow, batch, network):
    few = run(dataflow, network, batch, "chip.tiles=112")
    many = run(dataflow, network, batch, "chip.tiles=168")
    assert np.array_equal(few.window_start_ps, many.window_start_ps)
    assert np.array_equal(few.window_sent_ps, many.window_sent_ps)
    for kind, counts in few.ports.items():
        assert (counts.busy_ps.sum(), counts.wait_ps.sum()) == (
            many.ports[kind].busy_ps.sum(), many.ports[kind].wait_ps.sum(),
        )  # fmt: skip


@RANDOM
@given(networks(), st.integers(1, 3))
def test_an_ideal_network_never_delivers_a_first_image_later_than_a_packet_network(dataflow, batch):
    ideal, packet = run(dataflow, "ideal", batch), run(dataflow, "packet", batch)
    assert ideal.image_done_ps[0] <= packet.image_done_ps[0]
