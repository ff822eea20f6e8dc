"""Noise of one read, as a variance of the conductance that a driven cell seems to have.

A read averages over a bandwidth f at a voltage V across the cell.  The currents' variances

    thermal (Johnson 1928, Nyquist 1928):  sigma_I^2 = 4 k T f G
    shot (Schottky 1918):                  sigma_I^2 = 2 q f I,  I = G V

divided by V^2 are variances of G, as PytorX has them (He et al., DAC 2019; its constants are rounded):

    sigma_G^2 = 4 k T f G / V^2 + 2 q f G / V

Both are linear in G, so the variance of a bitline's sum depends on the sum alone.  sigma grows as sqrt(f), and its
thermal part as sqrt(T).
"""

from __future__ import annotations

import numpy as np

BOLTZMANN = 1.380649e-23  #: k [J/K], exact in the SI of 2019
ELEMENTARY_CHARGE = 1.602176634e-19  #: q [C], exact in the SI of 2019


def thermal_variance(
    conductance: np.ndarray, *, frequency_hz: float, temperature_k: float, voltage_v: float
) -> np.ndarray:
    """Variance [S^2] by thermal noise, of conductances [S]."""
    return 4 * BOLTZMANN * temperature_k * frequency_hz * conductance / voltage_v**2


def shot_variance(conductance: np.ndarray, *, frequency_hz: float, voltage_v: float) -> np.ndarray:
    """Variance [S^2] by shot noise, of conductances [S]."""
    return 2 * ELEMENTARY_CHARGE * frequency_hz * conductance / voltage_v
