"""The compiled flit-level network and its slow twin give the same cycles, for every packet and channel."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from pimsim.arch.noc.flit import route_packets
from pimsim.config.network import Network, Router
from pimsim.network.packets import Arrivals, Branches, Deadlock, Packets
from pimsim.network.routing import Routing, build_routing, dimension_order, shortest_path
from pimsim.network.topology import Topology, build_topology, mesh_topology
from pimsim.noc.multicast import multicast_trees
from pimsim.noc.network import BuiltNetwork
from pimsim.reference import router as reference
from tests.differential.test_booksim import NAMES, RECORDINGS, recorded, router_of

ALLOCATORS = ("islip", "separable_input_first", "separable_output_first")
LINKS = st.fixed_dictionaries({"latency": st.integers(1, 3), "width_bits": st.sampled_from((128, 64, 40))})


@dataclass(frozen=True)
class Case:
    """What both are given."""

    topology: Topology
    routing: Routing
    router: Router
    packets: Packets
    branches: Branches | None
    cycles: int | None


@st.composite
def grids(draw: st.DrawFn, most_dimensions: int = 4) -> dict:
    """A mesh or torus of up to 18 routers."""
    shapes = ((1,), (2,), (5,), (2, 2), (3, 3), (4, 3), (1, 4), (2, 2, 2), (3, 2, 3), (2, 1, 2, 2))
    shape = draw(st.sampled_from([shape for shape in shapes if len(shape) <= most_dimensions]))
    kind = draw(st.sampled_from(("mesh", "mesh", "torus")))
    return {"kind": kind, "shape": shape, "links": [draw(LINKS) for _ in shape]}


@st.composite
def graphs(draw: st.DrawFn) -> dict:
    """A tree, and some edges more."""
    routers = draw(st.integers(2, 9))
    edges = {(draw(st.integers(0, router - 1)), router) for router in range(1, routers)}
    for _ in range(draw(st.integers(0, 6))):
        one, other = sorted((draw(st.integers(0, routers - 1)), draw(st.integers(0, routers - 1))))
        if one != other:
            edges.add((one, other))
    return {"kind": "graph", "edges": [{"ends": ends, **draw(LINKS)} for ends in sorted(edges)]}


@st.composite
def routers(draw: st.DrawFn, least_vcs: int) -> dict:
    routing_cycles = draw(st.sampled_from((0, 1, 1, 1, 2, 3)))
    return {
        "vcs": draw(st.integers(least_vcs, 5)),
        "vc_buffer": draw(st.sampled_from((1, 2, 3, 5, 8))),
        "routing_cycles": routing_cycles,
        "routing_in_batches": routing_cycles > 1 and draw(st.booleans()),
        "vc_allocation_cycles": draw(st.sampled_from((1, 1, 2, 3))),
        "switch_allocation_cycles": draw(st.sampled_from((1, 1, 2, 3))),
        "traversal_cycles": draw(st.sampled_from((1, 1, 2))),
        "credit_cycles": draw(st.sampled_from((0, 0, 1, 3))),
        "inject_latency": draw(st.sampled_from((1, 1, 2, 5))),
        "eject_latency": draw(st.sampled_from((1, 1, 2, 5))),
        "vc_allocator": draw(st.sampled_from(ALLOCATORS)),
        "switch_allocator": draw(st.sampled_from(ALLOCATORS)),
        "iterations": draw(st.sampled_from((1, 1, 2, 3))),
        "speculative": draw(st.booleans()),
    }


@st.composite
def networks(draw: st.DrawFn, wide: bool) -> BuiltNetwork:
    """Wide: a router has more virtual channels than a word has bits, but not than two have."""
    topology = draw(grids(most_dimensions=2) if wide else st.one_of(grids(), graphs()))
    kinds = ["shortest_path", "up_down", "minimal_adaptive"]
    if topology["kind"] != "graph":
        kinds += ["dimension_order"] * 3
    routing = {"kind": draw(st.sampled_from(kinds))}
    if routing["kind"] == "minimal_adaptive":
        routing["escape_vcs"] = draw(st.integers(1, 2))
    if routing["kind"] == "dimension_order" and draw(st.booleans()):
        routing["order"] = draw(st.permutations(range(len(topology["shape"]))))
    least_vcs = 3 if routing["kind"] == "minimal_adaptive" else 2 if topology["kind"] == "torus" else 1
    router = draw(routers(least_vcs))
    if wide:
        router["vcs"] = 16
    spec = Network.model_validate({
        "topology": topology, "concentration": 1 if wide else draw(st.integers(1, 3)), "flit_bits": 128,
        "clock_ghz": 1.0, "router": router, "routing": routing,
    })  # fmt: skip
    topology = build_topology(spec)
    return BuiltNetwork(topology.name, topology, build_routing(topology, spec), spec.router)


@st.composite
def cases(draw: st.DrawFn, wide: bool = False) -> Case:
    network = draw(networks(wide))
    topology, router = network.topology, network.router
    random = np.random.default_rng(draw(st.integers(0, 1 << 20)))
    count = draw(st.sampled_from((1, 10, 40, 80)))
    # from one after another to all at once
    ctime = np.sort(random.integers(0, draw(st.sampled_from((1, 20, 100, 1000))), count))
    sizes = draw(st.sampled_from(((1,), (5,), (1, 2, 3), (1, 9), (3, 4, 12))))
    packets = Packets(
        random.integers(0, topology.terminals, count), random.integers(0, topology.terminals, count),
        random.choice(sizes, count), ctime,
    )  # fmt: skip
    branches = None
    if draw(st.integers(0, 2)) == 0:
        packets, branches = _with_multicasts(network, packets, random)
    cycles = draw(st.one_of(st.none(), st.integers(0, 200)))
    return Case(topology, network.routing, router, packets, branches, cycles)


def _with_multicasts(
    network: BuiltNetwork, packets: Packets, random: np.random.Generator
) -> tuple[Packets, Branches]:
    """Some of the packets go to several terminals; some of the trees begin on certain virtual channels."""
    multicast = random.random(packets.size.size) < 0.5
    multicast[0] = True
    several = np.flatnonzero(multicast)
    target, size = packets.target.copy(), packets.size.copy()
    target[several] = np.arange(several.size)
    size[several] = np.minimum(size[several], network.router.vc_buffer)
    terminals = network.topology.terminals
    reached = [
        random.choice(terminals, random.integers(1, min(terminals, 6) + 1), replace=False) for _ in several
    ]  # fmt: skip
    trees = multicast_trees(network, packets.source[several].tolist(), [each.tolist() for each in reached])
    vcs = trees.vcs.copy()
    vcs[trees.root] = random.integers(1, 1 << network.router.vcs, trees.root.size)
    return replace(packets, target=target, size=size, multicast=multicast), replace(trees, vcs=vcs)


def run(route, case: Case, **options) -> Arrivals | None:
    """None: a deadlock."""
    try:
        return route(
            case.topology, case.routing, case.router, case.packets, case.branches, cycles=case.cycles, **options
        )  # fmt: skip
    except Deadlock:
        return None


def assert_same(case: Case, **options) -> None:
    expected, found = run(reference.route_packets, case), run(route_packets, case, **options)
    assert (expected is None) == (found is None)
    if expected is None:
        event("deadlock")
        return
    for field in fields(Arrivals):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(expected, field.name), err_msg=field.name)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases(), st.integers(0, 3))
def test_every_packet_takes_the_same_cycles(case, check):
    assert_same(case, check=check == 0)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases(wide=True))
def test_the_same_with_more_virtual_channels_than_a_word_has_bits(case):
    assert_same(case)


def few_packets(topology: Topology, seed: int) -> Packets:
    """Some that meet."""
    random = np.random.default_rng(seed)
    return Packets(
        random.integers(0, topology.terminals, 100), random.integers(0, topology.terminals, 100),
        random.choice((1, 3, 6), 100), np.sort(random.integers(0, 60, 100)),
    )  # fmt: skip


@pytest.mark.parametrize("speculative", [False, True])
@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_a_router_may_have_more_virtual_channels_than_a_word_has_bits(allocator, speculative):
    topology = mesh_topology((3, 3))
    router = Router(vcs=16, vc_buffer=2, vc_allocator=allocator, switch_allocator=allocator, speculative=speculative)
    routing = dimension_order(topology, router.vcs)
    assert_same(Case(topology, routing, router, few_packets(topology, 1), None, None), check=speculative)


def test_a_router_may_have_more_ports_than_a_word_has_bits():
    edges = [{"ends": (0, leaf)} for leaf in range(1, 71)]
    star = build_topology(Network.model_validate(
        {"topology": {"kind": "graph", "edges": edges}, "flit_bits": 128, "clock_ghz": 1.0}
    ))  # fmt: skip
    case = Case(star, shortest_path(star, 1), Router(vcs=1, vc_buffer=3), few_packets(star, 2), None, None)
    assert_same(case, check=True)


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings of BookSim 2 are not on this machine")
@pytest.mark.parametrize("name", NAMES)
def test_whole_recordings_of_booksim_come_out_in_the_same_cycles(name):
    config, rows = recorded(name)
    topology, router = mesh_topology((config["k"],) * config["n"]), router_of(config)
    packets = Packets(rows["src"], rows["dst"], rows["size"], rows["ctime"])
    arrivals = route_packets(topology, dimension_order(topology, router.vcs), router, packets)
    for field in ("itime", "atime", "hops"):
        np.testing.assert_array_equal(getattr(arrivals, field), rows[field], err_msg=field)
