"""Convolutions and matrix products with constant weights: inputs become vectors, which meet one matrix a group."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from pimsim.functional.network.windows import vectors_of
from pimsim.workload.operations.windows import sliding

Arrays = Sequence["np.ndarray | None"]


@dataclass(frozen=True)
class Matrix:
    """Weights of one node of the Program, as a Program lays them out."""

    name: str  #: of the node
    weights: np.ndarray  #: (G, K, N) G groups; rows channel-major; real numbers, BatchNorm folded


class Products(Protocol):
    """A way in which vectors meet the matrix of one layer."""

    def prepare(self, values: np.ndarray) -> np.ndarray:
        """Values of any shape as the matrix takes them; zero stays zero."""

    def multiply(self, vectors: np.ndarray, first_vector: int, stride: int = 1) -> np.ndarray:
        """(V, G x N) real numbers, of prepared vectors (V, G x K) with the numbers first_vector, first_vector + stride
        and so on over all images."""


class MatrixStep(Protocol):
    """An operation of the network that is one matrix or several."""

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        """In the order of their products."""

    def run(self, inputs: Arrays, products: Sequence[Products], first_image: int) -> list[np.ndarray]:
        """Outputs for a batch of images, of which the first has the number ``first_image``."""

    def scaled(self, factor: np.ndarray, shift: np.ndarray) -> MatrixStep:
        """The step whose outputs (channels) are ``factor x output + shift``."""

    def compared(self, outputs: Sequence[np.ndarray], at: int) -> np.ndarray:
        """What of the outputs belongs to the matrix ``at``."""


@dataclass(frozen=True)
class Convolution:
    """Conv: one vector a window; ConvTranspose: the same on maps with zeros between their values."""

    matrices: tuple[Matrix, ...]
    bias: np.ndarray | None  #: (G x N,)
    kernel: tuple[int, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def run(self, inputs: Arrays, products: Sequence[Products], first_image: int) -> list[np.ndarray]:
        maps = inputs[0]
        assert maps is not None
        dimensions = sliding(maps.shape, self.kernel, self.attributes)
        out = tuple(each.out for each in dimensions)
        vectors = vectors_of(products[0].prepare(maps), dimensions)
        values = products[0].multiply(vectors, first_image * math.prod(out))
        if self.bias is not None:
            values = values + self.bias.astype(values.dtype)
        result = np.moveaxis(values.reshape(maps.shape[0], *out, -1), -1, 1)
        return [np.ascontiguousarray(result, maps.dtype)]

    def scaled(self, factor: np.ndarray, shift: np.ndarray) -> Convolution:
        return Convolution(*_scaled(self.matrices[0], self.bias, factor, shift), self.kernel, self.attributes)

    def compared(self, outputs: Sequence[np.ndarray], at: int) -> np.ndarray:
        return outputs[0]


@dataclass(frozen=True)
class Dense:
    """Gemm and MatMul: one vector a row of the input, or a column where the weights stand on the left."""

    matrices: tuple[Matrix, ...]
    bias: np.ndarray | None = None  #: whatever broadcasts to the output
    weights_left: bool = False
    transposed: bool = False  #: the input is transposed first (Gemm's transA)
    flattened: bool = False  #: the input is images x values (Gemm before opset 7)
    vector: bool = False  #: the weights are one vector, the output lacks their dimension
    image_axis: int = 0  #: dimension of the input along which images lie

    def run(self, inputs: Arrays, products: Sequence[Products], first_image: int) -> list[np.ndarray]:
        given = inputs[1 if self.weights_left else 0]
        assert given is not None
        x = given.reshape(given.shape[0], -1) if self.flattened and given.ndim > 2 else given
        if self.transposed or (self.weights_left and x.ndim > 1):
            x = np.swapaxes(x, -1, -2)
        x = np.moveaxis(x, self.image_axis, 0)
        prepared = products[0].prepare(np.ascontiguousarray(x))
        of_image = math.prod(x.shape[1:-1]) if x.ndim > 1 else 1
        values = products[0].multiply(prepared.reshape(-1, x.shape[-1]), first_image * of_image)
        values = np.moveaxis(values.reshape(*x.shape[:-1], -1), 0, self.image_axis)
        if self.vector:
            values = values[..., 0]
        elif self.weights_left and x.ndim > 1:
            values = np.swapaxes(values, -1, -2)
        if self.bias is not None:
            values = values + self.bias.astype(values.dtype)
        return [values.astype(given.dtype, copy=False)]

    def scaled(self, factor: np.ndarray, shift: np.ndarray) -> Dense:
        matrices, bias = _scaled(self.matrices[0], self.bias, factor, shift)
        return replace(self, matrices=matrices, bias=bias)

    def compared(self, outputs: Sequence[np.ndarray], at: int) -> np.ndarray:
        return outputs[0]


def _scaled(
    matrix: Matrix, bias: np.ndarray | None, factor: np.ndarray, shift: np.ndarray
) -> tuple[tuple[Matrix, ...], np.ndarray]:
    groups, _, columns = matrix.weights.shape
    weights = matrix.weights * factor.reshape(groups, 1, columns)
    return (Matrix(matrix.name, weights),), (0.0 if bias is None else bias) * factor + shift


def convolution(name: str, weights: np.ndarray, bias: np.ndarray | None, attributes: Mapping[str, Any]) -> Convolution:
    """Of ONNX's weights (M, C / groups, kernel...)."""
    groups = int(attributes.get("group") or 1)
    matrix = weights.astype(np.float64).reshape(groups, weights.shape[0] // groups, -1).transpose(0, 2, 1)
    bias = None if bias is None else bias.astype(np.float64).reshape(-1)
    return Convolution((Matrix(name, np.ascontiguousarray(matrix)),), bias, weights.shape[2:], dict(attributes))


def gemm(
    name: str, weights: np.ndarray, bias: np.ndarray | None, attributes: Mapping[str, Any], rank: int
) -> Dense:
    """alpha x A x B + beta x C, of constant B and C; ``rank`` is that of A."""
    matrix = (weights.T if attributes.get("transB") else weights).astype(np.float64) * attributes.get("alpha", 1.0)
    bias = None if bias is None else bias.astype(np.float64) * attributes.get("beta", 1.0)
    return Dense((Matrix(name, np.ascontiguousarray(matrix)[None]),), bias, transposed=bool(attributes.get("transA")),
                 flattened=rank > 2)  # fmt: skip


def matmul(name: str, weights: np.ndarray, left: bool, shape: Sequence[int]) -> Dense:
    """Of constant weights (K, N) on the right, (M, K) on the left, or (K,); ``shape`` is that of the other operand.

    Behind a recurrent layer the steps come before the images, which lie along the first dimension of one value.
    """
    vector = weights.ndim == 1
    matrix = weights.astype(np.float64)
    matrix = matrix[:, None] if vector else matrix.T if left else matrix
    axis = next((at for at, size in enumerate(shape[:-1]) if size == 1), 0) if not left else 0
    return Dense((Matrix(name, np.ascontiguousarray(matrix)[None]),), weights_left=left, vector=vector, image_axis=axis)
