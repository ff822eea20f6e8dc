"""Counted updates on the terminal and in a folder: one row a layer, and the histogram of writes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from pimsim.device.endurance import endurance_of_cells
from pimsim.device.streams import stream
from pimsim.results.staging import filled_folder
from pimsim.results.updates import CROSSBARS, LAYERS, WEAR, LayerUpdates, UpdateLifetime, UpdateWear, write_wear

FILES = (WEAR, LAYERS, CROSSBARS, "wear.png", "wear.svg")
MOST_DRAWN = 1 << 21  #: cells of which the plot is made; of more, a share


def wear_tables(found: UpdateWear) -> Group:
    """Everything that `pimsim wear` prints."""
    how = f"written: {found.policy.replace('_', ' ')}, wear levelling: {found.levelling.replace('_', ' ')}"
    if found.levelling != "none":
        how += f" every {found.interval:,} row writes"
    title = Text(f"{found.workload} on {found.system}, {found.updates:,} updates, {how}", "bold")
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", header_style="bold", pad_edge=False,
                  padding=(0, 1, 0, 0))  # fmt: skip
    table.add_column("layer", no_wrap=True)
    heads = ["crossbars", "cells", "writes a cell\nmean", "\nmax", "max writes\na row", "writes", "of levelling"]
    heads += [f"lasts updates\nat {_endurance(each)}" for each in found.lifetimes]
    for head in heads:
        table.add_column(Text(head), justify="right", no_wrap=True)
    for layer in found.layers:
        table.add_row(Text(layer.name), *_cells(layer))
    lasts = ", ".join(f"{_updates(each)} at {_endurance(each)}" for each in found.lifetimes)
    return Group(table, Text(f"First cell of the network to die, in updates after the first programming: {lasts}"),
                 *(Text(f"note: {note}", "dim") for note in found.notes))  # fmt: skip


def _cells(layer: LayerUpdates) -> list[str]:
    counts = [layer.max_writes, layer.max_row_writes, layer.writes, layer.levelling_writes]
    return [f"{layer.crossbars:,}", f"{layer.cells:,}", f"{layer.mean_writes:,.5g}", *(f"{n:,}" for n in counts),
            *map(_updates, layer.lifetimes)]  # fmt: skip


def _updates(lifetime: UpdateLifetime) -> str:
    if lifetime.updates is None:
        return "for ever"
    return f"{lifetime.updates:,}" if lifetime.updates < 10**6 else f"{lifetime.updates:.4g}"


def _endurance(lifetime: UpdateLifetime) -> str:
    spread = f" ({lifetime.sigma_decades:g} decades)" if lifetime.sigma_decades else ""
    return f"{lifetime.endurance:g}{spread}"


def wear_folder(path: str | Path) -> AbstractContextManager[Callable[[UpdateWear], None]]:
    """A folder to fill with counted updates, see :func:`pimsim.results.staging.filled_folder`."""
    return filled_folder(path, FILES, _write)


def _write(found: UpdateWear, stage: Path) -> None:
    write_wear(found, stage)
    _plot(found, stage)


def _plot(found: UpdateWear, stage: Path) -> None:
    from pimsim.report.plots import save_wear  # matplotlib loads slowly

    counts = np.array(found.histogram_cells, np.int64)
    share = -(-int(counts.sum()) // MOST_DRAWN)
    writes = np.repeat(np.array(found.histogram_writes, np.int64), -(-counts // max(1, share)))
    endurances: dict[str, float | np.ndarray] = {
        _endurance(each): endurance_of_cells(each.endurance, each.sigma_decades, writes.shape,
                                             stream(found.seed, "network", "endurance"))
        for each in found.lifetimes
    }  # fmt: skip
    name = f"{found.workload} on {found.system}, {found.updates:,} updates"
    name += f", 1 in {share} cells" if share > 1 else ""
    save_wear(writes if writes.size else np.zeros(1, np.int64), stage, name, unit=f"times {found.updates:,} updates",
              endurances=endurances if writes.size else None)  # fmt: skip
