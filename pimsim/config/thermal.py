"""The record of the path that heat takes out of a chip: ``chip.thermal``.

The defaults are those of the HotSpot 7.0 templates (``template.config``, ``examples/example3``).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from pimsim.config.base import Fraction, NotNegative, Positive, Spec


class Thermal(Spec):
    """Tiers, what bonds them, and the package, as ``pimsim.thermal.stack_for_tiers`` takes them.

    Tier 0, that of the routers with z = 0, is the farthest from the heat sink.
    """

    ambient_k: Positive = 318.15  #: temperature of the air [K]: 45 degrees Celsius, inside a case
    tier_um: Positive = 150.0  #: thickness of a tier's silicon [um]
    bond_um: Positive = 20.0  #: thickness of the interface material between tiers, and to the spreader [um]
    tsv_fraction: Fraction = 0.0  #: share of the bonding layers between tiers that is copper via
    spreader_side_mm: Positive = 30.0  #: a square of copper [mm]; at least as large as a tier
    sink_side_mm: Positive = 60.0  #: a square of copper [mm]; at least as large as the spreader
    convection_k_per_w: Positive | None = 1.042  #: sink to air [K/W]; null: no way out there
    convection_j_per_k: NotNegative = 140.4  #: heat capacity of the sink's fins and the air at them [J/K]
    board_k_per_w: Positive | None = None  #: tier 0 to the air, through the board [K/W]; null: no way out there
    board_j_per_k: NotNegative = 0.0  #: heat capacity of the board [J/K]
    static_doubling_k: Positive | None = None
    #: static power doubles every so many kelvin; null: it does not depend on temperature
    reference_k: Positive = 318.15  #: temperature at which static power is as the costs say [K]
    source: Annotated[str, Field(min_length=1)] = "HotSpot 7.0, template.config and examples/example3"
    #: where the figures are from

    @model_validator(mode="after")
    def _heat_gets_out(self) -> Thermal:
        if self.convection_k_per_w is None and self.board_k_per_w is None:
            raise ValueError("the tiers have no heat path: convection_k_per_w and board_k_per_w are both null")
        if self.sink_side_mm < self.spreader_side_mm:
            raise ValueError(f"the sink of {self.sink_side_mm:g} mm is smaller than the spreader of "
                             f"{self.spreader_side_mm:g} mm")  # fmt: skip
        return self
