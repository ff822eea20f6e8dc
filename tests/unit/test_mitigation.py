"""Mitigation on one matrix: what each method gains under faults, and that sound cells do not notice it."""

from __future__ import annotations

import math
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.config import load_system
from pimsim.config.device import Device
from pimsim.config.mitigation import Mitigation
from pimsim.config.records import Mapping
from pimsim.device.fault_maps import save_fault_map
from pimsim.errors import InputError
from pimsim.functional import Arithmetic, crossbar_matmul, program_matrix
from pimsim.functional.encoding import encode
from pimsim.functional.mitigation import program_mitigated
from pimsim.functional.mitigation.clipping import clipped_weights
from pimsim.functional.mitigation.known_faults import KnownFaults, known_faults, weight_errors
from pimsim.functional.mitigation.permutation import Permutation, PermutedMatrix, least_damage
from pimsim.functional.mitigation.vote import Scores, VotedMatrix, majority, median
from pimsim.functional.network.quantisation import quantise_weights

SMALL = {"rows": 8, "columns": 16, "wordlines": 4, "weight_bits": 6, "input_bits": 5}
METHODS = ({"permutation": "columns"}, {"permutation": "rows"}, {"permutation": "both"}, {"copies": 3},
           {"correction": True}, {"permutation": "both", "copies": 5, "correction": True})  # fmt: skip


def device(stuck: float = 0.02, **parts: Any) -> Device:
    faults = {"stuck_at_0": stuck / 2, "stuck_at_1": stuck / 2}
    return Device.model_validate({"format": "pimsim-device-1", "name": "d", "source": "a test",
                                  "faults": faults, **parts})  # fmt: skip


def matrix(rows: int = 200, outputs: int = 40, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (32, K) around zero and weights (K, N), 8 bits both."""
    rng = np.random.default_rng(seed)
    weights = np.clip(np.rint(rng.normal(0, 25, (rows, outputs))), -127, 127).astype(np.int64)
    return rng.integers(-100, 101, (32, rows)), weights


def mean_square_error(arithmetic: Arithmetic, cells: Device, seed: int = 3, **methods: Any) -> float:
    inputs, weights = matrix()
    found = program_mitigated(weights, arithmetic, Mitigation(**methods), device=cells, seed=seed).multiply(inputs)
    return float(np.square((found.values - inputs @ weights).astype(float)).mean())


@st.composite
def arithmetics(draw: st.DrawFn, **more: Any) -> Arithmetic:
    options = {"dac_bits": draw(st.integers(1, 2)), "cell_bits": draw(st.integers(1, 3)),
               "encoding": draw(st.sampled_from(["offset", "flip", "differential"])),
               "signed_inputs": draw(st.booleans()), "unit_column": draw(st.sampled_from(["digital", "analog"])),
               "adc_bits": draw(st.sampled_from([0, 2, 4, 8]))}  # fmt: skip
    return Arithmetic(**{**SMALL, **options, **more})


def operands(arithmetic: Arithmetic, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    rows, outputs = rng.integers(1, 20), rng.integers(1, 12)
    low, high = arithmetic.input_range
    least, most = arithmetic.weight_range
    return rng.integers(low, high + 1, (5, rows)), rng.integers(least, most + 1, (rows, outputs))


# sound cells


@settings(max_examples=30, deadline=None)
@given(arithmetics(), st.integers(0, 2**32 - 1))
def test_permutations_are_undone_exactly(arithmetic: Arithmetic, seed: int) -> None:
    """Any permutation within a crossbar's columns and a read's wordlines, under ADCs that clip most of all."""
    rng = np.random.default_rng(seed)
    inputs, weights = operands(arithmetic, rng)
    wordlines, bitlines = np.arange(weights.shape[0]), np.arange(weights.shape[1])
    for group in encode(weights, arithmetic).groups:
        wordlines[group.rows] = rng.permutation(wordlines[group.rows])
    wide = arithmetic.columns // arithmetic.cells_per_weight
    for low in range(0, bitlines.size, wide):
        bitlines[low : low + wide] = rng.permutation(bitlines[low : low + wide])
    permutation = Permutation(wordlines, bitlines, 0.0, 0.0)
    permuted = PermutedMatrix(program_matrix(permutation.of_weights(weights), arithmetic), permutation)
    plain = program_matrix(weights, arithmetic)
    wanted, found = plain.multiply(inputs), permuted.multiply(inputs)
    assert np.array_equal(found.values, wanted.values)
    assert (found.conversions, found.clipped) == (wanted.conversions, wanted.clipped)
    for ours, theirs in zip(permuted.histogram(inputs), plain.histogram(inputs), strict=True):
        assert np.array_equal(ours, theirs)


@settings(max_examples=12, deadline=None)
@given(arithmetics(), st.integers(0, 2**32 - 1), st.sampled_from(METHODS), st.booleans())
def test_sound_cells_do_not_notice_mitigation(arithmetic: Arithmetic, seed: int, methods: Any, ideal: bool) -> None:
    inputs, weights = operands(arithmetic, np.random.default_rng(seed))
    cells = None if ideal else device(0.0)
    found = program_mitigated(weights, arithmetic, Mitigation(**methods), device=cells)
    assert np.array_equal(found.multiply(inputs).values, program_matrix(weights, arithmetic).multiply(inputs).values)


# stuck cells


@pytest.mark.parametrize("encoding", ["offset", "flip", "differential"])
@pytest.mark.parametrize(("methods", "left"), [
    ({"permutation": "columns"}, 0.9), ({"permutation": "rows"}, 0.8), ({"permutation": "both"}, 0.7),
    ({"copies": 3}, 0.6), ({"copies": 7}, 0.3), ({"permutation": "both", "copies": 3}, 0.4),
])  # fmt: skip
def test_methods_leave_less_error(encoding: str, methods: Any, left: float) -> None:
    """Of the mean square error, over three seeds; differential pairs hold mostly zeros, which nothing suits better."""
    arithmetic = Arithmetic(input_bits=8, weight_bits=8, adc_bits=9, encoding=encoding)
    with_it, without = (sum(mean_square_error(arithmetic, device(), seed, **each) for seed in range(3))
                        for each in (methods, {}))  # fmt: skip
    if encoding == "differential" and "copies" not in methods:
        left = 0.97
    assert 0 < with_it < left * without


@settings(max_examples=60, deadline=None)
@given(arithmetics(adc_bits=0), st.integers(0, 2**32 - 1), st.sampled_from(["low", "high"]))
def test_correction_is_exact_with_ideal_converters(arithmetic: Arithmetic, seed: int, stuck_at_0_is: str) -> None:
    inputs, weights = operands(arithmetic, np.random.default_rng(seed))
    cells = device(faults={"stuck_at_0": 0.2, "stuck_at_1": 0.2, "stuck_at_0_is": stuck_at_0_is},
                   cell={"g_min_us": 1.0, "g_max_us": 50.0})  # fmt: skip
    found = program_mitigated(weights, arithmetic, Mitigation(correction=True), device=cells, seed=seed)
    assert np.array_equal(found.multiply(inputs).values, inputs @ weights)


def test_correction_is_exact_with_converters_that_hold_every_sum() -> None:
    exact = Arithmetic(input_bits=8, weight_bits=8, adc_bits=9)
    assert mean_square_error(exact, device(0.1)) > 0
    assert mean_square_error(exact, device(0.1), correction=True) == 0
    assert mean_square_error(Arithmetic(input_bits=8, weight_bits=8, adc_bits=6), device(0.1), correction=True) > 0


def test_wide_corrections_are_exact_too() -> None:
    """Beyond what float64 holds."""
    arithmetic = Arithmetic(input_bits=24, weight_bits=32, adc_bits=0)
    weights = np.array([[2**31 - 1], [-(2**31)], [12345]])
    inputs = np.array([[2**23 - 1, -(2**23), 3]])
    found = program_mitigated(weights, arithmetic, Mitigation(correction=True), device=device(0.5), seed=1)
    assert found.corrected == 2  # type: ignore[attr-defined]  # -2^31 is all zeros, and none of its cells is stuck at 1
    assert found.errors.dtype == np.int64  # type: ignore[attr-defined]
    assert np.array_equal(found.multiply(inputs).values, inputs @ weights)


@settings(max_examples=40, deadline=None)
@given(arithmetics(adc_bits=0), st.integers(0, 2**32 - 1))
def test_the_errors_of_weights_are_those_of_the_crossbars(arithmetic: Arithmetic, seed: int) -> None:
    """Each unit vector brings out a row of the matrix as it is."""
    _, weights = operands(arithmetic, np.random.default_rng(seed))
    known = known_faults(weights.shape, arithmetic, device(0.3), seed=seed, layer="matrix")
    assert known is not None
    programmed = program_matrix(weights, arithmetic, device=device(0.3), seed=seed)
    unit = np.eye(weights.shape[0], dtype=np.int64)
    base = np.zeros((1, weights.shape[0]), dtype=np.int64)
    rows = programmed.multiply(unit).values - programmed.multiply(base).values
    assert np.array_equal(rows - weights, weight_errors(encode(weights, arithmetic), known))


def test_a_systems_mitigation_applies_to_a_single_product() -> None:
    inputs, weights = matrix()
    plain, corrected = (
        crossbar_matmul(inputs, weights, load_system("isaac-ce", ["chip.tile.ima.adc.bits=0", *more]), device())
        for more in ([], ["mapping.mitigation.correction=true"])
    )
    assert not np.array_equal(plain.values, inputs @ weights)
    assert np.array_equal(corrected.values, inputs @ weights)


# permutations


def drawn_faults(weights: np.ndarray, arithmetic: Arithmetic, rng: np.random.Generator, rate: float) -> KnownFaults:
    shape = (*weights.shape, arithmetic.cells_per_weight)
    faults = rng.choice(3, shape, p=[1 - rate, rate / 2, rate / 2]).astype(np.uint8)
    return KnownFaults(faults, None, np.array([0, 0, (1 << arithmetic.cell_bits) - 1]))


@settings(max_examples=80, deadline=None)
@given(arithmetics(unit_column="digital"), st.integers(0, 2**32 - 1), st.sampled_from(["columns", "rows", "both"]))
def test_permutations_stay_within_a_crossbar_and_never_do_harm(
    arithmetic: Arithmetic, seed: int, which: str
) -> None:
    rng = np.random.default_rng(seed)
    _, weights = operands(arithmetic, rng)
    known = drawn_faults(weights, arithmetic, rng, rng.choice([0.05, 0.3]))
    found = least_damage(weights, arithmetic, known, which)
    before, after = (float(np.square(weight_errors(encode(each, arithmetic), known).astype(float)).sum())
                     for each in (weights, found.of_weights(weights)))  # fmt: skip
    assert found.damage_before == before
    assert found.damage == after <= before
    wide = arithmetic.columns // arithmetic.cells_per_weight
    assert np.array_equal(np.arange(weights.shape[1]) // wide, found.bitlines // wide)
    for group in encode(weights, arithmetic).groups:
        assert sorted(found.wordlines[group.rows]) == list(range(group.low, group.high))
    if which == "columns":
        assert np.array_equal(found.wordlines, np.arange(weights.shape[0]))
    if which == "rows":
        assert np.array_equal(found.bitlines, np.arange(weights.shape[1]))


@pytest.mark.parametrize("which", ["columns", "rows"])
def test_no_order_of_one_axis_is_better(which: str) -> None:
    """All 120 of them."""
    arithmetic = Arithmetic(weight_bits=6, encoding="flip", adc_bits=0)
    rng = np.random.default_rng(11)
    weights = rng.integers(-32, 32, (5, 5))
    known = drawn_faults(weights, arithmetic, rng, 0.3)
    damages = []
    for order in map(np.array, permutations(range(5))):
        lying = weights[:, order] if which == "columns" else weights[order]
        damages.append(float(np.square(weight_errors(encode(lying, arithmetic), known)).sum()))
    found = least_damage(weights, arithmetic, known, which)
    assert found.damage == min(damages) < found.damage_before == damages[0]


@settings(max_examples=20, deadline=None)
@given(arithmetics(unit_column="digital"), st.integers(0, 2**32 - 1))
def test_both_axes_are_never_worse_than_one(arithmetic: Arithmetic, seed: int) -> None:
    rng = np.random.default_rng(seed)
    _, weights = operands(arithmetic, rng)
    known = drawn_faults(weights, arithmetic, rng, 0.1)
    columns, rows, both = (least_damage(weights, arithmetic, known, which).damage
                           for which in ("columns", "rows", "both"))  # fmt: skip
    assert both <= min(columns, rows)


def test_rows_and_columns_together_do_better_than_columns() -> None:
    arithmetic = Arithmetic(input_bits=8, weight_bits=8)
    _, weights = matrix()
    known = known_faults(weights.shape, arithmetic, device(), seed=1, layer="matrix")
    assert known is not None
    columns, both = (least_damage(weights, arithmetic, known, which).damage for which in ("columns", "both"))
    assert both < 0.8 * columns


# copies


def test_copies_have_cells_of_their_own() -> None:
    _, weights = matrix()
    found = program_mitigated(weights, Arithmetic(weight_bits=8), Mitigation(copies=3), device=device(), seed=5)
    assert isinstance(found, VotedMatrix)
    first, second, third = (part.multiply(np.eye(200, dtype=np.int64)).values for part in found.parts)
    assert not np.array_equal(first, second) and not np.array_equal(second, third)
    alone = program_matrix(weights, Arithmetic(weight_bits=8), device=device(), seed=5)
    assert np.array_equal(alone.multiply(np.eye(200, dtype=np.int64)).values, first)


def test_copies_cost_their_conversions() -> None:
    inputs, weights = matrix()
    one, three = (program_mitigated(weights, Arithmetic(input_bits=8, weight_bits=8, adc_bits=5), Mitigation(copies=n))
                  for n in (1, 3))  # fmt: skip
    assert three.conversions_per_vector == 3 * one.conversions_per_vector
    assert three.multiply(inputs).conversions == 3 * one.multiply(inputs).conversions
    assert three.multiply(inputs).clipped == 3 * one.multiply(inputs).clipped > 0
    assert three.tiers == {name: 3 * units for name, units in one.tiers.items()}
    assert np.array_equal(three.histogram(inputs)[1], 3 * one.histogram(inputs)[1])
    assert three.column_range(inputs) == one.column_range(inputs)


def test_the_median_of_three_has_the_variance_of_theory() -> None:
    """Of three equal normal deviates: 1 - sqrt(3) / pi of theirs (order statistics)."""
    rng = np.random.default_rng(8)
    inputs, weights = rng.integers(-100, 101, (2, 100)), rng.integers(-127, 128, (100, 3000))
    errors = Device.model_validate({"format": "pimsim-device-1", "name": "d", "source": "a test",
                                    "programming": {"sigma": 0.05, "relative_to": "range"}})  # fmt: skip
    arithmetic, exact = Arithmetic(input_bits=8, weight_bits=8, adc_bits=0), inputs @ weights
    one, three = (np.square(program_mitigated(weights, arithmetic, Mitigation(copies=n), device=errors)
                            .multiply(inputs).values - exact).mean() for n in (1, 3))  # fmt: skip
    assert three / one == pytest.approx(1 - math.sqrt(3) / math.pi, rel=0.1)  # 4 standard errors


def test_noise_of_copies_does_not_depend_on_how_vectors_are_split() -> None:
    inputs, weights = matrix()
    noisy = device(cell={"g_min_us": 1.0, "g_max_us": 100.0}, read_noise={
        "thermal": False, "shot": False, "other": {"sigma": 0.05, "relative_to": "range"}})  # fmt: skip
    arithmetic = Arithmetic(input_bits=8, weight_bits=8)
    found = program_mitigated(weights, arithmetic, Mitigation(copies=3, permutation="both"), device=noisy)
    whole = found.multiply(inputs, first_vector=7).values
    parts = [found.multiply(inputs[low : low + 5], first_vector=7 + low).values for low in range(0, 32, 5)]
    assert np.array_equal(whole, np.concatenate(parts))


def test_moments_of_converters_are_matched_behind_a_permutation() -> None:
    """T3b, forced upon ADCs that clip, must see the inputs in the order of the wordlines."""
    inputs, weights = matrix()
    noisy = device(cell={"g_min_us": 1.0, "g_max_us": 100.0}, read_noise={
        "thermal": False, "shot": False, "other": {"sigma": 0.1, "relative_to": "range"}})  # fmt: skip
    arithmetic, error = Arithmetic(input_bits=8, weight_bits=8, adc_bits=6), {}
    for tier in ("T3", "T3b"):
        found = program_mitigated(weights, arithmetic, Mitigation(permutation="both"), device=noisy, tier=tier)
        assert found.approximate == (tier == "T3b") and set(found.tiers) == {tier}
        if found.approximate:
            found.match_moments(inputs)
        error[tier] = float(np.square(found.multiply(inputs).values - inputs @ weights).mean())
    assert error["T3b"] == pytest.approx(error["T3"], rel=0.25)


def test_the_median_of_three_and_of_five() -> None:
    values = [np.array([[big, 1]]) for big in (2**62, -5, 2**62 - 1)]
    assert median(values).tolist() == [[2**62 - 1, 1]]
    assert median([*values, np.array([[0, 7]]), np.array([[1, 0]])]).tolist() == [[1, 1]]


def test_most_copies_decide_for_a_class() -> None:
    copies = [np.array([[9, 0, 5], [1, 2, 0], [9, 0, 0]]), np.array([[0, 8, 4], [5, 0, 0], [0, 9, 0]]),
              np.array([[0, 6, 5], [4, 0, 0], [0, 0, 9]])]  # fmt: skip
    voted = majority(copies, Scores(np.ones(3), np.zeros(3)))
    assert voted[0].tolist() == [0, 8, 4]  # two of three are for class 1
    assert voted[1].tolist() == [5, 0, 0]
    assert voted[2].tolist() == [0, 0, 0]  # no two agree: the median of each
    assert median(copies)[0].argmax() == 1 and median(copies)[0].tolist() == [0, 6, 5]
    by_bias = majority(copies, Scores(np.ones(3), np.array([0, 0, 10])))
    assert by_bias.tolist() == [[9, 0, 5], [1, 2, 0], [9, 0, 0]]  # all are for class 2: the first copy's
    assert majority([copy[:, :1] for copy in copies], Scores(np.ones(1), np.zeros(1))).tolist() == [[0], [4], [0]]


def test_a_fault_map_holds_every_copy(tmp_path: Path) -> None:
    weights = np.arange(-8, 8).reshape(4, 4)
    path = tmp_path / "faults.npz"
    shape = 4, 4 * Arithmetic().cells_per_weight
    maps = {"m": np.zeros(shape, np.uint8), "m/copy 2": np.full(shape, 1, np.uint8)}
    save_fault_map(path, maps)
    cells = Device.model_validate({"format": "pimsim-device-1", "name": "d", "source": "a test",
                                   "faults": {"map": str(path)}})  # fmt: skip
    with pytest.raises(InputError, match="holds no layer 'm/copy 3'"):
        program_mitigated(weights, Arithmetic(), Mitigation(copies=3), device=cells, layer="m")
    save_fault_map(path, {**maps, "m/copy 3": np.zeros(shape, np.uint8)})
    found = program_mitigated(weights, Arithmetic(), Mitigation(copies=3), device=cells, layer="m")
    inputs = np.array([[1, 2, 3, 4]])
    assert not np.array_equal(found.parts[1].multiply(inputs).values, inputs @ weights)  # type: ignore[attr-defined]
    assert np.array_equal(found.multiply(inputs).values, inputs @ weights)  # two of three are sound


# clipping


def test_clipping_at_deviations_and_at_a_weight() -> None:
    weights = np.array([[[1.0], [-1.0], [1.0], [-3.0]]])
    by_deviation, n = clipped_weights(weights, Mitigation(weight_clip=1.5))
    assert (n, float(by_deviation.min())) == (1, pytest.approx(-1.5 * weights.std()))
    at_weight, n = clipped_weights(weights, Mitigation(weight_clip=0.5, weight_clip_unit="weight"))
    assert (n, at_weight.reshape(-1).tolist()) == (4, [0.5, -0.5, 0.5, -0.5])
    untouched, n = clipped_weights(weights, Mitigation())
    assert n == 0 and untouched is weights


def test_clipped_weights_lose_less_to_stuck_cells() -> None:
    """Weights of which few are large: the error of a product, against the weights that were not clipped."""
    rng = np.random.default_rng(2)
    weights = rng.standard_t(4, (1, 200, 40))
    inputs = rng.integers(-100, 101, (32, 200))
    wanted, errors = inputs @ weights[0], []
    for mitigation in (Mitigation(), Mitigation(weight_clip=4.0)):
        found = quantise_weights(weights, 8, Mapping(mitigation=mitigation))
        programmed = program_matrix(found.integers[0], Arithmetic(input_bits=8, weight_bits=8, adc_bits=9),
                                    device=device(), seed=4)  # fmt: skip
        errors.append(float(np.square(programmed.multiply(inputs).values * found.scale[0] - wanted).mean()))
    assert errors[1] < 0.5 * errors[0]


# the record


def test_methods_hold_for_the_layers_that_are_named() -> None:
    mitigation = Mitigation(layers=("a",), permutation="rows", copies=3, layer_copies={"b": 5})
    assert mitigation.of_layer("a") == Mitigation(permutation="rows", copies=3)
    assert mitigation.of_layer("b") == Mitigation(copies=5)
    assert mitigation.of_layer("c") == Mitigation()
    assert mitigation.most_copies == 5


@pytest.mark.parametrize(("keys", "told"), [
    ({"copies": 2}, "odd number"), ({"layer_copies": {"a": 4}}, "odd number"), ({"layers": ["a", "a"]}, "one twice"),
    ({"weight_clip_unit": "weight"}, "belongs to weight_clip"), ({"vote": "class"}, "there are none"),
])  # fmt: skip
def test_keys_that_do_not_agree_are_refused(keys: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Mitigation(**keys)
