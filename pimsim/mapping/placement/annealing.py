"""Simulated annealing (Kirkpatrick, Gelatt and Vecchi 1983) of one objective: a weighted mean of several.

Each objective counts relative to its value at the start, so the mean begins at 1.  A move that makes it larger by d
is accepted with probability ``exp(-d / T)``; T falls geometrically, in STEPS steps.  Its unit is the change, up or
down, that a random move makes at the start, so that the same temperatures do for few tiles and for thousands.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from pimsim.config.placement import Annealing, Weights
from pimsim.engine.compiling import compiled, inlined
from pimsim.mapping.placement.heat import Heat
from pimsim.mapping.placement.objectives import Objectives, weighted
from pimsim.mapping.placement.search import (
    Found,
    Progress,
    State,
    begin,
    chance,
    exponential,
    judge,
    make,
    may_move,
    objectives_of,
    place_on,
    propose,
    recount,
)
from pimsim.mapping.placement.traffic import Traffic
from pimsim.mapping.placement.ways import Ways

STEPS = 100
SAMPLE = 1000  #: moves by which the unit of temperature is measured


def anneal(
    traffic: Traffic, ways: Ways, settings: Annealing, sites: np.ndarray | None = None,
    progress: Progress | None = None, heat: Heat | None = None,
) -> Found:  # fmt: skip
    """A placement of small weighted mean; tile t of the traffic starts on tile t of the system.

    Args:
        traffic: flows between tiles.
        ways: of the system.
        settings: weights, moves, temperatures and seed.
        sites: tiles that may change places with those of their kind; None: all.
        progress: called after every step.
        heat: what warms what; None: temperature is no objective.
    """
    place = np.arange(traffic.tiles)
    state = begin(traffic, ways, place, place if sites is None else sites, settings.seed, heat)
    start = objectives_of(state)
    weights = weights_of(settings)
    unit = _usual_change(state, start, weights)
    best, least = place, 1.0
    for step in range(STEPS):
        done, after = (settings.moves * n // STEPS for n in (step, step + 1))
        temperature = _between(settings.hot, settings.cold, Decimal(step) / (STEPS - 1))
        cool(state, start, weights, unit * temperature, after - done)
        mean = weighted(objectives_of(state), start, weights)
        if mean < least:
            best, least = state.site.copy(), mean
        if progress is not None:
            progress(after, settings.moves)
    place_on(state, best)
    return Found(best, start, objectives_of(state))


def weights_of(settings: Weights) -> Objectives:
    """The weights in the order of the objectives."""
    return Objectives(*(getattr(settings, name) for name in Objectives._fields))


def cool(state: State, start: Objectives, weights: Objectives, temperature: float, moves: int) -> None:
    """Try so many moves at one temperature; at 0 nothing worse is accepted."""
    factors = _factors(start, weights)
    if factors.any() and may_move(state):
        _cool(state, factors, temperature, moves, np.empty(factors.size), np.empty(3, np.int64))
        recount(state)  # the sum of squares without its rounding


def _usual_change(state: State, start: Objectives, weights: Objectives) -> float:
    """Mean size of the change that a random move makes to the weighted mean."""
    factors = _factors(start, weights)
    if not factors.any() or not may_move(state):
        return 0.0
    return float(_sum_of_changes(state, factors, SAMPLE, np.empty(factors.size), np.empty(3, np.int64)) / SAMPLE)


def _factors(start: Objectives, weights: Objectives) -> np.ndarray:
    """(objectives,) by which each is multiplied in the weighted mean; 0 where it is 0 at the start."""
    total = sum(w for w, r in zip(weights, start, strict=True) if r > 0)
    return np.array([w / r / total if w > 0 and r > 0 else 0.0 for w, r in zip(weights, start, strict=True)])


def _between(hot: float, cold: float, share: Decimal) -> float:
    """From hot to cold, geometrically; in decimals, whose power is rounded in the same way on every machine."""
    return float(Decimal(hot) * (Decimal(cold) / Decimal(hot)) ** share)


@compiled
def _cool(S, factors, temperature, moves, values, move):  # type: ignore[no-untyped-def]
    present = _mean(S, factors, values)
    for _ in range(moves):
        propose(S, move)
        squares = S.squares[0]
        make(S, move)
        new = _mean(S, factors, values)
        if new <= present or (temperature > 0.0 and chance(S) < exponential((present - new) / temperature)):
            present = new
        else:
            make(S, move)
            S.squares[0] = squares


@compiled
def _sum_of_changes(S, factors, moves, values, move):  # type: ignore[no-untyped-def]
    present, total = _mean(S, factors, values), 0.0
    for _ in range(moves):
        propose(S, move)
        squares = S.squares[0]
        make(S, move)
        total += abs(_mean(S, factors, values) - present)
        make(S, move)
        S.squares[0] = squares
    return total


@inlined
def _mean(S, factors, values):  # type: ignore[no-untyped-def]
    judge(S, values)
    mean = 0.0
    for i in range(factors.size):
        mean += factors[i] * values[i]
    return mean
