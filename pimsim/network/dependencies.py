"""Dependencies between channels, and sums along paths: compiled walks through routing tables."""

from __future__ import annotations

import numpy as np
from numba import njit

from pimsim.network.routing import CLASS_SHIFT, PORT_MASK, Routing
from pimsim.network.topology import Topology

_STARTS = 64  #: channels through which a short cycle is looked for at once


def of_tables(topology: Topology, routing: Routing) -> tuple[np.ndarray, tuple[int, int] | None]:
    """Which channel a packet may ask for while it holds another, on all ways that the tables lead.

    Of an adaptive routing: on its escape, begun at any router.

    Returns:
        (C, classes, ports, classes) bool: a packet that came over the channel in the class asks for the port in the
        other class; and a pair of routers (from, to) between which the tables do not lead, or None.
    """
    if np.any(routing.next >= routing.next.shape[0] << CLASS_SHIFT):
        raise ValueError("an entry leads to a class that does not exist")
    depends, start, target = _of_tables(routing.next, topology.output, topology.target)
    return depends, None if start < 0 else (start, target)


def shortest_cycle(topology: Topology, depends: np.ndarray, groups: np.ndarray) -> list[tuple[int, int]] | None:
    """A short cycle of (channel, group of virtual channels), or None.

    Args:
        depends: as :func:`of_tables` gives it.
        groups: (classes, G) bool: the class uses the virtual channels of the group.
    """
    channel, before, port, after = np.nonzero(depends)
    following = topology.output[topology.target[channel], port]
    number, parts = groups.shape[1], []
    for a in range(number):
        for b in range(number):
            may = groups[before, a] & groups[after, b]
            parts.append(np.column_stack([number * channel[may] + a, number * following[may] + b]))
    edges = np.unique(np.concatenate(parts), axis=0) if parts else np.zeros((0, 2), np.int64)
    first = np.searchsorted(edges[:, 0], np.arange(number * topology.channels + 1))
    ends = np.ascontiguousarray(edges[:, 1])
    left = np.flatnonzero(_not_before(first, ends) & _not_before(*_reversed(edges, first.size - 1)))
    while left.size:  # those left are on a cycle, or between two
        cycles = [_cycle_through(start, first, ends) for start in left[:_STARTS]]
        if found := [cycle for cycle in cycles if cycle.size]:
            return [divmod(int(node), number) for node in min(found, key=len)]
        left = left[_STARTS:]
    return None


def _reversed(edges: np.ndarray, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    turned = edges[np.argsort(edges[:, 1], kind="stable")]
    return np.searchsorted(turned[:, 1], np.arange(nodes + 1)), np.ascontiguousarray(turned[:, 0])


@njit(cache=True)
def _of_tables(entries, output, ends):  # type: ignore[no-untyped-def]
    classes, routers = entries.shape[0], entries.shape[1]
    depends = np.zeros((ends.size, classes, output.shape[1], classes), np.bool_)
    state = np.empty((classes, routers), np.int64)  # the walk that came by: ended if it is not the present one
    for target in range(routers):
        state[:] = -1
        for start in range(routers):
            c, r = 0, start
            while r != target and state[c, r] < 0:
                state[c, r] = start
                entry = entries[c, r, target]
                channel = output[r, entry & PORT_MASK] if entry >= 0 else -1
                if channel < 0:
                    return depends, start, target
                c, r = entry >> CLASS_SHIFT, ends[channel]
                if r != target:
                    onward = entries[c, r, target]
                    if onward >= 0:
                        depends[channel, c, onward & PORT_MASK, onward >> CLASS_SHIFT] = True
            if r != target and state[c, r] == start:  # round in a circle
                return depends, start, target
    return depends, -1, -1


@njit(cache=True)
def _not_before(first, ends):  # type: ignore[no-untyped-def]
    """(nodes,) bool: what is left when nodes without a predecessor are taken away, one after the other."""
    nodes = first.size - 1
    left = np.ones(nodes, np.bool_)
    coming = np.zeros(nodes, np.int64)
    for end in ends:
        coming[end] += 1
    stack = np.empty(nodes, np.int64)
    n = 0
    for node in range(nodes):
        if coming[node] == 0:
            stack[n] = node
            n += 1
    while n > 0:
        n -= 1
        node = stack[n]
        left[node] = False
        for i in range(first[node], first[node + 1]):
            coming[ends[i]] -= 1
            if coming[ends[i]] == 0:
                stack[n] = ends[i]
                n += 1
    return left


@njit(cache=True)
def _cycle_through(start, first, ends):  # type: ignore[no-untyped-def]
    """Nodes of the shortest cycle through ``start``, from there; none if there is no such cycle."""
    came_from = np.full(first.size - 1, -1, np.int64)
    queue = np.empty(first.size, np.int64)
    queue[0] = start
    done, known = 0, 1
    while done < known:
        node = queue[done]
        done += 1
        for i in range(first[node], first[node + 1]):
            if ends[i] == start:
                backwards = [node]
                while backwards[-1] != start:
                    backwards.append(came_from[backwards[-1]])
                return np.array(backwards[::-1])
            if came_from[ends[i]] < 0:
                came_from[ends[i]] = node
                queue[known] = ends[i]
                known += 1
    return np.empty(0, np.int64)
