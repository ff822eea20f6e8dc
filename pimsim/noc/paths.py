"""What follows from routes alone: latency of a lone packet, and how traffic spreads over channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from pimsim.errors import InputError
from pimsim.network.routing import CLASS_SHIFT
from pimsim.network.traffic import Pattern, Sizes
from pimsim.noc.network import BuiltNetwork

PORT_MASK = (1 << CLASS_SHIFT) - 1


@dataclass(frozen=True)
class Expectation:
    """Of a traffic pattern, before anything is simulated."""

    zero_load_latency: float  #: cycles from creation to the tail's arrival, mean of all packets
    longest_latency: float  #: the same, of the pair that takes longest
    hops: float  #: routers that a packet passes, mean
    most_hops: int  #: of the farthest pair
    channel_flits: np.ndarray  #: (C,) float64 flits a cycle at a load of 1
    inject_flits: np.ndarray  #: (N,) float64 from each terminal
    eject_flits: np.ndarray  #: (N,) float64 to each terminal
    capacity: float | None
    """Load at which some channel or terminal is busy in every cycle: no network accepts more.  None: adaptive routing
    could spread the traffic otherwise."""


def expect(network: BuiltNetwork, pattern: Pattern, packet_flits: Sizes) -> Expectation:
    """Zero-load latency and channel loads of a pattern.

    A lone packet of S flits that passes H routers takes

        (1 + inject_latency) + H x pipeline + sum of (latency + flit_cycles - 1) of its channels + eject_latency
        + (S - 1) x the largest flit_cycles on its way

    cycles (Dally and Towles 2004, section 3.3, with the stages that BookSim 2 counts), if the buffer of a virtual
    channel covers the round trip of a credit.  Where routing is adaptive, the way over the lowest ports is meant.

    Raises:
        InputError: the pattern has another number of terminals, or some packet would have no way.
    """
    topology, router = network.topology, network.router
    if pattern.terminals != topology.terminals:
        what = f"{pattern.name} is for {pattern.terminals} terminals, {network.name} has {topology.terminals}"
        raise InputError(what, key="traffic")
    walk = _Walk(network)
    latency = hops = 0.0
    longest, most_hops = 0.0, 0
    channel = np.zeros(topology.channels)
    inject, eject = np.zeros(topology.terminals), np.zeros(topology.terminals)
    scale = 1.0 / float(pattern.packet_rates(1.0, packet_flits).sum())
    for pairs in pattern.pairs(packet_flits):
        flits = pairs.share * pairs.flits / scale
        on_way, delay, narrowest = walk.along(pairs.source, pairs.target, flits, channel)
        alone = 1 + router.inject_latency + (on_way + 1) * router.pipeline_cycles + delay + router.eject_latency
        alone = alone + (pairs.flits - 1) * narrowest
        latency += float(alone @ pairs.share)
        hops += float((on_way + 1) @ pairs.share)
        longest, most_hops = max(longest, float(alone.max())), max(most_hops, int(on_way.max()) + 1)
        inject += np.bincount(pairs.source, flits, topology.terminals)
        eject += np.bincount(pairs.target, flits, topology.terminals)
    busiest = max(float((channel * topology.flit_cycles).max(initial=0)), float(inject.max()), float(eject.max()))
    capacity = None if network.routing.adaptive is not None else 1 / busiest
    return Expectation(latency, longest, hops, most_hops, channel, inject, eject, capacity)


class _Walk:
    """Follows the routing tables of a network."""

    def __init__(self, network: BuiltNetwork) -> None:
        topology, routing = network.topology, network.routing
        self.network = network
        self.adaptive = np.zeros((0, 0), np.int64) if routing.adaptive is None else routing.adaptive
        self.channel_at = topology.output
        self.delay = (topology.latency + topology.flit_cycles - 1).astype(np.int64)

    def along(
        self, source: np.ndarray, target: np.ndarray, flits: np.ndarray, load: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Channels, their delays together, and their largest flit_cycles, of the ways from ``source`` to ``target``.

        ``flits`` of each way are added to the ``load`` (C,) of its channels.
        """
        topology = self.network.topology
        passed, delay, narrowest = _follow(
            self.network.routing.next, self.adaptive, self.channel_at, topology.target.astype(np.int64), self.delay,
            topology.flit_cycles.astype(np.int64), topology.terminal_router[source].astype(np.int64),
            topology.terminal_router[target].astype(np.int64), flits, load,
        )  # fmt: skip
        lost = np.flatnonzero(passed < 0)
        if lost.size:
            raise InputError(f"{self.network.routing.name} has no way from terminal {source[lost[0]]} to terminal "
                             f"{target[lost[0]]}", key="routing")  # fmt: skip
        return passed, delay, narrowest


@njit(cache=True)
def _follow(following, adaptive, channel_at, leads_to, delays, flit_cycles, source, target, flits, load):  # type: ignore[no-untyped-def]
    n, classes, routers = source.size, following.shape[0], following.shape[1]
    passed, delay, narrowest = np.zeros(n, np.int64), np.zeros(n, np.int64), np.ones(n, np.int64)
    for i in range(n):
        router, end, kind = source[i], target[i], 0
        while router != end:
            if adaptive.size > 0:
                ports, port = adaptive[router, end], 0
                while ports >> port & 1 == 0 and port < 63:
                    port += 1
            else:
                entry = following[kind, router, end]
                port, kind = entry & PORT_MASK, entry >> CLASS_SHIFT
            if kind < 0 or port >= channel_at.shape[1] or channel_at[router, port] < 0 or passed[i] > classes * routers:
                passed[i] = -1
                break
            c = channel_at[router, port]
            load[c] += flits[i]
            passed[i] += 1
            delay[i] += delays[c]
            narrowest[i] = max(narrowest[i], flit_cycles[c])
            router = leads_to[c]
    return passed, delay, narrowest
