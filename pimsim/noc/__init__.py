"""A network alone: latency against load, given packets, and what is known of it before anything runs.

>>> from pimsim.config import load_network
>>> from pimsim.noc import check
>>> check(load_network("mesh-8x8")).found.diameter
14
"""

from pimsim.noc.check import Check, check
from pimsim.noc.curve import latency_curve
from pimsim.noc.network import BuiltNetwork, Deadlock, build_network
from pimsim.noc.records import Curve, LoadPoint, Replay
from pimsim.noc.replay import replay

__all__ = ["BuiltNetwork", "Check", "Curve", "Deadlock", "LoadPoint", "Replay", "build_network", "check",
           "latency_curve", "replay"]  # fmt: skip
