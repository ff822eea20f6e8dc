"""The compiled engine and the SimPy reference give the same integers: every window, every port, every loss."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from pimsim.arch.run import run_compiled
from pimsim.config.loading import load_system
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.mapping.timing import Standstill, Timing
from pimsim.reference import run_simpy
from pimsim.reference.turns import Kind, Turns
from tests.differential.comparison import differences
from tests.differential.random_cases import Case, cases
from tests.networks import Network, vgg16

RANDOM = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck), print_blob=False
)


COMMON = ("replication", "shared tiles", "multi-tile layers", "joins", "batches", "several chips", "ideal", "unicast",
          "dynamic", "contention on links", "contention in tiles", "back-pressure")  # fmt: skip
"""Features that random cases meet often; the others have cases of their own."""


def features(case: Case, program: Program, timing: Timing) -> set[str]:
    """What a case has put to the test."""
    slices, waits = program.slices, {name: counts.wait_ps.any() for name, counts in timing.ports.items()}
    owners = np.unique(np.stack([slices.tile, slices.replica]), axis=1)[0]
    edges = [[edge.source for edge in node.edges] for node in case.dataflow.nodes]
    digital = np.array([node.kind == "digital" for node in case.dataflow.nodes])[program.replicas.layer]
    has = {
        "replication": any(layer.replicas > 1 for layer in program.layers),
        "shared tiles": np.unique(owners).size < owners.size,
        "multi-tile layers": (slices.tree >= 0).any(),
        "digital operations in several tiles": (digital & (np.diff(program.replicas.slice_first) > 1)).any(),
        "joins": any(len(sources) > 1 and i not in sources for i, sources in enumerate(edges)),
        "recurrent": any(i in sources for i, sources in enumerate(edges)),
        "back-pressure": timing.lost_ps["space"].any(),
        "tight buffers": (program.buffers.capacity < program.buffers.positions).any(),
        "spilled": slices.spilled_values.any(),
        "batches": case.batch > 1,
        "several chips": program.chips > 1,
        "contention on links": waits["link"],
        "contention in tiles": waits["edram"] or waits["bus"] or waits["shift_add"],
        "ideal": case.network == "ideal",
        "unicast": case.network == "packet" and case.system.chip.noc.multicast == "unicast",
        "dynamic": case.system.pipeline.schedule == "dynamic",
    }
    return {name for name, present in has.items() if present}


def test_random_small_networks():
    """250 networks on as many systems, in which every feature of the model comes up."""
    seen: Counter[str] = Counter()

    @settings(RANDOM, max_examples=250)
    @given(cases())
    def equal(case: Case) -> None:
        program = case.program()
        reference = run_simpy(program, case.batch, log=True)
        assert differences(run_compiled(program, case.batch, log=True), reference) == []
        seen.update(features(case, program, reference) | {"examples"})

    equal()
    assert seen["examples"] >= 250
    assert all(seen[name] >= 5 for name in COMMON), seen


def tight(network: Network, kib: int, *keys: str, chips: int = 4) -> Program:
    """A network on small tiles with little eDRAM."""
    small = ["chip.tile.imas=2", f"chip.tile.edram.kib={kib}", f"chips={chips}", "mapping.interval_windows=100"]
    overrides = [*small, *keys]
    return map_network(network.finish(), load_system("isaac-ce", overrides))


def with_skip(channels: int) -> Network:
    net = Network("skip")
    x = net.conv(net.input(6, 6, 3), channels)
    net.pool(net.add(x, net.conv(net.conv(x, channels), channels)))
    return net


def steps(hidden: int) -> Network:
    net = Network("steps")
    net.fc(net.recurrent(net.input(5, 1, 20), hidden), 7)
    return net


@pytest.mark.parametrize("network", ["packet", "ideal"])
@pytest.mark.parametrize(
    ("feature", "program"),
    [
        ("spilled", lambda: tight(with_skip(40), 1, "mapping.spill=dram")),
        ("digital operations in several tiles", lambda: tight(with_skip(120), 4)),
        ("tight buffers", lambda: tight(with_skip(60), 4)),
        ("recurrent", lambda: tight(steps(50), 64)),
    ],
)
def test_rare_features(feature, program, network):
    """Each of these in a case of its own; random cases meet them seldom."""
    base = program()
    mapped = map_network(base.dataflow, base.system, network)
    reference = run_simpy(mapped, 3, log=True)
    assert differences(run_compiled(mapped, 3, log=True), reference) == []
    assert feature in features(Case(base.dataflow, base.system, network, 3), mapped, reference)


def test_the_order_of_ties_shows_in_the_random_cases(monkeypatch):
    """A test of the tests: simultaneous events in reverse order of their ids give other times in some cases."""

    def reversed_rank(self: Turns, kind: Kind, index: int) -> int:
        return usual(self, kind, self._span - 1 - index)

    usual, changed = Turns.rank, []

    @settings(RANDOM, max_examples=40)
    @given(cases())
    def compare(case: Case) -> None:
        program = case.program()
        forward = run_simpy(program, case.batch, log=True)
        with monkeypatch.context() as patch:
            patch.setattr(Turns, "rank", reversed_rank)
            backward = run_simpy(program, case.batch, log=True)
        changed.append(bool(differences(backward, forward)))

    compare()
    assert sum(changed) >= 4


def lenet5():
    """LeNet-5 with max-pools, on 32x32."""
    net = Network("lenet5")
    x = net.pool(net.conv(net.input(32, 32, 1), 6, kernel=5, pad=0))
    x = net.pool(net.conv(x, 16, kernel=5, pad=0))
    for outputs in (120, 84, 10):
        x = net.fc(x, outputs)
    return net.finish()


@pytest.mark.parametrize("network", ["packet", "ideal"])
@pytest.mark.parametrize(
    ("dataflow", "system", "batch"),
    [
        (lenet5(), "isaac-ce", 4),
        (vgg16(32, classifier=False), "isaac-ce", 2),
        (vgg16(32), "isaac-ce-16", 1),
    ],
    ids=["lenet5", "vgg16-convolutions", "vgg16"],
)
def test_real_networks(dataflow, system, batch, network):
    program = map_network(dataflow, load_system(system), network)
    reference = run_simpy(program, batch, log=True)
    assert differences(run_compiled(program, batch, log=True), reference) == []


@pytest.mark.parametrize("engine", [run_compiled, run_simpy], ids=["compiled", "reference"])
def test_a_standstill_is_an_error_that_names_who_waits(engine):
    """Neither a hang nor a number: conv2 has one place for its inputs, and its reader never frees it."""
    net = Network()
    net.conv(net.conv(net.input(1, 3, 4), 4, kernel=1), 4, kernel=1)
    program = map_network(net.finish(), load_system("isaac-ce", ["mapping.replication=none"]))
    program.buffers.capacity[1] = 1
    program.buffers.done[1][:] = 0
    with pytest.raises(Standstill, match=r"standstill.*conv1.* waits for a place .*conv2.* waits for"):
        engine(program)


def test_the_reference_tells_its_progress():
    net = Network()
    net.conv(net.input(16, 20, 1), 1, kernel=1)
    told: list[tuple[int, int]] = []
    run_simpy(map_network(net.finish(), load_system("isaac-ce")), progress=lambda *done: told.append(done))
    assert told[-1] == (640, 640) and told == sorted(told) and len(told) >= 2
