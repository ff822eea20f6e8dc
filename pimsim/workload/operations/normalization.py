"""Normalisations: BatchNorm disappears in the weights before it, the others run on the vector unit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pimsim.workload.dataflow import Edge
from pimsim.workload.operations.elementwise import charge
from pimsim.workload.operations.registry import (
    Call,
    OperationType,
    ShapeError,
    checked_axis,
    family,
    refused,
    register,
    same_shape,
)
from pimsim.workload.records import Operation, Shape
from pimsim.workload.views import large

if TYPE_CHECKING:
    from pimsim.workload.lowering import Lowering

#: passes that every value makes through the vector unit
PASSES = {
    "BatchNormalization": 1,  # one multiply-add with folded constants
    "LayerNormalization": 5,  # sum; difference; square-accumulate; scale; shift
    "SimplifiedLayerNormalization": 3,  # square-accumulate; scale; weight
    "RMSNormalization": 3,
    "SkipLayerNormalization": 6,  # addition, then as LayerNormalization
    "SkipSimplifiedLayerNormalization": 4,
    "InstanceNormalization": 5,
    "GroupNormalization": 5,
    "MeanVarianceNormalization": 4,
    "LpNormalization": 2,  # square-accumulate; scale
    "Softmax": 4,  # maximum; exponential of the difference; sum; division
    "LogSoftmax": 4,
    "QLinearSoftmax": 4,
    "Hardmax": 2,
}


MOST_GROUPS = 32  #: of a group normalisation that stands for a BatchNorm


def batch_norm_shapes(call: Call) -> list[Shape]:
    """As the input; scale, bias, mean and variance have one value a channel."""
    shape = call.shape(0)
    channels = shape[1] if len(shape) > 1 else 1
    for at in range(1, 5):
        if call.has(at) and call.shape(at) != (channels,):
            raise ShapeError(f"input {at} has shape {list(call.shape(at))} for {channels} channels")
    return [shape] + [(channels,)] * (call.n_outputs - 1)


def lower_batch_norm(low: Lowering, operation: Operation) -> None:
    """Folded into the node before it where nobody else reads that, else a digital node; in training a gpu node."""
    source, output = operation.inputs[0], operation.outputs[0]
    if low.training:
        _lower_trained(low, operation)
        return
    draft = low.join(operation)
    if draft is not None:
        charge(low, operation, draft)
        low.views[output] = low.joined_view(operation, source)
        return
    view = low.view(source)
    node = low.node(
        operation, "digital", view.grid, view.channels, low.each_of(view), actions={"vector": view.channels}
    )
    low.produce(output, node, view.axes, view.grid)


def _lower_trained(low: Lowering, operation: Operation) -> None:
    """A node that needs the statistics of a batch; or what stands in its place (:data:`BatchNormAs`)."""
    view, output = low.view(operation.inputs[0]), operation.outputs[0]
    if low.norm == "none":
        low.alias(operation, view)
        return
    if low.norm in ("group", "layer"):
        groups = _groups(view.channels) if low.norm == "group" else 1
        attributes = {"num_groups": groups}
        lower_normalization(low, replace(operation, type="GroupNormalization", attributes=attributes))
        return
    node = low.node(operation, "gpu", view.grid, view.channels, low.each_of(view))
    for name in operation.outputs[1:]:
        if name:
            refuse_statistics(operation, name, low)
    low.produce(output, node, view.axes, view.grid)


def _groups(channels: int) -> int:
    """Groups of a group normalisation: as many as divide the channels, at most 32 (Wu and He, ECCV 2018)."""
    return next(groups for groups in range(min(MOST_GROUPS, channels), 0, -1) if channels % groups == 0)


def lower_normalization(low: Lowering, operation: Operation) -> None:
    """A position needs itself where statistics are over channels, else the whole tensor."""
    sources = low.activations(operation)
    view, output = low.view(sources[0]), operation.outputs[0]
    over = large(_normalised(operation, len(view.shape)), view.shape)
    edges: list[Edge] = []
    for name in sources[:2]:
        each = low.view(name)
        local = over <= each.axes and each.grid == view.grid
        edges += low.each_of(each) if local else low.all_of(each, view.grid)
    values = PASSES.get(operation.type, 1) * view.channels
    kind: Literal["gpu", "digital"] = "gpu" if low.training else "digital"
    node = low.node(operation, kind, view.grid, view.channels, edges, actions={"vector": values})
    for name in operation.outputs:
        if name and low.shape(name) == view.shape:
            low.produce(name, node, view.axes, view.grid)
        elif name and name != output:
            refuse_statistics(operation, name, low)


def refuse_statistics(operation: Operation, name: str, low: Lowering) -> None:
    """Statistics of a training pass have no consumer at inference; one that reads them is refused."""
    if low.consumers[name]:
        raise refused(operation, f"its output '{name}' is only defined in training")


def _normalised(operation: Operation, rank: int) -> set[int]:
    """Dimensions over which statistics are taken."""
    kind, attributes = operation.type, operation.attributes
    if kind in ("InstanceNormalization", "GroupNormalization"):
        channels = {1} if kind == "GroupNormalization" else set()
        return channels | set(range(2, rank))
    if kind == "MeanVarianceNormalization":
        return {axis % rank for axis in attributes.get("axes") or (0, 2, 3)}
    axis = checked_axis(int(attributes.get("axis", -1)), rank)
    if "LayerNorm" in kind or kind == "RMSNormalization":
        return set(range(axis, rank))
    return {axis}


def lrn_passes(operation: Operation) -> int:
    """Square, sum over neighbouring channels, power, product."""
    return int(operation.attributes.get("size", 5)) + 3


def lower_lrn(low: Lowering, operation: Operation) -> None:
    """Local response normalisation across channels, at each position."""
    view = low.arranged(operation.inputs[0], frozenset({1}))
    actions = {"vector": lrn_passes(operation) * view.channels}
    node = low.node(operation, "digital", view.grid, view.channels, low.each_of(view), actions=actions)
    low.produce(operation.outputs[0], node, view.axes, view.grid)


register(
    OperationType(
        "BatchNormalization",
        batch_norm_shapes,
        lower_batch_norm,
        weights=(1, 2),  # running mean and variance are statistics, not parameters
        elementwise=True,
    ),
    OperationType("LRN", same_shape, lower_lrn, weights=()),
)
family(" ".join(name for name in PASSES if name != "BatchNormalization"), same_shape, lower_normalization)
