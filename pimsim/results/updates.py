"""The record of counted updates of a network's weights: plain data, saved as JSON and tables."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pimsim.results.files import _written
from pimsim.results.staging import write_texts

FORMAT = "pimsim-wear-1"
WEAR, LAYERS, CROSSBARS = "wear.json", "wear.csv", "crossbars.csv"


@dataclass(frozen=True)
class UpdateLifetime:
    """How many updates cells bear after their first programming, at the mean rate of those that were counted."""

    endurance: float  #: writes that the median cell bears
    sigma_decades: float  #: standard deviation of log10 over the cells; each cell's own was drawn
    updates: int | None  #: that all cells survive; None: no update writes a cell


@dataclass(frozen=True)
class LayerUpdates:
    """Writes of one copy of a layer."""

    name: str
    crossbars: int
    cells: int  #: that hold a part of a weight
    cells_written: int  #: at least once; wear levelling writes others too
    mean_writes: float  #: of a cell that was written
    max_writes: int  #: of the cell that was written most
    max_row_writes: int  #: of the row that was written most often; a write of any of its cells is one
    writes: int  #: of all cells, those of wear levelling included
    levelling_writes: int  #: of these, by wear levelling alone
    lifetimes: tuple[UpdateLifetime, ...]
    crossbar_writes: tuple[int, ...]  #: of the cells of each crossbar
    crossbar_max_writes: tuple[int, ...]  #: of the cell that was written most in each crossbar


@dataclass(frozen=True)
class UpdateWear:
    """A network programmed once and then updated."""

    format: str
    pimsim_version: str
    workload: str
    system: str
    config_hash: str  #: SHA-256 of the resolved configuration
    updates: int
    policy: str  #: see pimsim.device.write_counter.POLICIES
    levelling: str  #: see pimsim.device.wear_levelling
    interval: int  #: row writes of a crossbar between moves of wear levelling
    size: float | None
    #: standard deviation of an update of a weight over that of the layer's weights; None: every cell is written anyway
    seed: int
    layers: tuple[LayerUpdates, ...]
    histogram_writes: tuple[int, ...]  #: numbers of writes that occur, ascending
    histogram_cells: tuple[int, ...]  #: cells that saw so many; those that were never written are left out
    notes: tuple[str, ...]

    @property
    def lifetimes(self) -> tuple[UpdateLifetime, ...]:
        """Those of the whole network: of the layer that is worn out first, for each endurance."""
        found = []
        for same in zip(*(layer.lifetimes for layer in self.layers), strict=True):
            lasting = [each.updates for each in same if each.updates is not None]
            found.append(dataclasses.replace(same[0], updates=min(lasting, default=None)))
        return tuple(found)


def wear_json(found: UpdateWear) -> str:
    """The whole record as JSON; NaN cannot occur."""
    data = dataclasses.asdict(found)
    return _written(data | {"lifetimes": [dataclasses.asdict(each) for each in found.lifetimes]}) + "\n"


def write_wear(found: UpdateWear, stage: Path) -> None:
    """wear.json, wear.csv (a row a layer) and crossbars.csv (a row a crossbar) into the folder ``stage``."""
    names = [field.name for field in dataclasses.fields(LayerUpdates)
             if field.name not in ("lifetimes", "crossbar_writes", "crossbar_max_writes")]  # fmt: skip
    heads = [f"updates_at_{each.endurance:g}" for each in found.lifetimes]
    layers = ([*(getattr(layer, name) for name in names), *(_empty(each.updates) for each in layer.lifetimes)]
              for layer in found.layers)  # fmt: skip
    crossbars = ([layer.name, number, *counts] for layer in found.layers for number, counts in
                 enumerate(zip(layer.crossbar_writes, layer.crossbar_max_writes, strict=True)))  # fmt: skip
    texts = {
        WEAR: wear_json(found),
        LAYERS: _csv([*names, *heads], layers),
        CROSSBARS: _csv(["layer", "crossbar", "writes", "max_writes"], crossbars),
    }
    write_texts(texts, stage)


def _empty(value: int | None) -> int | str:
    return "" if value is None else value


def _csv(names: list[str], rows: Iterable[list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue()
