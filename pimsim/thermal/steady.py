"""The steady state: temperatures once they change no more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.errors import InputError
from pimsim.thermal.conduction import Conduction
from pimsim.thermal.power_map import PowerMap

MOST_IMBALANCE = 1e-3  #: heat out less heat in, of heat in, at which a solution is refused


@dataclass(frozen=True)
class Spot:
    """One cell of one tier."""

    temperature_k: float
    tier: int
    x_m: float  #: its middle, from the die's edge
    y_m: float


@dataclass(frozen=True)
class TemperatureMap:
    """Temperatures of all tiers, and where the heat goes."""

    temperature_k: np.ndarray  #: (tiers, y cells, x cells) of the faces on which heat is made
    power_w: np.ndarray  #: (tiers, y cells, x cells)
    rise_k: np.ndarray  #: (nodes,) above the air, of all planes; a guess for the next solution
    ambient_k: float
    width_m: float  #: of the die, along x
    depth_m: float  #: of the die, along y
    to_sink_w: float  #: heat that leaves at the sink
    to_board_w: float  #: heat that leaves through the board
    iterations: int  #: of the solver

    @property
    def hottest(self) -> Spot:
        """The hottest cell of all tiers, the first of equals."""
        tier, row, column = np.unravel_index(int(np.argmax(self.temperature_k)), self.temperature_k.shape)
        _, rows, columns = self.temperature_k.shape
        return Spot(
            float(self.temperature_k[tier, row, column]), int(tier),
            float((column + 0.5) * self.width_m / columns), float((row + 0.5) * self.depth_m / rows),
        )  # fmt: skip

    @property
    def tier_max_k(self) -> np.ndarray:
        """(tiers,) hottest cell of each."""
        return np.asarray(self.temperature_k.max(axis=(1, 2)))

    @property
    def tier_mean_k(self) -> np.ndarray:
        """(tiers,) mean over the area of each."""
        return np.asarray(self.temperature_k.mean(axis=(1, 2)))

    @property
    def imbalance(self) -> float:
        """Heat out less heat in, relative to heat in; 0 is exact."""
        heat = float(self.power_w.sum())
        return (self.to_sink_w + self.to_board_w - heat) / heat if heat else 0.0


def steady_state(
    conduction: Conduction, power: PowerMap | np.ndarray, *, guess: np.ndarray | None = None
) -> TemperatureMap:
    """Temperatures under a constant power.

    Args:
        conduction: the stack's grid and solver, which many powers may share.
        power: rectangles, or (tiers, y cells, x cells) [W].
        guess: ``rise_k`` of a similar case, which saves iterations.

    Raises:
        InputError: a power that does not fit the stack; no convergence; more or less heat out than in.
    """
    grid = conduction.grid
    power_w = power.on(grid) if isinstance(power, PowerMap) else np.asarray(power, dtype=float)
    rise = conduction.solve(conduction.nodes_of(power_w), guess=guess)
    found = TemperatureMap(
        grid.stack.ambient_k + grid.of_tiers(rise), power_w, rise, grid.stack.ambient_k,
        grid.stack.width_m, grid.stack.depth_m,
        float(grid.to_sink_air @ rise), float(grid.to_board_air @ rise), conduction.iterations,
    )  # fmt: skip
    if not abs(found.imbalance) <= MOST_IMBALANCE:
        words = f"{found.power_w.sum():.4g} W go in and {found.to_sink_w + found.to_board_w:.4g} W come out"
        raise InputError(words, key="thermal", allowed="a heat path not millions of times worse than the layers")
    return found
