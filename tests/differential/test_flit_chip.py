"""Chips with their flit-level networks: the compiled engine and the reference give the same integers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, reject, settings
from hypothesis import strategies as st

from pimsim.arch.noc.flit.chip_network import plan_ways
from pimsim.arch.run import run_compiled
from pimsim.config.loading import load_system
from pimsim.config.records import System
from pimsim.errors import InputError
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.mapping.timing import Timing
from pimsim.network.fabric import CHIP
from pimsim.reference import run_simpy
from pimsim.reference.router_trees import RouterTrees
from tests.differential.comparison import differences
from tests.differential.random_cases import networks, systems
from tests.networks import Network

WINDOWS = 150  #: of all images of a case: what the slow routers do in a fraction of a second

RANDOM = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck), print_blob=False,
    phases=[Phase.generate],  # no search for a smaller case, which takes minutes: ``differences`` says where to look
)  # fmt: skip

ALLOCATORS = ("islip", "islip", "separable_input_first", "separable_output_first")


@st.composite
def routers(draw: st.DrawFn, speculative: bool) -> dict[str, Any]:
    """Routers with few and shallow virtual channels."""
    return {
        "vcs": draw(st.integers(1, 4)), "vc_buffer": draw(st.integers(2, 8)),
        "routing_cycles": draw(st.integers(0, 2)), "vc_allocation_cycles": draw(st.sampled_from((1, 1, 2))),
        "switch_allocation_cycles": draw(st.sampled_from((1, 1, 2))), "credit_cycles": draw(st.integers(0, 1)),
        "inject_latency": draw(st.integers(1, 2)), "eject_latency": draw(st.integers(1, 3)),
        "vc_allocator": draw(st.sampled_from(ALLOCATORS)), "switch_allocator": draw(st.sampled_from(ALLOCATORS)),
        "iterations": draw(st.integers(1, 2)), "speculative": speculative,
    }  # fmt: skip


@st.composite
def programs(draw: st.DrawFn, speculative: bool) -> tuple[Program, int]:
    """A random network on a random system with a flit-level network, and a batch; what does not fit is not counted."""
    dataflow = draw(networks())
    data = draw(systems(dataflow)).model_dump()
    router, noc = draw(routers(speculative)), data["chip"]["noc"]
    shortest = noc["header_flits"] + 1  # a header, and a flit of data
    router["vc_buffer"] = max(router["vc_buffer"], shortest)
    root = {"kind": "up_down", "root": draw(st.integers(0, 1))}
    noc |= {
        "router": router,
        "packet_flits": draw(st.one_of(st.none(), st.integers(shortest, router["vc_buffer"]))),
        "routing": draw(st.sampled_from((None, None, root, {"kind": "minimal_adaptive"}))),
    }  # fmt: skip
    if draw(st.integers(0, 2)) == 0:
        data["pipeline"] |= {"schedule": "dynamic", "slot_ns": None}
    data["host"] |= {"gb_per_s": draw(st.sampled_from((6.4, 1.0, 100.0)))}
    try:
        program = map_network(dataflow, System.model_validate(data), "flit")
    except (InputError, ValueError):
        reject()
    batch = draw(st.integers(1, 3))
    assume(program.windows.position.size * batch <= WINDOWS)
    assume(program.tree_flits.max(initial=0) <= 64)
    return program, batch


COMMON = (
    "several chips", "links between chips", "tree", "forks", "unicast", "dynamic", "slotted", "one virtual channel",
    "four virtual channels", "shallow buffers", "several packets", "torus", "three dimensions", "graph", "up_down",
    "minimal_adaptive", "narrow channels", "host in the middle", "messages that wait",
)  # fmt: skip
"""Features that random cases meet."""


def features(program: Program, timing: Timing) -> set[str]:
    """What a case has put to the test."""
    noc, fabric, trees = program.system.chip.noc, program.fabric, program.trees
    between = fabric.link_kinds() == CHIP
    forks = trees.child_hi - trees.child_lo > 1
    routing = noc.routing_or_default.kind
    has = {
        "several chips": program.chips > 1,
        "links between chips": timing.ports["link"].count[between].any(),
        "tree": noc.multicast == "tree",
        "forks": noc.multicast == "tree" and forks.any(),
        "unicast": noc.multicast == "unicast",
        "dynamic": program.system.pipeline.schedule == "dynamic",
        "slotted": program.system.pipeline.schedule == "slotted",
        "one virtual channel": noc.router.vcs == 1,
        "four virtual channels": noc.router.vcs == 4,
        "shallow buffers": noc.router.vc_buffer <= 3,
        "several packets": program.tree_flits.max(initial=0) > noc.longest_packet,
        "torus": noc.topology.kind == "torus" and fabric.topology.channels,
        "three dimensions": len(noc.shape) == 3,
        "graph": noc.topology.kind == "small_world",
        "up_down": routing == "up_down",
        "minimal_adaptive": routing == "minimal_adaptive",
        "narrow channels": (fabric.topology.flit_cycles > 1).any(),
        "host in the middle": fabric.io_router > 0,
        "messages that wait": timing.ports["link"].wait_ps[between].any(),
    }  # fmt: skip
    return {name for name, present in has.items() if present}


def equal_cases(examples: int, speculative: bool) -> Counter[str]:
    """Run so many cases in both engines; how often each feature came up."""
    seen: Counter[str] = Counter()

    @settings(RANDOM, max_examples=examples)
    @given(programs(speculative))
    def equal(case: tuple[Program, int]) -> None:
        program, batch = case
        reference = run_simpy(program, batch, log=True)
        assert differences(run_compiled(program, batch, log=True), reference) == []
        seen.update(features(program, reference) | {"examples"})

    equal()
    return seen


def test_random_small_chips():
    """Networks on as many systems, in which every feature of the model comes up."""
    seen = equal_cases(80, speculative=False)
    assert seen["examples"] >= 80
    assert all(seen[name] >= 4 for name in COMMON), seen


def test_random_small_chips_whose_routers_speculate():
    assert equal_cases(20, speculative=True)["examples"] >= 20


@pytest.mark.parametrize("shape", [(5, 2), (5, 3), (3, 5)])
def test_ways_that_part_in_a_torus_keep_to_the_same_virtual_channels(shape):
    """Of targets of one packet some lie over the end of a ring, and some before it."""
    routers = shape[0] * shape[1]
    net = Network()
    net.conv(net.conv(net.input(5, 7, 32), 32), 16, kernel=1)
    for io_router in range(routers):
        system = load_system("isaac-ce", [
            f"chip.noc.topology={{kind: torus, shape: {list(shape)}}}", "chip.noc.concentration=1",
            f"chip.noc.io_router={io_router}", f"chip.tiles={routers}", "chip.tile.imas=1",
            "mapping.windows=interleaved", f"mapping.layer_replication={{conv1: {routers - 1}}}",
        ])  # fmt: skip
        program = map_network(net.finish(), system, "flit")
        link = program.trees.link
        channels = np.flatnonzero([edge >= 0 and program.fabric.channel_of(edge) is not None for edge in link.tolist()])
        compiled, reference = plan_ways(program).network.branches, RouterTrees(program).branches()
        assert compiled is not None
        np.testing.assert_array_equal(compiled.vcs[channels], reference.vcs[channels])
        assert np.unique(reference.vcs[channels]).size == 2
