"""Counts of writes: against the twin that counts one cell at a time, sums by hand, and the literature."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.device.wear_levelling import KINDS, WearLevelling
from pimsim.device.write_counter import ENCODINGS, POLICIES, Blocks, WriteCounter, cut, histogram
from pimsim.errors import InputError
from pimsim.functional.encoding import encode
from pimsim.mapping.arithmetic import Arithmetic
from pimsim.reference.endurance import ReferenceCounter, levels_in_crossbars

QUICK = settings(max_examples=60, deadline=None)
HELD = np.array([[0, 1, 2, 3], [3, 3, 3, 3], [1, 0, 0, 1]], np.uint8)
FRESH = np.array([[0, 1, 2, 0], [3, 3, 3, 3], [2, 1, 0, 1]], np.uint8)  # 1, 0 and 2 cells change


def check_against_twins(counter: WriteCounter, twins: list[ReferenceCounter]) -> None:
    """All counts of all crossbars are equal."""
    for c, twin in enumerate(twins):
        assert np.array_equal(counter.cell_writes[c], twin.cell_writes)
        assert np.array_equal(counter.cells.row_writes[c], twin.row_writes)
        assert np.array_equal(counter.levels[c], twin.levels)
        assert counter.cells.moved[c] == twin.levelling_writes


# ------------------------------------------------------------------------------------------ counted by hand


@pytest.mark.parametrize(("policy", "cells", "rows"), [("full", 12, 3), ("changed_rows", 8, 2), ("changed", 3, 2)])
def test_a_policy_says_which_cells_an_update_writes(policy: str, cells: int, rows: int) -> None:
    counter = WriteCounter(3, 4, policy=policy)
    counter.write(HELD)
    before = counter.cell_writes.copy()
    assert counter.write(FRESH) == (cells, rows, rows)
    assert (counter.cell_writes - before).sum() == cells
    assert np.array_equal(counter.levels[0], FRESH)


def test_only_changed_cells_are_written_exactly_those() -> None:
    counter = WriteCounter(3, 4)
    counter.write(HELD)
    counter.write(FRESH)
    assert counter.cell_writes[0].tolist() == [[0, 1, 1, 2], [1, 1, 1, 1], [2, 1, 0, 1]]
    assert counter.cells.row_writes[0].tolist() == [2, 1, 2]


def test_a_weight_that_changes_in_one_slice_writes_one_cell() -> None:
    counter = WriteCounter(1, 8)
    counter.write_weights(np.array([[-32768]]), 16, 2)  # stored as 0: nothing changes in new cells
    assert counter.total == 0
    counter.write_weights(np.array([[-32768 + 0b11_00_00_01_00]]), 16, 2)  # slices 1 and 4
    assert counter.cell_writes[0, 0].tolist() == [0, 1, 0, 0, 1, 0, 0, 0]
    assert counter.levels[0, 0].tolist() == [0, 1, 0, 0, 3, 0, 0, 0]


def test_a_weight_that_changes_its_sign_writes_both_halves_of_its_pair() -> None:
    counter = WriteCounter(1, 8)
    counter.write_weights(np.array([[5]]), 8, 2, encoding="differential")
    assert counter.levels[0, 0].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]
    assert counter.write_weights(np.array([[-1]]), 8, 2, encoding="differential").cells == 3
    assert counter.levels[0, 0].tolist() == [0, 0, 0, 0, 1, 0, 0, 0]


def test_two_matrices_that_share_a_crossbar_wear_it_both() -> None:
    counter = WriteCounter(2, 4, policy="full")
    for _ in range(3):  # layer by layer, batch by batch
        counter.write(np.ones((2, 4), np.uint8))
        counter.write(np.full((2, 2), 3, np.uint8), column=1)
    assert counter.cell_writes[0].tolist() == [[3, 6, 6, 3]] * 2


def test_the_longest_crossbar_sets_the_time_of_an_update() -> None:
    counter = WriteCounter(4, 4, crossbars=2, policy="full")
    assert counter.write_weights(np.ones((6, 4), int), 1 + 1, 2) == (24, 6, 4)  # 4 rows in one, 2 in the other


# ------------------------------------------------------------------------------------------ literature


def test_sgd_that_rewrites_every_cell_in_every_iteration_writes_each_117_300_times() -> None:
    epochs, iterations = 300, 391  # ResNet-20 and VGG-19 on CIFAR-10: 50,000 images in batches of 128
    counter = WriteCounter(2, 8, policy="full")
    levels = [np.full((2, 8), step, np.uint8) for step in range(2)]
    for iteration in range(epochs * iterations):
        counter.write(levels[iteration % 2])
    assert np.all(counter.cell_writes == 117_300)
    together = WriteCounter(2, 8, policy="full")
    together.write_weights(np.array([[1], [-1]]), 16, 2, times=epochs * iterations)
    assert np.array_equal(together.cell_writes, counter.cell_writes)
    assert np.array_equal(together.cells.row_writes, counter.cells.row_writes)


# ------------------------------------------------------------------------------------------ against the twin


@st.composite
def updates(draw: st.DrawFn) -> tuple[int, int, list[tuple[np.ndarray, int, int, int]]]:
    """(rows, columns) and updates of parts: levels, first row and column, how often."""
    rows, columns = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    found = []
    for _ in range(draw(st.integers(1, 12))):
        row, column = int(random.integers(rows)), int(random.integers(columns))
        shape = random.integers(1, rows - row + 1), random.integers(1, columns - column + 1)
        found.append((random.integers(0, 3, shape), row, column, int(random.integers(1, 4))))
    return rows, columns, found


@QUICK
@given(updates(), st.sampled_from(sorted(POLICIES)), st.sampled_from(sorted(KINDS)), st.integers(1, 5))
def test_kernels_count_as_the_twin_does(
    case: tuple[int, int, list[tuple[np.ndarray, int, int, int]]], policy: str, kind: str, interval: int
) -> None:
    rows, columns, sequence = case
    counter = WriteCounter(rows, columns, 2, policy, WearLevelling(kind, interval))
    twin = ReferenceCounter(rows, columns, policy, kind, interval)
    for levels, row, column, times in sequence:
        times = times if kind == "none" else 1
        written = counter.write(levels, crossbar=1, row=row, column=column, times=times)
        assert written[:2] == twin.write(levels, row, column, times)
        assert written.longest == written.rows
    check_against_twins(counter, [ReferenceCounter(rows, columns, levelling=kind), twin])
    assert counter.row_sums.sum() == counter.crossbar_sums.sum() == counter.total == counter.cell_writes.sum()
    assert counter.levelling_writes <= counter.total


@st.composite
def matrices(draw: st.DrawFn) -> tuple[np.ndarray, Blocks, int, int, str]:
    """Weights of (groups, rows, outputs), their blocks, bits of a weight, bits of a cell, encoding."""
    encoding = draw(st.sampled_from(ENCODINGS))
    bits, cell_bits = draw(st.integers(2, 9)), draw(st.integers(1, 4))
    groups, rows, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = random.integers(1 - 2 ** (bits - 1), 2 ** (bits - 1), (groups, rows, outputs))
    if groups > 1 and draw(st.booleans()):  # all groups on the diagonal of one crossbar
        return weights, Blocks(*np.array([[0], [groups * rows], [0], [groups * outputs]])), bits, cell_bits, encoding
    one = cut(rows, outputs, draw(st.integers(1, 5)), draw(st.integers(1, 4)))
    row, output = (np.repeat(np.arange(groups) * size, one.row_lo.size) for size in (rows, outputs))
    row_lo, row_hi, out_lo, out_hi = (np.tile(bound, groups) for bound in vars(one).values())
    blocks = Blocks(row_lo + row, row_hi + row, out_lo + output, out_hi + output)
    return weights, blocks, bits, cell_bits, encoding


@QUICK
@given(matrices(), st.sampled_from(sorted(POLICIES)), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_weights_are_sliced_and_placed_as_the_twin_does(
    case: tuple[np.ndarray, Blocks, int, int, str], policy: str, wordlines: int, seed: int
) -> None:
    weights, blocks, bits, cell_bits, encoding = case
    crossbars, rows, columns = blocks.row_lo.size, 15, 192  # 12 outputs on a diagonal, pairs of 8 cells each
    counter = WriteCounter(rows, columns, crossbars, policy)
    twins = [ReferenceCounter(rows, columns, policy) for _ in range(crossbars)]
    bounds = blocks.row_lo, blocks.row_hi, blocks.out_lo, blocks.out_hi
    second = np.where(np.random.default_rng(seed).random(weights.shape) < 0.3, -weights, weights)
    for update in (weights, second):
        words = {"encoding": encoding, "wordlines": wordlines}
        written = counter.write_weights(update, bits, cell_bits, tiling=blocks, **words)
        levels = levels_in_crossbars(update, bounds, bits, cell_bits, columns, **words)
        each = [twin.write(fresh) for twin, fresh in zip(twins, levels, strict=True)]
        rows_written = [rows_of for _, rows_of in each]
        assert written == (sum(cells for cells, _ in each), sum(rows_written), max(rows_written))
    check_against_twins(counter, twins)


@QUICK
@given(
    st.sampled_from(ENCODINGS), st.integers(2, 9), st.integers(1, 4), st.integers(1, 9), st.integers(1, 6),
    st.integers(1, 9), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_counted_cells_hold_the_levels_that_crossbars_compute_with(
    encoding: str, bits: int, cell_bits: int, rows: int, outputs: int, wordlines: int, seed: int
) -> None:
    weights = np.random.default_rng(seed).integers(1 - 2 ** (bits - 1), 2 ** (bits - 1), (rows, outputs))
    arithmetic = Arithmetic(weight_bits=bits, cell_bits=cell_bits, rows=rows, wordlines=wordlines, encoding=encoding)
    counter = WriteCounter(rows, outputs * arithmetic.cells_per_weight)
    counter.write_weights(weights, bits, cell_bits, encoding=encoding, wordlines=wordlines)
    assert np.array_equal(counter.levels[0], encode(weights, arithmetic).levels.reshape(rows, -1))


def test_a_column_that_tips_over_to_its_inverse_is_rewritten_where_no_weight_has_changed() -> None:
    counter = WriteCounter(4, 2)
    counter.write_weights(np.array([[1], [1], [-2], [-2]]), 2, 1, encoding="flip")  # stored as 3, 3, 0, 0: half
    assert counter.levels[0].tolist() == [[1, 1], [1, 1], [0, 0], [0, 0]]
    assert counter.write_weights(np.array([[1], [1], [1], [-2]]), 2, 1, encoding="flip").cells == 6
    assert counter.levels[0].tolist() == [[0, 0], [0, 0], [0, 0], [1, 1]]


# ------------------------------------------------------------------------------------------ wear levelling


def hot_row(levelling: WearLevelling, updates: int = 600) -> WriteCounter:
    """A crossbar one of whose rows is rewritten all the time, and the others once."""
    counter = WriteCounter(8, 4, policy="full", levelling=levelling)
    counter.write(np.arange(32, dtype=np.uint8).reshape(8, 4))
    for step in range(updates):
        counter.write(np.full((1, 4), step % 4, np.uint8), row=2)
    return counter


def test_rotation_lowers_the_maximum_and_costs_exactly_its_own_writes() -> None:
    plain = hot_row(WearLevelling())
    assert (plain.maximum, plain.total, plain.levelling_writes) == (601, 32 + 600 * 4, 0)
    for kind, rows_of_a_move in (("rotate", 8), ("start_gap", 1)):
        levelled = hot_row(WearLevelling(kind, 20))
        moves = (8 + 600) // 20
        assert levelled.levelling_writes == moves * rows_of_a_move * 4
        assert levelled.total == plain.total + levelled.levelling_writes
        assert levelled.maximum < 0.4 * plain.maximum
        assert np.array_equal(levelled.levels, plain.levels)


def test_after_as_many_moves_as_rows_the_gap_is_back_and_rows_are_one_on() -> None:
    counter = WriteCounter(3, 1, levelling=WearLevelling("start_gap", 1))
    assert counter.cells.place[0].tolist() == [0, 1, 2] and counter.cells.gap[0] == 3
    for step in range(3):
        counter.write(np.array([[1 + step % 2]]), row=0)
    assert counter.cells.place[0].tolist() == [1, 2, 3] and counter.cells.gap[0] == 0
    counter.write(np.array([[3]]), row=0)  # row 2 goes on, from the last row of the array to the first
    assert counter.cells.place[0].tolist() == [1, 2, 0] and counter.cells.gap[0] == 3


# ------------------------------------------------------------------------------------------ statistics


def test_means_and_maximum_are_those_of_the_cells() -> None:
    counter = WriteCounter(2, 4, policy="full")
    counter.write(np.ones((1, 3), np.uint8), times=4)
    assert (counter.total, counter.maximum, counter.mean(), counter.mean(written_only=True)) == (12, 4, 1.5, 4.0)
    assert counter.row_sums.tolist() == [[12, 0]] and counter.crossbar_sums.tolist() == [12]
    assert WriteCounter(1, 1).mean(written_only=True) == 0


@QUICK
@given(st.lists(st.integers(0, 500), min_size=1, max_size=60), st.integers(1, 20))
def test_a_histogram_counts_every_cell_once(writes: list[int], most_bins: int) -> None:
    found = histogram(np.array(writes), most_bins)
    assert found.cells.sum() == len(writes) and found.cells.size <= most_bins
    by_hand = Counter(value // found.width * found.width for value in writes)
    assert {int(first): int(n) for first, n in zip(found.first, found.cells, strict=True) if n} == by_hand


# ------------------------------------------------------------------------------------------ wrong input


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: WriteCounter(0, 4), "rows: is 0"),
        (lambda: WriteCounter(4, 4, policy="some"), "no write policy 'some'; allowed: full, changed_rows, changed"),
        (lambda: WearLevelling("spin"), "no wear levelling 'spin'"),
        (lambda: WearLevelling("rotate", 0), "interval: is 0"),
        (lambda: WriteCounter(4, 4).write(np.full((2, 2), 0.5)), "levels are float64"),
        (lambda: WriteCounter(4, 4).write(np.full((2, 2), 256)), "levels go from 256 to 256; allowed: 0 to 255"),
        (lambda: WriteCounter(4, 4).write(np.zeros((0, 2), int)), "levels have shape (0, 2)"),
        (lambda: WriteCounter(4, 4).write(np.ones((2, 5), int)), "do not fit crossbars of shape (1, 4, 4)"),
        (lambda: WriteCounter(4, 4).write(np.ones((2, 2), int), row=-1), "do not fit"),
        (lambda: WriteCounter(4, 4).write(np.ones((1, 1), int), times=0), "times: is 0"),
        (lambda: WriteCounter(4, 4, levelling=WearLevelling("rotate")).write(np.ones((1, 1), int), times=2), "times: "),
        (lambda: WriteCounter(4, 8).write_weights(np.array([[128]]), 8, 2), "weights go from 128 to 128"),
        (lambda: WriteCounter(4, 8).write_weights(np.array([[-128]]), 8, 2, encoding="differential"), "-127 to 127"),
        (lambda: WriteCounter(4, 8).write_weights(np.array([[1]]), 8, 9), "cell_bits: is 9"),
        (lambda: WriteCounter(4, 8).write_weights(np.array([[1]]), 0, 2), "weight_bits: is 0"),
        (lambda: WriteCounter(4, 8).write_weights(np.array([[1]]), 8, 2, encoding="gray"), "encoding 'gray'"),
        (lambda: WriteCounter(4, 8).write_weights(np.array([[1]]), 32, 2), "does not fit 1 crossbars of 4 x 8"),
        (lambda: WriteCounter(4, 8).write_weights(np.ones((5, 1), int), 8, 2), "on 2 crossbars of 4 x 4 cells"),
        (lambda: WriteCounter(4, 8).write_weights(np.ones((2, 1, 1), int), 8, 2), "need its tiling"),
        (lambda: WriteCounter(4, 8).write_weights(np.ones((1, 1), int), 8, 2, tiling=cut(2, 1, 4, 4)), "not that of"),
    ],
)  # fmt: skip
def test_what_cannot_be_counted_is_refused(make, told: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError) as error:
        make()
    assert told in str(error.value)


def test_what_is_refused_leaves_the_counts_alone() -> None:
    counter = WriteCounter(4, 8)
    with pytest.raises(InputError):
        counter.write_weights(np.array([[1, 999]]), 8, 2)
    assert counter.total == 0
