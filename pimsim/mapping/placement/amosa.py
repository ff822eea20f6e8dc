"""Archived multi-objective simulated annealing, AMOSA (Bandyopadhyay, Saha, Maulik and Deb, IEEE Transactions on
Evolutionary Computation 12(3), 2008).

The result is an archive: placements of which none is better than another in all objectives.  How much a dominates b
is ``dom(a, b)``, the product of |a_i - b_i| / R_i over the objectives in which they differ; R_i is the range of
objective i over the archive, the present placement and the new one.  A placement that is proposed

1. and is dominated by the present one is accepted with probability ``1 / (1 + exp(T * mean dom))``, the mean taken over
   the archive's placements that dominate it, and the present one;
2. and neither dominates the present one nor is dominated: if the archive dominates it, as in 1, the mean taken over
   the archive alone; else it is accepted and archived, and what it dominates leaves the archive;
3. and dominates the present one: if the archive dominates it, the archive's placement of least dom becomes the present
   one with probability ``1 / (1 + exp(-dom))``, else the new one; if not, it is accepted and archived.

An archive of more than SL placements is clustered to HL of them.  T falls geometrically.  It *multiplies*, as it is
printed: what is worse is accepted more easily as T falls, and never with a probability over one half.

The first archive is made by hill climbing from the placement of the start: once for each objective, which counts ten
times as much as the others, and once for all of them alike.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pimsim.config.placement import Amosa
from pimsim.engine.compiling import compiled, inlined
from pimsim.mapping.placement.annealing import cool, weights_of
from pimsim.mapping.placement.archive import Archive, cluster, knee, least_weighted, undominated
from pimsim.mapping.placement.heat import Heat
from pimsim.mapping.placement.objectives import Objectives
from pimsim.mapping.placement.search import (
    Found,
    Progress,
    State,
    begin,
    chance,
    exchange,
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

WORSE, EITHER, BETTER = range(3)  #: the present placement dominates the new one; neither does; the new one does


class Kept(NamedTuple):
    """The archive as the kernel fills it, with room for one placement more than SL."""

    size: np.ndarray  #: (1,)
    place: np.ndarray  #: (SL + 1, tiles) int64
    value: np.ndarray  #: (SL + 1, M)
    objective: np.ndarray  #: (M,) indices into Objectives
    present: np.ndarray  #: (M,) values of the present placement
    new: np.ndarray  #: (M,) those of the one that is proposed
    ranges: np.ndarray  #: (M,)
    values: np.ndarray  #: all objectives of the present placement
    move: np.ndarray  #: (3,)


def amosa(
    traffic: Traffic, ways: Ways, settings: Amosa, sites: np.ndarray | None = None, progress: Progress | None = None,
    heat: Heat | None = None,
) -> Found:  # fmt: skip
    """A Pareto set of placements, and the one of it that the settings choose.

    Arguments as those of :func:`pimsim.mapping.placement.annealing.anneal`.
    """
    place = np.arange(traffic.tiles)
    state = begin(traffic, ways, place, place if sites is None else sites, settings.seed, heat)
    start = objectives_of(state)
    kept = _nothing_kept(settings, traffic.tiles)
    climbs = len(settings.objectives) + 1
    total = climbs * settings.climb_moves + settings.moves
    for climb in range(climbs):
        place_on(state, place)
        cool(state, start, _climb_weights(settings, climb), 0.0, settings.climb_moves)
        _keep(kept, climb, state)
        if progress is not None:
            progress((climb + 1) * settings.climb_moves, total)
    _leave_only(kept, undominated(kept.value[:climbs]))
    temperature = settings.temperature
    for step in range(settings.steps):
        moves = settings.moves * (step + 1) // settings.steps - settings.moves * step // settings.steps
        _explore(state, kept, temperature, moves, settings.hard_limit)
        temperature *= settings.cooling
        if progress is not None:
            progress(climbs * settings.climb_moves + settings.moves * (step + 1) // settings.steps, total)
    if kept.size[0] > settings.hard_limit:
        _leave_only(kept, cluster(kept.value[: kept.size[0]], settings.hard_limit))
    archive = _archive(settings, kept, start)
    place_on(state, archive.places[archive.chosen])
    return Found(archive.places[archive.chosen], start, objectives_of(state), archive)


def _nothing_kept(settings: Amosa, tiles: int) -> Kept:
    room, m = max(settings.soft_limit, len(settings.objectives) + 1) + 1, len(settings.objectives)
    return Kept(
        size=np.zeros(1, np.int64), place=np.zeros((room, tiles), np.int64), value=np.zeros((room, m)),
        objective=np.array([Objectives._fields.index(name) for name in settings.objectives]), present=np.zeros(m),
        new=np.zeros(m), ranges=np.zeros(m), values=np.zeros(len(Objectives._fields)), move=np.zeros(3, np.int64),
    )  # fmt: skip


def _climb_weights(settings: Amosa, climb: int) -> Objectives:
    weights = {name: 1.0 if i == climb or climb == len(settings.objectives) else 0.1
               for i, name in enumerate(settings.objectives)}  # fmt: skip
    return Objectives(**dict.fromkeys(Objectives._fields, 0.0) | weights)


def _keep(kept: Kept, row: int, state: State) -> None:
    kept.place[row] = state.site
    kept.value[row] = np.array(objectives_of(state))[kept.objective]
    kept.size[0] = row + 1


def _leave_only(kept: Kept, rows: np.ndarray) -> None:
    """The archive keeps these of its placements."""
    kept.place[: rows.size], kept.value[: rows.size] = kept.place[rows], kept.value[rows]
    kept.size[0] = rows.size


def _explore(state: State, kept: Kept, temperature: float, moves: int, hard_limit: int) -> None:
    if not may_move(state):
        return
    while moves > 0:
        moves -= explore(state, kept, temperature, moves)
        if kept.size[0] == kept.value.shape[0]:
            _leave_only(kept, cluster(kept.value[: kept.size[0]], hard_limit))
    recount(state)  # the sum of squares without its rounding


def _archive(settings: Amosa, kept: Kept, start: Objectives) -> Archive:
    size = kept.size[0]
    values, places = kept.value[:size].copy(), kept.place[:size].copy()
    chosen = knee(values)
    if settings.point == "weights":
        weights = weights_of(settings.weights) if settings.weights else Objectives(*np.ones(len(Objectives._fields)))
        chosen = least_weighted(settings.objectives, values, start, weights)
    return Archive(settings.objectives, values, places, chosen)


@compiled
def explore(S, K, temperature, moves):  # type: ignore[no-untyped-def]
    """Propose up to ``moves`` placements, until the archive is full; how many were proposed."""
    judge(S, K.values)
    for i in range(K.objective.size):
        K.present[i] = K.values[K.objective[i]]
    for done in range(1, moves + 1):
        propose(S, K.move)
        squares = S.squares[0]
        make(S, K.move)
        judge(S, K.values)
        for i in range(K.objective.size):
            K.new[i] = K.values[K.objective[i]]
        verdict, archived, mean_dom, least_dom, nearest = compare(K)
        if verdict == BETTER and archived > 0:
            if _accepts(S, -least_dom):
                _return_to(S, K.place[nearest])
                _copy(K.value[nearest], K.present)
                continue
        elif (verdict == WORSE or archived > 0) and not _accepts(S, mean_dom * temperature):
            make(S, K.move)
            S.squares[0] = squares
            continue
        _copy(K.new, K.present)
        if verdict != WORSE and archived == 0:
            archive_new(K, S.site)
            if K.size[0] == K.value.shape[0]:
                return done
    return moves


@inlined
def compare(K):  # type: ignore[no-untyped-def]
    """Verdict; number of archived placements that dominate the new one; mean dom over these and, if it dominates the
    new one, the present one; least dom of the archived ones, and whose it is."""
    find_ranges(K.ranges, K.value, K.size[0], K.present, K.new)
    archived, total, least_dom, nearest = 0, 0.0, np.inf, -1
    for a in range(K.size[0]):
        if is_dominated(K.new, K.value[a]):
            dom = amount(K.value[a], K.new, K.ranges)
            archived += 1
            total += dom
            if dom < least_dom:
                least_dom, nearest = dom, a
    verdict, dominating = EITHER, archived
    if is_dominated(K.new, K.present):
        verdict, dominating = WORSE, archived + 1
        total += amount(K.present, K.new, K.ranges)
    elif is_dominated(K.present, K.new):
        verdict = BETTER
    return verdict, archived, total / max(1, dominating), least_dom, nearest


@inlined
def is_dominated(a, b):  # type: ignore[no-untyped-def]
    """Whether b dominates a."""
    better = False
    for i in range(a.size):
        if b[i] > a[i]:
            return False
        better = better or b[i] < a[i]
    return better


@inlined
def amount(a, b, ranges):  # type: ignore[no-untyped-def]
    """dom(a, b); an objective in which they are equal does not count."""
    dom = 1.0
    for i in range(a.size):
        if a[i] != b[i]:
            dom *= abs(a[i] - b[i]) / ranges[i]
    return dom


@inlined
def find_ranges(ranges, archive, size, present, new):  # type: ignore[no-untyped-def]
    """Largest minus smallest value of each objective, over the archive, the present and the new placement."""
    for i in range(ranges.size):
        low, high = min(present[i], new[i]), max(present[i], new[i])
        for a in range(size):
            low, high = min(low, archive[a, i]), max(high, archive[a, i])
        ranges[i] = high - low


@inlined
def _accepts(S, x):  # type: ignore[no-untyped-def]
    """True with probability 1 / (1 + exp(x))."""
    if x >= 0.0:
        small = exponential(-x)
        return chance(S) * (1.0 + small) < small
    return chance(S) * (1.0 + exponential(x)) < 1.0


@compiled
def archive_new(K, site):  # type: ignore[no-untyped-def]
    """The new placement joins the archive, unless one of equal values is there; those that it dominates leave."""
    kept = 0
    for a in range(K.size[0]):
        equal = True
        for i in range(K.new.size):
            equal = equal and K.value[a, i] == K.new[i]
        if equal:
            return
    for a in range(K.size[0]):
        if not is_dominated(K.value[a], K.new):
            if kept < a:
                _copy(K.value[a], K.value[kept])
                _copy(K.place[a], K.place[kept])
            kept += 1
    _copy(K.new, K.value[kept])
    _copy(site, K.place[kept])
    K.size[0] = kept + 1


@inlined
def _copy(values, to):  # type: ignore[no-untyped-def]
    for i in range(values.size):
        to[i] = values[i]


@compiled
def _return_to(S, place):  # type: ignore[no-untyped-def]
    """Put every tile where ``place`` says, by exchanges: few tiles lie elsewhere."""
    for tile in range(place.size):
        if S.site[tile] != place[tile]:
            exchange(S, S.site[tile], place[tile])
