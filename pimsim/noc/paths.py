"""What follows from routes alone: latency of a lone packet, and how traffic spreads over channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from pimsim.errors import InputError
from pimsim.network.routing import CLASS_SHIFT
from pimsim.network.traffic import Pattern, Sizes, packet_sizes
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

        (1 + inject_latency) + H x pipeline + sum of (latency + flit_cycles - 1) of its channels + eject_latency + S - 1

    cycles (Dally and Towles 2004, section 3.3, with the stages that BookSim 2 counts), if the buffer of a virtual
    channel covers the round trip of a credit and no channel is narrow.  Behind a narrow channel flits are flit_cycles
    apart; in every router after it they gain what the head loses to routing and VC allocation.  Where routing is
    adaptive, the way over the lowest ports is meant.

    Raises:
        InputError: the pattern has another number of terminals, or some packet would have no way.
    """
    topology = network.topology
    if pattern.terminals != topology.terminals:
        what = f"{pattern.name} is for {pattern.terminals} terminals, {network.name} has {topology.terminals}"
        raise InputError(what, key="traffic")
    walk = _Walk(network)
    latency = hops = longest = 0.0
    most_hops = 0
    channel, idle = np.zeros(topology.channels), np.zeros(topology.channels)
    inject, eject = np.zeros(topology.terminals), np.zeros(topology.terminals)
    packets = float(pattern.packet_rates(1.0, packet_flits).sum())
    sizes, shares = packet_sizes(packet_flits)
    for pairs in pattern.pairs(packet_flits):
        flits = packets * pairs.share * pairs.flits
        load = channel
        for size, share in [(None, 1.0)] if pattern.flits is not None else zip(sizes, shares, strict=True):
            each = pairs.flits.astype(np.int64) if size is None else np.full(pairs.source.size, size)
            passed, alone = walk.along(pairs.source, pairs.target, each, flits, load)
            latency += share * float(alone @ pairs.share)
            longest, load = max(longest, float(alone.max())), idle
        hops += float(passed @ pairs.share)
        most_hops = max(most_hops, int(passed.max()))
        inject += np.bincount(pairs.source, flits, topology.terminals)
        eject += np.bincount(pairs.target, flits, topology.terminals)
    busiest = max(float((channel * topology.flit_cycles).max(initial=0)), float(inject.max()), float(eject.max()))
    capacity = None if network.routing.adaptive is not None else 1 / busiest
    return Expectation(latency, longest, hops, most_hops, channel, inject, eject, capacity)


class _Walk:
    """Follows the routing tables of a network."""

    def __init__(self, network: BuiltNetwork) -> None:
        topology, routing, router = network.topology, network.routing, network.router
        self.network = network
        self.adaptive = np.zeros((0, 0), np.int64) if routing.adaptive is None else routing.adaptive
        self.output = topology.output
        self.delay = (topology.latency + topology.flit_cycles - 1).astype(np.int64)
        body = router.switch_allocation_cycles + router.traversal_cycles
        self.stages = np.array(
            [1 + router.inject_latency, router.pipeline_cycles - body, body, router.eject_latency], np.int64
        )

    def along(
        self, source: np.ndarray, target: np.ndarray, size: np.ndarray, flits: np.ndarray, load: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Routers passed, and cycles that a lone packet of ``size`` flits takes, from ``source`` to ``target``.

        ``flits`` of each way are added to the ``load`` (C,) of its channels.
        """
        topology = self.network.topology
        passed, cycles = _follow(
            self.network.routing.next, self.adaptive, self.output, topology.target.astype(np.int64), self.delay,
            topology.flit_cycles.astype(np.int64), self.stages, topology.terminal_router[source].astype(np.int64),
            topology.terminal_router[target].astype(np.int64), size, flits, load,
        )  # fmt: skip
        lost = np.flatnonzero(passed < 0)
        if lost.size:
            raise InputError(f"{self.network.routing.name} has no way from terminal {source[lost[0]]} to terminal "
                             f"{target[lost[0]]}", key="routing")  # fmt: skip
        return passed, cycles


@njit(cache=True)
def _follow(following, adaptive, output, leads_to, delays, flit_cycles, stages, source, target, size, flits, load):  # type: ignore[no-untyped-def]
    """Cycles are those of the head, of the flit behind it, and of the tail, each as the flits before it let it go."""
    n, longest = source.size, following.shape[0] * following.shape[1]
    inject, head_only, body, eject = stages
    passed, cycles = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for i in range(n):
        router, end, kind = source[i], target[i], 0
        head = inject
        second, tail = head + 1, head + max(size[i] - 1, 0)
        while True:
            c = -1
            passed[i] += 1
            if router != end:
                port, kind = _next_hop(following, adaptive, router, end, kind)
                c = output[router, port] if 0 <= port < output.shape[1] and kind >= 0 else -1
                if c < 0 or passed[i] > longest:
                    passed[i] = -1
                    break
            narrow = flit_cycles[c] if c >= 0 else 1
            on_way = body + (delays[c] if c >= 0 else eject)
            head += head_only
            second = max(second, head + narrow)
            tail = max(tail, second + (size[i] - 2) * narrow)
            head, second, tail = head + on_way, second + on_way, tail + on_way
            if c < 0:
                break
            load[c] += flits[i]
            router = leads_to[c]
        cycles[i] = tail if size[i] > 1 else head
    return passed, cycles


@njit(cache=True)
def _next_hop(following, adaptive, router, end, kind):  # type: ignore[no-untyped-def]
    """Port and class of the next channel; port or class is negative where there is none."""
    if adaptive.size == 0:
        entry = following[kind, router, end]
        return entry & PORT_MASK, entry >> CLASS_SHIFT
    ports = adaptive[router, end]
    for port in range(63):
        if ports >> port & 1:
            return port, 0
    return -1, -1
