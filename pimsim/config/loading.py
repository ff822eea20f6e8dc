"""From a name or a YAML file to a checked :class:`~pimsim.config.records.System`."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pimsim.config import keys
from pimsim.config.layers import Layers, layered
from pimsim.config.records import System
from pimsim.errors import InputError, did_you_mean, shown

_PACKAGE = Path(__file__).resolve().parents[1]


def load_system(name_or_path: str | Path, overrides: Sequence[str] = ()) -> System:
    """Read and check a system.

    Args:
        name_or_path: a shipped name such as ``isaac-ce``, or a YAML file.
        overrides: ``KEY=VALUE`` strings with dotted keys, such as ``chip.tile.imas=8``; the last one wins.

    Raises:
        InputError: says in one line where, what is wrong and what is allowed.
    """
    path = _find(str(name_or_path), Path())
    return checked(layered(path, _find, overrides, System))


def shipped_systems() -> dict[str, Path]:
    """Names of the systems that come with pimsim, and their files."""
    return dict(sorted((path.stem, path) for path in _shipped_folder().glob("*.yaml")))


def resolved(system: System) -> dict[str, Any]:
    """Every key of ``system`` with its value, defaults and overrides included, as plain data.

    Written as YAML or JSON it loads again to an equal system.
    """
    return system.model_dump(mode="json")


def config_hash(system: System) -> str:
    """SHA-256 of the canonical JSON of :func:`resolved`, in hexadecimal."""
    canonical = json.dumps(resolved(system), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def checked(layers: Layers) -> System:
    """The merged layers as a system; the first thing wrong with them raises InputError."""
    try:
        return System.model_validate(layers.data)
    except ValidationError as error:
        raise _input_error(error.errors(include_url=False), layers) from None


def _shipped_folder() -> Path:
    """``arch_configs`` in the package (a link in a checkout), or beside it where links are not supported."""
    inside = _PACKAGE / "data" / "arch_configs"
    return inside if inside.is_dir() else _PACKAGE.parent / "arch_configs"


def _find(word: str, folder: Path) -> Path:
    """File meant by ``word``: a shipped name, or a path relative to ``folder``."""
    shipped = shipped_systems()
    if word in shipped:
        return shipped[word]
    path = folder / word
    if path.suffix in (".yaml", ".yml") or os.path.isfile(path) or "/" in word:
        return path
    what = f"{shown(word)} is neither a shipped system nor a file{did_you_mean(word, shipped)}"
    raise InputError(what, allowed=[*shipped, "a YAML file"])


def _input_error(errors: list[ErrorDetails], layers: Layers) -> InputError:
    # Misspelt keys first: they also make the key that was meant look missing.
    first = min(errors, key=lambda error: error["type"] != "extra_forbidden")
    path, kind = keys.descend(System, first["loc"])
    full = first["loc"] if first["type"] == "extra_forbidden" else path
    file, line = layers.origin(full)
    what, allowed = _explained(first, kind)
    if first["type"] == "value_error" and (overrides := layers.overrides_below(full)):
        what += f" (with {', '.join(overrides)})"
    return InputError(what, file=file, line=line, key=".".join(map(str, full)), allowed=allowed)


def _explained(error: ErrorDetails, kind: Any) -> tuple[str, str | list[str] | None]:
    """What is wrong, and what is allowed."""
    if error["type"] == "extra_forbidden":
        known = keys.keys_of(kind) or []
        return f"there is no such key{did_you_mean(str(error['loc'][-1]), known)}", known
    if error["type"] == "missing":
        return "is missing", keys.allowed(kind)
    if error["type"] == "value_error":
        return str(error["ctx"]["error"]), None
    return f"{shown(error['input'])} is not allowed", keys.allowed(kind)
