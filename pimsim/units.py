"""Integer time: picoseconds, int64 (gem5's convention).

A clock whose period is no whole number of picoseconds is never rounded by itself:
n cycles take round(n * exact period), so errors do not add up.
"""

from __future__ import annotations

from fractions import Fraction

PS_PER_NS = 1000
PS_PER_S = 10**12


def ns_to_ps(ns: float) -> int:
    """Whole picoseconds nearest to ``ns`` nanoseconds."""
    return round(Fraction(str(ns)) * PS_PER_NS)


def cycles_to_ps(cycles: float, clock_ghz: float) -> int:
    """Duration of ``cycles`` of a clock, rounded once, to the nearest picosecond [ps]."""
    return round(Fraction(str(cycles)) * PS_PER_NS / Fraction(str(clock_ghz)))


def transfer_ps(bits: int, width_bits: int, clock_ghz: float) -> int:
    """Duration of ``bits`` over ``width_bits`` wires, in whole clocks [ps]."""
    return cycles_to_ps(-(-bits // width_bits), clock_ghz)


def stream_ps(n_bytes: float, gb_per_s: float) -> int:
    """Duration of ``n_bytes`` at ``gb_per_s`` (1e9 bytes a second), rounded up [ps]."""
    exact = Fraction(str(n_bytes)) * PS_PER_NS / Fraction(str(gb_per_s))
    return -(-exact.numerator // exact.denominator)
