"""Synthetic traffic: which terminals send to which, and packets that are drawn from that.

Definitions as in Dally and Towles, Principles and Practices of Interconnection Networks (2004), table 3.1, and as
BookSim 2 has them: *uniform* includes traffic of a terminal to itself, and so do permutations with fixed points.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pimsim.errors import InputError, shown
from pimsim.network.packets import Packets
from pimsim.network.topology import Topology, router_coordinates

BLOCK_PACKETS = 1 << 16  #: packets that are drawn at a time, about
MOST_FLITS = 2**31 - 1  #: of a packet: kernels hold sizes in 32 bits
FEWEST_PACKETS = 1e-10  #: of a sending terminal in a cycle, on average: times of 10**7 packets still fit 64 bits

Sizes = int | Mapping[int, float]
"""Flits of a packet: a number, or {flits: share of the packets}."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of a source and a target; arrays of one length."""

    source: np.ndarray  #: terminal
    target: np.ndarray  #: terminal
    share: np.ndarray  #: float64 of all packets of the pattern
    flits: np.ndarray  #: of a packet, on average


@dataclass(frozen=True)
class Pattern:
    """Where the packets of each of N terminals go.

    Terminal s draws targets from list ``row[s]``, elements ``first[row[s]]`` to ``first[row[s] + 1]`` of ``target``;
    terminals may share a list.
    """

    name: str
    rate: np.ndarray  #: (N,) float64 packets of each terminal, relative; 0: it sends nothing
    row: np.ndarray  #: (N,) list of targets
    first: np.ndarray  #: (lists + 1,)
    target: np.ndarray  #: (E,) terminal
    share: np.ndarray  #: (E,) float64 of the list's packets; adds up to 1 in each list
    flits: np.ndarray | None = None  #: (E,) flits of a packet to this target; None: the same everywhere

    @property
    def terminals(self) -> int:
        """N."""
        return int(self.row.size)

    @property
    def senders(self) -> np.ndarray:
        """Terminals that send anything."""
        return np.flatnonzero(self.rate)

    def pairs(self, packet_flits: Sizes, at_a_time: int = 1 << 20) -> Iterator[Pairs]:
        """Every pair of a source and a target, about so many at a time, target by target."""
        mean = float(np.dot(*packet_sizes(packet_flits)))
        flits = np.full(self.target.size, mean) if self.flits is None else self.flits
        sender = self.senders[np.argsort(self.row[self.senders], kind="stable")]
        users = np.searchsorted(self.row[sender], np.arange(self.first.size))  # list l: sender[users[l]:users[l + 1]]
        lists = np.repeat(np.arange(self.first.size - 1), np.diff(self.first))
        order = np.argsort(self.target, kind="stable")
        chunk = np.cumsum(np.diff(users)[lists[order]]) // at_a_time
        for elements in np.split(order, np.flatnonzero(np.diff(chunk)) + 1):
            count = np.diff(users)[lists[elements]]
            at = np.repeat(elements, count)
            place = np.repeat(users[lists[elements]] - (np.cumsum(count) - count), count) + np.arange(at.size)
            source = sender[place]
            yield Pairs(source, self.target[at], self.rate[source] / self.rate.sum() * self.share[at], flits[at])

    def mean_flits(self, packet_flits: Sizes) -> np.ndarray:
        """(N,) mean packet size of each terminal; ``packet_flits`` counts where the pattern says nothing."""
        if self.flits is None:
            sizes, shares = packet_sizes(packet_flits)
            return np.full(self.terminals, float(sizes @ shares))
        by_list: np.ndarray = np.add.reduceat(self.share * self.flits, self.first[:-1])
        return by_list[self.row]

    def packet_rates(self, load: float, packet_flits: Sizes) -> np.ndarray:
        """(N,) packets a cycle of each terminal, when those that send offer ``load`` flits a cycle on average."""
        flits: float = (self.rate * self.mean_flits(packet_flits)).sum() / self.senders.size
        rates: np.ndarray = self.rate * (load / flits)
        return rates

    def smallest_load(self, packet_flits: Sizes) -> float:
        """Load at which those that send create FEWEST_PACKETS in a cycle, on average."""
        return float(FEWEST_PACKETS * (self.rate * self.mean_flits(packet_flits)).sum() / self.rate.sum())

    def largest_load(self, packet_flits: Sizes) -> float:
        """Load at which the busiest terminal sends a flit in every cycle; at most 1."""
        flits = self.rate * self.mean_flits(packet_flits)
        return float(flits.sum() / self.senders.size / flits.max())


def packet_sizes(packet_flits: Sizes) -> tuple[np.ndarray, np.ndarray]:
    """Packet sizes and their shares, which add up to 1; raises InputError for what is no size or share."""
    table = packet_flits if isinstance(packet_flits, Mapping) else {packet_flits: 1.0}
    sizes, shares = list(table), np.array(list(table.values()), np.float64)
    whole = all(isinstance(size, int | np.integer) and not isinstance(size, bool) for size in sizes)
    if not whole or not sizes or not all(1 <= size <= MOST_FLITS for size in sizes):
        raise InputError(f"{shown(packet_flits)} is no packet size", key="packet_flits",
                         allowed=f"whole numbers from 1 to {MOST_FLITS:,}")  # fmt: skip
    if not np.all(np.isfinite(shares)) or np.any(shares < 0) or shares.sum() <= 0:
        raise InputError(f"{shown(packet_flits)} has shares that are none", key="packet_flits", allowed="0 and more")
    return np.array(sizes, np.int64), shares / shares.sum()


def bernoulli_packets(pattern: Pattern, load: float, packet_flits: Sizes, cycles: int, seed: int) -> Packets:
    """Packets created in cycles 0 to ``cycles``, in the order of (ctime, source).

    In every cycle each terminal creates a packet with a probability of its own, independently of all else.  A longer
    run begins with the packets of a shorter one: a cycle's packets depend on the seed alone.

    Args:
        load: flits a cycle that a terminal offers, averaged over those that send.
        packet_flits: of a packet, where the pattern does not say it.
        seed: a whole number from 0.

    Raises:
        InputError: the load is too small, or some terminal would have to send more than a flit a cycle.
    """
    check_load(pattern, load, packet_flits)
    draw = _Draw(pattern, load, packet_flits, seed)
    parts = [draw.block(number) for number in range(-(-cycles // draw.cycles))]
    if not parts:
        parts = [(np.zeros(0, np.int64),) * 4]
    source, target, size, ctime = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    end = np.searchsorted(ctime, cycles)
    return Packets(source[:end], target[:end], size[:end], ctime[:end])


def check_load(pattern: Pattern, load: float, packet_flits: Sizes) -> None:
    """Raises InputError for a load that the pattern's terminals cannot offer."""
    smallest, largest = pattern.smallest_load(packet_flits), pattern.largest_load(packet_flits)
    if not smallest <= load <= largest * (1 + 1e-12):  # NaN included
        allowed = f"{smallest:.3g} to {largest:.6g} flits/terminal/cycle"
        if largest < 1 - 1e-12:
            allowed += f", where the busiest terminal of {pattern.name} sends a flit in every cycle"
        raise InputError(f"a load of {load:g} cannot be offered", key="load", allowed=allowed)


class _Draw:
    """Packets by blocks of cycles; block b is drawn by a generator that is seeded with (seed, b).

    In a block, the senders' chances of all cycles are one sequence, cycle by cycle; the gaps between successes are
    geometric.  Where senders differ, the sequence is that of the busiest, and the others' packets are thinned out.
    """

    def __init__(self, pattern: Pattern, load: float, packet_flits: Sizes, seed: int) -> None:
        self.pattern, self.seed = pattern, seed
        self.senders = pattern.senders
        rates = pattern.packet_rates(load, packet_flits)[self.senders]
        self.chance = min(1.0, float(rates.max()))
        self.kept = None if np.ptp(rates) <= 1e-12 * self.chance else rates / rates.max()
        self.cycles = math.ceil(BLOCK_PACKETS / (self.senders.size * max(self.chance, 1e-12)))
        lists = np.repeat(np.arange(pattern.first.size - 1), np.diff(pattern.first))
        total = np.cumsum(pattern.share)
        before = np.concatenate(([0.0], total))[pattern.first[:-1]]
        self.until = lists + np.minimum(total - before[lists], 1.0)
        self.until[pattern.first[1:] - 1] = np.arange(1, pattern.first.size)
        self.sizes, shares = packet_sizes(packet_flits)
        self.sizes_until = np.cumsum(shares)
        self.sizes_until[-1] = 1.0

    def block(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Source, target, size and ctime of all packets of a block."""
        random = np.random.default_rng((self.seed, number))
        at = self._successes(random)
        cycle, sender = np.divmod(at, self.senders.size)
        if self.kept is not None:
            stays = random.random(at.size) < self.kept[sender]
            cycle, sender = cycle[stays], sender[stays]
        source = self.senders[sender]
        drawn = np.searchsorted(self.until, self.pattern.row[source] + random.random(source.size), side="right")
        if self.pattern.flits is not None:
            size = self.pattern.flits[drawn]
        elif self.sizes.size == 1:
            size = np.full(source.size, self.sizes[0])
        else:
            size = self.sizes[np.searchsorted(self.sizes_until, random.random(source.size), side="right")]
        return source, self.pattern.target[drawn].astype(np.int64), size, number * self.cycles + cycle

    def _successes(self, random: np.random.Generator) -> np.ndarray:
        """Places of the packets in the block's sequence of chances."""
        chances = self.cycles * self.senders.size
        mean = chances * self.chance
        parts, last = [], -1
        while last < chances:
            gaps = np.minimum(random.geometric(self.chance, int(mean + 5 * math.sqrt(mean) + 16)), chances + 1)
            parts.append(last + np.cumsum(gaps))
            last = int(parts[-1][-1])
        places = np.concatenate(parts)
        return places[: np.searchsorted(places, chances)]


def uniform(topology: Topology) -> Pattern:
    """Every terminal to every terminal, itself included."""
    n = topology.terminals
    return Pattern("uniform", np.ones(n), np.zeros(n, np.int64), np.array([0, n]), np.arange(n), np.full(n, 1 / n))


def transpose(topology: Topology) -> Pattern:
    """Terminal i + j m to j + i m, of m x m terminals: with 2 b bits, the upper b change places with the lower b."""
    n = topology.terminals
    side = math.isqrt(n)
    if side * side != n:
        raise _misfit("transpose", n, "a square number of terminals")
    return _permutation("transpose", np.arange(n).reshape(side, side).T.ravel())


def bit_reversal(topology: Topology) -> Pattern:
    """The bits of the source's number in reverse."""
    source, bits = _numbers("bitrev", topology)
    return _permutation("bitrev", sum((source >> b & 1) << (bits - 1 - b) for b in range(bits)) + 0 * source)


def bit_complement(topology: Topology) -> Pattern:
    """Every bit of the source's number turned."""
    source, _ = _numbers("bitcomp", topology)
    return _permutation("bitcomp", source[::-1].copy())


def shuffle(topology: Topology) -> Pattern:
    """The bits of the source's number rotated up by one."""
    source, bits = _numbers("shuffle", topology)
    return _permutation("shuffle", (source << 1 | source >> max(bits - 1, 0)) & (source.size - 1))


def neighbor(topology: Topology) -> Pattern:
    """One router up in every dimension, around the edge; to the terminal in the same place there."""
    return _shifted("neighbor", topology, lambda size: 1)


def tornado(topology: Topology) -> Pattern:
    """ceil(k / 2) - 1 of k routers up in every dimension, around the edge; to the terminal in the same place there."""
    return _shifted("tornado", topology, lambda size: (size + 1) // 2 - 1)


def hotspot(
    topology: Topology,
    targets: Mapping[int, float] | None = None,
    sources: Sequence[int] | None = None,
) -> Pattern:
    """Many to few.

    Args:
        targets: share of the packets by terminal, relative.  None: one terminal at each router whose coordinates are
            all a quarter of the way from either end; in an 8x8 mesh 18, 21, 42 and 45.
        sources: terminals that send; None: all.

    Raises:
        InputError: a terminal does not exist, a weight is not over 0, or targets are left to a graph, where a quarter
            of the way means nothing.
    """
    n = topology.terminals
    targets = dict.fromkeys(_quarter_terminals(topology), 1.0) if targets is None else targets
    sending = range(n) if sources is None else sources
    for key, terminals in (("targets", targets), ("sources", sending)):
        wrong = next((each for each in terminals if not 0 <= each < n), None)
        if wrong is not None or not len(terminals):
            what = "none is given" if wrong is None else f"there is no terminal {wrong}"
            raise InputError(what, key=key, allowed=f"terminals 0 to {n - 1}")
    weight = np.array(list(targets.values()), np.float64)
    if not np.all(np.isfinite(weight)) or np.any(weight <= 0):
        raise InputError("a hotspot's weight must be over 0", key="targets")
    rate = np.zeros(n)
    rate[np.array(sending)] = 1.0
    name = f"hotspot ({', '.join(map(str, targets)) if len(targets) <= 8 else f'{len(targets)} terminals'})"
    first, target = np.array([0, weight.size]), np.array(list(targets))
    return Pattern(name, rate, np.zeros(n, np.int64), first, target, weight / weight.sum())


def matrix(
    name: str,
    terminals: int,
    source: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    flits: np.ndarray | None = None,
) -> Pattern:
    """A traffic matrix, one element a pair; rows and columns are terminals.

    Args:
        weight: packets from source to target, relative to each other; pairs may be given several times.
        flits: of a packet; None: the same everywhere.

    Raises:
        InputError: a terminal does not exist, a weight is negative or not finite, or all are 0.
    """
    for key, column in (("source", source), ("target", target)):
        wrong = column[(column < 0) | (column >= terminals)]
        if wrong.size:
            raise InputError(f"there is no terminal {wrong[0]}", key=key, allowed=f"0 to {terminals - 1}")
    if not np.all(np.isfinite(weight)) or np.any(weight < 0) or not np.any(weight > 0):
        raise InputError("weights are numbers from 0, and one is over 0", key="weight")
    if flits is not None and (np.any(flits < 1) or np.any(flits > MOST_FLITS)):
        raise InputError("some packets have no size", key="flits", allowed=f"whole numbers from 1 to {MOST_FLITS:,}")
    weight = weight / weight.max()  # or the sum of large ones overflows
    kept = np.flatnonzero(weight)
    kept = kept[np.lexsort((target[kept], source[kept]))]
    senders, row_first = np.unique(source[kept], return_index=True)
    first = np.append(row_first, kept.size)
    row, rate = np.zeros(terminals, np.int64), np.zeros(terminals)
    row[senders] = np.arange(senders.size)
    rate[senders] = np.add.reduceat(weight[kept], row_first)
    share = weight[kept] / np.repeat(rate[senders], np.diff(first))
    return Pattern(name, rate / rate.sum(), row, first, target[kept], share, None if flits is None else flits[kept])


PATTERNS: dict[str, Callable[[Topology], Pattern]] = {
    "uniform": uniform,
    "transpose": transpose,
    "bitrev": bit_reversal,
    "bitcomp": bit_complement,
    "shuffle": shuffle,
    "hotspot": hotspot,
    "neighbor": neighbor,
    "tornado": tornado,
}
"""By the names under which command lines know them."""


def _permutation(name: str, target: np.ndarray) -> Pattern:
    """Every terminal to one other: ``target`` (N,)."""
    n = target.size
    return Pattern(name, np.ones(n), np.arange(n), np.arange(n + 1), target, np.ones(n))


def _misfit(pattern: str, terminals: int, needed: str) -> InputError:
    return InputError(f"{pattern} traffic needs {needed}; there are {terminals}", key="traffic",
                      allowed="uniform, hotspot, or a file")  # fmt: skip


def _numbers(pattern: str, topology: Topology) -> tuple[np.ndarray, int]:
    """Numbers of the terminals, and their bits."""
    n = topology.terminals
    if n & (n - 1):
        raise _misfit(pattern, n, "a power of two of terminals")
    return np.arange(n), n.bit_length() - 1


def _shifted(name: str, topology: Topology, step: Callable[[int], int]) -> Pattern:
    """Up by ``step(routers)`` in every dimension of a mesh or torus."""
    if np.any(topology.dimension < 0):
        raise InputError(f"{name} traffic goes by coordinates, which {topology.name} has not", key="traffic",
                         allowed="uniform, hotspot, or a file")  # fmt: skip
    at_router = np.bincount(topology.terminal_router, minlength=topology.routers)
    if np.any(at_router != at_router[0]):
        raise _misfit(name, topology.terminals, "as many terminals at one router as at another")
    size = np.array(topology.shape)
    place = (router_coordinates(topology.shape) + [step(k) for k in topology.shape]) % size
    moved = place @ np.cumprod([1, *topology.shape[:-1]])
    by_router = np.argsort(topology.terminal_router, kind="stable").reshape(topology.routers, -1)
    target = np.empty(topology.terminals, np.int64)
    target[by_router] = by_router[moved]
    return _permutation(name, target)


def _quarter_terminals(topology: Topology) -> list[int]:
    if np.any(topology.dimension < 0):
        raise InputError(f"{topology.name} has no coordinates by which hotspots could be placed", key="targets",
                         allowed=f"terminals 0 to {topology.terminals - 1}")  # fmt: skip
    place, size = router_coordinates(topology.shape), np.array(topology.shape)
    hot = np.all((place == size // 4) | (place == size - 1 - size // 4), axis=1)
    router, terminal = np.unique(topology.terminal_router, return_index=True)
    return [int(t) for t in terminal[hot[router]]]
