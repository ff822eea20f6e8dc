"""Matrices in crossbars, seen from outside, and those that are made of others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from pimsim.functional.crossbar import Product
from pimsim.mapping.arithmetic import Arithmetic


class Matrix(Protocol):
    """What :class:`pimsim.functional.crossbar.ProgrammedMatrix` offers; see there."""

    @property
    def arithmetic(self) -> Arithmetic: ...
    @property
    def rows(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    @property
    def tiers(self) -> dict[str, int]: ...
    @property
    def notes(self) -> tuple[str, ...]: ...
    @property
    def approximate(self) -> bool: ...
    @property
    def conversions_per_vector(self) -> int: ...
    def multiply(self, inputs: np.ndarray, first_vector: int = 0, stride: int = 1) -> Product: ...
    def match_moments(self, sample: np.ndarray) -> None: ...
    def sums_of_columns(self, inputs: np.ndarray) -> np.ndarray: ...
    def column_range(self, inputs: np.ndarray) -> float: ...
    def histogram(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...


class Composed:
    """A matrix that is read from one or several others of the same shape; subclasses say how by ``multiply``."""

    def __init__(self, parts: Sequence[Matrix]) -> None:
        self.parts = tuple(parts)
        self.arithmetic, self.rows, self.outputs = parts[0].arithmetic, parts[0].rows, parts[0].outputs
        self.conversions_per_vector = sum(part.conversions_per_vector for part in parts)
        tiers: Counter[str] = Counter()
        for part in parts:
            tiers.update(part.tiers)
        self.tiers: dict[str, int] = dict(tiers)
        everywhere = set.intersection(*({_key(note) for note in part.notes} for part in parts))
        self.notes = tuple(note for note in parts[0].notes if _key(note) in everywhere)

    def driven(self, inputs: np.ndarray) -> np.ndarray:
        """Inputs (V, K) in the order of the wordlines."""
        return inputs

    def multiply(self, inputs: np.ndarray, first_vector: int = 0, stride: int = 1) -> Product:
        """See :meth:`pimsim.functional.crossbar.ProgrammedMatrix.multiply`; so with the methods below."""
        raise NotImplementedError

    @property
    def approximate(self) -> bool:
        """Whether T3b was forced upon an ADC that is not ideal."""
        return any(part.approximate for part in self.parts)

    def match_moments(self, sample: np.ndarray) -> None:
        """Measure what converters add, see there."""
        for part in self.parts:
            part.match_moments(self.driven(sample))

    def sums_of_columns(self, inputs: np.ndarray) -> np.ndarray:
        """All sums of all columns for some vectors [levels], without noise."""
        return np.concatenate([part.sums_of_columns(self.driven(inputs)) for part in self.parts])

    def column_range(self, inputs: np.ndarray) -> float:
        """Largest sum of a column for some vectors [levels]."""
        return max(part.column_range(self.driven(inputs)) for part in self.parts)

    def histogram(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Codes that the ADCs give for some vectors, without noise, and how often."""
        found = [part.histogram(self.driven(inputs)) for part in self.parts]
        codes, where = np.unique(np.concatenate([codes for codes, _ in found]), return_inverse=True)
        counts = np.zeros(codes.size, dtype=np.int64)
        np.add.at(counts, where, np.concatenate([times for _, times in found]))
        return codes, counts


def _key(note: str) -> str:
    return note.partition(": ")[0]
