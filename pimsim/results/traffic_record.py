"""What a Result knows of traffic between kinds of tiles: plain data with units in the names.

Bytes are those of ONE inference, or of one iteration of training, as the links carry them: whole flits, headers and the
unused rest of a last flit included.  They are counted where they are delivered: a multicast counts once for each tile
that it reaches, as its flits would without a tree.  What stays in its tile is no traffic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GROUP_KINDS = ("host", "reram", "gpu")
"""What sends or receives: the host, ReRAM tiles, GPU cores."""


@dataclass(frozen=True)
class Group:
    """Tiles of one kind on one tier, of all chips; or the host."""

    kind: str  #: one of GROUP_KINDS
    tier: int  #: -1: the host
    tiles: int  #: used or not; 0: the host


@dataclass(frozen=True)
class PhaseBytes:
    """What the layers of one phase send."""

    phase: str  #: forward, backward, gradient or update
    bytes: tuple[tuple[int, ...], ...]  #: (groups, groups) from the row's to the column's


@dataclass(frozen=True)
class CellBytes:
    """From tile to tile; on large chips neighbours are gathered, so that there are never more than a few cells."""

    tiles_of_cell: int  #: so many tiles, one after another in the order of groups, are a row and a column; 1: each
    group: tuple[int, ...]  #: (cells,) index of each cell's group; a cell's tiles are of one group
    source: tuple[int, ...]  #: (pairs,) cell
    target: tuple[int, ...]  #: (pairs,) cell
    bytes: tuple[int, ...]  #: (pairs,) all above 0; those of the host are in no pair


@dataclass(frozen=True)
class Endpoints:
    """How evenly traffic is spread over the tiles of a kind."""

    kind: str  #: reram or gpu
    tiles: int  #: of that kind, used or not
    bytes: int  #: that such a tile sends, receives, or both
    handled: int  #: sent and received, summed over the tiles: bytes between two of them count twice
    hottest_tile: int  #: number of the tile that handles most
    hottest_bytes: int  #: that it handles

    @property
    def imbalance(self) -> float:
        """Load of the hottest tile over the mean: 1 where all are alike, ``tiles`` where one does everything.

        The usual measure of load imbalance, maximum over mean (recalled: Pearce et al., Quantifying the Effectiveness
        of Load Balance Algorithms, ICS 2012, who subtract 1).
        """
        return self.hottest_bytes * self.tiles / self.handled if self.handled else 1.0


@dataclass(frozen=True)
class LayerPair:
    """What one layer sends to another over one link; parts of a layer count as the layer."""

    source: str
    target: str
    bytes: int


@dataclass(frozen=True)
class LinkTraffic:
    """A link and what goes over it; here a multicast counts once, as the link carries it."""

    name: str  #: (x, y, z) -> (x, y, z) of the routers that it joins, or a tile and its router
    vertical: bool  #: through silicon, between tiers
    bytes: int
    busy_share: float | None  #: of the run; None: the network is ideal
    pairs: tuple[LayerPair, ...]  #: those with most bytes, most first; a multicast counts for each layer it reaches


@dataclass(frozen=True)
class Traffic:
    """Who sends how much to whom, on a system with several kinds or tiers of tiles."""

    groups: tuple[Group, ...]  #: the host, then tier after tier
    phases: tuple[PhaseBytes, ...]  #: those that send something, in the order of an iteration
    cells: CellBytes
    endpoints: tuple[Endpoints, ...]  #: of the kinds of tiles that there are
    hottest: tuple[LinkTraffic, ...]  #: links, busiest first; on an ideal network, those with most bytes

    @property
    def bytes(self) -> tuple[tuple[int, ...], ...]:
        """(groups, groups) of all phases, from the row's to the column's."""
        n = range(len(self.groups))
        return tuple(tuple(sum(phase.bytes[i][j] for phase in self.phases) for j in n) for i in n)

    @property
    def total(self) -> int:
        """All bytes that are delivered."""
        return sum(map(sum, self.bytes))

    @property
    def between_kinds(self) -> int:
        """Bytes between ReRAM tiles and GPU cores, both ways."""
        pairs = ("reram", "gpu"), ("gpu", "reram")
        return sum(count for phase in self.phases for way, count in self.by_kind(phase.bytes).items() if way in pairs)

    def by_kind(self, counts: Sequence[Sequence[int]]) -> dict[tuple[str, str], int]:
        """(groups, groups) summed by (kind that sends, kind that receives), pairs that have something alone."""
        found: dict[tuple[str, str], int] = {}
        for row, source in zip(counts, self.groups, strict=True):
            for count, target in zip(row, self.groups, strict=True):
                if count:
                    found[source.kind, target.kind] = found.get((source.kind, target.kind), 0) + count
        return found
