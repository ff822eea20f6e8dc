"""What holds for every network in training, whatever its layers: for tests of the expansion."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from pimsim.workload import Dataflow, Node, Training, expand_training
from pimsim.workload.training import check_dataflow
from tests.networks import Network


def named(dataflow: Dataflow, name: str) -> Node:
    (node,) = [node for node in dataflow.nodes if node.name == name]
    return node


@st.composite
def networks(draw: st.DrawFn, groups: bool = True, norm: bool = True) -> Dataflow:
    """A few layers with BatchNorm, pools, shortcuts and groups."""
    net = Network()
    x = net.input(draw(st.integers(1, 6)), draw(st.integers(1, 6)), draw(st.sampled_from((2, 4))))
    for _ in range(draw(st.integers(1, 4))):
        rows, columns = net._grid(x)
        kind = draw(st.sampled_from(("conv", "conv", "norm", "residual", "pool", "mean", "grouped", "strided")))
        if kind == "pool" and min(rows, columns) > 1:
            x = net.pool(net.conv(x, 4), 2, draw(st.integers(1, 2)))
        elif kind == "mean":
            x = net.mean(net.conv(x, 4, 1))
        elif kind == "grouped":
            x = net.conv(x, 4, 3, groups=2 if groups else 1)
        elif kind == "residual":
            deep = net.conv(x, net.nodes[x].channels, draw(st.sampled_from((1, 3))))
            x = net.add(net.batch_norm(deep) if norm and draw(st.booleans()) else deep, x)
        elif kind == "strided":
            x = net.conv(x, 6, draw(st.integers(1, 2)), 2, pad=0) if min(rows, columns) > 1 else net.conv(x, 6, 1)
        else:
            x = net.conv(x, draw(st.sampled_from((2, 4, 6))), draw(st.sampled_from((1, 3))), draw(st.integers(1, 2)))
            x = net.batch_norm(x) if norm and kind == "norm" else x
    x = net.fc(x, 3) if draw(st.booleans()) else x
    if all(node.kind != "mvm" for node in net.nodes):
        x = net.conv(x, 2)
    return finished(net)


def finished(net: Network) -> Dataflow:
    """With what the networks of the timing tests leave out: multiply-accumulates, and which functions are fused."""
    for at, node in enumerate(net.nodes):
        if node.matrix:
            macs = node.windows * node.matrix.rows * node.matrix.columns * node.matrix.groups
            activation = ("Relu",) if node.actions.get("sigmoid") else ()
            net.nodes[at] = replace(node, macs=macs, activation=activation)
    return net.finish()


options = st.builds(Training, batch=st.sampled_from((2, 4, 6)), rows=st.sampled_from((1, 4, 128)),
                    cores=st.integers(1, 5))  # fmt: skip


def check_outer(dataflow: Dataflow, chosen: Training) -> Dataflow:
    expanded = expand_training(dataflow, chosen)
    check_expansion(expanded, chosen)
    check_windows_of_gradients(expanded)
    for layer in dataflow.nodes:
        if layer.kind == "mvm":
            gradient, matrix = named(expanded, f"{layer.name}/gradient:0"), layer.matrix
            assert gradient.windows * gradient.channels == matrix.rows * matrix.columns  # a value a weight
            written = expanded.nodes[gradient.edges[1].source]
            assert written.of == expanded.nodes.index(gradient) and written.every == 1
            assert written.windows == min(chosen.rows, gradient.matrix.rows)
            held = gradient.matrix.rows * gradient.matrix.columns
            read = layer.edges[0].channels * expanded.nodes[layer.edges[0].source].positions
            assert held <= max(read, layer.windows * matrix.rows)
    return expanded


def check_expansion(dataflow: Dataflow, chosen: Training) -> None:
    """All that holds however weights are transposed and gradients made."""
    check_dataflow(dataflow)
    check_rates(dataflow)
    check_reach(dataflow, exact=True)
    check_updates(dataflow, chosen)
    check_saved(dataflow)
    check_room(dataflow)


def check_rates(dataflow: Dataflow) -> None:
    """In a batch every edge carries as many emissions as its consumer takes, and each is there before it is read."""
    for index, node in enumerate(dataflow.nodes):
        for edge in node.edges:
            source = dataflow.nodes[edge.source]
            emitted = dataflow.batch / (source.every * source.emits_every)
            assert emitted == dataflow.batch / (node.every * edge.shared) * edge.gathers == int(emitted)
            assert edge.source < index or edge.initial == 1


def check_windows_of_gradients(dataflow: Dataflow) -> None:
    """A transposed matrix takes, for each position of the input, the windows around those that read it."""
    for node in dataflow.nodes:
        if node.operation != "Transposed" or node.matrix.kernel_positions == 1:
            continue
        forward = named(dataflow, node.name.split("/")[0])
        edge, back = forward.edges[0], node.edges[0]
        assert node.grid == dataflow.nodes[edge.source].output_grid
        assert node.channels == edge.channels == dataflow.nodes[edge.source].channels
        for y, x in np.ndindex(node.grid):
            inside = [(edge.rows_lo[i] <= y <= edge.rows_hi[i] and edge.cols_lo[j] <= x <= edge.cols_hi[j], i, j)
                      for i, j in np.ndindex(forward.grid)]  # fmt: skip
            readers = [(i, j) for reads, i, j in inside if reads]
            rows, cols = (back.rows_lo[y], back.rows_hi[y]), (back.cols_lo[x], back.cols_hi[x])
            if readers:
                assert rows == (readers[0][0], readers[-1][0])
                assert cols == (min(j for _, j in readers), max(j for _, j in readers))
            else:
                assert rows[1] < rows[0] or cols[1] < cols[0]


def check_reach(dataflow: Dataflow, exact: bool) -> None:
    """A position's gradient comes from the results that depend on the position: from all, and, if exact, no others."""
    for loss in (index for index, node in enumerate(dataflow.nodes) if node.operation == "Loss"):
        result = dataflow.nodes[loss].edges[0].source
        there = followed(dataflow, result)  #: results that depend on a position of each node of the forward pass
        back = results_behind(dataflow, loss)  #: results that each position of the backward pass comes from
        for node in dataflow.nodes:
            if node.operation == "WeightGradient":
                delta, layer = delta_of(dataflow, node), node.name.rpartition("/gradient:")[0]
                (index,) = [at for at, each in enumerate(dataflow.nodes) if each.name == layer]
                assert back[delta].shape == there[index].shape
                assert (back[delta] >= there[index]).all(), layer
                assert not exact or (back[delta] == there[index]).all(), layer


def delta_of(dataflow: Dataflow, gradient: Node) -> int:
    """The node that makes the gradient of the layer's output."""
    on_core = gradient.kind == "gpu"
    return gradient.edges[-1].source if on_core else dataflow.nodes[gradient.edges[0].source].edges[0].source


def followed(dataflow: Dataflow, result: int) -> list[np.ndarray]:
    """(positions, results) bool for each node: results that the position has a part in, along forward edges."""
    n = dataflow.nodes[result].positions
    there = [np.zeros((node.positions, n), bool) for node in dataflow.nodes]
    there[result] = np.eye(n, dtype=bool)
    for index in reversed(range(len(dataflow.nodes))):
        node = dataflow.nodes[index]
        for edge in node.edges if node.phase == "forward" else ():
            if not edge.initial:
                reads = reads_of(node, edge, dataflow.nodes[edge.source])
                there[edge.source] |= reads.T.astype(int) @ there[index].astype(int) > 0
    return there


def results_behind(dataflow: Dataflow, loss: int) -> list[np.ndarray]:
    """(positions, results) bool for each node: results whose loss has a part in it, along backward edges."""
    n = dataflow.nodes[loss].positions
    behind = [np.zeros((node.positions, n), bool) for node in dataflow.nodes]
    for index, node in enumerate(dataflow.nodes):
        if index == loss:
            behind[index] = np.eye(n, dtype=bool)
        for edge in node.edges if node.phase == "backward" and node.operation != "Loss" else ():
            if not edge.initial and (not edge.saved or node.operation == "BatchNormBackward"):
                reads = reads_of(node, edge, dataflow.nodes[edge.source])
                behind[index] |= reads.astype(int) @ behind[edge.source].astype(int) > 0
    return behind


def reads_of(node: Node, edge, source: Node) -> np.ndarray:
    """(positions, source positions) bool: what each output position needs."""
    rows, cols = (
        (low[:, None] <= np.arange(size)) & (np.arange(size) <= high[:, None])
        for low, high, size in zip((edge.rows_lo, edge.cols_lo), (edge.rows_hi, edge.cols_hi), source.output_grid,
                                   strict=True)
    )  # fmt: skip
    reads = (rows[:, None, :, None] & cols[None, :, None, :]).reshape(node.windows, source.positions)
    return reads.any(axis=0, keepdims=True) if node.reduces else reads


def check_work(dataflow: Dataflow, inference: Dataflow, chosen: Training) -> None:
    """dX and dW take as many multiply-accumulates as the forward pass; parameters are updated once each."""
    for layer in inference.nodes:
        if layer.kind != "mvm":
            continue
        of = [node for node in dataflow.nodes if node.name.startswith(layer.name + "/")]
        gradients = [node for node in of if node.operation == "WeightGradient"]
        matrices = [node for node in inference.nodes if node.kind == "mvm"]
        work = Fraction(layer.macs * chosen.cores, sum(node.macs for node in matrices))
        room = Fraction(weights_of(layer) * chosen.cores, sum(weights_of(node) for node in matrices))
        channels = sum(edge.channels for edge in layer.edges)
        assert len(gradients) == min(math.ceil(max(work, room)), channels)
        assert sum(node.flops for node in gradients) == 2 * layer.macs
        size = weights_of(layer)
        assert sum(node.flops for node in of if node.operation == "Optimiser") == 4 * size
        assert sum(node.windows * node.channels for node in gradients) >= size
        assert all(node.macs > 0 for node in gradients)
        (back,) = [node for node in of if node.operation == "Transposed"] or [None]
        assert back is None or back.macs == layer.macs
        trained_before = reaches_weights(inference, layer.edges[0].source)
        assert (back is not None) == trained_before
        if back:
            assert back.matrix.rows * back.matrix.columns * back.matrix.groups == size


def weights_of(node: Node) -> int:
    return node.matrix.rows * node.matrix.columns * node.matrix.groups


def reaches_weights(dataflow: Dataflow, index: int) -> bool:
    node = dataflow.nodes[index]
    learns = node.kind in ("mvm", "gpu")
    return learns or any(reaches_weights(dataflow, edge.source) for edge in node.edges)


def check_updates(dataflow: Dataflow, chosen: Training) -> None:
    """Every copy of weights is written once a batch, row by row, and waits for it."""
    written = [node.of for node in dataflow.nodes if node.kind == "update"]
    assert sorted(written) == [index for index, node in enumerate(dataflow.nodes) if node.has_crossbars]
    maker = {"Optimiser"} if chosen.cores else {"WeightGradient"}
    for index, node in enumerate(dataflow.nodes):
        if node.kind == "update" and node.phase == "update":
            matrix = dataflow.nodes[node.of].matrix
            assert node.grid == (min(chosen.rows, matrix.rows * matrix.groups), 1)
            assert node.every == chosen.batch and node.reduces
            assert {dataflow.nodes[edge.source].operation for edge in node.edges} == maker
            for edge in node.edges:  # all rows of the gradient, in their order
                height = dataflow.nodes[edge.source].grid[0]
                assert edge.rows_lo[0] == 0 and edge.rows_hi[-1] == height - 1
                assert (edge.rows_lo[1:] <= edge.rows_hi[:-1] + 1).all() and (np.diff(edge.rows_lo) >= 0).all()
        if node.kind == "mvm" and node.phase != "gradient":
            weights = node.edges[-1]
            assert dataflow.nodes[weights.source].of == (index if node.has_crossbars else node.of)
            assert (weights.initial, weights.shared, weights.channels) == (1, chosen.batch, 0)
            assert not weights.rows_hi.any() and not weights.cols_hi.any()


def check_saved(dataflow: Dataflow) -> None:
    """Weight gradients read all that their layer read; masks read the output that tells the derivative."""
    for node in dataflow.nodes:
        if node.kind == "mvm" and node.phase == "forward":
            takers = (f"{node.name}/gradient:", f"{node.name}/activations")
            parts = [each for each in dataflow.nodes if each.name.startswith(takers)]
            for edge in node.edges[:-1]:
                kept = [each for part in parts for each in part.edges if each.source == edge.source and each.saved]
                assert sum(each.channels for each in kept) == edge.channels
                filled = edge.rows_hi >= edge.rows_lo
                for each in kept:
                    assert each.rows_lo.max() <= edge.rows_lo[filled].min()
                    assert each.rows_hi.min() >= edge.rows_hi.max()
        if node.operation == "Delta" and named(dataflow, node.name.removesuffix("/delta")).activation:
            masks = [edge for edge in node.edges if edge.saved]
            assert [dataflow.nodes[edge.source].name for edge in masks] == [node.name.removesuffix("/delta")]
    forward = {i for i, node in enumerate(dataflow.nodes) if node.phase == "forward"}
    for node in dataflow.nodes:
        for edge in node.edges:
            if node.phase in ("backward", "gradient") and edge.source in forward and not node.name.endswith("/loss"):
                assert edge.saved or dataflow.nodes[edge.source].operation == "Combine"


def check_room(dataflow: Dataflow) -> None:
    """An edge holds a batch exactly where an image passes a barrier between its ends."""
    barriers = [0] * len(dataflow.nodes)
    for index, node in enumerate(dataflow.nodes):
        for edge in node.edges:
            if not edge.initial:
                here = dataflow.nodes[edge.source].emits_every > 1 or dataflow.nodes[edge.source].every > 1
                step = int(here and node.every == 1)
                barriers[index] = max(barriers[index], barriers[edge.source] + step)
    for index, node in enumerate(dataflow.nodes):
        for edge in node.edges:
            source = dataflow.nodes[edge.source]
            alone = source.every * source.emits_every == 1 and not edge.initial
            writes = node.kind == "update" and node.phase == "gradient"
            waits = alone and barriers[edge.source] < barriers[node.of if writes else index]
            assert edge.holds == (dataflow.batch if waits else 1), (source.name, node.name)


def barriers(dataflow: Dataflow) -> list[int]:
    return [edge.shared for node in dataflow.nodes for edge in node.edges if edge.shared > 1 and not edge.initial]
