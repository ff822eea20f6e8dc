"""One kernel on one GPU core of a chip: the roofline of the core's multiprocessors and of its memory.

    time   = max(FLOPs / (peak x occupancy), bytes / (bandwidth x occupancy))
    energy = power when busy x time

(Williams, Waterman and Patterson, CACM 2009), with the launch overhead in front of the time and at idle power.  Times
are whole picoseconds, rounded up, so that no kernel is faster than its roof.  In a simulation, the results of a kernel
leave it window by window: each window takes an equal share of the time, which is rounded up again, so that a kernel may
take up to a picosecond a window more.  What a kernel has to do is :mod:`pimsim.workload`'s to count, as
:mod:`pimsim.costmodels.roofline` counts it for whole devices.
"""

from __future__ import annotations

from fractions import Fraction

from pimsim.config.gpu import GpuCore
from pimsim.errors import InputError, shown
from pimsim.technology.components import gpu_core_cost
from pimsim.units import PS_PER_NS


def kernel_ps(core: GpuCore, flops: int, values: int) -> int:
    """How long a kernel keeps a core busy, its launch aside [ps].

    Args:
        flops: floating-point operations; a fused multiply-add counts two.
        values: values that move between the core and its memory, of ``core.value_bytes`` each.

    Raises:
        InputError: less than no work.
    """
    for name, count in (("flops", flops), ("values", values)):
        if count < 0:
            raise InputError(f"is {shown(count)}", key=name, allowed="a whole number, at least 0")
    occupancy = _exact(core.occupancy)
    flops_per_ns = core.multiprocessors * core.flops_per_clock * _exact(core.clock_ghz) * occupancy
    bytes_per_ns = _exact(core.memory.gb_per_s) * occupancy
    ns = max(flops / flops_per_ns, values * core.value_bytes / bytes_per_ns)
    exact = ns * PS_PER_NS
    return -(-exact.numerator // exact.denominator)


def kernel_pj(core: GpuCore, busy_ps: int) -> float | None:
    """Energy of a core that is busy for ``busy_ps``, beside what it draws when idle [pJ]; None: not priced.

    The power when busy is the device's share, its memory included: a kernel's own traffic is in it.

    Raises:
        InputError: the cost cannot be scaled to the core's parameters.
    """
    cost = gpu_core_cost(core)
    return None if cost.power_mw is None else (1 - cost.static_fraction) * cost.power_mw * busy_ps / PS_PER_NS


def _exact(number: float) -> Fraction:
    return Fraction(str(number))
