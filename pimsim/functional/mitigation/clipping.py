"""Weight clipping: no weight is larger than a threshold (Joardar et al., Learning to Train CNNs on Faulty ReRAM-based
Manycore Accelerators, TECS 2021).

    w = sign(w) min(|w|, threshold)

The step of the quantisation shrinks with the largest weight, and with it what a stuck cell of the highest slice is
worth.  The threshold that they used is not known to us: the smallest that costs no accuracy on sound cells is a good
one.  Hardware: a comparator and a multiplexer in the way of every weight that is written.
"""

from __future__ import annotations

import numpy as np

from pimsim.config.mitigation import Mitigation


def clipped_weights(weights: np.ndarray, mitigation: Mitigation) -> tuple[np.ndarray, int]:
    """Weights of one layer, any shape, within its threshold; and how many were beyond it.

    Args:
        mitigation: of this layer.
    """
    if mitigation.weight_clip is None:
        return weights, 0
    unit = float(weights.std()) if mitigation.weight_clip_unit == "deviation" else 1.0
    most = mitigation.weight_clip * unit
    return np.clip(weights, -most, most), int(np.count_nonzero(np.abs(weights) > most))
