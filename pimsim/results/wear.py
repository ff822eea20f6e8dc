"""What programming a network costs and how it wears the cells: of each layer, and of a whole run.

A run programs every weight once, in all replicas, before the first inference.  The cells begin erased, so those that
hold no part of a weight are not written.  A write is one cell brought to its level, however many pulses that takes
(``crossbar.write_pulses``, each as long and as dear as the first).  The rows of a crossbar are written one after
another, all crossbars at the same time: each is assumed to have drivers of its own, as each has DACs of its own.  Cells
of a unit column are not counted.  Crossbars that hold activations are not programmed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pimsim.config.records import Crossbar
from pimsim.device.endurance import (
    HUNDREDTH,
    RERAM_ENDURANCE,
    WEAKEST,
    endurance_at,
    endurance_of_weakest,
    lifetime,
)
from pimsim.mapping.program import Layer, Program
from pimsim.results.record import Lifetime, Programming, Result, Wear
from pimsim.results.training_record import LayerWrites, UpdateLife
from pimsim.results.work import written_with_activations

PS_PER_YEAR = 365.25 * 86400 * 1e12
SOURCE = "ESWEEK 2022 tutorial on heterogeneous PIM manycores, table 1"


@dataclass(frozen=True)
class LayerWear:
    """Programming one layer once, all replicas; zeros where a layer has no weights."""

    name: str
    crossbars: int
    rows: int  #: that hold weights
    cells: int  #: that hold a part of a weight; each is written once
    time_ns: float  #: of the crossbar with most rows
    energy_pj: float


@dataclass(frozen=True)
class ProgrammingWear:
    """Programming a network once."""

    layers: tuple[LayerWear, ...]  #: in the order of the program's layers

    @property
    def crossbars(self) -> int:
        """Crossbars that are programmed."""
        return sum(layer.crossbars for layer in self.layers)

    @property
    def rows(self) -> int:
        """Writes of rows."""
        return sum(layer.rows for layer in self.layers)

    @property
    def cells(self) -> int:
        """Writes of cells, each written once."""
        return sum(layer.cells for layer in self.layers)

    @property
    def time_ns(self) -> float:
        """All crossbars at the same time."""
        return max((layer.time_ns for layer in self.layers), default=0.0)

    @property
    def energy_pj(self) -> float:
        """Of all cells."""
        return sum(layer.energy_pj for layer in self.layers)


def programming_wear(program: Program) -> ProgrammingWear:
    """What programming all layers of a program once writes, takes and costs."""
    array = program.system.chip.tile.ima.crossbar
    later, nodes = written_with_activations(program), program.dataflow.nodes
    return ProgrammingWear(
        tuple(_layer_wear(layer, array, nodes[i].has_crossbars and i not in later)
              for i, layer in enumerate(program.layers))
    )  # fmt: skip


def _layer_wear(layer: Layer, array: Crossbar, programmed: bool) -> LayerWear:
    tiling = layer.tiling
    if tiling is None or not programmed:
        return LayerWear(layer.name, 0, 0, 0, 0.0, 0.0)
    rows = tiling.row_hi - tiling.row_lo
    cells = layer.replicas * tiling.used_cells
    return LayerWear(
        name=layer.name,
        crossbars=layer.replicas * tiling.crossbars,
        rows=layer.replicas * int(rows.sum()),
        cells=cells,
        time_ns=write_time_ns(int(np.max(rows)), array),
        energy_pj=write_energy_pj(cells, array),
    )


def write_time_ns(rows: int, array: Crossbar) -> float:
    """Time of so many writes of rows in one crossbar (``Written.longest`` where several are written)."""
    return rows * array.write_row_ns * array.write_pulses


def write_energy_pj(cells: int, array: Crossbar) -> float:
    """Energy of so many writes of cells."""
    return cells * array.write_cell_pj * array.write_pulses


def wear_of_run(programming: Programming) -> Wear:
    """The wear of a run of inferences, which writes every cell once."""
    written = programming.cells > 0
    return Wear(
        writes=programming.cells,
        cells_written=programming.cells,
        rows_written=programming.rows,
        mean_writes=float(written),
        max_writes=int(written),
        lifetimes=reram_lifetimes(int(written)),
    )


def reram_lifetimes(max_writes: int) -> tuple[Lifetime, ...]:
    """Lifetimes at both ends of the range of ReRAM."""
    low, high = RERAM_ENDURANCE
    return (
        lifetime_at(low, f"lowest of ReRAM: {SOURCE}", max_writes),
        lifetime_at(high, f"highest of ReRAM: {SOURCE}", max_writes),
    )


def lifetime_at(endurance: float, source: str, max_writes: int) -> Lifetime:
    """How often a run's writes can be repeated before the first cell fails.

    Args:
        endurance: writes that each cell bears.
        source: where that is from.
        max_writes: of the cell that a run writes most.

    Raises:
        InputError: the endurance is not more than 0.
    """
    runs = float(lifetime(endurance, max_writes))
    return Lifetime(endurance, source, int(runs) if np.isfinite(runs) else None)


def with_endurance(result: Result, endurance: float, source: str, sigma_decades: float = 0.0) -> Result:
    """The same result, its lifetime that of cells which bear ``endurance`` writes.

    With a spread over the cells there are two lifetimes: that of the weakest of the cells that are written (the median
    over draws), and that until 1 % of them are stuck.

    Args:
        endurance: writes that the median cell bears.
        source: where that is from.
        sigma_decades: standard deviation of log10 of the writes over the cells; 0: all alike.

    Raises:
        InputError: an endurance that is not more than 0, or a spread that is negative or beyond reason.
    """
    wear = result.wear
    words = source if sigma_decades == 0 else f"{source}, {endurance:g} writes with {sigma_decades:g} decades"
    of_weakest = endurance_of_weakest(endurance, sigma_decades, wear.cells_written) if sigma_decades else endurance
    found = [lifetime_at(of_weakest, f"{words}: {WEAKEST}" if sigma_decades else words, wear.max_writes)]
    if sigma_decades:
        hundredth = endurance_at(endurance, sigma_decades, 0.01)
        found.append(lifetime_at(hundredth, f"{words}: {HUNDREDTH}", wear.max_writes))
    result = replace(result, wear=replace(wear, lifetimes=tuple(found)))
    return result if result.training is None else _with_update_lives(result, found)


def _with_update_lives(result: Result, lifetimes: Sequence[Lifetime]) -> Result:
    training = result.training
    assert training is not None
    wear = training.wear
    lives = tuple(
        update_life(wear.layers, each.endurance, each.source, training.time_per_iteration_ps) for each in lifetimes
    )
    return replace(result, training=replace(training, wear=replace(wear, lifetimes=lives)))


def update_life(
    layers: Sequence[LayerWrites], endurance: float, source: str, iteration_ps: float
) -> UpdateLife:  # fmt: skip
    """How long iterations of training can go on: the cells of the layer that is written most fail first.

    Of several, that with most cells: where cells differ, it is likeliest to have the weakest.

    Args:
        endurance: writes that each cell bears.
        source: where that is from.
        iteration_ps: mean time of an iteration.

    Raises:
        InputError: the endurance is not more than 0.
    """
    worst = max(layers, key=lambda layer: (layer.cell_writes, layer.cells), default=None)
    if worst is None or worst.cell_writes == 0:
        return UpdateLife(endurance, source, None, None, "")
    iterations = float(lifetime(endurance, worst.cell_writes))
    return UpdateLife(endurance, source, int(iterations), iterations * iteration_ps / PS_PER_YEAR, worst.name)
