"""Lone packets through buffers that do not cover the round trip of a credit: then the network itself is asked."""

from __future__ import annotations

import numpy as np

from pimsim.arch.noc.flit import route_packets
from pimsim.network.packets import Packets
from pimsim.network.traffic import Pairs
from pimsim.noc.network import BuiltNetwork

SAMPLE = 1 << 16  #: pairs that are measured at most, about; the others are assumed to wait as long on average


def round_trip(network: BuiltNetwork) -> int:
    """Cycles, at most, from the grant of a head until the slot that it takes downstream may be written again."""
    topology, router = network.topology, network.router
    switch = router.switch_allocation_cycles + router.traversal_cycles
    until_granted = router.pipeline_cycles - switch
    freed = router.switch_allocation_cycles + router.credit_cycles
    channel = int((2 * topology.latency + topology.flit_cycles - 1).max(initial=0)) + switch + until_granted + freed
    from_terminal = 1 + 2 * router.inject_latency + until_granted + router.switch_allocation_cycles
    to_terminal = switch + 2 * router.eject_latency + 1 + router.credit_cycles
    return max(channel, from_terminal, to_terminal)


def never_waits(network: BuiltNetwork, flits: int) -> bool:
    """Whether a lone packet of so many flits finds a free slot wherever it comes."""
    return flits <= network.router.vc_buffer or round_trip(network) <= network.router.vc_buffer


def measured(network: BuiltNetwork, pairs: Pairs, size: np.ndarray, at_least: np.ndarray, share: float) -> np.ndarray:
    """(P,) cycles from creation to the tail's arrival of a lone packet for every pair.

    Args:
        size: (P,) flits.
        at_least: (P,) cycles that it takes where slots are always free.
        share: of the pairs are measured, drawn at random; the mean of what they wait is added to the others.
    """
    chosen = np.flatnonzero(np.random.default_rng(0).random(size.size) < share)
    if not chosen.size:
        chosen = np.arange(1)
    apart = int(at_least.max()) + round_trip(network) * (int(size.max()) + 1)  # even with a slot a round trip
    packets = Packets(pairs.source[chosen], pairs.target[chosen], size[chosen], apart * np.arange(chosen.size))
    arrivals = route_packets(network.topology, network.routing, network.router, packets)
    cycles = (arrivals.atime - packets.ctime).astype(np.float64)
    estimate = at_least + float((cycles - at_least[chosen]).mean())
    estimate[chosen] = cycles
    return estimate
