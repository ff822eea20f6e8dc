"""Which dimension of a network's input holds the channels: asked of the first operation that cares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pimsim.workload.records import Operation, Shape, Workload
from pimsim.workload.views import Axes, large, reshaped_axes, transposed_axes

CHANNELS_FIRST = frozenset(
    """Conv ConvInteger QLinearConv FusedConv ConvTranspose LocallyConnected MaxPool AveragePool LpPool
    GlobalAveragePool GlobalMaxPool BatchNormalization LRN InstanceNormalization Resize Upsample""".split()
)
CHANNELS_LAST = frozenset(
    """MatMul Gemm MatMulInteger QLinearMatMul DynamicQuantizeMatMul LSTM GRU RNN LayerNormalization""".split()
)
RESHAPES = frozenset(["Reshape", "Flatten", "Squeeze", "Unsqueeze"])


def input_axes(workload: Workload, name: str, consumers: Mapping[str, Sequence[int]]) -> Axes:
    """Channel dimensions of an input."""
    shape = workload.shape(name)
    rank = len(shape)
    if workload.tensors[name].integer and rank < 4:
        return frozenset()  # token ids: every element is a position
    usual = [1, rank - 1] if rank >= 4 else [rank - 1, 1]
    candidates = [frozenset({axis}) for axis in usual if 0 <= axis < rank] + [frozenset[int]()]
    for axes in candidates:
        if _suits(workload, name, large(axes, shape), consumers):
            return large(axes, shape)
    return large(candidates[0], shape)


def _suits(workload: Workload, tensor: str, axes: Axes, consumers: Mapping[str, Sequence[int]]) -> bool:
    """Whether the first operation that wants channels somewhere finds them there."""
    for _ in range(len(workload.operations)):
        at = [index for index in consumers[tensor] if index < len(workload.operations)]
        if not at:
            return False
        operation, shape = workload.operations[at[0]], workload.shape(tensor)
        if operation.type in CHANNELS_FIRST:
            return axes == large({1}, shape)
        if operation.type in CHANNELS_LAST:
            return axes == large({len(shape) - 1}, shape)
        moved = _moved(operation, shape, axes, workload.shape(operation.outputs[0]))
        if moved is None:
            return False
        tensor, axes = operation.outputs[0], moved
    return False


def _moved(operation: Operation, shape: Shape, axes: Axes, new_shape: Shape) -> Axes | None:
    if operation.type == "Transpose":
        order = operation.attributes.get("perm") or list(range(len(shape)))[::-1]
        return transposed_axes(axes, shape, list(order))
    if operation.type in RESHAPES:
        return reshaped_axes(shape, axes, new_shape)
    return axes if len(shape) == len(new_shape) else None
