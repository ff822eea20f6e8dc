"""Error that is left after a cell was programmed.

    G = G_target + sigma N(0, 1)

Normal and independent in every cell and write, the usual model of what write-verify leaves.  PytorX (He et al., DAC
2019) sets sigma to a third of a level step, so that a level is missed by less than a step in 99.7 % of the writes.
"""

from __future__ import annotations

import numpy as np


def programmed(conductance: np.ndarray, sigma: np.ndarray | float, generator: np.random.Generator) -> np.ndarray:
    """What conductances become when they are written.

    Args:
        conductance: what is wanted [S], any shape.
        sigma: standard deviation of the error [S], a number or of the same shape.
        generator: of this write.

    Returns:
        conductances [S], of the same shape; below 0 where the error is large: who combines effects clips at the end.
    """
    return conductance + sigma * generator.standard_normal(conductance.shape)
