"""Pools over windows and over the whole feature map."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pimsim.workload.operations.registry import Call, OperationType, ShapeError, register
from pimsim.workload.operations.windows import grid_spans, sliding
from pimsim.workload.records import Operation, Shape
from pimsim.workload.spans import everything, identity
from pimsim.workload.views import spatial_grid

if TYPE_CHECKING:
    from pimsim.workload.lowering import Lowering

#: unit that takes each value of a window
UNITS = {
    "MaxPool": "maxpool",
    "AveragePool": "shift_add",
    "LpPool": "vector",
    "QLinearAveragePool": "shift_add",
    "GlobalMaxPool": "maxpool",
    "GlobalAveragePool": "shift_add",
    "GlobalLpPool": "vector",
    "QLinearGlobalAveragePool": "shift_add",
}


def pool_shapes(call: Call) -> list[Shape]:
    """N x C x spatial."""
    shape = call.shape(0)
    kernel = call.get("kernel_shape")
    if not kernel:
        raise ShapeError("kernel_shape is missing")
    dimensions = sliding(shape, [int(size) for size in kernel], call.attributes)
    return [(shape[0], shape[1], *(each.out for each in dimensions))] * call.n_outputs


def lower_pool(low: Lowering, operation: Operation) -> None:
    """One window an output position; every value of the window passes the unit."""
    source, output = operation.inputs[0], operation.outputs[0]
    shape, kernel = low.shape(source), [int(size) for size in operation.attributes["kernel_shape"]]
    dimensions = sliding(shape, kernel, operation.attributes)
    if shape[0] == 1 and all(each.kernel >= each.of and each.dilation == 1 and each.out == 1 for each in dimensions):
        lower_global(low, operation)  # one window over everything: positions need not be kept for it
        return
    view = low.arranged(source, frozenset({1}), spatial_grid(shape))
    rows, cols = grid_spans(shape[0], [each.span for each in dimensions], shape[2:])
    actions = {UNITS[operation.type]: math.prod(kernel) * shape[1]}
    grid = spatial_grid(low.shape(output))
    node = low.node(operation, "digital", grid, shape[1], view.edges(rows, cols), actions=actions)
    for name in operation.outputs:
        low.produce(name, node, {1})


def global_shapes(call: Call) -> list[Shape]:
    """N x C x 1 ..."""
    shape = call.shape(0)
    if len(shape) < 3:
        raise ShapeError(f"an input of shape {list(shape)} has no positions to pool")
    return [(*shape[:2], *(1 for _ in shape[2:]))]


def lower_global(low: Lowering, operation: Operation) -> None:
    """Windows run over the input; the one result appears after the last."""
    source, output = operation.inputs[0], operation.outputs[0]
    shape = low.shape(source)
    view = low.arranged(source, frozenset({1}))
    actions = {UNITS[operation.type]: shape[1]}
    if shape[0] == 1:
        node = low.node(operation, "digital", view.grid, shape[1], low.each_of(view), actions=actions, reduces=True)
        low.produce(output, node, {1})
        return
    view = low.arranged(source, frozenset({1}), (shape[0], math.prod(shape[2:])))
    actions = {unit: values * math.prod(shape[2:]) for unit, values in actions.items()}
    edges = view.edges(identity(shape[0]), everything(1, view.grid[1]))
    node = low.node(operation, "digital", (shape[0], 1), shape[1], edges, actions=actions)
    low.produce(output, node, {1})


for _name in UNITS:
    if _name.startswith(("Global", "QLinearGlobal")):
        register(OperationType(_name, global_shapes, lower_global, weights=()))
    else:
        register(OperationType(_name, pool_shapes, lower_pool, weights=()))
