"""Einsum: with weights in crossbars where it is a plain contraction, otherwise on the vector unit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pimsim.workload.dataflow import Matrix
from pimsim.workload.operations.digital import lower_generic
from pimsim.workload.operations.registry import Call, OperationType, ShapeError, register
from pimsim.workload.records import Operation, Shape
from pimsim.workload.views import large

if TYPE_CHECKING:
    from pimsim.workload.lowering import Lowering


def labels_of(call: Call) -> tuple[list[str], str]:
    """Labels of each operand and of the result."""
    equation = str(call.get("equation", "")).replace(" ", "")
    if "." in equation:
        raise ShapeError(f"equation '{equation}': '...' is not supported, write the labels out")
    left, arrow, right = equation.partition("->")
    names = left.split(",")
    if not arrow:
        every = "".join(names)
        right = "".join(sorted(name for name in set(every) if every.count(name) == 1))
    return names, right


def label_sizes(call: Call) -> dict[str, int]:
    """Size behind each label."""
    sizes: dict[str, int] = {}
    for at, names in enumerate(labels_of(call)[0]):
        if len(names) != len(call.shape(at)):
            raise ShapeError(f"labels '{names}' do not suit an input of shape {list(call.shape(at))}")
        for name, n in zip(names, call.shape(at), strict=True):
            if sizes.get(name, n) != n and 1 not in (n, sizes[name]):
                raise ShapeError(f"label '{name}' has the sizes {sizes[name]} and {n}")
            sizes[name] = max(sizes.get(name, 1), n)
    return sizes


def einsum_shapes(call: Call) -> list[Shape]:
    """Sizes of the labels behind the arrow."""
    sizes = label_sizes(call)
    return [tuple(sizes[name] for name in labels_of(call)[1])]


def einsum_macs(call: Call, _outputs: list[Shape]) -> int:
    """Product of all labels' sizes."""
    return math.prod(label_sizes(call).values()) if len(call.shapes) > 1 else 0


def lower_einsum(low: Lowering, operation: Operation) -> None:
    """Weights on crossbars, one window for each position of the other operand."""
    constant = [low.is_constant(name) for name in operation.inputs]
    if sorted(constant) != [False, True] or not _contract(low, operation, constant.index(True)):
        lower_generic(low, operation)


def _contract(low: Lowering, operation: Operation, at: int) -> bool:
    shapes = tuple(low.shape(name) for name in operation.inputs)
    call = Call(operation.type, shapes, (), operation.attributes)
    names, result = labels_of(call)
    sizes, weight, source = label_sizes(call), set(names[at]), names[1 - at]
    summed, columns = weight & set(source), weight - set(source)
    positions = [label for label in source if label not in weight]
    kept = [label for label in result if label not in weight]
    if summed & set(result) or positions != kept or not columns <= set(result):
        return False
    tensor = operation.inputs[1 - at]
    axes = frozenset(source.index(label) for label in summed)
    view = low.arranged(tensor, axes)
    length = math.prod(sizes[label] for label in summed)
    if view.kernel_positions is None or length != view.kernel_positions * sum(part.channels for part in view.parts):
        view = low.reordered(tensor, large(axes, view.shape), view.grid)
    matrix = Matrix(length, math.prod(sizes[label] for label in columns), 1, view.kernel_positions or 1)
    node = low.node(operation, "mvm", view.grid, matrix.columns, low.each_of(view), matrix)
    low.produce(operation.outputs[0], node, {result.index(label) for label in columns}, view.grid)
    return True


register(OperationType("Einsum", einsum_shapes, lower_einsum, einsum_macs))
