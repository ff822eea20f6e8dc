"""A network, free of hardware: operations in topological order and the tensors between them.

The vocabulary is ONNX's: an operation's type, inputs and attributes mean what the ONNX operator of that
name means, whichever front end (YAML, ONNX, Python) wrote it; LocallyConnected and Embedding are additions.
Shapes are complete, with the batch as the leading dimension where the operator has one; a workload is one
inference, so that the batch is 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Tensor:
    """Values between operations, or weights; the values themselves are not kept."""

    name: str
    shape: Shape  #: batch included
    constant: bool = False  #: a weight: known before the inference starts
    integer: bool = False  #: indices or token ids rather than a feature map

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Operation:
    """One operator of the network."""

    name: str
    type: str
    inputs: tuple[str, ...]  #: tensor names; '' where an optional input is absent
    outputs: tuple[str, ...]  #: tensor names; '' where an optional output is not wanted
    attributes: Mapping[str, Any] = field(default_factory=dict)
    parameters: int = 0  #: weights that no earlier operation has counted
    macs: int = 0  #: multiply-accumulates of one inference


@dataclass(frozen=True)
class Workload:
    """A network for one inference."""

    name: str
    operations: tuple[Operation, ...]  #: producers before consumers
    tensors: Mapping[str, Tensor]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    notes: tuple[str, ...] = ()  #: what the import simplified, in words

    @property
    def parameters(self) -> int:
        """Weights of the network, shared ones once."""
        return sum(operation.parameters for operation in self.operations)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(operation.macs for operation in self.operations)

    def shape(self, tensor: str) -> Shape:
        """Shape of the tensor of that name, batch included."""
        return self.tensors[tensor].shape
