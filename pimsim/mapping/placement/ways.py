"""Ways between the routers of a system, and what a flit costs on each of their links.

This is all that a search for a placement knows of a network.  Links from tiles to their routers and back are no part
of a way: they carry the same wherever a tile lies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from pimsim.config.records import System
from pimsim.errors import InputError
from pimsim.network.fabric import CHIP, EJECT, HOST, INJECT, MESH, Fabric, Speed, longest_path, path
from pimsim.network.routing import Routing
from pimsim.network.topology import Topology
from pimsim.technology.action_costs import action_costs

_FS_PER_NS = 10**6
_AJ_PER_PJ = 10**6
MOST_STEPS = 2**28  #: links of all ways together; an int64 each while they are found, 2 GiB


@dataclass(frozen=True)
class Ways:
    """Ways between P points: the routers that have tiles, and after them, if it sends anything, the host.

    Times in fs and energies in aJ are whole numbers, so that sums do not depend on the order of adding.
    """

    point: np.ndarray  #: (tiles,) int64 router of each tile
    kind: np.ndarray  #: (tiles,) int64 what lies there, from 0; only what is of one kind may change places
    host: int  #: point of the host; -1: there is none
    first: np.ndarray  #: (P * P + 1,) int64: the way from p to q is link[first[p * P + q]:first[p * P + q + 1]]
    link: np.ndarray  #: (steps,) int32 links, 0..L-1
    number: np.ndarray  #: (L,) int64 number of the link in the fabric
    hold_fs: np.ndarray  #: (L,) int64 time for which one flit occupies the link
    delay_fs: np.ndarray  #: (L,) int64 time that the head flit takes: router and link
    energy_aj: np.ndarray  #: (L,) int64 of one flit: link, and the router at its end
    ends_delay_fs: int  #: of every delivery: from the tile to its router, and from a router to the tile
    ends_energy_aj: int

    @property
    def points(self) -> int:
        """P."""
        return round((self.first.size - 1) ** 0.5)

    @property
    def kinds(self) -> int:
        """Kinds of tiles."""
        return int(self.kind.max(initial=0)) + 1

    @property
    def tiles(self) -> int:
        """Places for tiles."""
        return int(self.point.size)


def ways_of_system(fabric: Fabric, system: System) -> Ways:
    """Ways over the links of a system's chips, as its packets take them.

    Raises InputError where the system has too many routers for a table of all ways.
    """
    point, host, first, link, number = _ways(fabric)
    hold, delay, energy = _flit_costs(fabric, system)
    inject, eject = 0, fabric.n_tiles  # the first link of either kind
    return Ways(
        point=point, kind=np.tile(system.chip.on_gpu, fabric.chips).astype(np.int64), host=host, first=first, link=link,
        number=number, hold_fs=hold[number], delay_fs=delay[number], energy_aj=energy[number],
        ends_delay_fs=int(delay[inject] + delay[eject]), ends_energy_aj=int(energy[eject]),
    )  # fmt: skip


def ways_of_topology(
    topology: Topology, routing: Routing, router_cycles: int = 4, link_energy: float = 1.0, router_energy: float = 1.0
) -> Ways:
    """Ways of a network by itself, whose terminals are the places for tiles; a cycle counts as 1 ns.

    Args:
        topology: routers, channels, terminals.
        routing: of an adaptive one, the escape.
        router_cycles: time of a head flit in a router, r in ``(r h + d) f``; the default is that of BookSim 2.
        link_energy: of a flit over a mm of a channel [pJ].
        router_energy: of a flit through a router [pJ].
    """
    fabric = fabric_of(topology, routing)
    point, host, first, link, number = _ways(fabric)
    channel = number - fabric.first_channel
    energy = topology.length_mm[channel] * link_energy + router_energy
    return Ways(
        point=point, kind=np.zeros_like(point), host=host, first=first, link=link, number=number,
        hold_fs=topology.flit_cycles[channel].astype(np.int64) * _FS_PER_NS,
        delay_fs=(router_cycles + topology.latency[channel].astype(np.int64)) * _FS_PER_NS,
        energy_aj=np.rint(energy * _AJ_PER_PJ).astype(np.int64),
        ends_delay_fs=(router_cycles + 2) * _FS_PER_NS, ends_energy_aj=round(router_energy * _AJ_PER_PJ),
    )  # fmt: skip


def fabric_of(topology: Topology, routing: Routing) -> Fabric:
    """One chip with nothing but this network: every link takes a cycle a flit."""
    return Fabric(
        chips=1, tiles=topology.terminals, concentration=topology.terminals // topology.routers, io_router=0,
        chip_columns=0, topology=topology, routing=routing, channel_speed=np.full(topology.channels, MESH),
        speeds=(Speed(INJECT, 1, 1), Speed(MESH, 1, 1), Speed(EJECT, 1, 1), Speed(CHIP, 0, 1)),
    )  # fmt: skip


def _ways(fabric: Fabric) -> tuple[np.ndarray, int, np.ndarray, np.ndarray, np.ndarray]:
    """Point of each tile, point of the host, and ``first``, ``link`` and ``number`` of all ways."""
    chip, place = np.divmod(np.arange(fabric.n_tiles), fabric.tiles)
    router = chip * fabric.routers + place // fabric.concentration
    _, sample, point = np.unique(router, return_index=True, return_inverse=True)
    kinds = fabric.link_kinds()
    inner = (kinds != INJECT) & (kinds != EJECT)
    first, link = _find_ways(fabric.kernel, longest_path(fabric), np.append(sample, HOST), inner, MOST_STEPS)
    if first[-1] > MOST_STEPS:
        raise InputError(
            f"a search does not do for {sample.size:,} routers: the table of all ways would be too large",
            key="mapping.placement", allowed="snake, bands",
        )  # fmt: skip
    number, link = np.unique(link, return_inverse=True)
    return point, sample.size, first, link.astype(np.int32), number


def _flit_costs(fabric: Fabric, system: System) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n_links,) each: occupancy and delay of a flit [fs], and its energy [aJ]."""
    noc, links, costs = system.chip.noc, system.chip.links, action_costs(system)
    kind, clock_fs, flit_bytes = fabric.link_kinds(), _FS_PER_NS / noc.clock_ghz, noc.flit_bits / 8
    speed = np.array([(each.flit_cycles, each.head_cycles) for each in fabric.speeds])[fabric.link_speeds()]
    between = flit_bytes / links.gb_per_s * _FS_PER_NS  # a flit over a link between chips
    hold = np.where(kind == CHIP, between, speed[:, 0] * clock_fs)
    delay = np.where(kind == CHIP, links.latency_ns * _FS_PER_NS + between, speed[:, 1] * clock_fs)
    energy = np.where(kind == INJECT, 0.0, costs.router_flit_hop_pj or 0.0)
    energy[kind == CHIP] += flit_bytes * (costs.link_byte_pj or 0.0)
    topology = fabric.topology
    length = topology.length_mm * 1000 * costs.channel_bit_um_pj
    energy[kind == MESH] += noc.flit_bits * np.tile(np.where(topology.vertical, costs.tsv_bit_pj, length), fabric.chips)
    return tuple(np.rint(values).astype(np.int64) for values in (hold, delay, energy * _AJ_PER_PJ))  # type: ignore[return-value]


@njit(cache=True, error_model="numpy")
def _find_ways(kernel, longest, sample, inner, most):  # type: ignore[no-untyped-def]
    """Between all points, of which ``sample`` has a tile each.  Counts, then fills; over ``most`` it only counts."""
    points = sample.size
    first = np.zeros(points * points + 1, np.int64)
    way = np.empty(longest, np.int64)
    link = np.empty(0, np.int64)
    for fill in range(2):
        n = 0
        for p in range(points):
            for q in range(points):
                if p != q and sample[q] != HOST:
                    for h in range(path(kernel, sample[p], sample[q], way)):
                        if inner[way[h]]:
                            if fill:
                                link[n] = way[h]
                            n += 1
                first[p * points + q + 1] = n
        if n > most:
            break
        if not fill:
            link = np.empty(n, np.int64)
    return first, link
