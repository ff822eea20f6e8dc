"""The analog-to-digital converters of an IMA, shared by the columns of its crossbars (ISAAC, table 1).

Timing only: what the converted values are is the business of functional models.
"""

from __future__ import annotations

from pimsim.config.records import System
from pimsim.technology.components import conversion_ns
from pimsim.units import PS_PER_NS


def conversion_ps(system: System) -> int:
    """Time of one converter for all its columns after one read [ps]: 128 at 1.28 GSps are exactly 100 ns."""
    return round(conversion_ns(system) * PS_PER_NS)
