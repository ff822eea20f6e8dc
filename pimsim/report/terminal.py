"""A Result on the terminal: one table of layers, one of headline figures.  Narrow terminals get fewer columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from pimsim.report.labels import component_label, run_title
from pimsim.report.traffic import traffic_figures, traffic_rows
from pimsim.report.training import kind_table, longest_table, phase_table, training_rows
from pimsim.results.notebook import headline_rows, remarks, shortened, warnings, with_unit
from pimsim.results.record import LayerResult, Result

WIDTH_OF_FILES = 170  #: columns where the output is no terminal


@dataclass(frozen=True)
class Column:
    """A column of the table of layers."""

    head: str
    cell: Callable[[LayerResult, float], str]  #: of a layer and its dynamic energy [pJ]
    justify: Literal["left", "right"] = "right"


def _share(*parts: str) -> Callable[[LayerResult, float], str]:
    return lambda layer, _: f"{100 * layer.share(*parts):.1f}"


COLUMNS = {
    "operation": Column("operation", lambda layer, _: layer.operation, "left"),
    "windows": Column("windows", lambda layer, _: f"{layer.windows:,}"),
    "replicas": Column("replicas", lambda layer, _: f"{layer.replicas:,}"),
    "crossbars": Column("crossbars", lambda layer, _: f"{layer.crossbars:,}" if layer.crossbars else ""),
    "tiles": Column("tiles", lambda layer, _: f"{layer.tiles:,}" if layer.tiles else ""),
    "energy": Column("energy", lambda _, energy_pj: with_unit(energy_pj / 1e12, "J", 3)),
    "first": Column("first start", lambda layer, _: with_unit(layer.first_start_ps / 1e12, "s")),
    "last": Column("last output", lambda layer, _: with_unit(layer.last_output_ps / 1e12, "s")),
    "compute": Column("compute", _share("compute")),
    "inputs": Column("inputs", _share("input")),
    "edram": Column("eDRAM", _share("edram")),
    "bus": Column("bus", _share("bus")),
    "memory": Column("memory", _share("edram", "bus")),
    "network": Column("network", _share("network")),
    "space": Column("back-pr.", _share("space")),
    "core": Column("GPU wait", _share("core")),
    "array": Column("crossbar\nwait", _share("array")),
    "fill": Column("fill", _share("fill")),
    "drain": Column("drain", _share("drain")),
    "pipeline": Column("fill+\ndrain", _share("fill", "drain")),
}

_TIME = "compute inputs edram bus network space fill drain"
LAYOUTS = (
    f"operation windows replicas crossbars tiles energy first last {_TIME}",
    f"windows replicas crossbars tiles energy last {_TIME}",
    f"windows replicas crossbars energy {_TIME}",
    f"replicas crossbars energy {_TIME}",
    f"crossbars energy {_TIME}",
    "crossbars energy compute inputs memory network space pipeline",
    "energy compute inputs memory network space pipeline",
    "compute inputs memory network space pipeline",
)
"""Columns for ever narrower terminals; the first layout that fits is taken."""


def result_tables(result: Result, width: int) -> Group:
    """Everything that `pimsim run` prints about a result, for a terminal of ``width`` columns."""
    warned = [Text(warning, "bold red") for warning in warnings(result)]
    notes = [Text(f"note: {note}", "dim") for note in (*remarks(result), *result.notes)]
    network = [figures.on_terminal() for figures in traffic_figures(result, pairs=1)]
    if result.training is not None:
        tables = (phase_table(result, result.training), kind_table(result.training), longest_table(result), *network)
        rows = figures_table(training_rows(result, result.training))
        return Group(*tables, rows, energy_line(result), *warned, *notes)
    return Group(layer_table(result, width), *network, summary_table(result), energy_line(result), *warned, *notes)


def layer_table(result: Result, width: int) -> Table:
    """One row a layer; the shares of time of a row add up to 100 %."""
    energies = [sum(energy.values()) for energy in result.costs.by_layer_pj]
    names = [shortened(layer.name, max(10, width // 5)) for layer in result.layers]
    room = width - 2 - max(map(len, names), default=5)
    queues = "".join(f" {part}" for part in ("core", "array") if any(layer.time_ps[part] for layer in result.layers))
    for layout in (each.replace("space", f"space{queues}") for each in LAYOUTS):
        columns = [COLUMNS[key] for key in layout.split()]
        cells = [[column.cell(*row) for row in zip(result.layers, energies, strict=True)] for column in columns]
        texts = [[*column.head.split("\n"), *rows] for column, rows in zip(columns, cells, strict=True)]
        widths = [max(map(len, each)) + 2 for each in texts]
        if sum(widths) <= room:
            break
    else:
        names = [shortened(name, max(6, width - 2 - sum(widths))) for name in names]
    table = Table(title=Text(run_title(result), "bold"), box=SIMPLE_HEAD, caption_justify="left", title_justify="left",
                  header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))  # fmt: skip
    table.add_column("layer", no_wrap=True)
    for column in columns:
        table.add_column(column.head, justify=column.justify, no_wrap=True)
    for name, *row in zip(names, *cells, strict=True):
        table.add_row(Text(name), *map(Text, row))
    table.caption = _caption(layout.split())
    return table


def _caption(keys: list[str]) -> str:
    """What the columns of a layout mean."""
    last = "fill+drain" if "pipeline" in keys else "drain"
    words = [f"compute to {last}: share of the run in %, mean of a layer's replicas"]
    words += ["memory: eDRAM and bus"] if "memory" in keys else []
    return "; ".join(words + (["energy: dynamic, an inference"] if "energy" in keys else []))


def summary_table(result: Result) -> Table:
    """The headline figures."""
    return figures_table(headline_rows(result) + traffic_rows(result))


def figures_table(rows: list[tuple[str, str]]) -> Table:
    """Names and values, without heads."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(value))
    return table


def energy_line(result: Result, shown: int = 8) -> Text:
    """Energy of an inference by component, largest first."""
    costs = result.costs
    parts = [(component_label(name), energy) for name, energy in costs.dynamic_pj.items()]
    parts += [(component_label(name, static=True), energy) for name, energy in costs.static_pj.items()]
    parts.sort(key=lambda part: -part[1])
    total = costs.energy_pj or 1.0
    words = [f"{name} {energy / total:.1%}" for name, energy in parts[:shown]]
    if len(parts) > shown:
        words.append(f"others {sum(energy for _, energy in parts[shown:]) / total:.1%}")
    return Text.assemble(("Energy by component  ", "bold"), ", ".join(words))


def terminal(stderr: bool = False) -> Console:
    """The terminal, or a file that is as wide as the tables like it to be."""
    console = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not console.is_terminal and "COLUMNS" not in console._environ:
        console = Console(stderr=stderr, highlight=False, width=WIDTH_OF_FILES)
    return console
