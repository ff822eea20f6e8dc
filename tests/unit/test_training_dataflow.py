"""Training as a Dataflow: the chain rule against loops over windows, and small networks written out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.errors import InputError
from pimsim.workload import Builder, Dataflow, Node, Training, expand_training, load_workload, lower, shipped
from pimsim.workload import training_dataflow as trained
from pimsim.workload.spans import Span, identity, span, transposed
from pimsim.workload.training import check_dataflow
from tests.networks import Network
from tests.unit.training_checks import (
    barriers,
    check_expansion,
    check_outer,
    check_rates,
    check_windows_of_gradients,
    check_work,
    finished,
    named,
    networks,
    options,
)

FOUR = Training(batch=4, rows=8, cores=2)
IMAGE = "format: pimsim-workload-1\nname: net\ninputs: {image: [4, 8, 8]}\nlayers:\n"
CONV = "{type: conv, channels: 4, kernel: 3, padding: 1, bias: false"


@pytest.fixture
def load(tmp_path):
    def from_layers(*layers: str, **rest):
        path = tmp_path / "net.yaml"
        path.write_text(IMAGE + "".join(f"  - {layer}\n" for layer in layers))
        return load_workload(path, **rest)

    return from_layers


def sources(dataflow: Dataflow, name: str) -> list[str]:
    return [dataflow.nodes[edge.source].name for edge in named(dataflow, name).edges]


def described(dataflow: Dataflow) -> list[str]:
    """A line a node: name, kind, grid, channels; for each edge its source and what is special about it."""
    lines = []
    for node in dataflow.nodes:
        rates = (f" every {node.every}" if node.every > 1 else "") + (
            f" emits every {node.emits_every}" if node.emits_every > 1 else ""
        )
        edges = []
        for edge in node.edges:
            marks = [f"{key} {value}" for key in ("shared", "initial", "holds")
                     if (value := getattr(edge, key)) != (0 if key == "initial" else 1)]  # fmt: skip
            words = " ".join([dataflow.nodes[edge.source].name, *marks, *(["saved"] if edge.saved else [])])
            edges.append(words)
        size = f"{node.grid[0]}x{node.grid[1]}x{node.channels}"
        lines.append(f"{node.name} {node.kind} {size}{rates} <- {', '.join(edges)}".strip())
    return lines


# spans


ranges = st.integers(1, 8).flatmap(
    lambda of: st.tuples(
        st.lists(st.tuples(st.integers(0, of - 1), st.integers(-1, of - 1)), min_size=1, max_size=8), st.just(of)
    )
)


@given(ranges)
@settings(max_examples=200, deadline=None)
def test_a_transposed_span_holds_the_first_to_the_last_index_that_needs_a_position(case):
    pairs, of = case
    each = span([low for low, _ in pairs], [high for _, high in pairs])
    back = transposed(each, of)
    for position in range(of):
        naive = [i for i in range(len(each)) if each.lo[i] <= position <= each.hi[i]]
        assert (back.lo[position], back.hi[position]) == ((naive[0], naive[-1]) if naive else (0, -1))


@given(ranges)
@settings(max_examples=100, deadline=None)
def test_transposed_twice_covers_what_was_there(case):
    pairs, of = case
    each = span([low for low, _ in pairs], [high for _, high in pairs])
    twice = transposed(transposed(each, of), len(each))
    for low, high, first, last in zip(each.lo, each.hi, twice.lo, twice.hi, strict=True):
        assert high < low or (first <= low and high <= last)


def test_disjoint_windows_transpose_to_points():
    assert transposed(identity(5), 5).is_identity
    assert not transposed(Span(np.array([0, 1]), np.array([1, 2])), 3).is_points
    assert transposed(Span(np.array([0, 2]), np.array([1, 3])), 5) == Span(
        np.array([0, 0, 1, 1, 0]), np.array([0, 0, 1, 1, -1])
    )


# random networks


@given(networks(), options)
@settings(max_examples=120, deadline=None)
def test_whatever_the_network_the_chain_rule_holds(dataflow, chosen):
    expanded = expand_training(dataflow, chosen)
    assert expanded.batch == chosen.batch
    check_expansion(expanded, chosen)
    check_windows_of_gradients(expanded)
    check_work(expanded, dataflow, chosen)
    assert len({node.name for node in expanded.nodes}) == len(expanded.nodes)


@given(networks(groups=False), options)
@settings(max_examples=60, deadline=None)
def test_it_holds_for_gradients_on_written_crossbars(dataflow, chosen):
    check_outer(dataflow, replace(chosen, weight_gradient="outer"))


@given(networks(groups=False, norm=False), options)
@settings(max_examples=30, deadline=None)
def test_it_holds_without_gpu_cores(dataflow, chosen):
    expanded = check_outer(dataflow, replace(chosen, weight_gradient="outer", cores=0))
    assert all(node.kind != "gpu" for node in expanded.nodes)


# by hand


def test_three_layers_without_batch_norm():
    net = Network()
    x = net.input(2, 2, 3)
    for outputs in (4, 4, 2):
        x = net.conv(x, outputs, relu=False)
    net.nodes[1] = replace(net.nodes[1], actions={"sigmoid": 4})
    assert described(expand_training(finished(net), replace(FOUR, cores=1))) == """
input input 2x2x3 <-
conv1 mvm 2x2x4 <- input, conv1/update shared 4 initial 1
conv2 mvm 2x2x4 <- conv1, conv2/update shared 4 initial 1
conv3 mvm 2x2x2 <- conv2, conv3/update shared 4 initial 1
conv3/loss gpu 2x2x2 <- conv3
conv3/gradient:0 gpu 8x1x9 emits every 4 <- conv2 saved, conv3/loss
conv3/backward mvm 2x2x4 <- conv3/loss, conv3/backward/update shared 4 initial 1
conv2/gradient:0 gpu 8x1x18 emits every 4 <- conv1 saved, conv3/backward
conv2/backward mvm 2x2x4 <- conv3/backward, conv2/backward/update shared 4 initial 1
conv1/delta digital 2x2x4 <- conv2/backward, conv1 saved
conv1/gradient:0 gpu 8x1x14 emits every 4 <- input saved, conv1/delta
conv3/optimiser:0 gpu 8x1x9 every 4 <- conv3/gradient:0
conv2/optimiser:0 gpu 8x1x18 every 4 <- conv2/gradient:0
conv1/optimiser:0 gpu 8x1x14 every 4 <- conv1/gradient:0
conv3/update update 8x1x0 every 4 <- conv3/optimiser:0
conv3/backward/update update 8x1x0 every 4 <- conv3/optimiser:0
conv2/update update 8x1x0 every 4 <- conv2/optimiser:0
conv2/backward/update update 8x1x0 every 4 <- conv2/optimiser:0
conv1/update update 8x1x0 every 4 <- conv1/optimiser:0
""".strip().splitlines()


def test_three_layers_with_batch_norm_behind_the_second():
    net = Network()
    x = net.batch_norm(net.conv(net.conv(net.input(4, 2, 3), 4, relu=False), 4, relu=False))
    net.conv(x, 2, relu=False)
    net.nodes[x] = replace(net.nodes[x], activation=("Relu",), operation="BatchNormalization+Relu")
    lines = described(expand_training(finished(net), replace(FOUR, cores=2)))
    assert [line for line in lines if "gradient" not in line and "update update" not in line
            and "optimiser" not in line] == """
input input 4x2x3 <-
conv1 mvm 4x2x4 <- input, conv1/update shared 4 initial 1
conv2 mvm 4x2x4 <- conv1, conv2/update shared 4 initial 1
norm3/statistics gpu 2x1x8 emits every 4 <- conv2
norm3/combine gpu 1x1x8 every 4 <- norm3/statistics
norm3 gpu 4x2x4 <- conv2 holds 4 saved, norm3/combine shared 4
conv4 mvm 4x2x2 <- norm3, conv4/update shared 4 initial 1
conv4/loss gpu 4x2x2 <- conv4
conv4/backward mvm 4x2x4 <- conv4/loss, conv4/backward/update shared 4 initial 1
norm3/backward/statistics gpu 2x1x8 emits every 4 <- conv4/backward, conv2 holds 4 saved, norm3/combine shared 4 saved
norm3/backward/combine gpu 1x1x16 every 4 <- norm3/backward/statistics, norm3/combine saved
norm3/backward gpu 4x2x4 <- conv4/backward holds 4 saved, conv2 holds 4 saved, norm3/backward/combine shared 4
conv2/backward mvm 4x2x4 <- norm3/backward, conv2/backward/update shared 4 initial 1
""".strip().splitlines()  # fmt: skip
    assert [line for line in lines if "gradient:" in line and "optimiser" not in line] == """
conv4/gradient:0 gpu 8x1x9 emits every 4 <- norm3 saved, conv4/loss
conv2/gradient:0 gpu 8x1x18 emits every 4 <- conv1 holds 4 saved, norm3/backward
conv1/gradient:0 gpu 8x1x14 emits every 4 <- input holds 4 saved, conv2/backward
""".strip().splitlines()


def test_an_activation_behind_batch_norm_is_computed_again_on_the_way_back(load):
    dataflow, values = trained(load(*NORMED), FOUR), 8 * 8 * 4
    norm = "a/BatchNormalization"
    assert named(dataflow, norm).flops == (4 + 1) * values and named(dataflow, norm).activation == ("Relu",)
    assert named(dataflow, f"{norm}/backward/statistics").flops == (4 + 4) * values
    assert named(dataflow, f"{norm}/backward").flops == (6 + 4) * values
    assert all("delta" not in node.name for node in dataflow.nodes)


def test_two_layers_without_gpu_cores():
    net = Network()
    net.conv(net.conv(net.input(2, 2, 3), 4, relu=False), 5, kernel=1, relu=False)
    chosen = Training(batch=4, rows=8, cores=0, weight_gradient="outer")
    assert described(expand_training(finished(net), chosen)) == """
input input 2x2x3 <-
conv1 mvm 2x2x4 <- input, conv1/update shared 4 initial 1
conv2 mvm 2x2x5 <- conv1, conv2/update shared 4 initial 1
conv2/loss digital 2x2x5 <- conv2
conv2/columns digital 5x1x4 <- conv2/loss
conv2/activations update 4x1x0 <- conv1 saved
conv2/gradient:0 mvm 5x1x4 emits every 4 <- conv2/columns, conv2/activations
conv2/backward mvm 2x2x4 <- conv2/loss, conv2/backward/update shared 4 initial 1
conv1/columns digital 4x1x4 <- conv2/backward
conv1/activations update 4x1x0 <- input saved
conv1/gradient:0 mvm 4x9x3 emits every 4 <- conv1/columns, conv1/activations
conv2/update update 4x1x0 every 4 <- conv2/gradient:0
conv2/backward/update update 5x1x0 every 4 <- conv2/gradient:0
conv1/update update 8x1x0 every 4 <- conv1/gradient:0
""".strip().splitlines()


@pytest.mark.parametrize("way", ["gpu", "outer"])
@pytest.mark.parametrize("batch", [4, 64])
def test_a_pipeline_wants_room_for_as_many_images_as_pipelayer(batch, way):
    """2(L - l) + 1 images of layer l's result, from its own making to the gradient of the next layer's weights."""
    net, layers = Network(), 5
    x = net.input(4, 4, 2)
    for _ in range(layers):
        x = net.conv(x, 2)
    dataflow = expand_training(finished(net), Training(batch=batch, rows=8, cores=1, weight_gradient=way))
    for layer in range(layers):
        taker = f"conv{layer + 1}/" + {"gpu": "gradient:0", "outer": "activations"}[way]
        (kept,) = [edge for edge in named(dataflow, taker).edges if edge.source == layer]
        assert (kept.wanted, kept.holds) == (min(2 * (layers - layer) + 1, batch), 1)


def test_work_of_batch_norm_is_counted_by_value():
    net = Network()
    net.conv(net.batch_norm(net.conv(net.input(4, 2, 3), 5, relu=False)), 2)
    dataflow = expand_training(finished(net), FOUR)
    values = 4 * 2 * 5
    flops = {name: named(dataflow, f"norm2{name}").flops for name in ("/statistics", "", "/backward/statistics",
                                                                       "/backward")}  # fmt: skip
    assert flops == {"/statistics": 3 * values, "": 4 * values, "/backward/statistics": 4 * values,
                     "/backward": 6 * values}  # fmt: skip
    assert named(dataflow, "norm2/statistics").memory_values == values + 2 * 2 * 5
    assert named(dataflow, "norm2").memory_values == 2 * values + 2 * 5
    assert named(dataflow, "norm2/combine").flops == 5 * (2 * 2 + 10)


def test_the_gradient_of_a_residual_block_is_the_sum_of_both_branches(load):
    dataflow = trained(load(
        "{name: a, " + CONV[1:] + ", activation: relu}", "{name: b, " + CONV[1:] + "}",
        "{name: sum, type: add, inputs: [b, a], activation: relu}", "{name: c, " + CONV[1:] + "}",
    ), FOUR)  # fmt: skip
    assert sources(dataflow, "sum/delta") == ["c/backward", "sum"]
    assert sources(dataflow, "b/backward")[0] == "sum/delta"  # a sum hands its gradient on to both as it is
    assert sorted(sources(dataflow, "a/delta")) == ["a", "b/backward", "sum/delta"]
    assert named(dataflow, "a/delta").actions == {"vector": 2 * 4}  # an addition and a mask
    assert named(dataflow, "sum/delta").actions == {"vector": 4}


def test_a_max_pool_asks_what_it_read_and_an_average_does_not(load):
    dataflow = trained(load(
        "{name: a, " + CONV[1:] + "}", "{name: most, type: max_pool, kernel: 2}", "{name: b, " + CONV[1:] + "}",
        "{name: mean, type: global_avg_pool}", "{type: flatten}", "{name: fc, type: linear, features: 3}",
    ), FOUR)  # fmt: skip
    most, mean = named(dataflow, "most/backward"), named(dataflow, "mean/backward")
    assert sources(dataflow, "most/backward") == ["b/backward", "a"] and most.edges[1].saved
    assert most.grid == (8, 8) and most.edges[0].rows_lo.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert most.actions == {"vector": 4}  # 4 x 4 windows of 4 x 4 values over 8 x 8 positions
    assert sources(dataflow, "mean/backward") == ["fc/backward"] and mean.grid == (4, 4)
    assert not mean.edges[0].rows_hi.any() and mean.edges[0].rows_hi.size == 4
    assert sources(dataflow, "b/gradient:0") == ["most", "mean/backward"]


def test_a_linear_layer_sends_all_positions_back_in_one_window(load):
    layers = "{name: a, " + CONV[1:] + ", activation: relu}", "{type: flatten}", "{name: fc, type: linear, features: 3}"
    dataflow = trained(load(*layers), FOUR)
    back = named(dataflow, "fc/backward")
    assert back.grid == (1, 1) and back.channels == 8 * 8 * 4
    assert (back.matrix.rows, back.matrix.columns, back.matrix.kernel_positions) == (3, 256, 1)
    assert back.macs == named(dataflow, "fc").macs == 768
    assert named(dataflow, "a/delta").edges[0].channels == 256


def test_a_strided_pointwise_convolution_has_windows_where_it_read(load):
    dataflow = trained(load("{name: a, " + CONV[1:] + "}", "{name: b, type: conv, channels: 6, kernel: 1, stride: 2}"),
                       FOUR)  # fmt: skip
    back, spread = named(dataflow, "b/backward"), named(dataflow, "a/delta")
    assert back.grid == (4, 4) and (back.matrix.rows, back.matrix.columns) == (6, 4)
    assert spread.grid == (8, 8) and spread.edges[0].rows_hi.tolist() == [0, -1, 1, -1, 2, -1, 3, -1]


def test_inputs_side_by_side_get_gradients_of_their_own(load):
    dataflow = trained(load(
        "{name: a, " + CONV[1:] + "}", "{name: b, inputs: a, type: conv, channels: 2, kernel: 1}",
        "{name: both, type: concat, inputs: [a, b]}", "{name: c, type: conv, channels: 5, kernel: 3, padding: 1}",
    ), replace(FOUR, cores=1))  # fmt: skip
    first, second = named(dataflow, "c/backward:0"), named(dataflow, "c/backward:1")
    assert (first.channels, first.matrix.columns, first.matrix.rows) == (4, 4, 45)
    assert (second.channels, second.matrix.columns) == (2, 2)
    assert first.macs + second.macs == named(dataflow, "c").macs
    assert sorted(sources(dataflow, "a/delta")) == ["b/backward", "c/backward:0"]


def test_a_part_of_the_channels_has_an_update_of_its_own_part(load):
    layers = [
        "{name: a, " + CONV[1:] + "}", "{name: b, inputs: a, type: conv, channels: 4, kernel: 3, padding: 1}",
        "{name: both, type: concat, inputs: [a, b]}", "{name: c, type: conv, channels: 64, kernel: 3, padding: 1}",
    ]  # fmt: skip
    dataflow = trained(load(*layers), replace(FOUR, cores=3))
    parts = [node for node in dataflow.nodes if node.name.startswith("c/gradient:")]
    assert len(parts) == 3 and sum(part.flops for part in parts) == 2 * named(dataflow, "c").macs
    assert sources(dataflow, "c/update") == ["c/optimiser:0", "c/optimiser:1", "c/optimiser:2"]
    assert sources(dataflow, "c/backward:0/update") == ["c/optimiser:0", "c/optimiser:1"]
    assert sources(dataflow, "c/backward:1/update") == ["c/optimiser:1", "c/optimiser:2"]


def test_an_input_takes_no_part_that_only_touches_its_channels(load):
    layers = [
        "{name: a, " + CONV[1:] + "}", "{name: b, inputs: a, type: conv, channels: 4, kernel: 3, padding: 1}",
        "{name: both, type: concat, inputs: [a, b]}", "{name: c, type: conv, channels: 64, kernel: 3, padding: 1}",
    ]  # fmt: skip
    dataflow = trained(load(*layers), FOUR)
    assert [sources(dataflow, f"c/backward:{at}/update") for at in (0, 1)] == [["c/optimiser:0"], ["c/optimiser:1"]]
    assert sources(dataflow, "c/gradient:0")[:-1] == ["a"] and sources(dataflow, "c/gradient:1")[:-1] == ["b"]


def test_depthwise_gradients_stay_within_their_channels(load):
    dataflow = trained(load("{name: a, " + CONV[1:] + "}", "{name: d, type: depthwise_conv, kernel: 3, padding: 1}"),
                       replace(FOUR, cores=1))  # fmt: skip
    back = named(dataflow, "d/backward")
    assert (back.matrix.rows, back.matrix.columns, back.matrix.groups) == (9, 1, 4)
    assert back.edges[0].channels == 4 and named(dataflow, "d/gradient:0").edges[-1].channels == 4


def test_a_product_takes_each_factor_times_the_gradient(load):
    dataflow = trained(load("{name: a, " + CONV[1:] + "}", "{name: b, inputs: image, " + CONV[1:] + "}",
                            "{name: ab, type: mul, inputs: [a, b]}"), FOUR)  # fmt: skip
    assert sources(dataflow, "ab/backward:0") == ["ab/loss", "b"]
    assert sources(dataflow, "ab/backward:1") == ["ab/loss", "a"]


def test_softmax_is_a_kernel_whose_output_tells_the_derivative(load):
    dataflow = trained(load("{name: a, " + CONV[1:] + "}", "{name: p, type: softmax, axis: 0}"), FOUR)
    assert named(dataflow, "p").kind == named(dataflow, "p/backward").kind == "gpu"
    assert named(dataflow, "p").flops == named(dataflow, "p/backward").flops == 4 * 8 * 8 * 4
    assert sources(dataflow, "p/backward") == ["p/loss", "p"]


# normalisation


NORMED = ["{name: a, " + CONV[1:] + ", batch_norm: true, activation: relu}", "{name: b, " + CONV[1:] + "}"]


def test_a_sub_batch_is_a_smaller_barrier(load):
    dataflow = trained(load(*NORMED), replace(FOUR, norm="sub-batch", sub_batch=2))
    assert barriers(dataflow) == [2, 2, 2]
    assert named(dataflow, "a/BatchNormalization/statistics").emits_every == 2
    assert named(dataflow, "a/BatchNormalization/combine").every == 2
    assert named(dataflow, "a/BatchNormalization").edges[0].holds == 2
    check_rates(dataflow)


def test_group_norm_is_a_kernel_without_barrier(load):
    dataflow = trained(load(*NORMED), replace(FOUR, norm="group"))
    norm = named(dataflow, "a/BatchNormalization")
    assert not barriers(dataflow) and norm.kind == "gpu" and norm.type == "GroupNormalization"
    assert norm.flops == (5 + 1) * 8 * 8 * 4 and norm.edges[0].rows_hi.tolist() == [7] * 8


def test_without_norm_the_activation_joins_the_matrix(load):
    dataflow = trained(load(*NORMED), replace(FOUR, norm="none"))
    assert named(dataflow, "a").activation == ("Relu",) and not barriers(dataflow)
    assert all("Norm" not in node.name for node in dataflow.nodes)


def test_batch_norm_behind_a_concatenation_sends_each_part_its_channels(load):
    dataflow = trained(load(
        "{name: a, " + CONV[1:] + "}", "{name: b, inputs: image, type: conv, channels: 2, kernel: 1}",
        "{name: both, type: concat, inputs: [a, b]}", "{name: n, type: batch_norm, activation: relu}",
    ), FOUR)  # fmt: skip
    assert sources(dataflow, "n/statistics") == ["a", "b"] and sources(dataflow, "n") == ["a", "b", "n/combine"]
    assert named(dataflow, "n/backward").channels == 6
    assert [named(dataflow, f"{name}/delta").edges[0].channels for name in "ab"] == [4, 2]
    assert sources(dataflow, "b/delta") == ["n/backward"]


def test_batch_norm_of_the_input_learns_and_sends_nothing_back(load):
    dataflow = trained(load("{name: n, type: batch_norm}", "{name: a, " + CONV[1:] + "}"), FOUR)
    assert named(dataflow, "n/backward/combine").is_output
    assert all(node.name != "n/backward" for node in dataflow.nodes)


@pytest.mark.parametrize(("places", "kept"), [("all", 13), ("alternate", 7), ("third", 5), ("none", 0)])
def test_norms_are_placed_at_every_first_second_or_third_layer(places, kept):
    dataflow = lower(load_workload("vgg16-cifar-bn", batch_norm=places), training=True)
    norms = [index for index, node in enumerate(dataflow.nodes) if node.type == "BatchNormalization"]
    assert len(norms) == kept
    before = [dataflow.nodes[dataflow.nodes[index].edges[0].source].name for index in norms]
    layers = [node.name for node in dataflow.nodes if node.type == "Conv"]
    step = {"all": 1, "alternate": 2, "third": 3, "none": 13}[places]
    assert before == (layers[::step] if kept else [])


@pytest.mark.parametrize("name", [name for name, path in shipped().items() if "cifar" in name or "-bn" in name])
def test_the_networks_with_batch_norm_expand(name):
    inference = load_workload(name)
    dataflow = trained(inference, Training(batch=128, rows=128, cores=16))
    assert sum(node.operation == "Combine" for node in dataflow.nodes) == sum(
        operation.type == "BatchNormalization" for operation in inference.operations
    )
    gradients = [node for node in dataflow.nodes if node.operation == "WeightGradient"]
    assert sum(node.flops for node in gradients) == 2 * inference.macs
    assert max(node.flops for node in gradients) <= 2 * inference.macs / 16 * 1.5


# refusals


def refusal(call) -> str:
    with pytest.raises(InputError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("layers", "options", "expected"),
    [
        (NORMED, {"cores": 0}, "mini-batch mean, variance, division and square root; this chip has no GPU cores"),
        (NORMED, {"batch": 1}, "BatchNorm over a batch of 1 image has no statistics"),
        (NORMED, {"norm": "sub-batch", "sub_batch": 1}, "a batch of 1 image has no statistics"),
        (NORMED[1:], {"cores": 0}, "weight_gradient: gpu needs GPU cores; this chip has none; allowed: outer"),
        (["{type: max_pool, kernel: 2}"], {}, "nothing to train"),
        (["{type: depthwise_conv, kernel: 3}"], {"weight_gradient": "outer"}, "has groups; gradients of its weights"),
        (["{type: locally_connected, channels: 2, kernel: 3}"], {}, "weights of its own for every window"),
        (["{type: reshape, shape: [64, 4]}", "{type: lstm, hidden: 3}"], {}, "back-propagation through time"),
        (["{name: a, type: conv, channels: 4, kernel: 1}", "{name: b, type: matmul, inputs: [a, a]}"], {},
         "multiplies two feature maps"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused_in_one_line(load, layers, options, expected):
    assert expected in refusal(lambda: trained(load(*layers), replace(FOUR, **options)))


def test_weights_of_two_layers_are_refused():
    builder = Builder("net")
    source = builder.input("x", (1, 4))
    weight = builder.constant("w", (4, 4))
    builder.add("MatMul", [source, weight], ["y"], {}, "first")
    builder.add("MatMul", ["y", weight], ["z"], {}, "second")
    assert "'first' and 'second' share the weights 'w'" in refusal(
        lambda: lower(builder.build(["z"]), training=True)
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"batch": 0}, "batch: 0 is not a whole number of at least 1"),
        ({"batch": True}, "batch: True"),
        ({"rows": 1.5}, "rows: 1.5"),
        ({"cores": -1}, "cores: -1"),
        ({"norm": "instance"}, "norm: 'instance' is not known; allowed: batch, sub-batch, group, layer, none"),
        ({"norm": "sub-batch"}, "sub_batch: norm is sub-batch: the number of its images is missing"),
        ({"norm": "sub-batch", "sub_batch": 3}, "sub_batch: sub-batches of 3 images do not divide a batch of 4"),
        ({"sub_batch": 2}, "sub_batch: has a meaning with norm: sub-batch only"),
        ({"transposed": "twice"}, "transposed: 'twice' is not known; allowed: copy, array"),
    ],
)  # fmt: skip
def test_wrong_options_are_answered_by_key_and_cause(options, expected):
    assert expected in refusal(lambda: replace(FOUR, **options))


def test_what_has_no_derivative_is_refused():
    builder = Builder("net")
    source, weight = builder.input("x", (1, 4)), builder.constant("w", (4, 4))
    builder.add("MatMul", [source, weight], ["y"], {}, "first")
    builder.add("ArgMax", ["y"], ["z"], {"axis": 1}, "best")
    assert "node 'best' (ArgMax) has no derivative (ArgMax); end the network before it" in refusal(
        lambda: trained(builder.build(["z"]), FOUR)
    )


def test_an_onnx_file_takes_no_placement_of_norms():
    assert "batch_norm" in refusal(lambda: load_workload("resnet8-fashion", batch_norm="none"))


# the check itself


def with_edge(node: Node, **fields) -> Node:
    return replace(node, edges=(replace(node.edges[0], **fields),))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda node: replace(node, emits_every=2), "not balanced"),
        (lambda node: with_edge(node, source=node.edges[0].source + 1), "points forward"),
        (lambda node: with_edge(node, channels=999), "takes 999 of"),
        (lambda node: replace(node, every=3), "not balanced"),
    ],
)
def test_a_wrong_node_is_found(change, expected):
    nodes = list(CHECKED.nodes)
    at = next(index for index, node in enumerate(nodes) if node.name.endswith("/loss"))
    nodes[at] = change(nodes[at])
    with pytest.raises(ValueError, match=expected):
        check_dataflow(replace(CHECKED, nodes=tuple(nodes)))


def test_a_copy_without_an_update_is_found():
    nodes = [replace(node, of=1) if node.kind == "update" else node for node in CHECKED.nodes]
    with pytest.raises(ValueError, match="updates of its crossbars instead of one"):
        check_dataflow(replace(CHECKED, nodes=tuple(nodes)))


def _checked() -> Dataflow:
    net = Network()
    net.fc(net.conv(net.input(3, 3, 2), 4), 2)
    return expand_training(finished(net), FOUR)


CHECKED = _checked()
