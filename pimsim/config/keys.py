"""Which keys a record has, and what each may hold: from the records' own annotations."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo


def keys_of(kind: Any) -> list[str] | None:
    """Keys of a value of type ``kind``; None where any key is allowed or none is."""
    model = _model(kind)
    return list(model.model_fields) if model else None


def child(kind: Any, key: str | int) -> Any:
    """Type of what stands under ``key`` in a value of type ``kind``; None if there is no such key."""
    if model := _model(kind):
        field = model.model_fields.get(str(key))
        return field if field is not None else None
    for option in _options(kind):
        origin, arguments = get_origin(option), get_args(option)
        if origin is dict:
            return arguments[1]
        if origin is tuple and isinstance(key, int):
            index = 0 if arguments[-1] is Ellipsis else key
            return arguments[index] if index < len(arguments) else None
    return None


def is_free_mapping(kind: Any) -> bool:
    """Whether the keys are the user's own, such as names of layers."""
    return any(get_origin(option) is dict for option in _options(kind))


def descend(kind: Any, path: Sequence[str | int]) -> tuple[tuple[str | int, ...], Any]:
    """The longest beginning of ``path`` that exists below ``kind``, and the type found there."""
    for depth, key in enumerate(path):
        below = child(kind, key)
        if below is None:
            return tuple(path[:depth]), kind
        kind = below
    return tuple(path), kind


def allowed(kind: Any) -> str:
    """What a value of type ``kind`` may be, in words."""
    words = [_words(option, _bounds(kind)) for option in _options(kind)]
    return " or ".join(dict.fromkeys(words))


def _options(kind: Any) -> tuple[Any, ...]:
    """The types that a value may have: the members of a union, without their annotations' metadata."""
    if isinstance(kind, FieldInfo):
        kind = kind.annotation
    if get_origin(kind) in (Union, types.UnionType):
        return get_args(kind)
    return (kind,)


def _model(kind: Any) -> type[BaseModel] | None:
    for option in _options(kind):
        if isinstance(option, type) and issubclass(option, BaseModel):
            return option
    return None


def _bounds(kind: Any) -> list[Any]:
    return list(kind.metadata) if isinstance(kind, FieldInfo) else []


def _words(kind: Any, bounds: list[Any]) -> str:
    if get_origin(kind) is Annotated:
        kind, *metadata = get_args(kind)
        bounds = bounds + [item for data in metadata for item in getattr(data, "metadata", [data])]
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    if _model(kind):
        return "a mapping with the keys " + ", ".join(keys_of(kind) or ())
    if get_origin(kind) is tuple:
        return _words_of_list(get_args(kind))
    if get_origin(kind) is dict:
        return f"a mapping of names to {allowed(get_args(kind)[1])}"
    names = {int: "a whole number", float: "a number", str: "a text", type(None): "null"}
    return " ".join([names.get(kind, str(kind)), *_words_of_bounds(bounds)] if kind in (int, float) else [names[kind]])


def _words_of_list(items: tuple[Any, ...]) -> str:
    if items[-1] is Ellipsis:
        return f"a list of {allowed(items[0])}"
    return f"a list of {len(items)}, each {allowed(items[0])}"


def _words_of_bounds(bounds: list[Any]) -> list[str]:
    words = [f"above {_plain(bound.gt)}" for bound in bounds if isinstance(bound, Gt)]
    words += [f"from {_plain(bound.ge)}" for bound in bounds if isinstance(bound, Ge)]
    return words + [f"to {_plain(bound.le)}" for bound in bounds if isinstance(bound, Le)]


def _plain(bound: Any) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"
