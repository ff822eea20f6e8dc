"""Weights onto crossbars: published examples, and that nothing is lost or written twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.config import load_system
from pimsim.errors import InputError
from pimsim.mapping.compile import map_network
from pimsim.mapping.packing import pieces, tiles_needed
from pimsim.mapping.tiling import cut_slice, tile_matrix
from pimsim.workload import load_workload, lower
from pimsim.workload.dataflow import Matrix, Node
from tests.networks import Network, vgg16

ISAAC = load_system("isaac-ce")


def layer(rows: int, columns: int, groups: int = 1, kernel: int = 1) -> Node:
    return Node("layer", "mvm", "Conv", (1, 1), columns * groups, matrix=Matrix(rows, columns, groups, kernel))


def test_pipelayer_maps_1152_by_256_onto_9_by_2_crossbars():
    one_cell_a_weight = load_system("isaac-ce", ["mapping.weight_bits=2"])
    assert tile_matrix(layer(1152, 256), one_cell_a_weight).crossbars == 9 * 2


def test_vgg16_takes_the_published_numbers_of_crossbars():
    tilings = {node.name: tile_matrix(node, ISAAC) for node in lower(load_workload("vgg16")).nodes if node.matrix}
    classifier = sum(tiling.crossbars for name, tiling in tilings.items() if name.startswith("fc"))
    assert classifier == 60_384
    assert sum(tiling.crossbars for tiling in tilings.values()) == 67_576
    assert round(67_576 / 16_128, 2) == 4.19


def test_a_network_that_does_not_fit_says_how_many_chips_it_needs():
    with pytest.raises(InputError, match=r"67,576 crossbars .* needs 5 chips"):
        map_network(vgg16(), ISAAC)


def test_auto_takes_the_fewest_chips():
    system = load_system("isaac-ce", ["chips=auto", "mapping.replication=none"])
    assert map_network(vgg16(), system).chips == 5


def test_depthwise_groups_lie_on_the_diagonal():
    tiling = tile_matrix(layer(9, 1, groups=32, kernel=9), ISAAC)
    assert tiling.crossbars == 3  # 14 groups of 9 rows fit 128 rows, 16 outputs fit 128 columns
    assert list(tiling.row_hi - tiling.row_lo) == [126, 126, 36]
    assert list(tiling.out_hi - tiling.out_lo) == [14, 14, 4]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    rows=st.integers(1, 300),
    columns=st.integers(1, 40),
    groups=st.integers(1, 5),
    order=st.sampled_from(["columns", "rows"]),
    per_tile=st.integers(1, 3),
)
def test_every_weight_is_in_exactly_one_crossbar_and_every_input_reaches_its_slice(
    rows, columns, groups, order, per_tile
):
    node = layer(rows, columns, groups)
    tiling = tile_matrix(node, load_system("isaac-ce", [f"mapping.crossbar_order={order}"]))
    held = np.zeros((rows * groups, columns * groups), int)
    for r0, r1, c0, c1 in zip(tiling.row_lo, tiling.row_hi, tiling.out_lo, tiling.out_hi, strict=True):
        assert r1 - r0 <= 128
        assert c1 - c0 <= 16
        held[r0:r1, c0:c1] += 1
    for g in range(groups):
        assert (held[g * rows : (g + 1) * rows, g * columns : (g + 1) * columns] == 1).all()
    needed: set[int] = set()
    sent = 0
    for lo in range(0, tiling.imas, per_tile):
        part = cut_slice(tiling, node.matrix, lo, min(lo + per_tile, tiling.imas))
        needed |= {channel for first, end in part.channels for channel in range(first, end)}
        sent += part.results
        assert part.additions >= 0
    assert needed == set(range(rows * groups))
    assert sent >= columns * groups


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    demand=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 9)), min_size=1, max_size=6),
    per_tile=st.integers(1, 12),
)
def test_tiles_needed_is_what_packing_one_by_one_takes(demand, per_tile):
    tile, free = -1, 0
    for imas, replicas in demand:
        for _ in range(replicas):
            skip, parts = pieces(imas, free, per_tile)
            assert sum(parts) == imas
            assert len(parts) == -(-imas // per_tile)
            tile += skip + len(parts) - 1
            free = (per_tile if skip or len(parts) > 1 else free) - parts[-1]
    assert tiles_needed(demand, per_tile) == tile + 1


def test_interval_windows_sets_the_copies():
    program = map_network(vgg16(), load_system("isaac-ce-16", ["mapping.interval_windows=196"]))
    copies = {layer.name: layer.replicas for layer in program.layers if layer.tiling}
    assert [*copies.values()] == [256, 256, 64, 64, 16, 16, 16, 4, 4, 4, 1, 1, 1, 1, 1, 1]


def test_copies_of_one_layer_can_be_stated():
    net = Network()
    net.conv(net.input(8, 8, 3), 4)
    system = load_system("isaac-ce", ["mapping.layer_replication.conv1=5", "mapping.interval_windows=64"])
    assert map_network(net.finish(), system).layers[1].replicas == 5
    with pytest.raises(InputError, match="no layer 'conv9'"):
        map_network(net.finish(), load_system("isaac-ce", ["mapping.layer_replication.conv9=5"]))
