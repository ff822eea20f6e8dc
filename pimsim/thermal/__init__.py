"""Power map in, temperature map of a 3D stack out: steady state, transient, leakage.

`stack` says what lies on what, `power_map` where heat is made, `grid` makes finite volumes of a stack, `conduction`
solves for temperatures; `steady`, `transient` and `leakage` ask the questions.  `resistances` answers the first for
thousands of powers in the same places.  Nothing here knows of chips, networks or runs.
"""

from pimsim.thermal.conduction import Conduction
from pimsim.thermal.leakage import FixedPoint, exponential_leakage, fixed_point
from pimsim.thermal.power_map import PowerMap
from pimsim.thermal.resistances import thermal_resistances
from pimsim.thermal.stack import Layer, Stack, stack_for_tiers
from pimsim.thermal.steady import Spot, TemperatureMap, steady_state
from pimsim.thermal.transient import Transient, transient_response

__all__ = [
    "Conduction", "FixedPoint", "Layer", "PowerMap", "Spot", "Stack", "TemperatureMap", "Transient",
    "exponential_leakage", "fixed_point", "stack_for_tiers", "steady_state",
    "thermal_resistances", "transient_response",
]  # fmt: skip
