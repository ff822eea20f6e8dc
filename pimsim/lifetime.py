"""How long cells last under a load of training: the writes of a run's iterations, repeated until the first cell dies.

    iterations of a training = epochs x ceil(images / batch)
    writes of a cell         = writes in an iteration x iterations
    years                    = iterations until the cell is past its endurance x time of one / share of the day in use

Wear levelling turns the rows of a crossbar, so that all of its rows share what its busiest ones are written.  Where an
update writes r of R rows, a row is written in the long run (:mod:`pimsim.device.wear_levelling` says how they turn)

    rotate      r / R + r / interval        times in an update: every move writes all rows once more
    start_gap   r (1 + 1 / interval) / (R + 1)

This is the mean over rows.  With ``rotate`` the busiest row can be a few per cent above it, where moves keep falling on
the same rows of the matrix.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np

from pimsim.device.endurance import RERAM_ENDURANCE, endurance_at
from pimsim.device.wear_levelling import WearLevelling
from pimsim.errors import InputError, shown
from pimsim.mapping.tiling import Tiling
from pimsim.remapping import program_of
from pimsim.results.record import Result
from pimsim.results.training_record import LayerWrites, TrainingResult

__all__ = ["LayerLife", "Life", "TrainingLife", "training_life"]

YEAR_S = 365.25 * 86400
MOST = 10**12  #: epochs or images


@dataclass(frozen=True)
class Life:
    """Until the first cell dies: of several draws of the cells' endurance the median."""

    endurance: float  #: writes that the median cell bears
    sigma_decades: float  #: standard deviation of log10 over the cells
    iterations: float | None  #: None: nothing is written, so for ever
    trainings: float | None  #: loads
    years: float | None  #: at this load, one training after the other in the hours in use


@dataclass(frozen=True)
class LayerLife:
    """The crossbars of one layer under a load."""

    name: str
    activations: bool  #: they hold activations, written for every image
    crossbars: int  #: all replicas
    cells: int  #: in use
    writes_an_iteration: float  #: of the cell that is written most, those of wear levelling included
    writes: float  #: of that cell in one training
    lives: tuple[Life, ...]


@dataclass(frozen=True)
class TrainingLife:
    """A system under a load of trainings."""

    workload: str
    system: str
    epochs: int
    images: int  #: of an epoch
    batch: int
    iterations: int  #: of a training
    training_s: float  #: time of a training
    hours_per_day: float  #: in use
    share_written: float  #: of the cells that hold weights, in an update
    levelling: str
    interval: int  #: row writes of a crossbar between moves of wear levelling
    layers: tuple[LayerLife, ...]
    lives: tuple[Life, ...]  #: of the whole system, for each endurance

    @property
    def first(self) -> tuple[str, ...]:
        """The layers whose cells die first; several where they last as long."""
        lasting = [_or_ever(layer.lives[0].iterations) for layer in self.layers]
        soonest = min(lasting, default=math.inf)
        return tuple(layer.name for layer, each in zip(self.layers, lasting, strict=True)
                     if each <= soonest * (1 + 1e-9) and each < math.inf)  # fmt: skip


def training_life(
    result: Result,
    *,
    epochs: int,
    images: int,
    endurance: tuple[float, float] | None = None,
    hours_per_day: float = 24.0,
    share_written: float = 1.0,
    levelling: str = "none",
    interval: int = 100,
    workload: str | Path | None = None,
) -> TrainingLife:
    """Writes of a cell and years until the first cell dies, layer by layer.

    Args:
        result: of a run of training.
        epochs: of one training.
        images: of one epoch.
        endurance: writes that the median cell bears, and the standard deviation of their log10 over the cells; None:
            both ends of the range of ReRAM.
        hours_per_day: in which trainings follow each other.
        share_written: of the cells that hold weights, in one update; 1: all of them, whether they change or not.
        levelling, interval: see :class:`pimsim.device.wear_levelling.WearLevelling`.
        workload: the network that was run, which wear levelling needs; None: the shipped one of that name.

    Raises:
        InputError: the result is of inference, or something given is wrong.
    """
    if result.training is None:
        raise InputError("the result is of inference, which writes no cell after the first programming",
                         allowed="a result of training (pimsim run --mode train)")  # fmt: skip
    _check(epochs, images, hours_per_day, share_written)
    turning = WearLevelling(levelling, interval)
    borne = tuple((each, 0.0) for each in RERAM_ENDURANCE) if endurance is None else (endurance,)
    for median, sigma in borne:
        endurance_at(median, sigma, 0.5)  # checks both
    training = result.training
    load = _Load(epochs * math.ceil(images / training.batch), training.time_per_iteration_ps / 1e12, hours_per_day)
    rates, cells = _rates(result, training, turning, share_written, workload)
    layers = tuple(
        _layer(*each, borne=borne, load=load) for each in zip(training.wear.layers, rates, cells, strict=True)
    )
    return TrainingLife(
        workload=result.source.workload, system=result.source.system, epochs=epochs, images=images,
        batch=training.batch, iterations=load.iterations, training_s=load.iterations * load.iteration_s,
        hours_per_day=hours_per_day, share_written=share_written, levelling=levelling, interval=interval, layers=layers,
        lives=tuple(load.life(each, rates, cells) for each in borne),
    )  # fmt: skip


def _check(epochs: int, images: int, hours_per_day: float, share_written: float) -> None:
    for key, value in (("epochs", epochs), ("images", images)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST:
            raise InputError(f"is {shown(value)}", key=key, allowed=f"a whole number from 1 to {MOST:,}")
    if not 0 < hours_per_day <= 24:
        raise InputError(f"is {shown(hours_per_day)}", key="hours_per_day", allowed="more than 0, at most 24")
    if not 0 <= share_written <= 1:
        raise InputError(f"is {shown(share_written)}", key="share_written", allowed="0 to 1")


@dataclass(frozen=True)
class _Load:
    """Trainings, one after the other."""

    iterations: int  #: of one
    iteration_s: float
    hours_per_day: float

    def life(self, borne: tuple[float, float], rates: np.ndarray, cells: np.ndarray) -> Life:
        """Of cells of several rates.

        Args:
            borne: writes that the median cell bears, and the standard deviation of their log10.
            rates: (groups,) writes of a cell in an iteration.
            cells: (groups,)
        """
        lasts = _first_death(*borne, rates, cells)
        if math.isinf(lasts):
            return Life(*borne, None, None, None)
        years = lasts * self.iteration_s / YEAR_S * 24 / self.hours_per_day
        return Life(*borne, lasts, lasts / self.iterations, years)


def _first_death(median: float, sigma_decades: float, rates: np.ndarray, cells: np.ndarray) -> float:
    """Iterations that all cells survive with a probability of a half; of cells that are all alike, those they survive.

    A cell that is written w times in an iteration is alive after n of them with the probability that its endurance,
    log-normal, is more than n w: the product over all cells is a half at the median of the first death.
    """
    written = rates > 0
    rates, cells = rates[written], cells[written]
    if not rates.size:
        return math.inf
    if sigma_decades == 0:
        return float(median / rates.max())
    log_rates, weakest = np.log10(rates / median) / sigma_decades, NormalDist()
    low, high = -40.0 - log_rates.max(), 40.0 - log_rates.max()  # log10 of the iterations, in sigmas
    for _ in range(100):
        middle = (low + high) / 2
        dead = np.array([weakest.cdf(float(each)) for each in middle + log_rates])
        alive = float(cells @ np.log1p(-np.minimum(dead, 1 - 1e-16)))
        low, high = (middle, high) if alive > -math.log(2) else (low, middle)
    return float(10 ** (low * sigma_decades))


def _rates(
    result: Result, training: TrainingResult, turning: WearLevelling, share: float, workload: str | Path | None
) -> tuple[np.ndarray, np.ndarray]:
    """(layers,) writes of a layer's busiest cell in an iteration, and (layers,) cells that are written."""
    layers = training.wear.layers
    before = training.wear.share_written or 1.0
    rates = np.array([each.cell_writes * (1.0 if each.activations else share / before) for each in layers])
    cells = np.array([float(each.cells) for each in layers])
    if turning.kind == "none":
        return rates, cells
    program = program_of(result, workload)
    tilings = {layer.name: layer.tiling for layer in program.layers if layer.tiling is not None}
    rows = program.system.chip.tile.ima.crossbar.rows
    turned = [_turned(tilings[each.name], rows, turning) for each in layers]
    return rates * [rate for rate, _ in turned], cells * [more for _, more in turned]


def _turned(tiling: Tiling, rows: int, turning: WearLevelling) -> tuple[float, float]:
    """Writes of a row of the fullest crossbar in an update, and how many times as many cells are written: both are 1
    without wear levelling."""
    written: np.ndarray = tiling.row_hi - tiling.row_lo
    most, all_rows = int(written.max()), rows + turning.spare_rows
    more = all_rows / float(written.mean())
    if turning.kind == "rotate":
        return most / rows + most / turning.interval, more
    return most * (1 + 1 / turning.interval) / all_rows, more


def _layer(
    layer: LayerWrites, rate: float, cells: float, borne: Sequence[tuple[float, float]], load: _Load
) -> LayerLife:
    alike = np.array([rate]), np.array([cells])
    return LayerLife(
        name=layer.name, activations=layer.activations, crossbars=layer.crossbars, cells=layer.cells,
        writes_an_iteration=float(rate), writes=float(rate) * load.iterations,
        lives=tuple(load.life(each, *alike) for each in borne),
    )  # fmt: skip


def _or_ever(iterations: float | None) -> float:
    return math.inf if iterations is None else iterations
