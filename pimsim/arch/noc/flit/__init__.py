"""The flit-level network: input-queued wormhole routers with virtual channels and credits, cycle by cycle."""

from pimsim.arch.noc.flit.replay import route_packets
from pimsim.network.packets import Deadlock

__all__ = ["Deadlock", "route_packets"]
