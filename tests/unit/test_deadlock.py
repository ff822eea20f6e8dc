"""Routing tables lead to every router, as they promise; cycles of dependencies are found, and only they."""

from __future__ import annotations

import time

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.config import load_network, shipped_networks
from pimsim.config.network import Network
from pimsim.errors import InputError
from pimsim.network.deadlock import check_network, find_cycle, require_deadlock_free, require_forks_fit
from pimsim.network.routing import (
    CLASS_SHIFT,
    Routing,
    dimension_order,
    minimal_adaptive,
    shortest_path,
    up_down,
)
from pimsim.network.topology import Topology, build_topology, mesh_topology
from tests.unit.test_topology import graph_of, network


def way(topology: Topology, routing: Routing, start: int, target: int) -> list[tuple[int, int]]:
    """(channel, class) from router to router, from class 0."""
    output, found, c, r = topology.output, [], 0, start
    while r != target:
        entry = int(routing.next[c, r, target])
        assert entry >= 0
        c, channel = entry >> CLASS_SHIFT, int(output[r, entry & 255])
        assert channel >= 0
        found.append((channel, c))
        r = int(topology.target[channel])
        assert len(found) <= routing.next.shape[0] * topology.routers
    return found


def ways(topology: Topology, routing: Routing) -> list[list[tuple[int, int]]]:
    return [way(topology, routing, a, b) for a in range(topology.routers) for b in range(topology.routers)]


def dependency_graph(topology: Topology, routing: Routing) -> nx.DiGraph:
    """By walking: every virtual channel of a channel that a packet may hold, to every one it may ask for next."""
    graph = nx.DiGraph()
    for path in ways(topology, routing):
        for (channel, c), (onward, d) in zip(path, path[1:], strict=False):
            for v in range(8):
                for w in range(8):
                    if routing.class_vcs[c] >> v & 1 and routing.class_vcs[d] >> w & 1:
                        graph.add_edge((channel, v), (onward, w))
    return graph


def is_cycle(names: list[str]) -> bool:
    """Whether each channel begins where the one before ends."""
    ends = [name.split(" on VC")[0].split(" -> ") for name in names]
    return all(a[1] == b[0] for a, b in zip(ends, ends[1:] + ends[:1], strict=True))


@st.composite
def cases(draw) -> tuple[Topology, Routing]:
    if draw(st.booleans()):
        shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3).filter(lambda s: np.prod(s) <= 24))
        topology = mesh_topology(shape, wrap=draw(st.booleans()))
        if draw(st.booleans()):
            return topology, dimension_order(
                topology, draw(st.integers(2, 4)), draw(st.permutations(range(len(shape)))), draw(st.booleans())
            )
    else:
        graph = nx.gnm_random_graph(draw(st.integers(2, 9)), draw(st.integers(3, 16)), draw(st.integers(0, 10**6)))
        graph.add_edges_from(nx.path_graph(graph.number_of_nodes()).edges)
        edges = [{"ends": edge} for edge in graph.edges]
        topology = build_topology(network({"kind": "graph", "edges": edges}))
    routing = shortest_path(topology) if draw(st.booleans()) else up_down(topology, 4, topology.routers // 2)
    return topology, minimal_adaptive(topology, routing, 2) if draw(st.booleans()) else routing


@settings(max_examples=120, deadline=None, derandomize=True)
@given(case=cases())
def test_a_cycle_is_found_where_walking_all_pairs_finds_one(case):
    topology, routing = case
    expected = dependency_graph(topology, routing)
    names = find_cycle(topology, routing)
    assert (names is None) == nx.is_directed_acyclic_graph(expected)
    if names is not None:
        assert is_cycle(names) and len(names) >= 2
        with pytest.raises(InputError, match="can deadlock: router .*round again"):
            require_deadlock_free(topology, routing)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(case=cases())
def test_paths_from_one_router_form_a_tree(case):
    topology, routing = case
    for start in range(topology.routers):
        before: dict[tuple[int, int], tuple[int, int] | None] = {}
        for target in range(topology.routers):
            path = way(topology, routing, start, target)
            for previous, link in zip([None, *path], path, strict=False):
                assert before.setdefault(link, previous) == previous


@pytest.mark.parametrize("shape", [(4, 4), (3, 4, 2), (8,), (2, 2, 2, 2)])
def test_dimension_order_cannot_lock_a_mesh_in_any_order(shape):
    topology = mesh_topology(shape)
    for order in (tuple(range(len(shape))), tuple(reversed(range(len(shape))))):
        routing = dimension_order(topology, 1, order)
        assert find_cycle(topology, routing) is None
        for path in ways(topology, routing):
            dimensions = [order.index(topology.dimension[channel]) for channel, _ in path]
            assert dimensions == sorted(dimensions)


@pytest.mark.parametrize("shape", [(6,), (5, 3), (5, 5, 5)])
def test_a_torus_locks_without_a_dateline_and_not_with_one(shape):
    topology = mesh_topology(shape, wrap=True)
    cycle = find_cycle(topology, dimension_order(topology, 4, dateline=False))
    assert cycle is not None and len(cycle) in shape and is_cycle(cycle)
    routing = dimension_order(topology, 4)
    assert find_cycle(topology, routing) is None
    assert routing.class_vcs.tolist() == [0b0011, 0b1100]
    hops = dict(nx.all_pairs_shortest_path_length(graph_of(topology)))
    assert [len(path) for path in ways(topology, routing)] == [
        hops[a][b] for a in range(topology.routers) for b in range(topology.routers)
    ]


def test_opposite_routers_of_a_torus_use_both_ways_round():
    topology = mesh_topology((4, 1), wrap=True)
    routing = dimension_order(topology)
    ports = [int(routing.next[0, r, (r + 2) % 4]) & 255 for r in range(4)]
    assert ports == [0, 1, 0, 1]  # even coordinates go up
    # So no packet asks for a second channel up at coordinate 1 or 3: four routers in a ring never lock.
    assert find_cycle(topology, dimension_order(topology, 1, dateline=False)) is None


def test_a_cycle_on_a_part_of_the_virtual_channels_names_them():
    topology = mesh_topology((5,), wrap=True)
    routing = dimension_order(topology, 4, dateline=False)
    classes = np.repeat(routing.next, 2, axis=0)
    cycle = find_cycle(topology, Routing("halves", classes, np.array([0b0011, 0b1100])))
    assert cycle is not None and all(name.endswith(" on VC 0-1") for name in cycle)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(case=cases())
def test_every_port_of_an_adaptive_mask_leads_nearer_and_no_other(case):
    topology, _ = case
    routing = minimal_adaptive(topology, up_down(topology))
    hops = dict(nx.all_pairs_shortest_path_length(graph_of(topology)))
    for r in range(topology.routers):
        for t in range(topology.routers):
            nearer = [int(port) for s, port, end in
                      zip(topology.source, topology.source_port, topology.target, strict=True)
                      if s == r and hops[int(end)][t] < hops[r][t]]  # fmt: skip
            assert routing.adaptive is not None and int(routing.adaptive[r, t]) == sum(1 << port for port in nearer)
    assert find_cycle(topology, routing) is None
    assert np.all(routing.class_vcs[1:] & routing.class_vcs[0] == 0)


def test_up_down_goes_up_before_it_goes_down():
    topology = build_topology(load_network("small-world-64"))
    routing = up_down(topology, 4, 7)
    level = nx.single_source_shortest_path_length(graph_of(topology), 7)
    rank = [(level[r], r) for r in range(64)]
    for path in ways(topology, routing):
        ups = [rank[topology.target[channel]] < rank[topology.source[channel]] for channel, _ in path]
        assert ups == sorted(ups, reverse=True)
        assert [c for _, c in path] == [0 if up else 1 for up in ups]


def test_an_escape_that_can_be_left_or_is_shared_is_refused():
    topology = mesh_topology((3, 3))
    routing = minimal_adaptive(topology, dimension_order(topology))
    shared = Routing("shared", routing.next, np.array([0b1111, 0b0001]), routing.adaptive)
    with pytest.raises(InputError, match="the escape of shared shares virtual channels with class 0"):
        find_cycle(topology, shared)
    back = Routing("back", np.where(routing.next < 0, -1, routing.next & 255), routing.class_vcs, routing.adaptive)
    with pytest.raises(InputError, match="the escape of back leads back to class 0"):
        find_cycle(topology, back)


def test_tables_that_lead_round_or_nowhere_are_refused():
    topology = mesh_topology((3,))
    good = dimension_order(topology).next
    for r, entry in ((1, 1), (1, -1), (0, 1)):  # back, nowhere, off the edge
        wrong = good.copy()
        wrong[0, r, 2] = entry
        with pytest.raises(InputError, match="does not lead from router [01] to router 2"):
            find_cycle(topology, Routing("wrong", wrong, np.array([15])))


def graph_network(*edges: tuple[int, int], **keys) -> Network:
    return network({"kind": "graph", "edges": [{"ends": edge} for edge in edges]}, **keys)


def test_a_graph_in_two_parts_names_a_router_that_cannot_be_reached():
    noc = graph_network((0, 1), (2, 3))
    with pytest.raises(InputError, match="is not connected: router 2 cannot be reached from router 0"):
        check_network(noc)
    edge = {"ends": (0, 1), "one_way": True}
    one_way = network({"kind": "graph", "edges": [edge]}, routing={"kind": "shortest_path"})
    with pytest.raises(InputError, match="router 0 cannot be reached from router 1"):
        check_network(one_way)


def test_a_ring_of_one_way_channels_locks_and_has_no_up_and_down():
    edges = [{"ends": (r, (r + 1) % 4), "one_way": True} for r in range(4)]
    check = check_network(network({"kind": "graph", "edges": edges}, routing={"kind": "shortest_path"}))
    assert len(check.cycle) == 4 and check.offers == () and not check.deadlock_free
    with pytest.raises(InputError, match="none from router 1 to router 0"):
        check_network(network({"kind": "graph", "edges": edges}))


@pytest.mark.parametrize(
    ("routing", "message"),
    [({"kind": "dimension_order"}, "needs two virtual channels"), ({"kind": "minimal_adaptive"}, "must be larger")],
)
def test_one_virtual_channel_is_too_few_for_a_dateline_or_an_escape(routing, message):
    with pytest.raises((InputError, ValueError), match=message):
        check_network(network({"kind": "torus", "shape": [4, 4]}, routing=routing, router={"vcs": 1}))


def test_what_is_offered_instead_cannot_lock():
    torus = {"kind": "torus", "shape": [5, 5]}
    check = check_network(network(torus, routing={"kind": "dimension_order", "dateline": False}))
    assert check.offers == ("routing.dateline: true", "routing: {kind: up_down}",
                            "an escape VC (routing: {kind: minimal_adaptive})")  # fmt: skip
    for routing in ({"kind": "dimension_order", "dateline": True}, {"kind": "up_down"}, {"kind": "minimal_adaptive"}):
        assert check_network(network(torus, routing=routing)).deadlock_free


@pytest.mark.parametrize("name", [name for name in shipped_networks() if name != "mesh-8x8x8"])
def test_shipped_networks_are_free_of_deadlock(name):
    assert check_network(load_network(name)).deadlock_free


def test_figures_of_a_mesh_are_those_in_the_books():
    check = check_network(load_network("mesh-8x8"))
    assert (check.routers, check.terminals, check.channels, check.diameter) == (64, 64, 224, 14)
    assert check.bisection_channels == 16


def test_packets_that_branch_must_fit_a_buffer():
    require_forks_fit(network({"kind": "mesh", "shape": [2]}))
    require_forks_fit(network({"kind": "mesh", "shape": [2]}, packet_flits=9, multicast="unicast"))
    with pytest.raises(InputError, match="packets of 9 flits that branch do not fit buffers of 8 flits"):
        require_forks_fit(network({"kind": "mesh", "shape": [2]}, packet_flits=9))


def test_tables_of_512_routers_are_built_and_checked_well_within_a_second():
    noc = load_network("mesh-8x8x8")
    check_network(load_network("mesh-4x4x4"))  # compiled, or read from the cache
    start = time.process_time()
    assert check_network(noc).deadlock_free
    assert time.process_time() - start < 2  # 0.1 measured; loaded machines
