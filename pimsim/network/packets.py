"""Packets offered to a network, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEVER = -1  #: time of what has not happened


class Deadlock(Exception):
    """Packets wait for each other in a circle; the message names its channels."""


@dataclass(frozen=True)
class Branches:
    """Multicast trees: what a packet to several terminals does at each router.

    A tree is made of edges; the children of an edge are contiguous.  The edge with which a tree begins is the link
    from the terminal to its router; every other edge leaves a router.
    """

    root: np.ndarray  #: (trees,) first edge
    port: np.ndarray  #: (edges,) output port of the router; -1 for a root
    vcs: np.ndarray  #: (edges,) int64 mask of the virtual channels it may take
    child_lo: np.ndarray  #: (edges,) first following edge
    child_hi: np.ndarray  #: (edges,) last following edge + 1; equal: the edge ends at a terminal


@dataclass(frozen=True)
class Packets:
    """Offered packets, in the order of ``ctime``; at equal times of one source, in the order of the arrays."""

    source: np.ndarray  #: (P,) terminal
    target: np.ndarray  #: (P,) terminal; for a multicast, the index of its tree
    size: np.ndarray  #: (P,) flits
    ctime: np.ndarray  #: (P,) cycle in which it joins its source's queue
    multicast: np.ndarray | None = None  #: (P,) bool


@dataclass(frozen=True)
class Arrivals:
    """What became of packets; NEVER where the run ended before."""

    itime: np.ndarray  #: (P,) cycle in which the head left the source's queue
    atime: np.ndarray  #: (P,) cycle in which the tail reached its terminal; of a multicast, the last of them
    hops: np.ndarray  #: (P,) routers that the head passed, as BookSim 2 counts; of a multicast, over all branches
    channel_flits: np.ndarray  #: (C,) flits that each channel carried
    cycles: int  #: cycle after the last one simulated


def cut(flits: np.ndarray, header: int, longest: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Messages of so many flits, header included, in packets of at most ``longest``, each with a header of its own.

    Returns packets of a message, flits of each but the last, flits of the last; (n,) int64.
    """
    payload = longest - header
    packets = np.maximum(1, -(-(flits - header) // payload))
    return packets, np.full_like(packets, longest), np.maximum(1, flits - (packets - 1) * payload)
