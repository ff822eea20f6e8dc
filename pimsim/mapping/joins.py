"""How far ahead a branch must be buffered where branches of the network meet again.

(What is there at the start, such as weights, joins nothing: those edges point forward, and are left out.)

Where two branches of a fork F join in J, the short branch delivers long before the other has caught up.
If J had no place for what the short branch delivers meanwhile, F would be held up by it, the long branch
would get no more of F, and nothing would move again.  So J's buffer must take everything that the short
branch produces from those positions of F that the long branch needs for J's next window.
"""

from __future__ import annotations

import numpy as np

from pimsim.mapping.windows import last_needed
from pimsim.workload.dataflow import Dataflow, Node


def join_reach(dataflow: Dataflow) -> list[list[np.ndarray]]:
    """For each node and edge: (windows,) largest raster index of the input that must find a place by then.

    At least what the window itself needs; more where the edge is the short branch of a join.
    """
    nodes = dataflow.nodes
    direct = [[last_needed(edge, nodes[edge.source].grid[1]) for edge in node.edges] for node in nodes]
    direct = [
        [np.minimum(need, nodes[edge.source].positions - 1) for need, edge in zip(needs, node.edges, strict=True)]
        for needs, node in zip(direct, nodes, strict=True)
    ]
    reach = [[need.copy() for need in needs] for needs in direct]
    covered: dict[int, set[tuple[int, ...]]] = {}
    for fork in reversed(_forks(nodes)):
        _widen(nodes, fork, direct, reach, covered)
    return reach


def _forks(nodes: tuple[Node, ...]) -> list[int]:
    consumers = np.zeros(len(nodes), dtype=np.int64)
    for i, node in enumerate(nodes):
        for edge in node.edges:
            if edge.source < i:
                consumers[edge.source] += 1
    return [i for i in range(len(nodes)) if consumers[i] > 1]


def _widen(
    nodes: tuple[Node, ...], fork: int, direct: list[list[np.ndarray]], reach: list[list[np.ndarray]],
    covered: dict[int, set[tuple[int, ...]]],
) -> None:  # fmt: skip
    """Follow ``fork`` down the network; where it reaches a node by several edges, widen their reach."""
    of_fork: dict[int, np.ndarray] = {fork: np.arange(nodes[fork].positions)}
    for j in range(fork + 1, len(nodes)):
        needs: dict[int, np.ndarray] = {}
        for e, edge in enumerate(nodes[j].edges):
            if edge.source in of_fork and edge.source < j and edge.initial == 0:
                needs[e] = _through(direct[j][e], of_fork[edge.source])
        if not needs:
            continue
        furthest = np.maximum.reduce(list(needs.values()))
        seen = covered.setdefault(j, set())
        if len(needs) > 1 and tuple(needs) not in seen:  # a later fork of the same edges asks for less
            seen.add(tuple(needs))
            for e in needs:
                source = nodes[j].edges[e].source
                if nodes[source].kind == "gpu" and source != fork:  # has all it needs; results wait in its memory
                    continue
                produced = of_fork[nodes[j].edges[e].source]
                ahead = np.searchsorted(produced, furthest, side="right") - 1
                np.maximum(reach[j][e], ahead, out=reach[j][e])
        of_fork[j] = furthest[-1:] if nodes[j].reduces else furthest


def _through(need: np.ndarray, produced: np.ndarray) -> np.ndarray:
    """Positions of the fork behind the needed positions of an intermediate node; -1 where none is needed."""
    return np.where(need >= 0, produced[np.maximum(need, 0)], -1)
