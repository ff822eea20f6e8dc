"""Plain JSON data become records again."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args, get_origin, get_type_hints


def restored(kind: Any, value: Any) -> Any:
    """Plain JSON data as the record, tuple or dictionary that the annotation ``kind`` names.

    None stays None where it may be; a field that is missing has its default.

    Raises:
        KeyError: a field is missing that has no default.
        TypeError, AttributeError: the data are of another shape.
    """
    record: Any = next((each for each in (kind, *get_args(kind)) if dataclasses.is_dataclass(each)), None)
    if get_origin(kind) is tuple:
        return tuple(restored(get_args(kind)[0], item) for item in value)
    if record is not None and value is not None:
        hints = get_type_hints(record)
        given = {
            field.name: restored(hints[field.name], value[field.name]) for field in dataclasses.fields(record)
            if field.name in value or field.default is dataclasses.MISSING
        }  # fmt: skip
        return record(**given)
    return value
