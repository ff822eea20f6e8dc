"""Read noise of conversions: its distribution, its independence, and the shortcut that matches its moments."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pimsim.config.device import Device
from pimsim.engine.compiling import compiled
from pimsim.functional import Arithmetic, program_matrix
from pimsim.functional.gaussian import Numbers, column_hash, column_keys, normal, plane_key
from pimsim.functional.planes import pack_levels
from pimsim.functional.popcount import Converter, PopcountColumns
from pimsim.functional.tables import TableColumns

BOLTZMANN, CHARGE = 1.380649e-23, 1.602176634e-19  # SI


@compiled
def fill(low, high, plane, first, out):  # type: ignore[no-untyped-def]
    for v in range(out.size):
        out[v] = normal(column_hash(low, np.uint32(first + np.uint32(v))), plane_key(high, plane))


def deviates(number: int, plane: int, n: int, first: int = 0) -> np.ndarray:
    low, high = column_keys(99, np.array([number]))[0]
    out = np.empty(n, dtype=np.float32)
    fill(low, high, np.uint32(plane), np.uint32(first), out)
    return out.astype(float)


def device(**parts: object) -> Device:
    return Device.model_validate({"format": "pimsim-device-1", "name": "d", "source": "a test",
                                  "cell": {"g_min_us": 1.0, "g_max_us": 301.0}, **parts})  # fmt: skip


def read_noise(mhz: float = 1000.0, volts: float = 0.001, kelvin: float = 300.0) -> Device:
    return device(read_noise={"voltage_v": volts, "frequency_mhz": mhz, "temperature_k": kelvin})


def test_deviates_are_normal():
    z = np.sort(deviates(1, 2, 1 << 20))
    n = z.size
    assert abs(z.mean()) < 4 / math.sqrt(n)
    assert abs(z.var() - 1) < 4 * math.sqrt(2 / n) + 1e-4  # the stated error of the shortcut on top of the sampling
    assert abs((z**4).mean() - 3) < 4 * math.sqrt(96 / n)
    expected = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in z[::512]])
    assert np.abs(expected - np.arange(0, n, 512) / n).max() < 1.95 / math.sqrt(n)  # Kolmogorov-Smirnov, 0.1 %


def test_deviates_of_neighbouring_columns_planes_and_vectors_are_independent():
    n = 1 << 17
    here = deviates(7, 3, n)
    for other in (deviates(8, 3, n), deviates(7, 4, n), deviates(7, 3, n, first=1), deviates(7, 3, n, first=256)):
        assert abs((here * other).mean()) < 4.5 / math.sqrt(n)
        assert abs((here**2 * other**2).mean() - 1) < 4.5 * math.sqrt(8 / n)


def test_variance_of_a_conversion_is_that_of_thermal_and_shot_noise():
    volts, hertz, kelvin, rows = 0.001, 1e9, 300.0, 64
    step = 100e-6  # (301 - 1) uS over three steps
    # an input of one bit: one plane; 64 driven cells at level 2 (201 uS); an ADC fine enough not to be seen
    arithmetic = Arithmetic(input_bits=1, weight_bits=2, signed_inputs=False, adc_bits=0)
    matrix = program_matrix(np.full((rows, 1), 0), arithmetic, device=read_noise())
    values = matrix.multiply(np.ones((100_000, rows), dtype=int)).values[:, 0]
    conductance = rows * 201e-6
    variance = conductance * hertz * (4 * BOLTZMANN * kelvin + 2 * CHARGE * volts) / volts**2 / step**2
    assert values.mean() == pytest.approx(0, abs=4 * math.sqrt(variance / values.size))
    assert values.var() == pytest.approx(variance, rel=0.02)


def test_sigma_grows_with_the_root_of_frequency_and_thermal_noise_with_that_of_temperature():
    def sigma(**noise: float) -> float:
        arithmetic = Arithmetic(input_bits=1, weight_bits=2, signed_inputs=False, adc_bits=0)
        matrix = program_matrix(np.full((64, 1), 0), arithmetic, device=read_noise(**noise))
        return float(matrix.multiply(np.ones((50_000, 64), dtype=int)).values.std())

    assert sigma(mhz=400.0) / sigma(mhz=100.0) == pytest.approx(2, rel=0.02)
    thermal = {"voltage_v": 0.001, "frequency_mhz": 1000.0, "shot": False}
    matrices = [
        program_matrix(np.full((64, 1), 0), Arithmetic(input_bits=1, weight_bits=2, signed_inputs=False, adc_bits=0),
                       device=device(read_noise={**thermal, "temperature_k": kelvin}))
        for kelvin in (100.0, 400.0)
    ]  # fmt: skip
    cold, hot = (float(each.multiply(np.ones((50_000, 64), dtype=int)).values.std()) for each in matrices)
    assert hot / cold == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize("encoding", ["offset", "flip", "differential"])
def test_matched_moments_agree_with_noise_in_every_conversion(encoding):
    rng = np.random.default_rng(1)
    arithmetic = Arithmetic(input_bits=8, weight_bits=8, encoding=encoding, adc_bits=9)
    inputs, weights = rng.integers(-128, 128, (2000, 256)), rng.integers(-100, 100, (256, 64))
    noise = read_noise(volts=0.0005)
    exact = program_matrix(weights, arithmetic, device=noise)
    matched = program_matrix(weights, arithmetic, device=noise, tier="T3b")
    assert set(exact.tiers) == {"T3"} and set(matched.tiers) == {"T3b"} and matched.approximate
    matched.match_moments(inputs[-64:])
    ideal = inputs @ weights
    one, other = exact.multiply(inputs).values - ideal, matched.multiply(inputs).values - ideal
    assert other.var() == pytest.approx(one.var(), rel=0.08)  # the sample's own error: sqrt(2 / (64 x 64)) = 2.2 %
    assert np.abs(one.mean(axis=0) - other.mean(axis=0)).max() < 6 * one.std() / math.sqrt(64)


def test_counted_and_tabulated_noisy_conversions_agree():
    rng = np.random.default_rng(2)
    levels, inputs = rng.integers(0, 4, (100, 40)), rng.integers(0, 256, (300, 100))
    outputs, weights, keys = np.arange(40), np.ones(40, dtype=np.int64), column_keys(5, np.arange(40))
    converter = Converter(1, 8, False, 511, np.float32(1))
    counted, tabulated = np.zeros((2, 300, 40), dtype=np.int64)
    columns = PopcountColumns(pack_levels(levels, 2), outputs, weights, keys, 0.01, 0.03)
    columns.convert(converter, inputs, Numbers(11, 3), counted)
    table = TableColumns(levels.astype(np.float32), (0.01 + 0.03 * levels).astype(np.float32), outputs, weights, keys)
    table.convert(converter, inputs, Numbers(11, 3), tabulated)
    assert np.mean(counted != tabulated) < 1e-4  # variances are added up in another order: a rounding may tip
    assert np.abs(counted - inputs @ levels).max() > 100


def test_an_analog_unit_column_brings_noise_of_its_own():
    rng = np.random.default_rng(3)
    inputs, weights = rng.integers(-128, 128, (3000, 64)), rng.integers(-128, 128, (64, 1))
    spread = {}
    for kind in ("digital", "analog"):
        for adc_bits in (0, 9):
            arithmetic = Arithmetic(input_bits=8, weight_bits=8, adc_bits=adc_bits, unit_column=kind)
            values = program_matrix(weights, arithmetic, device=read_noise(volts=0.0003)).multiply(inputs).values
            spread[kind, adc_bits] = float((values - inputs @ weights).std())
    assert spread["analog", 0] > 1.1 * spread["digital", 0]
    assert spread["analog", 9] > 1.1 * spread["digital", 9]
