"""LSTM and plain recurrent layers: at every step, input and state together meet one matrix a direction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pimsim.errors import InputError
from pimsim.functional.network.layers import Arrays, Matrix, Products

GATES = {"LSTM": 4, "RNN": 1}
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-np.clip(x, -60, 60))),  # exp of more would overflow float32
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
}
USUAL = {"LSTM": ("sigmoid", "tanh", "tanh"), "RNN": ("tanh",)}


@dataclass(frozen=True)
class Recurrent:
    """One or two directions of an LSTM or RNN, by ONNX's equations."""

    kind: str
    matrices: tuple[Matrix, ...]  #: rows: features, then states; columns: gates i o f c
    biases: tuple[np.ndarray, ...]  #: (gates x H,) of each direction; both of ONNX's biases
    peepholes: tuple[np.ndarray, ...]  #: (3, H) of each direction, i o f; or none
    backward: tuple[bool, ...]
    hidden: int
    batch_first: bool  #: ONNX's layout 1
    activations: tuple[tuple[str, ...], ...]  #: of each direction
    clip: float | None = None
    coupled: bool = False  #: ONNX's input_forget

    def run(self, inputs: Arrays, products: Sequence[Products], first_image: int) -> list[np.ndarray]:
        x, states = inputs[0], [*inputs[5:7], None, None]
        assert x is not None
        x = np.swapaxes(x, 0, 1) if self.batch_first else x
        found = [self._direction(at, x, states[0], states[1], products[at], first_image) for at in range(len(products))]
        every = np.stack([each for each, _, _ in found], 1)  # steps, directions, images, hidden
        last = [np.stack(each) for each in list(zip(*found, strict=True))[1:]]
        if self.batch_first:
            return [every.transpose(2, 0, 1, 3), *(np.swapaxes(each, 0, 1) for each in last)]
        return [every, *last]

    def _direction(
        self, at: int, x: np.ndarray, h: np.ndarray | None, c: np.ndarray | None, products: Products, first_image: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """States after every step (steps, images, hidden), and the last h and c."""
        steps, images, _ = x.shape
        start = [self._start(each, at, images, x.dtype) for each in (h, c)]
        state, cell = start
        prepared = products.prepare(x)
        every = np.empty((steps, images, self.hidden), x.dtype)
        order = range(steps - 1, -1, -1) if self.backward[at] else range(steps)
        for n, step in enumerate(order):
            vectors = np.concatenate((prepared[step], products.prepare(state)), axis=1)
            gates = products.multiply(vectors, first_image * steps + n, steps) + self.biases[at]
            state, cell = self._cell(at, gates.astype(x.dtype), cell)
            every[step] = state
        return every, state, cell

    def _start(self, given: np.ndarray | None, at: int, images: int, dtype: Any) -> np.ndarray:
        if given is None or given.size == 0:
            return np.zeros((images, self.hidden), dtype)
        of_direction = given[:, at] if self.batch_first else given[at]
        return np.broadcast_to(of_direction, (images, self.hidden)).astype(dtype)

    def _cell(self, at: int, gates: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        most = np.inf if self.clip is None else self.clip

        def bound(x: np.ndarray) -> np.ndarray:
            return x if self.clip is None else np.clip(x, -most, most)

        inner = [ACTIVATIONS[name] for name in self.activations[at]]
        if self.kind == "RNN":
            return inner[0](bound(gates)), cell
        i, o, f, c = np.split(gates, 4, axis=1)
        peep = self.peepholes[at].astype(gates.dtype) if self.peepholes else np.zeros((3, 1), gates.dtype)
        i = inner[0](bound(i + peep[0] * cell))
        f = 1 - i if self.coupled else inner[0](bound(f + peep[2] * cell))
        cell = f * cell + i * inner[1](bound(c))
        o = inner[0](bound(o + peep[1] * cell))
        return o * inner[2](cell), cell

    def scaled(self, factor: np.ndarray, shift: np.ndarray) -> Recurrent:
        raise NotImplementedError("states pass activations: nothing can be folded into a recurrent layer")

    def compared(self, outputs: Sequence[np.ndarray], at: int) -> np.ndarray:
        return outputs[0][:, :, at] if self.batch_first else outputs[0][:, at]


def recurrent(
    kind: str, name: str, constants: Sequence[np.ndarray | None], attributes: Mapping[str, Any]
) -> Recurrent:
    """Of ONNX's inputs W, R, B and P (at 1, 2, 3 and 7), as far as they are constants.

    Raises:
        InputError: sequence lengths are given, or an activation is not known here.
    """
    w, r, b, lengths, p = ([*constants, *[None] * 8][at] for at in (1, 2, 3, 4, 7))
    assert w is not None and r is not None
    if lengths is not None:
        raise InputError(f"node '{name}': infer cannot evaluate {kind} with sequence lengths of its own")
    directions, _, hidden = r.shape
    gates = GATES[kind] * hidden
    b = np.zeros((directions, 2 * gates)) if b is None else b.astype(np.float64)
    names = [name] if directions == 1 else [f"{name}/forward", f"{name}/backward"]
    matrices = [Matrix(each, np.concatenate((w[d].T, r[d].T)).astype(np.float64)[None]) for d, each in enumerate(names)]
    reverse = attributes.get("direction", "forward") == "reverse"
    clip = attributes.get("clip")
    return Recurrent(
        kind, tuple(matrices), tuple(b[:, :gates] + b[:, gates:]),
        () if p is None else tuple(p.reshape(directions, 3, hidden)), (reverse,) if directions == 1 else (False, True),
        hidden, bool(attributes.get("layout")), _activations(kind, name, attributes, directions),
        None if clip is None else float(clip), bool(attributes.get("input_forget")),
    )  # fmt: skip


def _activations(
    kind: str, name: str, attributes: Mapping[str, Any], directions: int
) -> tuple[tuple[str, ...], ...]:
    given = attributes.get("activations")
    if not given:
        return (USUAL[kind],) * directions
    words = [(each.decode() if isinstance(each, bytes) else str(each)).lower() for each in given]
    for word in words:
        if word not in ACTIVATIONS:
            raise InputError(f"node '{name}': infer cannot evaluate {kind} with the activation {word}",
                             allowed=ACTIVATIONS)  # fmt: skip
    each = len(words) // directions
    return tuple(tuple(words[d * each : (d + 1) * each]) for d in range(directions))
