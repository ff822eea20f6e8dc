"""Power that grows with temperature, which grows with power: iterated to a fixed point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pimsim.errors import InputError, shown
from pimsim.thermal.conduction import Conduction
from pimsim.thermal.steady import TemperatureMap, steady_state

LIMIT_K = 500.0
"""Beyond it the loop counts as run away: silicon circuits work to some 400 K (125 degrees Celsius), special ones to
some 500 K [recalled]."""

PowerOfTemperature = Callable[[np.ndarray], np.ndarray]
"""(tiers, y cells, x cells) temperature [K] -> (tiers, y cells, x cells) power [W]."""


@dataclass(frozen=True)
class FixedPoint:
    """Temperatures and powers that belong to each other."""

    temperatures: TemperatureMap
    iterations: int  #: of the loop from temperature to power and back
    change_k: float  #: largest change of a cell in the last of them
    loop_gain: float  #: last change over the one before; the loop runs away at 1; 0 where power is constant


def exponential_leakage(
    constant_w: np.ndarray, leakage_w: np.ndarray, *, reference_k: float, doubling_k: float
) -> PowerOfTemperature:
    """A constant power plus leakage that doubles every ``doubling_k``.

    Args:
        constant_w: (tiers, y cells, x cells) [W].
        leakage_w: (tiers, y cells, x cells) at ``reference_k`` [W].
        reference_k: temperature at which ``leakage_w`` was stated.
        doubling_k: subthreshold leakage of bulk CMOS doubles about every 20 to 30 K [recalled]; no default.

    Raises:
        InputError: a temperature that is not positive.
    """
    for key, value in (("reference_k", reference_k), ("doubling_k", doubling_k)):
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"is {shown(value)}", key=key, allowed="a finite number over 0")

    def power(temperature_k: np.ndarray) -> np.ndarray:
        grown = leakage_growth(temperature_k, reference_k, doubling_k)
        with np.errstate(over="ignore"):  # what leaks nothing does so at any temperature: 0 x inf is 0
            return constant_w + np.multiply(leakage_w, grown, out=np.zeros_like(grown), where=leakage_w != 0)

    return power


def leakage_growth(temperature_k: np.ndarray, reference_k: float, doubling_k: float) -> np.ndarray:
    """(...) leakage relative to that at ``reference_k``; infinite where it is beyond all numbers."""
    with np.errstate(over="ignore"):
        growth: np.ndarray = np.exp2((temperature_k - reference_k) / doubling_k)
    return growth


def fixed_point(
    conduction: Conduction,
    power_of_temperature: PowerOfTemperature,
    *,
    tolerance_k: float = 0.01,
    limit_k: float = LIMIT_K,
    most_iterations: int = 200,
) -> FixedPoint:
    """Temperatures T that their own power P(T) causes, beginning at the air's.

    Where P does not fall with T the iterates rise and stay below every solution, so they reach the coolest one if there
    is one, and pass any limit if there is none.  Running away is therefore an error, not a mark on a result: there are
    no temperatures to report.

    Args:
        conduction: the stack's grid and solver.
        power_of_temperature: (tiers, y cells, x cells) temperatures [K] in, powers [W] of the same shape out.
        tolerance_k: largest change of a cell at which the loop ends.
        limit_k: temperature beyond which it has run away.
        most_iterations: after which it gives up.

    Raises:
        InputError: thermal runaway; no convergence; a power that cannot be.
    """
    stack = conduction.grid.stack
    _check(tolerance_k, limit_k, most_iterations, stack.ambient_k)
    to_air = 1 / stack.convection_resistance + 1 / stack.board_resistance  # [W/K]
    temperature = np.full(conduction.grid.shape, stack.ambient_k)
    found: TemperatureMap | None = None
    change = gain = np.inf
    for iteration in range(1, most_iterations + 1):
        power = np.asarray(power_of_temperature(temperature), dtype=float)
        with np.errstate(over="ignore"):
            in_all = float(power.sum())
        coolest = stack.ambient_k + in_all / to_air  # no stack whose hottest cell is cooler passes that much heat on
        if coolest > limit_k:  # known without a solution, which numbers may be too small for
            raise _runaway(iteration, f"the stack reached {coolest:.4g} K or more", in_all, limit_k)
        found = steady_state(conduction, power, guess=found.rise_k if found else None)
        if (spot := found.hottest).temperature_k > limit_k:
            raise _runaway(iteration, f"tier {spot.tier} reached {spot.temperature_k:.4g} K", in_all, limit_k)
        before, change = change, float(abs(found.temperature_k - temperature).max())
        gain = change / before if before > 0 else 0.0
        temperature = found.temperature_k
        if change < tolerance_k:
            return FixedPoint(found, iteration, change, gain)
    words = f"no fixed point of power and temperature in {most_iterations} iterations"
    words += f": the last moved a cell {change:.3g} K"
    raise InputError(words, key="leakage", allowed=f"less than {tolerance_k:g} K; loop gain {gain:.3g}")


def _check(tolerance_k: float, limit_k: float, most_iterations: int, ambient_k: float) -> None:
    if not (np.isfinite(tolerance_k) and tolerance_k > 0):
        raise InputError(f"is {shown(tolerance_k)}", key="tolerance_k", allowed="a finite number over 0")
    if not limit_k > ambient_k:
        raise InputError(f"is {shown(limit_k)}", key="limit_k", allowed=f"more than the air's {ambient_k:g} K")
    if isinstance(most_iterations, bool) or not isinstance(most_iterations, int) or most_iterations < 1:
        raise InputError(f"is {shown(most_iterations)}", key="most_iterations", allowed="a whole number over 0")


def _runaway(iteration: int, reached: str, in_all_w: float, limit_k: float) -> InputError:
    words = f"thermal runaway: no steady state below {limit_k:g} K"
    words += f"; in iteration {iteration} {reached} with {in_all_w:.4g} W on the chip"
    return InputError(words, key="leakage", allowed="less power, less leakage or a better heat sink")
