"""Every picosecond of every replica has a reason."""

import numpy as np
import pytest

from pimsim.arch.run import run_compiled
from pimsim.config import load_system
from pimsim.mapping.compile import map_network
from pimsim.results.record import TIME_PARTS
from pimsim.results.time_split import run_end_ps, split_time
from tests.networks import Network
from tests.unit.results_runs import NETWORKS, result


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("noc", ["packet", "ideal"])
@pytest.mark.parametrize("schedule", ["slotted", "dynamic"])
def test_the_parts_add_up_to_the_run_for_every_replica(network: str, noc: str, schedule: str) -> None:
    system = load_system("isaac-ce", [f"pipeline.schedule={schedule}", "chip.tile.edram.kib=16"])
    program = map_network(NETWORKS[network](), system, noc)
    timing = run_compiled(program, batch=3)
    parts = split_time(program, timing, 3)
    assert tuple(parts) == TIME_PARTS
    assert np.all(np.sum(list(parts.values()), axis=0) == run_end_ps(timing))
    assert all(np.all(ps >= 0) for ps in parts.values())


def test_the_shares_of_a_layer_add_up_to_one() -> None:
    run = result()
    for layer in run.layers:
        assert sum(layer.time_ps.values()) == layer.replicas * run.times.run_ps
        assert layer.share(*TIME_PARTS) == pytest.approx(1)


def test_a_lonely_window_is_compute_between_fill_and_drain() -> None:
    net = Network()
    net.fc(net.input(1, 1, 16), 8)
    program = map_network(net.finish(), load_system("isaac-ce"))
    timing = run_compiled(program)
    parts = {name: int(ps[1]) for name, ps in split_time(program, timing, 1).items()}
    assert parts["compute"] == 1_600_000
    assert parts["fill"] == timing.last_start_ps[1]
    assert parts["drain"] == run_end_ps(timing) - parts["fill"] - 1_600_000
    assert sum(parts.values()) == run_end_ps(timing)


@pytest.mark.parametrize(("slow", "part"), [("chip.tile.bus.clock_ghz=0.001", "bus"),
                                            ("chip.tile.edram.clock_ghz=0.001", "edram")])  # fmt: skip
def test_a_pace_set_by_bus_or_edram_is_their_time_and_not_compute(slow: str, part: str) -> None:
    net = Network()
    net.conv(net.input(6, 6, 64), 8)
    program = map_network(net.finish(), load_system("isaac-ce", [slow, "mapping.replication=none"]))
    timing = run_compiled(program)
    assert timing.interval_ps[1] > timing.work_ps[1]
    parts = {name: int(ps[1]) for name, ps in split_time(program, timing, 1).items()}
    assert parts["compute"] == 36 * timing.work_ps[1]
    assert parts[part] >= 36 * (timing.interval_ps[1] - timing.work_ps[1])
    assert sum(parts.values()) == run_end_ps(timing)


def test_a_slow_link_is_lost_time_of_the_network_or_of_the_inputs() -> None:
    def lost(noc: str) -> int:
        run = result("wide", 2, noc)
        return sum(layer.time_ps["network"] + layer.time_ps["input"] for layer in run.layers)

    assert lost("packet") > lost("ideal")
