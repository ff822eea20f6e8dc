"""Cases of crossbar arithmetic worked out by hand, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from pimsim.config import load_system
from pimsim.errors import InputError
from pimsim.functional import Arithmetic, crossbar_matmul, program_matrix
from pimsim.functional.crossbar import into_register
from pimsim.functional.encoding import encode
from pimsim.mapping.arithmetic import layer_arithmetic


def test_offset_encoding_of_one_weight():
    encoded = encode(np.array([[5]]), Arithmetic(weight_bits=4, cell_bits=2))
    assert encoded.levels.ravel().tolist() == [0b01, 0b11]  # 5 + 8 = 0b1101
    assert encoded.weights.ravel().tolist() == [1, 4]
    assert encoded.offsets.ravel().tolist() == [-8]


def test_flipped_column_is_taken_from_all_driven_wordlines():
    # 7 + 8 = 0b1111: both columns hold more than half, so they hold 0; 3 a wordline come back, and -8.
    encoded = encode(np.array([[7], [7]]), Arithmetic(weight_bits=4, cell_bits=2, encoding="flip"))
    assert encoded.levels.ravel().tolist() == [0, 0, 0, 0]
    assert encoded.weights.ravel().tolist() == [-1, -4]
    assert encoded.offsets.ravel().tolist() == [3 + 12 - 8]


def test_differential_pair_holds_the_magnitude_on_one_side():
    encoded = encode(np.array([[5, -6]]), Arithmetic(weight_bits=4, cell_bits=2, encoding="differential"))
    assert encoded.levels[0].tolist() == [[1, 1, 0, 0], [0, 0, 2, 1]]
    assert encoded.weights[0, 0].tolist() == [1, 4, -1, -4]


def test_a_narrow_converter_saturates():
    # three wordlines of one-bit cells, two-bit ADC: 3 is the most it shows; with four wordlines it clips
    arithmetic = Arithmetic(input_bits=1, weight_bits=2, cell_bits=1, adc_bits=2, signed_inputs=False,
                            encoding="differential")  # fmt: skip
    assert crossbar_matmul(np.ones((1, 3), int), np.ones((3, 1), int), arithmetic).values.item() == 3
    product = crossbar_matmul(np.ones((1, 5), int), np.ones((5, 1), int), arithmetic)
    assert product.values.item() == 3 and product.clipped == 1 and product.conversions == 2


def test_active_wordlines_are_read_one_group_after_another():
    arithmetic = Arithmetic(input_bits=1, weight_bits=2, cell_bits=1, adc_bits=2, signed_inputs=False,
                            encoding="differential", rows=8, wordlines=3)  # fmt: skip
    product = crossbar_matmul(np.ones((1, 5), int), np.ones((5, 1), int), arithmetic)
    assert product.values.item() == 5 and product.clipped == 0 and product.conversions == 4


def test_a_wide_step_rounds_halves_up():
    arithmetic = Arithmetic(input_bits=1, weight_bits=2, cell_bits=1, adc_bits=4, adc_step=2.0, signed_inputs=False,
                            encoding="differential")  # fmt: skip
    assert [crossbar_matmul(np.ones((1, n), int), np.ones((n, 1), int), arithmetic).values.item()
            for n in (1, 2, 3, 4)] == [2, 2, 4, 4]  # fmt: skip


def test_sixteen_bit_registers_shift_towards_minus_infinity_and_saturate():
    cut, overflows = into_register(np.array([-1, 7, 2**20, -(2**20)]), 16, 2)
    assert cut.tolist() == [-1, 1, 32767, -32768] and overflows == 2
    # two crossbars of one row each: every partial sum loses its lowest bits by itself
    arithmetic = Arithmetic(input_bits=8, weight_bits=8, rows=1, wordlines=1, register_bits=16, register_shift=4)
    product = crossbar_matmul([[3, -3]], [[10], [10]], arithmetic)
    assert product.values.item() == ((30 >> 4) + (-30 >> 4)) << 4 == -16
    assert product.overflows == 0
    narrow = Arithmetic(input_bits=8, weight_bits=8, rows=1, wordlines=1, register_bits=8, register_shift=0)
    assert crossbar_matmul([[100, 1]], [[100], [1]], narrow).overflows == 2  # one on the way, one at the end


def test_a_calibrated_step_lets_the_largest_sum_fit():
    arithmetic = layer_arithmetic(load_system("isaac-ce", ["chip.tile.ima.adc.range=full", "chip.tile.ima.adc.bits=6"]))
    assert arithmetic.adc_step == pytest.approx(192 / 63)
    rng = np.random.default_rng(0)
    matrix = program_matrix(rng.integers(-(2**15), 2**15, (128, 4)), arithmetic)
    assert matrix.multiply(np.full((1, 128), -1)).clipped == 0
    assert 0 < matrix.column_range(np.full((1, 128), -1)) <= 192


def test_a_histogram_counts_every_conversion():
    arithmetic = Arithmetic(encoding="flip")
    rng = np.random.default_rng(0)
    matrix = program_matrix(rng.integers(-(2**15), 2**15, (200, 6)), arithmetic)
    inputs = rng.integers(-(2**15), 2**15, (5, 200))
    codes, counts = matrix.histogram(inputs)
    assert counts.sum() == 5 * matrix.conversions_per_vector == matrix.multiply(inputs).conversions
    assert codes.max() <= 192


def test_a_differential_chip_takes_twice_the_columns():
    system = load_system("isaac-ce", ["chip.tile.ima.crossbar.encoding=differential"])
    assert system.chip.tile.ima.crossbar.columns_of_weight(16) == 16
    assert layer_arithmetic(system).cells_per_weight == 16


@pytest.mark.parametrize(("change", "message"), [
    ({"encoding": "sideways"}, "no encoding 'sideways'"),
    ({"adc_bits": 31}, "allowed: 0 (ideal) to 30"),
    ({"adc_step": 0.0}, "allowed: 0.015625 to 8388608 levels"),
    ({"adc_step": float("inf")}, "levels"),
    ({"adc_step": float("nan")}, "levels"),
    ({"weight_bits": 53, "input_bits": 2}, "allowed: 1 to 52"),
    ({"register_bits": 0}, "register_bits"),
    ({"register_shift": 70}, "allowed: 0 to 62"),
    ({"register_shift": -1}, "register_shift"),
    ({"cell_bits": 9}, "cells of 9 bits cannot be simulated"),
    ({"weight_bits": 1, "encoding": "differential"}, "a sign and a bit"),
    ({"wordlines": 2**22}, "more than 23 bits"),
    ({"input_bits": 2.5}, "allowed: a whole number"),
    ({"columns": 4}, "takes 8 cells"),
    ({"rows": 0}, "whole number from 1"),
])  # fmt: skip
def test_arithmetic_that_cannot_be(change, message):
    with pytest.raises(InputError) as error:
        Arithmetic(**change)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(("inputs", "weights", "message"), [
    ([[1.5]], [[1]], "inputs are not whole numbers"),
    ([[1]], [[float("nan")]], "weights are not whole numbers"),
    ([[2**15]], [[1]], "inputs reach from 32768 to 32768"),
    ([[1]], [[-(2**15) - 1]], "weights reach from"),
    ([[1, 2]], [[1]], "inputs of 2 values meet a matrix of 1 rows"),
    ([1], [[1]], "inputs of shape [1] are no matrix"),
    ([[]], [[1]], "are no matrix"),
])  # fmt: skip
def test_operands_that_cannot_be(inputs, weights, message):
    with pytest.raises(InputError) as error:
        crossbar_matmul(np.array(inputs), np.array(weights), Arithmetic())
    assert message in str(error.value)


def test_tiers_that_cannot_compute_this_say_why():
    with pytest.raises(InputError, match="tier T0 cannot compute this"):
        crossbar_matmul([[1]], [[-1]], Arithmetic(adc_bits=1), tier="T0")
    with pytest.raises(InputError, match="no tier 'T9'"):
        crossbar_matmul([[1]], [[1]], Arithmetic(), tier="T9")
    with pytest.raises(InputError, match="reads are noiseless"):
        crossbar_matmul([[1]], [[1]], Arithmetic(), tier="T3")
    with pytest.raises(InputError, match="products of 32-bit inputs"):
        crossbar_matmul([[1]], [[1]], Arithmetic(input_bits=32, weight_bits=32))


def test_numbers_of_vectors_that_cannot_be():
    matrix = program_matrix(np.ones((3, 2), dtype=int), Arithmetic())
    for first, stride in ((-1, 1), (2**63, 1), (0, 0)):
        with pytest.raises(InputError, match="vectors are numbered from"):
            matrix.multiply(np.ones((1, 3), dtype=int), first, stride)


def test_names_and_files_do_and_seeds_are_whole_numbers():
    assert crossbar_matmul([[3]], [[4]], "isaac-ce", "ideal").values.item() == 12
    with pytest.raises(InputError, match="neither a shipped system"):
        crossbar_matmul([[3]], [[4]], "isaac")
    for seed in (-1, 1.5, "x", 2**63):
        with pytest.raises(InputError, match="from 0 to 2"):
            crossbar_matmul([[3]], [[4]], "isaac-ce", seed=seed)
    with pytest.raises(InputError) as error:
        crossbar_matmul([[3]], [[4]], load_system("isaac-ce", ["chip.tile.ima.adc.bits=31"]))
    assert error.value.key == "chip.tile.ima.adc.bits"


def test_the_largest_sums_that_are_allowed_are_exact():
    arithmetic = Arithmetic(input_bits=8, weight_bits=8, dac_bits=8, cell_bits=7, rows=250, wordlines=250,
                            adc_bits=24, signed_inputs=False)  # fmt: skip
    weights = np.full((250, 1), 120)
    weights[0] = 119
    inputs = np.full((1, 250), 251)
    for tier in ("T0", "T1", "T2"):
        assert crossbar_matmul(inputs, weights, arithmetic, tier=tier).values.item() == (inputs @ weights).item()
