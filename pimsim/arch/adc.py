"""The analog-to-digital converters of an IMA, shared by the columns of its crossbars (ISAAC, table 1).

Timing only: what the converted values are is the business of functional models.
"""

from __future__ import annotations

from pimsim.config.records import Ima
from pimsim.units import cycles_to_ps


def conversions_per_read(ima: Ima) -> int:
    """Columns that one converter works through after each read."""
    return max(ima.adc.columns, -(-ima.crossbars * ima.crossbar.columns // ima.adc.count))


def conversion_ps(ima: Ima) -> int:
    """Time of one converter for all its columns after one read [ps]: 128 at 1.28 GSps are exactly 100 ns."""
    return cycles_to_ps(conversions_per_read(ima), ima.adc.sample_rate_gsps)
