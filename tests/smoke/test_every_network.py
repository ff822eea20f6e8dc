"""Every shipped network and every light ONNX network of the onnx package runs from end to end."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import pimsim
from pimsim.workload import shipped

LIGHT = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("light_*.onnx"))


def check(result: pimsim.results.Result) -> None:
    """What must hold for any run."""
    assert result.times.latency_ps > 0
    assert result.costs.energy_pj > 0
    assert result.times.run_ps >= result.times.latency_ps
    for layer in result.layers:
        assert sum(layer.time_ps.values()) == layer.replicas * result.times.run_ps


@pytest.mark.parametrize("name", sorted(shipped()))
def test_shipped_network(name):
    check(pimsim.simulate(name, "isaac-ce-16"))


@pytest.mark.parametrize("file", LIGHT, ids=lambda path: path.stem)
def test_light_onnx_network(file):
    check(pimsim.simulate(file, "isaac-ce-16"))


def test_there_are_nine_light_networks():
    assert len(LIGHT) == 9
