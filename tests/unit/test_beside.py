"""A run beside GPUs: the same batch on both, ratios by hand."""

from __future__ import annotations

import pytest

import pimsim
from pimsim.baselines import preset_device
from pimsim.costmodels.roofline import roofline, training_roofline
from pimsim.errors import InputError
from pimsim.report.beside import set_beside
from pimsim.workload import load_workload


def test_an_inference_beside_a_roofline():
    result, network = pimsim.simulate("lenet5", "isaac-ce"), load_workload("lenet5")
    (found,) = set_beside(result, network, ["v100"])
    cost = roofline(network, preset_device("v100"), batch=1, precision="fp16")
    assert found.batch == 1
    assert found.speed_up == pytest.approx(cost.time_s / (result.times.latency_ps / 1e12))
    assert found.energy_ratio == pytest.approx(cost.energy_j / (result.costs.energy_pj / 1e12))


def test_training_beside_a_roofline_of_training():
    result, network = pimsim.simulate("lenet5", "hetero-3d", mode="train", batch=4), load_workload("lenet5")
    (found,) = set_beside(result, network, ["gtx-1080-ti"])
    cost = training_roofline(network, preset_device("gtx-1080-ti"), batch=4)
    assert (found.batch, found.precision) == (4, "fp32")
    assert found.speed_up == pytest.approx(cost.time_s / (result.times.run_ps / 1e12), rel=0.02)


def test_a_pace_that_was_not_measured_is_not_compared():
    result = pimsim.simulate("lenet5", "isaac-ce", batch=2)
    with pytest.raises(InputError, match="throughput of a batch of 2 was not measured"):
        set_beside(result, load_workload("lenet5"), ["v100"])


def test_an_unknown_baseline_is_named():
    result = pimsim.simulate("lenet5", "hetero-3d", mode="train", batch=2)
    with pytest.raises(InputError, match="no baseline is called 'v10', did you mean 'v100'"):
        set_beside(result, load_workload("lenet5"), ["v10"])
