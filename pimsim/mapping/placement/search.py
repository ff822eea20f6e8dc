"""A placement that changes move by move, with its objectives kept up to date: what every search shares.

A move only touches the flows of the tiles that it moves, and of each flow only the ways to them.  Trees are exact:
every flow to several tiles counts, link by link, how many of its ways use the link; the link's load changes when the
first way comes or the last one goes.

Everything is summed in whole numbers but the squares of loads, whose order of adding is fixed; and random numbers
and the exponential function are made here: a search gives the same placement on every machine.  (One that weighs
temperature does where the solver of heat gives the same resistances, to their last uK/W.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pimsim.engine.compiling import compiled, inlined
from pimsim.mapping.placement.archive import Archive
from pimsim.mapping.placement.heat import Heat
from pimsim.mapping.placement.objectives import Objectives
from pimsim.mapping.placement.traffic import Traffic
from pimsim.mapping.placement.ways import Ways

LATENCY, ENERGY, BUSY = range(3)  #: of ``sums``
SITES, ROUTERS = range(2)  #: what a move exchanges: the tiles on two sites, or all of a kind at two routers
_NO_HEAT = Heat(*(np.zeros(shape, np.int64) for shape in (0, (0, 0), 0)))

Progress = Callable[[int, int], None]  #: (moves done, moves in all)


@dataclass(frozen=True)
class Found:
    """What a search has found."""

    place: np.ndarray  #: (tiles,) int64 where each tile lies
    start: Objectives  #: those of the placement it started from
    objectives: Objectives
    archive: Archive | None = None  #: the Pareto set from which it was taken


class State(NamedTuple):
    """Arrays of the kernels.  A *tile* is one of the traffic, a *site* the tile of the system on which it lies."""

    # flows and ways
    source: np.ndarray  #: (N,) tile; the host is the tile after the last
    flits: np.ndarray  #: (N,)
    target_first: np.ndarray  #: (N + 1,)
    target: np.ndarray
    row: np.ndarray  #: (N,) row of ``users``; -1: a flow to one tile
    received_first: np.ndarray  #: (tiles + 2,) flows to a tile
    received: np.ndarray
    sent_first: np.ndarray  #: (tiles + 2,) flows from a tile
    sent: np.ndarray
    point: np.ndarray  #: (tiles,) point of each site
    points: int
    way_first: np.ndarray  #: (points ** 2 + 1,)
    way_link: np.ndarray
    delay: np.ndarray  #: (L,) fs
    hold: np.ndarray  #: (L,) fs
    energy: np.ndarray  #: (L,) aJ
    ends: np.ndarray  #: (3,) flits over all pairs, and what their ends add for each: delay [fs], energy [aJ]
    # sites that may change hands, each with one of its kind
    sites: np.ndarray  #: those, in increasing order
    kind: np.ndarray  #: (tiles,) of each site
    kinds: int
    alike_first: np.ndarray  #: (kinds + 1,) of them, those of each kind
    alike: np.ndarray
    near_first: np.ndarray  #: (points * kinds + 1,) of them, those of a kind at a point; or nearest to it, see _near
    near: np.ndarray
    # heat; without places there is none
    power: np.ndarray  #: (tiles,) uW of each tile
    resistance: np.ndarray  #: (places, places) of a chip: from each, to each [uK/W]
    always: np.ndarray  #: (places,) pK
    # what changes
    site: np.ndarray  #: (tiles,) of each tile
    tile: np.ndarray  #: (tiles,) at each site
    at: np.ndarray  #: (tiles + 1,) point of each tile, and of the host
    users: np.ndarray  #: (rows, L) ways of a flow that use a link
    load: np.ndarray  #: (L,) fs
    sums: np.ndarray  #: (3,) LATENCY [fs], ENERGY [aJ], BUSY [fs]: int64
    squares: np.ndarray  #: (1,) float64: sum of the squares of load
    rise: np.ndarray  #: (tiles,) pK of each site over the air; none without heat
    random: np.ndarray  #: (1,) uint64: state of splitmix64


def begin(
    traffic: Traffic, ways: Ways, place: np.ndarray, sites: np.ndarray, seed: int, heat: Heat | None = None
) -> State:
    """The state of placement ``place`` (tiles,); only the tiles on ``sites`` may move, and only among those of their
    kind."""
    tiles, links = traffic.tiles, ways.number.size
    fans = np.diff(traffic.target_first)
    flow = np.repeat(np.arange(fans.size), fans)
    source = np.where(traffic.source < 0, tiles, traffic.source)
    row = np.where(fans > 1, np.cumsum(fans > 1) - 1, -1)
    received_first, received = _grouped(traffic.target, flow, tiles + 1)
    sent_first, sent = _grouped(source, np.arange(fans.size), tiles + 1)
    alike_first, alike = _grouped(ways.kind[sites], sites, ways.kinds)
    near_first, near = _near(ways, sites)
    warmth = _NO_HEAT if heat is None else heat
    state = State(
        source=source, flits=traffic.flits.astype(np.int64), target_first=traffic.target_first,
        target=traffic.target, row=row, received_first=received_first, received=received, sent_first=sent_first,
        sent=sent, point=ways.point, points=ways.points, way_first=ways.first, way_link=ways.link,
        delay=ways.delay_fs, hold=ways.hold_fs, energy=ways.energy_aj,
        ends=np.array([traffic.pair_flits, ways.ends_delay_fs, ways.ends_energy_aj]),
        sites=sites.astype(np.int64), kind=ways.kind, kinds=ways.kinds, alike_first=alike_first, alike=alike,
        near_first=near_first, near=near, power=warmth.power_uw,
        resistance=np.ascontiguousarray(warmth.resistance.T), always=warmth.always,
        site=place.astype(np.int64), tile=np.argsort(place), at=np.append(ways.point[place], ways.host),
        users=np.zeros((int((fans > 1).sum()), links), np.int16 if fans.max(initial=0) < 2**15 else np.int32),
        load=np.zeros(links, np.int64), sums=np.zeros(3, np.int64), squares=np.zeros(1),
        rise=np.zeros_like(warmth.power_uw),
        random=np.array([seed], np.uint64),
    )  # fmt: skip
    recount(state)
    return state


def may_move(state: State) -> bool:
    """Whether there are two sites of one kind."""
    return bool(np.diff(state.alike_first).max() > 1)


def _near(ways: Ways, sites: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sites of each kind near each point, row after row, ``point * kinds + kind``: first, sites.

    Near are those at the point.  A point that has only those of another kind, as below a tier of GPU cores, or the
    host, has the fewest links to them.
    """
    kinds, kind = ways.kinds, ways.kind[sites]
    if kinds == 1:
        return _grouped(ways.point[sites], sites, ways.points)
    links = np.diff(ways.first).reshape(ways.points, ways.points)
    rows = []
    for point in range(ways.points):
        for own in (sites[kind == each] for each in range(kinds)):
            far = np.where(ways.point[own] == point, 0, links[point, ways.point[own]])
            rows.append(own[far == far.min(initial=links.max())])
    first = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([row.size for row in rows], out=first[1:])
    return first, np.concatenate(rows).astype(np.int64)


def _grouped(key: np.ndarray, value: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """(groups + 1,) first, and the values in the order of their keys."""
    first = np.zeros(groups + 1, np.int64)
    np.cumsum(np.bincount(key, minlength=groups), out=first[1:])
    return first, value[np.argsort(key, kind="stable")].astype(np.int64)


def place_on(state: State, place: np.ndarray) -> None:
    """Put every tile where ``place`` (tiles,) says."""
    state.site[:] = place
    state.tile[place] = np.arange(place.size)
    state.at[:-1] = state.point[place]
    recount(state)


def objectives_of(state: State) -> Objectives:
    """The objectives as they stand."""
    values = np.empty(len(Objectives._fields))
    judge(state, values)
    return Objectives(*values.tolist())


@compiled
def recount(S):  # type: ignore[no-untyped-def]
    """All counts, loads and sums anew."""
    S.users[:] = 0
    S.load[:] = 0
    S.sums[:] = 0
    S.squares[0] = 0.0
    for flow in range(S.source.size):
        for k in range(S.target_first[flow], S.target_first[flow + 1]):
            pair = S.at[S.source[flow]] * S.points + S.at[S.target[k]]
            _use(S, flow, S.way_first[pair], S.way_first[pair + 1], 1)
    S.squares[0] = 0.0
    for link in range(S.load.size):
        S.squares[0] += float(S.load[link]) * float(S.load[link])
    for site in range(S.rise.size):
        S.rise[site] = S.always[site % S.always.size]
    for site in range(S.rise.size):
        _warm(S, site, S.power[S.tile[site]])


@inlined
def _use(S, flow, lo, hi, sign):  # type: ignore[no-untyped-def]
    """A way of the flow uses the links ``way_link[lo:hi]`` (sign 1), or no longer does (sign -1)."""
    amount = sign * S.flits[flow]
    row = S.row[flow]
    last = 0 if sign > 0 else 1  # users before a change of the load
    latency, energy, busy, squares = 0, 0, 0, 0.0
    for k in range(lo, hi):
        link = S.way_link[k]
        latency += S.delay[link]
        if row >= 0:
            before = S.users[row, link]
            S.users[row, link] = before + sign
            if before != last:
                continue
        more = amount * S.hold[link]
        old = S.load[link]
        S.load[link] = old + more
        energy += S.energy[link]
        busy += more
        squares += float(more) * float(old + old + more)
    S.sums[LATENCY] += amount * latency
    S.sums[ENERGY] += amount * energy
    S.sums[BUSY] += busy
    S.squares[0] += squares


@inlined
def _divert(S, flow, old, new):  # type: ignore[no-untyped-def]
    """A way of the flow changes from one pair of points to another; what the two have in common stays."""
    lo, hi = S.way_first[old], S.way_first[old + 1]
    new_lo, new_hi = S.way_first[new], S.way_first[new + 1]
    while lo < hi and new_lo < new_hi and S.way_link[lo] == S.way_link[new_lo]:
        lo, new_lo = lo + 1, new_lo + 1
    while lo < hi and new_lo < new_hi and S.way_link[hi - 1] == S.way_link[new_hi - 1]:
        hi, new_hi = hi - 1, new_hi - 1
    _use(S, flow, lo, hi, -1)
    _use(S, flow, new_lo, new_hi, 1)


@compiled
def _relocate(S, tile, point):  # type: ignore[no-untyped-def]
    """A tile's flows lead from and to another point."""
    old = S.at[tile]
    for k in range(S.received_first[tile], S.received_first[tile + 1]):
        flow = S.received[k]
        begin = S.at[S.source[flow]] * S.points
        _divert(S, flow, begin + old, begin + point)
    for k in range(S.sent_first[tile], S.sent_first[tile + 1]):
        flow = S.sent[k]
        for t in range(S.target_first[flow], S.target_first[flow + 1]):
            end = S.at[S.target[t]]
            _divert(S, flow, old * S.points + end, point * S.points + end)
    S.at[tile] = point


@compiled
def exchange(S, a, b):  # type: ignore[no-untyped-def]
    """The tiles on sites a and b change places; one of them may have no traffic."""
    one, other = S.tile[a], S.tile[b]
    S.tile[a], S.tile[b] = other, one
    S.site[one], S.site[other] = b, a
    if S.point[a] != S.point[b]:
        _relocate(S, one, S.point[b])
        _relocate(S, other, S.point[a])
    if S.rise.size and S.power[one] != S.power[other]:
        _warm(S, a, S.power[other] - S.power[one])
        _warm(S, b, S.power[one] - S.power[other])


@inlined
def _warm(S, site, power):  # type: ignore[no-untyped-def]
    """So much more is drawn at a site: what that does to its chip."""
    place = site % S.always.size
    first = site - place
    for k in range(S.always.size):
        S.rise[first + k] += S.resistance[place, k] * power


@compiled
def exchange_routers(S, p, q):  # type: ignore[no-untyped-def]
    """All tiles of row p of ``near`` change places with those of row q, as far as both have sites."""
    for k in range(min(S.near_first[p + 1] - S.near_first[p], S.near_first[q + 1] - S.near_first[q])):
        exchange(S, S.near[S.near_first[p] + k], S.near[S.near_first[q] + k])


@compiled
def judge(S, values):  # type: ignore[no-untyped-def]
    """The objectives, in the order and the units of :class:`Objectives`."""
    flits, links = float(S.ends[0]), max(1, S.load.size)
    mean = float(S.sums[BUSY]) / links
    peak = np.int64(0)
    for link in range(S.load.size):
        peak = max(peak, S.load[link])
    values[0] = (float(S.sums[LATENCY]) / flits + S.ends[1]) / 1e6 if flits > 0 else 0.0
    values[1] = mean / 1e9
    values[2] = np.sqrt(max(0.0, S.squares[0] / links - mean * mean)) / 1e9
    values[3] = (float(S.sums[ENERGY]) + flits * S.ends[2]) / 1e12
    values[4] = float(peak) / 1e9
    hottest = np.int64(0)
    for site in range(S.rise.size):
        hottest = max(hottest, S.rise[site])
    values[5] = float(hottest) / 1e12


@inlined
def draw(S):  # type: ignore[no-untyped-def]
    """The next random number of splitmix64 (Steele, Lea and Flood 2014), 63 bits of it."""
    S.random[0] += np.uint64(0x9E3779B97F4A7C15)
    x = S.random[0]
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.int64((x ^ (x >> np.uint64(31))) >> np.uint64(1))


@inlined
def chance(S):  # type: ignore[no-untyped-def]
    """A random number from 0 to 1, 1 excluded."""
    return float(draw(S) >> 10) / 9007199254740992.0  # 2 ** 53


@inlined
def exponential(x):  # type: ignore[no-untyped-def]
    """exp(x) for x <= 0 from additions and multiplications alone, which are the same on every machine."""
    if x < -700.0:
        return 0.0
    halvings = 0
    while x < -0.5:
        x *= 0.5
        halvings += 1
    result = 1.0
    for n in range(14, 0, -1):
        result = 1.0 + x / n * result
    for _ in range(halvings):
        result *= result
    return result


@compiled
def propose(S, move):  # type: ignore[no-untyped-def]
    """A random move, written into ``move``: SITES or ROUTERS, and the two sites, or rows of ``near``, that change
    places.

    Half of all moves bring a tile to a router at which one of its partners lies, or next to it if that is of another
    kind; a quarter exchange any two tiles, and a quarter all tiles of two routers.
    """
    what = draw(S) % 4
    move[0] = ROUTERS if what == 0 else SITES
    move[1] = S.sites[draw(S) % S.sites.size]
    kind = S.kind[move[1]]
    alike = S.alike_first[kind]
    move[2] = S.alike[alike + draw(S) % (S.alike_first[kind + 1] - alike)]
    if what == 0:
        move[1], move[2] = S.point[move[1]] * S.kinds + kind, S.point[move[2]] * S.kinds + kind
    elif what > 1:
        point = _point_of_a_partner(S, S.tile[move[1]])
        near = point * S.kinds + kind
        sites = S.near_first[near + 1] - S.near_first[near] if point >= 0 else 0
        if sites:
            move[2] = S.near[S.near_first[near] + draw(S) % sites]


@inlined
def _point_of_a_partner(S, tile):  # type: ignore[no-untyped-def]
    """Where one of the tiles lies that send to ``tile`` or receive from it; -1: there is none."""
    received = S.received_first[tile + 1] - S.received_first[tile]
    sent = S.sent_first[tile + 1] - S.sent_first[tile]
    if received + sent == 0:
        return -1
    k = draw(S) % (received + sent)
    if k < received:
        return S.at[S.source[S.received[S.received_first[tile] + k]]]
    flow = S.sent[S.sent_first[tile] + k - received]
    targets = S.target_first[flow + 1] - S.target_first[flow]
    return S.at[S.target[S.target_first[flow] + draw(S) % targets]]


@compiled
def make(S, move):  # type: ignore[no-untyped-def]
    """Carry out a move; a second time takes it back, but for the rounding of ``squares``."""
    if move[0] == SITES:
        exchange(S, move[1], move[2])
    else:
        exchange_routers(S, move[1], move[2])
