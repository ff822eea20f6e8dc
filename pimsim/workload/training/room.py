"""How many emissions must, and how many should, find room on an edge.

BatchNorm lets nobody through before the last image of its batch has arrived.  What runs beside it, such as the
shortcut of a residual block, and what is kept for the backward pass, has to be held somewhere for as long;
otherwise its producer stands still, the barrier never opens, and nothing moves again: ``Edge.holds``.

Without a barrier one image at a time would do, but the stages between a layer and its backward pass would mostly wait.
PipeLayer (Song et al., HPCA 2017) keeps 2(L - l) + 1 images of what layer l of L makes: one for each stage on the way
to the backward pass and back, the loss among them: ``Edge.wanted``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pimsim.workload.dataflow import Edge, Node


def with_room(nodes: Sequence[Node], batch: int) -> tuple[Node, ...]:
    """The nodes with ``holds`` of every edge that passes a barrier, and ``wanted`` of every edge that is saved."""
    together = max((edge.shared for node in nodes for edge in node.edges if is_barrier(edge)), default=1)
    passed: list[int] = []  #: barriers behind each node, on the path with most of them
    stages: list[int] = []  #: stages up to each node, on the path with most of them
    for node in nodes:
        inputs = [edge for edge in node.edges if not edge.initial]
        passed.append(max((passed[edge.source] + is_barrier(edge) for edge in inputs), default=0))
        stages.append(max((stages[edge.source] for edge in inputs), default=0) + is_stage(node))
    result = []
    for index, node in enumerate(nodes):
        # crossbars that are written with activations take the next image's when this one's have been used
        user = node.of if node.kind == "update" and node.phase == "gradient" else index
        edges = []
        for edge in node.edges:
            source = nodes[edge.source]
            emitted = batch // (source.every * source.emits_every)
            holds, wanted = edge.holds, 1
            if not (edge.initial or is_barrier(edge)) and passed[edge.source] < passed[user]:
                holds = max(holds, together // (source.every * source.emits_every))
            if edge.saved:
                wanted = stages[user] - stages[edge.source] + (not is_stage(nodes[user])) + edge.gathers - 1
            edges.append(replace(edge, holds=holds, wanted=max(min(wanted, emitted), holds)))
        result.append(replace(node, edges=tuple(edges)))
    return tuple(result)


def is_barrier(edge: Edge) -> bool:
    """Whether the first run of the consumer waits for an emission that several images make together."""
    return edge.shared > 1 and edge.initial == 0


def is_stage(node: Node) -> bool:
    """Whether images are in work in a node one after another: a matrix or a kernel; digital units take windows."""
    return node.kind in ("mvm", "gpu")
