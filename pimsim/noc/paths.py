"""What follows from routes alone: latency of a lone packet, and how traffic spreads over channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from pimsim.errors import InputError
from pimsim.network.routing import CLASS_SHIFT, PORT_MASK
from pimsim.network.traffic import Pattern, Sizes, packet_sizes
from pimsim.noc import lone
from pimsim.noc.network import BuiltNetwork

HOPS, CHANNEL, AFTER, HEAD, SECOND, TAIL, WAY = range(7)
"""Columns of what is known of the way from a state: routers, first channel (-1: none) and state behind it, cycles."""
UNKNOWN, NOWHERE = -2, -1  #: instead of HOPS


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
    channel covers the round trip of a credit or the packet, and no channel is narrow.  Behind a narrow channel flits
    are flit_cycles apart; in every router after it they gain what the head loses to routing and VC allocation.  Where
    routing is adaptive, the way over the lowest ports is meant.  Where buffers are too shallow, lone packets are
    simulated (:mod:`pimsim.noc.lone`).

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
            if not lone.never_waits(network, int(each.max())):
                alone = lone.measured(network, pairs, each, alone, lone.SAMPLE / topology.terminals**2)
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
        begin, end = (topology.terminal_router[each].astype(np.int64) for each in (source, target))
        order = np.lexsort((size, end))
        passed, cycles = np.zeros(source.size, np.int64), np.zeros(source.size, np.int64)
        _measure(
            self.network.routing.next, self.adaptive, self.output, topology.target.astype(np.int64), self.delay,
            topology.flit_cycles.astype(np.int64), self.stages, order, begin, end, size, flits, load, passed, cycles,
        )  # fmt: skip
        lost = np.flatnonzero(passed < 0)
        if lost.size:
            raise InputError(f"{self.network.routing.name} has no way from terminal {source[lost[0]]} to terminal "
                             f"{target[lost[0]]}", key="routing")  # fmt: skip
        return passed, cycles


@njit(cache=True)
def _measure(  # type: ignore[no-untyped-def]
    following, adaptive, output, leads_to, delays, flit_cycles, stages, order, source, target, size, flits, load,
    passed, cycles,
):  # fmt: skip
    """``passed`` and ``cycles`` of each pair; ``order`` puts pairs of one target and one size after each other."""
    states = following.shape[0] * following.shape[1]
    ways = np.empty((states, WAY), np.int64)
    done, stack = np.empty(states, np.int64), np.empty(states, np.int64)
    carried = np.zeros(states)
    lo = 0
    while lo < order.size:
        end, flits_each = target[order[lo]], size[order[lo]]
        ways[:, HOPS] = UNKNOWN
        known, hi = 0, lo
        while hi < order.size and target[order[hi]] == end and size[order[hi]] == flits_each:
            i = order[hi]
            hi += 1
            begin = source[i]
            known = _follow(following, adaptive, output, leads_to, delays, flit_cycles, stages, begin, end, flits_each,
                            ways, done, known, stack)  # fmt: skip
            passed[i] = ways[begin, HOPS]
            cycles[i] = stages[0] + ways[begin, HEAD]
            if flits_each > 1:
                behind = max(ways[begin, SECOND] + 1, ways[begin, TAIL] + flits_each - 1)
                cycles[i] = max(cycles[i], stages[0] + behind)
            carried[begin] += flits[i]
        for k in range(known - 1, -1, -1):  # whoever is farther away first
            state = done[k]
            if ways[state, CHANNEL] >= 0:
                load[ways[state, CHANNEL]] += carried[state]
                carried[ways[state, AFTER]] += carried[state]
            carried[state] = 0.0
        lo = hi


@njit(cache=True)
def _follow(  # type: ignore[no-untyped-def]
    following, adaptive, output, leads_to, delays, flit_cycles, stages, begin, end, size, ways, done, known, stack,
):  # fmt: skip
    """Fill ``ways`` of all states (class, router) on the way from ``begin`` to ``end``; ``done`` lists what is filled.

    From the arrival of the head, of the flit behind it and of the tail at a router, the tail reaches its terminal
    HEAD, SECOND and TAIL cycles later, whichever is latest: flits keep the distance that channels force on them.
    """
    routers = following.shape[1]
    _, head_only, body, eject = stages
    depth, state = 0, begin
    while ways[state, HOPS] == UNKNOWN:
        router, kind = state % routers, state // routers
        ways[state, HOPS], ways[state, CHANNEL] = NOWHERE, -1  # until its end is found: a circle leads nowhere
        stack[depth] = state
        depth += 1
        if router == end:
            break
        port, after = _next_hop(following, adaptive, router, end, kind)
        c = output[router, port] if 0 <= port < output.shape[1] and after >= 0 else -1
        if c < 0:
            break
        ways[state, CHANNEL], ways[state, AFTER] = c, after * routers + leads_to[c]
        state = ways[state, AFTER]
    while depth > 0:
        depth -= 1
        state = stack[depth]
        c, narrow, on_way, hops, head, second, tail = ways[state, CHANNEL], 1, body + eject, 0, 0, 0, 0
        if c >= 0:
            narrow, on_way, after = flit_cycles[c], body + delays[c], ways[state, AFTER]
            hops, head, second, tail = ways[after, HOPS], ways[after, HEAD], ways[after, SECOND], ways[after, TAIL]
        if hops >= 0 and (c >= 0 or state % routers == end):
            ways[state, HOPS] = hops + 1
            ways[state, TAIL] = on_way + tail
            ways[state, SECOND] = on_way + max(second, (size - 2) * narrow + tail)
            ways[state, HEAD] = head_only + on_way + head
            if size > 1:
                ways[state, HEAD] = max(ways[state, HEAD], head_only + narrow + ways[state, SECOND])
        done[known] = state
        known += 1
    return known


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
