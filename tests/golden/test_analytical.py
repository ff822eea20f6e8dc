"""Error of the analytical model against the engine on an ideal network, on shipped networks: what the README states.

``python -m tests.benchmarks.analytical errors`` prints the whole table, every shipped network and its throughput.
"""

from __future__ import annotations

import pytest

import pimsim
from pimsim.config import load_system
from pimsim.costmodels.chip import estimate
from pimsim.workload import load_workload, lower

LATENCY = 0.03  #: share by which the first image may be off, either way
ENERGY = 0.03  #: most of it static, and so as far off as the time
DYNAMIC_ENERGY = 0.002
INTERVAL = 0.05  #: between outputs

NETWORKS = (
    ("mnist-mlp", "isaac-ce"), ("lenet5", "isaac-ce"), ("alexnet", "isaac-ce-16"), ("msra1", "isaac-ce-16"),
    ("vgg11", "isaac-ce-16"), ("vgg16", "isaac-ce-16"), ("resnet18", "isaac-ce-16"), ("resnet50", "isaac-ce-16"),
    ("mobilenetv2", "isaac-ce-16"), ("lstm2", "isaac-ce-16"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "system"), NETWORKS)
def test_an_image_is_within_the_stated_error(name, system):
    dataflow, described = lower(load_workload(name)), load_system(system)
    found, engine = estimate(dataflow, described), pimsim.simulate(dataflow, described, noc="ideal")
    assert found.times.latency_ps == pytest.approx(engine.times.latency_ps, rel=LATENCY)
    assert found.costs.energy_pj == pytest.approx(engine.costs.energy_pj, rel=ENERGY)
    dynamic = sum(engine.costs.dynamic_pj.values())
    assert sum(found.costs.dynamic_pj.values()) == pytest.approx(dynamic, rel=DYNAMIC_ENERGY)
    for key in ("area_mm2", "chips_used", "tiles_used", "imas_used", "crossbars_used", "spatial_utilisation_cells",
                "programming_us", "programming_energy_uj"):  # fmt: skip
        assert found.summary[key] == engine.summary[key], key
    assert [layer.interval_ps for layer in found.layers] == [layer.interval_ps for layer in engine.layers]


@pytest.mark.parametrize(
    ("name", "system", "batch"),
    [("mnist-mlp", "isaac-ce", 24), ("lenet5", "isaac-ce", 24), ("msra1", "isaac-ce-16", 22)],
)
def test_the_pace_of_images_is_within_the_stated_error(name, system, batch):
    engine = pimsim.simulate(name, system, noc="ideal", batch=batch)
    assert engine.times.output_interval_ps is not None
    found = estimate(name, system, batch=batch)
    assert found.times.output_interval_ps == pytest.approx(engine.times.output_interval_ps, rel=INTERVAL)


@pytest.mark.parametrize("keys", [
    ("chip.tile.ima.crossbar.rows=256", "chip.tile.ima.crossbar.columns=256", "chip.tile.ima.adc.columns=256"),
    ("chip.tile.ima.crossbar.cell_bits=4", "chip.tile.imas=8", "chip.tile.ima.adc.bits=9"),
    ("chip.tile.imas=24", "chips=auto"),
])  # fmt: skip
def test_variants_of_a_chip_are_within_the_stated_error(keys):
    dataflow, system = lower(load_workload("vgg16")), load_system("isaac-ce-16", keys)
    found, engine = estimate(dataflow, system), pimsim.simulate(dataflow, system, noc="ideal")
    assert found.times.latency_ps == pytest.approx(engine.times.latency_ps, rel=LATENCY)
    assert found.costs.energy_pj == pytest.approx(engine.costs.energy_pj, rel=ENERGY)
    assert found.summary["area_mm2"] == engine.summary["area_mm2"]
