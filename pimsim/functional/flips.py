"""Transient flips: a driven cell is now and then taken for another level, in one read and for one conversion alone.

Events are drawn, not their moments: where an ADC rounds, noise of a small variance would change nothing, but a flip of
whole levels gets through.  A flip changes the code by as many levels as it is wrong; that the ADC's range may cut that
off is left out, and so are the cells of unit columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pimsim.device.streams import stream
from pimsim.functional.encoding import Encoded
from pimsim.functional.gaussian import Numbers
from pimsim.mapping.arithmetic import Arithmetic

AGE = 256  #: vectors of one age: their flips have a stream of their own, and cells that reads change are as they were
AT_ONCE = 1 << 20  #: events


@dataclass(frozen=True)
class TransientFlips:
    """The flips of the cells of some outputs of a matrix."""

    probability: float  #: for a driven cell, in one read
    arithmetic: Arithmetic
    encoded: Encoded
    seed: int
    layer: str

    def add(self, driven: np.ndarray, numbers: Numbers, sums: np.ndarray) -> None:
        """Change sums (crossbars or 1, V, n) by the flips in reads of what is driven (V, K)."""
        last = numbers.after(driven.shape[0] - 1).first
        for age in range(numbers.first // AGE, last // AGE + 1):
            for events in self._events(age):
                vector, between = np.divmod(events[0] + (age * AGE - numbers.first), numbers.stride)
                self._add(driven, np.where(between == 0, vector, -1), events, sums)

    def _events(self, age: int) -> Iterator[np.ndarray]:
        """(5, events) vector, plane, row, column and by how many levels a reading goes round."""
        rows, outputs, cells = self.encoded.levels.shape
        sizes = AGE, self.arithmetic.planes, rows, outputs * cells
        drawn = stream(self.seed, self.layer, "transient flips", age)
        left = int(drawn.binomial(int(np.prod(sizes, dtype=np.int64)), self.probability))
        while left:
            events = min(left, AT_ONCE)
            left -= events
            places = [drawn.integers(size, size=events) for size in sizes]
            yield np.stack([*places, drawn.integers(1, 1 << self.arithmetic.cell_bits, size=events)])

    def _add(self, driven: np.ndarray, vector: np.ndarray, events: np.ndarray, sums: np.ndarray) -> None:
        a, e = self.arithmetic, self.encoded
        here = (vector >= 0) & (vector < driven.shape[0])
        vector, (_, plane, row, column, turn) = vector[here], events[:, here]
        output, cell = np.divmod(column, e.levels.shape[2])
        group = np.searchsorted([each.low for each in e.groups], row, side="right") - 1
        digit = driven[vector, row] >> (plane * a.dac_bits) & ((1 << a.dac_bits) - 1)
        meant = e.levels[row, output, cell].astype(np.int64)
        wrong = (meant + turn) % (1 << a.cell_bits) - meant
        place = np.int64(1) << (plane * a.dac_bits)
        place = np.where(a.twos_complement & (plane == a.planes - 1), -place, place)
        crossbar = np.array([each.crossbar for each in e.groups])[group] if sums.shape[0] > 1 else 0 * group
        np.add.at(sums, (crossbar, vector, output), place * e.weights[group, output, cell] * digit * wrong)
