"""Line resistance: the nodal solution against what is solved by hand, and the forms that are used against it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pimsim.device.line_kernels import product, sweep
from pimsim.device.line_resistance import Lines, effective_conductance, effective_levels
from pimsim.errors import InputError
from pimsim.reference.line_resistance import nodal_currents, nodal_solution

HIGH = 5e-4  #: S, 2 kohm
FAST_ERROR = 0.01  #: of crossbars of up to 8x8, see pimsim.device.line_resistance
OHM = {"wire_ohm": 1.0, "source_ohm": 1.0, "sink_ohm": 1.0}

ohms = st.sampled_from([0.0, 0.1, 1.0, 2.5, 28.0, 30.0])
ends = st.sampled_from([0.0, 0.1, 4.0, 28.0, 100.0])
settings_of_lines = st.fixed_dictionaries({"wire_ohm": st.tuples(ohms, ohms), "source_ohm": ends, "sink_ohm": ends})


@st.composite
def crossbars(draw, most=8):
    """(R, C) S: cells of any conductance, many of them off."""
    rows, columns = draw(st.integers(1, most)), draw(st.integers(1, most))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    on = generator.random((rows, columns)) < draw(st.sampled_from([0.2, 0.5, 1.0]))
    off = draw(st.sampled_from([0.0, HIGH / 1000]))
    return np.where(on, HIGH * generator.random((rows, columns)), off)


def four_levels(rows, columns=None, seed=1):
    """(R, C) S: cells of 2 bits, 2 kohm to 2 Mohm."""
    levels = np.random.default_rng(seed).integers(0, 4, (rows, columns or rows))
    return HIGH / 1000 + levels * HIGH * 0.999 / 3


def nodal_conductance(cells, **lines):
    """(R, C) S, one wordline at a time."""
    return nodal_currents(cells, np.eye(cells.shape[0]), **lines)


# The nodal solution.


def test_two_by_two_solved_by_hand():
    """All seven kinds of resistance 1 ohm, all cells 1 S, sources at p and q volt.

    Kirchhoff's current law, with wordline nodes w and bitline nodes b, numbered by row and column:

        w11: p - w11 = (w11 - w12) + (w11 - b11)      b11: w11 - b11 = b11 - b21
        w12: w11 - w12 = w12 - b12                    b12: w12 - b12 = b12 - b22
        w21: q - w21 = (w21 - w22) + (w21 - b21)      b21: (w21 - b21) + (b11 - b21) = b21
        w22: w21 - w22 = w22 - b22                    b22: (w22 - b22) + (b12 - b22) = b22

    The bitlines: b11 = (w11 + b21) / 2 in b21's law gives b21 = (w11 + 2 w21) / 5 and b11 = (3 w11 + w21) / 5; in the
    same way b22 = (w12 + 2 w22) / 5 and b12 = (3 w12 + w22) / 5.  With these, times 5, the wordlines:

        12 w11 - 5 w12 - w21 = 5 p         13 w21 - 5 w22 - w11 = 5 q
        7 w12 - 5 w11 - w22 = 0            8 w22 - 5 w21 - w12 = 0

    So w22 = 7 w12 - 5 w11 and w21 = (8 w22 - w12) / 5 = 11 w12 - 8 w11; then 20 w11 - 16 w12 = 5 p and
    108 w12 - 80 w11 = 5 q; four times the one plus the other is 44 w12 = 20 p + 5 q.  Hence, over 44:

        w11 = 27 p + 4 q    w12 = 20 p + 5 q    w21 = 4 p + 23 q    w22 = 5 p + 15 q

    and the currents in the sinks are b21 = (7 p + 10 q) / 44 and b22 = (6 p + 7 q) / 44.  The sources give p - w11 and
    q - w21: together (13 p + 17 q) / 44, as it must be.
    """
    by_hand = np.array([[7, 6], [10, 7]]) / 44
    assert_allclose(nodal_conductance(np.ones((2, 2)), **OHM), by_hand, rtol=1e-14)
    assert_allclose(effective_conductance(np.ones((2, 2)), **OHM), by_hand, rtol=1e-14)
    sources = nodal_solution(np.ones((2, 2)), np.array([[2.0, 3.0]]), Lines(1, 1, 1, 1)).sources
    assert_allclose(sources, np.array([[17 * 2 - 4 * 3, 21 * 3 - 4 * 2]]) / 44, rtol=1e-14)


def solved_exactly(cells, wordline, bitline, source, sink):
    """(2, 2) of a crossbar of two wordlines and two bitlines, by elimination on fractions."""
    resistors = [(("p", i), ("w", i, 0), source) for i in range(2)]
    resistors += [(("w", i, 0), ("w", i, 1), wordline) for i in range(2)]
    resistors += [(("b", 0, j), ("b", 1, j), bitline) for j in range(2)]
    resistors += [(("b", 1, j), "ground", sink) for j in range(2)]
    resistors += [(("w", i, j), ("b", i, j), 1 / Fraction(cells[i][j])) for i in range(2) for j in range(2)]
    nodes = [(kind, i, j) for kind in "wb" for i in range(2) for j in range(2)]
    result = np.empty((2, 2))
    for driven in range(2):
        rows = {node: [Fraction(0)] * 9 for node in nodes}  # eight unknowns, and the right hand side
        for a, b, ohm in resistors:
            for here, there in ((a, b), (b, a)):
                if here in rows:
                    siemens = 1 / Fraction(ohm)
                    rows[here][nodes.index(here)] += siemens
                    if there in rows:
                        rows[here][nodes.index(there)] -= siemens
                    elif there == ("p", driven):
                        rows[here][8] += siemens
        matrix = list(rows.values())
        for k in range(8):
            matrix[k] = [value / matrix[k][k] for value in matrix[k]]
            for i in range(8):
                if i != k:
                    matrix[i] = [x - matrix[i][k] * y for x, y in zip(matrix[i], matrix[k], strict=True)]
        for j in range(2):
            result[driven, j] = float(matrix[nodes.index(("b", 1, j))][8] / Fraction(sink))
    return result


@pytest.mark.parametrize("lines", [(1.0, 2.0, 3.0, 4.0), (1e-6, 30.0, 1e3, 0.5), (1e4, 1e-6, 1e-3, 1e3)])
@pytest.mark.parametrize("form", ["exact", "fast"])
def test_two_by_two_solved_in_fractions(lines, form):
    """Also where the nodal matrix is too ill-conditioned: resistances from 1e-6 to 1e4 ohm."""
    cells = [[1e-3, 2e-5], [3e-4, 5e-7]]
    exactly = solved_exactly(cells, *lines)
    found = effective_conductance(cells, wire_ohm=lines[:2], source_ohm=lines[2], sink_ohm=lines[3], form=form)
    assert_allclose(found, exactly, rtol=1e-13, atol=0 if form == "exact" else FAST_ERROR * exactly.max())


@given(st.floats(0, 1), ends, ends)
def test_a_single_cell_is_in_series_with_both_ends(cell, source, sink):
    expected = cell / (1 + cell * (source + sink))
    for form in ("exact", "fast"):
        found = effective_conductance([[cell]], wire_ohm=1.0, source_ohm=source, sink_ohm=sink, form=form)
        assert_allclose(found, [[expected]], rtol=1e-13)
    assert_allclose(nodal_currents([[cell]], [1.0], wire_ohm=1.0, source_ohm=source, sink_ohm=sink), [expected],
                    rtol=1e-11, atol=1e-14)  # fmt: skip


@given(crossbars())
def test_without_resistance_currents_are_the_product(cells):
    volts = np.random.default_rng(0).random((3, cells.shape[0]))
    assert_allclose(nodal_currents(cells, volts, wire_ohm=0.0), volts @ cells, rtol=1e-13, atol=1e-20)
    assert_array_equal(effective_conductance(cells, wire_ohm=0.0), cells)
    assert_array_equal(effective_conductance(cells, wire_ohm=0.0, form="fast"), cells)


@given(crossbars(), settings_of_lines)
@settings(max_examples=50)
def test_what_leaves_the_sources_enters_the_sinks(cells, lines):
    volts = np.random.default_rng(0).normal(size=(3, cells.shape[0]))
    wires = lines["wire_ohm"]
    found = nodal_solution(cells, volts, Lines(*wires, lines["source_ohm"], lines["sink_ohm"]))
    assert_allclose(found.sources.sum(1), found.sinks.sum(1), rtol=1e-9, atol=1e-12)
    assert_allclose(found.sinks, volts @ nodal_conductance(cells, **lines), rtol=1e-9, atol=1e-12)


# The forms that are used.


@given(crossbars(), settings_of_lines)
@settings(max_examples=150)
def test_both_forms_are_the_nodal_solution(cells, lines):
    nodal = nodal_conductance(cells, **lines)
    assert_allclose(effective_conductance(cells, **lines), nodal, rtol=1e-10, atol=1e-12 * HIGH)
    assert_allclose(effective_conductance(cells, form="fast", **lines), nodal, rtol=0,
                    atol=FAST_ERROR * cells.max() + 1e-20)  # fmt: skip


@pytest.mark.parametrize("wire_ohm, error, mean", [(0.1, 0.002, 3e-4), (1.0, 0.01, 1e-3), (28.0, 0.05, 3e-3)])
def test_a_crossbar_of_128_lines(wire_ohm, error, mean):
    cells, lines = four_levels(128), {"wire_ohm": wire_ohm, "source_ohm": 4.0, "sink_ohm": 4.0}
    volts = np.random.default_rng(2).integers(0, 2, (4, 128)).astype(float)
    exact, fast = (effective_conductance(cells, form=form, **lines) for form in ("exact", "fast"))
    assert_allclose(volts @ exact, nodal_currents(cells, volts, **lines), rtol=1e-10)
    assert abs(fast - exact).max() <= error * HIGH
    assert abs(fast - exact).mean() <= mean * HIGH
    assert_allclose(fast.sum(0), exact.sum(0), rtol=1e-4)


def test_cells_in_blocks_of_a_crossbar_do_not_leak_into_each_other():
    """As those of a grouped convolution do: what sneaks stays within a block, which its sums alone do not say."""
    cells = four_levels(64)
    cells[:32, 32:] = cells[32:, :32] = 0
    exact, fast = (effective_conductance(cells, form=form, **OHM) for form in ("exact", "fast"))
    assert abs(exact[:32, 32:]).max() == 0 == abs(fast[:32, 32:]).max()
    assert abs(fast - exact).max() <= FAST_ERROR * HIGH


def obviously_fast(cells, wordline, bitline, source, sink):
    """The fast form from its definition, in dense matrices."""
    rows, columns = cells.shape

    def chain(wire, end, cells_of_line):
        length = cells_of_line.size
        between = np.eye(length) - np.eye(length, k=1)  # differences; the last row leads to the ground
        ohm = np.full(length, wire)
        ohm[-1] = end
        return between.T @ np.diag(1 / ohm) @ between + np.diag(cells_of_line)

    direct = np.empty_like(cells)
    for j in range(columns):  # wordlines from the right to the left, whose ends are their sources
        response = [np.linalg.inv(chain(wordline, source, cells[i, ::-1])) for i in range(rows)]
        impedance = np.array([response[i][-1 - j, -1 - j] for i in range(rows)])
        of_source = np.array([response[i][-1, -1 - j] / source for i in range(rows)])
        line = chain(bitline, sink, cells[:, j] - cells[:, j] ** 2 * impedance)
        direct[:, j] = cells[:, j] * of_source * np.linalg.inv(line)[:, -1] / sink
    whole = nodal_conductance(cells, wire_ohm=(wordline, bitline), source_ohm=source, sink_ohm=sink)
    missing = whole - direct
    sneaking = np.zeros_like(cells)
    for k in range(columns):
        for j in range(columns):
            if k != j:
                sneaking[:, j] += direct[:, k] * (cells[:, k] @ direct[:, j])
    for _ in range(2):
        sneaking *= (missing.sum(1) / sneaking.sum(1))[:, None]
        sneaking *= missing.sum(0) / sneaking.sum(0)
    return direct + sneaking


def test_the_fast_form_is_what_its_definition_says():
    cells = four_levels(9, 13)
    fast = effective_conductance(cells, wire_ohm=(20.0, 30.0), source_ohm=5.0, sink_ohm=7.0, form="fast")
    assert_allclose(fast, obviously_fast(cells, 20.0, 30.0, 5.0, 7.0), rtol=0, atol=1e-5 * HIGH)


def test_where_iterating_would_take_too_long_the_fast_form_is_the_exact_one():
    cells, lines = four_levels(32), {"wire_ohm": 1e6, "source_ohm": 1e6, "sink_ohm": 1e6}
    assert_array_equal(effective_conductance(cells, form="fast", **lines), effective_conductance(cells, **lines))


@given(st.integers(1, 20), st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_dense_kernels_are_those_of_numpy(size, columns, seed):
    generator = np.random.default_rng(seed)
    a, b = generator.random((size, size)), generator.random((size, columns + 2))
    assert_allclose(product(a, b), a @ b, rtol=1e-13)
    spd = a @ a.T + size * np.eye(size)
    swept, right = np.where(np.tri(size, dtype=bool), spd, np.nan), b.copy()  # the upper triangle is never read
    sweep(swept, right, 1, columns + 1)
    assert_allclose(-np.tril(swept), np.tril(np.linalg.inv(spd)), rtol=0, atol=1e-12)
    assert_allclose(right[:, 1:-1], np.linalg.solve(spd, b)[:, 1:-1], rtol=0, atol=1e-12)
    assert_array_equal(right[:, [0, -1]], b[:, [0, -1]])


# What must hold of any crossbar.


@given(crossbars(), settings_of_lines, st.sampled_from(["wordline", "bitline", "source", "sink"]), st.floats(0, 50))
@settings(max_examples=100)
def test_more_resistance_never_increases_the_total_current(cells, lines, which, more):
    """Rayleigh's monotonicity law; a single current may well increase, when others let it."""
    wires, source, sink = lines["wire_ohm"], lines["source_ohm"], lines["sink_ohm"]
    worse = {
        "wire_ohm": (wires[0] + more * (which == "wordline"), wires[1] + more * (which == "bitline")),
        "source_ohm": source + more * (which == "source"),
        "sink_ohm": sink + more * (which == "sink"),
    }
    total = effective_conductance(cells, **lines).sum()
    assert effective_conductance(cells, **worse).sum() <= total * (1 + 1e-12)


@given(crossbars(), settings_of_lines)
@settings(max_examples=50)
def test_driven_at_the_sinks_it_is_the_same_crossbar(cells, lines):
    """Reciprocity: mirrored in the diagonal between source and sink, with what belongs to them."""
    mirrored = {
        "wire_ohm": lines["wire_ohm"][::-1],
        "source_ohm": lines["sink_ohm"],
        "sink_ohm": lines["source_ohm"],
    }
    for form in ("exact", "fast"):
        found = effective_conductance(cells, form=form, **lines)
        reverse = effective_conductance(np.ascontiguousarray(cells[::-1, ::-1].T), form=form, **mirrored)
        atol = 1e-15 if form == "exact" else FAST_ERROR * HIGH
        assert_allclose(reverse[::-1, ::-1].T, found, rtol=1e-10, atol=atol)


@pytest.mark.parametrize("form", ["exact", "fast"])
def test_of_equal_cells_the_far_corner_loses_most(form):
    seen = effective_conductance(np.full((16, 24), HIGH), form=form, **OHM)
    assert (np.diff(seen, axis=1) < 0).all()  # along a wordline, away from its source
    assert (np.diff(seen, axis=0) > 0).all()  # along a bitline, towards its sink
    assert seen.argmin() == 23
    assert seen.max() < HIGH


@pytest.mark.parametrize("form", ["exact", "fast"])
def test_a_single_line_is_a_ladder_of_resistors(form):
    """One wordline whose bitlines have no resistance: voltages from the far end, by hand."""
    cells, wire, source = [1e-3, 2e-3, 4e-3], 100.0, 50.0
    beyond = cells[2]
    fractions = []
    for cell, ohm in ((cells[1], wire), (cells[0], wire), (0.0, source)):
        fractions.append(1 / (1 + ohm * beyond))
        beyond = beyond * fractions[-1] + cell
    volts = np.cumprod(fractions[::-1])
    found = effective_conductance([cells], wire_ohm=(wire, 1.0), source_ohm=source, form=form)
    assert_allclose(found[0], volts * cells, rtol=1e-13)


@pytest.mark.parametrize("form", ["exact", "fast"])
@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (4, 7)])
def test_no_cell_conducts(form, shape):
    assert_array_equal(effective_conductance(np.zeros(shape), form=form, **OHM), np.zeros(shape))


@pytest.mark.parametrize("form", ["exact", "fast"])
def test_a_stack_is_its_crossbars_one_by_one(form):
    stack = np.array([[four_levels(9, 5, seed) for seed in range(3)] for _ in range(2)])
    found = effective_conductance(stack, form=form, **OHM)
    assert found.shape == stack.shape
    for i in np.ndindex(2, 3):
        assert_array_equal(found[i], effective_conductance(stack[i], form=form, **OHM))
    assert effective_conductance(stack[:0], form=form, **OHM).shape == (0, 3, 9, 5)


# Levels.


def test_without_resistance_levels_are_themselves():
    levels = np.arange(12.0).reshape(3, 4)
    seen = effective_levels(levels, 1e-6, 1e-5, wire_ohm=0.0)
    assert_allclose(seen, levels, atol=1e-12)
    seen = effective_levels(levels, 1e-6, 1e-5, off_current="kept", wire_ohm=0.0)
    assert_allclose(seen, levels + 0.1, atol=1e-12)


def test_the_dummy_column_is_the_last_bitline():
    levels, lines = np.arange(12.0).reshape(3, 4), {"wire_ohm": (20.0, 30.0), "source_ohm": 5.0, "sink_ohm": 7.0}
    cells = np.full((3, 5), 1e-6)
    cells[:, :4] += levels * 1e-5
    nodal = nodal_conductance(cells, **lines)
    seen = effective_levels(levels, 1e-6, 1e-5, **lines)
    assert_allclose(seen, (nodal[:, :4] - nodal[:, 4:]) / 1e-5, rtol=0, atol=1e-9)
    assert_allclose(effective_levels(np.stack([levels, levels]), 1e-6, 1e-5, **lines)[1], seen, rtol=0, atol=0)


# Bad input.


@pytest.mark.parametrize("change, words", [
    ({"wire_ohm": -1.0}, "wire_ohm"),
    ({"wire_ohm": (1.0, float("nan"))}, "wire_ohm"),
    ({"wire_ohm": (1.0, 2.0, 3.0)}, "wire_ohm"),
    ({"source_ohm": float("inf")}, "source_ohm"),
    ({"sink_ohm": "4"}, "sink_ohm"),
    ({"form": "nearly"}, "form"),
    ({"conductances": [[1e-4, -1e-4]]}, "cell (0, 1) has -0.0001 S"),
    ({"conductances": [[1e-4, float("nan")]]}, "cell (0, 1) has nan S"),
    ({"conductances": [[1e-4], [float("inf")]]}, "cell (1, 0) has inf S"),
    ({"conductances": [1e-4, 1e-4]}, "(2,)"),
    ({"conductances": np.zeros((3, 0))}, "(3, 0)"),
    ({"conductances": "cells"}, "conductances"),
])  # fmt: skip
def test_bad_input_is_one_line(change, words):
    arguments = {"conductances": [[1e-4]], **OHM, **change}
    with pytest.raises(InputError) as error:
        effective_conductance(arguments.pop("conductances"), **arguments)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_bad_input_of_the_others():
    with pytest.raises(InputError, match="volts"):
        nodal_currents(np.ones((2, 3)), np.ones((4, 3)), **OHM)
    with pytest.raises(InputError, match="not finite"):
        nodal_currents(np.ones((2, 3)), [1.0, float("nan")], **OHM)
    with pytest.raises(InputError, match="g_step"):
        effective_levels([[1.0]], 1e-6, 0.0, **OHM)
    with pytest.raises(InputError, match="off_current"):
        effective_levels([[1.0]], 1e-6, 1e-5, off_current="gone", **OHM)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="levels"):
        effective_levels("levels", 1e-6, 1e-5, **OHM)
