"""Matrices in crossbars: programmed once, multiplied by many vectors, exact or as noisy as their devices.

How a product is computed is chosen column by column, by what can be proven of the column, never by a preference:

    T0   one GEMM, where every conversion gives the sum itself: the ADC is ideal, or its step is one level and the
         column's levels add up to no more than its full scale, and reads are noiseless.
    T3b  the same with one normal deviate for each result, where reads are noisy and the ADC is ideal: a sum of normal
         deviates is one.  Forced upon another ADC it is an approximation (see :meth:`ProgrammedMatrix.match_moments`).
         The GEMM of variances is one of floats, so that deviates agree within 1e-6 of their sigma, however a batch is
         cut; all other tiers give the same bits.
    T1   conversions by counting bits, where cells hold their levels exactly.
    T2   conversions by tables of sums, for any cells.
    T3   T1 or T2 with a normal deviate in every conversion.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np

from pimsim.config import load_device, load_system
from pimsim.config.device import Device
from pimsim.config.records import Ima, System
from pimsim.errors import InputError, shown
from pimsim.functional.cells import inert_everywhere
from pimsim.functional.encoding import checked_integers
from pimsim.functional.flips import AGE
from pimsim.functional.gaussian import Numbers
from pimsim.functional.part import Part, make_part
from pimsim.mapping.arithmetic import Arithmetic, arithmetic_of, layer_arithmetic

__all__ = ["Product", "ProgrammedMatrix", "crossbar_matmul", "program_matrix"]

TIERS = ("T0", "T1", "T2", "T3", "T3b")
PART_CELLS = 1 << 25  #: cells that are encoded at a time
SAMPLE = 64  #: vectors from which T3b takes its moments where the ADC is not ideal
BLOCK = 4096  #: vectors that are worked on at a time


@dataclass
class Product:
    """What came out of crossbars, and what converters and registers did."""

    values: np.ndarray  #: (V, N) int64 or float64, in units of inputs @ weights
    conversions: int  #: unit columns left out
    clipped: int  #: conversions whose sum lay outside the ADC's range
    overflows: int  #: partial and final sums that a register could not hold


def crossbar_matmul(
    x: np.ndarray,
    weights: np.ndarray,
    spec: System | Ima | Arithmetic | str | Path,
    device: Device | str | Path | None = None,
    seed: int = 0,
    *,
    layer: str = "matrix",
    tier: str | None = None,
) -> Product:
    """``x @ weights`` as crossbars compute it.

    >>> import numpy as np
    >>> x, w = np.array([[3, -1], [2, 5]]), np.array([[1, 2], [3, -4]])
    >>> crossbar_matmul(x, w, "isaac-ce").values.tolist()
    [[0, 10], [17, -16]]

    Args:
        x: (V, K) integers: within the two's complement range of the spec's input bits.
        weights: (K, N) integers: within that of its weight bits.
        spec: a system (or its name or file), an IMA (16-bit inputs and weights), or an arithmetic.  A system's
            ``mapping.mitigation`` is applied too, weight clipping apart, which comes before weights are integers.
        device: what the cells are like, a record, name or file; None: ideal.
        seed: of everything random, from 0; another ``layer`` is another matrix with draws of its own.
        tier: forces a way of computing (see :mod:`pimsim.functional.crossbar`), for tests.

    Raises:
        InputError: something given is wrong, or the tier cannot compute this.
    """
    from pimsim.functional.mitigation import program_mitigated  # it programs matrices itself

    mitigation = None
    if isinstance(spec, str | Path):
        spec = load_system(spec)
    if isinstance(device, str | Path):
        device = load_device(device)
    if isinstance(spec, System):
        mitigation, spec = spec.mapping.mitigation.of_layer(layer), layer_arithmetic(spec)
    arithmetic = arithmetic_of(spec) if isinstance(spec, Ima) else spec
    matrix = program_mitigated(weights, arithmetic, mitigation, device=device, seed=seed, layer=layer, tier=tier)
    if matrix.approximate:
        matrix.match_moments(np.asarray(x)[:SAMPLE])
    return matrix.multiply(x)


def program_matrix(
    weights: np.ndarray,
    arithmetic: Arithmetic,
    *,
    device: Device | None = None,
    seed: int = 0,
    layer: str = "matrix",
    tier: str | None = None,
    write_number: int = 0,
    reads: float = 0.0,
) -> ProgrammedMatrix:
    """Weights (K, N), integers, in crossbars; arguments and errors as :func:`crossbar_matmul`.

    ``write_number`` counts the writes of these cells from 0, ``reads`` those that each has seen before the first
    vector.  Where ``device.in_field`` says that reads change cells, these are looked at again every :data:`AGE`
    vectors, and taken to be as they are in the middle.
    """
    if tier is not None and tier not in TIERS:
        raise InputError(f"there is no tier {tier!r}", key="tier", allowed=TIERS)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 1 << 63:
        raise InputError(f"is {shown(seed)}", key="seed", allowed="a whole number from 0 to 2^63 - 1")
    weights = checked_integers(weights, arithmetic.weight_range, "weights")
    rows, outputs = weights.shape
    stream = stream_number(seed, layer)

    def parts(vectors: float) -> list[Part]:
        """As they are after so many vectors."""
        return [
            make_part(weights, part, arithmetic, device, stream=stream, seed=seed, layer=layer, tier=tier,
                      write_number=write_number, reads=reads + vectors * arithmetic.planes)
            for part in outputs_of_parts(rows, outputs, arithmetic)
        ]  # fmt: skip

    field = device.in_field if device is not None else None
    if field is not None and (field.failures_per_read or field.read_disturb):
        return ProgrammedMatrix(arithmetic, rows, outputs, parts(AGE / 2), parts)
    return ProgrammedMatrix(arithmetic, rows, outputs, parts(0))


def outputs_of_parts(rows: int, outputs: int, arithmetic: Arithmetic) -> list[slice]:
    """The outputs of a matrix that are encoded together: whole crossbars, of :data:`PART_CELLS` cells or few more."""
    at_once = max(1, PART_CELLS // (rows * arithmetic.cells_per_weight))
    per_crossbar = arithmetic.columns // arithmetic.cells_per_weight
    at_once = max(1, at_once // per_crossbar) * per_crossbar
    return [slice(low, min(low + at_once, outputs)) for low in range(0, outputs, at_once)]


def stream_number(seed: int, layer: str) -> int:
    """The 64-bit number of a layer's stream of read noise."""
    return int.from_bytes(hashlib.blake2b(f"{int(seed)}/{layer}".encode(), digest_size=8).digest(), "little")


@dataclass
class ProgrammedMatrix:
    """A matrix of K rows and N outputs in crossbars."""

    arithmetic: Arithmetic
    rows: int
    outputs: int
    parts: list[Part]  #: outputs one after another
    aged: Callable[[float], list[Part]] | None = None  #: the parts after so many vectors, where reads change cells
    _now: tuple[int, list[Part]] = field(init=False, repr=False)  #: age in multiples of AGE vectors, parts of that age
    _ageing: Lock = field(init=False, repr=False, default_factory=Lock)
    tiers: dict[str, int] = field(init=False)  #: columns below groups of wordlines, by how they are computed
    notes: tuple[str, ...] = field(init=False)  #: ``key: why`` of what is configured in a device and has no effect here

    def __post_init__(self) -> None:
        self._now = 0, self.parts
        counted: Counter[str] = Counter()
        for part in self.parts:
            counted.update(part.tiers)
        self.tiers = {tier: counted[tier] for tier in TIERS if counted[tier]}
        self.notes = inert_everywhere(part.cells for part in self.parts)

    @property
    def approximate(self) -> bool:
        """Whether T3b was forced upon an ADC that is not ideal."""
        return any(part.approximate for part in self.parts)

    @property
    def conversions_per_vector(self) -> int:
        """Conversions of one vector, unit columns left out."""
        groups = len(self.parts[0].groups)
        return groups * self.arithmetic.planes * self.arithmetic.cells_per_weight * self.outputs

    def multiply(self, inputs: np.ndarray, first_vector: int = 0, stride: int = 1) -> Product:
        """Multiply vectors.

        Args:
            inputs: (V, K) integers within ``arithmetic.input_range``.
            first_vector, stride: the vectors' numbers are first_vector, first_vector + stride, ...; what is random in a
                product depends on them alone, and cells that change while they are read are as old as they say.

        Raises:
            InputError: inputs of another length, out of range, or no integers.
        """
        inputs, numbers = self._checked(inputs), Numbers(int(first_vector), int(stride))
        if numbers.first < 0 or numbers.stride < 1 or numbers.after(inputs.shape[0]).first >> 62:
            raise InputError(f"vectors are numbered from {numbers.first} in steps of {numbers.stride}",
                             key="first_vector", allowed="0 to 2^62, in steps from 1")  # fmt: skip
        blocks = [self._multiply(inputs[block], numbers.after(block.start)) for block in self._blocks(inputs, numbers)]
        if len(blocks) == 1:
            return blocks[0]
        values = np.concatenate([block.values for block in blocks])
        return Product(values, *(sum(getattr(block, name) for block in blocks)
                                 for name in ("conversions", "clipped", "overflows")))  # fmt: skip

    def _blocks(self, inputs: np.ndarray, numbers: Numbers) -> Iterator[slice]:
        """Vectors that are worked on together: of one age, and with the same half of their numbers above 32 bits."""
        of_vector = numbers.first + numbers.stride * np.arange(inputs.shape[0])
        alike = of_vector >> 32 if self.aged is None else of_vector // AGE
        starts = np.union1d(np.arange(0, inputs.shape[0], BLOCK), np.flatnonzero(np.diff(alike)) + 1)
        ends = [*starts[1:], inputs.shape[0]]
        return (slice(int(start), int(end)) for start, end in zip(starts, ends, strict=True))

    def _multiply(self, inputs: np.ndarray, numbers: Numbers) -> Product:
        found = [part.multiply(inputs, numbers) for part in self._parts(numbers.first // AGE)]
        values, overflows = self._accumulate([part.sums for part in found])
        conversions = inputs.shape[0] * self.conversions_per_vector
        return Product(values, conversions, sum(part.clipped for part in found), overflows)

    def _parts(self, age: int) -> list[Part]:
        """The parts at this age; what T3b has measured at the beginning stays."""
        if self.aged is None:
            return self.parts
        with self._ageing:
            if age != self._now[0]:
                parts = self.aged((age + 0.5) * AGE)
                for old, new in zip(self.parts, parts, strict=True):
                    new.linear.factor, new.linear.bias = old.linear.factor, old.linear.bias
                self._now = age, parts
            return self._now[1]

    def _accumulate(self, sums: list[np.ndarray]) -> tuple[np.ndarray, int]:
        """Partial sums of crossbars, (crossbars, V, N) a part, to products (V, N); sums that a register cut off."""
        whole = np.concatenate(sums, axis=2) if len(sums) > 1 else sums[0]
        bits, shift = self.arithmetic.register_bits, self.arithmetic.register_shift
        if bits is None:
            return whole[0], 0
        partial, overflows = into_register(whole, bits, shift)
        total, more = into_register(partial.sum(axis=0), bits, 0)
        return total << shift, overflows + more

    def match_moments(self, sample: np.ndarray) -> None:
        """Measure for T3b, where the ADC is not ideal, what rounding and its range add to mean and variance.

        Both are taken over the sample's results, (V, K) integers of at most :data:`SAMPLE` vectors: the mean for each
        output, the variance as one factor for the matrix; its standard error is sqrt(2 / (vectors x outputs)).
        """
        sample = self._checked(sample)[:SAMPLE]
        for part in self.parts:
            part.match_moments(sample)

    def sums_of_columns(self, inputs: np.ndarray) -> np.ndarray:
        """All sums of all columns for some vectors [levels], without noise: float32, in no particular order."""
        inputs = self._checked(inputs)
        return np.concatenate([part.sums_of_columns(inputs) for part in self.parts])

    def column_range(self, inputs: np.ndarray) -> float:
        """Largest sum of a column for some vectors [levels]: what a calibrated ADC's full scale should hold."""
        return float(self.sums_of_columns(inputs).max())

    def histogram(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Codes that the ADCs give for some vectors, without noise, and how often; an ideal ADC: whole levels."""
        sums = self.sums_of_columns(inputs)
        full = self.arithmetic.full_scale
        step = self.arithmetic.adc_step if full >= 0 else 1.0
        codes = np.floor(sums * np.float32(1 / step) + np.float32(0.5)).astype(np.int64)
        if full >= 0:
            codes = np.clip(codes, 0, full)
        lowest = int(codes.min())
        counts = np.bincount(codes - lowest)
        found = np.flatnonzero(counts)
        return found + lowest, counts[found]

    def _checked(self, inputs: np.ndarray) -> np.ndarray:
        inputs = checked_integers(inputs, self.arithmetic.input_range, "inputs")
        if inputs.shape[1] != self.rows:
            raise InputError(f"inputs of {inputs.shape[1]} values meet a matrix of {self.rows} rows")
        return inputs


def into_register(sums: np.ndarray, bits: int, shift: int) -> tuple[np.ndarray, int]:
    """Sums shifted right (towards minus infinity) and cut off at the range of a register; how many were beyond it."""
    cut = np.floor(sums / (1 << shift)).astype(np.int64) if sums.dtype.kind == "f" else sums >> shift
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return np.clip(cut, low, high), int(np.count_nonzero((cut < low) | (cut > high)))
