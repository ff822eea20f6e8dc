"""Values of small constants: the arithmetic by which exporters compute shapes, done while importing.

Arrays here are shapes, indices and scales, at most ``LARGEST`` values; weights never come here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

LARGEST = 4096  #: values of a constant that is looked into

Arrays = Sequence[np.ndarray]
Fold = Callable[[Arrays, Mapping[str, Any]], "np.ndarray | list[np.ndarray]"]

#: ONNX's numbers for element types
DTYPES = {
    1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64, 9: np.bool_,
    10: np.float16, 11: np.float64, 12: np.uint32, 13: np.uint64,
}  # fmt: skip


def evaluate(type: str, inputs: Arrays, attributes: Mapping[str, Any]) -> list[np.ndarray] | None:
    """Results of an operation on known values; None where it is not in the table or too large."""
    rule = FOLDS.get(type)
    if rule is None:
        return None
    with np.errstate(all="ignore"):
        try:
            result = rule(inputs, attributes)
        except (ValueError, IndexError, TypeError, KeyError, OverflowError, ZeroDivisionError):
            return None
    results = result if isinstance(result, list) else [result]
    return [np.asarray(each) for each in results] if all(np.size(each) <= LARGEST for each in results) else None


def _axes(values: Arrays, attributes: Mapping[str, Any]) -> list[int] | None:
    if len(values) > 1:
        return [int(axis) for axis in values[1].reshape(-1)]
    return [int(axis) for axis in attributes["axes"]] if attributes.get("axes") is not None else None


def _squeeze(values: Arrays, attributes: Mapping[str, Any]) -> np.ndarray:
    axes = _axes(values, attributes)
    return np.squeeze(values[0], None if axes is None else tuple(axes))


def _unsqueeze(values: Arrays, attributes: Mapping[str, Any]) -> np.ndarray:
    return np.expand_dims(values[0], tuple(_axes(values, attributes) or []))


def _slice(values: Arrays, attributes: Mapping[str, Any]) -> np.ndarray:
    data = values[0]
    given = [value.reshape(-1).tolist() for value in values[1:]]
    given += [attributes.get(key) for key in ("starts", "ends", "axes", "steps")[len(given) :]]  # type: ignore[misc]
    starts, ends = given[0], given[1]
    axes = range(len(starts)) if given[2] is None else given[2]
    steps = [1] * len(starts) if given[3] is None else given[3]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        where: list[Any] = [slice(None)] * data.ndim
        where[axis] = slice(start, None if step < 0 and end < -data.shape[axis] else end, step)
        data = data[tuple(where)]
    return data


def _split(values: Arrays, attributes: Mapping[str, Any]) -> list[np.ndarray]:
    axis = int(attributes.get("axis", 0))
    sizes = values[1].tolist() if len(values) > 1 else attributes.get("split")
    if sizes is None:
        return list(np.array_split(values[0], int(attributes["n_outputs"]), axis))
    return list(np.split(values[0], np.cumsum(sizes)[:-1], axis))


def _reshape(values: Arrays, attributes: Mapping[str, Any]) -> np.ndarray:
    wanted = values[1].tolist() if len(values) > 1 else list(attributes["shape"])
    if not attributes.get("allowzero"):
        wanted = [values[0].shape[at] if n == 0 else n for at, n in enumerate(wanted)]
    return values[0].reshape(wanted)


def _range(values: Arrays, _attributes: Mapping[str, Any]) -> np.ndarray:
    start, limit, delta = (value.reshape(-1)[0] for value in values)
    if (limit - start) / delta > LARGEST:
        raise ValueError("too large")
    return np.arange(start, limit, delta, dtype=values[0].dtype)


def _filled(values: Arrays, attributes: Mapping[str, Any]) -> np.ndarray:
    shape = [int(n) for n in values[0].reshape(-1)]
    if math.prod(shape) > LARGEST:
        raise ValueError("too large")
    return np.full(shape, attributes.get("value", np.float32(0)))


def _expand(values: Arrays, _attributes: Mapping[str, Any]) -> np.ndarray:
    shape = np.broadcast_shapes(values[0].shape, tuple(int(n) for n in values[1].reshape(-1)))
    return np.broadcast_to(values[0], shape)


def _tile(values: Arrays, _attributes: Mapping[str, Any]) -> np.ndarray:
    if values[0].size * math.prod(values[1].tolist()) > LARGEST:
        raise ValueError("too large")
    return np.tile(values[0], values[1].tolist())


def _divide(values: Arrays, _attributes: Mapping[str, Any]) -> np.ndarray:
    a, b = values
    if np.issubdtype(a.dtype, np.integer):
        a_sign, b_sign = np.sign(a), np.sign(b)
        return np.asarray(a_sign * b_sign * (np.abs(a) // np.abs(b)), a.dtype)  # ONNX truncates towards zero
    return np.asarray(a / b)


def _scatter(values: Arrays, _attributes: Mapping[str, Any]) -> np.ndarray:
    result = values[0].copy()
    result[tuple(np.moveaxis(values[1], -1, 0))] = values[2]
    return result


def _cast(values: Arrays, attributes: Mapping[str, Any]) -> np.ndarray:
    return values[0].astype(DTYPES[int(attributes["to"])])


def _reduce(function: Callable[..., np.ndarray]) -> Fold:
    def rule(values: Arrays, attributes: Mapping[str, Any]) -> np.ndarray:
        axes = _axes(values, attributes)
        result: np.ndarray = function(
            values[0], axis=None if axes is None else tuple(axes), keepdims=bool(attributes.get("keepdims", 1))
        )
        return result

    return rule


def _of_all(function: Callable[[Any, Any], np.ndarray]) -> Fold:
    def rule(values: Arrays, _attributes: Mapping[str, Any]) -> np.ndarray:
        result = values[0]
        for value in values[1:]:
            result = function(result, value)
        return result

    return rule


def _plain(function: Callable[..., np.ndarray]) -> Fold:
    return lambda values, _attributes: function(*values)


FOLDS: dict[str, Fold] = {
    "Identity": lambda values, _: values[0],
    "Cast": _cast,
    "Gather": lambda values, attributes: np.take(values[0], values[1], axis=int(attributes.get("axis", 0))),
    "Concat": lambda values, attributes: np.concatenate(
        [np.atleast_1d(each) for each in values], int(attributes["axis"])
    ),
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Slice": _slice,
    "Split": _split,
    "Reshape": _reshape,
    "Flatten": lambda values, attributes: values[0].reshape(
        math.prod(values[0].shape[: attributes.get("axis", 1)]), -1
    ),
    "Transpose": lambda values, attributes: np.transpose(values[0], attributes.get("perm")),
    "Range": _range,
    "ConstantOfShape": _filled,
    "Expand": _expand,
    "Tile": _tile,
    "Where": _plain(np.where),
    "NonZero": lambda values, _: np.array(np.nonzero(values[0]), np.int64),
    "ScatterND": _scatter,
    "Add": _plain(np.add),
    "Sub": _plain(np.subtract),
    "Mul": _plain(np.multiply),
    "Div": _divide,
    "Mod": lambda values, attributes: (np.fmod if attributes.get("fmod") else np.mod)(*values),
    "Pow": lambda values, _: np.power(values[0], values[1]).astype(values[0].dtype),
    "Neg": _plain(np.negative),
    "Abs": _plain(np.abs),
    "Sign": _plain(np.sign),
    "Floor": _plain(np.floor),
    "Ceil": _plain(np.ceil),
    "Round": _plain(np.round),
    "Sqrt": _plain(np.sqrt),
    "Exp": _plain(np.exp),
    "Log": _plain(np.log),
    "Reciprocal": _plain(np.reciprocal),
    "Equal": _plain(np.equal),
    "Greater": _plain(np.greater),
    "GreaterOrEqual": _plain(np.greater_equal),
    "Less": _plain(np.less),
    "LessOrEqual": _plain(np.less_equal),
    "Not": _plain(np.logical_not),
    "And": _plain(np.logical_and),
    "Or": _plain(np.logical_or),
    "Xor": _plain(np.logical_xor),
    "Max": _of_all(np.maximum),
    "Min": _of_all(np.minimum),
    "Sum": _of_all(np.add),
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "ReduceMax": _reduce(np.max),
    "ReduceMin": _reduce(np.min),
    "CumSum": lambda values, _: np.cumsum(values[0], int(values[1])),
}
