"""Transposed weights read from the other side of the same crossbars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from pimsim.config import load_system
from pimsim.errors import InputError
from pimsim.mapping.allocation import values_per_window
from pimsim.mapping.compile import map_network
from pimsim.mapping.tiling import read_across, tile_matrix
from pimsim.results.counting import count_actions
from pimsim.results.wear import programming_wear
from pimsim.simulation import training_options
from pimsim.workload import Training, expand_training
from tests.networks import Network
from tests.unit.training_checks import (
    check_expansion,
    check_work,
    finished,
    named,
    networks,
    options,
)


@given(networks(), options)
@settings(max_examples=60, deadline=None)
def test_whatever_the_network_the_chain_rule_holds(dataflow, chosen):
    expanded = expand_training(dataflow, replace(chosen, transposed="array"))
    check_expansion(expanded, chosen)
    check_work(expanded, dataflow, chosen)
    layers = [node for node in dataflow.nodes if node.kind == "mvm"]
    assert sum(node.kind == "update" for node in expanded.nodes) == len(layers)
    assert sum(node.has_crossbars for node in expanded.nodes) == len(layers)


def two_convolutions() -> Network:
    """4 x 4 positions, 2 channels; then 3x3 kernels to 5 and to 3 channels."""
    net = Network()
    net.conv(net.conv(net.input(4, 4, 2), 5, 3, relu=False), 3, 3, relu=False)
    return net


class TestTwoConvolutions:
    dataflow = expand_training(finished(two_convolutions()), Training(2, 128, 2, transposed="array"))

    def test_a_window_of_the_gradient_gives_all_that_the_window_read(self) -> None:
        forward = next(node for node in self.dataflow.nodes if node.kind == "mvm" and node.channels == 3)
        reader = named(self.dataflow, f"{forward.name}/backward")
        assert self.dataflow.nodes[reader.of] == forward
        assert (reader.grid, reader.channels) == ((4, 4), 9 * 5)
        assert (reader.matrix.rows, reader.matrix.columns, reader.macs) == (3, 45, forward.macs)

    def test_what_overlaps_is_added_up(self) -> None:
        (added,) = [node for node in self.dataflow.nodes if node.operation == "OverlapAdd"]
        assert (added.grid, added.channels, added.edges[0].channels) == ((4, 4), 5, 45)
        assert added.edges[0].rows_lo.tolist() == [0, 0, 1, 2] and added.edges[0].rows_hi.tolist() == [1, 2, 3, 3]
        assert added.actions == {"vector": 45}  # 16 windows of 45 values, over 16 positions

    def test_one_update_serves_both(self) -> None:
        updates = [i for i, node in enumerate(self.dataflow.nodes) if node.kind == "update"]
        readers = [sum(edge.source == i for node in self.dataflow.nodes for edge in node.edges) for i in updates]
        assert len(updates) == 2 and sorted(readers) == [1, 2]


def test_crossbars_from_the_other_side() -> None:
    """300 rows and 40 outputs of 16 bits: 3 x 3 crossbars of 128 rows and 16 weights of 8 cells."""
    net = Network()
    net.fc(net.conv(net.input(1, 1, 300), 40, 1, relu=False), 2)
    node = finished(net).nodes[1]
    system = load_system("isaac-ce")
    tiling = tile_matrix(node, system)
    across = read_across(tiling)
    assert tiling.crossbars == across.crossbars == 9 and (tiling.passes, across.passes) == (1, 8)
    assert np.array_equal(across.row_lo, tiling.out_lo) and np.array_equal(across.out_hi, tiling.row_hi)
    assert (across.used_cells, tiling.used_cells) == (0, 300 * 40 * 8)


def test_half_the_crossbars_eight_times_the_reads_of_the_backward_pass() -> None:
    """A layer of 128 inputs and 128 outputs before a classifier: what it holds, and what its backward pass reads."""
    net = Network()
    net.fc(net.fc(net.conv(net.input(1, 1, 16), 128, 1, relu=False), 128), 10)
    network, system = finished(net), load_system("hetero-3d")
    programs = {
        way: map_network(expand_training(network, replace(training_options(system, 2), transposed=way)), system)
        for way in ("copy", "array")
    }
    counts = {way: count_actions(program)["crossbar_read"] for way, program in programs.items()}
    reads = {
        way: {program.layers[i].name: int(counts[way][i]) for i in np.flatnonzero(counts[way])}
        for way, program in programs.items()
    }
    hidden = programs["copy"].layers[2].name
    # 128 x 128 weights in 8 crossbars, a vector each of 2 images in 16 reads
    assert reads["copy"][hidden] == reads["array"][hidden] == 2 * 16 * 8
    assert reads["copy"][f"{hidden}/backward"] == 2 * 16 * 8
    assert reads["array"][f"{hidden}/backward"] == 2 * 16 * 8 * 8
    cells = {way: programming_wear(program).cells for way, program in programs.items()}
    forward = 8 * (16 * 128 + 128 * 128 + 128 * 10)
    assert cells == {"array": forward, "copy": forward + 8 * (128 * 128 + 128 * 10)}


def test_arrays_must_be_square() -> None:
    system = load_system("hetero-3d", ["training.transposed=array", "chip.tile.ima.crossbar.rows=64"])
    with pytest.raises(InputError, match=r"64 rows and 128 columns cannot be read from both sides"):
        training_options(system, 2)


def test_what_is_added_up_is_read_once() -> None:
    """Sixteen windows of 3x3 send 9 x 5 values each: 45 for each of the 16 positions that they reach, borders apart."""
    (added,) = [node for node in TestTwoConvolutions.dataflow.nodes if node.operation == "OverlapAdd"]
    assert values_per_window(added) == 45
