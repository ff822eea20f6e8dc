"""What all records share: ranges of numbers, and the frozen record itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1, le=10**9, strict=True)]
Bits = Annotated[int, Field(ge=1, le=64, strict=True)]
Index = Annotated[int, Field(ge=0, le=10**9, strict=True)]
# Bounds far outside any hardware: what lies beyond is a slip, and would overflow integer picoseconds.
Positive = Annotated[float, Field(ge=1e-6, le=1e9, strict=True)]
NotNegative = Annotated[float, Field(ge=0, le=1e9, strict=True)]
Fraction = Annotated[float, Field(ge=0, le=1, strict=True)]


class Spec(BaseModel):
    """A frozen record that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)
