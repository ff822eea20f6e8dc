"""Compiled half of :mod:`pimsim.device.line_resistance`: networks of resistors, on plain arrays in siemens and ohm.

No BLAS: its threads cost seconds where the processor is shared, and its results depend on their number.  Sums are
written out in one order, so that every machine finds the same bits.  Rows are sliced before they are looped over:
only then are the loops vectorised.
"""

from __future__ import annotations

import numpy as np
from numba import njit

import pimsim.engine  # noqa: F401  (it says where compiled code is kept)

TOLERANCE = 1e-10  #: of the square of the error of the iteration, part of the power
ITERATIONS = 200  #: at most: then eliminating would have cost no more
UNSEEN = 1e3  #: source resistance over that of a wordline's wire up to which the difference is exact enough
BLOCK = 8  #: rows at a time, and words of a cache line


# Dense matrices.


@njit(cache=True, error_model="numpy", nogil=True)
def add_multiples(row, factors, rows, begin, end):  # type: ignore[no-untyped-def]
    """Add ``factors`` (8,) times ``rows`` (8, N) to ``row`` (N,), from ``begin`` to ``end``."""
    a, b, c, d = factors[0], factors[1], factors[2], factors[3]
    e, f, g, h = factors[4], factors[5], factors[6], factors[7]
    r, s, t, u = rows[0, begin:end], rows[1, begin:end], rows[2, begin:end], rows[3, begin:end]
    v, w, x, y = rows[4, begin:end], rows[5, begin:end], rows[6, begin:end], rows[7, begin:end]
    out = row[begin:end]
    for n in range(out.size):
        out[n] += a * r[n] + b * s[n] + c * t[n] + d * u[n] + e * v[n] + f * w[n] + g * x[n] + h * y[n]


@njit(cache=True, error_model="numpy", nogil=True)
def product(a, b):  # type: ignore[no-untyped-def]
    """(N, M) from (N, K) and (K, M)."""
    inner, columns = b.shape
    out = np.zeros((a.shape[0], columns))
    factors, rows = np.zeros(BLOCK), np.zeros((BLOCK, columns))
    for k in range(0, inner, BLOCK):
        size = min(BLOCK, inner - k)
        for x in range(size):
            rows[x] = b[k + x]
        for i in range(out.shape[0]):
            for x in range(BLOCK):
                factors[x] = a[i, k + x] if x < size else 0.0
            add_multiples(out[i], factors, rows, 0, columns)
    return out


@njit(cache=True, error_model="numpy", nogil=True)
def sweep(matrix, right, begin, end):  # type: ignore[no-untyped-def]
    """Replace a symmetric positive definite A (N, N) by -A^-1, and columns of ``right`` by A^-1 times them.

    Only the lower triangle of ``matrix`` is read and written, and of ``right`` what is from ``begin`` to ``end``.  The
    symmetric sweep operator (Beaton 1964), for up to BLOCK pivots K at a time: with P = A_KK^-1 every A_ic becomes
    A_ic - A_iK P A_Kc, A_iK becomes A_iK P, and A_KK becomes -P.
    """
    n = matrix.shape[0]
    factors = np.empty((n, BLOCK))  # -A_iK
    above, above_right = np.empty((BLOCK, n)), np.empty((BLOCK, right.shape[1]))  # P A_Kc, P right_K
    rows, rows_right = np.zeros((BLOCK, n)), np.zeros((BLOCK, right.shape[1]))  # A_Kc, right_K
    for k in range(0, n, BLOCK):
        size = min(BLOCK, n - k)
        pivot = _inverse_of_block(matrix, k, size)
        for x in range(BLOCK):
            for i in range(n):
                known = x < size
                rows[x, i] = (matrix[k + x, i] if i < k + x else matrix[i, k + x]) if known else 0.0
                factors[i, x] = -rows[x, i]
            for c in range(begin, end):
                rows_right[x, c] = right[k + x, c] if x < size else 0.0
        above[:] = 0.0
        above_right[:] = 0.0
        for x in range(size):
            add_multiples(above[x], pivot[x], rows, 0, n)
            add_multiples(above_right[x], pivot[x], rows_right, begin, end)
        for i in range(n):
            if not k <= i < k + size:
                add_multiples(matrix[i], factors[i], above, 0, i + 1)
                add_multiples(right[i], factors[i], above_right, begin, end)
        for x in range(size):
            for i in range(n):
                if i < k:
                    matrix[k + x, i] = above[x, i]
                elif i >= k + size:
                    matrix[i, k + x] = above[x, i]
                elif i <= k + x:
                    matrix[k + x, i] = -pivot[x, i - k]
            for c in range(begin, end):
                right[k + x, c] = above_right[x, c]


@njit(cache=True, error_model="numpy", nogil=True)
def _inverse_of_block(matrix, begin, size):  # type: ignore[no-untyped-def]
    """(BLOCK, BLOCK) inverse of ``size`` rows and columns of a symmetric matrix, whose lower triangle is read."""
    out = np.zeros((BLOCK, BLOCK))
    for x in range(size):
        for y in range(size):
            out[x, y] = matrix[begin + max(x, y), begin + min(x, y)]
    for p in range(size):
        scale = 1 / out[p, p]
        out[p, p] = 1.0
        for y in range(size):
            out[p, y] *= scale
        for x in range(size):
            if x != p:
                factor = out[x, p]
                out[x, p] = 0.0
                for y in range(size):
                    out[x, y] -= factor * out[p, y]
    return out


# Elimination of a whole crossbar.


@njit(cache=True, error_model="numpy", nogil=True)
def eliminated(cells, wordline, bitline, source, sink):  # type: ignore[no-untyped-def]
    """(R, C) S: currents in the sinks for one volt on each wordline; columns are eliminated, the last one first.

    From the wordline nodes w of column j on, the crossbar is an admittance Y_j (R, R):
    Y_j = S_j + Y_{j+1} X_{j+1}^-1 and w_{j+1} = X_{j+1}^-1 w_j with X = 1 + r Y, where S_j is what bitline j alone
    presents.  The currents in the sinks from column j on are linear in w_j and are carried along.
    """
    rows, columns = cells.shape
    # Y X^-1 = (1 - X^-1) / r needs no product; its rounding errors are seen behind the source, times source / r
    by_difference = wordline > 0 and source <= UNSEEN * wordline
    siemens = 1 / wordline if by_difference else 0.0
    begin = rows if by_difference else 0
    admittance, inverse = np.zeros((rows, rows)), np.zeros((rows, rows))  # lower triangles of Y_j, and of -X^-1
    right = np.zeros((rows, rows + columns))  # Y_j, and the currents in the sinks, the last one first
    to_sink = np.empty(rows)
    for j in range(columns - 1, -1, -1):
        end = rows + columns - j
        add_bitline(cells[:, j].copy(), bitline, sink, admittance, to_sink)
        ohm = wordline if j > 0 else source
        for i in range(rows):
            right[i, end - 1] = to_sink[i]
            for k in range(i + 1):
                inverse[i, k] = ohm * admittance[i, k]
                if not by_difference:
                    right[i, k] = right[k, i] = admittance[i, k]
            inverse[i, i] += 1
        sweep(inverse, right, begin, end)
        for i in range(rows):
            for k in range(i + 1):
                admittance[i, k] = inverse[i, k] * siemens if by_difference else right[i, k]
            if by_difference:
                admittance[i, i] += siemens
    return right[:, rows:][:, ::-1]


@njit(cache=True, error_model="numpy", nogil=True)
def add_bitline(cells, wire, sink, admittance, to_sink):  # type: ignore[no-untyped-def]
    """Add one bitline to the ``admittance`` of its wordlines.

    To the lower triangle of ``admittance`` (R, R) S: the current out of wordline i for one volt on wordline k; into
    ``to_sink`` (R,) S: the current in the sink for one volt on wordline i.  With D the cells and T = D + the
    conductances of the bitline's wire these are D - D T^-1 D and D T^-1 e / sink.  Impedances below a node and
    admittances above it are sums of positive numbers, so nothing cancels, and a resistance may be zero.
    """
    rows = cells.size
    below = np.empty(rows)  # ohm from node i down to ground
    passed = np.ones(rows + 1)  # of a current that reaches node i from above, what reaches the sink
    below[rows - 1] = sink
    for i in range(rows - 1, -1, -1):
        if i < rows - 1:
            below[i] = wire + below[i + 1] / (1 + cells[i + 1] * below[i + 1])
        passed[i] = passed[i + 1] / (1 + cells[i] * below[i])
    above = 0.0  # S of what is above node i
    shared = np.empty(rows)  # S: cell k times the voltage of node k for one volt on node i
    for i in range(rows):
        total = 1 + (above + cells[i]) * below[i]
        to_sink[i] = cells[i] * passed[i + 1] / total
        factor = cells[i] * below[i] / total
        fraction = 1 / (1 + wire * (above + cells[i]))
        row = admittance[i]
        for k in range(i):
            row[k] -= factor * shared[k]
            shared[k] *= fraction
        row[i] += cells[i] * (1 + above * below[i]) / total
        shared[i] = cells[i] * fraction
        above = (above + cells[i]) * fraction


# Single lines, (positions, lines): all lines side by side, with their ground behind the last position.


@njit(cache=True, error_model="numpy", nogil=True)
def fractions_of(cells, wire, ground):  # type: ignore[no-untyped-def]
    """(N, M): voltage of each node over that of the next one, of the last one over the ground's; cells lead to 0 V.

    ``ground`` is the resistance behind the last node.
    """
    length, lines = cells.shape
    fractions = np.empty((length, lines))
    admittance = np.zeros(lines)
    for k in range(length):
        ohm = wire if k < length - 1 else ground
        cell, fraction = cells[k], fractions[k]
        for m in range(lines):
            load = admittance[m] + cell[m]
            fraction[m] = 1 / (1 + ohm * load)
            admittance[m] = load * fraction[m]
    return fractions


@njit(cache=True, error_model="numpy", nogil=True)
def raised(fractions):  # type: ignore[no-untyped-def]
    """(N, M) V of nodes when the ground of each line is at one volt."""
    volts = fractions.copy()
    for k in range(fractions.shape[0] - 2, -1, -1):
        here, behind = volts[k], volts[k + 1]
        for m in range(here.size):
            here[m] *= behind[m]
    return volts


@njit(cache=True, error_model="numpy", nogil=True)
def respond(fractions, wire, ground, currents):  # type: ignore[no-untyped-def]
    """Replace the ``currents`` (N, M) A that flow into nodes by the voltages that these have then."""
    last = currents.shape[0] - 1
    for k in range(last):
        here, behind, fraction = currents[k], currents[k + 1], fractions[k]
        for m in range(here.size):
            behind[m] += fraction[m] * here[m]
    here, fraction = currents[last], fractions[last]
    for m in range(here.size):
        here[m] *= fraction[m] * ground
    for k in range(last - 1, -1, -1):
        here, behind, fraction = currents[k], currents[k + 1], fractions[k]
        for m in range(here.size):
            here[m] = fraction[m] * (behind[m] + wire * here[m])


@njit(cache=True, error_model="numpy", nogil=True)
def in_series(cells, wire, ground):  # type: ignore[no-untyped-def]
    """(N, M) S of each cell in series with its line, whose other cells lead to 0 V."""
    length, lines = cells.shape
    series = np.empty((length, lines))  # at first, the admittance of what is before each node
    load, ohm = np.zeros(lines), np.full(lines, ground)  # with its own cell; from each node to the ground
    for k in range(length):
        before, cell = series[k], cells[k]
        for m in range(lines):
            before[m] = load[m] / (1 + wire * load[m])
            load[m] = before[m] + cell[m]
    for k in range(length - 1, -1, -1):
        here, cell = series[k], cells[k]
        for m in range(lines):
            here[m] = cell[m] / (1 + cell[m] * ohm[m] / (1 + here[m] * ohm[m]))
            ohm[m] = wire + ohm[m] / (1 + cell[m] * ohm[m])
    return series


@njit(cache=True, nogil=True)
def by_bitlines(nodes):  # type: ignore[no-untyped-def]
    """(R, C) positions along bitlines, from (C, R) positions along wordlines, whose ground is on the left."""
    columns, rows = nodes.shape
    out = np.empty((rows, columns))
    for i in range(0, rows, BLOCK):
        for j in range(0, columns, BLOCK):
            for row in range(i, min(i + BLOCK, rows)):
                for column in range(j, min(j + BLOCK, columns)):
                    out[row, column] = nodes[columns - 1 - column, row]
    return out


@njit(cache=True, nogil=True)
def by_wordlines(nodes):  # type: ignore[no-untyped-def]
    """(C, R) positions along wordlines, from (R, C) positions along bitlines."""
    rows, columns = nodes.shape
    out = np.empty((columns, rows))
    for i in range(0, rows, BLOCK):
        for j in range(0, columns, BLOCK):
            for column in range(j, min(j + BLOCK, columns)):
                for row in range(i, min(i + BLOCK, rows)):
                    out[columns - 1 - column, row] = nodes[row, column]
    return out


# A whole crossbar whose wordlines are all driven by one volt.


@njit(cache=True, error_model="numpy", nogil=True)
def uniform_currents(cells, driven, power, wordline, bitline, source, sink):  # type: ignore[no-untyped-def]
    """(R, C) A through each cell for one volt on all wordlines, and whether the iteration has converged.

    Conjugate gradients on the voltages w of the wordlines, (W^-1 - D B D) w = W^-1 driven: W and B are the responses of
    wordlines and bitlines whose cells D lead to 0 V, ``driven`` is w if all bitlines are at 0 V.  Preconditioned by W;
    W^-1, which is infinite where a resistance is zero, is never needed.  ``power`` is a lower bound of what flows.
    """
    to_source = fractions_of(by_wordlines(cells), wordline, source)
    to_sink = fractions_of(cells, bitline, sink)
    w = driven.copy()
    residual = _returned(cells, to_sink, bitline, sink, w)
    step = residual.copy()
    respond(to_source, wordline, source, step)
    weighted = residual.copy()  # W^-1 step
    square = _inner(residual, step)
    enough = TOLERANCE * power
    for _ in range(ITERATIONS):
        if square <= enough:
            break
        image = _returned(cells, to_sink, bitline, sink, step)
        _combine(image, -1.0, image, 1.0, weighted)
        length = square / _inner(step, image)
        _combine(w, 1.0, w, length, step)
        _combine(residual, 1.0, residual, -length, image)
        response = residual.copy()
        respond(to_source, wordline, source, response)
        last, square = square, _inner(residual, response)
        _combine(step, square / last, step, 1.0, response)
        _combine(weighted, square / last, weighted, 1.0, residual)
    volts, bitlines = by_bitlines(w), by_bitlines(w)
    _multiply(bitlines, cells)
    respond(to_sink, bitline, sink, bitlines)
    _combine(volts, 1.0, volts, -1.0, bitlines)
    _multiply(volts, cells)
    return volts, square <= enough


@njit(cache=True, error_model="numpy", nogil=True)
def _returned(cells, to_sink, bitline, sink, volts):  # type: ignore[no-untyped-def]
    """(C, R) A: D B D w, what bitlines that are raised by the currents of wordlines return to these."""
    bitlines = by_bitlines(volts)
    _multiply(bitlines, cells)
    respond(to_sink, bitline, sink, bitlines)
    _multiply(bitlines, cells)
    return by_wordlines(bitlines)


@njit(cache=True, error_model="numpy", nogil=True)
def _multiply(a, b):  # type: ignore[no-untyped-def]
    """a becomes a times b, element by element."""
    for k in range(a.shape[0]):
        x, y = a[k], b[k]
        for m in range(x.size):
            x[m] *= y[m]


@njit(cache=True, error_model="numpy", nogil=True)
def _combine(out, p, a, q, b):  # type: ignore[no-untyped-def]
    """``out`` becomes p a + q b."""
    for k in range(out.shape[0]):
        x, y, z = out[k], a[k], b[k]
        for m in range(x.size):
            x[m] = p * y[m] + q * z[m]


@njit(cache=True, error_model="numpy", nogil=True)
def _inner(a, b):  # type: ignore[no-untyped-def]
    """Sum of products, over the positions and then over the lines: an order that vectorises and is always the same."""
    sums = np.zeros(a.shape[1])
    for k in range(a.shape[0]):
        x, y = a[k], b[k]
        for m in range(x.size):
            sums[m] += x[m] * y[m]
    total = 0.0
    for m in range(sums.size):
        total += sums[m]
    return total
