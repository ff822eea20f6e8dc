"""Element-wise operations: activations, arithmetic, comparisons.

One with a single operand joins the node before it; what remains is a digital node of its own.  A constant
addition or multiplication right behind a matrix is folded into its weights and bias.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pimsim.workload.dataflow import Edge
from pimsim.workload.operations.registry import Call, OperationType, broadcast, register
from pimsim.workload.records import Operation, Shape
from pimsim.workload.spans import Span, everything, identity
from pimsim.workload.views import Axes, Grid, View, canonical_grid, grid_axis, large, position_axes, regrid

if TYPE_CHECKING:
    from pimsim.workload.lowering import Draft, Lowering

#: unit of each operation: sigmoid is the tile's look-up for non-linear functions
UNITS = {
    "sigmoid": """Relu LeakyRelu PRelu ThresholdedRelu Sigmoid Tanh Elu Selu Celu HardSigmoid HardSwish Clip Gelu Erf
        Softplus Softsign Mish Swish Silu FastGelu QuickGelu BiasGelu Exp Log Sqrt Reciprocal Sin Cos Tan Asin Acos
        Atan Sinh Cosh Asinh Acosh Atanh Shrink QLinearSigmoid QLinearLeakyRelu""",
    "shift_add": "Add Sub Sum Max Min Mean QLinearAdd",
    "vector": """Mul Div Pow Mod Neg Abs Sign Floor Ceil Round And Or Not Xor Equal Greater GreaterOrEqual Less
        LessOrEqual Where IsNaN IsInf BitShift BitwiseAnd BitwiseOr BitwiseXor BitwiseNot QLinearMul""",
}
AFFINE = frozenset(["Add", "Sub", "Mul", "Div", "QLinearAdd", "QLinearMul", "BatchNormalization"])
#: with one operand that is computed: the derivative does not depend on it
LINEAR = AFFINE | frozenset(["Sum", "Neg", "Mean"])
#: inputs A, scale, zero point, B, scale, zero point, ...
QUANTISED = frozenset(["QLinearAdd", "QLinearMul"])
#: inputs behind the first are settings
ONE_OPERAND = frozenset(["Clip", "HardSigmoid", "QLinearSigmoid", "QLinearLeakyRelu", "FastGelu"])


def operands(operation: Operation) -> list[str]:
    """Inputs that are data."""
    if operation.type in QUANTISED:
        return [operation.inputs[0], operation.inputs[3]]
    return [operation.inputs[0]] if operation.type in ONE_OPERAND else [name for name in operation.inputs if name]


def elementwise_shapes(call: Call) -> list[Shape]:
    """Numpy's broadcasting; before opset 7 the attributes ``broadcast`` and ``axis`` place the second operand."""
    if call.type in QUANTISED:
        return [broadcast(call.shape(0), call.shape(3))]
    if call.type in ONE_OPERAND or call.type == "PRelu":
        return [call.shape(0)]
    shapes = [shape for shape in call.shapes if shape is not None]
    if call.get("broadcast") and call.get("axis") is not None and len(shapes) == 2:
        behind = len(shapes[0]) - call.axis(0, len(shapes[0])) - len(shapes[1])
        shapes[1] = shapes[1] + (1,) * max(behind, 0)
    return [broadcast(*shapes)]


def unit_of(type: str) -> str:
    """Digital unit that does an operation."""
    return _UNIT_OF.get(type, "vector")


_UNIT_OF = {name: unit for unit, names in UNITS.items() for name in names.split()}


def lower_elementwise(low: Lowering, operation: Operation) -> None:
    """Fold, join, or add a digital node."""
    draft = low.join(operation)
    if draft is not None:
        charge(low, operation, draft)
        source = next(name for name in operands(operation) if not low.is_constant(name))
        low.views[operation.outputs[0]] = low.joined_view(operation, source)
        return
    _lower_alone(low, operation)


def charge(low: Lowering, operation: Operation, draft: Draft) -> None:
    """Add an operation's cost to the node that it joins."""
    draft.parameters += operation.parameters
    draft.macs += operation.macs
    if folds(low, operation, draft):
        if operation.type == "BatchNormalization":
            draft.operation += "+BatchNormalization"
        return
    draft.operation += f"+{operation.type}"
    draft.act(unit_of(operation.type), draft.channels)
    varying = [name for name in operands(operation) if not low.is_constant(name)]
    inverse = operation.type == "Div" and operation.inputs[0] not in varying
    if operation.type not in LINEAR or len(varying) > 1 or inverse:
        draft.activation.append(operation.type)


def folds(low: Lowering, operation: Operation, draft: Draft) -> bool:
    """Whether an operation disappears in the weights before it."""
    steps = draft.operation.split("+")
    scaled = draft.kind == "digital" and steps[0] == "BatchNormalization" and AFFINE.issuperset(steps)
    if not (scaled or (draft.kind == "mvm" and not draft.actions)) or operation.type not in AFFINE:
        return False
    if operation.type == "Div" and low.is_constant(operation.inputs[0]):
        return False
    inputs = low.activations(operation)
    return len(inputs) == 1 and len(low.consumers[inputs[0]]) == 1  # another reader wants the unscaled value


def _lower_alone(low: Lowering, operation: Operation) -> None:
    output = operation.outputs[0]
    shape = low.shape(output)
    names = list(dict.fromkeys(name for name in operands(operation) if not low.is_constant(name)))
    views = [low.view(name) for name in names]
    main = max(views, key=lambda view: (view.shape == shape, len(view.shape), view.positions * view.channels))
    axes = result_axes(main, shape)
    grid = main.grid if _positions(shape, axes) == main.positions else canonical_grid(shape, axes)
    edges = [edge for view in views for edge in operand_edges(low, view, shape, axes, grid)]
    channels = channels_of(shape, axes)
    per_window = max(len(operands(operation)) - 1, 1) * channels
    node = low.node(operation, "digital", grid, channels, edges, actions={unit_of(operation.type): per_window})
    low.produce(output, node, axes, grid)


def result_axes(main: View, shape: Shape) -> Axes:
    """Channel dimensions of a result whose largest operand is ``main``: what is broadcast becomes channels."""
    shift = len(shape) - len(main.shape)
    axes = {axis + shift for axis in main.axes}
    grown = {axis for axis in range(len(shape)) if (main.shape[axis - shift] if axis >= shift else 1) < shape[axis]}
    return large(axes | grown, shape)


def channels_of(shape: Shape, axes: Axes) -> int:
    """Values of one position."""
    channels = 1
    for axis in axes:
        channels *= shape[axis]
    return channels


def _positions(shape: Shape, axes: Axes) -> int:
    return channels_of(shape, frozenset(range(len(shape))) - axes)


def operand_edges(low: Lowering, view: View, shape: Shape, axes: Axes, grid: Grid) -> list[Edge]:
    """What each position of a result needs of an operand that may be broadcast."""
    shift = len(shape) - len(view.shape)
    own = [axis + shift for axis in position_axes(view)]
    there = [axis for axis in range(len(shape)) if shape[axis] > 1 and axis not in axes]
    if own == there and _positions(shape, axes) == view.positions:
        return list(low.each_of(regrid(view, grid)))
    if view.positions > 1 and set(own) <= set(there):
        spans = _aligned(view, own, there, shift, grid, shape)
        if spans:
            return list(view.edges(*spans))
    return low.all_of(view, grid)


def _aligned(
    view: View, own: list[int], there: list[int], shift: int, grid: Grid, shape: Shape
) -> tuple[Span, Span] | None:
    """Rows and columns of an operand that has some of the result's positions, and one of all others."""
    if len(there) != 2 or len(own) != 1 or grid != (shape[there[0]], shape[there[1]]):
        return None
    along, own_axis = there.index(own[0]), grid_axis(view, own[0] - shift)
    if own_axis != along:
        return None
    spans = [everything(grid[0], view.grid[0]), everything(grid[1], view.grid[1])]
    spans[along] = identity(grid[along])
    return spans[0], spans[1]


for _names in UNITS.values():
    for _name in _names.split():
        register(
            OperationType(
                _name,
                elementwise_shapes,
                lower_elementwise,
                weights=(0, 3) if _name in QUANTISED else None,
                elementwise=True,
            )
        )
