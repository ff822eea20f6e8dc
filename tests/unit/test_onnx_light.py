"""The nine networks that the onnx package carries, their weights replaced by ConstantOfShape."""

from __future__ import annotations

import time
from pathlib import Path

import onnx
import pytest

from pimsim.workload import load_workload, lower
from tests.unit.dataflow_checks import check

FOLDER = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"

#: parameters without BatchNorm's running statistics, and MACs; the first three and VGG-19, ResNet-50 are the
#: published counts, ShuffleNet, ZFNet and DenseNet (with Caffe's separate scale layers) are what the files hold
NETWORKS = {
    "bvlc_alexnet": (60_965_224, 0.65),
    "squeezenet": (1_235_496, 0.35),
    "inception_v1": (6_998_552, 1.43),
    "inception_v2": (11_214_888, 2.02),
    "resnet50": (25_557_032, 4.09),
    "densenet121": (8_062_504, 2.83),
    "shufflenet": (1_393_320, 0.12),
    "vgg19": (143_667_240, 19.63),
    "zfnet512": (87_250_536, 1.48),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_light_network_is_imported_whole(name):
    workload = load_workload(FOLDER / f"light_{name}.onnx")
    parameters, giga_macs = NETWORKS[name]
    assert workload.parameters == parameters
    assert workload.macs / 1e9 == pytest.approx(giga_macs, abs=0.005)
    dataflow = lower(workload)
    check(dataflow)
    assert sum(node.parameters for node in dataflow.nodes) == workload.parameters
    assert sum(node.macs for node in dataflow.nodes) == workload.macs
    assert sum(node.is_output for node in dataflow.nodes) == 1


def test_shapes_agree_with_onnx_shape_inference():
    path = FOLDER / "light_inception_v2.onnx"
    workload = load_workload(path)
    inferred = onnx.shape_inference.infer_shapes(onnx.load(path)).graph.value_info
    known = {each.name: tuple(dim.dim_value for dim in each.type.tensor_type.shape.dim) for each in inferred}
    outputs = [name for operation in workload.operations for name in operation.outputs if name in known]
    assert len(outputs) > 100
    assert all(workload.shape(name) == known[name] for name in outputs)


def test_resnet_50_from_onnx_and_from_yaml_are_the_same_work():
    one, other = lower(load_workload(FOLDER / "light_resnet50.onnx")), lower(load_workload("resnet50"))
    matrices = [(node.matrix, node.grid) for node in one.nodes if node.matrix]
    assert sorted(map(str, matrices)) == sorted(str((node.matrix, node.grid)) for node in other.nodes if node.matrix)


def test_a_dense_net_lowers_in_well_under_half_a_second():
    workload = load_workload(FOLDER / "light_densenet121.onnx")
    start = time.process_time()
    lower(workload)
    assert time.process_time() - start < 0.5
