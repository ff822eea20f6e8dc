"""How long the cells of programmed matrices last: from the endurance that was drawn for each of them.

What one more programming of the weights writes is every cell once, so cells differ by their endurance alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from pimsim.config.device import Device, Endurance
from pimsim.device.endurance import endurance_of_cells, first_failure
from pimsim.device.streams import stream
from pimsim.functional.crossbar import outputs_of_parts
from pimsim.functional.mitigation.vote import copy_names
from pimsim.functional.part import name_of_part
from pimsim.mapping.arithmetic import Arithmetic

WORN_SHARE = 0.01  #: of the cells: where a network is said to wear out (a convention of this project)


class Matrix(NamedTuple):
    """A matrix whose cells are asked for."""

    rows: int
    outputs: int
    arithmetic: Arithmetic
    layer: str  #: under which it is programmed
    copies: int


class WornCells(NamedTuple):
    """The cells of all matrices together, programmed once after ``writes_before`` writes."""

    cells: int  #: unit columns left out
    stuck: int  #: of these, past their endurance
    first: int  #: programmings that all cells survive, this one included
    worn: int  #: programmings that less than :data:`WORN_SHARE` of the cells do not survive, this one included


def worn_cells(matrices: Iterable[Matrix], device: Device, seed: int) -> WornCells | None:
    """Wear of cells as :func:`pimsim.functional.cells.program_cells` draws it; None: endurance is not described.

    Only the weakest cells of each part are kept, so that memory is that of one part.
    """
    endurance = device.endurance
    if endurance is None:
        return None
    cells, stuck, weakest = 0, 0, []
    for matrix in matrices:
        for borne in _endurances(matrix, endurance, seed):
            cells += borne.size
            stuck += int(np.count_nonzero(borne < 1 + endurance.writes_before))
            weakest.append(_lowest(borne.ravel()))
    if not cells:
        return WornCells(0, 0, 0, 0)
    lowest = np.sort(np.concatenate(weakest))
    first = first_failure(np.ones(lowest.size), lowest).units
    worn = math.floor(lowest[math.ceil(WORN_SHARE * cells) - 1])
    return WornCells(cells, stuck, *(max(0, math.floor(units - endurance.writes_before)) for units in (first, worn)))


def _endurances(matrix: Matrix, endurance: Endurance, seed: int) -> Iterator[np.ndarray]:
    """Of the cells of each part, as they are drawn when it is programmed."""
    for layer in copy_names(matrix.layer, matrix.copies):
        for part in outputs_of_parts(matrix.rows, matrix.outputs, matrix.arithmetic):
            shape = matrix.rows, (part.stop - part.start) * matrix.arithmetic.cells_per_weight
            name = name_of_part(layer, part, matrix.outputs)
            yield endurance_of_cells(endurance.writes, endurance.sigma_decades, shape, stream(seed, name, "endurance"))


def _lowest(borne: np.ndarray) -> np.ndarray:
    """The cells of a part that may be among the weakest hundredth of all: a hundredth, and ten sigma more."""
    expected = WORN_SHARE * borne.size
    most = math.ceil(expected + 10 * math.sqrt(expected) + 10)
    return borne if most >= borne.size else np.partition(borne, most)[:most]
