"""Delivery trees: which links a packet takes, and where it branches.

A tree belongs to one source and one set of destinations and is used by every packet between them.
Its edges are numbered so that the children of an edge, and the first edges of a tree, are contiguous.

- ``tree``: one packet that branches where paths part (multicast);
- ``unicast``: one chain of edges a destination, all of which begin at the source's own link;
- ``ideal``: one edge a destination, without a link: only its distance counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from pimsim.network.fabric import CHIP, Fabric, longest_path, path

_MODES = {"tree": 0, "unicast": 1, "ideal": 2}


@dataclass(frozen=True)
class Trees:
    """Edges of all trees; (n,) int64 arrays.

    A destination is an index into the ``targets`` that :func:`build_trees` was given.
    """

    first: np.ndarray  #: (trees + 1,) edges of tree t are first[t]..first[t + 1]
    roots: np.ndarray  #: (trees,) the first ``roots[t]`` of them begin at the source
    link: np.ndarray  #: (edges,) the link; -1: none (the source's own tile, or an ideal network)
    child_lo: np.ndarray  #: (edges,) first following edge
    child_hi: np.ndarray  #: (edges,) last following edge + 1
    target: np.ndarray  #: (edges,) destination reached at the end of this edge, or -1
    passed: np.ndarray  #: (edges, speeds) ideal: links passed, by their index into ``Fabric.speeds``
    pace: np.ndarray  #: (edges,) cycles from one flit of a packet to the next at its end: those of the slowest link so
    #: far that passes flits on as they come, which links between chips do not


def build_trees(
    fabric: Fabric, sources: np.ndarray, target_first: np.ndarray, targets: np.ndarray, mode: str
) -> Trees:
    """One tree for each source: from tile ``sources[t]`` to tiles ``targets[target_first[t]:target_first[t + 1]]``."""
    flit_cycles = np.array([0 if speed.kind == CHIP else speed.flit_cycles for speed in fabric.speeds], np.int64)
    first, link, parent, target, passed, pace = _grow(
        fabric.kernel, fabric.link_speeds(), flit_cycles, longest_path(fabric), sources, target_first, targets,
        _MODES[mode],
    )  # fmt: skip
    order, roots, child_lo, child_hi = _breadth_first(first, parent)
    return Trees(first, roots, link[order], child_lo, child_hi, target[order], passed[order], pace[order])


@njit(cache=True)
def _grow(kernel, speeds, flit_cycles, longest, sources, target_first, targets, mode):  # type: ignore[no-untyped-def]
    n_trees, n_speeds = sources.size, flit_cycles.size
    room = 1024 + 4 * targets.size
    link = np.empty(room, np.int64)
    parent = np.empty(room, np.int64)
    target = np.empty(room, np.int64)
    pace = np.empty(room, np.int64)
    passed = np.zeros((room, n_speeds), np.int64)
    first = np.zeros(n_trees + 1, np.int64)
    seen_in = np.full(speeds.size, -1, np.int64)
    seen_as = np.empty(speeds.size, np.int64)
    way = np.empty(longest, np.int64)
    n = 0
    for tree in range(n_trees):
        first[tree] = n
        for k in range(target_first[tree], target_first[tree + 1]):
            hops = path(kernel, sources[tree], targets[k], way)
            if n + hops + 1 > room:
                room = 2 * room + hops
                link, parent, target = _longer(link, room), _longer(parent, room), _longer(target, room)
                pace = _longer(pace, room)
                passed = _longer(passed.ravel(), n_speeds * room).reshape(room, n_speeds)
                passed[n:] = 0
            if hops == 0 or mode == 2:
                link[n], parent[n], target[n], pace[n] = -1, -1, k, 1
                for h in range(hops):
                    passed[n, speeds[way[h]]] += 1
                    pace[n] = _paced(pace[n], flit_cycles[speeds[way[h]]])
                n += 1
                continue
            above = -1
            for h in range(hops):
                if mode == 0 and seen_in[way[h]] == tree and h < hops - 1:
                    above = seen_as[way[h]]
                    continue
                seen_in[way[h]] = tree
                seen_as[way[h]] = n
                link[n], parent[n], target[n] = way[h], above, -1
                pace[n] = _paced(1 if above < 0 else pace[above], flit_cycles[speeds[way[h]]])
                above = n
                n += 1
            target[above] = k
    first[n_trees] = n
    return first, link[:n], parent[:n], target[:n], passed[:n], pace[:n]


@njit(cache=True)
def _paced(pace, flit_cycles):  # type: ignore[no-untyped-def]
    """Pace behind a link; one of 0 cycles takes in the whole packet before it passes it on."""
    return max(pace, flit_cycles) if flit_cycles else 1


@njit(cache=True)
def _longer(array, room):  # type: ignore[no-untyped-def]
    more = np.empty(room, array.dtype)
    more[: array.size] = array
    return more


@njit(cache=True)
def _breadth_first(first, parent):  # type: ignore[no-untyped-def]
    """Order of edges in which children are contiguous: (edges,) old index, (trees,) roots, (edges,) children."""
    n = parent.size
    start = np.zeros(n + 1, np.int64)  # children of old edge i: listed[start[i]:start[i + 1]]
    for i in range(n):
        if parent[i] >= 0:
            start[parent[i] + 1] += 1
    for i in range(n):
        start[i + 1] += start[i]
    listed = np.empty(n, np.int64)
    filled = start.copy()
    for i in range(n):
        if parent[i] >= 0:
            listed[filled[parent[i]]] = i
            filled[parent[i]] += 1
    roots = np.zeros(first.size - 1, np.int64)
    order = np.empty(n, np.int64)
    child_lo = np.zeros(n, np.int64)
    child_hi = np.zeros(n, np.int64)
    for tree in range(first.size - 1):
        end = first[tree]
        for i in range(first[tree], first[tree + 1]):
            if parent[i] < 0:
                order[end] = i
                end += 1
        roots[tree] = end - first[tree]
        at = first[tree]
        while at < end:
            i = order[at]
            child_lo[at] = end
            for c in range(start[i], start[i + 1]):
                order[end] = listed[c]
                end += 1
            child_hi[at] = end
            at += 1
    return order, roots, child_lo, child_hi
