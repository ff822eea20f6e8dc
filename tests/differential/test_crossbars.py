"""Every way of computing a product in crossbars gives what the reference gives, conversion by conversion."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.config.device import Device
from pimsim.errors import InputError
from pimsim.functional import Arithmetic, crossbar_matmul, program_matrix
from pimsim.functional.cells import program_cells
from pimsim.functional.crossbar import stream_number
from pimsim.functional.encoding import encode
from pimsim.reference.crossbar import reference_matmul

NOISY = Device.model_validate({
    "format": "pimsim-device-1", "name": "noisy", "source": "a test",
    "cell": {"g_min_us": 0.5, "g_max_us": 500.0},
    "read_noise": {"voltage_v": 0.001, "frequency_mhz": 1000.0, "temperature_k": 300.0},
})  # fmt: skip


@st.composite
def arithmetics(draw: st.DrawFn, converters: bool = False) -> Arithmetic:
    rows = draw(st.integers(1, 70))
    cell_bits = draw(st.integers(1, 4))
    return Arithmetic(
        input_bits=draw(st.integers(1, 17)), weight_bits=draw(st.integers(2, 17)), dac_bits=draw(st.integers(1, 3)),
        cell_bits=cell_bits, rows=rows, wordlines=draw(st.integers(1, rows)),
        adc_bits=draw(st.integers(1 if converters else 0, 10)), adc_step=draw(st.sampled_from([1.0, 1.0, 2.0, 1.7])),
        encoding=draw(st.sampled_from(["offset", "flip", "differential"])), signed_inputs=draw(st.booleans()),
        unit_column=draw(st.sampled_from(["digital", "analog"])),
        register_bits=draw(st.sampled_from([None, None, 8, 16])), register_shift=draw(st.integers(0, 6)),
    )  # fmt: skip


def operands(arithmetic: Arithmetic, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    vectors, rows, outputs = rng.integers(1, 6), rng.integers(1, 100), rng.integers(1, 4)
    smaller = rng.choice([1, 1, 7, 1000])
    (low, high), (least, most) = arithmetic.input_range, arithmetic.weight_range
    return rng.integers(low, high + 1, (vectors, rows)) // smaller, rng.integers(least, most + 1, (rows, outputs))


@settings(max_examples=120, deadline=None)
@given(arithmetics(), st.integers(0, 2**32))
def test_all_exact_tiers_equal_the_reference(arithmetic, seed):
    inputs, weights = operands(arithmetic, seed)
    reference = reference_matmul(inputs, weights, arithmetic)
    tried = 0
    for tier in (None, "T0", "T1", "T2"):
        try:
            matrix = program_matrix(weights, arithmetic, tier=tier)
        except InputError:
            assert tier == "T0"  # some column could lose something
            continue
        product = matrix.multiply(inputs)
        assert product.values.dtype == reference.values.dtype
        np.testing.assert_array_equal(product.values, reference.values)
        assert product.conversions == reference.conversions
        assert (product.clipped, product.overflows) == (reference.clipped, reference.overflows)
        tried += 1
    assert tried >= 3


@settings(max_examples=60, deadline=None)
@given(arithmetics(converters=True), st.integers(0, 2**32), st.integers(0, 2**50))
def test_noisy_conversions_equal_the_reference_bit_for_bit(arithmetic, seed, first):
    inputs, weights = operands(arithmetic, seed)
    levels = np.arange(1 << arithmetic.cell_bits)[None]
    cells = program_cells(levels, arithmetic.cell_bits, NOISY, seed=0, layer="matrix")
    reference = reference_matmul(
        inputs, weights, arithmetic, variance_of_level=cells.variance_by_level.astype(float),
        stream=stream_number(0, "matrix"), first_vector=first,
    )  # fmt: skip
    matrix = program_matrix(weights, arithmetic, device=NOISY)
    assert set(matrix.tiers) == {"T3"}
    product = matrix.multiply(inputs, first)
    np.testing.assert_array_equal(product.values, reference.values)
    assert (product.clipped, product.overflows) == (reference.clipped, reference.overflows)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["offset", "flip"]))
def test_isaac_is_exact_and_its_converters_see_no_more_than_eight_bits_with_flips_and_nine_without(seed, encoding):
    rng = np.random.default_rng(seed)
    inputs = rng.integers(-(2**15), 2**15, (3, 300))
    weights = rng.choice([-(2**15), 2**15 - 1, 0, rng.integers(-(2**15), 2**15)], (300, 5))
    bits = 8 if encoding == "flip" else 9
    arithmetic = Arithmetic(encoding=encoding, adc_bits=bits)
    assert encode(weights, arithmetic).largest_sums(1).max() < 1 << bits
    product = crossbar_matmul(inputs, weights, arithmetic)
    np.testing.assert_array_equal(product.values, inputs @ weights)
    assert product.clipped == 0
    assert reference_matmul(inputs[:1], weights[:, :1], arithmetic).codes.max() < 1 << bits


@pytest.mark.parametrize("device", [None, NOISY])
@pytest.mark.parametrize("adc_bits", [0, 6])
def test_a_batch_may_be_split_and_layers_come_in_any_order(device, adc_bits):
    rng = np.random.default_rng(5)
    arithmetic = Arithmetic(encoding="flip", adc_bits=adc_bits, input_bits=8, weight_bits=8)
    inputs, weights = rng.integers(-128, 128, (700, 200)), rng.integers(-128, 128, (200, 20))
    whole = program_matrix(weights, arithmetic, device=device, seed=3, layer="a").multiply(inputs).values
    program_matrix(weights, arithmetic, device=device, seed=3, layer="b")
    again = program_matrix(weights, arithmetic, device=device, seed=3, layer="a")
    parts = [again.multiply(inputs[low : low + 133], low).values for low in range(0, 700, 133)]
    if adc_bits or device is None:
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    else:  # through a floating-point GEMM, whose sums depend on how it is cut
        np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-6, atol=1e-3)
    other = program_matrix(weights, arithmetic, device=device, seed=3, layer="b").multiply(inputs).values
    assert np.array_equal(other, whole) == (device is None)


def test_transient_flips_are_whole_levels_now_and_then_whatever_the_batch():
    rng = np.random.default_rng(8)
    device = Device.model_validate({"format": "pimsim-device-1", "name": "flips", "source": "a test",
                                    "in_field": {"transient_flip": 1e-5}})  # fmt: skip
    arithmetic = Arithmetic(encoding="offset", input_bits=4, weight_bits=4, adc_bits=9)
    inputs, weights = rng.integers(-8, 8, (3000, 100)), rng.integers(-8, 8, (100, 20))
    matrix = program_matrix(weights, arithmetic, device=device)
    error = matrix.multiply(inputs).values - inputs @ weights
    parts = [matrix.multiply(inputs[low : low + 133], low).values for low in range(0, 3000, 133)]
    np.testing.assert_array_equal(np.concatenate(parts) - inputs @ weights, error)
    third = [matrix.multiply(inputs[n::3], n, 3).values for n in range(3)]
    np.testing.assert_array_equal(np.stack(third, axis=1).reshape(error.shape) - inputs @ weights, error)
    # pulses x columns x probability: half of the bits are ones, two cells a weight
    expected = (inputs & 15).reshape(-1)
    pulses = (expected[:, None] >> np.arange(4) & 1).sum() * 40 * 1e-5
    assert abs(np.count_nonzero(error) - pulses) < 5 * np.sqrt(pulses)
    assert set(np.abs(error[error != 0]).tolist()) <= {d * 2**k for d in (1, 2, 3) for k in range(7)}


@pytest.mark.parametrize("field", [{"failures_per_read": 1e-5}, {"read_disturb": 1e-4, "disturb_fraction": 0.3}])
def test_cells_that_change_while_they_are_read_change_with_the_vector_not_with_the_batch(field):
    rng = np.random.default_rng(7)
    device = Device.model_validate({"format": "pimsim-device-1", "name": "ageing", "source": "a test",
                                    "cell": {"g_min_us": 1.0, "g_max_us": 301.0}, "in_field": field})  # fmt: skip
    arithmetic = Arithmetic(encoding="flip", input_bits=8, weight_bits=8)
    inputs, weights = rng.integers(-128, 128, (1200, 100)), rng.integers(-128, 128, (100, 20))
    values = program_matrix(weights, arithmetic, device=device).multiply(inputs).values
    again = program_matrix(weights, arithmetic, device=device)
    parts = [again.multiply(inputs[low : low + 133], low).values for low in range(0, 1200, 133)]
    np.testing.assert_array_equal(np.concatenate(parts), values)
    third = [program_matrix(weights, arithmetic, device=device).multiply(inputs[n::3], n, 3).values for n in range(3)]
    np.testing.assert_array_equal(np.stack(third, axis=1).reshape(values.shape), values)
    error = np.abs(values - inputs @ weights).mean(axis=1)
    assert error[1024:].mean() > error[:256].mean() > 0


def test_matched_moments_stay_while_cells_age_and_threads_share_a_matrix():
    rng = np.random.default_rng(9)
    parts = NOISY.model_dump() | {"in_field": {"failures_per_read": 1e-12}}
    device = Device.model_validate(parts)
    arithmetic = Arithmetic(adc_bits=6, input_bits=8, weight_bits=8)
    inputs, weights = rng.integers(-128, 128, (2048, 100)), rng.integers(-128, 128, (100, 20))
    matrix = program_matrix(weights, arithmetic, device=device, tier="T3b")
    matrix.match_moments(inputs[:64])
    error = matrix.multiply(inputs).values - inputs @ weights
    assert error[256:].std() == pytest.approx(error[:256].std(), rel=0.1)
    exact = program_matrix(weights, arithmetic, device=Device.model_validate(
        parts | {"in_field": {"failures_per_read": 1e-6}}))  # fmt: skip
    whole = exact.multiply(inputs).values
    blocks = [slice(low, low + 256) for low in range(0, 2048, 256)] * 4
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda block: exact.multiply(inputs[block], block.start).values, blocks))
    for block, values in zip(blocks, found, strict=True):
        np.testing.assert_array_equal(values, whole[block])


def test_outputs_do_not_depend_on_how_many_are_encoded_at_a_time(monkeypatch):
    rng = np.random.default_rng(6)
    arithmetic = Arithmetic(encoding="flip", adc_bits=6, input_bits=8, weight_bits=8)
    inputs, weights = rng.integers(-128, 128, (9, 200)), rng.integers(-128, 128, (200, 100))
    whole = program_matrix(weights, arithmetic, device=NOISY).multiply(inputs)
    monkeypatch.setattr("pimsim.functional.crossbar.PART_CELLS", 200 * 4 * 40)
    parts = program_matrix(weights, arithmetic, device=NOISY)
    assert len(parts.parts) > 1
    np.testing.assert_array_equal(parts.multiply(inputs).values, whole.values)


def test_only_columns_that_could_clip_are_converted_one_by_one():
    weights = np.full((128, 3), -(2**15))  # held as 0
    weights[:, 1] = -1  # all bits set: the offset encoding holds 0x7fff, whose slices are full but for the top one
    arithmetic = Arithmetic(encoding="offset", adc_bits=8)
    matrix = program_matrix(weights, arithmetic)
    assert matrix.tiers == {"T0": 3 * 8 - 7, "T1": 7}
    inputs = np.full((2, 128), -1)
    assert matrix.multiply(inputs).clipped == 2 * 16 * 7
    np.testing.assert_array_equal(
        matrix.multiply(inputs).values, reference_matmul(inputs, weights, arithmetic).values)
    flipped = program_matrix(weights, replace(arithmetic, encoding="flip"))
    assert flipped.tiers == {"T0": 24}
