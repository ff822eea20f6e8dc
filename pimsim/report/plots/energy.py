"""Energy of one inference: by component with its static share, and dynamic energy by layer."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pimsim.report.labels import component_label, run_title
from pimsim.report.plots.style import COLOURS, DARK, GREY, axis_on_top, energy_unit, layer_axis, row_height
from pimsim.results.record import Result

MOST_PARTS = 7  #: components with a colour of their own; the rest is "others"


def draw(result: Result) -> Figure:
    """Two panels, components above layers; a component has the same colour in both, and in every run."""
    costs, n = result.costs, len(result.layers)
    components = sorted({*costs.dynamic_pj, *costs.static_pj}, key=lambda name: -_total(result, name))
    largest = sorted(costs.dynamic_pj, key=lambda name: -costs.dynamic_pj[name])[:MOST_PARTS]
    colours = {name: COLOURS.get(name, GREY) for name in largest}
    above, below, between = 0.25 * max(len(components), 3), row_height(n) * max(n, 4), 1.3  # inches
    height = above + below + between
    figure = Figure(figsize=(10, height))
    upper = figure.add_axes((0, 1 - above / height, 0.8, above / height))
    lower = figure.add_axes((0, 0, 0.8, below / height))
    _by_component(upper, result, components, colours)
    _by_layer(lower, result, largest, colours)
    return figure


def _total(result: Result, component: str) -> float:
    return result.costs.dynamic_pj.get(component, 0.0) + result.costs.static_pj.get(component, 0.0)


def _by_component(axes: Axes, result: Result, components: list[str], colours: dict[str, str]) -> None:
    costs = result.costs
    size, unit = energy_unit(max((_total(result, name) for name in components), default=1.0))
    rows = range(len(components))
    dynamic = [costs.dynamic_pj.get(name, 0.0) / size for name in components]
    static = [costs.static_pj.get(name, 0.0) / size for name in components]
    axes.barh(rows, dynamic, 0.75, color=[colours.get(name, GREY) for name in components], linewidth=0)
    axes.barh(rows, static, 0.75, dynamic, color="white", edgecolor=DARK, hatch="////", linewidth=0.6,
              label="static power x time")  # fmt: skip
    for row, name in enumerate(components):
        energy = _total(result, name)
        share = energy / costs.energy_pj if costs.energy_pj else 0.0
        text = f"{_readable(energy)}  {_percent(share)}"
        axes.annotate(text, (energy / size, row), (4, 0), textcoords="offset points", va="center", fontsize=8)
    layer_axis(axes, [component_label(name) for name in components])
    axes.margins(x=0.16)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"energy of one inference [{unit}]")
    axes.set_title(f"{run_title(result)}: {_readable(costs.energy_pj)} an inference")
    if any(static):
        axes.legend(loc="lower right")


def _by_layer(axes: Axes, result: Result, largest: list[str], colours: dict[str, str]) -> None:
    by_layer = result.costs.by_layer_pj
    size, unit = energy_unit(max((sum(energy.values()) for energy in by_layer), default=1.0))
    left = [0.0] * len(by_layer)
    for name in [*largest, "others"]:
        if name == "others":
            energies = [sum(pj for part, pj in energy.items() if part not in largest) / size for energy in by_layer]
        else:
            energies = [energy.get(name, 0.0) / size for energy in by_layer]
        if any(energies):
            axes.barh(range(len(by_layer)), energies, 0.8, left, color=colours.get(name, GREY), linewidth=0,
                      label=component_label(name))  # fmt: skip
        left = [base + energy for base, energy in zip(left, energies, strict=True)]
    layer_axis(axes, [layer.name for layer in result.layers])
    axes.set_xlim(left=0)
    axis_on_top(axes, f"dynamic energy of one inference [{unit}]")
    axes.set_title("Dynamic energy by layer and component", pad=22)
    axes.legend(loc="upper left", bbox_to_anchor=(1.005, 1))


def _readable(pj: float) -> str:
    size, unit = energy_unit(pj)
    return f"{pj / size:.3g} {unit}"


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.0005 else "< 0.1%"
