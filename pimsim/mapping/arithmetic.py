"""How the numbers of a layer are represented in a crossbar: what decides the values that come out of it.

A weight of w bits lies in slices of ``cell_bits`` over neighbouring columns; an input of b bits is driven in digits
of ``dac_bits``, the lowest first.  One *conversion* is one digit of the driven wordlines against one column: the sum
over the wordlines of digit x level of the cell, in *levels*, which the ADC turns into a code.

Encodings of signed weights (ISAAC, ISCA 2016; parameters of the flip recalled, formulas derived)
    offset        cells hold W + 2^(w-1); 2^(w-1) x sum of the inputs is taken off afterwards.
    flip          as offset, but a column whose levels add up to more than half of what they could holds
                  (2^cell_bits - 1) - level instead; sum(a l) = (2^cell_bits - 1) sum(a) - code.
    differential  |W| without its sign in one of two columns, whose codes are subtracted; -2^(w-1) has no place.

Signed inputs: with digits of one bit two's complement, the sums of the highest plane are subtracted (ISAAC).  With
wider digits the drivers get x + 2^(b-1), and 2^(b-1) x sum of the weights, known beforehand, is taken off.  A digit of
more than one bit is driven as that many pulses of the read voltage, so that each brings the noise of one read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pimsim.config.records import Ima, System
from pimsim.errors import InputError, shown

WIDEST_CELL = 8  #: bits; levels are held in bytes
EXACT_SUM = 23  #: bits of a column's sum [levels]; with the half that rounding adds it is exact in float32
FINEST_STEP = 2**-6  #: of an ADC [levels]: codes stay within 30 bits
WIDEST_WEIGHT = 52  #: bits; matrices are held in float64
WIDEST_PRODUCT = 62  #: bits of a layer's results, which are 64-bit integers


KEYS = {
    "input_bits": "mapping.input_bits", "weight_bits": "mapping.weight_bits", "dac_bits": "chip.tile.ima.dac.bits",
    "adc_bits": "chip.tile.ima.adc.bits", "cell_bits": "chip.tile.ima.crossbar.cell_bits",
    "columns": "chip.tile.ima.crossbar.columns", "wordlines": "chip.tile.ima.crossbar.active_wordlines",
}  # fmt: skip
"""Where a system says it."""


@dataclass(frozen=True)
class Arithmetic:
    """Everything that decides the values of a matrix in crossbars, devices apart."""

    input_bits: int = 16
    weight_bits: int = 16
    dac_bits: int = 1
    cell_bits: int = 2
    rows: int = 128  #: wordlines of a crossbar
    columns: int = 128  #: bitlines of a crossbar
    wordlines: int = 128  #: wordlines driven in one read
    adc_bits: int = 8  #: 0: ideal, neither rounded nor cut off
    adc_step: float = 1.0  #: levels; sums are rounded to the nearest multiple, halves up
    encoding: str = "offset"  #: offset, flip or differential
    signed_inputs: bool = True
    unit_column: str = "digital"  #: digital or analog: how driven wordlines are counted
    register_bits: int | None = None  #: bits of the registers that hold a crossbar's partial sums; None: wide
    register_shift: int = 0  #: bits that are cut off (towards minus infinity) before a partial sum enters a register

    def __post_init__(self) -> None:
        if self.encoding not in ("offset", "flip", "differential"):
            raise InputError(f"there is no encoding {self.encoding!r}", allowed="offset, flip, differential")
        if self.unit_column not in ("digital", "analog"):
            raise InputError(f"there is no unit column {self.unit_column!r}", allowed="digital, analog")
        for name in ("input_bits", "weight_bits", "dac_bits", "cell_bits", "rows", "columns", "wordlines", "adc_bits",
                     "register_shift"):  # fmt: skip
            if not isinstance(getattr(self, name), int | np.integer):
                raise InputError(f"is {shown(getattr(self, name))}", key=name, allowed="a whole number")
        for name in ("input_bits", "weight_bits", "dac_bits", "cell_bits", "rows", "columns", "wordlines"):
            if getattr(self, name) < 1:
                raise InputError(f"is {getattr(self, name)}", key=name, allowed="a whole number from 1")
        if self.cell_bits > WIDEST_CELL:
            raise InputError(f"values of cells of {self.cell_bits} bits cannot be simulated", key="cell_bits",
                             allowed=f"1 to {WIDEST_CELL}")  # fmt: skip
        if self.encoding == "differential" and self.weight_bits < 2:
            raise InputError("a differential pair needs a sign and a bit", key="weight_bits", allowed="from 2")
        if self.wordlines * ((1 << self.dac_bits) - 1) * ((1 << self.cell_bits) - 1) >> EXACT_SUM:
            raise InputError(f"sums of {self.wordlines} wordlines, {self.dac_bits}-bit digits and {self.cell_bits}-bit "
                             f"cells take more than {EXACT_SUM} bits and cannot be simulated",
                             key="wordlines")  # fmt: skip
        if self.cells_per_weight > self.columns:
            raise InputError(f"a weight takes {self.cells_per_weight} cells, and a crossbar has {self.columns} columns",
                             key="columns")  # fmt: skip
        if not 0 <= self.adc_bits <= 30:
            raise InputError(f"is {self.adc_bits}", key="adc_bits", allowed="0 (ideal) to 30")
        if not FINEST_STEP <= self.adc_step <= 1 << EXACT_SUM:
            raise InputError(f"is {self.adc_step}", key="adc_step", allowed=f"{FINEST_STEP} to {1 << EXACT_SUM} levels")
        if self.weight_bits > WIDEST_WEIGHT:
            raise InputError(f"is {self.weight_bits}", key="weight_bits", allowed=f"1 to {WIDEST_WEIGHT}")
        if self.register_bits is not None and not 1 <= self.register_bits <= WIDEST_PRODUCT:
            raise InputError(f"is {self.register_bits}", key="register_bits", allowed=f"1 to {WIDEST_PRODUCT}")
        if not 0 <= self.register_shift <= WIDEST_PRODUCT:
            raise InputError(f"is {self.register_shift}", key="register_shift", allowed=f"0 to {WIDEST_PRODUCT}")

    @property
    def planes(self) -> int:
        """Digits of an input: reads of a crossbar for one vector, groups of wordlines apart."""
        return -(-self.input_bits // self.dac_bits)

    @property
    def slices(self) -> int:
        """Cells that hold a weight's bits in one column group."""
        return -(-self._stored_bits // self.cell_bits)

    @property
    def cells_per_weight(self) -> int:
        """Cells, and columns, of one weight."""
        return self.slices * (2 if self.encoding == "differential" else 1)

    @property
    def _stored_bits(self) -> int:
        return self.weight_bits - 1 if self.encoding == "differential" else self.weight_bits

    @property
    def counts_by_cells(self) -> bool:
        """Whether driven wordlines are counted by a column of cells."""
        return self.unit_column == "analog" and self.encoding != "differential"

    @property
    def twos_complement(self) -> bool:
        """Whether the highest plane of inputs counts negative."""
        return self.signed_inputs and self.dac_bits == 1

    @property
    def input_offset(self) -> int:
        """What is added to inputs before they are driven."""
        return 1 << (self.input_bits - 1) if self.signed_inputs and self.dac_bits > 1 else 0

    @property
    def input_range(self) -> tuple[int, int]:
        """Smallest and largest input."""
        if self.signed_inputs:
            return -(1 << (self.input_bits - 1)), (1 << (self.input_bits - 1)) - 1
        return 0, (1 << self.input_bits) - 1

    @property
    def weight_range(self) -> tuple[int, int]:
        """Smallest and largest weight."""
        most = (1 << (self.weight_bits - 1)) - 1
        return (-most if self.encoding == "differential" else -most - 1), most

    @property
    def full_scale(self) -> int:
        """Largest code of the ADC; -1: ideal."""
        return (1 << self.adc_bits) - 1 if self.adc_bits else -1

    @property
    def largest_sum(self) -> int:
        """Largest sum of a column [levels]."""
        return largest_sum(self.wordlines, self.dac_bits, self.cell_bits, self.encoding)


def layer_arithmetic(
    system: System,
    weight_bits: int | None = None,
    *,
    signed_inputs: bool = True,
    adc_step: float | None = None,
    register_shift: int = 0,
) -> Arithmetic:
    """The arithmetic of a layer on a system.

    Args:
        weight_bits: of this layer; None: as ``mapping.weight_bits``.
        adc_step: levels, where ``adc.range`` is calibrated.
        register_shift: bits, where ``mapping.accumulation`` is ``register``.
    """
    mapping = system.mapping
    found = arithmetic_of(system.chip.tile.ima, mapping.input_bits, weight_bits or mapping.weight_bits)
    register = mapping.register_bits if mapping.accumulation == "register" else None
    found = replace(found, signed_inputs=signed_inputs, register_bits=register, register_shift=register_shift)
    return found if adc_step is None else replace(found, adc_step=adc_step)


def arithmetic_of(ima: Ima, input_bits: int = 16, weight_bits: int = 16) -> Arithmetic:
    """The arithmetic of an IMA's crossbars and converters, with wide partial sums.

    Where ``adc.range`` is ``calibrated``, the step is that of ``full`` until a calibration says better.
    """
    crossbar, adc = ima.crossbar, ima.adc
    try:
        found = Arithmetic(
            input_bits=input_bits, weight_bits=weight_bits, dac_bits=ima.dac.bits, cell_bits=crossbar.cell_bits,
            rows=crossbar.rows, columns=crossbar.columns, wordlines=crossbar.wordlines, adc_bits=adc.bits,
            encoding=crossbar.encoding, unit_column=crossbar.unit_column,
        )  # fmt: skip
    except InputError as error:
        raise InputError(error.what, key=KEYS.get(error.key or "", error.key), allowed=error.allowed) from None
    return found if adc.range == "levels" else replace(found, adc_step=step_for(found, found.largest_sum))


def step_for(arithmetic: Arithmetic, largest: float) -> float:
    """The ADC's step so that sums up to ``largest`` levels fit; never finer than one level."""
    return 1.0 if not arithmetic.adc_bits else max(1.0, largest / arithmetic.full_scale)


def largest_sum(wordlines: int, dac_bits: int, cell_bits: int, encoding: str) -> int:
    """Largest sum of a column [levels]; flipping leaves half of it."""
    most = wordlines * ((1 << dac_bits) - 1) * ((1 << cell_bits) - 1)
    return most // 2 if encoding == "flip" else most
