"""Packets through a network: given ones, at given times."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pimsim.arch.noc.flit import layout
from pimsim.arch.noc.flit.state import Network, add_network, add_packets, packet_records
from pimsim.arch.noc.flit.step import DEADLOCK, UNTIL, run
from pimsim.config.network import Router
from pimsim.engine.arena import Arena
from pimsim.network.packets import Arrivals, Branches, Deadlock, Packets
from pimsim.network.routing import Routing
from pimsim.network.topology import Topology

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
) -> Arrivals:
    """Offer packets to a network until all have arrived, or for so many cycles.

    ``progress(arrived, packets)`` is called now and then.  Raises Deadlock.
    """
    network = Network(topology, router, routing, branches)
    arena, tables = Arena(), Arena(np.int32)
    fields = add_network(arena, tables, network, packets)
    n = add_packets(tables, fields, packet_records(packets, branches))
    M, T = arena.build(), tables.build()
    count = packets.source.size
    until = np.iinfo(np.int64).max if cycles is None else cycles
    t, reason = 0, UNTIL
    while reason == UNTIL and t < until:
        reason, t = run(M, T, n, t, min(until, t + CYCLES_AT_A_TIME))
        if reason == DEADLOCK:
            raise Deadlock("flits wait for each other")
        if progress:
            progress(int(M[n.counts + layout.ARRIVED]), count)
    return Arrivals(
        itime=M[n.itime : n.itime + count].copy(),
        atime=M[n.atime : n.atime + count].copy(),
        hops=M[n.hops : n.hops + count].copy(),
        channel_flits=M[n.flits : n.flits + topology.channels].copy(),
        cycles=t,
    )
