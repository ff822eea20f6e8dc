"""What all records share: ranges of numbers, and the frozen record itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1, le=10**9, strict=True)]
Bits = Annotated[int, Field(ge=1, le=64, strict=True)]
Resolution = Annotated[int, Field(ge=0, le=64, strict=True)]  # bits; 0: ideal
MOST_CYCLES = 1024
"""Of one delay in a network-on-chip: at 1 GHz the time of light through 200 m of fibre, longer than any wire of a
system.  The flit-level model holds lists of what is due in each of the cycles to come, up to the longest delay."""
Cycles = Annotated[int, Field(ge=1, le=MOST_CYCLES, strict=True)]
Delay = Annotated[int, Field(ge=0, le=MOST_CYCLES, strict=True)]
Index = Annotated[int, Field(ge=0, le=10**9, strict=True)]
# Bounds far outside any hardware: what lies beyond is a slip, and would overflow integer picoseconds.
Positive = Annotated[float, Field(ge=1e-6, le=1e9, strict=True)]
NotNegative = Annotated[float, Field(ge=0, le=1e9, strict=True)]
Fraction = Annotated[float, Field(ge=0, le=1, strict=True)]


class Spec(BaseModel):
    """A frozen record that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)
