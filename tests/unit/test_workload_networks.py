"""The shipped networks: their counts, where published, and that each lowers to a dataflow that fits together."""

from __future__ import annotations

import time

import pytest

from pimsim.workload import load_workload, lower, shipped
from tests.unit.dataflow_checks import check

#: millions of parameters, billions of MACs
COUNTS = {
    "alexnet": (60.97, 0.724),
    "deepface": (118.92, 0.518),  # "more than 120 million" in the paper, biases and all
    "lenet5": (0.0617, 0.000417),
    "lenet5-fashion": (0.061706, 0.00041652),  # counted by hand, as the other trained ones
    "lenet5-mnist5k": (0.061706, 0.00041652),
    "lstm-digits": (0.005706, 0.00004128),  # 4 x 32 x (8 + 32) x 8 steps + 320; ONNX keeps two biases
    "lstm-mnist5k": (0.024714, 0.000660096),
    "lstm2": (19.78, 0.464),
    "mlp-digits": (0.00657, 0.000006464),
    "mnist-mlp": (0.2666, 0.000266),
    "mobilenetv2": (3.50, 0.301),
    "msra1": (178.0, 19.06),
    "msra2": (183.3, 23.22),
    "msra3": (330.6, 53.46),
    "resnet18": (11.69, 1.81),
    "resnet18-cifar": (11.173962, 0.5554),
    "resnet20-cifar": (0.272474, 0.0408),
    "resnet50": (25.56, 4.09),
    "resnet50-cifar": (23.520842, 1.2978),
    "resnet8-fashion": (0.077754, 0.00934592),
    "vgg11": (132.86, 7.61),
    "vgg11-bn": (132.868840, 7.61),
    "vgg11-cifar-bn": (9.231114, 0.1528),
    "vgg13": (133.05, 11.31),
    "vgg16": (138.36, 15.47),
    "vgg16-bn": (138.365992, 15.47),
    "vgg16-cifar-bn": (14.728266, 0.3132),
    "vgg19": (143.67, 19.63),
    "vgg19-bn": (143.678248, 19.63),
    "vgg19-cifar-bn": (20.040522, 0.3981),
}


def test_every_shipped_network_has_its_counts_here():
    assert set(shipped()) == set(COUNTS)


@pytest.mark.parametrize("name", COUNTS)
def test_a_shipped_network_has_the_published_size(name):
    workload = load_workload(name)
    parameters, macs = COUNTS[name]
    assert workload.parameters / 1e6 == pytest.approx(parameters, rel=0.003)
    assert workload.macs / 1e9 == pytest.approx(macs, rel=0.006)
    dataflow = lower(workload)
    check(dataflow)
    assert sum(node.macs for node in dataflow.nodes) == workload.macs
    assert sum(node.parameters for node in dataflow.nodes) == workload.parameters


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("resnet20-cifar", 272_474), ("resnet18-cifar", 11_173_962), ("resnet50-cifar", 23_520_842),
        ("vgg11-cifar-bn", 9_231_114), ("vgg16-cifar-bn", 14_728_266), ("vgg19-cifar-bn", 20_040_522),
        ("vgg11-bn", 132_868_840), ("vgg16-bn", 138_365_992), ("vgg19-bn", 143_678_248),
    ],
)  # fmt: skip
def test_networks_with_batch_norm_have_the_parameters_that_others_count(name, parameters):
    assert load_workload(name).parameters == parameters  # torchvision, and the variants for CIFAR-10 in use with torch


def test_vgg_16_is_thirteen_convolutions_five_pools_and_three_linear_layers():
    nodes = lower(load_workload("vgg16")).nodes
    convolutions = [node for node in nodes if node.operation == "Conv+Relu"]
    assert [node.kind for node in nodes].count("input") == 1
    assert len(convolutions) == 13 and sum(node.windows for node in convolutions) == 137_788
    assert sum(node.operation == "MaxPool" for node in nodes) == 5
    assert sum(node.operation.startswith("Gemm") for node in nodes) == 3
    assert len(nodes) == 22


def test_vgg_16_at_another_size():
    workload = load_workload("vgg16", {"image": [3, 64, 64]})
    assert workload.shape("pool5") == (1, 512, 2, 2)
    assert load_workload("vgg16", {"image": [1, 3, 64, 64]}).macs == workload.macs


def test_the_first_linear_layer_reads_the_whole_map_channel_by_channel():
    nodes = lower(load_workload("vgg16")).nodes
    fc6 = next(node for node in nodes if node.name == "fc6")
    assert (fc6.matrix.rows, fc6.matrix.columns, fc6.matrix.kernel_positions) == (25088, 4096, 49)
    (edge,) = fc6.edges
    assert (edge.channels, edge.rows_lo[0], edge.rows_hi[0], edge.cols_hi[0]) == (512, 0, 6, 6)


def test_a_lenet_written_out_by_hand():
    nodes = lower(load_workload("lenet5")).nodes
    rows = [(node.name, node.grid, node.channels, node.actions) for node in nodes]
    assert rows == [
        ("image", (32, 32), 1, {}),
        ("c1", (28, 28), 6, {"sigmoid": 6}),
        ("s2", (14, 14), 6, {"shift_add": 24}),
        ("c3", (10, 10), 16, {"sigmoid": 16}),
        ("s4", (5, 5), 16, {"shift_add": 64}),
        ("c5", (1, 1), 120, {"sigmoid": 120}),
        ("f6", (1, 1), 84, {"sigmoid": 84}),
        ("output", (1, 1), 10, {}),
    ]


def test_locally_connected_layers_have_weights_at_every_window():
    nodes = {node.name: node for node in lower(load_workload("deepface")).nodes}
    assert nodes["l4"].matrix.local and nodes["l4"].grid == (55, 55)
    assert nodes["l4"].parameters == 55 * 55 * 16 * (16 * 81 + 1)


def test_lowering_vgg_16_takes_no_time_worth_mentioning():
    workload = load_workload("vgg16")
    start = time.process_time()
    lower(workload)
    assert time.process_time() - start < 0.5
