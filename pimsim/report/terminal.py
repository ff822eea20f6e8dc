"""A Result on the terminal: one table of layers, one of headline figures.  Narrow terminals get fewer columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from pimsim.report.labels import component_label
from pimsim.results.notebook import headline_rows, title, warnings, with_unit
from pimsim.results.record import LayerResult, Result

WIDTH_OF_FILES = 150  #: columns where the output is no terminal


@dataclass(frozen=True)
class Column:
    """A column of the table of layers."""

    head: str
    cell: Callable[[LayerResult, float], str]  #: of a layer and its dynamic energy [pJ]
    least_width: int = 0  #: narrowest terminal that shows it
    justify: str = "right"
    most_width: int = 0  #: narrowest terminal that no longer shows it; 0: always shown


def _share(*parts: str) -> Callable[[LayerResult, float], str]:
    return lambda layer, _: f"{100 * layer.share(*parts):.1f}"


_COLUMNS = (
    Column("operation", lambda layer, _: layer.operation, 150, "left"),
    Column("windows", lambda layer, _: f"{layer.windows:,}", 100),
    Column("replicas", lambda layer, _: f"{layer.replicas:,}", 90),
    Column("crossbars", lambda layer, _: f"{layer.crossbars:,}" if layer.crossbars else ""),
    Column("tiles", lambda layer, _: f"{layer.tiles:,}" if layer.tiles else "", 110),
    Column("energy", lambda _, energy_pj: with_unit(energy_pj / 1e12, "J", 3)),
    Column("first start", lambda layer, _: with_unit(layer.first_start_ps / 1e12, "s"), 140),
    Column("last output", lambda layer, _: with_unit(layer.last_output_ps / 1e12, "s"), 140),
    Column("compute", _share("compute")),
    Column("inputs", _share("input")),
    Column("eDRAM", _share("edram"), 100),
    Column("bus", _share("bus"), 100),
    Column("eDRAM+bus", _share("edram", "bus"), 0, most_width=100),
    Column("network", _share("network")),
    Column("back-pr.", _share("space")),
    Column("fill", _share("fill"), 120),
    Column("drain", _share("drain"), 120),
    Column("fill+drain", _share("fill", "drain"), 0, most_width=120),
)


def result_tables(result: Result, width: int) -> Group:
    """Everything that `pimsim run` prints about a result, for a terminal of ``width`` columns."""
    warned = [Text(warning, "bold red") for warning in warnings(result)]
    notes = [Text(f"note: {note}", "dim") for note in result.notes]
    return Group(layer_table(result, width), summary_table(result), energy_line(result), *warned, *notes)


def layer_table(result: Result, width: int) -> Table:
    """One row a layer; the shares of time of a row add up to 100 %."""
    table = _table(title(result))
    table.add_column("layer", no_wrap=True, overflow="ellipsis", max_width=max(8, width // 6))
    columns = [each for each in _COLUMNS if width >= each.least_width and not 0 < each.most_width <= width]
    for column in columns:
        table.add_column(column.head, justify=column.justify, no_wrap=True, max_width=24)  # type: ignore[arg-type]
    for layer, energy in zip(result.layers, result.costs.by_layer_pj, strict=True):
        energy_pj = sum(energy.values())
        table.add_row(layer.name, *(column.cell(layer, energy_pj) for column in columns))
    table.caption = "compute to drain: share of the run [%], average over the layer's replicas; energy: dynamic, an inference"
    return table


def summary_table(result: Result) -> Table:
    """The headline figures."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in headline_rows(result):
        table.add_row(name, value)
    programming = result.programming
    table.add_row(
        "Programming, once",
        f"{with_unit(programming.time_ns / 1e9, 's')}, {with_unit(programming.energy_uj / 1e6, 'J')} "
        f"for {programming.cells:,} cells (in no other figure)",
    )
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


def _table(heading: str) -> Table:
    return Table(title=heading, box=_box(), title_style="bold", caption_justify="left", title_justify="left",
                 header_style="bold", pad_edge=False, collapse_padding=True)  # fmt: skip


def _box():  # type: ignore[no-untyped-def]
    from rich import box

    return box.SIMPLE_HEAD
