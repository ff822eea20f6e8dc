"""Line resistance: time of the forms, error of the fast one, and what wires do to the currents of columns.

    python -m tests.benchmarks.line_resistance

CPU milliseconds for one crossbar, medians of RUNS; the nodal solution is factorised and solved for as many inputs as it
takes to know the crossbar.  Errors are parts of the largest conductance, and of the root mean square of the currents of
columns for random inputs of one bit.  Currents are parts of what they would be without wires.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from pimsim.device.line_resistance import effective_conductance
from pimsim.reference.line_resistance import nodal_currents

RUNS = 5
RANGES = {"2 kohm .. 2 Mohm": (5e-7, 5e-4), "3 kohm .. 3 Mohm": (1 / 3e6, 1 / 3e3)}  #: ISAAC in CrossSim, PytorX [S]
WIRES = (0.1, 1.0, 2.5, 10.0, 28.0, 30.0)  #: ohm
END = 4.0  #: ohm of source and sink: PytorX's load of 0.25 S
GENERATOR = np.random.default_rng(1)


def uniform_levels(size: int) -> np.ndarray:
    """(size, size) 2-bit levels of a random weight matrix."""
    return GENERATOR.integers(0, 4, (size, size))


def sparse_levels(size: int) -> np.ndarray:
    """(size, size) levels most of which are 0: higher slices of small weights."""
    return np.minimum(3, np.floor(GENERATOR.exponential(0.4, (size, size))))


def block_levels(size: int) -> np.ndarray:
    """(size, size) levels of a convolution of two groups."""
    levels, half = uniform_levels(size), size // 2
    levels[:half, half:] = levels[half:, :half] = 0
    return levels


def highest_levels(size: int) -> np.ndarray:
    """(size, size) levels, all as high as can be."""
    return np.full((size, size), 3)


LEVELS = {"uniform": uniform_levels, "sparse": sparse_levels, "blocks": block_levels, "highest": highest_levels}


def milliseconds(task: Callable[[], np.ndarray]) -> float:
    """Median CPU time."""
    task()
    taken = []
    for _ in range(RUNS):
        begin = time.process_time()
        task()
        taken.append(1e3 * (time.process_time() - begin))
    return statistics.median(taken)


def report(size: int, cells: np.ndarray, wire_ohm: float, title: str) -> None:
    """One line of the table."""
    lines = {"wire_ohm": wire_ohm, "source_ohm": END, "sink_ohm": END}
    exact, fast = (effective_conductance(cells, form=form, **lines) for form in ("exact", "fast"))
    taken = [milliseconds(lambda form=form: effective_conductance(cells, form=form, **lines)) for form in (
        "exact", "fast")]  # fmt: skip
    inputs = GENERATOR.integers(0, 2, (200, size)).astype(float)
    currents, ideal = inputs @ exact, inputs @ cells
    error = abs(fast - exact) / cells.max()
    of_currents = np.sqrt(((inputs @ fast - currents) ** 2).mean() / (currents**2).mean())
    left = (currents / np.maximum(ideal, 1e-30)).mean(0)
    print(f"{title:38} {wire_ohm:5g} {taken[0]:8.2f} {taken[1]:7.2f} {error.mean():9.1e} {error.max():8.1e} "
          f"{of_currents:9.1e} {currents.sum() / ideal.sum():8.3f} {left[0]:7.3f} {left[-1]:7.3f}")  # fmt: skip


def main() -> None:
    """Print everything."""
    for size in (64, 128):
        cells = RANGES["2 kohm .. 2 Mohm"][0] + uniform_levels(size) * 5e-4 / 3
        nodal = milliseconds(
            lambda cells=cells, size=size: nodal_currents(cells, np.eye(size), wire_ohm=1.0, source_ohm=END,
                                                          sink_ohm=END))  # fmt: skip
        print(f"\n{size}x{size}: nodal solution {nodal:.0f} ms")
        print(f"{'cells':38} {'ohm':>5} {'exact ms':>8} {'fast ms':>7} {'mean err.':>9} {'max err.':>8} "
              f"{'currents':>9} {'I/ideal':>8} {'first':>7} {'last':>7}")  # fmt: skip
        for name, (low, high) in RANGES.items():
            for kind, levels in LEVELS.items():
                cells = low + levels(size) * (high - low) / 3
                for wire_ohm in WIRES:
                    report(size, cells, wire_ohm, f"{name}, {kind}")


if __name__ == "__main__":
    main()
