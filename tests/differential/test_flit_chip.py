"""Chips with their flit-level networks: the compiled engine and the reference give the same integers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st

from pimsim.arch.run import run_compiled
from pimsim.config.records import System
from pimsim.errors import InputError
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.mapping.timing import Timing
from pimsim.network.fabric import CHIP
from pimsim.reference import run_simpy
from pimsim.reference.flits import FlitNetwork
from tests.differential.comparison import differences
from tests.differential.random_cases import networks, systems

EXAMPLES = 120
WINDOWS = 150  #: of all images of a case: what the slow routers do in a fraction of a second

RANDOM = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck), print_blob=False,
    max_examples=EXAMPLES,
)  # fmt: skip

ALLOCATORS = ("islip", "islip", "separable_input_first", "separable_output_first")


@st.composite
def routers(draw: st.DrawFn) -> dict[str, Any]:
    """Routers with few and shallow virtual channels."""
    return {
        "vcs": draw(st.integers(1, 4)), "vc_buffer": draw(st.integers(2, 8)),
        "routing_cycles": draw(st.integers(0, 2)), "vc_allocation_cycles": draw(st.sampled_from((1, 1, 2))),
        "switch_allocation_cycles": draw(st.sampled_from((1, 1, 2))), "credit_cycles": draw(st.integers(0, 1)),
        "inject_latency": draw(st.integers(1, 2)), "eject_latency": draw(st.integers(1, 3)),
        "vc_allocator": draw(st.sampled_from(ALLOCATORS)), "switch_allocator": draw(st.sampled_from(ALLOCATORS)),
        "iterations": draw(st.integers(1, 2)), "speculative": draw(st.booleans()),
    }  # fmt: skip


@st.composite
def programs(draw: st.DrawFn) -> tuple[Program, int]:
    """A random network on a random system with a flit-level network, and a batch; what does not fit is not counted."""
    dataflow = draw(networks())
    data = draw(systems(dataflow)).model_dump()
    router, noc = draw(routers()), data["chip"]["noc"]
    shortest, longest = noc["header_flits"] + 1, max(noc["header_flits"] + 1, router["vc_buffer"])
    root = {"kind": "up_down", "root": draw(st.integers(0, 1))}
    noc |= {
        "router": router,
        "packet_flits": draw(st.one_of(st.none(), st.integers(shortest, longest))),
        "routing": draw(st.sampled_from((None, None, root, {"kind": "minimal_adaptive"}))),
    }  # fmt: skip
    data["host"] |= {"gb_per_s": draw(st.sampled_from((6.4, 1.0)))}
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
    "minimal_adaptive", "narrow channels", "host in the middle", "speculative", "messages that wait",
)  # fmt: skip


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
        "speculative": noc.router.speculative,
        "messages that wait": timing.ports["link"].wait_ps[between].any(),
    }  # fmt: skip
    return {name for name, present in has.items() if present}


def test_random_small_chips():
    """Networks on as many systems, in which every feature of the model comes up."""
    seen: Counter[str] = Counter()

    @RANDOM
    @given(programs())
    def equal(case: tuple[Program, int]) -> None:
        program, batch = case
        try:
            reference = run_simpy(program, batch, log=True)
        except InputError:
            reject()
        assert differences(run_compiled(program, batch, log=True), reference) == []
        seen.update(features(program, reference) | {"examples"})

    equal()
    assert seen["examples"] >= EXAMPLES
    assert all(seen[name] >= 4 for name in COMMON), seen
