"""ONNX files that cannot be used, and those of which it might be thought."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from pimsim.errors import InputError
from pimsim.workload import load_workload, lower
from pimsim.workload.onnx_import import import_model
from tests.unit.dataflow_checks import check
from tests.unit.onnx_models import FLOAT, Graph, mobile_net


def one_node(type: str, shape=(1, 3, 8, 8), **attributes) -> onnx.ModelProto:
    g = Graph(13)
    return g.model(g(type, g.input("x", list(shape)), **attributes))


def message(model: onnx.ModelProto, shapes=None) -> str:
    with pytest.raises(InputError) as caught:
        lower(import_model(model, shapes))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_unknown_operation_is_named_with_its_node_and_what_is_supported():
    text = message(one_node("Frobnicate"))
    assert "'t1_0' is of type Frobnicate" in text and "Conv, " in text


@pytest.mark.parametrize("type", ["NonMaxSuppression", "Loop", "SequenceAt", "NonZero"])
def test_an_operation_whose_result_has_no_known_size_comes_with_advice(type):
    text = message(one_node(type))
    assert type in text and "extract_model" in text


def test_free_dimensions_are_asked_for_by_input_and_option():
    text = message(one_node("GlobalAveragePool", ("batch", 3, "height", None)))
    assert "height, dimension 3 free" in text and "--input x=1,3,224,224" in text


def test_a_free_batch_is_one():
    workload = import_model(one_node("GlobalAveragePool", ("batch", 3, 5, 5)))
    assert workload.shape("x") == (1, 3, 5, 5)


def test_a_sequence_length_in_front_is_not_taken_for_a_batch():
    assert "seq_len free" in message(one_node("Relu", ("seq_len", 1, 16)))


def test_named_dimensions_hold_for_all_inputs():
    g = Graph(13)
    model = g.model(g("Add", g.input("a", ["t", 4, "w"]), g.input("b", ["t", 4, "w"])))
    assert import_model(model, {"a": [1, 4, 9]}).shape("b") == (1, 4, 9)


def test_a_shape_for_an_input_that_does_not_exist_is_refused():
    assert "allowed: x" in message(one_node("Relu"), {"y": [1]})


def test_a_shape_with_another_number_of_dimensions_is_refused():
    assert "4 dimensions" in message(one_node("Relu"), {"x": [1, 3, 8]})


def test_a_batch_in_the_file_is_reduced_to_one_and_noted():
    workload = import_model(one_node("Relu", (8, 3, 4, 4)))
    assert workload.shape("x") == (1, 3, 4, 4)
    assert "batch of 8" in workload.notes[0]


def test_a_batch_that_reshapes_fix_is_taken_as_it_is():
    g = Graph(13)
    x = g("Conv", g.input("x", [8, 3, 8, 8]), g.weight(4, 3, 3, 3))
    dataflow = lower(import_model(g.model(g("Gemm", g("Reshape", x, g.ints(8, 144)), g.weight(144, 10)))))
    check(dataflow)
    assert "whole batch" in dataflow.notes[0]


def test_a_kernel_larger_than_its_input_is_refused():
    g = Graph(13)
    x = g("Conv", g.input("x", [1, 3, 4, 4]), g.weight(4, 3, 7, 7))
    assert "larger than its padded input" in message(g.model(x))


def test_matrices_that_do_not_fit_are_refused():
    g = Graph(13)
    assert "3 columns meet 4 rows" in message(g.model(g("MatMul", g.input("x", [1, 3]), g.weight(4, 7))))


def test_a_node_that_reads_what_nobody_produces_is_refused():
    g = Graph(13)
    g.input("x", [1, 3])
    assert "which nothing before it produces" in message(g.model(g("Relu", "nowhere")))


@pytest.mark.parametrize("cut", [0, 10, 400, 2000])
def test_a_truncated_file_is_one_line(tmp_path, cut):
    path = tmp_path / "cut.onnx"
    path.write_bytes(mobile_net().SerializeToString()[:cut])
    with pytest.raises(InputError) as caught:
        load_workload(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        load_workload(tmp_path / "absent.onnx")


def test_absent_external_data_do_not_matter(tmp_path):
    g = Graph(13)
    model = g.model(g("Conv", g.input("x", [1, 3, 8, 8]), g.weight(4, 3, 3, 3)))
    path = tmp_path / "net.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / "weights.bin").unlink()
    assert load_workload(path).parameters == 108


def test_weights_from_constant_nodes_and_constant_of_shape_count():
    g = Graph(13)
    value = helper.make_tensor("w", FLOAT, [2, 4, 1, 1], np.zeros(8))
    x = g("Conv", g.input("x", [1, 3, 8, 8]), g("ConstantOfShape", g.ints(4, 3, 3, 3)))
    workload = import_model(g.model(g("Conv", x, g("Constant", value=value))))
    assert workload.parameters == 108 + 8


def test_a_branch_is_taken_where_its_condition_is_known():
    g = Graph(13)
    x = g.input("x", [1, 4])
    kinds = {"then_branch": "Relu", "else_branch": "Sigmoid"}
    result = helper.make_tensor_value_info("inner", FLOAT, None)
    graphs = {key: helper.make_graph([helper.make_node(kind, [x], ["inner"])], key, [], [result])
              for key, kind in kinds.items()}  # fmt: skip
    known = g("Equal", g("Gather", g("Shape", x), g.value(np.int64(1))), g.value(np.int64(5)))
    dataflow = lower(import_model(g.model(g("MatMul", g("If", known, **graphs), g.weight(4, 3)))))
    assert [node.operation for node in dataflow.nodes] == ["Input", "Sigmoid", "MatMul"]


def test_operations_of_the_first_opsets_are_understood():
    g = Graph(6)
    x = g("Conv", g.input("x", [1, 3, 8, 8]), g.weight(4, 3, 3, 3))
    x = g("Add", x, g.weight(4), broadcast=1, axis=1)
    x = g("BatchNormalization", g("Dropout", x, is_test=1), *(g.weight(4) for _ in range(4)), is_test=1)
    x = g("Upsample", g("Pad", x, pads=[0, 0, 1, 1, 0, 0, 1, 1]), scales=[1.0, 1.0, 2.0, 2.0])
    x = g("Reshape", g("Slice", x, axes=[2], starts=[1], ends=[9]), g.ints(1, -1))
    dataflow = lower(import_model(g.model(g("Gemm", x, g.weight(512, 3), g.weight(3), broadcast=1))))
    check(dataflow)
    assert [node.operation for node in dataflow.nodes] == ["Input", "Conv+BatchNormalization", "Upsample", "Gemm"]


def test_operations_that_lead_nowhere_are_left_out_and_noted():
    g = Graph(13)
    x = g.input("x", [1, 4])
    g("Frobnicate", x)
    workload = import_model(g.model(g("Relu", x)))
    assert workload.notes == ("1 operations that lead to no output are left out",)


def test_equal_node_names_are_told_apart():
    g = Graph(13)
    x = g("Relu", g("Relu", g.input("x", [1, 4]), name="act"), name="act")
    names = [operation.name for operation in import_model(g.model(x)).operations]
    assert names == ["act", "act_2"]


# what contradicts itself


def test_a_gather_outside_its_input_is_refused_along_positions_and_channels():
    for axis in (1, 2):
        for index in (8, -9):
            g = Graph(13)
            x = g("Relu", g("Gather", g.input("x", [1, 8, 8]), g.ints(0, index), axis=axis, name="pick"))
            assert f"'pick' (Gather): index {index} lies outside dimension {axis}" in message(g.model(x))


def test_a_gather_outside_a_constant_is_refused():
    g = Graph(13)
    x = g("Reshape", g.input("x", [1, 8]), g("Gather", g.ints(1, 2, 4), g.ints(0, 3), name="pick"))
    assert "'pick' (Gather): index 3" in message(g.model(g("Relu", x)))


def test_negative_indices_of_a_gather_count_from_the_back():
    g = Graph(13)
    x = g("Relu", g("Gather", g.input("x", [1, 8, 8]), g.ints(-8, -1), axis=1))
    assert lower(import_model(g.model(x))).nodes[1].windows == 2


@pytest.mark.parametrize("type", ["Conv", "ConvInteger", "QLinearConv", "ConvTranspose"])
def test_a_kernel_shape_that_contradicts_the_weights_is_refused(type):
    def model(kernel):
        g = Graph(13)
        x, weight, scale = g.input("x", [1, 4, 9, 9]), g.weight(4, 4, 3, 3), g.value(np.float32(1))
        operands = [x, scale, scale, weight, scale, scale, scale, scale] if type == "QLinearConv" else [x, weight]
        return g.model(g(type, *operands, kernel_shape=kernel, name="c"))

    assert "'c' (" + type + "): kernel_shape is [5, 5], the weights' kernel is [3, 3]" in message(model([5, 5]))
    assert len(lower(import_model(model([3, 3]))).nodes) == 2


def recurrent(type="LSTM", gates=4, directions=1, **attributes) -> onnx.ModelProto:
    g = Graph(14)
    weights = [g.weight(directions, gates * 8, 5), g.weight(directions, gates * 8, 8)]
    return g.model(g(type, g.input("x", [6, 1, 5]), *weights, name="cell", **attributes))


@pytest.mark.parametrize("type, gates", [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_recurrent_attributes_that_contradict_the_weights_are_refused(type, gates):
    assert "hidden_size is 16, the weights are for 8" in message(recurrent(type, gates, hidden_size=16))
    assert "direction is 'backward'" in message(recurrent(type, gates, hidden_size=8, direction="backward"))
    assert "for 2 directions" in message(recurrent(type, gates, 2, direction="reverse"))
    for directions, name in ((1, "reverse"), (2, "bidirectional")):
        check(lower(import_model(recurrent(type, gates, directions, hidden_size=8, direction=name))))


def test_a_slice_with_a_step_of_zero_is_refused():
    g = Graph(13)
    x = g("Slice", g.input("x", [1, 4, 8]), g.ints(0), g.ints(8), g.ints(2), g.ints(0), name="cut")
    assert "'cut' (Slice): a step of zero" in message(g.model(g("Relu", x)))


def test_a_slice_of_a_constant_with_a_step_of_zero_is_refused():
    g = Graph(13)
    shape = g("Slice", g.ints(1, 8, 4), g.ints(0), g.ints(2), g.ints(0), g.ints(0), name="cut")
    assert "'cut' (Slice): a step of zero" in message(g.model(g("Reshape", g.input("x", [1, 8]), shape)))


def test_a_slice_whose_bounds_differ_in_number_is_refused():
    g = Graph(13)
    x = g("Slice", g.input("x", [1, 4, 8]), g.ints(0, 1), g.ints(8), g.ints(2), name="cut")
    assert "'cut' (Slice): starts, ends, axes and steps differ" in message(g.model(g("Relu", x)))


def test_a_range_with_a_step_of_zero_is_refused():
    g = Graph(13)
    numbers = g("Range", *(g.value(np.float32(n)) for n in (0, 8, 0)), name="count")
    assert "'count' (Range): a step of zero" in message(g.model(g("Add", g.input("x", [1, 8]), numbers)))


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (1, 3, 0, 8)])
def test_a_dimension_of_zero_in_the_file_is_refused(shape):
    text = message(one_node("Relu", shape))
    assert f"input 'x' {list(shape)} has a dimension of zero" in text and "--input x=1,3," in text
    assert import_model(one_node("Relu", shape), {"x": (1, 3, 8, 8)}).shape("x") == (1, 3, 8, 8)


def test_a_dimension_of_zero_given_by_the_user_is_refused():
    assert "input 'x' has a dimension of zero: [0, 3, 8, 8]" in message(one_node("Relu"), {"x": [0, 3, 8, 8]})
    assert "negative dimension" in message(one_node("Relu"), {"x": [1, -3, 8, 8]})


def test_a_network_of_views_only_is_refused():
    def flatten(g, x):
        return g("Flatten", x)

    def concat(g, x):
        return g("Concat", x, x, axis=1)

    def identity(g, x):
        return g("Identity", x)

    def gather(g, x):
        return g("Gather", x, g.ints(0, 1), axis=1)

    for build in (flatten, concat, identity, gather):
        g = Graph(13)
        model = g.model(build(g, g.input("x", [1, 4, 6, 6])))
        assert message(model) == "nothing to simulate: g has no operation besides views"


def test_an_output_that_is_a_view_of_an_input_is_kept_beside_others():
    g = Graph(13)
    x = g.input("x", [1, 4, 6, 6])
    nodes = lower(import_model(g.model(g("Relu", x), g("Identity", x)))).nodes
    assert [node.is_output for node in nodes] == [True, True]
