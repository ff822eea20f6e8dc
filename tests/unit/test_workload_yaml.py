"""The workload YAML: what it may say, and the one line that answers what it may not."""

from __future__ import annotations

import json

import pytest

from pimsim.errors import InputError
from pimsim.workload import load_workload, lower, workload_schema
from tests.unit.dataflow_checks import check

HEAD = "format: pimsim-workload-1\nname: net\n"
IMAGE = HEAD + "inputs: {image: [4, 8, 8]}\nlayers:\n"
STEPS = HEAD + "inputs: {steps: [6, 16]}\nlayers:\n"
CONV = "  - {type: conv, channels: 8, kernel: 3, padding: 1}\n"


@pytest.fixture
def load(tmp_path):
    def from_text(text: str, **shapes):
        path = tmp_path / "net.yaml"
        path.write_text(text)
        return load_workload(path, shapes or None)

    return from_text


@pytest.fixture
def refused(load):
    def message(text: str, **shapes) -> str:
        with pytest.raises(InputError) as caught:
            load(text, **shapes)
        assert "\n" not in str(caught.value)
        return str(caught.value).partition("net.yaml")[2]

    return message


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (CONV + "  - {typ: conv}\n", ":6: layers[1]: the layer has no type"),
        ("  - {type: conv, channels: 8, kernel: 3, paddin: 1}\n", ":5: layers[0].paddin: unknown key; allowed: name"),
        ("  - {type: convolution, channels: 8}\n", ":5: layers[0].type: unknown layer type 'convolution'"),
        ("  - {type: conv, kernel: 3}\n", ":5: layers[0].channels: is missing"),
        ("  - {type: conv, channels: eight, kernel: 3}\n", ":5: layers[0].channels: input should be a valid integer"),
        ("  - {type: conv, channels: 0, kernel: 3}\n", ":5: layers[0].channels: input should be greater than 0, not 0"),
        ("  - {type: conv, channels: 8, kernel: 9}\n", ":5: layers[0]: layer 'conv1' (Conv): a kernel that covers 9"),
        ("  - {type: conv, channels: 8, kernel: 3, groups: 3}\n", "4 channels cannot be divided into 3 groups"),
        ("  - {type: conv, channels: 9, kernel: 3, groups: 2}\n", "9 output channels cannot be divided into 2"),
        ("  - {type: conv, channels: 8, kernel: [3, 3, 3]}\n", "kernel has 3 numbers for 2 spatial dimensions"),
        ("  - {type: linear, features: 8}\n", "put a flatten layer before it"),
        (CONV + "  - {type: add}\n", ":6: layers[1]: a layer of type add needs two inputs or more"),
        (CONV + "  - {type: add, inputs: [conv1, imag]}\n", "called 'imag', did you mean 'image'?"),
        (CONV + "  - {type: add, inputs: [conv1, image]}\n", "[1, 8, 8, 8] and [1, 4, 8, 8] do not fit"),
        ("  - {type: lstm, hidden: 8}\n", "layer 'lstm1' needs a sequence T x D"),
        (CONV + "  - {type: softmax, axis: 3}\n", "axis 3 lies outside the shape [8, 8, 8]"),
        ("  - {name: image, type: global_avg_pool}\n", "the name 'image' is used twice"),
        ("  - {type: slice, start: 2, end: 2}\n", "has a dimension of zero"),
        ("  - {type: conv, channels: 8, kernel: 3, activation: rleu}\n", ":5: layers[0].activation: input should be"),
    ],
)  # fmt: skip
def test_a_wrong_layer_is_answered_by_file_line_key_and_cause(refused, layers, expected):
    assert expected in refused(IMAGE + layers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (IMAGE.replace("workload-1", "workload-9") + CONV, ":1: format: input should be 'pimsim-workload-1'"),
        (IMAGE.replace("name: net", "nam: net") + CONV, ":2: nam: unknown key; allowed: format"),
        (IMAGE.replace("8, 8]", "8, 0]") + CONV, ":3: inputs.image[2]: input should be greater than 0"),
        (IMAGE, ":4: layers"),
        (IMAGE + CONV + "  - {type: linear, features: 3, inputs: image}\n", "put a flatten layer before it"),
        (IMAGE + CONV + "  - {type: lrn, inputs: image}\n", ":5: layers[0]: nobody reads layer 'conv1'"),
        (IMAGE + CONV + "outputs: [conv7]\n", ":6: outputs: no layer is called 'conv7'"),
        (IMAGE + CONV + "name: again\n", ":6: name: duplicate key"),
    ],
)
def test_a_wrong_file_is_answered_by_file_line_key_and_cause(refused, text, expected):
    assert expected in refused(text)


def test_an_input_shape_that_does_not_suit_is_refused(refused):
    assert "has no input 'picture'; allowed: image" in refused(IMAGE + CONV, picture=[3, 4, 4])
    assert "another number of dimensions" in refused(IMAGE + CONV, image=[4, 4])
    assert "dimension of zero" in refused(IMAGE + CONV, image=[4, 0, 4])


def test_an_unknown_name_is_answered_by_the_shipped_ones():
    with pytest.raises(InputError, match="did you mean 'resnet50'.*lenet5"):
        load_workload("resnet5")


def test_every_layer_type_can_be_used(load):
    workload = load(
        IMAGE
        + "  - {name: a, type: conv, channels: 8, kernel: 3, padding: same, batch_norm: true, activation: relu6}\n"
        "  - {type: depthwise_conv, kernel: 3, padding: [0, 0, 1, 1]}\n"
        "  - {type: locally_connected, channels: 8, kernel: [1, 2]}\n"
        "  - {type: conv_transpose, channels: 8, kernel: 2, stride: 2, activation: elu}\n"
        "  - {type: resize, scale: 2, mode: linear}\n"
        "  - {type: space_to_depth, block: 2}\n"
        "  - {type: depth_to_space, block: 2}\n"
        "  - {name: b, type: conv, channels: 8, kernel: 3, stride: 3}\n"
        "  - {type: instance_norm}\n"
        "  - {type: group_norm, groups: 2}\n"
        "  - {type: batch_norm}\n"
        "  - {type: lrn}\n"
        "  - {type: activation, function: mish}\n"
        "  - {name: c, type: max_pool, kernel: 2, ceil: true}\n"
        "  - {type: pad, padding: 1}\n"
        "  - {name: d, type: avg_pool, kernel: 3, stride: 1}\n"
        "  - {type: concat, inputs: [c, d]}\n"
        "  - {name: e, type: slice, start: 6, end: 10}\n"
        "  - {type: global_max_pool}\n"
        "  - {name: f, type: mul, inputs: [e, global_max_pool1]}\n"
        "  - {type: reshape, shape: [4, -1]}\n"
        "  - {type: transpose, order: [1, 0]}\n"
        "  - {type: layer_norm}\n"
        "  - {name: q, type: linear, features: 4}\n"
        "  - {type: matmul, inputs: [q, q], transpose_b: true}\n"
        "  - {type: softmax}\n"
        "  - {type: matmul, inputs: [softmax1, q]}\n"
        "  - {type: gru, hidden: 5, bidirectional: true}\n"
        "  - {type: rnn, hidden: 5, output: last}\n"
        "  - {type: linear, features: 2, activation: tanh}\n"
    )
    check(lower(workload))


def test_sequences_keep_their_steps(load):
    dataflow = lower(load(STEPS + "  - {type: lstm, hidden: 8}\n  - {type: linear, features: 3}\n"))
    check(dataflow)
    assert [node.grid for node in dataflow.nodes] == [(6, 1)] * 3


def test_one_dimensional_convolutions(load):
    dataflow = lower(load(STEPS + "  - {type: conv, channels: 3, kernel: 5, stride: 2, padding: 2}\n"))
    check(dataflow)
    assert dataflow.nodes[1].grid == (8, 1) and dataflow.nodes[1].matrix.rows == 6 * 5


@pytest.mark.parametrize(("places", "kept"), [("all", [0, 1, 2]), ("alternate", [0, 2]), ("third", [0]), ("none", [])])
def test_a_key_says_which_batch_norms_are_there(load, places, kept):
    norms = "".join(f"  - {{name: n{at}, type: batch_norm, activation: relu}}\n" for at in range(3))
    workload = load(IMAGE.replace("layers:", f"batch_norm: {places}\nlayers:") + norms)
    types = [operation.type for operation in workload.operations]
    norms = [operation.name for operation in workload.operations if "Norm" in operation.type]
    assert norms == [f"n{at}" for at in kept]
    assert types.count("Relu") == 3 and workload.parameters == 8 * len(kept)


def test_an_unknown_placement_of_batch_norms_is_answered_by_key(refused):
    text = IMAGE.replace("layers:", "batch_norm: some\nlayers:") + CONV
    assert ":4: batch_norm: input should be 'all', 'alternate', 'third' or 'none'" in refused(text)


def test_the_schema_is_json_and_knows_every_type():
    text = json.dumps(workload_schema())
    assert all(name in text for name in ("conv_transpose", "embedding", "pimsim-workload-1"))
