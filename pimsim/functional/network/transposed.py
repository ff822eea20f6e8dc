"""Transposed convolution: a convolution of maps with zeros between their values (every window drives the kernel)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pimsim.errors import InputError
from pimsim.functional.network.layers import Arrays, Convolution, Products, convolution


@dataclass(frozen=True)
class TransposedConvolution(Convolution):
    """A stride-1 convolution behind the insertion of zeros."""

    strides: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()  #: before each dimension, then after each

    def run(self, inputs: Arrays, products: Sequence[Products], first_image: int) -> list[np.ndarray]:
        maps, n = inputs[0], len(self.strides)
        assert maps is not None
        between = [(size - 1) * stride + 1 for size, stride in zip(maps.shape[2:], self.strides, strict=True)]
        sizes = [size + self.pads[at] + self.pads[n + at] for at, size in enumerate(between)]
        spread = np.zeros((*maps.shape[:2], *sizes), maps.dtype)
        at = [slice(self.pads[d], self.pads[d] + between[d], self.strides[d]) for d in range(n)]
        spread[(slice(None), slice(None), *at)] = maps
        return super().run([spread], products, first_image)

    def scaled(self, factor: np.ndarray, shift: np.ndarray) -> TransposedConvolution:
        plain = super().scaled(factor, shift)
        return TransposedConvolution(plain.matrices, plain.bias, self.kernel, self.attributes, self.strides, self.pads)


def transposed_convolution(
    name: str, weights: np.ndarray, bias: np.ndarray | None, attributes: Mapping[str, Any]
) -> TransposedConvolution:
    """Of ONNX's weights (C, M / groups, kernel...).

    Raises:
        InputError: the output's size is given in another way than by ``pads`` and ``output_padding``.
    """
    n, groups = weights.ndim - 2, int(attributes.get("group") or 1)
    if attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or attributes.get("output_shape"):
        raise InputError(f"node '{name}': infer cannot evaluate ConvTranspose with auto_pad or output_shape")
    strides = tuple(attributes.get("strides") or [1] * n)
    dilations = list(attributes.get("dilations") or [1] * n)
    given = list(attributes.get("pads") or [0] * 2 * n)
    extra = list(attributes.get("output_padding") or [0] * n)
    reach = [(weights.shape[2 + at] - 1) * dilations[at] for at in range(n)]
    pads = [reach[at] - given[at] for at in range(n)] + [reach[at] - given[n + at] + extra[at] for at in range(n)]
    if min(pads) < 0:
        raise InputError(f"node '{name}': infer cannot evaluate ConvTranspose with pads larger than its kernel")
    turned = np.flip(weights, axis=tuple(range(2, 2 + n)))
    parts = turned.reshape(groups, weights.shape[0] // groups, *weights.shape[1:])
    plain = np.swapaxes(parts, 1, 2).reshape(-1, weights.shape[0] // groups, *weights.shape[2:])
    made = convolution(name, plain, bias, {"group": groups, "dilations": dilations})
    return TransposedConvolution(made.matrices, made.bias, made.kernel, made.attributes, strides, tuple(pads))
