"""Noise and spread of cells against closed forms: 1e5 samples, variances within 2 %."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pimsim.config import Device
from pimsim.device.conductance import absolute_sigma, conductance_of, level_step
from pimsim.device.programming import programmed
from pimsim.device.random_telegraph import LARGEST, telegraph_moments, telegraph_step
from pimsim.device.read_noise import shot_variance, thermal_variance
from pimsim.device.streams import stream
from pimsim.device.variation import cycle_to_cycle, device_to_device
from pimsim.functional.cells import program_cells

SAMPLES = 100_000
CELL = {"g_min_us": 1.0, "g_max_us": 31.0}  # step of 2-bit cells: 10 uS
NOISE = {"voltage_v": 0.5, "frequency_mhz": 100.0, "temperature_k": 350.0}


def device(**parts: object) -> Device:
    return Device.model_validate({"format": "pimsim-device-1", "name": "test", **parts})


def all_at(level: int, samples: int = SAMPLES) -> np.ndarray:
    return np.full((samples // 100, 100), level, dtype=np.uint8)


def test_worked_example_of_thermal_and_shot_noise() -> None:
    """G = 3.33e-4 S, V = 1.65 V, T = 300 K, from PytorX's formulas by hand; k and q are rounded there."""
    high = np.array([3.33e-4])
    for frequency_hz, thermal, shot in ((10e6, 4.5e-9, 2.5e-8), (1e9, 4.5e-8, 2.5e-7)):
        found = thermal_variance(high, frequency_hz=frequency_hz, temperature_k=300, voltage_v=1.65)
        assert math.sqrt(found[0]) == pytest.approx(thermal, rel=0.02)
        found = shot_variance(high, frequency_hz=frequency_hz, voltage_v=1.65)
        assert math.sqrt(found[0]) == pytest.approx(shot, rel=0.02)


def test_noise_is_linear_in_conductance_and_frequency_and_thermal_noise_in_temperature() -> None:
    conductance = np.array([1e-6, 2e-6, 0.0])
    at = thermal_variance(conductance, frequency_hz=1e8, temperature_k=300, voltage_v=0.2)
    assert at[1] == 2 * at[0] and at[2] == 0
    hotter = thermal_variance(conductance, frequency_hz=1e8, temperature_k=1200, voltage_v=0.2)
    np.testing.assert_allclose(np.sqrt(hotter), 2 * np.sqrt(at))
    faster = thermal_variance(conductance, frequency_hz=4e8, temperature_k=300, voltage_v=0.2)
    np.testing.assert_allclose(np.sqrt(faster), 2 * np.sqrt(at))
    shot = [shot_variance(conductance, frequency_hz=f, voltage_v=0.2) for f in (1e8, 4e8)]
    np.testing.assert_allclose(np.sqrt(shot[1]), 2 * np.sqrt(shot[0]))
    harder = thermal_variance(conductance, frequency_hz=1e8, temperature_k=300, voltage_v=0.4)
    np.testing.assert_allclose(harder, at / 4)
    np.testing.assert_allclose(shot_variance(conductance, frequency_hz=1e8, voltage_v=0.4), shot[0] / 2)


def test_variance_of_a_read_in_levels_is_that_of_the_conductance() -> None:
    found = program_cells(np.arange(4).reshape(2, 2), 2, device(cell=CELL, read_noise=NOISE), seed=0, layer="a")
    conductance = (1 + 10 * np.arange(4)) * 1e-6
    expected = conductance * 100e6 * (4 * 1.380649e-23 * 350 / 0.25 + 2 * 1.602176634e-19 / 0.5) / (10e-6) ** 2
    assert found.ideal and found.variance is not None and found.variance_by_level is not None
    np.testing.assert_allclose(found.variance.ravel(), expected, rtol=1e-6)
    np.testing.assert_array_equal(found.variance_by_level, found.variance.ravel())


def test_samples_of_a_read_have_the_variance_that_cells_state() -> None:
    """Chi-square: 1e5 samples of a normal distribution have their variance within 2 %, 4.5 standard errors."""
    found = program_cells(all_at(3), 2, device(cell=CELL, read_noise=NOISE), seed=0, layer="a")
    assert found.variance is not None
    drawn = found.level + np.sqrt(found.variance) * stream(1, "a", "reads").standard_normal(found.level.shape)
    expected = 31e-6 * 100e6 * (4 * 1.380649e-23 * 350 / 0.25 + 2 * 1.602176634e-19 / 0.5) / (10e-6) ** 2
    assert drawn.var() == pytest.approx(expected, rel=0.02)
    assert drawn.mean() == pytest.approx(3, abs=5 * math.sqrt(expected / SAMPLES))


def test_other_noise_adds_its_variance() -> None:
    other = {"sigma": 0.1, "relative_to": "value"}
    alone = {"thermal": False, "shot": False, "other": other}
    found = program_cells(np.array([[2]]), 2, device(read_noise=alone), seed=0, layer="a")
    assert found.variance is not None
    assert found.variance[0, 0] == pytest.approx((0.1 * 2) ** 2)
    both = program_cells(np.array([[2]]), 2, device(cell=CELL, read_noise=NOISE | {"other": other}), seed=0, layer="a")
    bare = program_cells(np.array([[2]]), 2, device(cell=CELL, read_noise=NOISE), seed=0, layer="a")
    assert both.variance is not None and bare.variance is not None
    assert both.variance[0, 0] - bare.variance[0, 0] == pytest.approx((0.1 * 21 / 10) ** 2, rel=1e-5)


@pytest.mark.parametrize(("relative_to", "sigma_us"), [("range", 0.05 * 30), ("step", 0.05 * 10), ("value", 0.05 * 21)])
@pytest.mark.parametrize("part", ["programming", "device_to_device", "cycle_to_cycle"])
def test_spread_has_the_variance_that_is_asked_for(part: str, relative_to: str, sigma_us: float) -> None:
    spread = {"sigma": 0.05, "relative_to": relative_to}
    parts = {part: spread} if part == "programming" else {"variation": {part: spread}}
    found = program_cells(all_at(2), 2, device(cell=CELL, **parts), seed=5, layer="a")
    error = found.level - 2.0
    assert error.var() == pytest.approx((sigma_us / 10) ** 2, rel=0.02)
    assert error.mean() == pytest.approx(0, abs=5 * sigma_us / 10 / math.sqrt(SAMPLES))
    assert found.variance is None and not found.ideal and found.stuck is None


def test_array_functions_add_normal_errors_of_one_sigma_a_cell() -> None:
    conductance = np.full(SAMPLES, 5e-6)
    sigma = np.where(np.arange(SAMPLES) % 2, 1e-7, 0.0)
    for function in (programmed, device_to_device, cycle_to_cycle):
        error = function(conductance, sigma, stream(0, "a", "b")) - conductance
        assert not error[::2].any()
        assert error[1::2].var() == pytest.approx(1e-14, rel=0.03)  # half of the samples
    assert absolute_sigma(0.1, "step", conductance, 3e-6, 1e-6) == pytest.approx(1e-7)
    np.testing.assert_allclose(absolute_sigma(0.1, "value", conductance, 3e-6, 1e-6), 5e-7)
    step = level_step(1e-6, 31e-6, 2)
    np.testing.assert_allclose(conductance_of(np.arange(4), 1e-6, step), [1e-6, 11e-6, 21e-6, 31e-6])


def test_cells_differ_for_life_and_writes_each_time() -> None:
    spread = {"sigma": 0.02, "relative_to": "range"}
    lasting = device(variation={"device_to_device": spread})
    fresh = device(variation={"cycle_to_cycle": spread})
    targets = np.tile(np.arange(4), (32, 8))

    def errors(which: Device, write: int, levels: np.ndarray = targets) -> np.ndarray:
        return program_cells(levels, 2, which, seed=3, layer="a", write_number=write).level - levels

    np.testing.assert_array_equal(errors(lasting, 0), errors(lasting, 7))
    unclipped = (targets > 0) & (targets < 3)  # the same cells err by the same amount, whatever is written
    np.testing.assert_allclose(errors(lasting, 1)[unclipped], errors(lasting, 2, 3 - targets)[unclipped], atol=1e-6)
    assert abs(np.corrcoef(errors(fresh, 0)[unclipped], errors(fresh, 1)[unclipped])[0, 1]) < 0.15
    assert not np.array_equal(errors(fresh, 0), errors(fresh, 1))
    np.testing.assert_array_equal(errors(fresh, 1), errors(fresh, 1))
    every_write = device(programming=spread)
    assert not np.array_equal(errors(every_write, 0), errors(every_write, 1))


def test_telegraph_noise_of_both_signs() -> None:
    """By hand: x = b + a / G; R (1 + x) or R (1 - x)."""
    conductance = np.array([3.33e-7, 3.33e-4])
    x = 0.0015 + 1.662e-7 / conductance
    up = telegraph_step(conductance, a=1.662e-7, b=0.0015, sign="increase")
    down = telegraph_step(conductance, a=1.662e-7, b=0.0015, sign="decrease")
    np.testing.assert_allclose(1 / (conductance + up), (1 - x) / conductance, rtol=1e-12)
    np.testing.assert_allclose(1 / (conductance + down), (1 + x) / conductance, rtol=1e-12)
    part = 0.0015 * conductance + 1.662e-7  # as PytorX writes it
    np.testing.assert_allclose(up, conductance * part / (conductance - part), rtol=1e-12)
    np.testing.assert_allclose(down, -part * conductance / (part + conductance), rtol=1e-12)


def test_telegraph_noise_ends_before_its_pole() -> None:
    thin = np.array([0.0, 1e-9, 1.6645e-7])  # at and around a / (1 - b)
    up = telegraph_step(thin, a=1.662e-7, b=0.0015, sign="increase")
    np.testing.assert_allclose(up, thin * LARGEST / (1 - LARGEST))
    np.testing.assert_array_equal(telegraph_step(np.zeros(1), a=0.0, b=0.5, sign="increase"), [0])
    np.testing.assert_array_equal(telegraph_step(np.zeros(1), a=0.0, b=0.5, sign="decrease"), [0])


@pytest.mark.parametrize("sign", ["increase", "decrease"])
def test_telegraph_moments_are_those_of_samples(sign: str) -> None:
    telegraph = {"probability": 0.3, "a_us": 0.5, "b": 0.01, "sign": sign}
    found = program_cells(all_at(1), 2, device(cell=CELL, random_telegraph=telegraph), seed=0, layer="a")
    step = telegraph_step(np.array([11e-6]), a=0.5e-6, b=0.01, sign=sign)[0] / 10e-6  # type: ignore[arg-type]
    drawn = 1 + step * (stream(2, "a", "b").random(SAMPLES) < 0.3)
    assert found.variance is not None and found.variance_by_level is not None
    assert drawn.mean() == pytest.approx(found.level[0, 0], abs=5 * abs(step) * math.sqrt(0.21 / SAMPLES))
    assert drawn.var() == pytest.approx(found.variance[0, 0], rel=0.02)
    assert (step > 0) == (sign == "increase") and (found.level[0, 0] > 1) == (sign == "increase")
    mean, variance = telegraph_moments(np.array([step]), 0.3)
    assert (mean[0], variance[0]) == pytest.approx((0.3 * step, 0.21 * step**2))
