"""A matrix in crossbars with everything that its layer's mitigation asks for."""

from __future__ import annotations

from typing import Any

import numpy as np

from pimsim.config.device import Device
from pimsim.config.mitigation import Mitigation
from pimsim.functional.crossbar import program_matrix
from pimsim.functional.encoding import checked_integers
from pimsim.functional.mitigation.correction import CorrectedMatrix
from pimsim.functional.mitigation.known_faults import known_faults
from pimsim.functional.mitigation.matrices import Matrix
from pimsim.functional.mitigation.permutation import PermutedMatrix, least_damage
from pimsim.functional.mitigation.vote import VotedMatrix, copy_names
from pimsim.mapping.arithmetic import Arithmetic


def program_mitigated(
    weights: np.ndarray,
    arithmetic: Arithmetic,
    mitigation: Mitigation | None = None,
    *,
    device: Device | None = None,
    seed: int = 0,
    layer: str = "matrix",
    **options: Any,
) -> Matrix:
    """Weights (K, N), integers, in crossbars.

    Args:
        mitigation: of this layer, see :meth:`pimsim.config.mitigation.Mitigation.of_layer`; None: nothing is done.
            Weight clipping is none of it, for it comes before weights are integers.
        layer: names the cells; copies have names of their own, see
            :func:`pimsim.functional.mitigation.vote.copy_names`.
        options: of :func:`pimsim.functional.crossbar.program_matrix`.

    Raises:
        InputError: as ``program_matrix``, or a fault map lacks a copy.
    """
    mitigation = mitigation or Mitigation()
    weights = checked_integers(weights, arithmetic.weight_range, "weights")
    copies = [
        _programmed(weights, arithmetic, mitigation, device, seed, name, options)
        for name in copy_names(layer, mitigation.copies)
    ]
    return copies[0] if len(copies) == 1 else VotedMatrix(copies)


def _programmed(
    weights: np.ndarray, arithmetic: Arithmetic, mitigation: Mitigation, device: Device | None, seed: int, layer: str,
    options: dict[str, Any],
) -> Matrix:  # fmt: skip
    """One copy."""
    known, permutation = None, None
    if mitigation.permutation != "none" or mitigation.correction:
        shape = weights.shape[0], weights.shape[1]
        known = known_faults(shape, arithmetic, device, seed=seed, layer=layer)
    if known is not None and mitigation.permutation != "none":
        permutation = least_damage(weights, arithmetic, known, mitigation.permutation)
        weights = permutation.of_weights(weights)
    matrix: Matrix = program_matrix(weights, arithmetic, device=device, seed=seed, layer=layer, **options)
    if known is not None and mitigation.correction:
        matrix = CorrectedMatrix(matrix, weights, known)
    return matrix if permutation is None else PermutedMatrix(matrix, permutation)
