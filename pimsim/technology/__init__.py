"""What components cost: area and peak power, energy of an action, and how both scale.

`components` lists what a system is made of; `scaling` holds the laws, `area_power` the roll-up,
`peak` what a chip reaches at best, `action_costs` the energies that price a run.
"""

from pimsim.technology.action_costs import ActionCosts, action_costs
from pimsim.technology.area_power import ComponentRow, RollUp, Subtotal, component_table, roll_up
from pimsim.technology.peak import ClockRounding, PeakMetrics, clock_roundings, peak_metrics

__all__ = [
    "ActionCosts",
    "ClockRounding",
    "ComponentRow",
    "PeakMetrics",
    "RollUp",
    "Subtotal",
    "action_costs",
    "clock_roundings",
    "component_table",
    "peak_metrics",
    "roll_up",
]
