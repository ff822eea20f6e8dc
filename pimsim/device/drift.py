"""Drift: conductances fall by a power law of the time since they were written.

    G(t) = G(t0) (t / t0)^-nu

The law of phase-change memory (Ielmini et al., 2007; exponents of 0.005 to 0.1 are usual, recalled); nu differs from
cell to cell and from write to write.
"""

from __future__ import annotations

import numpy as np


def drifted(
    conductance: np.ndarray, exponent: np.ndarray | float, *, time_s: float, reference_time_s: float
) -> np.ndarray:
    """Conductances [S] after ``time_s``.

    Args:
        conductance: at the reference time [S], any shape.
        exponent: nu, a number or of the same shape.
        time_s: t, from the write on.
        reference_time_s: t0; the law holds from there on.
    """
    return conductance * (time_s / reference_time_s) ** -np.asarray(exponent)


def drift_exponents(shape: tuple[int, ...], mean: float, sigma: float, write: np.random.Generator) -> np.ndarray:
    """Exponents of cells that were written at the same time: normal, but 0 where that would be below."""
    return np.maximum(mean + sigma * write.standard_normal(shape), 0.0)
