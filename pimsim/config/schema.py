"""JSON Schema of a system file, for editors: from the records, with the fields' comments as descriptions."""

from __future__ import annotations

import copy
import inspect
import re
from typing import Any

from pimsim.config import records

_CLASS = re.compile(r"class (\w+)\(")
_FIELD = re.compile(r"    (\w+): .*?(?:  #: (.*))?")
_COMMENT = re.compile(r"    #: (.*)")


def system_schema() -> dict[str, Any]:
    """The schema (draft 2020-12).  A file with ``base`` may leave out every other key."""
    whole = records.System.model_json_schema()
    definitions = whole.pop("$defs")
    definitions["System"] = whole
    _describe(definitions, field_comments())
    definitions |= _optional(definitions)
    definitions["SystemPart"]["properties"]["base"] = {
        "type": "string",
        "description": "a shipped system or a file, relative to this one, of which this file changes parts",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pimsim system",
        "type": "object",
        "if": {"required": ["base"]},
        "then": {"$ref": "#/$defs/SystemPart"},
        "else": {"$ref": "#/$defs/System"},
        "$defs": definitions,
    }


def field_comments() -> dict[str, dict[str, str]]:
    """For each record, the ``#:`` comment of each field that has one."""
    found: dict[str, dict[str, str]] = {}
    record = field = ""
    for line in inspect.getsource(records).splitlines():
        if match := _CLASS.match(line):
            record = match[1]
        elif (match := _FIELD.fullmatch(line)) and record:
            field = match[1]
            if match[2]:
                found.setdefault(record, {})[field] = match[2]
        elif (match := _COMMENT.fullmatch(line)) and field:
            comments = found.setdefault(record, {})
            comments[field] = "; ".join(filter(None, (comments.get(field), match[1])))
    return found


def _describe(definitions: dict[str, Any], comments: dict[str, dict[str, str]]) -> None:
    for record, definition in definitions.items():
        for field, schema in definition.get("properties", {}).items():
            if comment := comments.get(record, {}).get(field):
                schema["description"] = comment


def _optional(definitions: dict[str, Any]) -> dict[str, Any]:
    """Twins of the definitions, named ...Part, that require no key."""
    twins = {}
    for name, definition in definitions.items():
        twin = _with_references_to_parts(copy.deepcopy(definition))
        twin.pop("required", None)
        twins[f"{name}Part"] = twin
    return twins


def _with_references_to_parts(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_with_references_to_parts(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    # Items of a list are not merged with the base's: they stay whole.
    return {
        key: f"{value}Part" if key == "$ref" else value if key == "items" else _with_references_to_parts(value)
        for key, value in schema.items()
    }
