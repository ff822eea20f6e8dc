"""A configuration in layers: a base file, what other files change in it, and overrides on top.

The layers are merged as data, before anything is checked; for every key the merged
configuration remembers which file and line it came from, so that an error can name them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pimsim.config import keys
from pimsim.config.device import Device
from pimsim.config.records import NetworkFile
from pimsim.errors import InputError, shown
from pimsim.yaml_source import KeyPath, Lines, load_yaml, parse_yaml

Origin = tuple[str, int | None]  #: file (or ``--set KEY=VALUE``), line


@dataclass
class Layers:
    """Merged data, and where each of its keys was given last."""

    data: dict[str, Any] = field(default_factory=dict)
    origins: dict[KeyPath, Origin] = field(default_factory=dict)
    file: str = ""  #: what errors about the whole name

    def origin(self, path: KeyPath) -> Origin:
        """Where the nearest key at or above ``path`` was given."""
        for depth in range(len(path), 0, -1):
            if path[:depth] in self.origins:
                return self.origins[path[:depth]]
        return self.file, None

    def overrides_below(self, path: KeyPath) -> list[str]:
        """The overrides that changed something below ``path``."""
        below = [origin for key, origin in self.origins.items() if key[: len(path)] == path and len(key) > len(path)]
        return [where for where, line in below if line is None]

    def overrides_at(self, path: KeyPath) -> list[str]:
        """The override that set ``path`` itself, if one did."""
        where, line = self.origins.get(path, ("", 0))
        return [where] if line is None else []

    def at(self, path: KeyPath) -> Any:
        """The data at ``path``; None if there is none."""
        data: Any = self.data
        for key in path:
            data = data.get(key) if isinstance(data, dict) else None
        return data

    def add(self, data: dict[str, Any], lines: Lines, file: str) -> None:
        """Lay a file's data over what is there: mappings merge, unless of another ``kind``; all else replaces."""
        _merge(self.data, data, (), self.origins)
        self.origins.update({path: (file, line) for path, line in lines.items()})
        self.file = file


def _merge(below: dict[str, Any], above: dict[str, Any], path: KeyPath, origins: dict[KeyPath, Origin]) -> None:
    for key, value in above.items():
        here = (*path, key)
        if isinstance(value, dict) and isinstance(below.get(key), dict) and not _of_another_kind(below[key], value):
            _merge(below[key], value, here, origins)
            continue
        if key in below:
            for stale in [old for old in origins if old[: len(here)] == here]:
                del origins[stale]
        below[key] = _copied(value)


def _of_another_kind(below: dict[str, Any], above: dict[str, Any]) -> bool:
    """Whether the keys below have no meaning above: those of a mesh in a graph."""
    return "kind" in below and "kind" in above and above["kind"] != below["kind"]


def _copied(value: Any) -> Any:
    """Containers of its own for ``value``: aliases in a file share theirs."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def read_layers(path: Path, find: Callable[[str, Path], Path]) -> Layers:
    """Read ``path`` and, below it, the files that it names by ``base:``.

    Args:
        find: gives the file meant by a ``base:``, from the word and the folder of the file that says it;
            raises InputError without a place.

    Raises:
        InputError: a file cannot be read, or a base is unknown or leads back to a file that needs it.
    """
    chain: list[tuple[Path, dict[str, Any], Lines]] = []
    while True:
        data, lines = load_yaml(path)
        chain.append((path, data, lines))
        if "base" not in data:
            break
        path = _base(data.pop("base"), path, lines[("base",)], [file for file, *_ in chain], find)
        del lines[("base",)]
    merged = Layers()
    for path, data, lines in reversed(chain):
        merged.add(data, lines, str(path))
    return merged


def _base(word: Any, file: Path, line: int, seen: list[Path], find: Callable[[str, Path], Path]) -> Path:
    if not isinstance(word, str):
        raise InputError(f"{shown(word)} is no name", file=file, line=line, key="base", allowed="a name or a path")
    try:
        found = find(word, file.parent)
    except InputError as error:
        raise InputError(error.what, file=file, line=line, key="base", allowed=error.allowed) from None
    if os.path.abspath(found) in [os.path.abspath(other) for other in seen]:
        chain = " -> ".join(other.name for other in [*seen, found])
        raise InputError(f"goes in a circle: {chain}", file=file, line=line, key="base")
    return found


def apply_override(layers: Layers, text: str, schema: Any) -> None:
    """Set one value from ``text``, KEY=VALUE with a dotted key and a value as in YAML.

    Args:
        schema: the record type that says which keys there are.

    Raises:
        InputError: names ``--set KEY=VALUE``, the key, and what is allowed.
    """
    where = f"--set {text}"
    key, equals, value_text = text.partition("=")
    path = _path_of(key.strip(), schema, layers.data, where)
    if not equals:
        raise InputError("has no value", file=where, key=key.strip(), allowed="KEY=VALUE")
    try:
        value, _ = parse_yaml(value_text)
    except InputError as error:
        raise InputError(error.what, file=where, key=key.strip(), allowed=error.allowed) from None
    node: Any = layers.data
    for step in path[:-1]:
        if isinstance(node, dict) and not isinstance(node.get(step), dict | list):
            node[step] = {}
        node = node[step]
    node[path[-1]] = value
    for stale in [old for old in layers.origins if old[: len(path)] == path]:
        del layers.origins[stale]
    layers.origins[path] = (where, None)


def _path_of(key: str, schema: Any, data: Any, where: str) -> KeyPath:
    """The dotted ``key`` as a path; checked against the schema, indices of lists against the data."""
    words = key.split(".")
    path: list[str | int] = []
    kind = schema
    while words:
        if keys.is_free_mapping(kind):  # the user's own names may have dots
            return (*path, ".".join(words))
        step = _step(words.pop(0), kind, data, where, key, ".".join(map(str, path)))
        path.append(step)
        kind = keys.child(kind, step)
        data = _item(data, step)
    return tuple(path)


def _item(data: Any, step: Any) -> Any:
    if isinstance(data, dict):
        return data.get(step)
    return data[step] if isinstance(data, list) else None


def _step(word: str, kind: Any, data: Any, where: str, key: str, parent: str) -> str | int:
    if isinstance(data, list):
        if word.isdecimal() and int(word) < len(data):
            return int(word)
        allowed = f"0 to {len(data) - 1}" if data else "the whole list"
        raise InputError(f"{parent} has no item {word!r}", file=where, key=key, allowed=allowed)
    known = keys.keys_of(kind) or []
    if not known:
        raise InputError(f"{parent} has no keys of its own", file=where, key=key, allowed=keys.allowed(kind))
    if word not in known:
        what = f"{parent or _described(kind)} has no key {word!r}{_instead(kind, word)}"
        raise InputError(what, file=where, key=key, allowed=known)
    return word


def _described(kind: Any) -> str:
    return {NetworkFile: "a network description", Device: "a device"}.get(kind, "a system")


def _instead(kind: Any, word: str) -> str:
    return keys.unknown_key(kind, word).removeprefix("there is no such key").removeprefix(" any more")
