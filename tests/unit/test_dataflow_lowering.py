"""What becomes a node, what joins one, and which regions consumers need."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pimsim.errors import InputError
from pimsim.workload import Builder, Dataflow, lower
from pimsim.workload.lowering import check_windows
from tests.unit.dataflow_checks import check


class Net:
    """Operations one after the other, named by what they are."""

    def __init__(self, *shape: int) -> None:
        self.builder = Builder("net")
        self.builder.input("x", shape)
        self.count = 0

    def __call__(self, type: str, *inputs: str, weights: tuple = (), **attributes) -> str:
        self.count += 1
        name = f"{type.lower()}{self.count}"
        names = [self.builder.constant(f"{name}.{at}", shape) for at, shape in enumerate(weights)]
        self.builder.add(type, [*inputs, *names], [name], attributes)
        return name

    def conv(self, source: str, channels: int = 4, kernel: int = 3) -> str:
        before = self.builder.tensors[source].shape[1]
        return self("Conv", source, weights=((channels, before, kernel, kernel),), pads=[kernel // 2] * 4)

    def lowered(self, *outputs: str) -> Dataflow:
        dataflow = lower(self.builder.build(outputs))
        check(dataflow)
        return dataflow


def operations(dataflow: Dataflow) -> list[str]:
    return [node.operation for node in dataflow.nodes]


@pytest.fixture
def net() -> Net:
    return Net(1, 4, 6, 6)


def test_batch_norm_and_activation_join_the_convolution(net):
    x = net("Relu", net("BatchNormalization", net.conv("x"), weights=((4,),) * 4))
    (_, node) = net.lowered(x).nodes
    assert node.operation == "Conv+BatchNormalization+Relu" and node.actions == {"sigmoid": 4}
    assert node.parameters == 4 * 4 * 9 + 8


def test_a_result_that_two_read_keeps_the_activation_apart(net):
    x = net.conv("x")
    assert operations(net.lowered(net("Relu", x), net("Sigmoid", x))) == ["Input", "Conv", "Relu", "Sigmoid"]


def test_a_network_output_keeps_the_activation_apart(net):
    x = net.conv("x")
    assert operations(net.lowered(net("Relu", x), x)) == ["Input", "Conv", "Relu"]


def test_a_product_with_its_own_sigmoid_joins_even_behind_other_operations(net):
    x = net.conv("x")
    y = net("Mul", x, net("Sigmoid", net("Add", x, weights=((4, 1, 1),))))
    assert operations(net.lowered(net.conv(y)))[1] == "Conv+Add+Sigmoid+Mul"


def test_batch_norm_behind_a_concatenation_is_a_node_that_takes_the_activation(net):
    x = net("Concat", net.conv("x"), "x", axis=1)
    dataflow = net.lowered(net("Relu", net("BatchNormalization", x, weights=((8,),) * 4)))
    assert operations(dataflow)[2:] == ["BatchNormalization+Relu"]
    assert [edge.channels for edge in dataflow.nodes[2].edges] == [4, 4]


def test_a_skip_connection_is_a_node_with_two_edges(net):
    dataflow = net.lowered(net("Relu", net("Add", net.conv("x"), "x")))
    node = dataflow.nodes[2]
    assert node.operation == "Add+Relu" and node.actions == {"shift_add": 4, "sigmoid": 4}
    assert [edge.source for edge in node.edges] == [1, 0]


def test_adding_a_tensor_to_itself_reads_it_once(net):
    dataflow = net.lowered(net("Add", "x", "x"))
    assert len(dataflow.nodes[1].edges) == 1


def test_a_concatenation_of_a_tensor_with_itself_takes_rows_twice(net):
    dataflow = net.lowered(net.conv(net("Concat", "x", "x", axis=1)))
    assert dataflow.nodes[1].matrix.rows == 72 and len(dataflow.nodes[1].edges) == 2


def test_half_of_a_concatenation_needs_one_source(net):
    both = net("Concat", net.conv("x", 4), net.conv("x", 8), axis=1)
    dataflow = net.lowered(net.conv(net("Slice", both, starts=[2], ends=[6], axes=[1]), kernel=1))
    assert [(edge.source, edge.channels) for edge in dataflow.nodes[3].edges] == [(1, 2), (2, 2)]


def test_a_branch_that_a_slice_drops_is_left_out_and_noted(net):
    both = net("Concat", net.conv("x", 4), net.conv("x", 8), axis=1)
    dataflow = net.lowered(net("Relu", net("Slice", both, starts=[4], ends=[12], axes=[1])))
    assert [node.name for node in dataflow.nodes] == ["x", "conv2", "relu5"]
    assert dataflow.notes == ("no result of 'conv1' is used; it is left out",)


def test_a_slice_of_positions_shifts_the_region(net):
    cut = net("Slice", "x", starts=[1, 2], ends=[5, 6], axes=[2, 3])
    (edge,) = net.lowered(net.conv(cut, kernel=1)).nodes[1].edges
    assert edge.rows_lo.tolist() == [1, 2, 3, 4] and edge.cols_hi.tolist() == [2, 3, 4, 5]


def test_padding_is_positions_that_need_nothing(net):
    padded = net("Pad", "x", pads=[0, 0, 2, 0, 0, 0, 0, 0])
    (edge,) = net.lowered(net.conv(padded, kernel=1)).nodes[1].edges
    assert edge.rows_lo.tolist() == [0, 0, 0, 1, 2, 3, 4, 5]
    assert edge.rows_hi.tolist() == [-1, -1, 0, 1, 2, 3, 4, 5]


def test_a_global_pool_runs_over_the_input_and_has_one_position(net):
    pool = net.lowered(net("GlobalAveragePool", net.conv("x"))).nodes[2]
    assert pool.reduces and pool.windows == 36 and pool.positions == 1
    assert pool.actions == {"shift_add": 4}


def test_an_activation_does_not_join_a_pool_over_all_positions(net):
    dataflow = net.lowered(net("Relu", net("GlobalAveragePool", net.conv("x"))))
    assert operations(dataflow) == ["Input", "Conv", "GlobalAveragePool", "Relu"]


def test_a_reshape_that_mixes_channels_and_positions_waits_for_everything(net):
    x = net("Reshape", net.conv("x"), shape=[1, 9, 4, 4])
    dataflow = net.lowered(net.conv(x))
    reorder = dataflow.nodes[2]
    assert reorder.operation == "Reorder" and reorder.grid == (4, 4) and reorder.channels == 9
    assert set(reorder.edges[0].rows_hi.tolist()) == {5} and "waits for the whole tensor" in reorder.notes[0]


def test_weights_that_two_layers_share_count_once():
    net = Net(1, 4, 6, 6)
    weight = net.builder.constant("shared", (4, 4, 3, 3))
    net.builder.add("Conv", ["x", weight], ["a"], {"pads": [1] * 4})
    net.builder.add("Conv", ["a", weight], ["b"], {"pads": [1] * 4})
    assert net.builder.build(["b"]).parameters == 144


def test_groups_are_diagonal_blocks(net):
    x = net("Conv", "x", weights=((8, 2, 3, 3),), group=2)
    matrix = net.lowered(x).nodes[1].matrix
    assert (matrix.rows, matrix.columns, matrix.groups, matrix.kernel_positions) == (18, 4, 2, 9)


def test_a_transposed_convolution_needs_the_inputs_that_reach_it(net):
    x = net("ConvTranspose", "x", weights=((4, 2, 4, 4),), strides=[2, 2], pads=[1, 1, 1, 1])
    node = net.lowered(x).nodes[1]
    assert node.grid == (12, 12) and node.macs == 36 * 4 * 2 * 16
    assert node.edges[0].rows_lo.tolist()[:5] == [0, 0, 0, 1, 1]
    assert node.edges[0].rows_hi.tolist()[:5] == [0, 1, 1, 2, 2]


def test_an_operation_with_several_outputs_is_one_node():
    net = Net(1, 4, 6, 6)
    net.builder.add("TopK", [net.conv("x")], ["values", "places"], {"k": [3], "axis": -1})
    dataflow = net.lowered(net("Relu", "values"), net("Sigmoid", "places"))
    assert operations(dataflow) == ["Input", "Conv", "TopK", "Relu", "Sigmoid"]
    top = dataflow.nodes[2]
    assert top.channels == 8 and top.windows * top.actions["vector"] >= 4 * 36 + 2 * 4 * 18
    assert [edge.channels for node in dataflow.nodes[3:] for edge in node.edges] == [4, 4]


def test_an_activation_joins_an_operation_of_which_one_output_is_used():
    net = Net(1, 4, 6, 6)
    net.builder.add("TopK", ["x"], ["values"], {"k": [3], "axis": -1})
    assert operations(net.lowered(net("Relu", "values"))) == ["Input", "TopK+Relu"]


@pytest.mark.parametrize(
    "change",
    [
        {"rows_hi": np.arange(1, 7)},
        {"cols_lo": np.arange(6) - 1},
        {"rows_lo": np.arange(5), "rows_hi": np.arange(5)},
        {"cols_hi": np.arange(7)},
    ],
)
def test_windows_that_reach_outside_their_input_are_refused(net, change):
    first, node = net.lowered(net("Relu", "x")).nodes
    check_windows([first, node])
    wrong = replace(node, edges=(replace(node.edges[0], **change),))
    with pytest.raises(InputError, match=r"node 'relu1' \(Relu\): its windows reach outside its input 'x'"):
        check_windows([first, wrong])


def test_windows_outside_the_one_position_of_a_reduction_are_refused(net):
    nodes = net.lowered(net("Relu", net("GlobalAveragePool", net.conv("x")))).nodes
    wrong = replace(nodes[3], edges=(replace(nodes[3].edges[0], rows_hi=np.array([1])),))
    with pytest.raises(InputError, match="'relu3'"):
        check_windows([*nodes[:3], wrong])


def test_windows_of_a_recurrent_node_outside_itself_are_refused():
    net = Net(6, 1, 5)
    first, cell = net.lowered(net("RNN", "x", weights=((1, 8, 5), (1, 8, 8)))).nodes
    own = replace(cell.edges[1], rows_lo=cell.edges[1].rows_lo + 2, rows_hi=cell.edges[1].rows_hi + 2)
    with pytest.raises(InputError, match="outside its input 'rnn1'"):
        check_windows([first, replace(cell, edges=(cell.edges[0], own))])
