"""Snake order, layer after layer: neighbours in the order are neighbours on the mesh.

Router rows are walked alternately left to right and right to left, tiers up and down, and so are the rows of chips.
The routers of a graph are taken breadth first from the one at which the chip's links attach.
"""

from __future__ import annotations

import numpy as np

from pimsim.network.fabric import Fabric
from pimsim.network.tables import breadth_first


def turns(copies: dict[int, int], fabric: Fabric) -> tuple[list[tuple[int, int]], np.ndarray]:
    """All replicas of a layer, then those of the next; tiles along the snake."""
    return [(layer, replica) for layer, n in copies.items() for replica in range(n)], tiles(fabric)


def tiles(fabric: Fabric) -> np.ndarray:
    """(tiles of the system,) int64: the tile that comes k-th along the snake."""
    chips = _walk(fabric.chip_columns or fabric.chips, fabric.chips)
    topology = fabric.topology
    routers = _snake(topology.shape) if topology.is_grid else breadth_first(topology, fabric.io_router)
    places = (routers[:, None] * fabric.concentration + np.arange(fabric.concentration)).ravel()
    places = places[places < fabric.tiles]
    return (chips[:, None] * fabric.tiles + places).ravel()


def _snake(shape: tuple[int, ...]) -> np.ndarray:
    """(R,) int64: routers in an order in which each is a neighbour of the one before."""
    if not shape:
        return np.zeros(1, np.int64)
    inner = _snake(shape[:-1])
    steps = [inner[:: 1 if i % 2 == 0 else -1] + i * inner.size for i in range(shape[-1])]
    return np.concatenate(steps)


def _walk(columns: int, count: int) -> np.ndarray:
    order = np.arange(-(-count // columns) * columns).reshape(-1, columns)
    order[1::2] = order[1::2, ::-1]
    return order[order < count]
