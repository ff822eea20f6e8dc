"""Replicas into tiles: next fit, in the order of placement; an IMA serves one replica, a tile several."""

from __future__ import annotations

from collections.abc import Iterable


def pieces(imas: int, free: int, per_tile: int) -> tuple[int, list[int]]:
    """Where a replica of ``imas`` IMAs goes when the present tile has ``free`` IMAs left.

    Returns how many tiles to move on before the first piece (0: it starts in the present one), and the
    IMAs in each tile from there.  A replica is never spread over more tiles than its size asks for.
    """
    fewest = -(-imas // per_tile)
    skip = 0
    if free == 0 or 1 + max(0, -(-(imas - free) // per_tile)) > fewest:
        skip, free = 1, per_tile
    first = min(imas, free)
    whole, rest = divmod(imas - first, per_tile)
    return skip, [first, *[per_tile] * whole, *([rest] if rest else [])]


def tiles_needed(demand: Iterable[tuple[int, int]], per_tile: int) -> int:
    """Tiles that (IMAs of a replica, replicas) take, packed one after another."""
    tiles, free = 0, 0
    for imas, replicas in demand:
        whole = 0
        if imas <= per_tile:  # many equal small ones: whole tiles at once
            first = min(replicas, free // imas)
            free -= first * imas
            replicas -= first
            whole, replicas = divmod(replicas, per_tile // imas)
            if whole:
                free = per_tile - (per_tile // imas) * imas
            tiles += whole
        for _ in range(replicas):
            skip, parts = pieces(imas, free, per_tile)
            tiles += skip + len(parts) - 1
            free = (free if not skip else per_tile) - parts[0] if len(parts) == 1 else per_tile - parts[-1]
    return tiles
