"""Random telegraph noise: a trap beside the filament is full in some reads, and the resistance differs in these.

Relative to the resistance, the difference is x(G) = b + a / G: the larger, the thinner the filament.

    decrease:  R -> R (1 + x),  dG = -G x / (1 + x) = -G (b G + a) / (G + b G + a)
    increase:  R -> R (1 - x),  dG =  G x / (1 - x) =  G (b G + a) / (G - (b G + a))

PytorX (He et al., DAC 2019) has the second with a = 1.662e-7 S, b = 0.0015 and a probability of 0.5; another program of
the same field the first, at all times.  So the sign is ambiguous, and both are here.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

LARGEST = 0.9
"""Of x in an increase, which has a pole at x = 1, where G = a / (1 - b): below that the law means nothing."""


def telegraph_step(
    conductance: np.ndarray, *, a: float, b: float, sign: Literal["increase", "decrease"]
) -> np.ndarray:
    """How much the conductance differs while the trap is full [S].

    Args:
        conductance: while it is empty [S], any shape, not negative.
        a: [S].
        b: a fraction.
        sign: of the difference.
    """
    part = b * conductance + a  # x G
    if sign == "decrease":
        whole = conductance + part
        return -np.divide(conductance * part, whole, out=np.zeros_like(whole), where=whole > 0)
    part = np.minimum(part, LARGEST * conductance)
    rest = conductance - part
    return np.divide(conductance * part, rest, out=np.zeros_like(rest), where=rest > 0)


def telegraph_moments(step: np.ndarray, probability: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean [S] and variance [S^2] of the difference in one read: p dG and p (1 - p) dG^2.

    Args:
        step: dG, from :func:`telegraph_step`.
        probability: p of a read in which the trap is full.
    """
    return probability * step, probability * (1 - probability) * step**2
