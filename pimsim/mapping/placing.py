"""Every copy to its tiles: matrices in turn, digital operations near their producers, kernels on GPU cores."""

from __future__ import annotations

import numpy as np

from pimsim.mapping.allocation import (
    NoRoom,
    PlacedSlice,
    digital_slices,
    place_matrices,
    slices_across,
    unit_ns,
    values_held,
)
from pimsim.mapping.copies import Copies
from pimsim.mapping.cores import place_kernels
from pimsim.mapping.kernels import kernel_slice, update_slices
from pimsim.technology.components import vector_ns

Placed = list[list[list[PlacedSlice]]]
"""Slices of each node and replica; none of the host's."""


def place_copies(copies: Copies, watch_edram: bool) -> Placed:
    """Tiles of everything.

    Raises:
        NoRoom: too few tiles, or, with ``watch_edram``, too little eDRAM in some.
    """
    return _Placer(copies).place(watch_edram)


def home_tile(slices: list[PlacedSlice]) -> int:
    """Home tile of a replica: the lowest-numbered of its slices."""
    return min(piece.tile for piece in slices)


class _Placer:
    """The steps of placing, in order."""

    def __init__(self, copies: Copies) -> None:
        self.copies, self.nodes, self.system = copies, copies.nodes, copies.system
        self.word = -(-copies.system.mapping.input_bits // 8)
        self.order = copies.turns[1]
        self.rank_of_tile = np.full(copies.fabric.n_tiles, copies.fabric.n_tiles)
        self.rank_of_tile[self.order] = np.arange(self.order.size)
        self.tile_bytes = copies.system.chip.tile.edram.kib * 1024
        self.room = np.where(copies.on_gpu, 0, self.tile_bytes)
        self.owner = [self._owner_of_positions(i) for i in range(len(self.nodes))]

    def place(self, watch_edram: bool) -> Placed:
        copies = self.copies
        self.placed = self._place_matrices(watch_edram)
        for i, node in enumerate(self.nodes):
            if node.kind == "update":
                self.placed[i] = [update_slices(node, target) for target in self.placed[node.of]]
            if node.kind in ("mvm", "update"):
                self._take_room(i)
        self._place_digital(watch_edram)
        for i, tiles in place_kernels(
            copies.dataflow, copies.number, copies.on_gpu, copies.cores, self.system
        ).items():
            self.placed[i] = [kernel_slice(self.nodes[i], tile) for tile in tiles]
        if watch_edram and (self.room[self.order] < 0).any():
            raise NoRoom  # fewer copies, and so fewer updates; or another chip, onto which some go
        return self.placed

    def _place_matrices(self, watch_edram: bool) -> Placed:
        copies = self.copies
        least = [[need.least for need in needs] for needs in copies.needs]
        placed = place_matrices(
            copies.dataflow, copies.tilings, least, self._values_beside(), copies.turns, self.system, watch_edram
        )
        for i, tiling in copies.tilings.items():
            node = self.nodes[i]
            if not node.has_crossbars:
                placed[i] = [slices_across(node, tiling, holder) for holder in placed[node.of]]
        return placed

    def _values_beside(self) -> dict[int, int]:
        """Matrix -> values that must find room where a replica lies: of its updates, and of who reads it across."""
        beside: dict[int, int] = {}
        for i, node in enumerate(self.nodes):
            if node.of >= 0:
                least = sum(int(need.least.max()) * edge.channels
                            for need, edge in zip(self.copies.needs[i], node.edges, strict=True))  # fmt: skip
                beside[node.of] = beside.get(node.of, 0) + least
        return beside

    def _place_digital(self, watch_edram: bool) -> None:
        """Each digital replica goes to the tile of the replica that delivers its first input, or the nearest where
        eDRAM and the time of the digital units suffice.  Raises NoRoom where eDRAM suffices nowhere."""
        copies, room = self.copies, self.room
        free_ns = np.full(room.size, copies.replication.interval_windows * float(vector_ns(self.system)))
        for i, node in enumerate(self.nodes):
            if node.kind != "digital":
                continue
            busy_ns = unit_ns(node, self.system.chip.tile) * -(-node.windows // copies.number[i])
            for v in range(copies.number[i]):
                least = [int(need.least[v]) for need in copies.needs[i]]
                tile = self._preferred_tile(i, v)
                placed: list[PlacedSlice] = []
                for part in digital_slices(node, least, self.tile_bytes // self.word):
                    needed = self.word * values_held(node, part, least)
                    fits = (room >= needed) & ((free_ns >= busy_ns) | bool(placed))
                    if watch_edram and needed <= self.tile_bytes and not (room >= needed).any():
                        raise NoRoom  # (what no tile can hold is not helped by more chips or fewer copies)
                    tile = self._nearest(tile, fits, room >= needed)
                    room[tile] -= needed
                    free_ns[tile] -= 0 if placed else busy_ns
                    placed.append(PlacedSlice(tile, part))
                self.placed[i].append(placed)

    def _take_room(self, node: int) -> None:
        """Take from the room the bytes without which the placed replicas of a node would stand still."""
        for v, slices in enumerate(self.placed[node]):
            least = [int(need.least[v]) for need in self.copies.needs[node]]
            for piece in slices:
                self.room[piece.tile] -= self.word * values_held(self.nodes[node], piece.part, least)

    def _owner_of_positions(self, node: int) -> np.ndarray:
        """(positions,) replica, counted within the node, that delivers each output position."""
        first, windows = self.copies.dealt[node]
        if self.nodes[node].reduces:
            return np.zeros(1, dtype=np.int64)
        owner = np.empty(windows.size, dtype=np.int64)
        owner[windows] = np.repeat(np.arange(self.copies.number[node]), np.diff(first))
        return owner

    def _preferred_tile(self, node: int, replica: int) -> int:
        for e, edge in enumerate(self.nodes[node].edges):
            need = self.copies.needs[node][e]
            if self.nodes[edge.source].kind in ("mvm", "digital") and need.first[replica + 1] > need.first[replica]:
                position = need.positions[need.first[replica]]
                owner = int(self.owner[edge.source][position])
                if self.placed[edge.source]:
                    return home_tile(self.placed[edge.source][owner])
        return int(self.order[0])

    def _nearest(self, tile: int, *wanted: np.ndarray) -> int:
        """The nearest tile along the placement that is among the first wanted ones, or else the next."""
        for fits in wanted:
            if fits[tile]:
                return tile
            fitting = self.order[fits[self.order]]
            if fitting.size:
                return int(fitting[np.argmin(np.abs(self.rank_of_tile[fitting] - self.rank_of_tile[tile]))])
        return tile  # too small everywhere: share_edram says so, or spills
