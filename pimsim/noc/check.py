"""What is known of a network before anything runs: size, freedom from deadlock, distances, bisection."""

from __future__ import annotations

from dataclasses import dataclass

from pimsim.config.network import Network
from pimsim.network.deadlock import NetworkCheck, check_network
from pimsim.network.traffic import uniform
from pimsim.noc.network import build_network
from pimsim.noc.paths import expect


@dataclass(frozen=True)
class Check:
    """A network's figures under uniform traffic."""

    network: str
    found: NetworkCheck
    ports: int  #: of a router
    vcs: int  #: virtual channels of an input
    mean_hops: float  #: routers that a packet passes, as BookSim 2 counts: over all pairs of terminals, itself included
    longest_route: int  #: routers that a packet passes at most
    zero_load_cycles: float  #: latency of lone packets of ``packet_flits``, mean over pairs of terminals
    longest_cycles: float  #: the same, of the pair that takes longest
    packet_flits: int
    capacity: float | None  #: load at which some channel or terminal is always busy; None: routing is adaptive


def check(spec: Network, packet_flits: int = 5, name: str | None = None) -> Check:
    """Everything that a network's description says about it.

    Args:
        spec: what :func:`pimsim.config.load_network` returns.
        packet_flits: of the packets whose zero-load latency is told.

    Raises:
        InputError: the graph is not connected, or the routing does not fit it.
    """
    found = check_network(spec)
    network = build_network(spec, name=name, deadlock_free=False)
    expected = expect(network, uniform(network.topology), packet_flits)
    return Check(
        network=network.name,
        found=found,
        ports=network.topology.ports,
        vcs=spec.router.vcs,
        mean_hops=expected.hops,
        longest_route=expected.most_hops,
        zero_load_cycles=expected.zero_load_latency,
        packet_flits=packet_flits,
        longest_cycles=expected.longest_latency,
        capacity=expected.capacity,
    )
