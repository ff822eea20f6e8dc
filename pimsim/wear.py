"""The composition root of wear: network and system in, writes of every cell over many updates of the weights out.

One copy of every layer is programmed once and then updated so many times.  With the policy ``full`` every cell is
written in every update, whatever the weights; with the others a weight w of a layer takes a random walk,

    w <- w + size x std(w of the layer, at the beginning) x N(0, 1),

and the crossbars are written with what quantisation makes of it, as the scale of the first programming has it.
Crossbars are counted a few at a time, so that memory does not grow with the network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import pimsim.engine  # noqa: F401  (first: it says where compiled code is kept)
from pimsim.config import System, config_hash
from pimsim.device.endurance import RERAM_ENDURANCE, endurance_at, endurance_of_cells, lifetime
from pimsim.device.streams import stream
from pimsim.device.wear_levelling import WearLevelling
from pimsim.device.write_counter import POLICIES, Blocks, WriteCounter
from pimsim.errors import InputError, shown
from pimsim.functional.network.quantisation import quantise_weights
from pimsim.inference import check_crossbars, read_network
from pimsim.mapping.arithmetic import Arithmetic, layer_arithmetic
from pimsim.mapping.program import Layer, Program
from pimsim.results.updates import FORMAT, LayerUpdates, UpdateLifetime, UpdateWear
from pimsim.simulation import map_workload
from pimsim.version import __version__

__all__ = ["count_updates"]

Progress = Callable[[int, int], None]  #: (crossbars written, in all)

MOST_UPDATES = 10**6
MOST_CELLS = 1 << 23  #: counted together; each takes some 30 bytes
MOST_BINS = 1 << 20  #: writes of a cell up to which cells are counted in a table
UPDATE_SIZE = 1e-3
"""Of an update, relative to the weights' spread (an assumption: a learning rate of 1e-3 times gradients as large as
weights)."""

NOTES = (
    "one copy of every layer is counted: others are written alike",
    "cells begin erased; cells of unit columns are not counted",
)


def count_updates(
    workload: str | Path,
    system: str | Path | System,
    updates: int,
    *,
    policy: str = "full",
    levelling: str = "none",
    interval: int = 100,
    endurance: tuple[float, float] | None = None,
    size: float = UPDATE_SIZE,
    seed: int = 0,
    overrides: Sequence[str] = (),
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    progress: Progress | None = None,
) -> UpdateWear:
    """Program a network once, update its weights so many times, and count the writes of every cell.

    Args:
        workload: as of :func:`pimsim.simulate`; an ONNX file with its weights, unless the policy is ``full``.
        system: a shipped name, a YAML file, or what :func:`pimsim.config.load_system` returns.
        updates: of all weights.
        policy: a key of :data:`pimsim.device.write_counter.POLICIES`.
        levelling, interval: see :class:`pimsim.device.wear_levelling.WearLevelling`.
        endurance: writes that the median cell bears, and the standard deviation of their log10 over the cells; None:
            both ends of the range of ReRAM.
        size: standard deviation of an update of a weight, relative to that of the layer's weights.
        seed: of the updates and of the cells' endurance.
        overrides: ``KEY=VALUE`` for a system given by name or file.
        input_shapes: shape by input name, where the ONNX file leaves more open than the batch.
        progress: called now and then with crossbars written and crossbars to write in all.

    Raises:
        InputError: something given is wrong, or the network has no weights where they are needed.
    """
    _check(updates, policy, size, seed)
    rotation = WearLevelling(levelling, interval)
    borne = tuple((each, 0.0) for each in RERAM_ENDURANCE) if endurance is None else (endurance,)
    for median, sigma in borne:
        endurance_at(median, sigma, 0.5)  # checks both
    weights: dict[str, np.ndarray] = {}
    if policy == "full":
        program = map_workload(workload, system, overrides=overrides, input_shapes=input_shapes)
        check_crossbars(program.system)
    else:
        network, program = read_network(workload, system, overrides, input_shapes)
        weights = {each.name: each.weights for step in network.matrix_steps if step.matrix is not None
                   for each in step.matrix.matrices}  # fmt: skip
    counting = _Counting(program, weights, updates, policy, rotation, borne, size, seed, progress)
    layers = tuple(counting.layer(layer) for layer in program.layers if layer.tiling is not None)
    writes = sorted(counting.histogram)
    return UpdateWear(
        format=FORMAT, pimsim_version=__version__, workload=program.dataflow.name, system=program.system.name,
        config_hash=config_hash(program.system), updates=updates, policy=policy, levelling=levelling,
        interval=interval, size=None if policy == "full" else size, seed=seed, layers=layers,
        histogram_writes=tuple(writes), histogram_cells=tuple(counting.histogram[each] for each in writes), notes=NOTES,
    )  # fmt: skip


def _check(updates: int, policy: str, size: float, seed: int) -> None:
    if isinstance(updates, bool) or not isinstance(updates, int) or not 1 <= updates <= MOST_UPDATES:
        raise InputError(f"is {shown(updates)}", key="updates", allowed=f"a whole number from 1 to {MOST_UPDATES:,}")
    if policy not in POLICIES:
        raise InputError(f"there is no write policy {shown(policy)}", key="policy", allowed=POLICIES)
    if not 0 < size <= 1:
        raise InputError(f"is {shown(size)}", key="size", allowed="more than 0, at most 1")
    if not 0 <= seed < 1 << 63:
        raise InputError(f"is {shown(seed)}", key="seed", allowed="a whole number from 0 to 2^63 - 1")


@dataclass
class _Some:
    """A few crossbars of a layer."""

    first: int  #: of the layer's crossbars
    blocks: Blocks  #: within ``weights``
    weights: np.ndarray  #: (G, K, N) integers in float64, those of these crossbars and perhaps some more


class _Counting:
    """One call of :func:`count_updates`."""

    def __init__(
        self, program: Program, weights: Mapping[str, np.ndarray], updates: int, policy: str, rotation: WearLevelling,
        borne: Sequence[tuple[float, float]], size: float, seed: int, progress: Progress | None,
    ) -> None:  # fmt: skip
        self.program, self.weights, self.updates, self.policy = program, weights, updates, policy
        self.rotation, self.borne, self.size, self.seed, self.progress = rotation, borne, size, seed, progress
        self.histogram: Counter[int] = Counter()
        crossbars = sum(layer.tiling.crossbars for layer in program.layers if layer.tiling is not None)
        self.done, self.total = 0, crossbars * (1 + updates)

    def layer(self, layer: Layer) -> LayerUpdates:
        """Count one layer."""
        arithmetic = layer_arithmetic(self.program.system, layer.weight_bits)
        assert layer.tiling is not None
        weights = self._integers(layer, arithmetic)
        sigma = self.size * float(weights.std()) if self.policy != "full" else 0.0
        found = [self._count(layer, arithmetic, some, sigma) for some in _pieces(layer, arithmetic, weights)]
        written = sum(each.cells_written for each in found)
        lifetimes = []
        for same in zip(*(each.lifetimes for each in found), strict=True):
            lasting = [each.updates for each in same if each.updates is not None]
            lifetimes.append(UpdateLifetime(same[0].endurance, same[0].sigma_decades, min(lasting, default=None)))
        writes = sum(each.writes for each in found)
        return LayerUpdates(
            name=layer.name, crossbars=layer.tiling.crossbars, cells=layer.tiling.used_cells, cells_written=written,
            mean_writes=writes / written if written else 0.0, max_writes=max(each.max_writes for each in found),
            max_row_writes=max(each.max_row_writes for each in found), writes=writes,
            levelling_writes=sum(each.levelling_writes for each in found), lifetimes=tuple(lifetimes),
            crossbar_writes=tuple(n for each in found for n in each.crossbar_writes),
            crossbar_max_writes=tuple(n for each in found for n in each.crossbar_max_writes),
        )  # fmt: skip

    def _integers(self, layer: Layer, arithmetic: Arithmetic) -> np.ndarray:
        """(G, K, N) of a layer; zeros where values do not matter, which take no memory until they are cut."""
        if self.policy == "full":
            matrix = next(node for node in self.program.dataflow.nodes if node.name == layer.name).matrix
            assert matrix is not None
            return np.broadcast_to(np.zeros(1), (matrix.groups, matrix.rows, matrix.columns))
        mapping = self.program.system.mapping
        return quantise_weights(self.weights[layer.name], arithmetic.weight_bits, mapping, layer.name).integers

    def _count(self, layer: Layer, arithmetic: Arithmetic, some: _Some, sigma: float) -> LayerUpdates:
        """A few crossbars: programmed, then updated."""
        crossbars = some.blocks.row_lo.size
        counter = WriteCounter(arithmetic.rows, arithmetic.columns, crossbars, self.policy, self.rotation)
        self._write(counter, arithmetic, some)
        before = counter.cell_writes.copy()
        generator = stream(self.seed, layer.name, "weight updates", some.first)
        if self.policy == "full" and self.rotation.kind == "none":
            self._write(counter, arithmetic, some, self.updates)
        else:
            most = (1 << (arithmetic.weight_bits - 1)) - 1
            for _ in range(self.updates):
                if self.policy != "full":
                    some.weights += sigma * generator.standard_normal(some.weights.shape, dtype=np.float32)
                    np.clip(some.weights, -most, most, out=some.weights)
                self._write(counter, arithmetic, some)
        return self._found(layer, some, counter, before)

    def _write(self, counter: WriteCounter, arithmetic: Arithmetic, some: _Some, times: int = 1) -> None:
        counter.write_weights(
            np.rint(some.weights).astype(np.int64), arithmetic.weight_bits, arithmetic.cell_bits, tiling=some.blocks,
            encoding=arithmetic.encoding, wordlines=arithmetic.wordlines, times=times)  # fmt: skip
        self.done += times * some.blocks.row_lo.size
        if self.progress is not None:
            self.progress(self.done, self.total)

    def _found(self, layer: Layer, some: _Some, counter: WriteCounter, before: np.ndarray) -> LayerUpdates:
        writes = counter.cell_writes
        self.histogram.update(_histogram(writes))
        lifetimes = []
        for number, (median, sigma) in enumerate(self.borne):
            drawn = stream(self.seed, f"{layer.name}/crossbar {some.first}", "endurance", number)
            borne = endurance_of_cells(median, sigma, writes.shape, drawn) if sigma else median
            lasts = float(lifetime(np.maximum(borne - before, 1e-9) * self.updates, writes - before).min())
            lifetimes.append(UpdateLifetime(median, sigma, int(lasts) if np.isfinite(lasts) else None))
        return LayerUpdates(
            name=layer.name, crossbars=some.blocks.row_lo.size, cells=0, cells_written=int(np.count_nonzero(writes)),
            mean_writes=counter.mean(written_only=True), max_writes=counter.maximum,
            max_row_writes=int(counter.cells.row_writes.max()), writes=counter.total,
            levelling_writes=counter.levelling_writes, lifetimes=tuple(lifetimes),
            crossbar_writes=tuple(counter.crossbar_sums.tolist()),
            crossbar_max_writes=tuple(writes.max(axis=(1, 2)).tolist()),
        )  # fmt: skip


def _pieces(layer: Layer, arithmetic: Arithmetic, weights: np.ndarray) -> Iterator[_Some]:
    """The crossbars of a layer, as many at a time as are counted together; of one group only the weights they hold."""
    tiling = layer.tiling
    assert tiling is not None
    at_once = max(1, MOST_CELLS // (arithmetic.rows * arithmetic.columns))
    for first in range(0, tiling.crossbars, at_once):
        own = slice(first, first + at_once)
        rows, outputs = (tiling.row_lo[own], tiling.row_hi[own]), (tiling.out_lo[own], tiling.out_hi[own])
        top, left, held = 0, 0, weights
        if weights.shape[0] == 1:
            top, left = int(rows[0].min()), int(outputs[0].min())
            held = weights[:, top : int(rows[1].max()), left : int(outputs[1].max())]
        blocks = Blocks(rows[0] - top, rows[1] - top, outputs[0] - left, outputs[1] - left)
        yield _Some(first, blocks, np.array(held, np.float64))


def _histogram(writes: np.ndarray) -> dict[int, int]:
    """Cells by number of writes, those that were never written left out."""
    if int(writes.max()) < MOST_BINS:
        counts = np.bincount(writes.ravel())
        numbers = np.flatnonzero(counts)
        counts = counts[numbers]
    else:
        numbers, counts = np.unique(writes, return_counts=True)
    return {number: count for number, count in zip(numbers.tolist(), counts.tolist(), strict=True) if number}
