"""YAML as pimsim reads it: plain data, and the line on which every key stands.

Scalars follow YAML 1.2's core schema: ``1e-9`` is a number, and ``yes``, ``no``, ``on``, ``off``
are strings (YAML 1.1, PyYAML's default, has it the other way round).  Every key is a string.
Tags, merge keys, duplicate keys and further documents are refused, so that a file from a
stranger can neither execute anything nor mean something else than it seems to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pimsim.errors import InputError, shown

KeyPath = tuple[str | int, ...]
Lines = dict[KeyPath, int]

MAX_BYTES = 32 * 2**20
MAX_DEPTH = 64
MAX_VALUES = 1_000_000  #: values after every alias is written out

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML was built with it: ten times faster


def load_yaml(path: str | Path) -> tuple[dict[str, Any], Lines]:
    """Read a YAML file whose top level is a mapping.

    Returns:
        The data, and a map from key paths such as ``('chip', 'stages', 0)`` to 1-based lines.

    Raises:
        InputError: the file cannot be read, is not UTF-8, is not YAML, or uses what is refused.
    """
    data, lines = parse_yaml(_read_text(path), path)
    if not isinstance(data, dict):
        kind = {list: "a list", type(None): "nothing"}.get(type(data), "a single value")
        raise InputError(f"the file holds {kind}", file=path, line=1, allowed="'key: value' lines at the top level")
    return data, lines


def parse_yaml(text: str, file: object = None) -> tuple[Any, Lines]:
    """Read one YAML value from ``text``; errors name ``file``.  See :func:`load_yaml`."""
    try:
        loader = _Parser(text)
        try:
            return _Builder(_events(loader), file).document()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = f"not YAML: {error.problem or error.context or 'cannot be parsed'}"
        raise InputError(what, file=file, line=mark.line + 1 if mark else None) from None
    except yaml.YAMLError as error:
        what = f"not text: {getattr(error, 'reason', None) or str(error)}"
        raise InputError(what, file=file, allowed="YAML in UTF-8") from None


def _read_text(path: str | Path) -> str:
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise InputError("is a folder", file=path, allowed="a YAML file") from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from None
    except ValueError as error:  # a NUL in the name
        raise InputError(f"cannot be read: {error}", file=path) from None
    if len(raw) > MAX_BYTES:
        raise InputError("is too large", file=path, allowed=f"at most {MAX_BYTES // 2**20} MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError("not UTF-8 text", file=path, line=line, allowed="YAML in UTF-8") from None


def _events(loader: Any) -> Iterator[Any]:
    while loader.check_event():
        yield loader.get_event()


@dataclass
class _Node:
    """A value, the lines inside it by relative key path, and how many values it holds."""

    value: Any
    lines: Lines
    line: int
    size: int = 1


class _Builder:
    """Builds plain data from a parser's events; counts, so that nested aliases cannot explode."""

    def __init__(self, events: Iterator[Any], file: object) -> None:
        self.events = events
        self.file = file
        self.anchors: dict[str, _Node] = {}
        self.total = 0  # values built, aliases written out

    def document(self) -> tuple[Any, Lines]:
        event = next(self.events)  # start of the stream
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            return None, {}
        node = self._node(event, 0)
        next(self.events)  # end of the document
        event = next(self.events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self._error("a second document", event, allowed="one document in a file")
        return node.value, node.lines

    def _node(self, event: Any, depth: int) -> _Node:
        if depth > MAX_DEPTH:
            raise self._error("nested too deeply", event, allowed=f"at most {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise self._error(f"the alias {shown(event.anchor)} has no anchor before it", event)
            node = self.anchors[event.anchor]
            self._grow(node.size, event)
            return node
        self._grow(1, event)
        self._refuse_tag(event)
        if isinstance(event, yaml.ScalarEvent):
            assert event.start_mark is not None
            node = _Node(self._scalar(event), {}, event.start_mark.line + 1)
        elif isinstance(event, yaml.MappingStartEvent):
            node = self._mapping(event, depth)
        else:
            node = self._sequence(event, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _grow(self, size: int, event: Any) -> None:
        self.total += size
        if self.total > MAX_VALUES:
            raise self._error("too many values, aliases written out", event, allowed=f"at most {MAX_VALUES}")

    def _mapping(self, start: Any, depth: int) -> _Node:
        data: dict[str, Any] = {}
        node = _Node(data, {}, start.start_mark.line + 1)
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._key(event)
            if key in data:
                first = node.lines[(key,)]
                raise self._error(f"duplicate key, first given on line {first}", event, key=key)
            child = self._node(next(self.events), depth + 1)
            data[key] = child.value
            self._adopt(node, key, child, event.start_mark.line + 1)
        return node

    def _sequence(self, start: Any, depth: int) -> _Node:
        data: list[Any] = []
        node = _Node(data, {}, start.start_mark.line + 1)
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            child = self._node(event, depth + 1)
            data.append(child.value)
            self._adopt(node, len(data) - 1, child, event.start_mark.line + 1)
        return node

    @staticmethod
    def _adopt(parent: _Node, key: str | int, child: _Node, line: int) -> None:
        parent.size += child.size
        parent.lines[(key,)] = line
        parent.lines.update(((key, *path), at) for path, at in child.lines.items())

    def _key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._error("a key that is not a word", event, allowed="plain keys")
        self._refuse_tag(event)
        if event.value == "<<" and event.implicit[0]:
            raise self._error("merge keys are not read", event, key="<<")
        return str(event.value)

    def _scalar(self, event: Any) -> Any:
        if not event.implicit[0]:  # quoted, a block, or !!str
            return event.value
        try:
            return resolve_scalar(event.value)
        except ValueError:
            raise self._error("a number of too many digits", event) from None

    def _refuse_tag(self, event: Any) -> None:
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            raise self._error(f"the tag {shown(event.tag)} is not read", event, allowed="values without tags")

    def _error(self, what: str, event: Any, key: str | None = None, allowed: str | None = None) -> InputError:
        return InputError(what, file=self.file, line=event.start_mark.line + 1, key=key, allowed=allowed)


def resolve_scalar(text: str) -> bool | int | float | str | None:
    """Value of an unquoted scalar by YAML 1.2's core schema.

    Raises:
        ValueError: a whole number with more digits than Python converts.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if special := _SPECIAL.fullmatch(text):
        return float("nan") if special[3] else float(special[1] + "inf")
    return text
