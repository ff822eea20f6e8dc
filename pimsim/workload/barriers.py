"""Barriers of a batch: where an image waits until all images of its batch have come so far."""

from __future__ import annotations

from collections.abc import Sequence

from pimsim.workload.dataflow import Edge, Node


def is_barrier(edge: Edge) -> bool:
    """Whether the consumer needs what was summed up over several of its runs, such as a batch's statistics."""
    return edge.shared > 1 and edge.initial == 0


def barrier_depth(nodes: Sequence[Node]) -> list[int]:
    """How many barriers of its batch an image has passed when it reaches each node."""
    depth = [0] * len(nodes)
    for i, node in enumerate(nodes):
        for edge in node.edges:
            if edge.initial == 0 and edge.source != i:
                depth[i] = max(depth[i], depth[edge.source] + is_barrier(edge))
    return depth


def emissions_held(nodes: Sequence[Node], batch: int) -> list[list[int]]:
    """For each node and edge: emissions that must find a place, so that all images of a batch reach a barrier.

    An edge that leads past a barrier, beside it, holds what its producer emits for a whole batch; others stream: 1.
    """
    depth = barrier_depth(nodes)
    return [
        [
            batch // (nodes[edge.source].every * nodes[edge.source].emits_every)
            if edge.initial == 0 and not is_barrier(edge) and depth[edge.source] < depth[i]
            else 1
            for edge in node.edges
        ]
        for i, node in enumerate(nodes)
    ]
