"""Paths lead where they should, link by link; delivery trees are the union of paths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.mapping.placement import STRATEGIES
from pimsim.network.fabric import CHIP, EJECT, HOST, INJECT, MESH, Fabric, longest_path, path
from pimsim.network.trees import build_trees


@st.composite
def fabrics(draw) -> Fabric:
    chips, x, y, concentration = (draw(st.integers(1, n)) for n in (6, 4, 3, 3))
    tiles = draw(st.integers(1, x * y * concentration))
    columns = draw(st.integers(0, chips))
    io_x, io_y = draw(st.integers(0, x - 1)), draw(st.integers(0, y - 1))
    return Fabric(chips, tiles, x, y, concentration, io_x, io_y, columns)


def walk(fabric: Fabric, source: int, target: int) -> list[int]:
    links = np.empty(longest_path(fabric), np.int64)
    return links[: path(fabric.shape(), source, target, links)].tolist()


def end_of(fabric: Fabric, link: int) -> tuple:
    """(begin, end) of a link as ("tile", t), ("router", chip, x, y)."""

    def router_of(tile: int) -> tuple:
        chip, local = divmod(tile, fabric.tiles)
        y, x = divmod(local // fabric.concentration, fabric.mesh_x)
        return "router", chip, x, y

    if link < fabric.n_tiles:
        return ("tile", link), router_of(link)
    link -= fabric.n_tiles
    if link < fabric.n_tiles:
        return router_of(link), ("tile", link)
    link -= fabric.n_tiles
    steps = ((1, 0), (-1, 0), (0, -1), (0, 1))
    if link < 4 * fabric.n_routers:
        router, direction = divmod(link, 4)
        chip, place = divmod(router, fabric.mesh_x * fabric.mesh_y)
        y, x = divmod(place, fabric.mesh_x)
        dx, dy = steps[direction]
        assert 0 <= x + dx < fabric.mesh_x and 0 <= y + dy < fabric.mesh_y
        return ("router", chip, x, y), ("router", chip, x + dx, y + dy)
    chip, direction = divmod(link - 4 * fabric.n_routers, 4)
    if fabric.chip_columns:
        dx, dy = steps[direction]
        x, y = chip % fabric.chip_columns + dx, chip // fabric.chip_columns + dy
        assert 0 <= x < fabric.chip_columns and y >= 0
        other = y * fabric.chip_columns + x
    else:
        other = (chip + (1 if direction == 0 else -1)) % fabric.chips
    assert 0 <= other < fabric.chips
    io = (fabric.io_x, fabric.io_y)
    return ("router", chip, *io), ("router", other, *io)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(fabric=fabrics(), data=st.data())
def test_a_path_leads_from_source_to_target(fabric, data):
    source = data.draw(st.integers(HOST, fabric.n_tiles - 1))
    target = data.draw(st.integers(0, fabric.n_tiles - 1))
    links = walk(fabric, source, target)
    at = ("router", 0, fabric.io_x, fabric.io_y) if source == HOST else ("tile", source)
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
    kinds = fabric.link_kinds()
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
                    assert built.links_of_kind[e].tolist() == np.bincount(kinds[expected], minlength=4).tolist()
                else:
                    assert way == expected
            stack += [(c, way) for c in range(int(built.child_lo[e]), int(built.child_hi[e]))]
        if mode == "tree":  # each link once: a packet is copied where paths part
            links = [link for link in built.link[start : built.first[t + 1]].tolist() if link >= 0]
            every = {link for target in trees[t][1] for link in walk(fabric, int(sources[t]), target)}
            assert set(links) == every and len(links) == len(every)
    assert sorted(reached) == list(range(targets.size))


def test_links_are_numbered_by_kind():
    fabric = Fabric(2, 8, 2, 2, 2, 0, 0, 2)
    kinds = fabric.link_kinds()
    assert np.bincount(kinds).tolist() == [16, 4 * 8, 16, 8]
    assert kinds[[0, 16, 32, 64]].tolist() == [INJECT, EJECT, MESH, CHIP]
    assert fabric.link_name(0) == "tile 0 to its router"
    assert fabric.link_name(32) == "chip 0: router (0, 0) to (1, 0)"
    assert fabric.link_name(64) == "chip 0: link east"


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_a_placement_names_every_replica_and_every_tile_once(strategy):
    fabric = Fabric(3, 7, 2, 2, 2, 0, 0, 2)
    replicas, tiles = STRATEGIES[strategy]({1: 4, 3: 1, 4: 2}, fabric)
    assert sorted(replicas) == [(1, 0), (1, 1), (1, 2), (1, 3), (3, 0), (4, 0), (4, 1)]
    assert sorted(tiles) == list(range(21))
    for layer in (1, 4):
        mine = [replica for node, replica in replicas if node == layer]
        assert mine == sorted(mine)
