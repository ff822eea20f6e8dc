"""PipeLayer's cycle counts (HPCA 2017) in closed form.

The formulas of training and testing are recalled: they define a model, and that a program reproduces them is no
evidence for it.  The two worked examples of the mapping (18 crossbars, 12,544 cycles) are quoted from the paper.

Words: a logical cycle is one stage of the layer pipeline; L layers with weights; batches of B images, N images in all.
"""

from __future__ import annotations

import math

CROSSBAR = 128  #: rows and columns


def crossbars(rows: int, columns: int, size: int = CROSSBAR) -> int:
    """Crossbars that hold a matrix, one kernel a bitline."""
    return math.ceil(rows / size) * math.ceil(columns / size)


def layer_cycles(positions: int, copies: int = 1) -> int:
    """Vectors that one copy of a layer takes after another for one image."""
    return math.ceil(positions / copies)


def training_cycles(layers: int, batch: int, images: int, pipelined: bool = True) -> int:
    """Logical cycles of training on ``images``, a multiple of ``batch``: (N / B)(2L + B + 1), without the pipeline
    (2L + 1)N + N / B."""
    batches = images // batch
    return batches * (2 * layers + batch + 1) if pipelined else (2 * layers + 1) * images + batches


def testing_cycles(layers: int, images: int) -> int:
    """Logical cycles until the last image has left the pipeline: N + L - 1."""
    return images + layers - 1
