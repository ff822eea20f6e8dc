"""Packets through a network: given ones, at given times."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pimsim.arch.noc.flit import layout
from pimsim.arch.noc.flit.inspection import describe_deadlock, describe_lost
from pimsim.arch.noc.flit.invariants import check_invariants
from pimsim.arch.noc.flit.state import Network, add_network, add_packets, packet_records
from pimsim.arch.noc.flit.step import DEADLOCK, UNTIL, run
from pimsim.config.network import Router
from pimsim.engine.arena import Arena
from pimsim.errors import InputError
from pimsim.network.packets import NEVER, Arrivals, Branches, Deadlock, Packets
from pimsim.network.routing import Routing
from pimsim.network.topology import Topology

MOST_PACKETS = 1 << 30  #: of a run: what the word of a flit can name
CYCLES_AT_A_TIME = 1 << 14  #: then the kernel is left for progress and Ctrl-C


def route_packets(
    topology: Topology,
    routing: Routing | None,
    router: Router,
    packets: Packets,
    branches: Branches | None = None,
    *,
    cycles: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    check: bool = False,
) -> Arrivals:
    """Offer packets to a network until all have arrived, or for so many cycles.

    Args:
        routing: may be None where all packets are multicasts.
        branches: trees of the multicasts.
        cycles: end before this cycle, whatever is still under way; None: when all packets have arrived.
        progress: called now and then with packets arrived and packets in all.
        check: assert, after every cycle, that no flit and no slot is lost or doubled; slow.

    Raises:
        InputError: packets that cannot be sent, or a route that is missing.
        Deadlock: packets wait for each other.
    """
    network = Network(topology, router, routing, branches)
    check_packets(network, packets)
    arena, tables = Arena(), Arena(np.int32)
    fields = add_network(arena, tables, network, packets)
    n = add_packets(tables, fields, packet_records(packets, branches))
    M, T = arena.build(), tables.build()
    count = packets.source.size
    until = np.iinfo(np.int64).max if cycles is None else cycles
    at_a_time = 1 if check else CYCLES_AT_A_TIME
    t, reason = 0, UNTIL
    while reason == UNTIL and t < until:
        reason, t = run(M, T, n, t, min(until, t + at_a_time))
        if M[n.counts + layout.LOST]:
            raise InputError(describe_lost(M, T, n, network, packets), key="routing")
        if check:
            check_invariants(M, T, n)
        if reason == DEADLOCK or (reason != UNTIL and M[n.counts + layout.ARRIVED] < count):
            raise Deadlock(describe_deadlock(M, T, n, topology))
        if progress:
            progress(int(M[n.counts + layout.ARRIVED]), count)
    return _arrivals(M, T, n, count, topology.channels, cycles)


def _arrivals(M: np.ndarray, T: np.ndarray, n: layout.Net, count: int, channels: int, cycles: int | None) -> Arrivals:
    """Arrivals are noted when a tail is granted its last output, so some may lie after the end."""
    atime = M[n.atime : n.atime + count].copy()
    copies = T[n.packet : n.packet + layout.PACKET * count].reshape(-1, layout.PACKET)[:, layout.COPIES]
    atime[copies > 0] = NEVER
    if cycles is not None:
        atime[atime >= cycles] = NEVER
    ended = int(atime.max(initial=-1)) + 1
    return Arrivals(
        itime=M[n.itime : n.itime + count].copy(),
        atime=atime,
        hops=np.where(atime == NEVER, NEVER, M[n.hops : n.hops + count]),
        channel_flits=M[n.flits : n.flits + channels].copy(),
        cycles=ended if cycles is None or np.all(atime != NEVER) else cycles,
    )


def check_packets(network: Network, packets: Packets) -> None:
    """Raises InputError for packets that no run could carry."""
    terminals = network.topology.terminals
    several = np.zeros(packets.size.size, bool) if packets.multicast is None else packets.multicast
    targets = 0 if network.branches is None else network.branches.root.size
    if packets.size.size > MOST_PACKETS:
        raise InputError(f"{packets.size.size:,} packets", key="packets", allowed=f"at most {MOST_PACKETS:,} in a run")
    if np.any(np.diff(packets.ctime) < 0):
        raise InputError("packets must be in the order of their times", key="packets.ctime")
    if np.any(packets.ctime < 0):
        raise InputError("a packet before cycle 0", key="packets.ctime", allowed="0 and more")
    if np.any(packets.size < 1):
        raise InputError("a packet without flits", key="packets.size", allowed="1 and more")
    if network.routing is None and not np.all(several):
        raise InputError("packets to one terminal need routing tables", key="routing")
    if network.branches is None and np.any(several):
        raise InputError("multicasts need trees", key="branches")
    for name, places, most in (
        ("source", packets.source, terminals),
        ("target", packets.target[~several], terminals),
        ("target", packets.target[several], targets),
    ):
        if np.any((places < 0) | (places >= most)):
            wrong = int(places[(places < 0) | (places >= most)][0])
            raise InputError(f"there is no {name} {wrong}", key=f"packets.{name}", allowed=f"0 to {most - 1}")
    _check_forks(network, packets, several)


def _check_forks(network: Network, packets: Packets, several: np.ndarray) -> None:
    """A packet that branches stays in the buffer until its last branch has taken it."""
    branches, depth = network.branches, network.router.vc_buffer
    long = np.flatnonzero(several & (packets.size > depth))
    if branches is None or not long.size:
        return
    forks = (branches.child_hi - branches.child_lo > 1).astype(np.int64)
    for edge in range(forks.size - 1, -1, -1):  # children come after their parent
        forks[edge] |= forks[branches.child_lo[edge] : branches.child_hi[edge]].max(initial=0)
    for packet in long[forks[branches.root[packets.target[long]]] > 0].tolist():
        size = int(packets.size[packet])
        raise InputError(
            f"packet {packet} branches, but its {size} flits do not fit in a virtual channel of {depth}",
            key="router.vc_buffer", allowed=f"{size} and more",
        )  # fmt: skip
