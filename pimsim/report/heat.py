"""Temperatures of a stack as pictures: every tier from above, and the hottest cell of each tier against time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pimsim.report.plots import style
from pimsim.report.plots.dark import means_values
from pimsim.thermal import TemperatureMap, Transient

ZERO_CELSIUS_K = 273.15
SIDE_BY_SIDE = 4  #: tiers in a row
COLOURS = "inferno"
_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"))
_MOST_NAMED = 8  #: lines that bear their tier's name


def save_heat(
    found: TemperatureMap, folder: Path, name: str, *, transient: Transient | None = None, kinds: Sequence[str] = (),
    formats: tuple[str, ...] = ("png", "svg"),
) -> list[Path]:  # fmt: skip
    """Draw ``heat`` and, with a transient, ``heat_transient`` into ``folder``; the files written.

    Args:
        found: the steady state.
        name: what was run on what, for the titles.
        transient: temperatures in time.
        kinds: (tiers,) what each tier holds; empty: not said.
    """
    with style.in_style():
        files = style.save(draw_map(found, name, kinds), folder / "heat", formats)
        if transient is not None:
            files += style.save(draw_transient(transient, name), folder / "heat_transient", formats)
    return files


def draw_map(found: TemperatureMap, name: str, kinds: Sequence[str] = ()) -> Figure:
    """Every tier from above, side by side, in one scale of colours; the hottest spot is marked."""
    celsius = found.temperature_k - ZERO_CELSIUS_K
    tiers = len(celsius)
    across = min(tiers, SIDE_BY_SIDE)
    down = math.ceil(tiers / across)
    panel = 2.7 if tiers > 1 else 3.6
    shape = min(max(found.depth_m / found.width_m, 0.3), 3.0)
    figure = Figure(figsize=(across * panel + 0.9, down * (panel * shape + 0.55) + 0.6), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    scale = Normalize(float(celsius.min()), max(float(celsius.max()), float(celsius.min()) + 1e-3))
    for tier, axes in enumerate(panels.flat):
        if tier >= tiers:
            axes.axis("off")
            continue
        _draw_tier(axes, celsius[tier], found, scale)
        kind = f" ({kinds[tier]})" if kinds else ""
        axes.set_title(f"tier {tier}{kind}{_place(tier, tiers)}\nmean {celsius[tier].mean():.1f}, max "
                       f"{celsius[tier].max():.1f} °C", fontsize=8.5, fontweight="normal")  # fmt: skip
        if tier % across == 0:
            axes.set_ylabel("y [mm]")
        if tier + across >= tiers:
            axes.set_xlabel("x [mm]")
            axes.tick_params(labelbottom=True)
    spot = found.hottest
    _mark(panels.flat[spot.tier], spot.x_m * 1e3, spot.y_m * 1e3)
    bar = figure.colorbar(ScalarMappable(scale, COLOURS), ax=panels, shrink=0.9, pad=0.02)
    bar.set_label("temperature [°C]")
    figure.suptitle(f"{_escaped(name)}\n{map_words(found)}", x=0.01, ha="left", fontsize=10, fontweight="bold")
    return _laid_out(figure)


def map_words(found: TemperatureMap) -> str:
    """What the picture says, in a line."""
    spot = found.hottest
    celsius, rise = spot.temperature_k - ZERO_CELSIUS_K, spot.temperature_k - found.ambient_k
    where = f"tier {spot.tier} at ({spot.x_m * 1e3:.3g}, {spot.y_m * 1e3:.3g}) mm"
    return f"{found.power_w.sum():.3g} W: hottest {celsius:.1f} °C, {rise:.1f} K above the air, on {where}"


def draw_transient(transient: Transient, name: str) -> Figure:
    """Temperature of the hottest cell of each tier against time, on a logarithmic scale where times span decades."""
    hottest = transient.tier_max_k - ZERO_CELSIUS_K
    size, unit = next((each for each in _TIMES if transient.time_s[-1] >= each[0]), _TIMES[-1])
    times = transient.time_s / size
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    tiers = hottest.shape[1]
    for tier in range(tiers):
        label = f"tier {tier}{_place(tier, tiers)}" if tier < _MOST_NAMED else None
        axes.plot(times, hottest[:, tier], color=style.PALETTE[tier % len(style.PALETTE)], linewidth=1.4,
                  linestyle=("-", "--", ":")[tier // len(style.PALETTE) % 3], label=label)  # fmt: skip
    later = times[times > 0]
    if len(later) > 2 and later[-1] > 100 * later[0]:
        axes.set_xscale("log")
    axes.set_xlabel(f"time [{unit}]")
    axes.set_ylabel("hottest cell [°C]")
    axes.grid(color=style.LIGHT, linewidth=0.7)
    axes.legend(loc="best")
    axes.set_title(f"{_escaped(name)}\n{transient_words(transient)}")
    return _laid_out(figure)


def transient_words(transient: Transient) -> str:
    """What the picture says, in a line."""
    hottest = transient.tier_max_k
    place, tier = np.unravel_index(int(np.argmax(hottest)), hottest.shape)
    time = float(transient.time_s[place])
    size, unit = next((each for each in _TIMES if time >= each[0]), _TIMES[-1])
    return f"hottest {hottest[place, tier] - ZERO_CELSIUS_K:.1f} °C, tier {tier} after {time / size:.3g} {unit}"


def _laid_out(figure: Figure) -> Figure:
    """With everything in its place for good: each drawing would move it a little more."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def _draw_tier(axes: Axes, celsius: np.ndarray, found: TemperatureMap, scale: Normalize) -> None:
    extent = (0.0, found.width_m * 1e3, 0.0, found.depth_m * 1e3)
    axes.imshow(celsius, cmap=COLOURS, norm=scale, origin="lower", extent=extent, interpolation="nearest")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4))
    for side in ("top", "right"):
        axes.spines[side].set_visible(True)


def _mark(axes: Axes, x: float, y: float) -> None:
    """A ring that shows on bright and on dark."""
    for colour, width in (("white", 3.0), ("black", 1.2)):
        (ring,) = axes.plot([x], [y], "o", markersize=11, markerfacecolor="none", markeredgecolor=colour,
                            markeredgewidth=width)  # fmt: skip
        means_values(ring)


def _place(tier: int, tiers: int) -> str:
    if tiers == 1:
        return ""
    return {0: ", far from the sink", tiers - 1: ", at the sink"}.get(tier, "")


def _escaped(name: str) -> str:
    return name.replace("$", r"\$")
