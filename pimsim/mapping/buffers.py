"""Input buffers in eDRAM: how many positions each replica can keep of each input.

Every buffer gets the places without which the network would stand still; what is left of a tile's
eDRAM is shared out in proportion, up to a whole image.  ISAAC sizes its 64 KB the same way:
((Nx * (Ky - 1)) + Kx) * Nif values for a layer that is not replicated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.config.records import System
from pimsim.errors import InputError


@dataclass
class BufferDemand:
    """All buffers while their size is being decided; one entry of a list for each buffer."""

    layer: list[str]
    least: np.ndarray  #: (B,) positions
    most: np.ndarray  #: (B,) positions
    tile_first: np.ndarray  #: (B + 1,)
    tile: np.ndarray  #: tiles that keep a copy
    values: np.ndarray  #: of one position, in each of those tiles
    position_bytes: np.ndarray  #: of one position there


def core_bytes(system: System) -> int:
    """Memory of a GPU core; 0 where there is none."""
    core = system.chip.gpu_core
    return core.memory.mib * 2**20 if core is not None else 0


def share_edram(
    demand: BufferDemand, room: np.ndarray, on_gpu: np.ndarray, spill: str
) -> tuple[np.ndarray, np.ndarray]:
    """Capacity of each buffer (B,) positions, and which are spilled to DRAM (B,) bool.

    ``room`` (tiles,): bytes of each tile's eDRAM, or memory where ``on_gpu``: that spills nothing.  Raises InputError
    naming the layer and the bytes where the least does not fit and ``spill`` is ``error``.
    """
    tiles = room.size
    owner = np.repeat(np.arange(demand.least.size), np.diff(demand.tile_first))
    least_bytes = demand.least[owner] * demand.position_bytes
    in_tile = np.bincount(demand.tile, weights=least_bytes, minlength=tiles).astype(np.int64)
    spilled = np.zeros(demand.least.size, dtype=bool)
    for tile in np.flatnonzero(in_tile > room):
        here = np.flatnonzero(demand.tile == tile)
        here = here[~spilled[owner[here]]]
        for k in here[np.argsort(-least_bytes[here], kind="stable")]:
            if least_bytes[here][~spilled[owner[here]]].sum() <= room[tile]:
                break
            if spill == "error" or on_gpu[tile]:
                what = "memory of GPU core" if on_gpu[tile] else "eDRAM of tile"
                raise InputError(_too_small(demand, int(owner[k]), f"{what} {tile}", int(in_tile[tile]),
                                            int(room[tile]), int(least_bytes[k])))  # fmt: skip
            spilled[owner[k]] = True
    kept = ~spilled[owner]
    least_in = np.bincount(demand.tile[kept], weights=least_bytes[kept], minlength=tiles)
    more = np.maximum(demand.most - demand.least, 0)
    more_in = np.bincount(
        demand.tile[kept], weights=(more[owner] * demand.position_bytes)[kept], minlength=tiles
    )
    share = np.minimum(1.0, np.divide(room - least_in, more_in, out=np.ones(tiles), where=more_in > 0))
    granted = np.ones(demand.least.size)
    np.minimum.at(granted, owner, share[demand.tile])
    capacity = demand.least + np.floor(more * granted).astype(np.int64)
    return np.where(spilled, np.maximum(demand.most, demand.least), capacity), spilled


def _too_small(demand: BufferDemand, buffer: int, place: str, needed: int, offered: int, share: int) -> str:
    remedy = "a larger chip.tile.edram.kib, other replication, or mapping.spill=dram"
    if place.startswith("memory"):
        remedy = "a larger chip.gpu_core.memory.mib, more GPU cores, or a smaller batch"
    return (
        f"{place} is too small: it must hold at least {needed:,} bytes and has {offered:,}; "
        f"layer '{demand.layer[buffer]}' alone takes {share:,} bytes there "
        f"(allowed: {remedy})"
    )


def bytes_in_tiles(demand: BufferDemand, capacity: np.ndarray, spilled: np.ndarray, tiles: int) -> np.ndarray:
    """(tiles,) bytes that the buffers take."""
    owner = np.repeat(np.arange(capacity.size), np.diff(demand.tile_first))
    taken = (capacity[owner] * demand.position_bytes)[~spilled[owner]]
    return np.bincount(demand.tile[~spilled[owner]], weights=taken, minlength=tiles).astype(np.int64)
