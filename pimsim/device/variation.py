"""How cells differ from each other, and the writes of one cell from each other.

    device to device:  G = G_target + sigma z_cell           z_cell: drawn once, N(0, 1)
    cycle to cycle:    G = G_target + sigma z_cell,write     drawn anew at every write

The split is the one usual for ReRAM (Wong et al., Metal-Oxide RRAM, Proc. IEEE 2012; recalled).  Both functions are
the same sum; what differs is whose generator they are given: that of the cells, or that of a write.
"""

from __future__ import annotations

import numpy as np


def device_to_device(conductance: np.ndarray, sigma: np.ndarray | float, cells: np.random.Generator) -> np.ndarray:
    """Conductances [S] of cells that are not alike.

    Args:
        conductance: of ideal cells [S], any shape.
        sigma: standard deviation [S], a number or of the same shape.
        cells: the generator of the cells' properties, from its beginning: the same at every write.
    """
    return conductance + sigma * cells.standard_normal(conductance.shape)


def cycle_to_cycle(conductance: np.ndarray, sigma: np.ndarray | float, write: np.random.Generator) -> np.ndarray:
    """Conductances [S] after one write of many.

    Args:
        conductance: of ideal writes [S], any shape.
        sigma: standard deviation [S], a number or of the same shape.
        write: the generator of this write.
    """
    return conductance + sigma * write.standard_normal(conductance.shape)
