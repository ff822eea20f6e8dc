"""What happens to cells while they work: failures, read disturb, transient flips.

Failures and disturbs gather with the reads n that a cell has seen.  Each cell has random numbers of its own, drawn once
and compared with probabilities that grow with n: what has happened after n reads has happened after more.
"""

from __future__ import annotations

import math

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
        large: a sum of many is normal, a single one is not.
    """
    others = levels.size - 1
    own = levels[targets]
    mean = (levels.sum() - own) / others - level
    square = ((levels**2).sum() - own**2) / others - 2 * level * (levels.sum() - own) / others + level**2
    return probability * mean, probability * square - (probability * mean) ** 2
