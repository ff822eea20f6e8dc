"""Stuck cells of a matrix that a test before its first use has found, and what they do to its weights.

Known are the permanent faults of the device (``faults``).  Cells that fail in the field or wear out later are not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.config.device import Device
from pimsim.device.faults import STUCK_AT_0, STUCK_AT_1
from pimsim.functional.cells import layer_faults
from pimsim.functional.crossbar import outputs_of_parts
from pimsim.functional.encoding import Encoded
from pimsim.functional.part import name_of_part, name_of_unit_column
from pimsim.mapping.arithmetic import Arithmetic


@dataclass(frozen=True)
class KnownFaults:
    """Of a matrix of K rows and N outputs in J cells a weight."""

    cells: np.ndarray  #: (K, N, J) uint8 fault map
    unit_column: np.ndarray | None  #: (K, 1) uint8; None: wordlines are counted digitally, or not at all
    levels: np.ndarray  #: (3,) int64, level of a cell by its entry in the map; of a sound one: 0, without meaning

    def stuck(self) -> np.ndarray:
        """(K, N) bool: weights of which at least one cell is stuck."""
        return np.asarray((self.cells != 0).any(axis=2))


def known_faults(
    shape: tuple[int, int], arithmetic: Arithmetic, device: Device | None, *, seed: int, layer: str
) -> KnownFaults | None:
    """The faults that :func:`pimsim.functional.crossbar.program_matrix` will meet; None: the device has none.

    Args:
        shape: (K, N) of the matrix.
        seed, layer: as they are given to ``program_matrix``.

    Raises:
        InputError: as :func:`pimsim.functional.cells.layer_faults`.
    """
    if device is None or device.faults is None:
        return None
    rows, outputs = shape
    cells = np.empty((rows, outputs, arithmetic.cells_per_weight), dtype=np.uint8)
    for part in outputs_of_parts(rows, outputs, arithmetic):
        wide = (part.stop - part.start) * arithmetic.cells_per_weight
        name = name_of_part(layer, part, outputs)
        found = layer_faults(device, (rows, wide), seed=seed, layer=name)
        cells[:, part] = found.reshape(rows, -1, arithmetic.cells_per_weight)
    unit = None
    if arithmetic.counts_by_cells:
        unit = layer_faults(device, (rows, 1), seed=seed, layer=name_of_unit_column(layer))
    top = (1 << arithmetic.cell_bits) - 1
    levels = np.zeros(3, dtype=np.int64)
    levels[STUCK_AT_1 if device.faults.stuck_at_0_is == "low" else STUCK_AT_0] = top
    return KnownFaults(cells, unit, levels)


def weight_errors(encoded: Encoded, known: KnownFaults) -> np.ndarray:
    """(K, N) int64: by how much each weight is off because of stuck cells, those of unit columns included."""
    errors = np.zeros(encoded.levels.shape[:2], dtype=np.int64)
    for group in encoded.groups:
        faults = known.cells[group.rows]
        off = np.where(faults != 0, known.levels[faults] - encoded.levels[group.rows], 0)
        errors[group.rows] = np.einsum("knj,nj->kn", off, encoded.weights[group.number])
        if known.unit_column is not None:
            unit = known.unit_column[group.rows]
            errors[group.rows] += np.where(unit != 0, known.levels[unit] - 1, 0) * encoded.offsets[group.number]
    return errors
