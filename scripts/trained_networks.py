"""The trained networks that pimsim ships: each as a torch module, and how it is written as ONNX."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import onnx
import torch
from torch import nn

from scripts.onnx_graph import OnnxGraph

CLASSES = 10


class Trained(Protocol):
    """A module that can write itself as ONNX; ``forward`` takes (N, C, H, W) and returns (N, 10)."""

    def to_onnx(self, name: str, facts: dict[str, str]) -> onnx.ModelProto:
        """The network with its weights."""


class Mlp(nn.Module):
    """Two hidden layers on 8x8 pixels."""

    SIZES = (64, 64, 32, CLASSES)

    def __init__(self) -> None:
        super().__init__()
        pairs = zip(self.SIZES, self.SIZES[1:], strict=False)
        self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in pairs)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        values = image.flatten(1)
        for layer in self.layers[:-1]:
            values = torch.relu(layer(values))
        return self.layers[-1](values)

    def to_onnx(self, name: str, facts: dict[str, str]) -> onnx.ModelProto:
        graph = OnnxGraph(name, (1, 8, 8))
        values = graph.flatten("image")
        for at, layer in enumerate(self.layers[:-1], 1):
            values = graph.relu(gemm(graph, values, f"fc{at}", layer), f"relu{at}")
        return graph.model(gemm(graph, values, "scores", self.layers[-1]), CLASSES, facts)


class LeNet5(nn.Module):
    """LeNet-5 (LeCun et al., Proc. IEEE 1998, figure 2) with what is usual today: ReLU, maximum pooling, a plain
    last layer, and every map of S2 connected to every map of C3.  28x28 pixels are padded to the paper's 32x32."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, CLASSES)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        values = nn.functional.max_pool2d(torch.relu(self.conv1(image)), 2)
        values = nn.functional.max_pool2d(torch.relu(self.conv2(values)), 2).flatten(1)
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(values)))))

    def to_onnx(self, name: str, facts: dict[str, str]) -> onnx.ModelProto:
        graph = OnnxGraph(name, (1, 28, 28))
        values = graph.relu(conv(graph, "image", "conv1", self.conv1), "relu1")
        values = graph.max_pool(values, "pool1")
        values = graph.relu(conv(graph, values, "conv2", self.conv2), "relu2")
        values = graph.flatten(graph.max_pool(values, "pool2"))
        values = graph.relu(gemm(graph, values, "fc1", self.fc1), "relu3")
        values = graph.relu(gemm(graph, values, "fc2", self.fc2), "relu4")
        return graph.model(gemm(graph, values, "scores", self.fc3), CLASSES, facts)


class Block(nn.Module):
    """Residual block: two 3x3 convolutions; a 1x1 convolution in the shortcut where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        changes = stride != 1 or inputs != outputs
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if changes else None
        self.shortcut_bn = nn.BatchNorm2d(outputs) if changes else None

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        kept = values if self.shortcut is None else self.shortcut_bn(self.shortcut(values))
        return torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(values))))) + kept)

    def write(self, graph: OnnxGraph, source: str, name: str) -> str:
        """Nodes ``name_conv1``, ``name_bn1``, ...; the result's name."""
        values = batch_norm(graph, conv(graph, source, f"{name}_conv1", self.conv1), f"{name}_bn1", self.bn1)
        values = conv(graph, graph.relu(values, f"{name}_relu1"), f"{name}_conv2", self.conv2)
        values, kept = batch_norm(graph, values, f"{name}_bn2", self.bn2), source
        if self.shortcut is not None:
            kept = conv(graph, source, f"{name}_shortcut", self.shortcut)
            kept = batch_norm(graph, kept, f"{name}_shortcut_bn", self.shortcut_bn)
        return graph.relu(graph.add("Add", [values, kept], f"{name}_add"), f"{name}_relu2")


class ResNet8(nn.Module):
    """The CIFAR-10 family of He et al. (CVPR 2016, section 4.2) with one block a stage: 16, 32, 64 channels."""

    STAGES = ((16, 16, 1), (16, 32, 2), (32, 64, 2))

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.blocks = nn.ModuleList(Block(*stage) for stage in self.STAGES)
        self.fc = nn.Linear(64, CLASSES)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        values = torch.relu(self.bn1(self.conv1(image)))
        for block in self.blocks:
            values = block(values)
        return self.fc(values.mean((2, 3)))

    def to_onnx(self, name: str, facts: dict[str, str]) -> onnx.ModelProto:
        graph = OnnxGraph(name, (1, 28, 28))
        values = batch_norm(graph, conv(graph, "image", "conv1", self.conv1), "bn1", self.bn1)
        values = graph.relu(values, "relu1")
        for at, block in enumerate(self.blocks, 1):
            values = block.write(graph, values, f"block{at}")
        values = graph.flatten(graph.add("GlobalAveragePool", [values], "mean"))
        return graph.model(gemm(graph, values, "scores", self.fc), CLASSES, facts)


class RowLstm(nn.Module):
    """An LSTM that reads an image row by row, from the top; its last hidden state is classified."""

    def __init__(self, side: int, hidden: int) -> None:
        super().__init__()
        self.side = side
        self.lstm, self.fc = nn.LSTM(side, hidden), nn.Linear(hidden, CLASSES)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        _, (last, _) = self.lstm(image.squeeze(1).transpose(0, 1))
        return self.fc(last.squeeze(0))

    def to_onnx(self, name: str, facts: dict[str, str]) -> onnx.ModelProto:
        graph = OnnxGraph(name, (1, self.side, self.side))
        rows = graph.add("Transpose", [graph.squeeze("image", "rows", 1)], "steps", perm=[1, 0, 2])
        bias = _gates(self.lstm.bias_ih_l0) + _gates(self.lstm.bias_hh_l0)
        last = graph.lstm(rows, "lstm", _gates(self.lstm.weight_ih_l0), _gates(self.lstm.weight_hh_l0), bias)
        return graph.model(gemm(graph, graph.squeeze(last, "last", 0), "scores", self.fc), CLASSES, facts)


def conv(graph: OnnxGraph, source: str, name: str, layer: nn.Conv2d) -> str:
    """A torch convolution as a node."""
    bias = None if layer.bias is None else _numpy(layer.bias)
    return graph.conv(source, name, _numpy(layer.weight), bias, layer.stride[0], layer.padding[0])


def batch_norm(graph: OnnxGraph, source: str, name: str, layer: nn.BatchNorm2d) -> str:
    """A torch batch normalisation as a node."""
    values = {
        "scale": layer.weight, "shift": layer.bias, "mean": layer.running_mean, "variance": layer.running_var,
    }  # fmt: skip
    return graph.batch_norm(source, name, {key: _numpy(value) for key, value in values.items()}, layer.eps)


def gemm(graph: OnnxGraph, source: str, name: str, layer: nn.Linear) -> str:
    """A torch linear layer as a node."""
    return graph.gemm(source, name, _numpy(layer.weight), _numpy(layer.bias))


def _numpy(values: torch.Tensor) -> np.ndarray:
    return values.detach().numpy()


def _gates(values: torch.Tensor) -> np.ndarray:
    """Gates from torch's order (input, forget, cell, output) to ONNX's (input, output, forget, cell)."""
    enter, forget, cell, leave = np.split(_numpy(values), 4)
    return np.concatenate([enter, leave, forget, cell])
