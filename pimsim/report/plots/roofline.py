"""Roofline: what GPUs can reach at an operational intensity, what networks reach on them and on the chip.

Weights stay in the crossbars of a chip, so that the bandwidth of a memory does not bound it: its roof is flat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pimsim.report.plots.style import DARK, LIGHT, PALETTE

MARKERS = "osD^vP*X"
LINES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Roof:
    """What bounds a device; without a bandwidth the roof is flat."""

    name: str
    peak_flops_per_s: float
    bandwidth_bytes_per_s: float | None


@dataclass(frozen=True)
class Reached:
    """A network on a device."""

    workload: str
    device: str  #: name of a roof
    flops_per_byte: float
    flops_per_s: float


def draw(roofs: Sequence[Roof], reached: Sequence[Reached], chips: Sequence[str]) -> Figure:
    """Roofs as lines, networks as markers; those on ``chips`` are filled and large."""
    figure = Figure(figsize=(10, 5.4), layout="constrained")
    axes = figure.subplots()
    ridges = [roof.peak_flops_per_s / roof.bandwidth_bytes_per_s for roof in roofs if roof.bandwidth_bytes_per_s]
    near = [each.flops_per_byte for each in reached] + ridges
    low, high = min(near) / 4, max(near) * 8
    intensity = np.geomspace(low, high, 200)
    devices = dict.fromkeys([*(roof.name for roof in roofs), *(each.device for each in reached)])
    colours = {name: PALETTE[n % len(PALETTE)] for n, name in enumerate(devices)}
    for n, roof in enumerate(roofs):
        _roof(axes, roof, intensity, colours[roof.name], n, roof.name in chips)
    for name in list(devices)[len(roofs) :]:
        axes.plot([], [], "o", markerfacecolor="white", color=colours[name], label=f"{name}, measured")
    names = list(dict.fromkeys(each.workload for each in reached))
    for each in reached:
        _marker(axes, each, names, colours, each.device in chips)
    for n, name in enumerate(names):
        axes.plot([], [], linestyle="", marker=MARKERS[n % len(MARKERS)], markerfacecolor=DARK, color=DARK,
                  label=name.replace("$", r"\$"))  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(low, high)
    axes.set_xlabel("operational intensity [FLOP/byte of memory traffic on a GPU]")
    axes.set_ylabel("rate [FLOP/s]")
    axes.grid(color=LIGHT, linewidth=0.7)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    return figure


def _roof(axes: Axes, roof: Roof, intensity: np.ndarray, colour: str, n: int, is_chip: bool) -> None:
    slanted = np.inf if roof.bandwidth_bytes_per_s is None else intensity * roof.bandwidth_bytes_per_s
    height = np.minimum(roof.peak_flops_per_s, slanted) * np.ones_like(intensity)
    axes.plot(intensity, height, color=colour, linewidth=2.4 if is_chip else 1.2,
              linestyle="-" if is_chip else LINES[n % len(LINES)], zorder=2,
              label=roof.name + (" (peak)" if is_chip else ""))  # fmt: skip


def _marker(axes: Axes, each: Reached, names: Sequence[str], colours: dict[str, str], is_chip: bool) -> None:
    colour = colours[each.device]
    axes.plot([each.flops_per_byte], [each.flops_per_s], linestyle="",
              marker=MARKERS[names.index(each.workload) % len(MARKERS)], markersize=11 if is_chip else 6,
              markerfacecolor=colour if is_chip else "white", markeredgecolor="black" if is_chip else colour,
              zorder=4 if is_chip else 3)  # fmt: skip
