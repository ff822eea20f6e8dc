"""Paths lead where they should, link by link; delivery trees are the union of paths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.config import load_system, resolved
from pimsim.config.records import System
from pimsim.mapping.placement import bands, snake
from pimsim.network.fabric import CHIP, EJECT, HOST, INJECT, MESH, Fabric, build_fabric, longest_path, path
from pimsim.network.trees import build_trees

ISAAC = resolved(load_system("isaac-ce"))


def fabric_of(topology: dict, chips: int = 1, columns: int = 0, tiles: int | None = None, **noc) -> Fabric:
    noc = {"topology": topology, "io_router": 0, "concentration": 1, "routing": None} | noc
    spec = ISAAC["chip"]["noc"] | noc
    tiles = tiles or noc["concentration"] * (topology.get("routers") or int(np.prod(topology["shape"])))
    graph = {"kind": "mesh", "columns": columns} if columns else {"kind": "ring"}
    chip = ISAAC["chip"] | {"noc": spec, "tiles": tiles}
    return build_fabric(System.model_validate(ISAAC | {"chips": chips, "chip_graph": graph, "chip": chip}), chips)


TOPOLOGIES = [
    {"kind": "mesh", "shape": [1]}, {"kind": "mesh", "shape": [4, 3]}, {"kind": "mesh", "shape": [2, 3, 2]},
    {"kind": "torus", "shape": [5]}, {"kind": "torus", "shape": [4, 3]}, {"kind": "torus", "shape": [3, 2, 4]},
    {"kind": "small_world", "routers": 9, "neighbours": 4, "rewiring": 0.3, "seed": 3},
]  # fmt: skip
ROUTINGS = [None, {"kind": "shortest_path"}, {"kind": "up_down", "root": 0}, {"kind": "minimal_adaptive"}]


@st.composite
def fabrics(draw) -> Fabric:
    topology = draw(st.sampled_from(TOPOLOGIES))
    routers = topology.get("routers") or int(np.prod(topology["shape"]))
    chips, concentration = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    tiles = draw(st.integers(1, routers * concentration))
    return fabric_of(
        topology, chips, draw(st.integers(0, chips)), tiles, concentration=concentration,
        routing=draw(st.sampled_from(ROUTINGS)), io_router=draw(st.integers(0, routers - 1)),
    )  # fmt: skip


def walk(fabric: Fabric, source: int, target: int) -> list[int]:
    links = np.empty(longest_path(fabric), np.int64)
    return links[: path(fabric.kernel, source, target, links)].tolist()


def end_of(fabric: Fabric, link: int) -> tuple:
    """(begin, end) of a link as ("tile", t), ("router", chip, number)."""

    def router_of(tile: int) -> tuple:
        chip, local = divmod(tile, fabric.tiles)
        return "router", chip, local // fabric.concentration

    if link < fabric.n_tiles:
        return ("tile", link), router_of(link)
    link -= fabric.n_tiles
    if link < fabric.n_tiles:
        return router_of(link), ("tile", link)
    link -= fabric.n_tiles
    channels = fabric.topology.channels
    if link < fabric.chips * channels:
        chip, channel = divmod(link, channels)
        ends = fabric.topology.source[channel], fabric.topology.target[channel]
        return tuple(("router", chip, int(router)) for router in ends)
    chip, direction = divmod(link - fabric.chips * channels, 4)
    steps = ((1, 0), (-1, 0), (0, -1), (0, 1))
    if fabric.chip_columns:
        dx, dy = steps[direction]
        x, y = chip % fabric.chip_columns + dx, chip // fabric.chip_columns + dy
        assert 0 <= x < fabric.chip_columns and y >= 0
        other = y * fabric.chip_columns + x
    else:
        other = (chip + (1 if direction == 0 else -1)) % fabric.chips
    assert 0 <= other < fabric.chips
    return ("router", chip, fabric.io_router), ("router", other, fabric.io_router)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(fabric=fabrics(), data=st.data())
def test_a_path_leads_from_source_to_target(fabric, data):
    source = data.draw(st.integers(HOST, fabric.n_tiles - 1))
    target = data.draw(st.integers(0, fabric.n_tiles - 1))
    links = walk(fabric, source, target)
    at = ("router", 0, fabric.io_router) if source == HOST else ("tile", source)
    assert len(set(links)) == len(links)
    for link in links:
        begin, end = end_of(fabric, link)
        assert begin == at
        at = end
    assert at == ("tile", target)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(fabric=fabrics(), data=st.data(), mode=st.sampled_from(["tree", "unicast", "ideal"]))
def test_a_tree_reaches_every_destination_along_its_path(fabric, data, mode):
    tiles = st.integers(0, fabric.n_tiles - 1)
    one = st.tuples(st.integers(HOST, fabric.n_tiles - 1), st.sets(tiles, min_size=1))
    trees = data.draw(st.lists(one, max_size=4))
    sources = np.array([source for source, _ in trees], np.int64)
    first = np.cumsum([0] + [len(targets) for _, targets in trees])
    targets = np.array([t for _, chosen in trees for t in sorted(chosen)], np.int64)
    built = build_trees(fabric, sources, first, targets, mode)
    speeds = fabric.link_speeds()
    reached: dict[int, list[int]] = {}
    for t in range(len(trees)):
        start = int(built.first[t])
        stack = [(e, []) for e in range(start, start + int(built.roots[t]))]
        while stack:
            e, before = stack.pop()
            way = before + ([int(built.link[e])] if built.link[e] >= 0 else [])
            if built.target[e] >= 0:
                assert built.child_lo[e] == built.child_hi[e]
                reached[int(built.target[e])] = way
                expected = walk(fabric, int(sources[t]), int(targets[built.target[e]]))
                if mode == "ideal":
                    assert way == []
                    assert built.passed[e].tolist() == np.bincount(speeds[expected], minlength=4).tolist()
                else:
                    assert way == expected
            stack += [(c, way) for c in range(int(built.child_lo[e]), int(built.child_hi[e]))]
        if mode == "tree":  # each link once: a packet is copied where paths part
            links = [link for link in built.link[start : built.first[t + 1]].tolist() if link >= 0]
            every = {link for target in trees[t][1] for link in walk(fabric, int(sources[t]), target)}
            assert set(links) == every and len(links) == len(every)
    assert sorted(reached) == list(range(targets.size))


def test_links_are_numbered_by_kind():
    fabric = fabric_of({"kind": "mesh", "shape": [2, 2]}, chips=2, columns=2, concentration=2)
    kinds = fabric.link_kinds()
    assert np.bincount(kinds).tolist() == [16, 2 * 8, 16, 8]
    assert kinds[[0, 16, 32, 48]].tolist() == [INJECT, EJECT, MESH, CHIP]
    assert fabric.link_name(0) == "tile 0 to its router"
    assert fabric.link_name(32) == "chip 0: router (0, 0) to (1, 0)"
    assert fabric.link_name(47) == "chip 1: router (1, 1) to (1, 0)"
    assert fabric.link_name(48) == "chip 0: link east"
    assert [fabric.chip_of(link) for link in (0, 8, 16, 24, 32, 40, 51, 52)] == [0, 1, 0, 1, 0, 1, 0, 1]
    ring = fabric_of({"kind": "small_world", "routers": 3, "neighbours": 2, "rewiring": 0})
    assert ring.link_name(6) == "chip 0: router 0 to 1"


def test_channels_of_other_latency_and_width_have_a_speed_of_their_own():
    links = [{"latency": 1}, {"latency": 3, "width_bits": 12}]
    fabric = fabric_of({"kind": "mesh", "shape": [2, 2], "links": links})
    assert [tuple(speed) for speed in fabric.speeds] == [(INJECT, 2, 1), (MESH, 5, 1), (EJECT, 5, 1), (CHIP, 0, 1),
                                                         (MESH, 4 + 3 + 2, 3)]  # fmt: skip
    channel = fabric.topology.dimension.tolist()
    assert fabric.channel_speed.tolist() == [1 if d == 0 else 4 for d in channel]
    # From tile 0 over x and y to tile 3: the narrow channel sets the pace of what follows.
    built = build_trees(fabric, np.array([0]), np.array([0, 1]), np.array([3]), "unicast")
    assert built.pace.tolist() == [1, 1, 3, 3]
    ideal = build_trees(fabric, np.array([0]), np.array([0, 1]), np.array([3]), "ideal")
    assert (ideal.pace.tolist(), ideal.passed.tolist()) == ([3], [[1, 1, 1, 0, 1]])


def test_a_link_between_chips_takes_in_the_whole_packet():
    slow = {"kind": "mesh", "shape": [2], "links": [{"width_bits": 8}]}
    fabric = fabric_of(slow, chips=2, columns=2, io_router=0)
    built = build_trees(fabric, np.array([1, 1]), np.array([0, 1, 2]), np.array([2, 3]), "ideal")
    assert built.pace.tolist() == [1, 4]  # to the router of chip 1 at which the link ends; and one channel further


def test_tiers_are_numbered_from_0():
    assert fabric_of({"kind": "mesh", "shape": [2, 1, 3]}).tier.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("strategy", [snake, bands])
def test_a_placement_names_every_replica_and_every_tile_once(strategy):
    fabric = fabric_of({"kind": "mesh", "shape": [2, 2]}, chips=3, columns=2, tiles=7, concentration=2)
    replicas, tiles = strategy.turns({1: 4, 3: 1, 4: 2}, fabric)
    assert sorted(replicas) == [(1, 0), (1, 1), (1, 2), (1, 3), (3, 0), (4, 0), (4, 1)]
    assert sorted(tiles) == list(range(21))
    for layer in (1, 4):
        mine = [replica for node, replica in replicas if node == layer]
        assert mine == sorted(mine)


@pytest.mark.parametrize("topology", [topology for topology in TOPOLOGIES if "shape" in topology])
def test_neighbours_along_the_snake_are_neighbours_on_the_chip(topology):
    fabric = fabric_of(topology)
    order = snake.tiles(fabric).tolist()
    assert sorted(order) == list(range(fabric.routers))
    joined = set(zip(fabric.topology.source.tolist(), fabric.topology.target.tolist(), strict=True))
    assert all(step in joined for step in zip(order, order[1:], strict=False))


def test_a_graph_is_walked_breadth_first_from_its_io_router():
    fabric = fabric_of(TOPOLOGIES[-1], io_router=4)
    order = snake.tiles(fabric).tolist()
    away = [len(walk(fabric, 4, tile)) for tile in order]
    assert sorted(order) == list(range(9)) and order[0] == 4 and away == sorted(away)
