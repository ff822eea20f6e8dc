"""From operations on tensors to windows that need regions: Workload -> Dataflow.

Operations are taken in order; the row of each in the table decides whether it becomes a node, joins the
node before it, or only changes how consumers see a tensor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from pimsim.errors import InputError
from pimsim.workload.dataflow import Dataflow, Edge, Matrix, Node
from pimsim.workload.fusion import fusable
from pimsim.workload.layouts import input_axes
from pimsim.workload.operations import TABLE
from pimsim.workload.operations.registry import refused
from pimsim.workload.records import Operation, Shape, Workload
from pimsim.workload.spans import Span, everything, identity
from pimsim.workload.views import Axes, Grid, View, canonical_grid, large, regrid, whole

BatchNormAs = Literal["batch", "group", "layer", "none"]
"""What a BatchNorm becomes in training: itself, a normalisation over groups of channels of one image, over one whole
image, or nothing."""

TRAINED_ALONE = frozenset(["BatchNormalization"])
"""Operations that are element-wise with known constants, but need a whole batch in training."""


@dataclass
class Draft:
    """A node that later operations may still join."""

    name: str
    kind: Literal["input", "mvm", "digital", "gpu"]
    operation: str
    grid: Grid
    channels: int
    edges: list[Edge] = field(default_factory=list)
    matrix: Matrix | None = None
    actions: dict[str, int] = field(default_factory=dict)
    reduces: bool = False
    macs: int = 0
    parameters: int = 0
    is_output: bool = False
    notes: list[str] = field(default_factory=list)
    activation: list[str] = field(default_factory=list)

    def act(self, unit: str, values: int) -> None:
        """Let every window put more values through a digital unit."""
        if values:
            self.actions[unit] = self.actions.get(unit, 0) + values

    def node(self) -> Node:
        """The finished node."""
        return Node(
            self.name,
            self.kind,
            self.operation,
            self.grid,
            self.channels,
            tuple(self.edges),
            self.matrix,
            dict(self.actions),
            self.reduces,
            self.macs,
            self.parameters,
            self.is_output,
            tuple(dict.fromkeys(self.notes)),
            activation=tuple(self.activation),
        )


class Lowering:
    """State of one lowering: the nodes so far, and the view of every tensor so far."""

    def __init__(self, workload: Workload, training: bool = False, norm: BatchNormAs = "batch") -> None:
        self.workload = workload
        self.training = training
        self.norm = norm
        self.nodes: list[Draft] = []
        self.names: set[str] = set()
        self.orders: dict[tuple[str, Axes, Grid, Shape], View] = {}  #: tensors written in another order
        self.views: dict[str, View] = {}
        self.consumers: dict[str, list[int]] = defaultdict(list)
        self.joined: dict[int, int] = {}  #: operation -> node that it is part of
        self.notes: list[str] = list(workload.notes)
        for index, operation in enumerate(workload.operations):
            for name in dict.fromkeys(operation.inputs):
                self.consumers[name].append(index)
        for name in workload.outputs:
            self.consumers[name].append(len(workload.operations))

    def run(self) -> Dataflow:
        """Lower all operations."""
        for name in self.workload.inputs:
            self._input(name)
        for index, operation in enumerate(self.workload.operations):
            self.index = index
            try:
                TABLE[operation.type].lower(self, operation)
            except (ValueError, IndexError, KeyError, TypeError, StopIteration) as error:
                # strangers' files combine operations in ways that no rule foresaw: name the node
                shapes = ", ".join(str(list(self.shape(name))) for name in operation.inputs if name)
                what = f"inputs of shapes {shapes} are not supported ({error})"
                raise refused(operation, what) from error
        for name in self.workload.outputs:
            for part in self.view(name).parts:
                self.nodes[part.source].is_output = True
        nodes = self._read_nodes()
        check_windows(nodes)
        return Dataflow(self.workload.name, nodes, tuple(dict.fromkeys(self.notes)))

    def _read_nodes(self) -> tuple[Node, ...]:
        """The finished nodes, without those of which no result is used (a slice may drop a whole branch)."""
        used = {index for index, draft in enumerate(self.nodes) if draft.is_output}
        for index in range(len(self.nodes) - 1, -1, -1):
            if index in used:
                used.update(edge.source for edge in self.nodes[index].edges)
            else:
                self.notes.append(f"no result of '{self.nodes[index].name}' is used; it is left out")
        place = {index: at for at, index in enumerate(sorted(used))}
        for index in place:
            draft = self.nodes[index]
            draft.edges = [replace(edge, source=place[edge.source]) for edge in draft.edges]
        return tuple(self.nodes[index].node() for index in place)

    def _input(self, name: str) -> None:
        shape = self.shape(name)
        axes = input_axes(self.workload, name, self.consumers)
        grid = canonical_grid(shape, axes)
        node = self.add(Draft(name, "input", "Input", grid, _channels(shape, axes)))
        self.views[name] = whole(node, shape, axes, grid, None)

    # what operations ask

    def shape(self, tensor: str) -> Shape:
        """Shape of a tensor."""
        return self.workload.tensors[tensor].shape

    def is_constant(self, tensor: str) -> bool:
        """Whether a tensor holds weights."""
        return bool(tensor) and self.workload.tensors[tensor].constant

    def activations(self, operation: Operation) -> list[str]:
        """Inputs of an operation that are not weights, each once."""
        return [name for name in dict.fromkeys(operation.inputs) if name and not self.is_constant(name)]

    def view(self, tensor: str) -> View:
        """How a tensor is made of nodes' outputs."""
        if tensor not in self.views:
            raise InputError(f"tensor '{tensor}' is a weight where a feature map is expected")
        return self.views[tensor]

    def arranged(self, tensor: str, axes: Axes, grid: Grid | None = None) -> View:
        """The view with these channel dimensions; data are reordered by a node of their own if need be."""
        view = self.view(tensor)
        axes = large(axes, view.shape)
        if view.axes != axes:
            return self.reordered(tensor, axes, grid or canonical_grid(view.shape, axes))
        return regrid(view, grid) if grid else view

    def reordered(self, tensor: str, axes: Axes, grid: Grid, shape: Shape | None = None) -> View:
        """A digital node that waits for the whole tensor and writes it in another order."""
        view, shape = self.view(tensor), shape or self.shape(tensor)
        key = (tensor, axes, grid, shape)
        if key in self.orders:
            return self.orders[key]
        channels = _channels(shape, axes)
        draft = Draft(f"{tensor}/reorder", "digital", "Reorder", grid, channels)
        draft.edges = self.all_of(view, grid)
        draft.act("vector", channels)
        draft.notes.append("order of the data is changed by a digital pass that waits for the whole tensor")
        self.orders[key] = whole(self.add(draft), shape, axes, grid, None)
        return self.orders[key]

    # what operations do

    def add(self, draft: Draft) -> int:
        """Append a node under a name of its own; returns its index."""
        name, number = draft.name, 1
        while draft.name in self.names:
            number += 1
            draft.name = f"{name}_{number}"
        self.names.add(draft.name)
        self.nodes.append(draft)
        return len(self.nodes) - 1

    def node(
        self,
        operation: Operation,
        kind: Literal["mvm", "digital", "gpu"],
        grid: Grid,
        channels: int,
        edges: tuple[Edge, ...] | list[Edge],
        matrix: Matrix | None = None,
        actions: dict[str, int] | None = None,
        reduces: bool = False,
        note: str = "",
    ) -> int:
        """Append the node of an operation, with the operation's cost; returns its index."""
        draft = Draft(operation.name, kind, operation.type, grid, channels, list(edges), matrix, reduces=reduces)
        draft.macs, draft.parameters = operation.macs, operation.parameters
        for unit, values in (actions or {}).items():
            draft.act(unit, values)
        if kind != "mvm":
            draft.edges = _distinct(draft.edges)
        if note:
            draft.notes.append(note)
        return self.add(draft)

    def produce(self, tensor: str, node: int, axes: Axes | set[int], grid: Grid | None = None) -> None:
        """Declare a tensor to be the whole output of a node."""
        if tensor:
            draft = self.nodes[node]
            owner = None if draft.reduces or draft.kind == "input" else node
            shape = self.shape(tensor)
            self.views[tensor] = whole(node, shape, axes, grid or ((1, 1) if draft.reduces else draft.grid), owner)

    def alias(self, operation: Operation, view: View, source: str | None = None) -> None:
        """Declare the output to be another view of the input's data."""
        source = source or operation.inputs[0]
        alone = len(self.consumers[source]) == 1
        self.views[operation.outputs[0]] = view if alone else replace(view, owner=None)

    def all_of(self, view: View, grid: Grid) -> list[Edge]:
        """Edges of windows that each need every position of a view."""
        return _distinct(view.edges(everything(grid[0], view.grid[0]), everything(grid[1], view.grid[1])))

    def each_of(self, view: View) -> tuple[Edge, ...]:
        """Edges of windows that need the position of the view at their own place."""
        return view.edges(identity(view.grid[0]), identity(view.grid[1]))

    # joining the node before

    def join(self, operation: Operation) -> Draft | None:
        """The node that an element-wise operation can be part of, if there is one."""
        if self.index not in self.joined:
            inputs = self.activations(operation)
            owner = self.view(inputs[0]).owner if len(inputs) == 1 else None
            if owner is None:
                return None
            alone = TRAINED_ALONE if self.training else frozenset()
            for index in fusable(self.workload, inputs[0], self.consumers, alone):
                self.joined[index] = owner
        node = self.joined.get(self.index)
        return None if node is None else self.nodes[node]

    def joined_view(self, operation: Operation, tensor: str) -> View:
        """View of the result of a joined operation: its input's, under the result's own shape."""
        view = self.view(tensor)
        outside = [at for at in self.consumers[operation.outputs[0]] if at not in self.joined]
        node = self.joined[self.index]
        return replace(view, owner=node if outside else None)


def lower(workload: Workload, training: bool = False, norm: BatchNormAs = "batch") -> Dataflow:
    """Nodes with windows and regions for a workload.

    Args:
        workload: the network.
        training: whether the network is to be trained: BatchNorm is not folded into weights then, and
            normalisations are ``gpu`` nodes, for :func:`pimsim.workload.training.expand_training`.
        norm: in training, what stands where the workload has a BatchNorm: ``batch``, ``group`` or ``none``.

    Raises:
        InputError: an operation whose operands cannot be brought onto the hardware's units, or no
            operation at all besides views of the inputs; in training, weights that two operations share.
    """
    if training:
        refuse_shared_weights(workload)
    dataflow = Lowering(workload, training, norm).run()
    if all(node.kind == "input" for node in dataflow.nodes):
        raise InputError(f"nothing to simulate: {workload.name} has no operation besides views")
    return dataflow


def refuse_shared_weights(workload: Workload) -> None:
    """Refuse weights of two operations: each has cells of its own, and an update would have to sum over them.

    Raises:
        InputError: names both operations.
    """
    reader: dict[str, str] = {}
    for operation in workload.operations:
        for name in dict.fromkeys(operation.inputs):
            tensor = workload.tensors.get(name)
            if tensor is None or not tensor.constant or len(tensor.shape) < 2 or not operation.macs:
                continue
            if name in reader:
                what = f"nodes '{reader[name]}' and '{operation.name}' share the weights '{name}'"
                raise InputError(f"{what}; training them is not supported")
            reader[name] = operation.name


def check_windows(nodes: Sequence[Node]) -> None:
    """Refuse windows that need positions which their producer does not have.

    No rule should leave any; should one do so, the simulation would wait for them for ever.

    Raises:
        InputError: names the first such node.
    """
    for node in nodes:
        for edge in node.edges:
            source = nodes[edge.source]
            height, width = (1, 1) if source.reduces else source.grid
            rows = _inside(edge.rows_lo, edge.rows_hi, node.grid[0], height)
            if not (rows and _inside(edge.cols_lo, edge.cols_hi, node.grid[1], width)):
                what = f"its windows reach outside its input '{source.name}'"
                raise InputError(f"node '{node.name}' ({node.operation}): {what}")


def _inside(low: np.ndarray, high: np.ndarray, windows: int, size: int) -> bool:
    """Whether there is one range for each window, and each is empty or within ``size`` positions."""
    if not len(low) == len(high) == windows:
        return False
    return bool(((high < low) | ((low >= 0) & (high < size))).all())


def _channels(shape: Shape, axes: Axes) -> int:
    channels = 1
    for axis in axes:
        channels *= shape[axis]
    return channels


def _distinct(edges: tuple[Edge, ...] | list[Edge]) -> list[Edge]:
    """Each region of a producer once: a digital unit that uses a value twice fetches it once."""
    kept: dict[tuple[int, Span, Span], Edge] = {}
    for edge in edges:
        key = (edge.source, Span(edge.rows_lo, edge.rows_hi), Span(edge.cols_lo, edge.cols_hi))
        if key not in kept or kept[key].channels < edge.channels:
            kept[key] = edge
    return list(kept.values())
