"""The composition root of heat: the Result of a run in, the temperature of every tile and accuracy at it out.

`chips` says how warm a run makes all tiles, `accuracy` what that does to a network's decisions.
"""

from pimsim.heat.accuracy import accuracy_at_temperatures, layer_temperatures
from pimsim.heat.chips import Heat, temperatures

__all__ = ["Heat", "accuracy_at_temperatures", "layer_temperatures", "temperatures"]
