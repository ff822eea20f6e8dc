"""Conversions of columns of any cells, by tables of sums (T2; "four Russians"), also with fresh noise in each (T3).

Four wordlines are driven in one of sixteen ways, so that sixteen rows of a table hold what they can add to the sums of
neighbouring columns; a conversion adds up one row for every four wordlines.  Sums are float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.engine.compiling import compiled, inlined
from pimsim.functional.gaussian import Numbers, column_hash, normal, plane_key, square_root
from pimsim.functional.planes import pack_nibbles
from pimsim.functional.popcount import FARTHEST, Converter

FLOAT, INT = np.float32, np.int32
HALF = FLOAT(0.5)
TOGETHER = 8  #: rows of the table that are added in one pass over the columns
COLUMNS = 128  #: columns of one table: its rows for 128 wordlines stay in the second cache
ENTRIES = 16  #: ways to drive four wordlines


def nibbles_padded(nibbles: np.ndarray) -> np.ndarray:
    """(V, bits, nibbles) with nibbles filled up to whole passes, as rows of a table."""
    extra = -nibbles.shape[2] % TOGETHER
    padded = np.pad(nibbles, ((0, 0), (0, 0), (0, extra)))
    return padded + ENTRIES * np.arange(padded.shape[2], dtype=np.int32)


def table_rows(wordlines: int) -> int:
    """Rows of a table for so many wordlines."""
    nibbles = -(-wordlines // 4)
    return ENTRIES * -(-nibbles // TOGETHER) * TOGETHER


@compiled
def fill_table(cells, table):  # type: ignore[no-untyped-def]
    """Row 16 g + e of the table: sum of those of cells 4 g .. 4 g + 3 (wordlines x columns) whose bit is set in e."""
    for row in range(table.shape[0]):
        group, entry = row // ENTRIES, row % ENTRIES
        if entry == 0:
            table[row, :] = FLOAT(0)
            continue
        bit = 0
        while not entry >> bit & 1:
            bit += 1
        wordline = 4 * group + bit
        for column in range(cells.shape[1]):
            level = cells[wordline, column] if wordline < cells.shape[0] else FLOAT(0)
            table[row, column] = table[row - (1 << bit), column] + level


@compiled
def convert_by_table(c, rows, table, outputs, weights, products, sums, codes):  # type: ignore[no-untyped-def]
    """Add the codes of the table's columns to their outputs.

    Args:
        c: Converter.
        rows: (V, planes x digit_bits, nibbles) int32, rows of the table.
        table: (rows, columns) float32.
        outputs, weights: (columns,) int64: column of ``products`` that a column adds to, what a level counts there.
        products: (V, N) int64.
        sums: (2, columns) float32, codes: (columns,) int64; scratch.

    Returns:
        Conversions that the ADC's range cut off.
    """
    clipped = 0
    for v in range(rows.shape[0]):
        for plane in range(c.planes - 1, -1, -1):
            _sum(c, rows[v], plane, table, sums[0], sums[1])
            clipped += _append(c, plane, sums[0], codes)
        _deliver(codes, outputs, weights, products[v])
    return clipped


@compiled
def convert_noisy_by_table(  # type: ignore[no-untyped-def]
    c, rows, table, variances, outputs, weights, products, sums, codes, keys, first, stride
):
    """As :func:`convert_by_table`, each sum with a normal deviate of its own.

    Args:
        variances: (rows, columns) float32, the table of the cells' variances in a read [levels^2].
        sums: (3, columns) float32, scratch.
        keys: (2, columns) uint32.
        first, stride: numbers of the vectors, uint32.
    """
    clipped = 0
    total, part, variance = sums[0], sums[1], sums[2]
    low, high = keys[0], keys[1]
    for v in range(rows.shape[0]):
        vector = np.uint32(first + np.uint32(stride * np.uint32(v)))
        for plane in range(c.planes - 1, -1, -1):
            _sum(c, rows[v], plane, table, total, part)
            _sum(c, rows[v], plane, variances, variance, part)
            step = np.uint32(plane)
            for i in range(total.size):
                deviate = normal(column_hash(low[i], vector), plane_key(high[i], step))
                total[i] += square_root(variance[i]) * deviate
            clipped += _append(c, plane, total, codes)
        _deliver(codes, outputs, weights, products[v])
    return clipped


@inlined
def _sum(c, rows, plane, table, sums, part):  # type: ignore[no-untyped-def]
    """Sums of all columns in one plane; ``part`` is scratch."""
    for d in range(c.digit_bits):
        driven = rows[plane * c.digit_bits + d]
        for g in range(0, driven.size, TOGETHER):
            a, b, e, f = _four(table, driven, g)
            h, k, m, n = _four(table, driven, g + 4)
            for i in range(part.size):
                eight = ((a[i] + b[i]) + (e[i] + f[i])) + ((h[i] + k[i]) + (m[i] + n[i]))
                part[i] = eight if g == 0 else part[i] + eight
        if d == 0:
            for i in range(part.size):
                sums[i] = part[i]
        else:
            for i in range(part.size):
                sums[i] += FLOAT(1 << d) * part[i]


@inlined
def _four(table, driven, g):  # type: ignore[no-untyped-def]
    return table[driven[g]], table[driven[g + 1]], table[driven[g + 2]], table[driven[g + 3]]


@inlined
def _append(c, plane, sums, codes):  # type: ignore[no-untyped-def]
    """Codes of one plane below those of higher planes; returns how many sums were out of range."""
    full, clipped = INT(c.full_scale), INT(0)
    negative, top = c.negative_top and plane == c.planes - 1, plane == c.planes - 1
    for i in range(codes.size):
        rounded = INT(min(max(np.floor(sums[i] * c.steps_per_level + HALF), -FARTHEST), FARTHEST))
        code = min(max(rounded, INT(0)), full)
        clipped += INT(code != rounded)
        code = -code if negative else code
        codes[i] = code if top else (codes[i] << c.digit_bits) + code
    return clipped


@inlined
def _deliver(codes, outputs, weights, product):  # type: ignore[no-untyped-def]
    for i in range(codes.size):
        product[outputs[i]] += weights[i] * codes[i]


@dataclass(frozen=True)
class TableColumns:
    """Columns below one group of wordlines, ready to be read."""

    levels: np.ndarray  #: (wordlines, columns) float32
    variances: np.ndarray | None  #: (wordlines, columns) float32 [levels^2]; None: no noise
    outputs: np.ndarray  #: (columns,) int64
    weights: np.ndarray  #: (columns,) int64
    keys: np.ndarray | None  #: (columns, 2) uint32, where there is noise

    def convert(self, c: Converter, inputs: np.ndarray, numbers: Numbers, products: np.ndarray) -> int:
        """Add the codes for inputs (V, wordlines) to products (V, N) int64; returns the conversions cut off."""
        rows = nibbles_padded(pack_nibbles(inputs, c.planes * c.digit_bits))
        height, clipped = table_rows(inputs.shape[1]), 0
        for start in range(0, self.outputs.size, COLUMNS):
            part = slice(start, min(start + COLUMNS, self.outputs.size))
            width = part.stop - part.start
            sums, codes = np.empty((3, width), dtype=FLOAT), np.empty(width, dtype=np.int64)
            table = np.empty((height, width), dtype=FLOAT)
            fill_table(self.levels[:, part], table)
            target = self.outputs[part], self.weights[part], products, sums, codes
            if self.variances is None or self.keys is None:
                clipped += convert_by_table(c, rows, table, *target)
            else:
                variances = np.empty_like(table)
                fill_table(self.variances[:, part], variances)
                keys, *words = numbers.words(self.keys[part])
                clipped += convert_noisy_by_table(c, rows, table, variances, *target, keys.T.copy(), *words)
        return int(clipped)
