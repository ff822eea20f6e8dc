"""Records of tiers that are not all alike: GPU cores beside ReRAM tiles on the network of one chip.

A GPU core is a tile like any other: it sits at a router's terminal, packets arrive in its memory and leave from there.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pimsim.config.base import Count, NotNegative, Positive, Spec
from pimsim.config.cost import Priced

TierKind = Literal["reram", "gpu"]


class GpuMemory(Spec):
    """The memory of one GPU core: its share of the device's."""

    mib: Count  #: capacity [MiB]
    gb_per_s: Positive  #: read or written, 1e9 bytes a second
    latency_ns: NotNegative  #: of every access
    pj_per_bit: NotNegative
    #: of a packet that is read for the network or written from there; a kernel's own traffic is in the core's power
    source: str = Field(min_length=1)  #: where the figures are from


class GpuCore(Priced):
    """A GPU core: multiprocessors that work on one kernel at a time, with a memory of their own."""

    scales_with = ("multiprocessors", "clock_ghz")

    multiprocessors: Count  #: of one core
    clock_ghz: Positive
    flops_per_clock: Count  #: of one multiprocessor; a fused multiply-add counts two
    value_bytes: Literal[2, 4, 8] = 4  #: of a value in a kernel and in the memory; 4: FP32
    launch_ns: NotNegative  #: from the request to the first result's beginning, of every kernel
    occupancy: Annotated[float, Field(gt=0, le=1, strict=True)] = 1.0
    #: share of peak and bandwidth that a kernel reaches; 1: the bound that none exceeds
    memory: GpuMemory

    @property
    def peak_flops_per_s(self) -> float:
        """Floating-point operations a second of one core."""
        return self.multiprocessors * self.flops_per_clock * self.clock_ghz * 1e9
