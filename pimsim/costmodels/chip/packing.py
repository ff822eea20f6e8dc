"""Replicas to tiles: the next fit of :mod:`pimsim.mapping.allocation`, for counts and distances alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.config.records import System
from pimsim.mapping.allocation import NoRoom
from pimsim.mapping.packing import pieces
from pimsim.mapping.placement import Turns
from pimsim.mapping.tiling import Tiling


@dataclass(frozen=True)
class Pieces:
    """Where the replicas of a layer lie; (S,) int64 each, replica after replica."""

    replica: np.ndarray  #: counted within the layer
    tile: np.ndarray
    ima_lo: np.ndarray  #: counted within the replica
    ima_hi: np.ndarray


def pack(
    tilings: dict[int, Tiling], values: dict[int, np.ndarray], turns: Turns, system: System, watch_edram: bool
) -> dict[int, Pieces]:
    """Pieces of every layer with a matrix.

    ``values[layer]`` (replicas,): values that the buffers of each replica hold at least.  A tile that keeps only a
    part of a replica's row tiles is taken to keep that part of the values.  Raises NoRoom where the tiles are used up.
    """
    replicas, order = turns
    per_tile, word = system.chip.tile.imas, -(-system.mapping.input_bits // 8)
    room = np.full(order.size, system.chip.tile.edram.kib * 1024, dtype=np.int64).tolist()
    found: dict[int, list[tuple[int, int, int, int]]] = {i: [] for i in tilings}
    needs = {i: (word * values[i]).tolist() for i in tilings}
    share = {i: _share_of_ima(tiling) for i, tiling in tilings.items()}
    sizes = {i: tiling.imas for i, tiling in tilings.items()}
    at, free = -1, 0
    for i, v in replicas:
        imas, needed = sizes[i], needs[i][v]
        fits_here = 0 < imas <= free
        if fits_here and watch_edram and needed > room[at]:
            fits_here, free = False, 0
        if fits_here or imas <= per_tile:  # by far the most frequent: all in one tile
            if not fits_here:
                at, free = at + 1, per_tile
            if at >= order.size:
                raise NoRoom
            free -= imas
            room[at] -= needed
            found[i].append((v, at, 0, imas))
            continue
        skip, parts = pieces(imas, free, per_tile)
        if watch_edram and not skip and needed * min(1.0, parts[0] * share[i]) > room[at]:
            skip, parts = pieces(imas, 0, per_tile)
        at += skip
        lo = 0
        for k, part in enumerate(parts):
            if at + k >= order.size:
                raise NoRoom
            room[at + k] -= int(needed * min(1.0, part * share[i]))
            found[i].append((v, at + k, lo, lo + part))
            lo += part
        at, free = at + len(parts) - 1, (free if not skip and len(parts) == 1 else per_tile) - parts[-1]
    return {i: _as_arrays(rows, order) for i, rows in found.items()}


def _share_of_ima(tiling: Tiling) -> float:
    """Share of a layer's row tiles that one IMA holds at least."""
    row_tiles = np.unique(tiling.row_lo).size
    return tiling.crossbars_per_ima / row_tiles


def _as_arrays(rows: list[tuple[int, int, int, int]], order: np.ndarray) -> Pieces:
    columns = np.array(rows, np.int64).reshape(-1, 4)
    columns = columns[np.argsort(columns[:, 0], kind="stable")]
    return Pieces(columns[:, 0], order[columns[:, 1]], columns[:, 2], columns[:, 3])
