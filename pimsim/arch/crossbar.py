"""A crossbar: one analog read of the driven wordlines at a time (ISAAC: 100 ns, one input bit)."""

from __future__ import annotations

from pimsim.config.records import Crossbar, Dac


def reads_per_vector(crossbar: Crossbar, dac: Dac, input_bits: int, rows: int, passes: int = 1) -> int:
    """Reads until a vector of ``rows`` values is done: each input bit slice, for each group of driven wordlines.

    ``passes``: how often that, where a crossbar is read from its bitlines and the cells of a weight take turns.
    """
    return -(-input_bits // dac.bits) * -(-rows // crossbar.wordlines) * passes
