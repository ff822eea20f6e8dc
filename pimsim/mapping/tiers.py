"""Which tiles of a system are GPU cores: the kind of their tier says it."""

from __future__ import annotations

import numpy as np

from pimsim.config.records import System
from pimsim.network.fabric import Fabric, build_fabric


def gpu_tiles(system: System, fabric: Fabric) -> np.ndarray:
    """(tiles,) bool: the tile is a GPU core."""
    tiers = system.chip.tiers
    if tiers is None:
        return np.zeros(fabric.n_tiles, dtype=bool)
    of_tier = np.array([kind == "gpu" for kind in tiers])
    of_chip = of_tier[fabric.tier[np.arange(fabric.tiles) // fabric.concentration]]
    return np.tile(of_chip, fabric.chips)


def matrix_tiles(system: System) -> int:
    """Tiles of one chip that have crossbars."""
    if system.chip.tiers is None:
        return system.chip.tiles
    return int((~gpu_tiles(system, build_fabric(system, 1))).sum())
