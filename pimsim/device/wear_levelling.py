"""Wear levelling by rotation of rows: hot rows of the matrix wander over all rows of the crossbar.

    none       row r of the matrix lies in row r.
    rotate     after every ``interval`` row writes of a crossbar, what lies in a row goes to the next one, the last to
               the first: all rows are written once more.
    start_gap  one row of the array is spare, the *gap*.  After every ``interval`` row writes what lies before the gap
               goes into it and leaves the gap behind: one row is written once more, and after as many moves as
               there are rows all have gone one row on (Qureshi et al., MICRO 2009, Start-Gap).

The wordlines' inputs follow the rows; the switches that this takes are not priced.  What moves is in
:mod:`pimsim.device.write_kernels`.
"""

from __future__ import annotations

from dataclasses import dataclass

from pimsim.errors import InputError, shown

KINDS = {"none": 0, "rotate": 1, "start_gap": 2}
NONE, ROTATE, START_GAP = KINDS.values()


@dataclass(frozen=True)
class WearLevelling:
    """How the rows of a crossbar rotate."""

    kind: str = "none"
    interval: int = 100  #: row writes of a crossbar between moves (100: Start-Gap's)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"there is no wear levelling {shown(self.kind)}", allowed=KINDS)
        if self.interval < 1:
            raise InputError(f"is {shown(self.interval)}", key="interval", allowed="a whole number from 1")

    @property
    def code(self) -> int:
        """Number of the kind."""
        return KINDS[self.kind]

    @property
    def spare_rows(self) -> int:
        """Rows that the array has beyond those of the matrix."""
        return 1 if self.kind == "start_gap" else 0
