"""How often crossbars are read for a vector, the cells that they use, and sums over the crossbars of slices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pimsim.config.records import System
from pimsim.mapping.program import Replicas, Slices
from pimsim.mapping.tiling import Tiling
from pimsim.workload.dataflow import Matrix


def bit_slices(system: System) -> int:
    """How often each wordline is driven for one vector, in one pass."""
    return -(-system.mapping.input_bits // system.chip.tile.ima.dac.bits)


def crossbar_reads(tiling: Tiling, system: System) -> np.ndarray:
    """(crossbars,) reads for one vector: input bits over DAC bits, for each group of active wordlines in use, in so
    many passes."""
    rows: np.ndarray = tiling.row_hi - tiling.row_lo
    return -(-rows // system.chip.tile.ima.crossbar.wordlines) * bit_slices(system) * tiling.passes


def cells_of_rows(tiling: Tiling, matrix: Matrix) -> np.ndarray:
    """(crossbars,) cells of a row that hold a part of a weight."""
    # where several groups lie on the diagonal, each row crosses the columns of its own group
    cells: np.ndarray = np.minimum(tiling.out_hi - tiling.out_lo, matrix.columns) * tiling.cells_per_weight
    return cells


def sums_of_slices(replicas: Replicas, slices: Slices, of_crossbars: Mapping[int, np.ndarray]) -> np.ndarray:
    """(S,) sums over the crossbars of each slice, given (crossbars,) of a replica of some layers; of their type.

    Slices hold crossbars in their tiling's order, and those of an update in that of the layer that it writes.
    """
    sums = np.zeros(slices.tile.size, np.result_type(np.int64, *of_crossbars.values()))
    before = np.cumsum(slices.crossbars) - slices.crossbars
    start = before - before[np.minimum(replicas.slice_first[:-1], before.size - 1)][slices.replica]
    layer = replicas.layer[slices.replica]
    for i, values in of_crossbars.items():
        so_far, own = np.concatenate([[0], np.cumsum(values)]), layer == i
        sums[own] = so_far[start[own] + slices.crossbars[own]] - so_far[start[own]]
    return sums
