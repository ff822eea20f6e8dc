"""Which keys a record has, and what each may hold: from the records' own annotations."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pimsim.errors import did_you_mean


def keys_of(kind: Any, tag: Sequence[str | int] = ()) -> list[str] | None:
    """Keys of a value of type ``kind``; None where any key is allowed or none is.

    Where ``kind`` may be one of several records, those of all, or of the one whose ``kind`` is in ``tag``.
    """
    models = _models(kind)
    if len(models) > 1 and (tagged := [model for model in models if _tag(model) in tag]):
        models = tagged
    return list(dict.fromkeys(name for model in models for name in model.model_fields)) if models else None


def child(kind: Any, key: str | int) -> Any:
    """Type of what stands under ``key`` in a value of type ``kind``; None if there is no such key."""
    if models := _models(kind):
        fields = [model.model_fields[str(key)] for model in models if str(key) in model.model_fields]
        if len({str(field) for field in fields}) > 1:
            return Union[tuple(field.annotation for field in fields)]  # noqa: UP007
        return fields[0] if fields else None
    for option in _options(kind):
        origin, arguments = get_origin(option), get_args(option)
        if origin is dict:
            return arguments[1]
        if origin is tuple and isinstance(key, int):
            index = 0 if arguments[-1] is Ellipsis else key
            return arguments[index] if index < len(arguments) else None
    return None


def unknown_key(kind: Any, word: str, tag: Sequence[str | int] = ()) -> str:
    """What is wrong with ``word``, which is no key of a value of type ``kind``; what it was meant to be, if known."""
    for model in _models(kind):
        if word in (replaced := getattr(model, "replaced", {})):
            return f"there is no such key any more: {replaced[word]}"
    known = keys_of(kind, tag) or []
    if word in (keys_of(kind) or []):
        return f"there is no such key with this kind ({', '.join(map(str, tag))})"
    return f"there is no such key{did_you_mean(word, known)}"


def without_tags(kind: Any, location: Sequence[str | int]) -> tuple[str | int, ...]:
    """An error's location without the words by which pydantic says which of several records it took."""
    path: list[str | int] = []
    for step in location:
        tagged = [model for model in _models(kind) if len(_models(kind)) > 1 and _tag(model) == step]
        if tagged:
            kind = tagged[0]
            continue
        path.append(step)
        kind = child(kind, step)
    return tuple(path)


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
    """The types that a value may have: the members of a union, and of unions in it."""
    if isinstance(kind, FieldInfo):
        kind = kind.annotation
    inner = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if get_origin(inner) in (Union, types.UnionType):
        return tuple(option for member in get_args(inner) for option in _options(member))
    return (kind,)


def _models(kind: Any) -> list[type[BaseModel]]:
    return [option for option in _options(kind) if isinstance(option, type) and issubclass(option, BaseModel)]


def _tag(model: type[BaseModel]) -> str | None:
    """The one word that ``kind`` may be in this record."""
    field = model.model_fields.get("kind")
    words = get_args(field.annotation) if field is not None else ()
    return words[0] if len(words) == 1 else None


def _bounds(kind: Any) -> list[Any]:
    return list(kind.metadata) if isinstance(kind, FieldInfo) else []


def _words(kind: Any, bounds: list[Any]) -> str:
    if get_origin(kind) is Annotated:
        kind, *metadata = get_args(kind)
        bounds = bounds + [item for data in metadata for item in getattr(data, "metadata", [data])]
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    if _models(kind):
        return "a mapping with the keys " + ", ".join(keys_of(kind) or ())
    if get_origin(kind) is tuple:
        return _words_of_list(get_args(kind))
    if get_origin(kind) is dict:
        return f"a mapping of names to {allowed(get_args(kind)[1])}"
    names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "null"}
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
