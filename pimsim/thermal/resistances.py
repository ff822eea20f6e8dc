"""What one watt in one place warms every other place by: all that a steady state without leakage depends on.

Conduction is linear, so that temperatures under any powers P are T_air + R P.  One solution of the grid for each place
gives R once and for all; thousands of powers then cost a product each, a change of one power a column of R.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pimsim.thermal.conduction import Conduction
from pimsim.thermal.power_map import PowerMap


def thermal_resistances(conduction: Conduction, places: PowerMap) -> np.ndarray:
    """(rectangles, rectangles) mean rise of each rectangle above the air for each watt in another one [K/W].

    Args:
        conduction: the stack's grid and solver.
        places: rectangles; their powers do not matter.

    Raises:
        InputError: a rectangle that is not on the die; no convergence.
    """
    grid, n = conduction.grid, places.x_m.size
    found = np.empty((n, n))
    for at in range(n):
        power = replace(places, power_w=np.arange(n) == at).on(grid)
        rise = conduction.solve(conduction.nodes_of(power))
        found[:, at] = places.mean_of(grid.of_tiers(rise), grid)
    return found
