"""The roofline against cases computed by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimsim.costmodels.roofline import RooflineDevice, operation_class, roofline, works
from pimsim.errors import InputError
from pimsim.workload import Builder, Workload, load_workload

DEVICE = RooflineDevice("hand", {"fp32": 1e9, "int8": 4e9}, 1e9, launch_s=1e-6, idle_w=10, loaded_w=100)


def small() -> Workload:
    """Convolution 3x3 of 3 to 4 channels on 8x8, ReLU, fully connected to 10."""
    build = Builder("small")
    build.input("image", (1, 3, 8, 8))
    build.constant("kernel", (4, 3, 3, 3))
    build.constant("matrix", (256, 10))
    build.add("Conv", ["image", "kernel"], ["map"], {"pads": [1, 1, 1, 1]})
    build.add("Relu", ["map"], ["active"])
    build.add("Flatten", ["active"], ["vector"])
    build.add("Gemm", ["vector", "matrix"], ["scores"])
    return build.build(["scores"])


def test_a_convolution_is_counted_by_hand() -> None:
    conv = works(small(), 1, "fp32", fused=False)[0]
    assert conv.flops == 2 * 4 * 64 * 27
    assert (conv.input_bytes, conv.weight_bytes, conv.output_bytes) == (192 * 4, 108 * 4, 256 * 4)
    assert conv.flops_per_byte == 13_824 / 2_224


def test_time_is_a_launch_and_the_longer_of_the_two_roofs() -> None:
    cost = roofline(small(), DEVICE, fused=False)
    names = [kernel.work.name for kernel in cost.kernels]
    assert names == ["map", "active", "scores"]  # a view is no kernel
    times = [1e-6 + 13_824e-9, 1e-6 + 2_048e-9, 1e-6 + 11_304e-9]  # compute; 512 values; 256 + 2560 + 10 values
    assert [kernel.time_s for kernel in cost.kernels] == pytest.approx(times, rel=1e-12)
    assert [kernel.bound for kernel in cost.kernels] == ["compute", "memory", "memory"]
    assert cost.time_s == pytest.approx(sum(times), rel=1e-12)


def test_energy_is_idle_power_in_launches_and_loaded_power_in_kernels() -> None:
    kernel = roofline(small(), DEVICE, fused=False).kernels[0]
    assert kernel.energy_j == pytest.approx(10 * 1e-6 + 100 * 13_824e-9, rel=1e-12)


def test_an_activation_joins_the_kernel_before_it() -> None:
    first, second = roofline(small(), DEVICE).kernels
    assert first.work.fused == ("active",)
    assert (first.work.flops, first.work.output_bytes) == (13_824 + 256, 256 * 4)
    assert second.work.name == "scores"


def test_an_activation_that_is_not_the_only_reader_stays_alone() -> None:
    build = Builder("branches")
    build.input("image", (1, 4, 8, 8))
    build.constant("kernel", (4, 4, 1, 1))
    build.add("Conv", ["image", "kernel"], ["map"])
    build.add("Relu", ["map"], ["active"])
    build.add("Add", ["map", "active"], ["sum"])
    build.add("Relu", ["sum"], ["end"])
    names = [(work.name, work.fused) for work in works(build.build(["end"]), 1, "fp32")]
    assert names == [("map", ()), ("active", ()), ("sum", ("end",))]


def test_weights_are_read_once_a_batch() -> None:
    one, eight = (works(small(), batch, "fp32")[-1] for batch in (1, 8))
    assert eight.weight_bytes == one.weight_bytes == 2560 * 4
    assert (eight.input_bytes, eight.output_bytes, eight.flops) == (8 * 256 * 4, 8 * 10 * 4, 8 * one.flops)


def test_a_precision_sets_the_peak_and_the_width() -> None:
    kernel = roofline(small(), DEVICE, precision="int8", fused=False).kernels[0]
    assert (kernel.work.bytes, kernel.compute_s) == (556, 13_824 / 4e9)


def test_an_efficiency_lowers_both_parts_of_the_roof_of_its_class_alone() -> None:
    device = RooflineDevice("slow", {"fp32": 1e9}, 1e9, 0, 0, 1, {"convolution": 0.5, "memory": 0.25})
    conv, relu, gemm = roofline(small(), device, fused=False).kernels
    assert conv.compute_s == 2 * 13_824e-9 and conv.memory_s == pytest.approx(2 * 2_224e-9)
    assert relu.time_s == pytest.approx(4 * 2_048e-9) and gemm.time_s == pytest.approx(11_304e-9)


def test_a_recurrent_layer_launches_once_a_step() -> None:
    launches = {work.name: work.launches for work in works(load_workload("lstm2"), 1, "fp32")}
    assert sorted(launches.values()) == [1, 1, 35, 35]


def test_of_a_table_only_the_rows_that_are_looked_up_are_read() -> None:
    work = works(load_workload("lstm2"), 2, "fp32")[0]
    assert (work.type, work.weight_bytes, work.output_bytes) == ("Embedding", 2 * 35 * 650 * 4, 2 * 35 * 650 * 4)


def test_a_pool_reads_every_value_of_its_input() -> None:
    pool = next(work for work in works(load_workload("vgg16"), 1, "fp32") if work.type == "MaxPool")
    assert (pool.kind, pool.flops, pool.launches) == ("memory", 64 * 224 * 224, 1)


def test_flops_are_twice_the_macs_and_what_is_element_wise() -> None:
    network = load_workload("resnet50")
    for fused in (True, False):
        flops = sum(work.flops for work in works(network, 1, "fp32", fused) if work.kind != "memory")
        assert 2 * network.macs <= flops < 2.02 * network.macs
    assert len(works(network, 1, "fp32")) == 53 + 16 + 2 + 1  # convolutions, additions, pools, fully connected


def test_the_ridge_is_where_both_roofs_meet() -> None:
    ridge = DEVICE.ridge_flops_per_byte("int8")
    assert ridge == 4
    assert DEVICE.attainable_flops_per_s(ridge, "int8") == DEVICE.peak("int8")
    assert DEVICE.attainable_flops_per_s(ridge / 2, "int8") == DEVICE.peak("int8") / 2


@given(st.integers(1, 64), st.floats(1e9, 1e15), st.floats(1e9, 1e13))
def test_more_of_anything_is_never_slower(batch: int, peak: float, bandwidth: float) -> None:
    network = small()

    def time_s(batch: int, peak: float, bandwidth: float) -> float:
        return roofline(network, RooflineDevice("any", {"fp32": peak}, bandwidth, 1e-6, 1, 2), batch=batch).time_s

    base = time_s(batch, peak, bandwidth)
    assert time_s(batch, 2 * peak, bandwidth) <= base
    assert time_s(batch, peak, 2 * bandwidth) <= base
    assert base <= time_s(2 * batch, peak, bandwidth) <= 2 * base


@pytest.mark.parametrize(
    ("type", "macs", "kind"),
    [("Conv", 9, "convolution"), ("Gemm", 9, "matrix"), ("LSTM", 9, "recurrent"), ("MaxPool", 0, "memory")],
)
def test_an_operation_belongs_to_a_class(type: str, macs: int, kind: str) -> None:
    assert operation_class(type, macs) == kind


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"precision": "fp16"}, "precision: hand has no peak in fp16; allowed: fp32, int8"),
        ({"batch": 0}, "batch: a batch of 0 inputs cannot run; allowed: a whole number from 1"),
    ],
)
def test_what_the_device_cannot_do_is_one_line(options: dict, words: str) -> None:
    with pytest.raises(InputError) as error:
        roofline(small(), DEVICE, **options)
    assert str(error.value) == words
