"""Routing tables by breadth-first search: compiled, one search for each target."""

from __future__ import annotations

import numpy as np
from numba import njit

from pimsim.network.topology import MOST_PORTS, Topology

PORT_MASK = MOST_PORTS - 1  #: an entry of a table is ``port | class << CLASS_SHIFT``
CLASS_SHIFT = PORT_MASK.bit_length()
_DOWN = 1 << CLASS_SHIFT  #: class 1


def shortest_ports(topology: Topology) -> np.ndarray:
    """(R, R) int32: lowest port on a shortest path, from router to router; -1 on the diagonal, or without a path."""
    return _shortest_ports(topology.routers, *_arriving(topology), topology.source, topology.source_port)


def minimal_ports(topology: Topology) -> np.ndarray:
    """(R, R) int64: mask of all ports on shortest paths, from router to router."""
    return _minimal_ports(topology.routers, *_arriving(topology), topology.source, topology.source_port)


def up_down_ports(topology: Topology, root: int) -> np.ndarray:
    """(2, R, R) int32: lowest port on a shortest legal path, and the class after it; -1 without one."""
    level = distances_from(topology, root)
    rank = level * topology.routers + np.arange(topology.routers)  # by distance, then by number
    is_up = rank[topology.target] < rank[topology.source]
    return _up_down_ports(topology.routers, *_arriving(topology), topology.source, topology.source_port, is_up)


def distances_from(topology: Topology, root: int, forward: bool = True) -> np.ndarray:
    """(R,) int64: hops from ``root``, or to it if not ``forward``; -1 without a path."""
    return _searched(topology, root, forward)[0]


def breadth_first(topology: Topology, root: int) -> np.ndarray:
    """(R,) int64: routers by their distance from ``root``; those that its channels do not reach come last."""
    distance, order = _searched(topology, root, True)
    return np.concatenate([order[: np.count_nonzero(distance >= 0)], np.flatnonzero(distance < 0)])


def _searched(topology: Topology, root: int, forward: bool) -> tuple[np.ndarray, np.ndarray]:
    ends = (topology.source, topology.target) if forward else (topology.target, topology.source)
    order = np.argsort(ends[0], kind="stable")
    first = np.searchsorted(ends[0][order], np.arange(topology.routers + 1))
    distance, queue = np.empty(topology.routers, np.int64), np.empty(topology.routers, np.int64)
    _search(root, first, order, ends[1], distance, queue)
    return distance, queue


def hop_counts(topology: Topology) -> np.ndarray:
    """(R, R) int16: hops of a shortest path, from router to router; -1 without one."""
    return _hop_counts(topology.routers, *_arriving(topology), topology.source)


def _arriving(topology: Topology) -> tuple[np.ndarray, np.ndarray]:
    """(R + 1,) and (C,): the channels into router r are ``channels[first[r]:first[r + 1]]``."""
    channels = np.argsort(topology.target, kind="stable")
    return np.searchsorted(topology.target[channels], np.arange(topology.routers + 1)), channels


@njit(cache=True)
def _search(start, first, channels, ends, distance, queue):  # type: ignore[no-untyped-def]
    """Hops to every router from ``start``, along the channels that are listed for each."""
    distance[:] = -1
    distance[start] = 0
    queue[0] = start
    done, known = 0, 1
    while done < known:
        r = queue[done]
        done += 1
        for i in range(first[r], first[r + 1]):
            other = ends[channels[i]]
            if distance[other] < 0:
                distance[other] = distance[r] + 1
                queue[known] = other
                known += 1


@njit(cache=True)
def _hop_counts(routers, first, channels, source):  # type: ignore[no-untyped-def]
    found = np.empty((routers, routers), np.int16)
    distance, queue = np.empty(routers, np.int64), np.empty(routers, np.int64)
    for target in range(routers):
        _search(target, first, channels, source, distance, queue)
        found[:, target] = distance
    return found


@njit(cache=True)
def _shortest_ports(routers, first, channels, source, source_port):  # type: ignore[no-untyped-def]
    found = np.full((routers, routers), -1, np.int32)
    distance, queue = np.empty(routers, np.int64), np.empty(routers, np.int64)
    for target in range(routers):
        _search(target, first, channels, source, distance, queue)
        for r in range(routers):
            if distance[r] < 0:
                continue
            for i in range(first[r], first[r + 1]):
                channel = channels[i]
                before, port = source[channel], source_port[channel]
                if distance[before] == distance[r] + 1 and (
                    found[before, target] < 0 or port < found[before, target]
                ):
                    found[before, target] = port
    return found


@njit(cache=True)
def _minimal_ports(routers, first, channels, source, source_port):  # type: ignore[no-untyped-def]
    found = np.zeros((routers, routers), np.int64)
    distance, queue = np.empty(routers, np.int64), np.empty(routers, np.int64)
    for target in range(routers):
        _search(target, first, channels, source, distance, queue)
        for r in range(routers):
            for i in range(first[r], first[r + 1]):
                channel = channels[i]
                if distance[r] >= 0 and distance[source[channel]] == distance[r] + 1:
                    found[source[channel], target] |= np.int64(1) << source_port[channel]
    return found


@njit(cache=True)
def _up_down_ports(routers, first, channels, source, source_port, is_up):  # type: ignore[no-untyped-def]
    """Backwards from each target over states (class, router): class 0 may go up, class 1 only down.

    A channel down leads from either class to class 1, one up from class 0 to class 0; a packet arrives in any class.
    """
    found = np.full((2, routers, routers), -1, np.int32)
    distance, queue = np.empty(2 * routers, np.int64), np.empty(2 * routers, np.int64)
    for target in range(routers):
        distance[:] = -1
        distance[target], distance[routers + target] = 0, 0
        queue[0], queue[1] = target, routers + target
        done, known = 0, 2
        while done < known:
            after, r = queue[done] // routers, queue[done] % routers
            here = distance[queue[done]]
            done += 1
            for i in range(first[r], first[r + 1]):
                channel = channels[i]
                if is_up[channel] != (after == 0):
                    continue
                entry = source_port[channel] + (0 if is_up[channel] else _DOWN)
                for before in range(1 if is_up[channel] else 2):
                    state = before * routers + source[channel]
                    if distance[state] < 0:
                        distance[state] = here + 1
                        queue[known] = state
                        known += 1
                    elif distance[state] != here + 1:
                        continue
                    old = found[before, source[channel], target]
                    if old < 0 or (entry & PORT_MASK) < (old & PORT_MASK):
                        found[before, source[channel], target] = entry
    return found
