"""What a network that cannot go on looks like: who waits for whom."""

from __future__ import annotations

import numpy as np

from pimsim.arch.noc.flit import layout
from pimsim.arch.noc.flit.layout import Net
from pimsim.arch.noc.flit.state import Network
from pimsim.network.packets import Packets
from pimsim.network.topology import Topology


def vc_records(T: np.ndarray, n: Net) -> tuple[np.ndarray, np.ndarray]:
    """(channels, VC) and (channels, HEAD_OF_VC): records of all virtual channels."""
    count = n.first_terminal + (n.terminals << n.vs)
    return (
        T[n.vc : n.vc + layout.VC * count].reshape(-1, layout.VC),
        T[n.head : n.head + layout.HEAD_OF_VC * count].reshape(-1, layout.HEAD_OF_VC),
    )


def first_channels(T: np.ndarray, n: Net) -> np.ndarray:
    """(routers, ports) the first virtual channel behind each output; -1: none."""
    ports = T[n.port : n.port + layout.PORT * n.routers * n.ports]
    return ports.reshape(n.routers, n.ports, layout.PORT)[:, :, layout.DOWN]


def describe_deadlock(M: np.ndarray, T: np.ndarray, n: Net, topology: Topology) -> str:
    """The channels that wait for each other, each for the next and the last for the first."""
    since = int(M[n.counts + layout.MOVED]) + 1
    vcs, heads = vc_records(T, n)
    owner = np.full(vcs.shape[0], -1)
    active = np.flatnonzero(vcs[: n.first_terminal, layout.STATE] >= layout.ACTIVE)
    owner[vcs[active, layout.OUT]] = active
    first = first_channels(T, n)
    for start in np.flatnonzero(vcs[:, layout.COUNT]).tolist():
        seen: list[int] = []
        g = start
        while g >= 0 and g not in seen:
            seen.append(g)
            g = _waits_for(g, vcs, heads, owner, first, n)
        if g >= 0:
            names = [_name(g, n, topology) for g in seen[seen.index(g) :]]
            return f"deadlock since cycle {since}: {', '.join(names)}, and again"
    return f"nothing moves since cycle {since}, and no channels wait for each other"


def _waits_for(
    g: int, vcs: np.ndarray, heads: np.ndarray, owner: np.ndarray, first: np.ndarray, n: Net
) -> int:  # fmt: skip
    """The virtual channel that ``g`` waits for: to take its flits, or to send it some; -1: none."""
    if vcs[g, layout.COUNT] == 0:
        return int(owner[g])
    if vcs[g, layout.STATE] >= layout.ACTIVE:
        return int(vcs[g, layout.OUT])
    if vcs[g, layout.STATE] != layout.WAITING:
        return -1
    behind = int(first[g >> n.rs, vcs[g, layout.OUT_PORT]])
    wanted = [behind + k for k in range(n.vcs) if int(heads[g, layout.VCS]) >> k & 1]
    return next((d for d in wanted if owner[d] >= 0), -1)


def _name(g: int, n: Net, topology: Topology) -> str:
    """The channel that leads to a virtual channel, and its number there."""
    v = g & ((1 << n.vs) - 1)
    if g >= n.first_terminal:
        terminal = (g - n.first_terminal) >> n.vs
        way = f"{topology.router_name(int(topology.terminal_router[terminal]))} -> terminal {terminal}"
    else:
        router, port = g >> n.rs, (g & ((1 << n.rs) - 1)) >> n.vs
        channel = np.flatnonzero((topology.target == router) & (topology.target_port == port))
        if channel.size:
            way = topology.channel_name(int(channel[0]))
        else:
            here = (topology.terminal_router == router) & (topology.terminal_port == port)
            way = f"terminal {int(np.flatnonzero(here)[0])} -> {topology.router_name(router)}"
    return f"{way} (virtual channel {v})"


def describe_lost(M: np.ndarray, T: np.ndarray, n: Net, network: Network, packets: Packets) -> str:
    """The packet for which a router has no way on."""
    g = int(M[n.counts + layout.LOST]) - 1
    vcs, _ = vc_records(T, n)
    word = int(M[n.slots + n.depth * g + vcs[g, layout.READ]])
    packet = word >> layout.PACKET_SHIFT & layout.PACKET_MASK
    here = network.topology.router_name(g >> n.rs)
    route = word >> layout.ROUTE_SHIFT & layout.ROUTE_MASK
    if word & layout.FORKS or network.routing is None:
        return f"the tree of packet {packet} ends at {here}, or takes a port that leads nowhere; on edge {route}"
    there = network.topology.router_name(int(network.topology.terminal_router[packets.target[packet]]))
    return f"{network.routing.name} has no hop at {here} towards {there} in class {route & layout.CLASS_MASK}"
