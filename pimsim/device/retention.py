"""Retention: conductances relax by a stretched exponential.

    G(t) = G_end + (G(0) - G_end) exp(-(t / tau)^beta)

(Kohlrausch's law, used for the retention of filaments in ReRAM.)  Temperature shortens tau by Arrhenius' law:

    tau(T) = tau(T_ref) exp(E_a / k (1 / T - 1 / T_ref))
"""

from __future__ import annotations

import math

import numpy as np

from pimsim.device.read_noise import BOLTZMANN, ELEMENTARY_CHARGE


def relaxed(
    conductance: np.ndarray, end: float, *, time_s: float, tau_s: float, stretch: float = 1.0
) -> np.ndarray:
    """Conductances [S] after ``time_s``.

    Args:
        conductance: as written [S], any shape.
        end: where they end up [S].
        time_s: t, since they were written.
        tau_s: tau; the distance has fallen to 1/e then.
        stretch: beta.
    """
    return conductance + (end - conductance) * gone(time_s, tau_s, stretch)


def gone(time_s: float, tau_s: float, stretch: float = 1.0) -> float:
    """Share of the distance to the end that is behind: 1 - exp(-(t / tau)^beta)."""
    if time_s == 0:
        return 0.0
    exponent = stretch * math.log(time_s / tau_s)
    return -math.expm1(-math.exp(exponent)) if exponent < 7 else 1.0  # exp(-exp(7)) is 0 in float64


def arrhenius_tau(tau_s: float, *, activation_ev: float, temperature_k: float, reference_temperature_k: float) -> float:
    """tau [s] at a temperature, from that at another.

    Args:
        tau_s: at the reference temperature.
        activation_ev: E_a [eV].
    """
    energy_k = activation_ev * ELEMENTARY_CHARGE / BOLTZMANN  # as a temperature
    exponent = energy_k * (1 / temperature_k - 1 / reference_temperature_k)
    return tau_s * math.exp(min(max(exponent, -600.0), 600.0))  # beyond it is never, or at once
