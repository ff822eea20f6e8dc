"""Topologies: which routers are joined, at which ports; from records and from files of graphs."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.config import graphs, load_network, load_system, shipped_networks
from pimsim.config.network import MOST_ROUTERS, Network
from pimsim.errors import InputError
from pimsim.network.routing import build_routing
from pimsim.network.topology import Topology, build_topology, coordinates, mesh_topology, router_coordinates


def network(topology: dict, **keys) -> Network:
    return Network.model_validate({"topology": topology, "flit_bits": 64, "clock_ghz": 1.0} | keys)


def graph_of(topology: Topology) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_nodes_from(range(topology.routers))
    graph.add_edges_from(zip(topology.source.tolist(), topology.target.tolist(), strict=True))
    assert graph.number_of_edges() == topology.channels  # no two of the same ends
    return graph


def check_ports(topology: Topology) -> None:
    """Every port is used once; an input and an output of the same number lead to the same neighbour."""
    outputs = list(zip(topology.source, topology.source_port, strict=True))
    inputs = list(zip(topology.target, topology.target_port, strict=True))
    terminals = list(zip(topology.terminal_router, topology.terminal_port, strict=True))
    for used in (outputs + terminals, inputs + terminals):
        assert len(set(used)) == len(used) and max(port for _, port in used) < topology.ports
    neighbour = dict(zip(outputs, topology.target, strict=True))
    for (router, port), source in zip(inputs, topology.source, strict=True):
        assert neighbour.get((router, port), source) == source
    assert topology.source.tolist() == sorted(topology.source.tolist())


shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(shape=shapes, wrap=st.booleans(), concentration=st.integers(1, 3))
def test_a_mesh_or_torus_is_the_grid_graph_of_networkx(shape, wrap, concentration):
    topology = mesh_topology(shape, concentration=concentration, wrap=wrap)
    expected = nx.grid_graph(shape[::-1], periodic=[wrap and size > 2 for size in shape[::-1]])
    number = {place: sum(x * prod(shape[:d]) for d, x in enumerate(place)) for place in np.ndindex(*shape)}
    # grid_graph writes places last dimension first only where dim is given so; nodes of one dimension are numbers.
    edges = {
        frozenset(number[place if isinstance(place, tuple) else (place,)] for place in edge)
        for edge in expected.edges
    }
    found = graph_of(topology)
    assert {frozenset(edge) for edge in found.edges} == edges
    assert all(found.has_edge(b, a) for a, b in found.edges)
    check_ports(topology)
    assert topology.terminals == prod(shape) * concentration
    assert topology.terminal_router.tolist() == [t // concentration for t in range(topology.terminals)]


def test_ports_lead_up_and_down_each_dimension():
    topology = mesh_topology((3, 3, 3), concentration=2)
    middle = 13
    ends = {int(port): coordinates(int(end), (3, 3, 3)) for source, port, end in
            zip(topology.source, topology.source_port, topology.target, strict=True) if source == middle}  # fmt: skip
    assert ends == {0: (2, 1, 1), 1: (0, 1, 1), 2: (1, 2, 1), 3: (1, 0, 1), 4: (1, 1, 2), 5: (1, 1, 0)}
    assert topology.terminal_port[topology.terminal_router == middle].tolist() == [6, 7]


def test_each_dimension_has_links_of_its_own():
    wide = {"latency": 2, "length_mm": 2.5}
    tsv = {"width_bits": 24, "length_mm": 0.05, "vertical": True}
    topology = build_topology(network({"kind": "mesh", "shape": [2, 2, 2], "links": [{}, wide, tsv]}))
    by_dimension = [np.flatnonzero(topology.dimension == d)[0] for d in range(3)]
    assert topology.latency[by_dimension].tolist() == [1, 2, 1]
    assert topology.flit_cycles[by_dimension].tolist() == [1, 1, 3]  # 64 bits over 24 wires
    assert topology.length_mm[by_dimension].tolist() == [1, 2.5, 0.05]
    assert topology.vertical[by_dimension].tolist() == [False, False, True]
    assert np.array_equal(topology.position[:, 2], [0, 0, 0, 0, 1, 1, 1, 1])


def test_coordinates_and_names():
    assert router_coordinates((2, 3)).tolist() == [[0, 0], [1, 0], [0, 1], [1, 1], [0, 2], [1, 2]]
    topology = mesh_topology((2, 3))
    assert (topology.name, topology.channel_name(0)) == ("mesh 2x3", "router (0, 0) -> router (1, 0)")
    assert mesh_topology((4,)).router_name(3) == "router 3"


@settings(max_examples=20, deadline=None, derandomize=True)
@given(routers=st.integers(5, 40), neighbours=st.sampled_from((2, 4)), seed=st.integers(0, 99))
def test_a_small_world_is_that_of_networkx_and_the_same_for_the_same_seed(routers, neighbours, seed):
    spec = {"kind": "small_world", "routers": routers, "neighbours": neighbours, "rewiring": 0.3, "seed": seed}
    topology = build_topology(network(spec, concentration=2))
    expected = nx.connected_watts_strogatz_graph(routers, neighbours, 0.3, 100, seed)
    assert nx.utils.graphs_equal(graph_of(topology), nx.DiGraph(expected.to_directed()))
    check_ports(topology)
    assert topology.ports == max(dict(expected.degree).values()) + 2 == network(spec, concentration=2).ports


def test_a_small_world_that_falls_apart_every_time_is_refused(monkeypatch):
    monkeypatch.setattr(graphs, "_TRIES", 2)
    spec = network({"kind": "small_world", "routers": 90, "neighbours": 2, "rewiring": 1})
    with pytest.raises(InputError, match="none of 2 small-world graphs of 90 routers"):
        build_topology(spec)


FILES = {
    "edges.txt": "# a square and a tail\n0 1\n1 2 {'latency': 3}\n2 3  # none\n\n3 0\n3 10 {'vertical': True}\n",
    "edges.graphml": "\n".join(nx.generate_graphml(nx.Graph([(0, 1), (1, 2), (2, 3), (3, 0), (3, 10)]))),
    "edges.json": json.dumps({
        "nodes": [{"id": n} for n in (10, 3, 2, 1, 0)],
        "links": [{"source": a, "target": b} for a, b in ((0, 1), (1, 2), (2, 3), (3, 0), (3, 10))],
    }),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_graph_is_read_from_a_file_beside_the_one_that_names_it(tmp_path, name):
    (tmp_path / name).write_text(FILES[name])
    file = tmp_path / "own.yaml"
    file.write_text(
        f"format: pimsim-noc-1\nname: own\nnoc:\n  topology: {{kind: graph, file: {name}}}\n"
        "  flit_bits: 64\n  clock_ghz: 1\n"
    )
    noc = load_network(file)
    topology = build_topology(noc)
    assert {frozenset(edge) for edge in graph_of(topology).edges} == set(
        map(frozenset, [(0, 1), (1, 2), (2, 3), (3, 0), (3, 4)])
    )
    check_ports(topology)
    assert topology.router_name(4) == "router 10"  # as the file has it
    assert (noc.terminals, noc.ports) == (5, 3 + 1)
    if name == "edges.txt":
        latency = dict(zip(map(topology.channel_name, range(topology.channels)), topology.latency, strict=True))
        assert latency["router 1 -> router 2"] == latency["router 2 -> router 1"] == 3
        assert topology.vertical.sum() == 2
    # What is loaded holds the graph itself: it loads again without the file.
    (tmp_path / name).unlink()
    data = {"format": "pimsim-noc-1", "name": "own", "noc": noc.model_dump(mode="json")}
    file.write_text(yaml.safe_dump(data))
    assert load_network(file) == noc


def test_places_and_one_way_channels_come_from_the_file(tmp_path):
    graph = nx.DiGraph([("a", "b"), ("b", "c"), ("c", "a")])
    nx.set_node_attributes(graph, {n: {"x": i, "y": 0.5, "z": 2} for i, n in enumerate("abc")})
    path = tmp_path / "ring.graphml"
    nx.write_graphml(graph, path)
    noc = load_network("mesh-8x8", [f"noc.topology={{kind: graph, file: {path}}}"])
    topology = build_topology(noc)
    assert topology.channels == 3
    assert topology.position.tolist() == [[0, 0.5, 2], [1, 0.5, 2], [2, 0.5, 2]]
    assert topology.channel_name(0) == "router a -> router b"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("g.txt", "0 1\n0\n", "g.txt:2: '0' is no edge; allowed: two names"),
        ("g.txt", "0 1\n1 0\n", "g.txt:2: 1 and 0 are joined twice"),
        ("g.txt", "0 1 {'latency': 0}\n", "topology.edges.0.latency: 0 is not allowed"),
        ("g.txt", "0 1 {'latency': 1.5}\n", "g.txt: edge 0 - 1: latency: 1.5 is not allowed; allowed: a whole number"),
        ("g.txt", "0 1 __import__('os')\n", "g.txt:1: "),
        ("g.txt", "# nothing\n", "g.txt: the graph has no edges"),
        ("g.txt", "0 0\n", "the edge [0, 0] joins a router to itself"),
        ("g.json", "{]", "g.json: not a graph: "),
        ("g.json", "[]", "g.json: not a graph: it needs nodes: [{id: ...}, ...] and edges: "),
        ("g.json", '{"nodes": [{"name": 1}], "edges": []}', "g.json: not a graph: it needs nodes: [{id: ...}, ...]"),
        ("g.json", '{"nodes": [{"id": [1]}], "edges": []}', "g.json: not a graph: it needs nodes: [{id: ...}, ...]"),
        ("g.json", '{"nodes": [], "edges": [1]}', "g.json: not a graph: it needs nodes: [{id: ...}, ...]"),
        ("g.graphml", "<a>", "g.graphml: not a graph: "),
        ("g.txt", None, "noc.topology.file: 'g.txt' cannot be read: No such file"),
        ("g.txt", "".join(f"{n} {n + 1}\n" for n in range(MOST_ROUTERS)), "8,193 routers; allowed: at most 8,192"),
    ],
)
def test_a_wrong_graph_is_named(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    file = tmp_path / "own.yaml"
    file.write_text(f"base: mesh-8x8\nnoc:\n  topology: {{kind: graph, file: {name}}}\n")
    with pytest.raises(InputError) as caught:
        load_network(file)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_routers_to_which_no_edge_leads_are_not_lost(tmp_path):
    nodes = [{"id": n} for n in range(5)]
    edges = [{"source": 0, "target": 1}, {"source": 1, "target": 2}]
    (tmp_path / "g.json").write_text(json.dumps({"nodes": nodes, "edges": edges}))
    noc = load_network("mesh-8x8", [f"noc.topology={{kind: graph, file: {tmp_path / 'g.json'}}}"])
    assert noc.routers == 5
    with pytest.raises(InputError, match="is not connected: router 3 cannot be reached from router 0"):
        build_routing(build_topology(noc), noc)


def test_the_network_in_the_guide_loads(tmp_path):
    guide = (Path(__file__).parents[2] / "arch_configs" / "README.md").read_text()
    (tmp_path / "own.yaml").write_text(next(b for b in guide.split("```yaml\n") if "pimsim-noc" in b).split("```")[0])
    assert load_network(tmp_path / "own.yaml").shape == (4, 4, 4)


@pytest.mark.parametrize("text", ["format: pimsim-noc-2\nname: x\nnoc: {}\n", "base: mesh-8x8\nformat: pimsim-noc-2\n"])
def test_a_format_of_another_version_is_named(tmp_path, text):
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(InputError, match="'pimsim-noc-2' is not allowed; allowed: pimsim-noc-1 or pimsim-system-1"):
        load_network(tmp_path / "own.yaml")
    with pytest.raises(InputError, match="format: 'pimsim-noc-1' is not allowed; allowed: pimsim-system-1"):
        load_system(shipped_networks()["mesh-8x8"])


@pytest.mark.parametrize("name", shipped_networks())
def test_every_shipped_network_loads_and_is_built(name):
    noc = load_network(name)
    assert noc.energy is not None and len(noc.energy.source) > 20
    assert build_topology(noc).terminals == noc.terminals


def test_a_network_is_that_of_a_chip_a_file_or_loaded_already():
    noc = load_network("isaac-ce", ["chip.noc.router.vcs=2"])
    assert (noc.shape, noc.router.vcs, noc.terminals) == ((7, 6), 2, 168)
    assert load_network(load_system("isaac-ce")) == load_system("isaac-ce").chip.noc
    assert load_network(noc) is noc
    assert (noc.inject_cycles, noc.eject_cycles, noc.hop_cycles(), noc.hop_cycles(2, 3)) == (2, 5, 5, 8)
    assert load_network("mesh-4x4x4", ["noc.concentration=2"]).terminals == 128


@pytest.mark.parametrize(
    ("source", "override", "message"),
    [
        ("mesh-8x9", None, "'mesh-8x9' is neither a shipped system or network nor a file, did you mean 'mesh-8x8'?"),
        ("mesh-8x8", "noc.router.vc=2", "noc.router.vc: noc.router has no key 'vc', did you mean 'vcs'?"),
        ("mesh-8x8", "router.vcs=3", "a network description has no key 'router'; allowed: format, name, paper, noc"),
        ("mesh-8x8", "noc.router.inject_latency=1025", "1025 is not allowed; allowed: a whole number from 1 to 1,024"),
        ("mesh-8x8", "noc.router.routing_cycles=1025", "1025 is not allowed; allowed: a whole number from 0 to 1,024"),
        ("mesh-8x8", "noc.topology.links=[{latency: 1025}]", "allowed: a whole number from 1 to 1,024"),
        ("mesh-8x8", "noc={topology: {kind: mesh, shape: [2], links: [{width_bits: 1}]}, flit_bits: 1025,"
         " clock_ghz: 1}",
         "a flit of 1,025 bits would hold a link of width_bits 1 for over 1,024 cycles"),
        ("mesh-8x8", "noc.mesh=[8, 8]", "write topology: {kind: mesh, shape: [...]}"),
        ("mesh-8x8", "format=pimsim-noc-2", "format: 'pimsim-noc-2' is not allowed; allowed: pimsim-noc-1"),
        ("torus-8x8", "noc.io_router=[8, 0]", "io_router [8, 0] lies outside the torus [8, 8]"),
        ("small-world-64", "noc.io_router=64", "io_router 64 lies outside the small_world [64]"),
        ("small-world-64", "noc.topology.neighbours=3", "neighbours must be an even number below the 64 routers"),
        ("small-world-64", "noc.routing.kind=dimension_order", "dimension_order needs a mesh or torus, not a small_w"),
    ],
)
def test_a_wrong_network_is_named(source, override, message):
    with pytest.raises(InputError) as caught:
        load_network(source, [override] if override else [])
    assert message in str(caught.value)


def test_overrides_of_what_is_loaded_already_are_refused():
    with pytest.raises(InputError, match="given by name or file"):
        load_network(load_network("mesh-8x8"), ["noc.concentration=2"])
