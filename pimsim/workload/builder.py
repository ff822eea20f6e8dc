"""Puts a :class:`Workload` together operation by operation, checking every shape on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pimsim.errors import InputError
from pimsim.workload.operations import TABLE, Call, ShapeError
from pimsim.workload.records import Operation, Shape, Tensor, Workload


class Builder:
    """Collects operations; every method returns tensor names to go on with."""

    def __init__(self, name: str, file: str | None = None) -> None:
        self.name = name
        self.file = file  #: where errors say they come from
        self.operations: list[Operation] = []
        self.tensors: dict[str, Tensor] = {}
        self.inputs: list[str] = []
        self.notes: list[str] = []
        self._counted: set[str] = set()

    def input(self, name: str, shape: Sequence[int], integer: bool = False) -> str:
        """An input of the network; ``shape`` includes the batch."""
        self._add_tensor(Tensor(name, _positive(shape, f"input {name}", self.file), integer=integer))
        self.inputs.append(name)
        return name

    def constant(self, name: str, shape: Sequence[int], integer: bool = False) -> str:
        """A weight tensor."""
        self._add_tensor(Tensor(name, tuple(shape), constant=True, integer=integer))
        return name

    def add(
        self,
        type: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attributes: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> list[Shape]:
        """An operation; returns the shapes of its outputs.

        Raises InputError naming the operation when the type is unknown or the shapes do not fit.
        """
        name = name or next((output for output in outputs if output), type)
        attributes = dict(attributes or {})
        if type not in TABLE:
            raise InputError(unknown_operation(name, type), file=self.file)
        shapes, macs = self.shapes_of(type, inputs, attributes, len(outputs), name)
        parameters = self._count_parameters(type, inputs)
        self.operations.append(Operation(name, type, tuple(inputs), tuple(outputs), attributes, parameters, macs))
        for output, shape in zip(outputs, shapes, strict=False):
            if output:
                self._add_tensor(Tensor(output, shape))
        return shapes

    def shapes_of(
        self, type: str, inputs: Sequence[str], attributes: Mapping[str, Any], n_outputs: int, name: str
    ) -> tuple[list[Shape], int]:
        """Output shapes and MACs of an operation that is not added."""
        tensors = [self.tensors[tensor] if tensor else None for tensor in inputs]
        call = Call(
            type,
            tuple(tensor.shape if tensor else None for tensor in tensors),
            tuple(bool(tensor and tensor.constant) for tensor in tensors),
            attributes,
            n_outputs,
        )
        try:
            shapes = [_positive(shape, type, None) for shape in TABLE[type].shapes(call)]
            return shapes, TABLE[type].macs(call, shapes)
        except (ShapeError, InputError) as error:
            raise InputError(f"layer '{name}' ({type}): {error}", file=self.file) from None
        except (IndexError, TypeError, ValueError, ZeroDivisionError, KeyError) as error:
            shown = ", ".join(str(list(shape)) if shape is not None else "-" for shape in call.shapes)
            message = f"layer '{name}' ({type}): inputs of shapes {shown} do not suit it ({error})"
            raise InputError(message, file=self.file) from None

    def build(self, outputs: Sequence[str]) -> Workload:
        """The finished workload; ``outputs`` are the results of the network."""
        for output in outputs:
            if output not in self.tensors:
                raise InputError(f"output '{output}' is produced by no layer", file=self.file)
        return Workload(
            self.name,
            tuple(self.operations),
            dict(self.tensors),
            tuple(self.inputs),
            tuple(outputs),
            tuple(dict.fromkeys(self.notes)),
        )

    def _add_tensor(self, tensor: Tensor) -> None:
        if tensor.name in self.tensors:
            raise InputError(f"the name '{tensor.name}' is used twice", file=self.file)
        self.tensors[tensor.name] = tensor

    def _count_parameters(self, type: str, inputs: Sequence[str]) -> int:
        positions = TABLE[type].weights
        wanted = range(len(inputs)) if positions is None else positions
        total = 0
        for index in wanted:
            tensor = self.tensors.get(inputs[index]) if index < len(inputs) else None
            if tensor is None or not tensor.constant or tensor.name in self._counted:
                continue
            if positions is not None or tensor.size > 1:  # a single value is a setting, not a weight
                self._counted.add(tensor.name)
                total += tensor.size
        return total


def unknown_operation(name: str, type: str) -> str:
    """Message that refuses an operation type, with those that are supported."""
    return f"node '{name}' is of type {type}, which is not supported; supported are: " + ", ".join(sorted(TABLE))


def _positive(shape: Sequence[int], what: str, file: str | None) -> Shape:
    if any(size < 1 for size in shape):
        raise InputError(f"{what} has a dimension of zero: {list(shape)}", file=file)
    return tuple(int(size) for size in shape)
