"""Temperatures in a closed form: columns of tiers that do not touch each other.

Tier 0 is the farthest from the sink, as everywhere here; tiers below it have higher numbers.  The heat of a tier
crosses every layer between it and the package, together with the heat of all tiers farther away:

    T(n, k) = T_air + sum_i P(n, i) (R_i..bottom shared with k) + R_b sum_i P(n, i) + R_s sum_m,i P(m, i)

where the shared resistance is that of the layers below the lower one of i and k.  R_b is of the column's foot, R_s of
the package that all columns share.  With R_s = 0, and for the tier farthest from the sink, this is the formula of Cong,
Wei and Zhang (ICCAD 2004) that the placement of 3D chips has used since; for nearer tiers that formula leaves out the
heat that comes through from farther ones, which is here.

What lies beside each other does not warm each other more than what lies far apart: where powers differ little, the
middle of a real die is the hottest, and here all columns are alike.  The searches of `pimsim.mapping.placement` take
:mod:`pimsim.thermal.resistances` therefore.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from pimsim.errors import InputError, shown
from pimsim.thermal.conduction import Conduction
from pimsim.thermal.stack import Stack
from pimsim.thermal.steady import steady_state

PACKAGE_CELLS = 16  #: of the grid that the shared resistance is read from


@dataclass(frozen=True)
class ColumnModel:
    """Resistances of one of ``columns`` equal columns, and of what they share."""

    tier_resistance: np.ndarray  #: (tiers,) from where its heat is made to the next tier's; the last one's: to the foot
    foot_resistance: float  #: of each column, R_b [K/W]
    shared_resistance: float  #: of the package, R_s [K/W]
    ambient_k: float

    @property
    def mutual(self) -> np.ndarray:
        """(tiers, tiers) rise of one tier for each watt in another of its column [K/W], without the shared part."""
        below = np.cumsum(self.tier_resistance[::-1])[::-1]
        return np.minimum.outer(below, below) + self.foot_resistance


def column_model(stack: Stack, columns: int, *, share_package: bool = True) -> ColumnModel:
    """The resistances of a stack whose die is cut into equal columns.

    Args:
        stack: what lies on what; a path to the board is left out (the heat goes to the sink).
        columns: how many.
        share_package: the layers wider than the die, and the convection, are one resistance that all columns share: the
            rise of the die's foot for each watt spread evenly over the die, read from a coarse grid.  False: each
            column has its own share of a package as narrow as the die, as in the formula of 2004; far too hot where
            power is uneven, since real packages spread heat.

    Raises:
        InputError: no whole number of columns, or no convection at the sink.
    """
    if isinstance(columns, bool) or not isinstance(columns, (int, np.integer)) or columns < 1:
        raise InputError(f"is {shown(columns)}", key="columns", allowed="a whole number, at least 1")
    if not np.isfinite(stack.convection_resistance):
        raise InputError("a column needs a way to the sink", key="convection_resistance", allowed="a finite number")
    heats = np.flatnonzero([layer.tier for layer in stack.layers])
    own = [layer.thickness_m / layer.conductivity / (stack.area_m2 / columns) for layer in stack.layers]
    foot = heats[-1] + 1  # the layer after the last tier's silicon
    while foot < len(stack.layers) and stack.size_of(stack.layers[foot]) == (stack.width_m, stack.depth_m):
        foot += 1
    ends = [*heats[1:], foot]
    tiers = np.array([sum(own[start:end]) for start, end in zip(heats, ends, strict=True)])
    if not share_package:
        return ColumnModel(tiers, sum(own[foot:]) + stack.convection_resistance * columns, 0.0, stack.ambient_k)
    if foot == len(stack.layers):
        return ColumnModel(tiers, 0.0, stack.convection_resistance, stack.ambient_k)
    return ColumnModel(tiers, 0.0, _shared(replace(stack, board_resistance=math.inf), tiers / columns), stack.ambient_k)


def column_temperatures(power_w: np.ndarray, model: ColumnModel) -> np.ndarray:
    """Temperatures [K] of every tier of every column.

    Args:
        power_w: (..., tiers, columns) [W]; leading axes are candidates.
        model: of :func:`column_model`.

    Returns:
        (..., tiers, columns) temperatures [K].

    Raises:
        InputError: another number of tiers.
    """
    power_w = np.asarray(power_w, dtype=float)
    tiers = len(model.tier_resistance)
    if power_w.ndim < 2 or power_w.shape[-2] != tiers:
        raise InputError(f"has shape {shown(power_w.shape)}", key="power_w", allowed=f"(..., {tiers} tiers, columns)")
    shared = model.shared_resistance * power_w.sum(axis=(-2, -1), keepdims=True)
    return np.asarray(model.ambient_k + model.mutual @ power_w + shared)


def _shared(stack: Stack, whole_die: np.ndarray) -> float:
    """Mean rise of the die's foot for each watt spread evenly over it [K/W].

    Args:
        whole_die: (tiers,) resistance of each tier and what is below it, of the whole die [K/W].
    """
    conduction = Conduction(stack, PACKAGE_CELLS, PACKAGE_CELLS)
    power = np.zeros(conduction.grid.shape)
    power[-1] = 1 / (PACKAGE_CELLS * PACKAGE_CELLS)
    found = steady_state(conduction, power)
    return float(found.tier_mean_k[-1] - stack.ambient_k - whole_die[-1] * found.to_sink_w)
