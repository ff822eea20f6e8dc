"""Area of a chip by component: a bar for each component, systems side by side."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from pimsim.report.plots.style import LIGHT, PALETTE

MOST_SYSTEMS = 4
MOST_PARTS = 12  #: components
HATCHES = ("", "////", "....", "xxxx")


def draw(areas: Mapping[str, Mapping[str, float]]) -> Figure:
    """Components from top to bottom, the largest first.

    Args:
        areas: system -> component, in words -> area in a chip [mm2].
    """
    shown = dict(list(areas.items())[:MOST_SYSTEMS])
    largest = {name: max(each.get(name, 0.0) for each in shown.values()) for each in shown.values() for name in each}
    names = sorted(largest, key=lambda name: -largest[name])[:MOST_PARTS]
    figure = Figure(figsize=(10, 1.2 + len(names) * (0.12 + 0.17 * len(shown))), layout="constrained")
    axes = figure.subplots()
    thick = 0.8 / len(shown)
    for n, (system, each) in enumerate(shown.items()):
        total = sum(each.values())
        for row, name in enumerate(names):
            value, at = each.get(name, 0.0), row - 0.4 + thick * (n + 0.5)
            axes.barh(at, value, thick * 0.92, color=PALETTE[n], hatch=HATCHES[n], edgecolor="white", linewidth=0,
                      label=system.replace("$", r"\$") if row == 0 else None)  # fmt: skip
            if value:
                axes.annotate(f"{value:.3g} mm2  {value / total:.1%}", (value, at), (3, 0), textcoords="offset points",
                              va="center", fontsize=7.5)  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.margins(x=0.14)
    axes.set_xlim(left=0)
    axes.set_xlabel("area in one chip [mm2]")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=LIGHT, linewidth=0.7)
    if len(shown) > 1:
        axes.legend(loc="lower right")
    return figure
