"""A network ready to carry packets: what a file describes, with its topology and its routing tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pimsim.arch.noc.flit import Deadlock, route_packets
from pimsim.config import load_network, naming_keys
from pimsim.config.network import Network, Router
from pimsim.errors import InputError
from pimsim.network.deadlock import offers, require_deadlock_free
from pimsim.network.packets import Arrivals, Branches, Packets
from pimsim.network.routing import Routing, build_routing
from pimsim.network.topology import Topology, build_topology

__all__ = ["BuiltNetwork", "Deadlock", "Engine", "Progress", "build_network", "route"]

Engine = Literal["compiled", "reference"]
Progress = Callable[[int, int], None]  #: (done, in all)


@dataclass(frozen=True)
class BuiltNetwork:
    """Routers of one kind, what joins them, and the way through them."""

    name: str
    topology: Topology
    routing: Routing
    router: Router
    spec: Network | None = None  #: what it was built from; None: made from parts


def build_network(
    source: str | Path | Network,
    overrides: Sequence[str] = (),
    name: str | None = None,
    *,
    deadlock_free: bool = True,
) -> BuiltNetwork:
    """The network of a chip, or one by itself.

    Args:
        source: a shipped name, the YAML file of a system or a network, or what
            :func:`pimsim.config.load_network` returns.
        overrides: ``KEY=VALUE`` with dotted keys, for a network given by name or file.
        name: what it is called; None: as the file, or the topology.
        deadlock_free: refuse a network in which packets may wait for each other in a circle.

    Raises:
        InputError: something given is wrong, or the network can deadlock.
    """
    spec = load_network(source, overrides)
    with naming_keys(source, overrides):
        topology = build_topology(spec)
        routing = build_routing(topology, spec)
        if deadlock_free:
            require_deadlock_free(topology, routing, offers(spec, topology))
    if name is None:
        name = Path(source).stem if isinstance(source, str | Path) else topology.name
    return BuiltNetwork(name, topology, routing, spec.router, spec)


def route(
    network: BuiltNetwork,
    packets: Packets,
    branches: Branches | None = None,
    *,
    engine: Engine = "compiled",
    cycles: int | None = None,
    progress: Progress | None = None,
) -> Arrivals:
    """What becomes of packets: until all have arrived, or for so many cycles.

    Args:
        engine: ``reference`` is the slow one: the same model, hundreds of times slower.
        progress: called now and then with packets arrived and packets in all; by the compiled engine alone.

    Raises:
        Deadlock: packets wait for each other.
    """
    carried = (network.topology, network.routing, network.router, packets, branches)
    if engine == "compiled":
        return route_packets(*carried, cycles=cycles, progress=progress)
    if engine != "reference":
        raise InputError(f"there is no engine {engine!r}", key="engine", allowed="compiled, reference")
    from pimsim.reference import router as reference  # only needed here

    try:
        return reference.route_packets(*carried, cycles=cycles)
    except reference.Deadlock as error:
        raise Deadlock(str(error)) from None
