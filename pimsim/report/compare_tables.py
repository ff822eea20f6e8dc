"""A comparison on the terminal: the first result's values, then the others' with their ratio to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pimsim.errors import shown
from pimsim.report.compare import ABSENT, largest_layer_differences
from pimsim.report.labels import component_label
from pimsim.results.notebook import shortened, with_unit

MOST_COMPONENTS = 8
MOST_KEYS = 40
_SAME = 0.005  #: ratios this near to 1 are neither better nor worse


def _scaled(unit: str, size: float) -> Callable[[float], str]:
    return lambda value: with_unit(value * size, unit) if value else f"0 {unit}"


def _percent(value: float) -> str:
    return f"{value:.1%}"


FIGURES: dict[str, tuple[str, Callable[[float], str]]] = {
    "latency_us": ("latency", _scaled("s", 1e-6)),
    "throughput_per_s": ("throughput [inferences/s]", lambda value: f"{value:,.5g}"),
    "iteration_us": ("iteration", _scaled("s", 1e-6)),
    "image_us": ("an image", _scaled("s", 1e-6)),
    "images_per_s": ("throughput [images/s]", lambda value: f"{value:,.5g}"),
    "run_us": ("run", _scaled("s", 1e-6)),
    "energy_per_inference_uj": ("energy an inference", _scaled("J", 1e-6)),
    "energy_per_iteration_uj": ("energy an iteration", _scaled("J", 1e-6)),
    "energy_per_image_uj": ("energy an image", _scaled("J", 1e-6)),
    "energy_delay_product_uj_ms": ("energy-delay product", _scaled("J s", 1e-9)),
    "average_power_w": ("average power", _scaled("W", 1.0)),
    "peak_power_bound_w": ("peak power (bound)", _scaled("W", 1.0)),
    "area_mm2": ("area", lambda value: f"{value:,.1f} mm2"),
    "chips_used": ("chips in use", lambda value: f"{value:,}"),
    "tiles_used": ("tiles in use", lambda value: f"{value:,}"),
    "imas_used": ("IMAs in use", lambda value: f"{value:,}"),
    "crossbars_used": ("crossbars in use", lambda value: f"{value:,}"),
    "spatial_utilisation_cells": ("spatial utilisation: cells", _percent),
    "spatial_utilisation_crossbars": ("spatial utilisation: crossbars", _percent),
    "temporal_utilisation_crossbars": ("temporal utilisation", _percent),
    "programming_us": ("programming, once", _scaled("s", 1e-6)),
    "programming_energy_uj": ("energy of programming", _scaled("J", 1e-6)),
    "gpu_cores_used": ("GPU cores in use", lambda value: f"{value:,}"),
    "gpu_core_utilisation": ("GPU cores in use are busy", _percent),
    "waiting_for_packets_share": ("replicas wait for packets", _percent),
    "lost_to_network_share": ("time lost to the network", _percent),
}
LAYER_FIGURES = {
    "image_us": ("time of an image in the busiest replica", _scaled("s", 1e-6)),
    "dynamic_energy_uj": ("dynamic energy of an image", _scaled("J", 1e-6)),
    "crossbars": ("crossbars", lambda value: f"{value:,}"),
    "working_share": ("share of the run in which it works", _percent),
}


def comparison_tables(document: Mapping[str, Any]) -> Group:
    """Everything that `pimsim compare` prints.

    Args:
        document: from :func:`pimsim.report.compare.compare`.
    """
    names = [each["name"] for each in document["results"]]
    parts: list[RenderableType] = [_heads(document["results"])]
    if document["kind"] == "run":
        parts.append(_figures(document, names))
        if document["energy_by_component_pj"]:
            parts.append(_components(document, names))
        for name, rows in document["layers"].items():
            parts += _layers(rows, names[0], name)
    else:
        parts.append(_shares(document, names))
    parts.append(_configuration(document, names))
    return Group(*parts, *(Text(f"note: {remark}", "dim") for remark in document["remarks"]))


def _table(title: str, *heads: str, left: int = 1) -> Table:
    table = Table(title=Text(title, "bold"), box=SIMPLE_HEAD, title_justify="left", header_style="bold",
                  pad_edge=False, padding=(0, 1, 0, 0), caption_justify="left")  # fmt: skip
    for n, head in enumerate(heads):
        table.add_column(head, justify="left" if n < left else "right", overflow="fold")
    return table


def _heads(results: Sequence[Mapping[str, Any]]) -> Table:
    keys = [key for key in results[0] if key != "name"]
    names = [shortened(each["name"], 40) for each in results]
    table = _table("Results", "", *names, left=1 + len(results))
    for key in keys:
        values = [Text(f"{each[key]:,}" if isinstance(each[key], int) else str(each[key])) for each in results]
        table.add_row(Text(key.replace("_", " ")), *values)
    return table


def _figures(document: Mapping[str, Any], names: Sequence[str]) -> Table:
    table = _table("Figures", "", *(shortened(name, 40) for name in names))
    for key, row in document["figures"].items():
        words, write = FIGURES[key]
        table.add_row(Text(words), *_cells(row, write))
    table.caption = f"in brackets: ratio to {shortened(names[0], 40)}"
    return table


def _cells(row: Mapping[str, Any], write: Callable[[float], str]) -> list[Text]:
    """The first value bare, the others with their ratio: green where better, red where worse."""
    found = []
    for n, (value, times) in enumerate(zip(row["values"], row["ratios"], strict=True)):
        cell = Text("not measured", "dim") if value is None else Text(write(value))
        if n and times is not None:
            better = (times > 1) == (row["better"] == "more")
            cell.append(f" ({_times(times)})", "" if abs(times - 1) <= _SAME else "green" if better else "red")
        found.append(cell)
    return found


def _times(value: float) -> str:
    return "=" if value == 1 else f"{value:.4g}x" if value < 1000 else f"{value:,.0f}x"


def _components(document: Mapping[str, Any], names: Sequence[str]) -> Table:
    rows = list(document["energy_by_component_pj"].items())
    unit = {"infer": "an inference", "train": "an iteration"}[document["mode"]]
    table = _table(f"Energy of {unit} by component", "", *(shortened(name, 40) for name in names))
    for component, row in rows[:MOST_COMPONENTS]:
        table.add_row(Text(component_label(component)), *_cells(row, _scaled("J", 1e-12)))
    if len(rows) > MOST_COMPONENTS:
        table.caption = f"and {len(rows) - MOST_COMPONENTS} more, all smaller (--json)"
    return table


def _layers(rows: Sequence[Mapping[str, Any]], first: str, other: str) -> list[RenderableType]:
    """The layers that differ most, by time and by energy."""
    table = _table(f"Layers that differ most in {shortened(other, 40)}", "figure", "layer", shortened(first, 40),
                   shortened(other, 40), left=2)  # fmt: skip
    for figure, (words, write) in LAYER_FIGURES.items():
        for n, row in enumerate(largest_layer_differences(rows, figure)):
            before, after = row[figure]["values"]
            times = row[figure]["ratio"]
            cell = write(after) + (f" ({_times(times)})" if times is not None else "")
            table.add_row(Text(words if not n else ""), Text(shortened(row["layer"])), write(before), cell)
    return [table if table.row_count else Text(f"No layer differs in {other}.")]


def _shares(document: Mapping[str, Any], names: Sequence[str]) -> Table:
    table = _table("Shares of the images, with 95 % intervals", "", *(shortened(name, 40) for name in names))
    for key, row in document["figures"].items():
        cells = []
        for n, value in enumerate(row["values"]):
            if value is None:
                cells.append(Text("no labels", "dim"))
                continue
            low, high = row["intervals_95"][n]
            cell = Text(f"{value:.2%} [{low:.2%}, {high:.2%}]")
            if n and row["differences"][n] is not None:
                clear = "" if row["intervals_overlap"][n] else ", beyond both intervals"
                cell.append(f"\n{100 * row['differences'][n]:+.2f} points{clear}")
            cells.append(cell)
        table.add_row(Text(key.replace("_", " ")), *cells)
    return table


def _configuration(document: Mapping[str, Any], names: Sequence[str]) -> RenderableType:
    rows = list(document["configuration"].items())
    if not rows:
        return Text("The configurations are the same.")
    table = _table("Configured differently", "key", *(shortened(name, 40) for name in names))
    for key, values in rows[:MOST_KEYS]:
        table.add_row(Text(key), *(Text(_value(value), "dim" if value == ABSENT else "") for value in values))
    if len(rows) > MOST_KEYS:
        table.caption = f"and {len(rows) - MOST_KEYS} keys more (--json)"
    return table


def _value(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)
