"""Neighbouring outputs of a matrix in crossbars: which columns are computed how, and their partial sums."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from pimsim.config.device import Device
from pimsim.device.line_resistance import effective_conductance
from pimsim.errors import InputError
from pimsim.functional.cells import Cells, program_cells
from pimsim.functional.encoding import Encoded, Group, encode
from pimsim.functional.flips import TransientFlips
from pimsim.functional.gaussian import Numbers, column_keys
from pimsim.functional.linear import LinearColumns
from pimsim.functional.planes import pack_levels
from pimsim.functional.popcount import Converter, PopcountColumns
from pimsim.functional.tables import TableColumns
from pimsim.mapping.arithmetic import Arithmetic

UNLIMITED = (1 << 30) - 1  #: full scale of an ideal ADC where sums are whole numbers
EXACT_RESULT = 1 << 40  #: columns have numbers below; above, outputs have theirs for noise that is added to results

Columns = PopcountColumns | TableColumns


@dataclass(frozen=True)
class Sums:
    """What the crossbars of a part deliver."""

    sums: np.ndarray  #: (crossbars, V, n) partial sums where they enter registers, else (1, V, n) products
    clipped: int  #: conversions cut off


@dataclass
class Part:
    """Outputs ``outputs`` of a matrix in crossbars."""

    arithmetic: Arithmetic
    groups: tuple[Group, ...]
    outputs: slice
    tiers: dict[str, int]  #: columns below groups of wordlines
    cells: Cells  #: without its arrays, unless columns are read by table
    linear: LinearColumns
    columns: list[Columns | None]  #: by group; None: all are linear
    unit: list[Columns] | LinearColumns | None  #: analog unit columns by group; linear: the ADC is ideal
    unit_offsets: np.ndarray  #: (G, n) int64, what each pulse that they count adds
    twin: Callable[[], Part] | None = None  #: the same without approximation
    flips: TransientFlips | None = None
    levels: Callable[[], np.ndarray] = field(repr=False, default=lambda: np.zeros((0, 0)))  #: (K, n x J) float32

    @property
    def approximate(self) -> bool:
        """Whether T3b was forced upon an ADC that is not ideal."""
        return self.twin is not None

    def multiply(self, inputs: np.ndarray, numbers: Numbers) -> Sums:
        """Partial sums for inputs (V, K) int64, vectors of these numbers."""
        driven = inputs + self.arithmetic.input_offset
        found = self._convert(driven, numbers)
        if self.flips is not None:
            self.flips.add(driven, numbers, found.sums)
        return found

    def _convert(self, driven: np.ndarray, numbers: Numbers) -> Sums:
        a = self.arithmetic
        in_registers = a.register_bits is not None
        n, crossbars = self.outputs.stop - self.outputs.start, self.groups[-1].crossbar + 1
        codes = np.zeros((crossbars if in_registers else 1, driven.shape[0], n), dtype=np.int64)
        clipped, converter = 0, _converter(a)
        for group, columns in zip(self.groups, self.columns, strict=True):
            here = codes[group.crossbar if in_registers else 0]
            if columns is not None:
                clipped += columns.convert(converter, driven[:, group.rows], numbers, here)
            if isinstance(self.unit, list):
                counted = np.zeros((driven.shape[0], 1), dtype=np.int64)
                self.unit[group.number].convert(converter, driven[:, group.rows], numbers, counted)
                here += counted * self.unit_offsets[group.number]
        exact = self.linear.multiply(driven, numbers)
        if isinstance(self.unit, LinearColumns):
            exact = exact + self._counted(self.unit.multiply(driven, numbers), exact.shape)
        if not isinstance(self.unit, list) and all(columns is None for columns in self.columns):
            return Sums(exact, clipped)
        step = a.adc_step if a.adc_bits else 1.0
        return Sums((codes * int(step) if float(step).is_integer() else codes * step) + exact, clipped)

    def _counted(self, pulses: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """What linear unit columns add: pulses (G, V, 1) times the offsets of their groups."""
        added = np.zeros(shape, dtype=pulses.dtype)
        for group in self.groups:
            added[group.crossbar if shape[0] > 1 else 0] += pulses[group.number] * self.unit_offsets[group.number]
        return added

    def match_moments(self, sample: np.ndarray) -> None:
        """See :meth:`pimsim.functional.crossbar.ProgrammedMatrix.match_moments`."""
        if self.twin is None:
            return
        driven = sample + self.arithmetic.input_offset
        error = self.twin().multiply(sample, Numbers()).sums - self.linear.mean(driven)
        self.linear.match(error, driven)

    def sums_of_columns(self, inputs: np.ndarray) -> np.ndarray:
        """Sums of all columns for inputs (V, K) [levels], flat."""
        a, levels = self.arithmetic, self.levels()
        driven = inputs + a.input_offset
        found = []
        for plane in range(a.planes):
            digits = (driven >> (plane * a.dac_bits) & ((1 << a.dac_bits) - 1)).astype(np.float32)
            found += [(digits[:, group.rows] @ levels[group.rows]).ravel() for group in self.groups]
        return np.concatenate(found)


def name_of_part(layer: str, outputs: slice, all_outputs: int) -> str:
    """Name under which the cells of a part are drawn, and found in a fault map."""
    return layer if outputs == slice(0, all_outputs) else f"{layer}/outputs {outputs.start}"


def name_of_unit_column(layer: str) -> str:
    """The same of a layer's analog unit columns."""
    return f"{layer}/unit column"


def make_part(
    weights: np.ndarray,
    outputs: slice,
    arithmetic: Arithmetic,
    device: Device | None,
    *,
    stream: int,
    seed: int,
    layer: str,
    tier: str | None,
    write_number: int,
    reads: float,
) -> Part:
    """The part of ``outputs`` of a matrix (K, N); see :func:`pimsim.functional.crossbar.program_matrix`."""
    own = weights[:, outputs]
    name = name_of_part(layer, outputs, weights.shape[1])
    encoded = encode(own, arithmetic)

    def programmed(levels: np.ndarray, of: str) -> Cells:
        if device is None:  # the levels themselves: a byte a cell
            return Cells(levels, None, True, None, None, ())
        return program_cells(levels, arithmetic.cell_bits, device, seed=seed, layer=of, write_number=write_number,
                             reads=reads, with_wires=_wires(device, arithmetic), flips_are_sampled=True)  # fmt: skip

    def levels() -> np.ndarray:
        again = encode(own, arithmetic).levels
        return programmed(again.reshape(again.shape[0], -1), name).level.astype(np.float32, copy=False)

    cells = programmed(encoded.levels.reshape(own.shape[0], -1), name)
    plan = _Plan(encoded, arithmetic, cells, weights.shape[1], outputs.start, stream)
    chosen = plan.tiers(tier)
    unit, unit_offsets = None, encoded.offsets
    if arithmetic.counts_by_cells:
        unit = plan.unit_columns(programmed(np.ones((own.shape[0], 1), dtype=np.uint8), name_of_unit_column(layer)))
    linear = plan.linear(chosen, own, digital=unit is None)
    columns = [plan.columns(group, chosen[group.number]) for group in encoded.groups]
    approximate = bool((chosen == "T3b").any()) and arithmetic.adc_bits > 0
    twin = None
    if approximate:
        def twin() -> Part:
            return make_part(weights, outputs, arithmetic, device, stream=stream, seed=seed, layer=layer, tier=None,
                             write_number=write_number, reads=reads)  # fmt: skip
    flips = None
    if cells.transient_flip:
        flips = TransientFlips(cells.transient_flip, arithmetic, encoded, seed, name)
    names, counts = np.unique(chosen, return_counts=True)
    kept = Cells(cells.level[:0], None, cells.ideal, cells.variance_by_level, None, cells.inert)
    return Part(arithmetic, encoded.groups, outputs, dict(zip(names.tolist(), counts.tolist(), strict=True)), kept,
                linear, columns, unit, unit_offsets, twin, flips, levels)  # fmt: skip


@dataclass(frozen=True)
class _Plan:
    """Chooses how the columns of a part are computed, and prepares them."""

    encoded: Encoded
    arithmetic: Arithmetic
    cells: Cells
    all_outputs: int  #: of the matrix
    first_output: int  #: of the part
    stream: int

    def tiers(self, forced: str | None) -> np.ndarray:
        """(G, n, J) name of the tier of each column.

        Raises:
            InputError: the forced tier cannot compute this.
        """
        a, cells = self.arithmetic, self.cells
        chosen = np.empty(self.encoded.weights.shape, dtype="U3")
        allowed: tuple[str, ...]
        if cells.variance is not None:
            chosen[:] = "T3" if a.adc_bits else "T3b"
            allowed = ("T3", "T3b") if a.adc_bits else ("T3b",)
        elif not cells.ideal:
            chosen[:] = "T2" if a.adc_bits else "T0"
            allowed = ("T2",) if a.adc_bits else ("T0",)
        else:
            chosen[:] = np.where(self._loses_nothing(), "T0", "T1")
            allowed = ("T0", "T1", "T2") if (chosen == "T0").all() else ("T1", "T2")
        if forced is not None and forced not in allowed:
            raise InputError(f"tier {forced} cannot compute this: {self._why()}", key="tier", allowed=allowed)
        if forced is not None:
            chosen[:] = forced
        return chosen

    def _why(self) -> str:
        cells = "reads are noisy" if self.cells.variance is not None else "reads are noiseless"
        levels = "cells hold their levels exactly" if self.cells.ideal else "cells are off their levels"
        adc = f"an ADC of {self.arithmetic.adc_bits} bits" if self.arithmetic.adc_bits else "the ADC is ideal"
        return f"{cells}, {levels}, {adc}"

    def _loses_nothing(self) -> np.ndarray:
        """(G, n, J) columns of ideal cells whose sums all come out of the ADC as they are."""
        a = self.arithmetic
        if not a.adc_bits:
            return np.ones(self.encoded.weights.shape, dtype=bool)
        largest = self.encoded.largest_sums((1 << a.dac_bits) - 1)
        return (largest <= a.full_scale) & (a.adc_step == 1)

    def linear(self, chosen: np.ndarray, weights: np.ndarray, digital: bool) -> LinearColumns:
        """What one GEMM computes: columns of T0 and T3b, and what is added digitally."""
        mask = (chosen == "T0") | (chosen == "T3b")
        e = self.encoded
        matrix = np.empty(e.levels.shape[:2])
        variance = np.empty_like(matrix) if (chosen == "T3b").any() else None
        if mask.all() and self.cells.ideal and digital:
            matrix[:] = weights  # encoding and decoding are each other's inverse
        else:
            levels = self.cells.level.reshape(e.levels.shape)
            for group in e.groups:
                matrix[group.rows] = e.offsets[group.number] if digital else 0
                if mask[group.number].any():
                    factor = e.weights[group.number] * mask[group.number]
                    matrix[group.rows] += np.einsum("knj,nj->kn", levels[group.rows], factor.astype(float))
        if variance is not None:
            assert self.cells.variance is not None
            variances = self.cells.variance.reshape(e.levels.shape)
            for group in e.groups:
                squares = np.square(e.weights[group.number].astype(float))
                variance[group.rows] = np.einsum("knj,nj->kn", variances[group.rows], squares)
        keys = column_keys(self.stream, EXACT_RESULT + self.first_output + np.arange(weights.shape[1]))
        delivered = self._delivered()
        constant = np.stack([e.constants[own.start : own.stop].sum(axis=0) for own in delivered])
        bounds = [slice(e.groups[own.start].low, e.groups[own.stop - 1].high) for own in delivered]
        return LinearColumns(self.arithmetic, matrix, variance, constant, keys, bounds)

    def _delivered(self) -> list[slice]:
        """Groups whose sums are delivered together: those of a crossbar if they enter a register, else all."""
        groups = self.encoded.groups
        if self.arithmetic.register_bits is None:
            return [slice(0, len(groups))]
        first = [group.number for group in groups if group.low % self.arithmetic.rows == 0]
        return [slice(low, high) for low, high in zip(first, [*first[1:], len(groups)], strict=True)]

    def columns(self, group: Group, chosen: np.ndarray) -> Columns | None:
        """The columns of a group that are converted one by one."""
        mask = (chosen != "T0") & (chosen != "T3b")
        if not mask.any():
            return None
        e = self.encoded
        outputs, slices = np.nonzero(mask)
        which = slice(None) if mask.all() else outputs * chosen.shape[1] + slices  # all: without a copy
        numbers = (group.number * chosen.shape[1] + slices) * self.all_outputs + self.first_output + outputs
        weights = e.weights[group.number][mask]
        keys = column_keys(self.stream, numbers)
        levels = e.levels[group.rows].reshape(group.high - group.low, -1)[:, which]
        by_table = bool((chosen[mask] == "T2").any())
        return _columns(self.arithmetic, self.cells, levels, group.rows, which, outputs, weights, keys, by_table)

    def unit_columns(self, cells: Cells) -> list[Columns] | LinearColumns:
        """A column of ones for each group, read as its neighbours are."""
        numbers = -1 - np.arange(len(self.encoded.groups))
        if not self.arithmetic.adc_bits:
            rows = [group.rows for group in self.encoded.groups]
            nothing = np.zeros((len(rows), 1), dtype=np.int64)
            keys = column_keys(self.stream, numbers[:1])
            return LinearColumns(self.arithmetic, cells.level.astype(float), cells.variance, nothing, keys, rows)
        found: list[Columns] = []
        for group in self.encoded.groups:
            ones = np.ones((group.high - group.low, 1), dtype=np.uint8)
            none = np.zeros(1, dtype=np.int64)
            keys = column_keys(self.stream, numbers[group.number : group.number + 1])
            found.append(_columns(self.arithmetic, cells, ones, group.rows, none, none, none + 1, keys, False))
        return found


def _columns(
    arithmetic: Arithmetic,
    cells: Cells,
    levels: np.ndarray,
    rows: slice,
    which: np.ndarray | slice,
    outputs: np.ndarray,
    weights: np.ndarray,
    keys: np.ndarray,
    by_table: bool,
) -> Columns:
    """Columns ``which`` of the cells, by counting bits unless that is impossible or ``by_table`` says otherwise."""
    noise = None if cells.variance is None else _linear_variance(cells)
    if cells.ideal and not by_table and (cells.variance is None or noise is not None):
        per_cell, per_level = noise or (0.0, 0.0)
        packed = pack_levels(levels, arithmetic.cell_bits)
        return PopcountColumns(packed, outputs, weights, None if noise is None else keys, per_cell, per_level)
    variances = None if cells.variance is None else np.ascontiguousarray(cells.variance[rows][:, which])
    held = np.ascontiguousarray(cells.level[rows][:, which], dtype=np.float32)
    return TableColumns(held, variances, outputs, weights, keys)


def _linear_variance(cells: Cells) -> tuple[float, float] | None:
    """Variance of a read for a driven cell, and for each of its levels [levels^2]; None: it is no such sum."""
    by_level = cells.variance_by_level
    if by_level is None:
        return None
    base, slope = float(by_level[0]), float(by_level[1] - by_level[0])
    line = base + slope * np.arange(by_level.size)
    return (base, slope) if np.allclose(by_level, line, rtol=1e-5, atol=0) else None


def _converter(a: Arithmetic) -> Converter:
    step = a.adc_step if a.adc_bits else 1.0
    full = a.full_scale if a.adc_bits else UNLIMITED
    return Converter(a.dac_bits, a.planes, a.twos_complement, full, np.float32(1 / step))


def _wires(device: Device | None, arithmetic: Arithmetic) -> Callable[[np.ndarray], np.ndarray] | None:
    """What line resistance makes of the conductances (K, columns) of a matrix, crossbar by crossbar.

    Lines that hold no weights are left out of a crossbar.
    """
    if device is None or device.line_resistance is None:
        return None
    wires = device.line_resistance
    width = arithmetic.columns // arithmetic.cells_per_weight * arithmetic.cells_per_weight

    def applied(conductance: np.ndarray) -> np.ndarray:
        found = np.empty_like(conductance)
        for low in range(0, conductance.shape[0], arithmetic.rows):
            for left in range(0, conductance.shape[1], width):
                crossbar = slice(low, low + arithmetic.rows), slice(left, left + width)
                found[crossbar] = effective_conductance(
                    conductance[crossbar], wire_ohm=wires.wire_ohm, source_ohm=wires.source_ohm,
                    sink_ohm=wires.sink_ohm, form=wires.solver,
                )  # fmt: skip
        return found

    return applied
