"""A topology, its routing and its routers become records and tables in the arenas of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.arch.noc.flit import layout
from pimsim.arch.noc.flit.layout import Net
from pimsim.config.network import Router
from pimsim.engine.arena import Arena
from pimsim.network.packets import NEVER, Branches, Packets
from pimsim.network.routing import Routing
from pimsim.network.topology import Topology

_ALLOCATORS = {
    "islip": layout.ISLIP,
    "separable_input_first": layout.SEPARABLE_INPUT_FIRST,
    "separable_output_first": layout.SEPARABLE_OUTPUT_FIRST,
}
WORD = 64  #: bits
PATIENCE = 10_000  #: cycles without a move: beyond any delay, so a network that waits so long is dead


@dataclass(frozen=True)
class Network:
    """What a flit-level network is made of."""

    topology: Topology
    router: Router
    routing: Routing | None = None  #: None: every packet follows a tree
    branches: Branches | None = None


def add_network(
    arena: Arena, tables: Arena, network: Network, packets: Packets | None = None, reports: int = 0
) -> dict[str, int]:
    """Append an empty network to both arenas; the fields of its :class:`Net`, but for ``packet``.

    With ``packets`` it is a replay, whose times are kept; ``reports`` is the room in the list of arrivals.
    """
    topology, router = network.topology, network.router
    fields = _parameters(network, reports)
    first = _first_channels(topology, fields)
    add, table = _adder(arena, fields), _adder(tables, fields)
    channels = (topology.routers << fields["rs"]) + (topology.terminals << fields["vs"])
    add("counts", _counts())
    add("slots", np.full(channels * router.vc_buffer, ~0))
    add("router", _router_records(topology, fields))
    add("busy_routers", (topology.routers + 63) // 64)
    add("busy_sources", (topology.terminals + 63) // 64)
    words = set_words(fields)
    add("scratch", max(topology.ports << fields["vs"], words * router.vcs))
    add("offers", words * topology.ports)
    add("early", words * (1 + topology.ports))
    add("flits", topology.channels + 2 * topology.terminals)
    add("report", 3 * reports)
    table("vc", channels * layout.VC)
    table("head", channels * layout.HEAD_OF_VC)
    fields["first_terminal"] = topology.routers << fields["rs"]
    table("port", _port_records(network, first, fields))
    table("source", _source_records(topology, fields))
    room = topology.routers * topology.ports * (1 + router.vcs)
    room += topology.terminals * (2 + router.switch_allocation_cycles + router.inject_latency)
    fields["ring_room"] = room
    table("ring", (fields["ring_mask"] + 1) * room)
    table("ring_count", fields["ring_mask"] + 1)
    table("matched", topology.ports)
    _add_routes(add, table, network, fields)
    _add_replay(add, table, packets, fields)
    return fields


def add_packets(tables: Arena, fields: dict[str, int], records: np.ndarray) -> Net:
    """Append the table of packets, (packets, PACKET), last of all, so that it can grow; the network's layout."""
    fields["packet"] = tables.add("noc.packet", records)
    return layout.NETS[set_words(fields)](**fields)


def packet_records(packets: Packets, branches: Branches | None) -> np.ndarray:
    """(P, PACKET): the packets of a replay."""
    records = np.zeros((packets.source.size, layout.PACKET), np.int64)
    records[:, layout.TARGET] = packets.target
    records[:, layout.SIZE] = packets.size
    records[:, layout.COPIES] = 1
    if packets.multicast is not None and branches is not None:
        several = np.flatnonzero(packets.multicast)
        records[several, layout.MULTICAST] = 1
        records[several, layout.TARGET] = branches.root[packets.target[several]]
        leaves = _leaves(branches)
        records[several, layout.COPIES] = leaves[packets.target[several]]
    return records


def _leaves(branches: Branches) -> np.ndarray:
    """(trees,) terminals that each tree reaches."""
    counts = (branches.child_lo == branches.child_hi).astype(np.int64)
    for edge in range(counts.size - 1, -1, -1):  # children come after their parent
        counts[edge] += counts[branches.child_lo[edge] : branches.child_hi[edge]].sum()
    return counts[branches.root]


def _adder(arena, fields):  # type: ignore[no-untyped-def]
    def add(name, values):  # type: ignore[no-untyped-def]
        fields[name] = arena.add(f"noc.{name}", values)

    return add


def _bits(count: int) -> int:
    """Bits that number ``count`` things."""
    return max(count - 1, 0).bit_length()


def _parameters(network: Network, reports: int) -> dict[str, int]:
    topology, router, routing, branches = network.topology, network.router, network.routing, network.branches
    vs = _bits(router.vcs)
    sets = _words(topology.ports << vs) * (layout.BIDS + 2 * topology.ports)
    every = (1 << router.vcs) - 1
    masked = (routing is not None and bool(np.any(routing.class_vcs != every))) or (
        branches is not None and bool(np.any(branches.vcs != every))
    )
    switch = router.switch_allocation_cycles + router.traversal_cycles
    eject = switch + router.eject_latency
    far = int((topology.latency + topology.flit_cycles).max(initial=1))
    delays = (
        switch + far, switch + far + router.credit_cycles, eject + 1 + router.eject_latency + router.credit_cycles,
        2 * router.routing_cycles + 1, router.vc_allocation_cycles, router.inject_latency + 1,
    )  # fmt: skip
    return {
        "rs": vs + _bits(topology.ports),
        "vs": vs,
        "routers": topology.routers,
        "terminals": topology.terminals,
        "ports": topology.ports,
        "vcs": router.vcs,
        "depth": router.vc_buffer,
        "routing_cycles": router.routing_cycles,
        "batches": int(router.routing_in_batches),
        "va_cycles": router.vc_allocation_cycles,
        "sa_cycles": router.switch_allocation_cycles,
        "speculative": int(router.speculative),
        "joins": int(router.speculative or router.vc_allocation_cycles == 1),
        "inject_cycles": 1 + router.inject_latency,
        "eject_freed": eject + 1 + router.eject_latency + router.credit_cycles,
        "every_vc": every,
        "vc_allocator": _ALLOCATORS[router.vc_allocator],
        "switch_allocator": _ALLOCATORS[router.switch_allocator],
        "iterations": router.iterations,
        "masked": int(masked),
        "narrow": int(bool((topology.flit_cycles > 1).any())),
        "reporting": int(reports > 0),
        "patience": PATIENCE + max(delays),
        "free": sets,
        "hold": sets + topology.ports,
        "batch": sets + 2 * topology.ports,
        "router_words": -(-(sets + 2 * topology.ports + 1) // 8) * 8,  # whole cache lines
        "ring_mask": (1 << _bits(max(delays) + 2)) - 1,
    }


def set_words(fields: dict[str, int]) -> int:
    """Words of a set of virtual channels of a router."""
    return _words(fields["ports"] << fields["vs"])


def _words(members: int) -> int:
    """Words of a set of numbers below ``members``: a power of two, so that few sorts of sets are ever compiled."""
    return 1 << _bits(-(-members // WORD))


def _counts() -> np.ndarray:
    counts = np.zeros(layout.COUNTS, np.int64)
    counts[layout.MOVED] = -1
    return counts


def _first_channels(topology: Topology, fields: dict[str, int]) -> np.ndarray:
    """(routers, ports) the first virtual channel behind each output; -1: the port leads nowhere."""
    first = np.full((topology.routers, topology.ports), -1)
    behind = (topology.target << fields["rs"]) | (topology.target_port << fields["vs"])
    first[topology.source, topology.source_port] = behind
    terminals = (topology.routers << fields["rs"]) + (np.arange(topology.terminals) << fields["vs"])
    first[topology.terminal_router, topology.terminal_port] = terminals
    return first


def _router_records(topology: Topology, fields: dict[str, int]) -> np.ndarray:
    records = np.zeros((topology.routers, fields["router_words"]), np.int64)
    records[:, fields["batch"]] = -(1 << 20)
    records[:, fields["free"] : fields["free"] + topology.ports] = fields["every_vc"]
    return records


def _port_records(network: Network, first: np.ndarray, fields: dict[str, int]) -> np.ndarray:
    topology, router = network.topology, network.router
    records = np.zeros((topology.routers, topology.ports, layout.PORT), np.int64)
    records[:, :, layout.DOWN] = first
    records[:, :, layout.HOLD] = 1
    switch = router.switch_allocation_cycles + router.traversal_cycles
    out = (topology.source, topology.source_port)
    into = (topology.target, topology.target_port)
    at_terminal = (topology.terminal_router, topology.terminal_port)
    records[*out, layout.ARRIVAL] = switch + topology.latency + topology.flit_cycles - 1
    records[*out, layout.HOLD] = topology.flit_cycles
    records[*out, layout.CHANNEL] = np.arange(topology.channels)
    records[*into, layout.FREED] = router.switch_allocation_cycles + topology.latency + router.credit_cycles
    records[*at_terminal, layout.FREED] = router.switch_allocation_cycles + router.inject_latency
    records[*at_terminal, layout.ARRIVAL] = switch + router.eject_latency
    records[*at_terminal, layout.CHANNEL] = topology.channels + topology.terminals + np.arange(topology.terminals)
    return records


def _source_records(topology: Topology, fields: dict[str, int]) -> np.ndarray:
    records = np.zeros((topology.terminals, layout.SOURCE), np.int64)
    entry = (topology.terminal_router << fields["rs"]) | (topology.terminal_port << fields["vs"])
    records[:, layout.FIRST] = -1
    records[:, layout.ENTRY] = entry
    records[:, layout.INTO] = entry - 1  # the first packet tries virtual channel 0
    return records


def _add_routes(add, table, network: Network, fields: dict[str, int]) -> None:  # type: ignore[no-untyped-def]
    topology, routing, branches = network.topology, network.routing, network.branches
    nothing = np.zeros(0, np.int64)
    table("terminal_router", topology.terminal_router)
    table("terminal_port", topology.terminal_port)
    table("next", nothing if routing is None else routing.next)
    add("class_vcs", nothing if routing is None else routing.class_vcs)
    if routing is None or routing.adaptive is None:
        fields["adaptive"] = -1
    else:
        add("adaptive", routing.adaptive)
    parent = nothing
    if branches is not None:
        parent = np.full(branches.port.size, -1)
        counts = branches.child_hi - branches.child_lo
        parent[_ranges(branches.child_lo, counts)] = np.repeat(np.arange(parent.size), counts)
    table("edge_port", nothing if branches is None else branches.port)
    table("edge_vcs", nothing if branches is None else branches.vcs.astype(np.int32))  # 32 virtual channels: -1
    table("edge_child_lo", nothing if branches is None else branches.child_lo)
    table("edge_child_hi", nothing if branches is None else branches.child_hi)
    table("edge_parent", parent)


def _ranges(first: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """first[0]..first[0] + counts[0] - 1, and so on, in one array."""
    before = np.cumsum(counts) - counts
    return np.arange(int(counts.sum())) + np.repeat(first - before, counts)


def _add_replay(add, table, packets: Packets | None, fields: dict[str, int]) -> None:  # type: ignore[no-untyped-def]
    if packets is None:
        fields.update(itime=-1, atime=-1, hops=-1, ctime=-1, origin=-1, packets=0)
        return
    count = packets.source.size
    add("itime", np.full(count, NEVER))
    add("atime", np.full(count, NEVER))
    add("hops", np.where(packets.multicast, 0, -1) if packets.multicast is not None else np.full(count, -1))
    add("ctime", packets.ctime)
    table("origin", packets.source)
    fields["packets"] = count
