"""Takes images through a network three times at once: in floating point, in exact integers, and on crossbars.

The three go step by step together, so that layers can be compared, and what is equal is computed once: while no
crossbar has differed from the exact product, the fixed-point network and that on crossbars are the same arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pimsim.functional.network.graph import Network, Step
from pimsim.functional.network.layers import Products
from pimsim.functional.network.products import CrossbarProducts, ExactProducts, FloatProducts, power

BATCH_BYTES = 8 * 2**20
"""Images go through together while the vectors and products of the largest layer stay below this, and at most
MOST_IMAGES of them: memory does not grow with the number of images."""
MOST_IMAGES = 256

Values = dict[str, np.ndarray]


@dataclass(frozen=True)
class Outputs:
    """(N, ...) results of a batch."""

    floating: np.ndarray
    fixed: np.ndarray
    crossbar: np.ndarray


class Executor:
    """A network whose layers are ready; one list of products for each matrix step, in its order of matrices."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.floating = [[FloatProducts(each) for each in step.matrix.matrices] for step in network.matrix_steps]  # type: ignore[union-attr]
        self.one_by_one = False  #: the network takes no batch
        self._last = _last_use(network)

    def observe(self, images: np.ndarray) -> np.ndarray:
        """Outputs in floating point, with the ranges of all layers' inputs kept (``FloatProducts.seen``)."""
        for products in self.floating:
            for each in products:
                each.observing = True
        result = self.floats(images)
        for products in self.floating:
            for each in products:
                each.observing = False
        return result

    def floats(self, images: np.ndarray) -> np.ndarray:
        """Outputs (N, ...) in floating point."""
        return self.alone(images, self.floating)

    def alone(self, images: np.ndarray, products: Sequence[Sequence[Products]], first_image: int = 0) -> np.ndarray:
        """Outputs (N, ...) of a batch under one kind of products."""
        if self.one_by_one and len(images) > 1:
            each = [self._alone(images[at : at + 1], products, first_image + at) for at in range(len(images))]
            return np.concatenate(each)
        return self._alone(images, products, first_image)

    def _alone(self, images: np.ndarray, products: Sequence[Sequence[Products]], first_image: int) -> np.ndarray:
        values = self._start(images)
        matrices = iter(products)
        for at, step in enumerate(self.network.steps):
            found = _run(step, values, next(matrices) if step.matrix else (), first_image)
            values.update(zip(step.outputs, found, strict=False))
            for name in self._last.get(at, ()):
                values.pop(name, None)
        return self._end(values, len(images))

    def together(
        self,
        images: np.ndarray,
        fixed: Sequence[Sequence[ExactProducts]],
        crossbars: Sequence[Sequence[CrossbarProducts]],
        first_image: int,
    ) -> Outputs:
        """A batch under all three, layers compared on the way (``CrossbarProducts.counts``)."""
        if self.one_by_one and len(images) > 1:
            parts = [self.together(images[at : at + 1], fixed, crossbars, first_image + at)
                     for at in range(len(images))]  # fmt: skip
            return Outputs(*(np.concatenate([getattr(part, name) for part in parts])
                             for name in ("floating", "fixed", "crossbar")))  # fmt: skip
        streams = [self._start(images) for _ in range(3)]
        places = iter(range(len(crossbars)))
        for at, step in enumerate(self.network.steps):
            if step.matrix is None:
                found = _digital(step, streams)
            else:
                place = next(places)
                found = self._matrices(step, streams, self.floating[place], fixed[place], crossbars[place], first_image)
            for values, outputs in zip(streams, found, strict=True):
                values.update(zip(step.outputs, outputs, strict=False))
                for name in self._last.get(at, ()):
                    values.pop(name, None)
        return Outputs(*(self._end(values, len(images)) for values in streams))

    def _matrices(
        self,
        step: Step,
        streams: Sequence[Values],
        floating: Sequence[FloatProducts],
        fixed: Sequence[ExactProducts],
        crossbars: Sequence[CrossbarProducts],
        first_image: int,
    ) -> list[list[np.ndarray]]:
        for each in crossbars:
            each.differs = False
        in_float = _run(step, streams[0], floating, first_image)
        on_crossbars = _run(step, streams[2], crossbars, first_image)
        same = _same(step, streams[1], streams[2]) and not any(each.differs for each in crossbars)
        in_fixed = on_crossbars if same else _run(step, streams[1], fixed, first_image)
        assert step.matrix is not None
        for at, each in enumerate(crossbars):
            wanted, got = step.matrix.compared(in_float, at), step.matrix.compared(on_crossbars, at)
            each.counts.compared += wanted.size
            each.counts.network_signal += power(wanted)
            each.counts.network_noise += power(got - wanted)
        return [in_float, in_fixed, on_crossbars]

    def _start(self, images: np.ndarray) -> Values:
        given = np.moveaxis(images, 0, self.network.batch_axis) if self.network.batch_axis else images
        return {**self.network.constants, self.network.input: given}

    def _end(self, values: Values, images: int) -> np.ndarray:
        result = values[self.network.output]
        return result.reshape(1, *result.shape) if images == 1 and result.ndim == 0 else result


def _last_use(network: Network) -> dict[int, list[str]]:
    """Tensors that nobody reads after a step."""
    last = {name: at for at, step in enumerate(network.steps) for name in (*step.inputs, *step.outputs) if name}
    ends: dict[int, list[str]] = {}
    for name, at in last.items():
        if name != network.output and name not in network.constants:
            ends.setdefault(at, []).append(name)
    return ends


def _run(step: Step, values: Values, products: Sequence[Products], first_image: int) -> list[np.ndarray]:
    inputs = [values[name] if name else None for name in step.inputs]
    if step.matrix is not None:
        return step.matrix.run(inputs, products, first_image)
    assert step.evaluate is not None
    return step.evaluate(inputs)


def _digital(step: Step, streams: Sequence[Values]) -> list[list[np.ndarray]]:
    in_float, on_crossbars = (_run(step, streams[at], (), 0) for at in (0, 2))
    in_fixed = on_crossbars if _same(step, streams[1], streams[2]) else _run(step, streams[1], (), 0)
    return [in_float, in_fixed, on_crossbars]


def _same(step: Step, a: Values, b: Values) -> bool:
    """Whether a step reads the very same arrays in both."""
    return all(a[name] is b[name] for name in step.inputs if name)
