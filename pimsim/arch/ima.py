"""An IMA: crossbars, converters and shift-and-add, one vector after another.

Nothing inside an IMA is arbitrated: from the moment in which the input registers are full the sequence is
fixed, so a vector needs no event until its outputs stand in the output register.
"""

from __future__ import annotations

from dataclasses import dataclass

from pimsim.arch.adc import conversion_ps
from pimsim.arch.crossbar import read_ps, reads_per_vector
from pimsim.arch.slots import slot_after
from pimsim.config.records import System
from pimsim.units import ns_to_ps


@dataclass(frozen=True)
class VectorTiming:
    """How long one vector takes in an IMA [ps]."""

    reads: int
    interval_ps: int  #: the input register takes its next vector during the last read of this one
    latency_ps: int  #: input register full to output register full


def vector_timing(system: System, slot_ps: int, rows: int) -> VectorTiming:
    """Timing of vectors of at most ``rows`` values a crossbar.

    One read follows another after the slowest of read, conversion and shift-and-add; each of these is a
    stage of its own, so conversion and shift-and-add add their latency once.
    """
    ima, pipeline = system.chip.tile.ima, system.pipeline
    reads = reads_per_vector(ima.crossbar, ima.dac, system.mapping.input_bits, rows)
    read = max(read_ps(ima.crossbar), ns_to_ps(pipeline.latency_ns("crossbar_read")))
    convert = ns_to_ps(pipeline.latency_ns("conversion"))
    if pipeline.occupies("conversion", "adc"):
        convert = max(convert, conversion_ps(ima))
    add = ns_to_ps(pipeline.latency_ns("shift_add"))
    align = slot_after.py_func if hasattr(slot_after, "py_func") else slot_after
    beat = align(slot_ps, max(read, convert, add))
    return VectorTiming(reads, reads * beat, reads * beat + align(slot_ps, convert) + align(slot_ps, add))
