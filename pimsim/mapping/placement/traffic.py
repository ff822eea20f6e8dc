"""Traffic between tiles, wherever they lie: who sends how many flits to whom, for one image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

HOST = -1  #: source of what comes from the host


@dataclass(frozen=True)
class Traffic:
    """Flows: each goes from one tile to one or more others, as one packet that branches; (n,) int64 arrays."""

    tiles: int
    source: np.ndarray  #: (N,) tile, or HOST
    flits: np.ndarray  #: (N,) for one image
    target_first: np.ndarray  #: (N + 1,) targets of flow n are target[target_first[n]:target_first[n + 1]]
    target: np.ndarray  #: tiles, in increasing order within a flow; never its source

    @property
    def pair_flits(self) -> int:
        """Sum of f_ij: a flit counts once for each tile that it goes to."""
        return int((self.flits * np.diff(self.target_first)).sum())

    def matrix(self) -> np.ndarray:
        """(tiles + 1, tiles) int64 f_ij; the last row is the host's."""
        f = np.zeros((self.tiles + 1, self.tiles), np.int64)
        counts = np.diff(self.target_first)
        np.add.at(f, (np.repeat(self.source, counts), self.target), np.repeat(self.flits, counts))
        return f


def traffic_of_matrix(f: np.ndarray) -> Traffic:
    """Of a traffic matrix (tiles, tiles): every pair is a flow of its own; what a tile sends to itself is left out."""
    f = np.array(f, dtype=np.int64)
    np.fill_diagonal(f, 0)
    source, target = np.nonzero(f)
    return Traffic(f.shape[0], source, f[source, target], np.arange(source.size + 1), target)


def traffic_of_packets(
    tiles: int, source: np.ndarray, flits: np.ndarray, packet: np.ndarray, target: np.ndarray, multicast: bool
) -> Traffic:
    """Of packets, those between the same tiles taken together.

    Args:
        tiles: of the system.
        source: (packets,) tile, or HOST.
        flits: (packets,) for one image.
        packet: (ends,) packet of each of its ends, in increasing order.
        target: (ends,) tile.
        multicast: a packet to several tiles branches; else it is sent to each.
    """
    away = target != source[packet]
    packet, target = packet[away], target[away]
    cuts = np.flatnonzero(np.diff(packet)) + 1 if multicast else np.arange(1, packet.size)
    flows: dict[tuple[int, tuple[int, ...]], int] = {}
    for lo, hi in zip(np.append(0, cuts).tolist(), np.append(cuts, packet.size).tolist(), strict=True):
        if lo < hi:
            key = int(source[packet[lo]]), tuple(sorted(set(target[lo:hi].tolist())))
            flows[key] = flows.get(key, 0) + int(flits[packet[lo]])
    return _traffic(tiles, [(*key, amount) for key, amount in sorted(flows.items()) if amount])


def _traffic(tiles: int, flows: Sequence[tuple[int, tuple[int, ...], int]]) -> Traffic:
    counts = np.array([len(targets) for _, targets, _ in flows], np.int64)
    return Traffic(
        tiles=tiles,
        source=np.array([source for source, _, _ in flows], np.int64),
        flits=np.array([flits for _, _, flits in flows], np.int64),
        target_first=np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
        target=np.array([tile for _, targets, _ in flows for tile in targets], np.int64),
    )
