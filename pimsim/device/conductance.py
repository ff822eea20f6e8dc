"""Levels and conductances: the linear map between them.

    G(level) = G_min + level (G_max - G_min) / (2^b - 1)

with b bits a cell, as in PytorX (He et al., Noise Injection Adaption, DAC 2019) and CrossSim; both write one step as
(G_max - G_min) / 2^b or / (2^b - 1), here the highest level is G_max itself.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Array = np.ndarray


def level_step(g_min: float, g_max: float, cell_bits: int) -> float:
    """Distance of neighbouring levels [S]."""
    return (g_max - g_min) / (2**cell_bits - 1)


def conductance_of(levels: Array, g_min: float, step: float) -> Array:
    """Conductances [S] of levels, of the same shape, float64."""
    return g_min + np.asarray(levels, dtype=np.float64) * step


def absolute_sigma(
    sigma: float, relative_to: Literal["range", "step", "value"], conductance: Array, full_range: float, step: float
) -> Array | float:
    """Standard deviation [S] from a fraction.

    Args:
        sigma: the fraction.
        relative_to: of what: ``range``, ``step``, or ``value``, each cell's own conductance.
        conductance: of the cells [S].
        full_range: G_max - G_min [S].
        step: distance of neighbouring levels [S].
    """
    if relative_to == "value":
        return sigma * np.asarray(conductance)
    return sigma * (full_range if relative_to == "range" else step)
