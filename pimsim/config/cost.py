"""What a component costs: the record that every priced one shares."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from pimsim.config.base import Fraction, NotNegative, Positive, Spec


class Cost(Spec):
    """Peak power and area of one instance of a component, with their source."""

    power_mw: NotNegative | None = None  #: power of one instance when busy [mW]; None: not priced
    area_mm2: NotNegative | None = None  #: area of one instance [mm2]; None: not priced
    static_fraction: Fraction = 0.0  #: share of the power drawn when idle
    at: dict[str, Positive] = Field(default_factory=dict)
    #: the parameters that the figures hold for; where the component's own differ, pimsim.technology scales them
    source: str = Field(min_length=1)  #: where the figures are from


class Priced(Spec):
    """A component with a cost, whose ``at`` may name the parameters in ``scales_with``."""

    scales_with: ClassVar[tuple[str, ...]] = ()  #: what pimsim.technology.scaling has a law for

    cost: Cost

    @model_validator(mode="after")
    def _reference_point_is_known(self) -> Priced:
        for name in self.cost.at:
            if name not in self.scales_with:
                allowed = ", ".join(self.scales_with)
                raise ValueError(f"cost.at names {name!r}, which does not scale this cost; allowed: {allowed}")
        return self
