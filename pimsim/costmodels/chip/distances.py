"""How far tiles are from each other: links passed and time of a head flit, where no packet waits for another.

Found once for a network and kept, since all chips of a study that differ elsewhere share it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from pimsim.config.records import System
from pimsim.network.fabric import CHIP, EJECT, HOST, INJECT, Fabric, build_fabric, longest_path, path
from pimsim.network.routing import CLASS_SHIFT, PORT_MASK
from pimsim.units import cycles_to_ps, ns_to_ps, stream_ps

_KEPT = 8  #: networks that are remembered
_known: OrderedDict[str, Distances] = OrderedDict()


@dataclass(frozen=True)
class Ways:
    """Ways of messages; all arrays have the same shape."""

    channels: np.ndarray  #: links from router to router
    chip_links: np.ndarray
    um: np.ndarray  #: length of the channels [um], vertical ones apart
    vertical: np.ndarray  #: vertical channels


@dataclass(frozen=True)
class _Ends:
    """Where messages begin and end; arrays that broadcast together."""

    chip: np.ndarray
    to_chip: np.ndarray
    router: np.ndarray  #: of its chip
    to_router: np.ndarray
    io_router: int
    moves: np.ndarray  #: bool: not to the tile itself

    def along(self, table: np.ndarray) -> np.ndarray:
        """Sums of a table (R, R) over the ways within chips."""
        total = table[self.router, self.to_router]
        away = self.chip != self.to_chip
        if away.any():
            around = table[self.router, self.io_router] + table[self.io_router, self.to_router]
            total = np.where(away, around, total)
        found: np.ndarray = np.where(self.moves, total, 0)
        return found


@dataclass(frozen=True)
class Distances:
    """Between all routers of a chip, and between all chips."""

    fabric: Fabric
    head_ps: np.ndarray  #: (R, R) head flit over all channels
    channels: np.ndarray  #: (R, R)
    um: np.ndarray  #: (R, R)
    vertical: np.ndarray  #: (R, R)
    chip_links: np.ndarray  #: (chips, chips)
    passed: tuple[tuple[tuple[int, ...], ...], ...]  #: (chips, chips) those from which these links lead
    inject_ps: int
    eject_ps: int
    pace_cycles: int  #: from one flit to the next on the slowest channel

    def ways(self, source: np.ndarray, target: np.ndarray) -> Ways:
        """From tiles ``source`` (or HOST) to tiles ``target``, arrays that broadcast together."""
        ends = self._ends(source, target)
        return Ways(
            channels=ends.along(self.channels), chip_links=self.chip_links[ends.chip, ends.to_chip],
            um=ends.along(self.um), vertical=ends.along(self.vertical),
        )  # fmt: skip

    def message_ps(self, source: np.ndarray, target: np.ndarray, flits: int, system: System) -> np.ndarray:
        """Time until the last flit of a message has arrived."""
        ends, noc, links = self._ends(source, target), system.chip.noc, system.chip.links
        rest = cycles_to_ps((flits - 1) * self.pace_cycles, noc.clock_ghz)
        between = ns_to_ps(links.latency_ns) + stream_ps(flits * noc.flit_bits / 8, links.gb_per_s)
        time = ends.along(self.head_ps) + np.where(source == HOST, 0, self.inject_ps) + (self.eject_ps + rest)
        if self.fabric.chips > 1:
            time = time + between * self.chip_links[ends.chip, ends.to_chip]
        found: np.ndarray = np.where(ends.moves, time, 0)
        return found

    def _ends(self, source: np.ndarray, target: np.ndarray) -> _Ends:
        fabric = self.fabric
        from_host = source == HOST
        chip, place = np.divmod(np.where(from_host, 0, source), fabric.tiles)
        to_chip, to_place = np.divmod(target, fabric.tiles)
        router = np.where(from_host, fabric.io_router, place // fabric.concentration)
        return _Ends(chip, to_chip, router, to_place // fabric.concentration, fabric.io_router, source != target)

    def chips_passed(self, chip: int, other: int) -> tuple[int, ...]:
        """Chips over whose links messages from one chip to another leave."""
        return self.passed[chip][other]


def find_distances(system: System, chips: int) -> Distances:
    """Distances of a system of ``chips`` chips; raises InputError where a chip has too few links to join them."""
    chip = system.chip
    key = f"{chips} {chip.tiles} {chip.links.count} {system.chip_graph!r} {chip.noc!r}"
    if key in _known:
        _known.move_to_end(key)
        return _known[key]
    found = _measure(build_fabric(system, chips), system)
    _known[key] = found
    while len(_known) > _KEPT:
        _known.popitem(last=False)
    return found


def _measure(fabric: Fabric, system: System) -> Distances:
    clock, topology = system.chip.noc.clock_ghz, fabric.topology
    of_speed = np.array([cycles_to_ps(speed.head_cycles, clock) for speed in fabric.speeds], np.int64)
    head = of_speed[fabric.channel_speed]
    um = np.where(topology.vertical, 0, np.rint(1000 * topology.length_mm)).astype(np.int64)
    columns = np.stack([head, np.ones_like(head), um, topology.vertical.astype(np.int64)], axis=1)
    totals, passed = _along_paths(fabric, columns), _between_chips(fabric)
    return Distances(
        fabric=fabric, head_ps=totals[..., 0], channels=totals[..., 1], um=totals[..., 2], vertical=totals[..., 3],
        chip_links=np.array([[len(way) for way in ways] for ways in passed], np.int64), passed=passed,
        inject_ps=int(of_speed[INJECT]), eject_ps=int(of_speed[EJECT]),
        pace_cycles=max((speed.flit_cycles for k, speed in enumerate(fabric.speeds) if k != CHIP), default=1),
    )  # fmt: skip


def _along_paths(fabric: Fabric, values: np.ndarray) -> np.ndarray:
    """(R, R, k) sums of the channels' (C, k) values along the paths between all routers, all walked together."""
    routing, topology, routers = fabric.routing, fabric.topology, fabric.routers
    totals = np.zeros((routers, routers, values.shape[1]), np.int64)
    source, target = (index.ravel() for index in np.indices((routers, routers)))
    at, of_class = source.copy(), np.zeros_like(source)
    going = np.flatnonzero(at != target)
    while going.size:
        entry = routing.next[of_class[going], at[going], target[going]]
        channel = topology.output[at[going], entry & PORT_MASK]
        totals[source[going], target[going]] += values[channel]
        at[going], of_class[going] = topology.target[channel], entry >> CLASS_SHIFT
        going = going[at[going] != target[going]]
    return totals


def _between_chips(fabric: Fabric) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """(chips, chips) chips from which the links between chips lead, on the way from one to another."""
    links = np.empty(longest_path(fabric), np.int64)

    def way(chip: int, other: int) -> tuple[int, ...]:
        n = path(fabric.kernel, chip * fabric.tiles, other * fabric.tiles, links)
        between = links[:n][links[:n] >= fabric.first_chip_link] - fabric.first_chip_link
        return tuple((between // 4).tolist())

    chips = range(fabric.chips)
    return tuple(tuple(way(chip, other) for other in chips) for chip in chips)
