"""Roofline: what GPUs can reach at an operational intensity, what networks reach on them and on the chip.

Weights stay in the crossbars of a chip, so that the bandwidth of a memory does not bound it: its roof is flat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pimsim.report.plots.style import DARK, LIGHT, PALETTE

MARKERS = "osD^vP*X"
LINES = ("-", "--", "-.", ":")
ONE_PLACE = 0.15  #: markers nearer than that lie on each other [decades]
NAME_HEIGHT = 0.042  #: least distance of two names [of the axes' height]


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
    result: str = ""  #: name of the result, where it is one


def draw(roofs: Sequence[Roof], reached: Sequence[Reached], chips: Sequence[str]) -> Figure:
    """Roofs as lines with their names at the right end, networks as markers; those on ``chips`` are filled and large,
    and numbered where several results are of one network on one system."""
    figure = Figure(figsize=(10, 5.4), layout="constrained")
    axes = figure.subplots()
    ridges = [roof.peak_flops_per_s / roof.bandwidth_bytes_per_s for roof in roofs if roof.bandwidth_bytes_per_s]
    near = [each.flops_per_byte for each in reached] + ridges
    low, high = min(near) / 4, max(near) * 8
    intensity = np.geomspace(low, high, 200)
    devices = list(dict.fromkeys([*(roof.name for roof in roofs), *(each.device for each in reached)]))
    looks = {name: look(n) for n, name in enumerate(devices)}
    for roof in roofs:
        _roof(axes, roof, intensity, looks[roof.name], roof.name in chips)
    names = list(dict.fromkeys(each.workload for each in reached))
    numbers = _numbers([each for each in reached if each.device in chips])
    axes.set_xscale("log")
    axes.set_yscale("log")
    for each in reached:
        _marker(axes, each, names, looks[each.device][0], each.device in chips)
    _write_numbers(axes, [each for each in reached if each.result in numbers], numbers)
    axes.set_xlim(low, high)
    axes.set_xlabel("operational intensity [FLOP/byte of memory traffic on a GPU]")
    axes.set_ylabel("rate [FLOP/s]")
    axes.grid(color=LIGHT, linewidth=0.7)
    _names_of_roofs(axes, roofs, looks, chips)
    alone = [name for name in devices if name not in {roof.name for roof in roofs}]
    handles = _legend(names, numbers, {f"{name}, measured": looks[name][0] for name in alone})
    figure.legend(handles=handles, loc="outside lower left", ncols=4, fontsize=8)
    return figure


def look(n: int) -> tuple[str, str]:
    """Colour and line of the n-th device: no two are the same among the first 32."""
    return PALETTE[n % len(PALETTE)], LINES[(n + n // len(PALETTE)) % len(LINES)]


def _numbers(results: Sequence[Reached]) -> dict[str, int]:
    """A number for each result, where markers alone do not tell them apart."""
    pairs = [(each.workload, each.device) for each in results]
    return {} if len(set(pairs)) == len(pairs) else {each.result: n for n, each in enumerate(results, 1)}


def _roof(axes: Axes, roof: Roof, intensity: np.ndarray, shown: tuple[str, str], is_chip: bool) -> None:
    slanted = np.inf if roof.bandwidth_bytes_per_s is None else intensity * roof.bandwidth_bytes_per_s
    height = np.minimum(roof.peak_flops_per_s, slanted) * np.ones_like(intensity)
    axes.plot(intensity, height, color=shown[0], linewidth=2.4 if is_chip else 1.2, linestyle=shown[1], zorder=2)


def _names_of_roofs(
    axes: Axes, roofs: Sequence[Roof], looks: dict[str, tuple[str, str]], chips: Sequence[str]
) -> None:
    """Right of the axes, each at the height of its roof, or as near as the others' names leave room."""
    low, high = np.log10(axes.get_ylim())
    ordered = sorted(roofs, key=lambda roof: -roof.peak_flops_per_s)
    places: list[float] = []  # of the whole height, from below
    for roof in ordered:
        wanted = (np.log10(roof.peak_flops_per_s) - low) / (high - low)
        places.append(min(wanted, places[-1] - NAME_HEIGHT if places else 1.0))
    for roof, place in zip(ordered, places, strict=True):
        colour, line = looks[roof.name]
        words = roof.name + (" (peak)" if roof.name in chips else "")
        axes.annotate(words.replace("$", r"\$"), (1, roof.peak_flops_per_s), (1.05, place),
                      xycoords=("axes fraction", "data"), textcoords="axes fraction", va="center", fontsize=7.5,
                      color=DARK, arrowprops={"arrowstyle": "-", "color": colour, "linestyle": line,
                                              "linewidth": 1.4, "shrinkA": 1, "shrinkB": 0})  # fmt: skip


def _marker(axes: Axes, each: Reached, names: Sequence[str], colour: str, is_chip: bool) -> None:
    axes.plot([each.flops_per_byte], [each.flops_per_s], linestyle="",
              marker=MARKERS[names.index(each.workload) % len(MARKERS)], markersize=11 if is_chip else 6,
              markerfacecolor=colour if is_chip else "white", markeredgecolor="black" if is_chip else colour,
              zorder=4 if is_chip else 3)  # fmt: skip


def _write_numbers(axes: Axes, results: Sequence[Reached], numbers: dict[str, int]) -> None:
    """Beside the markers; results whose markers lie on each other share a place."""
    places: list[tuple[np.ndarray, list[Reached]]] = []
    for each in results:
        at = np.log10([each.flops_per_byte, each.flops_per_s])
        near = next((found for place, found in places if (np.abs(place - at) < ONE_PLACE).all()), None)
        if near is None:
            places.append((at, [each]))
        else:
            near.append(each)
    for _, found in places:
        words = ", ".join(str(numbers[each.result]) for each in found)
        axes.annotate(words, (found[0].flops_per_byte, found[0].flops_per_s), (9, 5), textcoords="offset points",
                      fontsize=8, fontweight="bold", color=DARK)  # fmt: skip


def _legend(names: Sequence[str], numbers: dict[str, int], measured: dict[str, str]) -> list[Line2D]:
    """Markers of networks, numbers of results, and devices without a roof."""
    entries = [Line2D([], [], linestyle="", marker=MARKERS[n % len(MARKERS)], color=DARK, label=_plain(name))
               for n, name in enumerate(names)]  # fmt: skip
    entries += [Line2D([], [], linestyle="", marker=f"${n}$", color=DARK, label=_plain(name))
                for name, n in numbers.items()]  # fmt: skip
    return entries + [Line2D([], [], linestyle="", marker="o", markerfacecolor="white", color=colour,
                             label=_plain(name)) for name, colour in measured.items()]  # fmt: skip


def _plain(name: str) -> str:
    return name.replace("$", r"\$")
