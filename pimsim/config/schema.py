"""JSON Schemas of system, network and device files, for editors: from the records, fields' comments as descriptions."""

from __future__ import annotations

import copy
import inspect
import re
import sys
from types import ModuleType
from typing import Any

from pimsim.config import records
from pimsim.config.base import Spec
from pimsim.config.device import Device

_CLASS = re.compile(r"class (\w+)\(")
_FIELD = re.compile(r"    (\w+): .*?(?:  #: (.*))?")
_COMMENT = re.compile(r"    #: (.*)")


def system_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of a system.  A file with ``base`` may leave out every other key."""
    return _schema(records.System, "system")


def network_schema() -> dict[str, Any]:
    """The same of a network by itself."""
    return _schema(records.NetworkFile, "network")


def device_schema() -> dict[str, Any]:
    """The same of a device."""
    return _schema(Device, "device")


def _schema(record: type[Spec], word: str) -> dict[str, Any]:
    whole = record.model_json_schema()
    definitions, name = whole.pop("$defs"), record.__name__
    definitions[name] = whole
    _describe(definitions, field_comments())
    definitions |= _optional(definitions)
    definitions[f"{name}Part"]["properties"]["base"] = {
        "type": "string",
        "description": f"a shipped {word} or a file, relative to this one, of which this file changes parts",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"pimsim {word}",
        "type": "object",
        "if": {"required": ["base"]},
        "then": {"$ref": f"#/$defs/{name}Part"},
        "else": {"$ref": f"#/$defs/{name}"},
        "$defs": definitions,
    }


def field_comments() -> dict[str, dict[str, str]]:
    """For each record, the ``#:`` comment of each field that has one."""
    found: dict[str, dict[str, str]] = {}
    record = field = ""
    for line in "\n".join(map(inspect.getsource, _modules())).splitlines():
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
    known = _records()
    for record, definition in definitions.items():
        inherited = [base.__name__ for base in known[record].__mro__]
        for field, schema in definition.get("properties", {}).items():
            found = (comments[base][field] for base in inherited if field in comments.get(base, {}))
            if comment := next(found, None):
                schema["description"] = comment


def _records() -> dict[str, type[Spec]]:
    """Every record of a configuration by its name."""
    found: dict[str, type[Spec]] = {}
    kinds = [Spec]
    while kinds:
        kinds = [below for kind in kinds for below in kind.__subclasses__()]
        found.update((kind.__name__, kind) for kind in kinds if kind.__module__.startswith("pimsim.config."))
    return found


def _modules() -> list[ModuleType]:
    """The modules in which records stand."""
    return list({record.__module__: sys.modules[record.__module__] for record in _records().values()}.values())


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
    # One of several records: without their required keys, more than one of them may fit.
    return {
        "anyOf" if key == "oneOf" else key:
            f"{value}Part" if key == "$ref" else value if key == "items" else _with_references_to_parts(value)
        for key, value in schema.items()
        if key != "discriminator"
    }  # fmt: skip
