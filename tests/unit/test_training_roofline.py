"""The roofline of an iteration of training, against what a reader counts by hand."""

from __future__ import annotations

import pytest

from pimsim.costmodels.roofline import RooflineDevice, roofline, training_roofline, training_works
from pimsim.workload import load_workload

DEVICE = RooflineDevice("hand", {"fp32": 1e12}, 1e11, 1e-6, 10.0, 100.0)


@pytest.fixture(scope="module")
def lenet():
    return load_workload("lenet5")


def test_the_first_product_sends_no_gradient_back(lenet):
    names = [work.name for work in training_works(lenet, 4, "fp32")]
    products = [operation.name for operation in lenet.operations if operation.macs]
    assert [name for name in names if name.endswith("/gradient")] == [f"{name}/gradient" for name in products[::-1]]
    assert f"{products[0]}/backward" not in names
    assert all(f"{name}/backward" in names for name in products[1:])
    assert names[-1] == "update"


def test_products_take_three_times_their_flops_but_for_the_first(lenet):
    macs = [operation.macs for operation in lenet.operations if operation.macs]
    found = sum(work.flops for work in training_works(lenet, 4, "fp32") if work.kind != "memory")
    assert found == 2 * 4 * (3 * sum(macs) - macs[0])


def test_an_update_moves_five_values_a_weight(lenet):
    update = training_works(lenet, 4, "fp32")[-1]
    assert (update.bytes, update.flops) == (5 * 4 * lenet.parameters, 4 * lenet.parameters)


def test_a_batch_norm_reads_its_input_twice():
    works = {work.name: work for work in training_works(load_workload("resnet20-cifar"), 2, "fp32")}
    norm = works["conv1/BatchNormalization"]
    back = works[f"{norm.name}/backward"]
    assert norm.input_bytes == 2 * norm.output_bytes
    assert (back.input_bytes, back.output_bytes) == (4 * norm.output_bytes, norm.output_bytes)


def test_an_iteration_takes_longer_than_an_inference(lenet):
    assert training_roofline(lenet, DEVICE, batch=4).time_s > 2 * roofline(lenet, DEVICE, batch=4, fused=False).time_s
