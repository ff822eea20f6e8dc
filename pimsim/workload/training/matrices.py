"""Matrices in training: the transposed matrix of the backward pass, gradients of weights, optimiser and update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pimsim.errors import InputError
from pimsim.workload.dataflow import Edge, Matrix, Node
from pimsim.workload.spans import identity
from pimsim.workload.training import kernels
from pimsim.workload.training.graph import Contribution, Graph, backward_name
from pimsim.workload.training.regions import shares, values_read, whole_region
from pimsim.workload.training.written import written_gradient


@dataclass(frozen=True)
class Part:
    """The weights of a range of a node's input channels, whose gradient is made and applied by itself."""

    number: int  #: of the node's parts
    gradient: int  #: index of the node that makes it
    first: int  #: input channels first..last - 1
    last: int
    weights: int


@dataclass(frozen=True)
class Copy:
    """Crossbars that hold weights: those of the forward pass, or a transposed copy."""

    holder: int  #: index of the mvm node
    trained_by: tuple[Part, ...]
    readers: tuple[int, ...] = ()  #: other mvm nodes that read them: from the other side, or in memory


class Weights:
    """All weights of a network on their way to the next batch."""

    def __init__(self, graph: Graph, forward: Sequence[Node]) -> None:
        self.graph = graph
        matrices = [node for node in forward if node.kind == "mvm"]
        self.macs = sum(node.macs for node in matrices)
        self.weights = sum(weights_of(node) for node in matrices)
        self.parts: list[tuple[int, Part]] = []  #: node whose weights they are, and part
        self.copies: list[Copy] = []

    def backward(self, c: int, delta: int) -> None:
        """Gradients of an mvm node's weights and of its inputs, from the gradient of its output."""
        on_cores = self.graph.options.weight_gradient == "gpu"
        parts = self._gradients(c, delta) if on_cores else (self._written(c, delta),)
        self.parts += [(c, part) for part in parts]
        if self.graph.options.transposed == "array":
            self.copies.append(Copy(c, parts, self._across(c, delta)))
            return
        copies, first = [Copy(c, parts)], 0
        for at, edge in enumerate(self.graph.nodes[c].edges):
            last = first + edge.channels
            if self.graph.trained[edge.source]:
                holder = self._transposed(c, at, delta, first)
                read = tuple(part for part in parts if part.first < last and first < part.last)
                copies.append(Copy(holder, read))
            first = last
        if self.graph.options.transposed == "memory":
            readers = tuple(copy.holder for copy in copies[1:])
            for reader in readers:
                self.graph.nodes[reader] = replace(self.graph.nodes[reader], of=c)
            copies = [Copy(c, parts, readers)]
        self.copies += copies

    # transposed

    def _transposed(self, c: int, at: int, delta: int, first: int) -> int:
        """The node that multiplies with the transposed weights of input ``at``; its result is sent back."""
        graph, node = self.graph, self.graph.nodes[c]
        edge, matrix = node.edges[at], _matrix(node)
        groups = _groups_of(node, first, edge.channels)
        rows, cols = graph.windows_of(c, edge)
        kernel, taken = matrix.kernel_positions, matrix.columns * groups
        if rows.is_points and cols.is_points:
            # windows do not overlap: one window of the gradient gives all positions of the input's window
            grid, channels = node.grid, edge.channels * kernel
            shape = Matrix(matrix.columns, channels // groups, groups)
            data = graph.each(delta, taken)
        else:
            source = graph.nodes[edge.source]
            grid, channels = source.output_grid, edge.channels
            shape = Matrix(matrix.columns * kernel, channels // groups, groups, kernel)
            data = Edge(delta, taken, rows.lo, rows.hi, cols.lo, cols.hi)
            rows, cols = identity(grid[0]), identity(grid[1])
        macs = node.macs * edge.channels // _inputs(node)
        name = backward_name(node, at)
        holder = graph.add(
            Node(name, "mvm", "Transposed", grid, channels, (data,), shape, macs=macs, phase="backward")
        )  # fmt: skip
        graph.sent_back(edge.source, Contribution(holder, channels, rows, cols))
        return holder

    def _across(self, c: int, delta: int) -> tuple[int, ...]:
        """The node that reads the crossbars of c from the other side; none where nobody needs what comes out.

        A vector of the gradient gives what one window of c sends back to each value that it read.  Where windows
        overlap, what several of them send back to a position is added up in digital units.
        """
        graph, node, matrix = self.graph, self.graph.nodes[c], _matrix(self.graph.nodes[c])
        if not any(graph.trained[edge.source] for edge in node.edges):
            return ()
        kernel, taken = matrix.kernel_positions, matrix.columns * matrix.groups
        reader = graph.add(
            Node(
                f"{node.name}/backward", "mvm", "Transposed", node.grid, _inputs(node) * kernel,
                (graph.each(delta, taken),), Matrix(matrix.columns, matrix.rows, matrix.groups), macs=node.macs,
                phase="backward", of=c,
            )
        )  # fmt: skip
        for at, edge in enumerate(node.edges):
            if graph.trained[edge.source]:
                graph.sent_back(edge.source, self._added_up(c, at, reader))
        return (reader,)

    def _added_up(self, c: int, at: int, reader: int) -> Contribution:
        """What ``reader`` sends back to input ``at`` of c."""
        graph, node = self.graph, self.graph.nodes[c]
        edge = node.edges[at]
        rows, cols = graph.windows_of(c, edge)
        channels = edge.channels * _matrix(node).kernel_positions
        if rows.is_points and cols.is_points:
            return Contribution(reader, channels, rows, cols)
        grid = graph.nodes[edge.source].output_grid
        added = -(-node.windows * channels // (grid[0] * grid[1]))
        index = graph.add(
            Node(
                f"{graph.nodes[reader].name}/overlap:{at}", "digital", "OverlapAdd", grid, edge.channels,
                (Edge(reader, channels, rows.lo, rows.hi, cols.lo, cols.hi),), actions={"vector": added},
                reads=added, phase="backward",
            )
        )  # fmt: skip
        return Contribution(index, edge.channels, identity(grid[0]), identity(grid[1]))

    def _wordlines(self, node: Node) -> int:
        """Wordlines that a matrix takes in its crossbars, at most: they are written one after the other."""
        matrix = _matrix(node)
        return min(self.graph.options.rows, matrix.rows * matrix.groups)

    # gradients

    def _gradients(self, c: int, delta: int) -> tuple[Part, ...]:
        node, channels = self.graph.nodes[c], _inputs(self.graph.nodes[c])
        # the largest part is a core's fair share of all gradients, in work and in memory, or a single channel
        cores = self.graph.options.cores
        n = max(-(-node.macs * cores // max(self.macs, 1)), -(-weights_of(node) * cores // self.weights), 1)
        n = min(n, channels)
        cuts = [channels * j // n for j in range(n + 1)]
        return tuple(self._gradient(c, delta, j, cuts[j], cuts[j + 1]) for j in range(n))

    def _gradient(self, c: int, delta: int, j: int, first: int, last: int) -> Part:
        graph, node = self.graph, self.graph.nodes[c]
        matrix, channels, rows = _matrix(node), _inputs(node), self._wordlines(node)
        weights = matrix.kernel_positions * (last - first) * matrix.columns
        images = graph.options.gradient_images
        edges, start = [], 0
        for edge in node.edges:
            share = min(last, start + edge.channels) - max(first, start)
            if share > 0:
                edges.append(whole_region(edge, share, rows, images))
            start += edge.channels
        per_group = channels // matrix.groups
        groups = -(-last // per_group) - first // per_group
        edges.append(graph.all_of(delta, (rows, 1), matrix.columns * groups, gathers=images))
        macs = node.macs * last // channels - node.macs * first // channels
        read = sum(values_read(edge) for edge in edges)
        index = graph.kernel(
            f"{node.name}/gradient:{j}", "WeightGradient", (rows, 1), -(-weights // rows), edges,
            images * kernels.GRADIENT * macs, memory_values=images * read + kernels.ACCUMULATE_VALUES * weights,
            phase="gradient", every=images, emits_every=graph.options.batch // images, macs=images * macs,
            kept_values=weights,
        )  # fmt: skip
        return Part(j, index, first, last, weights)

    def _written(self, c: int, delta: int) -> Part:
        node, matrix = self.graph.nodes[c], _matrix(self.graph.nodes[c])
        overlap = not all(span.is_points for edge in node.edges for span in self.graph.windows_of(c, edge))
        index = written_gradient(self.graph, c, delta, overlap)
        return Part(0, index, 0, _inputs(node), matrix.rows * matrix.columns)

    # update

    def update(self) -> None:
        """The optimiser of every part, then one update of each copy; every copy waits for its own.

        Without GPU cores there is no optimiser: the update takes the mean gradient as it is.
        """
        graph, options = self.graph, self.graph.options
        steps: dict[int, int] = {}
        for c, part in self.parts:
            if not options.cores:
                steps[part.gradient] = part.gradient
                continue
            gradient = graph.nodes[part.gradient]
            steps[part.gradient] = graph.kernel(
                f"{graph.nodes[c].name}/optimiser:{part.number}", "Optimiser", gradient.grid, gradient.channels,
                [graph.each(part.gradient)], kernels.OPTIMISER * part.weights,
                memory_values=kernels.OPTIMISER_VALUES * part.weights, phase="update", every=options.batch,
                kept_values=part.weights,
            )  # fmt: skip
        for copy in self.copies:
            holder = graph.nodes[copy.holder]
            made = [steps[part.gradient] for part in copy.trained_by]
            rows = self._wordlines(holder)
            edges = tuple(shares(index, graph.nodes[index], rows) for index in made)
            update = graph.add(
                Node(
                    f"{holder.name}/update", "update", "Update", (rows, 1), 0, edges, reduces=True,
                    is_output=True, phase="update", every=options.batch, of=copy.holder,
                )
            )  # fmt: skip
            new = graph.all_of(update, holder.grid, 0, shared=options.batch, initial=1)
            graph.nodes[copy.holder] = replace(holder, edges=(*holder.edges, new))
            for index in copy.readers:
                reader = graph.nodes[index]
                new = graph.all_of(update, reader.grid, 0, shared=options.batch, initial=1)
                graph.nodes[index] = replace(reader, edges=(*reader.edges, new))


def weights_of(node: Node) -> int:
    """Weights of an mvm node."""
    matrix = _matrix(node)
    return matrix.rows * matrix.columns * matrix.groups


def check_trainable(node: Node, index: int) -> None:
    """Refuse matrices whose training is not built.

    Raises:
        InputError: names the node.
    """
    what = ""
    if any(edge.source == index for edge in node.edges):
        what = "is recurrent; back-propagation through time is not supported"
    elif node.matrix and node.matrix.local:
        what = "has weights of its own for every window; training them is not supported"
    elif node.kind == "digital" and node.macs:
        what = "multiplies two feature maps; training such products is not supported"
    elif node.type in ("Embedding", "Gather") and node.parameters:
        what = "looks up a table; training tables is not supported"
    if what:
        raise InputError(f"node '{node.name}' ({node.operation}) {what}")


def _matrix(node: Node) -> Matrix:
    assert node.matrix is not None, node.name
    return node.matrix


def _inputs(node: Node) -> int:
    """Input channels of an mvm node, over all its data edges."""
    return sum(edge.channels for edge in node.edges)


def _groups_of(node: Node, first: int, channels: int) -> int:
    """Diagonal blocks that belong to a range of input channels."""
    matrix = _matrix(node)
    per_group = _inputs(node) // matrix.groups
    if matrix.groups > 1 and (first % per_group or channels % per_group):
        what = "has groups across the inputs that are concatenated before it; its transposed weights have no such copy"
        raise InputError(f"node '{node.name}' ({node.operation}) {what}", key="training.transposed", allowed="array")
    return channels // per_group if matrix.groups > 1 else 1
