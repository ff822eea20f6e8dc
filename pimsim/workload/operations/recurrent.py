"""LSTM, GRU and plain recurrent layers: one matrix for input and state, one window a time step."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pimsim.errors import shown
from pimsim.workload.dataflow import Edge, Matrix
from pimsim.workload.operations.registry import Call, OperationType, ShapeError, register
from pimsim.workload.records import Operation, Shape
from pimsim.workload.spans import Span, identity, points
from pimsim.workload.views import View, large, whole

if TYPE_CHECKING:
    from pimsim.workload.lowering import Draft, Lowering

#: gates in the matrix, then values a state takes through each unit in one step
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}  #: values of the attribute, with their number
ACTIONS = {
    "LSTM": {"sigmoid": 5, "vector": 3, "shift_add": 1},  # i f o g and tanh(c); f*c, i*g, o*tanh(c); one sum
    "GRU": {"sigmoid": 3, "vector": 3, "shift_add": 3},  # z r n; r*(Rh), z*h, (1-z)*n; three sums
    "RNN": {"sigmoid": 1},
}
NOTES = {
    "GRU": "GRU: the candidate's input and state products share columns; the reset gate is applied digitally",
}


def recurrent_shapes(call: Call) -> list[Shape]:
    """Y: steps x directions x batch x hidden, then the last state(s); ``layout`` 1 puts the batch first."""
    shape, weight, state = call.shape(0), call.shape(1), call.shape(2)
    gates = GATES[call.type]
    if len(shape) != 3 or len(weight) != 3 or len(state) != 3:
        raise ShapeError(f"an input of shape {list(shape)}; steps x batch x features is needed")
    directions, hidden, direction = weight[0], state[2], call.get("direction", "forward")
    if direction not in DIRECTIONS:
        raise ShapeError(f"direction is {shown(direction)}; {', '.join(DIRECTIONS)} are supported")
    if directions != DIRECTIONS[direction]:
        raise ShapeError(f"direction is {direction}, the weights are for {directions} directions")
    if call.get("hidden_size", hidden) != hidden:
        raise ShapeError(f"hidden_size is {call.get('hidden_size')}, the weights are for {hidden} states")
    if weight != (directions, gates * hidden, shape[2]) or state[1] != gates * hidden:
        raise ShapeError(f"weights {list(weight)} and {list(state)} do not suit {shape[2]} features, {hidden} states")
    outputs: list[Shape]
    if call.get("layout"):
        outputs = [(shape[0], shape[1], directions, hidden)] + [(shape[0], directions, hidden)] * 2
    else:
        outputs = [(shape[0], directions, shape[1], hidden)] + [(directions, shape[1], hidden)] * 2
    return outputs[: call.n_outputs]


def recurrent_macs(call: Call, _outputs: list[Shape]) -> int:
    """Both matrices at every step."""
    steps, batch, _ = call.shape(0)
    per_step = sum(each[0] * each[1] * each[2] for each in (call.shape(1), call.shape(2)))
    return steps * batch * per_step


def lower_recurrent(low: Lowering, operation: Operation) -> None:
    """A node for each direction; its windows are the steps, in the order in which they are taken."""
    shape = low.shape(operation.inputs[0])
    first = bool(operation.attributes.get("layout"))
    steps, batch = (shape[1], shape[0]) if first else (shape[0], shape[1])
    view = low.arranged(operation.inputs[0], frozenset({2}))
    if batch > 1 or 1 not in view.grid:
        view = low.reordered(operation.inputs[0], large({2}, shape), (steps, 1))
    weights = low.shape(operation.inputs[1])
    backward = [operation.attributes.get("direction") == "reverse"] if weights[0] == 1 else [False, True]
    nodes = [_direction(low, operation, view, reverse, len(backward)) for reverse in backward]
    for node in nodes:
        _note_states(low, operation, low.nodes[node], batch)
    _declare(low, operation, view.grid, nodes, backward)


def _direction(low: Lowering, operation: Operation, view: View, reverse: bool, n: int) -> int:
    kind, hidden = operation.type, low.shape(operation.inputs[2])[2]
    features = low.shape(operation.inputs[1])[2]
    grid = view.grid
    rows, cols = _order(grid[0], reverse), _order(grid[1], reverse)
    actions = {unit: values * hidden for unit, values in ACTIONS[kind].items()}
    matrix = Matrix(features + hidden, GATES[kind] * hidden)
    name = operation.name + (("/backward" if reverse else "/forward") if n == 2 else "")
    share = replace(operation, name=name, macs=operation.macs // n, parameters=operation.parameters // n)
    node = low.node(share, "mvm", grid, hidden, view.edges(rows, cols), matrix, actions)
    draft = low.nodes[node]
    before = [points(np.arange(size) - 1) if size > 1 else identity(size) for size in grid]
    if grid == (1, 1):
        before = [points([-1]), points([-1])]
    draft.edges.append(Edge(node, hidden, before[0].lo, before[0].hi, before[1].lo, before[1].hi))
    return node


def _order(n: int, reverse: bool) -> Span:
    return points(np.arange(n)[::-1]) if reverse else identity(n)


def _note_states(low: Lowering, operation: Operation, draft: Draft, batch: int) -> None:
    if operation.type in NOTES:
        draft.notes.append(NOTES[operation.type])
    if any(operation.inputs[4:5]):
        draft.notes.append("sequence lengths are not looked at: every step is run")
    if any(operation.inputs[7:8]):
        draft.notes.append("peephole weights are not priced")
    initial = [name for name in operation.inputs[5:7] if name and not low.is_constant(name)]
    if initial:
        draft.notes.append("the initial state is computed by the network; the first step does not wait for it")
    if batch > 1:
        draft.notes.append(f"{batch} sequences share the layer; their steps are taken as one sequence of batches")


def _declare(
    low: Lowering, operation: Operation, grid: tuple[int, int], nodes: list[int], backward: list[bool]
) -> None:
    first = bool(operation.attributes.get("layout"))
    for at, name in enumerate(operation.outputs):
        if not name:
            continue
        shape = low.shape(name)
        axes = large({len(shape) - 1, (2 if first else 1) if at == 0 else (1 if first else 0)}, shape)
        views = [whole(node, shape, axes, grid, None) for node in nodes]
        parts = []
        for view, reverse in zip(views, backward, strict=True):
            hidden = replace(view.parts[0], channels=shape[-1])
            if at == 0:
                hidden = replace(hidden, rows=_order(grid[0], reverse), cols=_order(grid[1], reverse))
            else:
                hidden = replace(hidden, rows=points([grid[0] - 1]), cols=points([grid[1] - 1]))
            parts.append(hidden)
        low.views[name] = replace(views[0], parts=tuple(parts), grid=grid if at == 0 else (1, 1), mixed=False)


for _kind in GATES:
    register(OperationType(_kind, recurrent_shapes, lower_recurrent, recurrent_macs, weights=(1, 2, 3)))
