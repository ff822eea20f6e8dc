"""Small networks, built window by window: what the tests of mapping and timing run on."""

from __future__ import annotations

import numpy as np

from pimsim.workload.dataflow import Dataflow, Edge, Matrix, Node


class Network:
    """Collects nodes; each method adds one and returns its index."""

    def __init__(self, name: str = "net") -> None:
        self.name, self.nodes = name, []

    def input(self, h: int, w: int, channels: int) -> int:
        return self._add(Node("input", "input", "Input", (h, w), channels))

    def conv(self, source: int, outputs: int, kernel: int = 3, stride: int = 1, pad: int | None = None,
             groups: int = 1, relu: bool = True) -> int:  # fmt: skip
        pad = kernel // 2 if pad is None else pad
        edge = self._window(source, kernel, stride, pad)
        channels = self.nodes[source].channels
        matrix = Matrix(channels * kernel * kernel // groups, outputs // groups, groups, kernel * kernel)
        grid = (edge.rows_lo.size, edge.cols_lo.size)
        actions = {"sigmoid": outputs} if relu else {}
        macs = grid[0] * grid[1] * matrix.rows * outputs
        fused = ("Relu",) if relu else ()
        return self._add(Node(f"conv{len(self.nodes)}", "mvm", "Conv", grid, outputs, (edge,), matrix, actions,
                              macs=macs, activation=fused))  # fmt: skip

    def batch_norm(self, source: int) -> int:
        (h, w), channels = self._grid(source), self.nodes[source].channels
        y, x = np.arange(h), np.arange(w)
        return self._add(Node(f"norm{len(self.nodes)}", "gpu", "BatchNormalization", (h, w), channels,
                              (Edge(source, channels, y, y, x, x),)))  # fmt: skip

    def fc(self, source: int, outputs: int) -> int:
        (h, w), channels = self._grid(source), self.nodes[source].channels
        edge = Edge(source, channels, _span([0]), _span([h - 1]), _span([0]), _span([w - 1]))
        matrix = Matrix(h * w * channels, outputs, 1, h * w)
        macs = matrix.rows * outputs
        return self._add(Node(f"fc{len(self.nodes)}", "mvm", "Gemm", (1, 1), outputs, (edge,), matrix, macs=macs))

    def pool(self, source: int, kernel: int = 2, stride: int = 2) -> int:
        edge = self._window(source, kernel, stride, 0)
        channels = self.nodes[source].channels
        grid = (edge.rows_lo.size, edge.cols_lo.size)
        actions = {"maxpool": channels * kernel * kernel}
        return self._add(Node(f"pool{len(self.nodes)}", "digital", "MaxPool", grid, channels, (edge,), None, actions))

    def add(self, *sources: int) -> int:
        (h, w), channels = self._grid(sources[0]), self.nodes[sources[0]].channels
        y, x = np.arange(h), np.arange(w)
        edges = tuple(Edge(source, channels, y, y, x, x) for source in sources)
        return self._add(Node(f"add{len(self.nodes)}", "digital", "Add", (h, w), channels, edges, None,
                              {"shift_add": channels}))  # fmt: skip

    def mean(self, source: int) -> int:
        (h, w), channels = self._grid(source), self.nodes[source].channels
        y, x = np.arange(h), np.arange(w)
        edges = (Edge(source, channels, y, y, x, x),)
        return self._add(Node(f"mean{len(self.nodes)}", "digital", "GlobalAveragePool", (h, w), channels, edges, None,
                              {"shift_add": channels}, reduces=True))  # fmt: skip

    def recurrent(self, source: int, hidden: int) -> int:
        steps, channels, me = self._grid(source)[0], self.nodes[source].channels, len(self.nodes)
        t, zero = np.arange(steps), _span([0])
        before = Edge(me, hidden, np.maximum(t - 1, 0), t - 1, zero, zero)
        matrix = Matrix(channels + hidden, 4 * hidden)
        return self._add(Node(f"lstm{me}", "mvm", "LSTM", (steps, 1), hidden, (Edge(source, channels, t, t, zero, zero),
                              before), matrix, {"sigmoid": 5 * hidden, "vector": 3 * hidden}))  # fmt: skip

    def finish(self) -> Dataflow:
        consumed = {edge.source for i, node in enumerate(self.nodes) for edge in node.edges if edge.source != i}
        nodes = tuple(
            node if i in consumed else Node(**{**node.__dict__, "is_output": True}) for i, node in enumerate(self.nodes)
        )
        return Dataflow(self.name, nodes)

    def _grid(self, source: int) -> tuple[int, int]:
        return (1, 1) if self.nodes[source].reduces else self.nodes[source].grid

    def _window(self, source: int, kernel: int, stride: int, pad: int) -> Edge:
        (h, w), channels = self._grid(source), self.nodes[source].channels

        def bounds(size: int) -> tuple[np.ndarray, np.ndarray]:
            lo = np.arange((size + 2 * pad - kernel) // stride + 1) * stride - pad
            return np.maximum(lo, 0), np.minimum(lo + kernel - 1, size - 1)

        (rows_lo, rows_hi), (cols_lo, cols_hi) = bounds(h), bounds(w)
        return Edge(source, channels, rows_lo, rows_hi, cols_lo, cols_hi)

    def _add(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1


def _span(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def vgg16(size: int = 224, classifier: bool = True) -> Dataflow:
    """VGG-16 (configuration D)."""
    net = Network("vgg16")
    x = net.input(size, size, 3)
    for outputs, layers in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(layers):
            x = net.conv(x, outputs)
        x = net.pool(x)
    if classifier:
        for outputs in (4096, 4096, 1000):
            x = net.fc(x, outputs)
    return net.finish()
