"""The composition root of heat: the Result of a run in, the temperature of every tile and accuracy at it out.

`floorplan` says where tiles lie, `chips` how warm a run makes them, `accuracy` what that does to a network's decisions.
"""

from pimsim.heat.accuracy import accuracy_at_temperatures, layer_temperatures
from pimsim.heat.chips import Heat, temperatures
from pimsim.heat.floorplan import Floorplan, floorplan

__all__ = ["Floorplan", "Heat", "accuracy_at_temperatures", "floorplan", "layer_temperatures", "temperatures"]
