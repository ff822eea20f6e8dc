"""Places in eDRAM for the inputs of every replica: :mod:`pimsim.mapping.buffers` for whole layers at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pimsim.config.records import System
from pimsim.costmodels.chip.layer import PlannedLayer
from pimsim.mapping.buffers import BufferDemand, share_edram


def find_places(
    layers: Sequence[PlannedLayer], system: System, tiles: int
) -> tuple[dict[tuple[int, int], np.ndarray], tuple[str, ...]]:
    """(node, edge) -> (V,) places of each replica's buffer; and the layers whose inputs are spilled to DRAM.

    Raises InputError where eDRAM is too small and ``mapping.spill`` is ``error``.
    """
    word = -(-system.mapping.input_bits // 8)
    blocks = [(i, e, layer) for i, layer in enumerate(layers) for e in range(len(layer.node.edges))]
    least, most, copies, tile, channels = ([np.zeros(0, np.int64)] for _ in range(5))
    names: list[str] = []
    for _, e, layer in blocks:
        need = layer.needs[e]
        kept_in, replica, kept = _kept(layer, e)
        least.append(need.least)
        most.append(np.maximum(need.least, np.diff(need.first)))
        copies.append(np.bincount(replica, minlength=layer.copies))
        tile.append(kept_in)
        channels.append(kept)
        names += [layer.node.name] * layer.copies
    first = np.concatenate([[0], np.cumsum(np.concatenate(copies))])
    values = np.concatenate(channels)
    demand = BufferDemand(names, np.concatenate(least), np.concatenate(most), first, np.concatenate(tile), values,
                          word * values)  # fmt: skip
    capacity, spilled = share_edram(
        demand, np.full(tiles, system.chip.tile.edram.kib * 1024), np.zeros(tiles, dtype=bool), system.mapping.spill
    )
    ends = np.cumsum([layer.copies for *_, layer in blocks]).astype(np.int64)
    of_block = np.split(capacity, ends[:-1]) if blocks else []
    found = {(i, e): places for (i, e, _), places in zip(blocks, of_block, strict=True)}
    return found, tuple(sorted({names[b] for b in np.flatnonzero(spilled)}))


def _kept(layer: PlannedLayer, e: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tile, replica and channels of every copy of one input's buffers, replica after replica."""
    channels = layer.cuts.channels[:, e]
    kept = channels > 0
    without = np.setdiff1d(np.arange(layer.copies), layer.slice_replica[kept], assume_unique=False)
    tile = np.concatenate([layer.slice_tile[kept], layer.home[without]])
    replica = np.concatenate([layer.slice_replica[kept], without])
    values = np.concatenate([channels[kept], np.full(without.size, layer.node.edges[e].channels)])
    order = np.argsort(replica, kind="stable")
    return tile[order], replica[order], values[order]
