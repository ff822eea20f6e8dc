"""Counting writes: CPU seconds of one thread, medians.  Printed, never passed or failed on.

python -m tests.benchmarks.endurance
"""

from __future__ import annotations

import itertools

import numpy as np

from pimsim.device.wear_levelling import WearLevelling
from pimsim.device.write_counter import POLICIES, WriteCounter
from pimsim.reference.endurance import ReferenceCounter
from tests.benchmarks.engine import medians

ROWS, COLUMNS, CROSSBARS = 128, 128, 64  #: 1,048,576 cells
BITS, CELL_BITS = 16, 2  #: 1024 x 128 weights


def updates() -> None:
    """A matrix of 131,072 weights, all changed, and one in a hundred changed."""
    random = np.random.default_rng(0)
    first, second = random.integers(-(2**15), 2**15, (2, 8 * ROWS, COLUMNS))
    sparse = np.where(random.random(first.shape) < 0.01, second, first)
    levels = random.integers(0, 4, (2, CROSSBARS, ROWS, COLUMNS), dtype=np.uint8)
    print(f"{CROSSBARS * ROWS * COLUMNS:,} cells, {BITS}-bit weights in cells of {CELL_BITS} bits; ms an update")
    print(f"{'policy':16}{'levelling':12}{'levels':>8}{'offset':>8}{'flip':>8}{'offset, 1 % of weights changed':>32}")
    for policy, kind in [*((policy, "none") for policy in POLICIES), ("changed", "start_gap"), ("changed", "rotate")]:
        counters = [WriteCounter(ROWS, COLUMNS, CROSSBARS, policy, WearLevelling(kind)) for _ in range(4)]
        turns = [itertools.cycle(pair) for pair in (levels, (first, second), (first, second), (first, sparse))]
        times = medians(
            lambda c=counters[0], t=turns[0]: c.write(next(t)),
            lambda c=counters[1], t=turns[1]: c.write_weights(next(t), BITS, CELL_BITS),
            lambda c=counters[2], t=turns[2]: c.write_weights(next(t), BITS, CELL_BITS, encoding="flip"),
            lambda c=counters[3], t=turns[3]: c.write_weights(next(t), BITS, CELL_BITS),
        )
        ms = [1e3 * time for time in times]
        print(f"{policy:16}{kind:12}{ms[0]:8.2f}{ms[1]:8.2f}{ms[2]:8.2f}{ms[3]:32.2f}")
    twin, counter = ReferenceCounter(ROWS, COLUMNS), WriteCounter(ROWS, COLUMNS)
    both = itertools.cycle(levels[:, 0])
    slow, fast = medians(lambda: twin.write(next(both)), lambda: counter.write(next(both)), runs=3)
    print(f"one crossbar: {fast * 1e6:.0f} us, one cell at a time {slow * 1e3:.1f} ms")


if __name__ == "__main__":
    updates()
