"""Heat: times of steady states, transients, the leakage loop and the closed form, and errors of closed form and grid.

    python -m tests.benchmarks.thermal

CPU seconds of one thread, medians of RUNS.  Power is random on every cell.  The sparse factorisation (SuperLU, the best
of its orderings) is the reference whose answer the solver must give.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # before numpy is imported

import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy.sparse.linalg import splu

from pimsim.thermal import (
    Conduction,
    Layer,
    Stack,
    column_model,
    column_temperatures,
    exponential_leakage,
    fixed_point,
    stack_for_tiers,
    steady_state,
    transient_response,
)

RUNS = 5
DIE_M = 0.01
POWER_W = 40.0


def seconds(task: Callable[[], object], runs: int = RUNS) -> float:
    """Median CPU time."""
    taken = []
    for _ in range(runs):
        begin = time.process_time()
        task()
        taken.append(time.process_time() - begin)
    return statistics.median(taken)


def bare(layers: int) -> Stack:
    """Silicon and interface material in turn, as wide as the die: ``layers`` cells high."""
    kinds = (Layer("tier", 150e-6, 130.0, 1.63e6, tier=True), Layer("bond", 20e-6, 4.0, 4e6))
    return Stack(tuple(kinds[place % 2] for place in range(layers)), DIE_M, DIE_M)


def random_power(conduction: Conduction) -> np.ndarray:
    """(tiers, y, x) [W], POWER_W in all."""
    power = np.random.default_rng(1).random(conduction.grid.shape)
    return POWER_W * power / power.sum()


def report_steady(name: str, stack: Stack, cells: int, *, reference: bool = True) -> None:
    """One line of the table."""
    build = seconds(lambda: Conduction(stack, cells, cells))
    conduction = Conduction(stack, cells, cells)
    power = random_power(conduction)
    found = steady_state(conduction, power)
    solve = seconds(lambda: steady_state(conduction, power))
    line = (f"{name:34} {cells:4} {conduction.grid.nodes:8,} {build:7.3f} {solve:7.3f} {found.iterations:5} "
            f"{found.imbalance:9.1e}")  # fmt: skip
    if reference:
        matrix = conduction.grid.conductance.tocsc()

        def factorise() -> object:
            return splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})

        exact = factorise().solve(conduction.nodes_of(power))  # type: ignore[attr-defined]
        line += f" {seconds(factorise, 1):8.2f} {abs(found.rise_k - exact).max() / exact.max():9.1e}"
    print(line)


def report_others(cells: int) -> None:
    """A transient, the leakage loop, the closed form."""
    stack = stack_for_tiers(4, DIE_M, DIE_M)
    conduction = Conduction(stack, cells, cells)
    power = random_power(conduction)
    times = np.geomspace(1e-3, 2000, 30)
    steps = transient_response(conduction, [2000.0], [power], times).steps
    taken = seconds(lambda: transient_response(conduction, [2000.0], [power], times), 1)
    print(f"transient, 4 tiers, {cells} x {cells}, 2000 s in {steps} steps: {taken:.2f} s")
    leak = exponential_leakage(0.7 * power, 0.05 * power, reference_k=318.15, doubling_k=25.0)
    found = fixed_point(conduction, leak)
    taken = seconds(lambda: fixed_point(conduction, leak))
    print(f"leakage loop, {found.iterations} rounds, gain {found.loop_gain:.2f}: {taken:.2f} s")


def report_columns() -> None:
    """Time of the closed form, and how far it is from the grid."""
    model = column_model(stack_for_tiers(4, DIE_M, DIE_M), 64)
    candidates = np.random.default_rng(2).random((10_000, 4, 64))
    print(f"closed form, 10,000 candidates of 4 tiers x 64 columns: "
          f"{seconds(lambda: column_temperatures(candidates, model)):.3f} s")  # fmt: skip
    for side, tiers, columns in ((5e-3, 4, 4), (1e-2, 2, 4), (1e-2, 4, 4), (1.6e-2, 4, 8)):
        stack, width = stack_for_tiers(tiers, side, side), 32 // columns
        conduction, generator = Conduction(stack, 32, 32), np.random.default_rng(3)
        grid, closed = [], {True: [], False: []}
        for _ in range(40):
            power = generator.exponential(1, (tiers, columns, columns))
            power *= generator.random(power.shape) < 0.5
            power *= POWER_W / power.sum()
            found = steady_state(conduction, np.kron(power, np.ones((1, width, width))) / width**2)
            grid.append(found.temperature_k.reshape(tiers, columns, width, columns, width).mean(axis=(2, 4)) - 318.15)
            for shared, answers in closed.items():
                model = column_model(stack, columns**2, share_package=shared)
                answer = column_temperatures(power.reshape(tiers, -1), model)
                answers.append(answer.reshape(power.shape) - 318.15)
        exact = np.array(grid)
        for shared, answers in closed.items():
            error = np.sqrt(((np.array(answers) - exact) ** 2).mean()) / exact.mean()
            peaks = [each.max(axis=(1, 2, 3)) for each in (exact, np.array(answers))]
            ranks = np.corrcoef(*(np.argsort(np.argsort(each)) for each in peaks))[0, 1]
            package, high = "shared" if shared else "of each column", np.mean(peaks[1] / peaks[0])
            print(f"  {side * 1e3:g} mm, {tiers} tiers, {columns} x {columns} columns, package {package}: "
                  f"error {error:.1%}, peak x {high:.2f}, rank correlation of peaks {ranks:.2f}")  # fmt: skip


def report_accuracy() -> None:
    """Hottest cell of tiles that fit every grid."""
    print("rise of the hottest cell [K], 4 tiers, 16 tiles a tier")
    tiles = np.random.default_rng(4).exponential(1, (4, 4, 4))
    tiles *= POWER_W / tiles.sum()
    for cells in (8, 16, 32, 64, 128):
        conduction = Conduction(stack_for_tiers(4, DIE_M, DIE_M), cells, cells)
        width = cells // 4
        found = steady_state(conduction, np.kron(tiles, np.ones((1, width, width))) / width**2)
        print(f"  {cells:4} x {cells:<4} {found.hottest.temperature_k - 318.15:8.3f}")


def main() -> None:
    """Print everything."""
    print(f"{'steady state':34} {'grid':>4} {'nodes':>8} {'build':>7} {'solve':>7} {'iter.':>5} {'imbalance':>9} "
          f"{'SuperLU':>8} {'apart':>9}")  # fmt: skip
    report_steady("8 layers, no package", bare(8), 64)
    for tiers in (1, 2, 4, 8):
        stack = stack_for_tiers(tiers, DIE_M, DIE_M)
        report_steady(f"{tiers} tiers, spreader and sink", stack, 64, reference=tiers == 4)
    report_steady("4 tiers, spreader and sink", stack_for_tiers(4, DIE_M, DIE_M), 32)
    report_steady("4 tiers, spreader and sink", stack_for_tiers(4, DIE_M, DIE_M), 128, reference=False)
    board = stack_for_tiers(4, DIE_M, DIE_M, board_resistance=20.0)
    report_steady("4 tiers, also a board path", board, 64, reference=False)
    for cells in (16, 32, 64):
        report_others(cells)
    report_columns()
    report_accuracy()


if __name__ == "__main__":
    main()
