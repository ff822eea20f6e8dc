"""What runs and emissions of training add to windows and buffers: kernels, updates, and batches that wait.

(:mod:`pimsim.mapping.windows` deals the windows of one image, and finds what they need.)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pimsim.mapping.kernels import deal_kernel
from pimsim.mapping.windows import Needs, deal_windows
from pimsim.workload.dataflow import Edge, Node


def deal(node: Node, copies: int, policy: str) -> tuple[np.ndarray, np.ndarray]:
    """Windows to replicas; every update writes all rows of its own crossbars."""
    if node.kind == "gpu":
        return deal_kernel(node, copies)
    if node.kind == "update":
        return np.arange(copies + 1) * node.windows, np.tile(np.arange(node.windows), copies)
    return deal_windows(node.grid, copies, policy)


def with_places(node: Node, edge: Edge, needs: Needs, first_window: np.ndarray) -> Needs:
    """A kernel begins with all its inputs; beside a barrier there are places for a whole batch."""
    length = np.diff(needs.first)
    if node.kind == "gpu":
        whole = np.repeat(length, np.diff(first_window))
        needs = replace(needs, ready=edge.gathers * whole, least=np.maximum(needs.least, edge.gathers * length))
        if edge.gathers > 1:  # nothing of the first image is free before all of the last is
            needs = replace(needs, done=np.where(needs.done == whole, edge.gathers * whole, 0))
    return needs if edge.holds == 1 else replace(needs, least=np.maximum(needs.least, edge.holds * length))


def emissions_kept(node: Node, edge: Edge) -> int:
    """Emissions for which a buffer has places where memory allows.

    A kernel works on one while the next comes in; gradients of weights, for which nobody waits before the end of the
    batch, may be put off until then.
    """
    if node.kind != "gpu" or edge.shared > 1:
        return max(1, edge.wanted)
    return max(edge.wanted, edge.gathers * (node.emits_every if node.phase == "gradient" else 2))
