"""The table of operation types: for each its shape rule, its cost and its lowering.

A family of operations is one module beside this one; it fills the table when it is imported.  Shape rules
and costs see a :class:`Call`; they raise :class:`ShapeError` with a message that does not name the
operation, because the front end that built it knows how its user calls it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pimsim.errors import InputError
from pimsim.workload.records import Operation, Shape

if TYPE_CHECKING:
    from pimsim.workload.lowering import Lowering


class ShapeError(ValueError):
    """Inputs, attributes or weights of an operation that do not fit together."""


@dataclass(frozen=True)
class Call:
    """An operation as its shape rule sees it."""

    type: str
    shapes: tuple[Shape | None, ...]  #: of the inputs; None where an optional input is absent
    constant: tuple[bool, ...]  #: which inputs are weights
    attributes: Mapping[str, Any]
    n_outputs: int = 1

    def shape(self, index: int) -> Shape:
        """Shape of an input that must be there."""
        shape = self.shapes[index] if index < len(self.shapes) else None
        if shape is None:
            raise ShapeError(f"input {index} is missing")
        return shape

    def has(self, index: int) -> bool:
        """Whether an optional input is given."""
        return index < len(self.shapes) and self.shapes[index] is not None

    def get(self, key: str, default: Any = None) -> Any:
        """An attribute, or its default."""
        value = self.attributes.get(key)
        return default if value is None else value

    def axis(self, default: int, rank: int) -> int:
        """The attribute ``axis`` counted from the front."""
        return checked_axis(int(self.get("axis", default)), rank)


ShapeRule = Callable[[Call], list[Shape]]
MacsRule = Callable[[Call, list[Shape]], int]
LowerRule = Callable[["Lowering", Operation], None]


def no_macs(_call: Call, _outputs: list[Shape]) -> int:
    """Cost of an operation that multiplies nothing by weights."""
    return 0


@dataclass(frozen=True)
class OperationType:
    """One row of the table."""

    name: str
    shapes: ShapeRule
    lower: LowerRule
    macs: MacsRule = no_macs
    settings: Mapping[int, str] = field(default_factory=dict)
    #: inputs that are settings, not data: their constant value becomes the attribute of that name
    hints: Mapping[int, str] = field(default_factory=dict)
    #: inputs that stay, and whose value, where it is a known constant, is an attribute too
    weights: tuple[int, ...] | None = None
    #: inputs whose values count as parameters; None: every constant of more than one value
    elementwise: bool = False  #: each output value depends on the values at the same place only


TABLE: dict[str, OperationType] = {}


def register(*types: OperationType) -> None:
    """Add rows to the table."""
    for row in types:
        assert row.name not in TABLE, row.name
        TABLE[row.name] = row


def family(names: str, shapes: ShapeRule, lower: LowerRule, **rest: Any) -> None:
    """Add a row for each of the space-separated names, equal in everything else."""
    register(*(OperationType(name, shapes, lower, **rest) for name in names.split()))


def checked_axis(axis: int, rank: int) -> int:
    """An axis counted from the front; negative ones count from the back."""
    if not -rank <= axis < max(rank, 1):
        raise ShapeError(f"axis {axis} lies outside a tensor of {rank} dimensions")
    return axis % rank if rank else 0


def broadcast(*shapes: Shape) -> Shape:
    """Shape of an element-wise result (numpy's rule)."""
    rank = max((len(shape) for shape in shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    result = []
    for sizes in zip(*padded, strict=True):
        distinct = {size for size in sizes if size != 1}
        if len(distinct) > 1:
            raise ShapeError("shapes " + " and ".join(str(list(shape)) for shape in shapes) + " do not fit together")
        result.append(distinct.pop() if distinct else 1)
    return tuple(result)


def same_shape(call: Call) -> list[Shape]:
    """The output is as large as the first input."""
    return [call.shape(0)] * call.n_outputs


def size(shape: Shape) -> int:
    """Number of values of a shape."""
    return math.prod(shape)


def refused(operation: Operation, why: str) -> InputError:
    """The error for an operation that is known, but not in this form."""
    return InputError(f"node '{operation.name}' ({operation.type}): {why}")
