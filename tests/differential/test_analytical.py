"""The analytical model beside the mapping and the engine, on random networks and systems."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pimsim.arch.run import run_compiled
from pimsim.config.loading import load_system
from pimsim.costmodels.chip import estimate
from pimsim.costmodels.chip.counting import count_layers
from pimsim.costmodels.chip.layer import PlannedLayer
from pimsim.costmodels.chip.plan import Plan, plan_network
from pimsim.costmodels.chip.timing import schedule
from pimsim.errors import InputError
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.results.counting import count_actions
from pimsim.workload.dataflow import Dataflow
from tests.differential.random_cases import Case, cases, networks
from tests.networks import Network

RANDOM = settings(
    max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def joined(plan: Plan, of_layer) -> np.ndarray:
    return np.concatenate([of_layer(layer) for layer in plan.layers])


def capacities(plan: Plan) -> list[int]:
    """In the order of a Program: replicas, then edges."""
    return [
        int(plan.capacity[i, e][v])
        for i, layer in enumerate(plan.layers)
        for v in range(layer.copies)
        for e in range(len(layer.node.edges))
    ]


def assert_same_mapping(plan: Plan, program: Program) -> None:
    slices, replicas = program.slices, program.replicas

    def windows(layer: PlannedLayer) -> np.ndarray:
        return layer.windows

    assert np.array_equal(joined(plan, lambda layer: layer.home), replicas.tile)
    assert np.array_equal(joined(plan, windows), program.windows.position)
    assert np.array_equal(joined(plan, lambda layer: layer.unit_values), replicas.unit_values)
    assert np.array_equal(joined(plan, lambda layer: layer.slice_tile), slices.tile)
    assert np.array_equal(joined(plan, lambda layer: layer.slice_imas), slices.imas)
    assert np.array_equal(joined(plan, lambda layer: layer.cuts.crossbars), slices.crossbars)
    assert np.array_equal(joined(plan, lambda layer: layer.cuts.read), slices.read_values + slices.spilled_values)
    assert np.array_equal(joined(plan, lambda layer: layer.cuts.sent), slices.sent_values)
    assert np.array_equal(joined(plan, lambda layer: layer.cuts.results), slices.results)
    assert np.array_equal(capacities(plan), program.buffers.capacity)


def mapped(case: Case) -> Program:
    try:
        return map_network(case.dataflow, case.system, "ideal")
    except InputError as refused:
        with pytest.raises(InputError) as also:
            plan_network(case.dataflow, case.system)
        assert str(also.value) == str(refused)
        assume(False)
        raise


@RANDOM
@given(cases())
def test_the_plan_is_the_mapping(case):
    program = mapped(case)
    assert_same_mapping(plan_network(case.dataflow, case.system), program)


@RANDOM
@given(cases())
def test_small_networks_are_counted_exactly(case):
    program = mapped(case)
    assume(not program.slices.spilled_values.any())
    counts = count_layers(plan_network(case.dataflow, case.system))
    for action, of_layers in count_actions(program).items():
        assert [counted.get(action, 0) for counted in counts] == of_layers.tolist(), action


@RANDOM
@given(cases())
def test_most_first_images_are_exact_and_none_is_far_too_late(case):
    program = mapped(case)
    assume(not program.slices.spilled_values.any())
    done = schedule(plan_network(case.dataflow, case.system)).image_done_ps[0]
    engine = int(run_compiled(program).image_done_ps[0])
    assert 0.85 * engine <= done <= 1.01 * engine
    if program.replicas.layer.size == len(program.layers) == program.tiles_used.size + 1:
        assert done == engine  # every layer has a tile of its own: nothing gets into another's way


def lone_layers(*kernels: int) -> Dataflow:
    net = Network()
    at = net.input(6, 6, 4)
    for kernel in kernels:
        at = net.conv(at, 4, kernel=kernel)
    return net.finish()


@pytest.mark.parametrize("kernels", [(1,), (3,), (1, 1, 1), (3, 3), (5, 3, 1)])
@pytest.mark.parametrize("schedule_", ["slotted", "dynamic"])
def test_a_chain_of_layers_in_tiles_of_their_own_is_exact(kernels, schedule_):
    keys = ["mapping.replication=none", "chip.tile.imas=1", f"pipeline.schedule={schedule_}"]
    dataflow, system = lone_layers(*kernels), load_system("isaac-ce", keys)
    engine = run_compiled(map_network(dataflow, system, "ideal"), batch=2)
    done = schedule(plan_network(dataflow, system)).image_done_ps
    assert done == tuple(engine.image_done_ps.tolist())


def figures(dataflow: Dataflow, *keys: str) -> tuple[int, float]:
    times = estimate(dataflow, load_system("isaac-ce", ["mapping.replication=none", *keys])).times
    assert times.output_interval_ps is not None
    return times.latency_ps, times.output_interval_ps


@RANDOM
@given(networks(), st.sampled_from([
    ("chip.tile.ima.adc.sample_rate_gsps=0.64", "chip.tile.ima.adc.sample_rate_gsps=1.28"),
    ("chip.noc.flit_bits=16", "chip.noc.flit_bits=64"),
    ("chip.tile.bus.wires=64", "chip.tile.bus.wires=384"),
    ("host.gb_per_s=1", "host.gb_per_s=6.4"),
    ("chip.noc.clock_ghz=0.6", "chip.noc.clock_ghz=1.2"),
]))  # fmt: skip
def test_faster_parts_never_slow_the_first_image(dataflow, keys):
    slow, fast = (figures(dataflow, key) for key in keys)
    assert fast[0] <= slow[0]


@RANDOM
@given(networks())
def test_unused_tiles_change_nothing(dataflow):
    assert figures(dataflow, "chip.tiles=112") == figures(dataflow, "chip.tiles=168")
