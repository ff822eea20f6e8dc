"""Snake order, layer after layer: neighbours in the order are neighbours on the mesh.

Router rows are walked alternately left to right and right to left, and so are the rows of chips.
"""

from __future__ import annotations

import numpy as np

from pimsim.network.fabric import Fabric


def turns(copies: dict[int, int], fabric: Fabric) -> tuple[list[tuple[int, int]], np.ndarray]:
    """All replicas of a layer, then those of the next; tiles along the snake."""
    return [(layer, replica) for layer, n in copies.items() for replica in range(n)], tiles(fabric)


def tiles(fabric: Fabric) -> np.ndarray:
    """(tiles of the system,) int64: the tile that comes k-th along the snake."""
    chips = _walk(fabric.chip_columns or fabric.chips, fabric.chips)
    routers = _walk(fabric.mesh_x, fabric.mesh_x * fabric.mesh_y)
    places = (routers[:, None] * fabric.concentration + np.arange(fabric.concentration)).ravel()
    places = places[places < fabric.tiles]
    return (chips[:, None] * fabric.tiles + places).ravel()


def _walk(columns: int, count: int) -> np.ndarray:
    order = np.arange(-(-count // columns) * columns).reshape(-1, columns)
    order[1::2] = order[1::2, ::-1]
    return order[order < count]
