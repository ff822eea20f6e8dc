"""How long cells last in training, on the terminal and in a folder: a row a layer, and a picture of the years."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from pimsim.lifetime import LayerLife, Life, TrainingLife
from pimsim.report.plots import style
from pimsim.results.notebook import with_unit
from pimsim.results.staging import filled_folder, write_texts

FORMAT = "pimsim-lifetime-1"
LIFETIME, LAYERS = "lifetime.json", "lifetime.csv"
FILES = (LIFETIME, LAYERS, "lifetime.png", "lifetime.svg")
MOST_NAMED = 3  #: layers that die first
HOUR_S = 3600.0
_UNITS = ((1.0, "years"), (365.25, "days"), (365.25 * 24, "hours"))


def lifetime_tables(found: TrainingLife) -> Group:
    """Everything that `pimsim lifetime` prints."""
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("layer", no_wrap=True)
    heads = ["crossbars", "cells", "writes a cell\nan iteration", "writes a cell\na training"]
    for life in found.lives:
        heads += [f"trainings\nat {endurance_words(life)}", "years"]
    for head in heads:
        table.add_column(Text(head), justify="right", no_wrap=True)
    for layer in found.layers:
        table.add_row(Text(layer.name + " (activations)" * layer.activations), *_cells(layer))
    return Group(Text(load_words(found), "bold"), table, *map(Text, _lines(found)))


def _cells(layer: LayerLife) -> list[str]:
    lives = [words for life in layer.lives for words in (_number(life.trainings), _number(life.years))]
    return [f"{layer.crossbars:,}", f"{layer.cells:,}", f"{layer.writes_an_iteration:,.4g}", f"{layer.writes:,.6g}",
            *lives]  # fmt: skip


def _lines(found: TrainingLife) -> list[str]:
    more = len(found.first) - MOST_NAMED
    first = " or ".join(found.first[:MOST_NAMED]) + f" or one of {more} more" * (more > 0)
    if not first:
        return ["Nothing is written: the cells last for ever"]
    lines = [
        f"First cell to die at {endurance_words(life)} writes: after {_number(life.trainings)} trainings, "
        f"{life_words(life)} with {found.hours_per_day:g} hours of training a day" for life in found.lives
    ]  # fmt: skip
    lines.append(f"It belongs to {first}")
    if found.share_written < 1:
        lines.append(f"An update writes {found.share_written:.3g} of the cells that hold weights")
    if found.levelling != "none":
        lines.append(f"Wear levelling: {found.levelling.replace('_', ' ')} every {found.interval:,} row writes; rows "
                     "of a crossbar that hold nothing take their share")  # fmt: skip
    return lines


def load_words(found: TrainingLife) -> str:
    """What is trained, and how long that takes."""
    return (f"{found.workload} on {found.system}: a training is {found.epochs:,} epochs of {found.images:,} images in "
            f"batches of {found.batch:,}, {found.iterations:,} iterations, {_time(found.training_s)}")  # fmt: skip


def life_words(life: Life) -> str:
    """A lifetime in its own unit."""
    return "for ever" if life.years is None else _years(life.years)


def _years(years: float) -> str:
    in_year, unit = next(((n, name) for n, name in _UNITS if years * n >= 1), _UNITS[-1])
    return f"{in_year * years:,.4g} {unit}"


def _time(seconds: float) -> str:
    return f"{seconds / HOUR_S:.3g} hours" if seconds >= HOUR_S else with_unit(seconds, "s", 3)


def _number(value: float | None) -> str:
    return "for ever" if value is None else f"{value:,.3g}" if value < 1e6 else f"{value:.3g}"


def endurance_words(life: Life) -> str:
    """Of the median cell, with the spread over cells."""
    return f"{life.endurance:g}" + (f" ({life.sigma_decades:g} decades)" if life.sigma_decades else "")


def lifetime_json(found: TrainingLife) -> str:
    """The whole record."""
    data = {"format": FORMAT, "first": list(found.first), **dataclasses.asdict(found)}
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


def draw(found: TrainingLife) -> Figure:
    """Years until the first cell of each layer dies, for each endurance."""
    names = [layer.name for layer in found.layers]
    figure = Figure(figsize=(7.4, 1.9 + style.row_height(len(names)) * (len(names) + 1)), layout="constrained")
    axes = figure.subplots()
    longest = max((life.years for life in found.lives if life.years is not None), default=1.0)
    in_year, unit = next(((n, name) for n, name in _UNITS if longest * n >= 1), _UNITS[-1])
    for number, life in enumerate(found.lives):
        lasting = {row: layer.lives[number].years for row, layer in enumerate(found.layers)}
        dying = {row: in_year * years for row, years in lasting.items() if years is not None}
        colour = style.PALETTE[number]
        axes.plot(list(dying.values()), list(dying), "o", color=colour, markersize=5)
        if life.years is not None:
            axes.axvline(in_year * life.years, color=colour, linestyle="--", linewidth=1.2,
                         label=f"{endurance_words(life)} writes: first of all after {life_words(life)}")  # fmt: skip
    axes.set_xscale("log")
    style.layer_axis(axes, names)
    axes.set_xlabel(f"{unit} until the first cell of a layer dies, {found.hours_per_day:g} hours of training a day")
    if found.first:
        figure.legend(loc="outside lower left")
    axes.set_title(f"{found.workload} on {found.system}\n{found.epochs:,} epochs of {found.images:,} images, batch "
                   f"{found.batch:,}".replace("$", r"\$"))  # fmt: skip
    return figure


def lifetime_folder(path: str | Path) -> AbstractContextManager[Callable[[TrainingLife], None]]:
    """A folder to fill with a record, see :func:`pimsim.results.staging.filled_folder`."""
    return filled_folder(path, FILES, _write)


def _write(found: TrainingLife, stage: Path) -> None:
    write_texts({LIFETIME: lifetime_json(found), LAYERS: layers_csv(found)}, stage)
    with style.in_style():
        style.save(draw(found), stage / "lifetime", ("png", "svg"))


def layers_csv(found: TrainingLife) -> str:
    """A row a layer; empty: for ever."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = [f"{what}_at_{life.endurance:g}" for life in found.lives for what in ("trainings", "years")]
    names = ["name", "activations", "crossbars", "cells", "writes_an_iteration", "writes"]
    writer.writerow([*names, *heads])
    for layer in found.layers:
        lives = [value for life in layer.lives for value in (life.trainings, life.years)]
        writer.writerow([*(getattr(layer, name) for name in names), *("" if each is None else each for each in lives)])
    return text.getvalue()
