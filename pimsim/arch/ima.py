"""An IMA: crossbars, converters and shift-and-add, one vector after another.

Nothing inside an IMA is arbitrated: from the moment in which the input registers are full the sequence is
fixed, so a vector needs no event until its outputs stand in the output register.
"""

from __future__ import annotations

from dataclasses import dataclass

from pimsim.arch.adc import conversion_ps
from pimsim.arch.crossbar import reads_per_vector
from pimsim.config.records import System
from pimsim.technology.components import read_time_ns
from pimsim.units import PS_PER_NS, ns_to_ps


@dataclass(frozen=True)
class VectorTiming:
    """How long one vector takes in an IMA [ps]."""

    interval_ps: int  #: from one vector to the next
    latency_ps: int  #: input register full to output register full


def vector_timing(system: System, slot_ps: int, rows: int, passes: int = 1) -> VectorTiming:
    """Timing of vectors of at most ``rows`` values a crossbar, each driven in so many passes.

    One read follows another after the slowest of read, conversion and shift-and-add; each of these is a
    stage of its own, so conversion and shift-and-add add their latency once.
    """
    ima = system.chip.tile.ima
    reads = reads_per_vector(ima.crossbar, ima.dac, system.mapping.input_bits, rows, passes)
    convert, add = conversion_ps(system), ns_to_ps(system.pipeline.latency_ns("shift_add"))

    def whole_slots(time: int) -> int:
        return -(-time // slot_ps) * slot_ps

    beat = whole_slots(round(read_time_ns(system) * PS_PER_NS))
    return VectorTiming(reads * beat, reads * beat + whole_slots(convert) + whole_slots(add))
