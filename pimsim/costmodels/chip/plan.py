"""A network on a system as far as times and counts need it: copies, tiles, slices; the mapping without its Program.

Tilings, copies, dealt windows and need lists are those of :mod:`pimsim.mapping`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.config.records import System
from pimsim.costmodels.chip.distances import Distances, find_distances
from pimsim.costmodels.chip.layer import PlannedLayer
from pimsim.costmodels.chip.packing import Pieces, pack
from pimsim.costmodels.chip.places import find_places
from pimsim.costmodels.chip.slices import Cuts, cut_slices, cuts_of
from pimsim.mapping.allocation import NoRoom, digital_copies, digital_slices, unit_ns, unit_values
from pimsim.mapping.joins import join_reach
from pimsim.mapping.placement import STRATEGIES
from pimsim.mapping.placement.layout import start_of
from pimsim.mapping.replication import Replication, choose_replication, scale_down
from pimsim.mapping.tiling import Tiling, tile_matrix
from pimsim.mapping.windows import deal_windows, find_needs
from pimsim.network.fabric import HOST
from pimsim.technology.components import vector_ns
from pimsim.workload.dataflow import Dataflow, Node

_SHIFT_ADD = 2  #: index among mapping.program.UNITS


@dataclass(frozen=True)
class Plan:
    """All nodes on their tiles."""

    dataflow: Dataflow
    system: System
    replication: Replication
    distances: Distances
    layers: tuple[PlannedLayer, ...]
    capacity: dict[tuple[int, int], np.ndarray]  #: (node, edge) -> (V,) places for positions in each replica's buffer
    spilled: tuple[str, ...]  #: layers whose inputs are kept in DRAM, for lack of eDRAM


def plan_network(dataflow: Dataflow, system: System) -> Plan:
    """Lay a network onto a system.  Raises InputError where it does not fit."""
    tilings = {i: tile_matrix(node, system) for i, node in enumerate(dataflow.nodes) if node.kind == "mvm"}
    reach = join_reach(dataflow)
    replication = choose_replication(dataflow, tilings, system)
    while True:
        planner = _Planner(dataflow, system, tilings, reach, replication)
        try:
            return planner.plan(watch_edram=True)
        except NoRoom:
            fewer = scale_down(replication, dataflow, tilings, system)
            if fewer is None:
                return planner.plan(watch_edram=False)
            replication = fewer


class _Planner:
    """The steps for one choice of copies."""

    def __init__(
        self, dataflow: Dataflow, system: System, tilings: dict[int, Tiling], reach: list[list[np.ndarray]],
        replication: Replication,
    ) -> None:  # fmt: skip
        self.dataflow, self.system, self.tilings, self.replication = dataflow, system, tilings, replication
        self.nodes = dataflow.nodes
        self.distances = find_distances(system, replication.chips)
        copies = [
            replication.copies[i] if node.kind == "mvm" else digital_copies(node, system, replication.interval_windows)
            for i, node in enumerate(self.nodes)
        ]
        policy = system.mapping.windows
        self.dealt = [deal_windows(node.grid, n, policy) for node, n in zip(self.nodes, copies, strict=True)]
        self.needs = [
            tuple(
                find_needs(edge, node.grid, self._positions_grid(edge.source), self.dealt[i], reach[i][e])
                for e, edge in enumerate(node.edges)
            )
            for i, node in enumerate(self.nodes)
        ]
        self.turns = STRATEGIES[start_of(system.mapping)]({i: copies[i] for i in tilings}, self.distances.fabric)
        self.rank = np.argsort(self.turns[1])
        self.tile_bytes = system.chip.tile.edram.kib * 1024
        self.word = -(-system.mapping.input_bits // 8)

    def _positions_grid(self, node: int) -> tuple[int, int]:
        return (1, 1) if self.nodes[node].reduces else self.nodes[node].grid

    def plan(self, watch_edram: bool) -> Plan:
        """Everything on its tiles; raises NoRoom, or InputError for eDRAM that is too small."""
        values = {i: self._least_values(i) for i in self.tilings}
        packed = pack(self.tilings, values, self.turns, self.system, watch_edram)
        layers: dict[int, PlannedLayer] = {i: self._in_crossbars(i, found) for i, found in packed.items()}
        self.room = np.full(self.rank.size, self.tile_bytes, np.int64)
        for layer in layers.values():
            for e, need in enumerate(layer.needs):
                kept = self.word * layer.cuts.channels[:, e] * need.least[layer.slice_replica]
                np.subtract.at(self.room, layer.slice_tile, kept)
        interval_ns = self.replication.interval_windows * float(vector_ns(self.system))
        self.free_ns = np.full(self.rank.size, interval_ns)
        for i, node in enumerate(self.nodes):
            if i not in layers:
                layers[i] = self._digital(i, node, layers, watch_edram)
        found = tuple(layers[i] for i in range(len(self.nodes)))
        capacity, spilled = find_places(found, self.system, self.rank.size)
        return Plan(self.dataflow, self.system, self.replication, self.distances, found, capacity, spilled)

    def _least_values(self, i: int) -> np.ndarray:
        """(copies,) values that each replica must be able to keep."""
        total = np.zeros(self.dealt[i][0].size - 1, np.int64)
        for edge, need in zip(self.nodes[i].edges, self.needs[i], strict=True):
            total += edge.channels * need.least
        return total

    def _in_crossbars(self, i: int, found: Pieces) -> PlannedLayer:
        node, tiling = self.nodes[i], self.tilings[i]
        assert node.matrix is not None
        cuts = cut_slices(node, tiling, found.ima_lo, found.ima_hi)
        first = np.flatnonzero(np.diff(found.replica, prepend=-1))
        home = np.minimum.reduceat(found.tile, first)
        values = np.tile(np.array(unit_values(node), np.int64), (home.size, 1))
        own = found.tile == home[found.replica]
        additions = np.bincount(found.replica[own], weights=cuts.added[own], minlength=home.size)
        results = np.add.reduceat(cuts.results, first)
        arriving = np.maximum(results - node.matrix.columns * node.matrix.groups, 0)
        values[:, _SHIFT_ADD] += additions.astype(np.int64) + arriving
        return self._layer(i, tiling, home, found.replica, found.tile, found.ima_hi - found.ima_lo, cuts, values)

    def _digital(self, i: int, node: Node, before: dict[int, PlannedLayer], watch_edram: bool) -> PlannedLayer:
        copies = self.dealt[i][0].size - 1
        wanted = self._near_producers(i, node, before).tolist()
        busy_ns = unit_ns(node, self.system.chip.tile) * -(-node.windows // copies)
        least = np.array([need.least for need in self.needs[i]], np.int64).reshape(-1, copies).T
        cut: dict[tuple[int, ...], Cuts] = {}
        replica, tiles, parts = list[int](), list[int](), list[Cuts]()
        for v, places in enumerate(map(tuple, least.tolist())):
            if places not in cut:
                slices = digital_slices(node, list(places), self.tile_bytes // self.word) if places else []
                cut[places] = cuts_of(slices, node)
            parts.append(cut[places])
            at = wanted[v]
            for k, channels in enumerate(cut[places].channels.tolist()):
                needed = self.word * sum(n * c for n, c in zip(places, channels, strict=True))
                at = self._tile_with_room(at, needed, 0 if k else busy_ns, watch_edram)
                replica.append(v)
                tiles.append(at)
        joined = Cuts(*(np.concatenate([getattr(each, name) for each in parts]) for name in Cuts.__dataclass_fields__))
        slice_replica, slice_tile = np.array(replica, np.int64), np.array(tiles, np.int64)
        home = np.full(copies, HOST, np.int64)
        if slice_replica.size:
            home = np.minimum.reduceat(slice_tile, np.flatnonzero(np.diff(slice_replica, prepend=-1)))
        values = np.tile(np.array(unit_values(node), np.int64), (copies, 1))
        return self._layer(i, None, home, slice_replica, slice_tile, np.zeros_like(slice_tile), joined, values)

    def _tile_with_room(self, tile: int, needed: int, busy_ns: float, watch_edram: bool) -> int:
        """The nearest tile along the placement with eDRAM and time for a digital replica, or else with eDRAM."""
        if self.room[tile] < needed or self.free_ns[tile] < busy_ns:
            room = self.room >= needed
            if watch_edram and needed <= self.tile_bytes and not room.any():
                raise NoRoom
            order = self.turns[1]
            for fits in (room & (self.free_ns >= busy_ns), room):
                if fits[tile]:
                    break
                fitting = order[fits[order]]
                if fitting.size:
                    tile = int(fitting[np.argmin(np.abs(self.rank[fitting] - self.rank[tile]))])
                    break
        self.room[tile] -= needed
        self.free_ns[tile] -= busy_ns
        return tile

    def _near_producers(self, i: int, node: Node, before: dict[int, PlannedLayer]) -> np.ndarray:
        """(copies,) the tile of the replica that delivers the first input of each replica."""
        found = np.full(self.dealt[i][0].size - 1, -1, np.int64)
        for edge, need in zip(node.edges, self.needs[i], strict=True):
            if edge.source not in before or self.nodes[edge.source].kind == "input":
                continue
            producer = before[edge.source]
            open_ = (found < 0) & (np.diff(need.first) > 0)
            position = need.positions[need.first[:-1][open_]]
            found[open_] = producer.home[producer.owner[position]]
        return np.where(found < 0, self.turns[1][0], found)

    def _layer(
        self, i: int, tiling: Tiling | None, home: np.ndarray, slice_replica: np.ndarray, slice_tile: np.ndarray,
        slice_imas: np.ndarray, cuts: Cuts, values: np.ndarray,
    ) -> PlannedLayer:  # fmt: skip
        first, windows = self.dealt[i]
        return PlannedLayer(
            node=self.nodes[i], tiling=tiling, window_first=first, windows=windows, needs=self.needs[i], home=home,
            slice_replica=slice_replica, slice_tile=slice_tile, slice_imas=slice_imas, cuts=cuts, unit_values=values,
        )  # fmt: skip
