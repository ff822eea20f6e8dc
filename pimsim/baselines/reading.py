"""From a YAML or JSON file to a checked record; one line says what is wrong, and where."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from pimsim.config import keys
from pimsim.config.base import Spec
from pimsim.errors import InputError, shown
from pimsim.yaml_source import KeyPath, Lines, load_yaml

_Record = TypeVar("_Record", bound=Spec)


def read_record(path: str | Path, schema: type[_Record]) -> _Record:
    """The file's content as a record; JSON is YAML.

    Raises:
        InputError: file, line, key, what is wrong, and what is allowed.
    """
    data, lines = load_yaml(path)
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        raise _one_line(error, schema, path, lines) from None


def _one_line(error: ValidationError, schema: type[Spec], path: str | Path, lines: Lines) -> InputError:
    # Misspelt keys first: they also make the key that was meant look missing.
    first = min(error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden")
    location = first["loc"]
    unknown = first["type"] == "extra_forbidden"
    _, kind = keys.descend(schema, location[:-1] if unknown else location)
    if unknown:
        what, allowed = keys.unknown_key(kind, str(location[-1])), keys.keys_of(kind)
    elif first["type"] == "missing":
        what, allowed = "is missing", [keys.allowed(kind)]
    elif first["type"] == "value_error":
        what, allowed = str(first["ctx"]["error"]), None
    else:
        what, allowed = f"{shown(first['input'])} is not allowed", [keys.allowed(kind)]
    return InputError(what, file=path, line=_line(lines, location), key=".".join(map(str, location)), allowed=allowed)


def _line(lines: Lines, location: KeyPath) -> int | None:
    """Line of a key, or of the closest key around it."""
    for end in range(len(location), 0, -1):
        if location[:end] in lines:
            return lines[location[:end]]
    return None
