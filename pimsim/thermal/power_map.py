"""Where heat is made: powers on rectangles of tiers, and the cells that they fall on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.errors import InputError
from pimsim.thermal.grid import Grid

EDGE = 1e-9  #: share of the die by which a rectangle may jut out: rounding of places and sizes


@dataclass(frozen=True)
class PowerMap:
    """Rectangles with a power each; they may lie on each other, and their powers add.

    Raises:
        InputError: arrays of several lengths, a size that is not positive, a power that is negative.
    """

    x_m: np.ndarray  #: (rectangles,) left edge, from the die's
    y_m: np.ndarray  #: (rectangles,) lower edge, from the die's
    width_m: np.ndarray  #: (rectangles,) along x
    depth_m: np.ndarray  #: (rectangles,) along y
    tier: np.ndarray  #: (rectangles,) 0: the farthest from the sink
    power_w: np.ndarray  #: (rectangles,) spread evenly

    def __post_init__(self) -> None:
        for name in ("x_m", "y_m", "width_m", "depth_m", "power_w"):
            object.__setattr__(self, name, np.atleast_1d(np.asarray(getattr(self, name), dtype=float)))
        object.__setattr__(self, "tier", np.atleast_1d(np.asarray(self.tier)))
        for name in ("y_m", "width_m", "depth_m", "tier", "power_w"):
            if getattr(self, name).shape != self.x_m.shape or self.x_m.ndim != 1:
                raise InputError("has another length than `x_m`", key=name)
        if not np.issubdtype(self.tier.dtype, np.integer) and self.tier.size:
            raise InputError("is no whole number", key="tier")
        for name, bad, allowed in (
            ("x_m", ~np.isfinite(self.x_m), "a finite number"),
            ("y_m", ~np.isfinite(self.y_m), "a finite number"),
            ("width_m", ~(np.isfinite(self.width_m) & (self.width_m > 0)), "a finite number over 0"),
            ("depth_m", ~(np.isfinite(self.depth_m) & (self.depth_m > 0)), "a finite number over 0"),
            ("power_w", ~(np.isfinite(self.power_w) & (self.power_w >= 0)), "a finite number of at least 0"),
        ):
            if bad.any():
                place = int(np.argmax(bad))
                raise InputError(f"is {getattr(self, name)[place]:g}", key=f"{name}[{place}]", allowed=allowed)

    @property
    def total_w(self) -> float:
        """Of all rectangles."""
        return float(self.power_w.sum())

    def on(self, grid: Grid) -> np.ndarray:
        """(tiers, y cells, x cells) power of each cell, by the area that a rectangle shares with it.

        The sum over cells is the sum over rectangles.

        Raises:
            InputError: a rectangle that is not on the die, or a tier that there is not.
        """
        tiers = grid.shape[0]
        wrong = (self.tier < 0) | (self.tier >= tiers)
        if wrong.any():
            place = int(np.argmax(wrong))
            raise InputError(f"is {self.tier[place]}", key=f"tier[{place}]", allowed=f"0 to {tiers - 1}")
        x_share = _shares(self.x_m, self.width_m, grid.stack.width_m, grid.x.cells, "x_m")
        y_share = _shares(self.y_m, self.depth_m, grid.stack.depth_m, grid.y.cells, "y_m")
        power = np.zeros(grid.shape)
        for tier in range(tiers):
            on = self.tier == tier
            power[tier] = (y_share[on] * self.power_w[on, None]).T @ x_share[on]
        return power

    def mean_of(self, values: np.ndarray, grid: Grid) -> np.ndarray:
        """(rectangles,) mean over each rectangle's area of (tiers, y cells, x cells) values, such as temperatures.

        Raises:
            InputError: as of :meth:`on`.
        """
        x_share = _shares(self.x_m, self.width_m, grid.stack.width_m, grid.x.cells, "x_m")
        y_share = _shares(self.y_m, self.depth_m, grid.stack.depth_m, grid.y.cells, "y_m")
        return np.einsum("ry,ryx,rx->r", y_share, values[self.tier], x_share)


def _shares(start: np.ndarray, size: np.ndarray, die: float, cells: int, key: str) -> np.ndarray:
    """(rectangles, cells) share of each rectangle's length that lies in each cell; rows add up to 1."""
    end = start + size
    outside = (start < -EDGE * die) | (end > die * (1 + EDGE))
    if outside.any():
        place = int(np.argmax(outside))
        words = f"the rectangle from {start[place]:g} to {end[place]:g} m is not on the die"
        raise InputError(words, key=f"{key}[{place}]", allowed=f"0 to {die:g} m")
    edges = np.linspace(0, die, cells + 1)
    edges[0], edges[-1] = -np.inf, np.inf  # what juts out by rounding belongs to the last cell
    shared = np.minimum(end[:, None], edges[1:]) - np.maximum(start[:, None], edges[:-1])
    shared = np.maximum(shared, 0.0)
    total = shared.sum(axis=1, keepdims=True)
    if not np.all(total > 0):
        raise InputError("is too narrow for the place where it lies", key=f"{key}[{int(np.argmin(total))}]")
    return shared / total
