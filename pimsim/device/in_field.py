"""What happens to cells while they work: failures, read disturb, transient flips.

Failures and disturbs gather with the reads n that a cell has seen.  Each cell has random numbers of its own, drawn once
and compared with probabilities that grow with n: what has happened after n reads has happened after more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_EXACT_MEAN = 1e6  #: events above which their relative spread, below 0.1 %, is left out


def failed(drawn: np.ndarray, failures_per_read: float, reads: float) -> np.ndarray:
    """Which cells have failed within ``reads`` reads, each of which is fatal with the same probability p.

        P(failed) = 1 - (1 - p)^n

    Args:
        drawn: uniform numbers in [0, 1), one for each cell, the same for any number of reads.
        failures_per_read: p.
        reads: n, from the first on.

    Returns:
        bool of the same shape; permanent, for it only grows with n.
    """
    if reads <= 0 or failures_per_read == 0:
        return np.zeros(drawn.shape, dtype=bool)
    if failures_per_read == 1:
        return np.ones(drawn.shape, dtype=bool)
    return np.asarray(drawn < -math.expm1(reads * math.log1p(-failures_per_read)))


def disturbed(
    conductance: np.ndarray, drawn: np.ndarray, *, end: float, probability: float, fraction: float, reads: float
) -> np.ndarray:
    """Conductances [S] after reads, some of which have moved the cell towards ``end``.

        G = end + (G(0) - end) (1 - d)^K,    K ~ Poisson(n p)

    The number of such reads is binomial; for the small probabilities of real cells that is Poisson's distribution.

    Args:
        conductance: as written [S].
        drawn: uniform numbers in [0, 1), of the same shape, the same for any number of reads since the write.
        end: conductance [S] towards which a read pulls.
        probability: p, that a read moves the cell.
        fraction: d, of the distance to the end, that each of these reads takes off.
        reads: n, since the cell was written.
    """
    moves = poisson_quantile(drawn, reads * probability)
    return conductance + (end - conductance) * (1.0 - (1.0 - fraction) ** moves)


def poisson_quantile(drawn: np.ndarray, mean: float) -> np.ndarray:
    """The count K of each uniform number u: the least with P(Poisson(mean) <= K) > u.  It grows with the mean."""
    if mean > _EXACT_MEAN:
        return np.full(drawn.shape, mean)
    if mean <= 0:
        return np.zeros(drawn.shape)
    spread = 12 * math.sqrt(mean) + 40  # what lies further away has a probability below 1e-16
    first, last = max(0, math.floor(mean - spread)), math.ceil(mean + spread)
    counts = np.arange(first, last + 1)
    logs = np.array([count * math.log(mean) - mean - math.lgamma(count + 1) for count in counts.tolist()])
    return np.minimum(first + np.searchsorted(np.cumsum(np.exp(logs)), drawn, side="right"), last).astype(np.float64)


def flip_moments(
    level: np.ndarray, targets: np.ndarray, levels: np.ndarray, probability: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the error of one read of a cell that is taken for some other level, each equally likely.

    Args:
        level: what the cell contributes otherwise, any shape.
        targets: the levels that were meant, of the same shape, whole numbers.
        levels: what a cell of each level contributes.
        probability: of a wrong read.

    Returns:
        mean and variance, in the units of ``level``.  These are the first two moments of an error that is rare and
        large: a sum of many is normal, a single one is not, see :func:`transient_flips`.
    """
    others = levels.size - 1
    own = levels[targets]
    mean = (levels.sum() - own) / others - level
    square = ((levels**2).sum() - own**2) / others - 2 * level * (levels.sum() - own) / others + level**2
    return probability * mean, probability * square - (probability * mean) ** 2


@dataclass(frozen=True)
class Flips:
    """Wrong readings of cells; E of them."""

    read: np.ndarray  #: (E,) int64, the read (row of the driven wordlines) that goes wrong
    column: np.ndarray  #: (E,) int64, the bitline on which
    error: np.ndarray  #: (E,) float64 levels, to be added to what this conversion sees


def transient_flips(
    driven: np.ndarray, targets: np.ndarray, probability: float, cell_bits: int, generator: np.random.Generator
) -> Flips:
    """Draw which cells are read wrongly in which reads: each driven cell, in each read, with the same probability.

    Where ADCs round, this is not the noise of :func:`flip_moments`: most conversions see nothing, a few see a level or
    more.  The effort grows with the events, not with the reads, where events are rare.

    Args:
        driven: (reads, rows) 0 or 1, wordlines of each read.
        targets: (rows, columns) levels.
        probability: of a wrong reading.
        cell_bits: bits of a cell; the wrong level is one of the others, each equally likely.
        generator: of these reads.
    """
    reads, rows = driven.shape
    columns = targets.shape[1]
    places = reads * rows * columns
    events = generator.binomial(places, probability)
    chosen = generator.choice(places, events, replace=False, shuffle=False) if events else np.zeros(0, dtype=np.int64)
    read, rest = np.divmod(np.sort(chosen), rows * columns)
    row, column = np.divmod(rest, columns)
    hit = driven[read, row] != 0
    read, row, column = read[hit], row[hit], column[hit]
    meant = targets[row, column].astype(np.int64)
    taken_for = (meant + generator.integers(1, 2**cell_bits, size=meant.size)) % 2**cell_bits
    return Flips(read, column, (taken_for - meant).astype(np.float64))
