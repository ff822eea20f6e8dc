"""From a name or a YAML file to a checked :class:`~pimsim.config.records.System`, or to a network alone."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pimsim.config import keys
from pimsim.config.base import Spec
from pimsim.config.device import Device
from pimsim.config.graphs import with_graph_file
from pimsim.config.layers import Layers, apply_override, read_layers
from pimsim.config.network import Network
from pimsim.config.records import NetworkFile, System
from pimsim.errors import InputError, did_you_mean, shown

_Record = TypeVar("_Record", bound=Spec)
_PACKAGE = Path(__file__).resolve().parents[1]


def load_system(name_or_path: str | Path, overrides: Sequence[str] = ()) -> System:
    """Read and check a system.

    Args:
        name_or_path: a shipped name such as ``isaac-ce``, or a YAML file.
        overrides: ``KEY=VALUE`` strings with dotted keys, such as ``chip.tile.imas=8``; the last one wins.

    Raises:
        InputError: says in one line where, what is wrong and what is allowed.
    """
    layers = read_layers(_find(str(name_or_path), Path()), _find)
    for text in overrides:
        apply_override(layers, text, System)
    return checked(layers)


def load_network(source: str | Path | System | Network, overrides: Sequence[str] = ()) -> Network:
    """Read and check the network of a chip, or a network by itself.

    Args:
        source: a shipped name such as ``isaac-ce`` or ``mesh-8x8``, the YAML file of a system or of a network, or what
            is loaded already.
        overrides: ``KEY=VALUE`` strings with the dotted keys of the file, ``chip.noc.router.vcs=2`` in a system,
            ``noc.router.vcs=2`` in a network.

    Raises:
        InputError: says in one line where, what is wrong and what is allowed.
    """
    if isinstance(source, System | Network):
        if overrides:
            raise InputError("overrides change a network given by name or file, not one already loaded",
                             key="overrides")  # fmt: skip
        return source.chip.noc if isinstance(source, System) else source
    layers, schema = _network_layers(source, overrides)
    if schema is System:
        return checked(layers).chip.noc
    return _validated(layers, NetworkFile).noc


def load_device(name_or_path: str | Path, overrides: Sequence[str] = ()) -> Device:
    """Read and check a device: what the cells of crossbars are like.

    Args:
        name_or_path: a shipped name such as ``reram-pytorx``, or a YAML file.
        overrides: ``KEY=VALUE`` strings with the dotted keys of the file, ``read_noise.frequency_mhz=100``, or with
            ``device.`` before them; the last one wins.

    Returns:
        the device; its fault map, if it has one, exists, and ``faults.map`` is a path that can be opened from here.

    Raises:
        InputError: says in one line where, what is wrong and what is allowed.
    """
    layers = read_layers(_find_device(str(name_or_path), Path()), _find_device)
    for text in overrides:
        apply_override(layers, text.removeprefix("device."), Device)
    device = _validated(layers, Device)
    if device.faults is None or device.faults.map is None:
        return device
    file, line = layers.origin(("faults", "map"))
    path = Path(device.faults.map) if line is None else Path(file).parent / device.faults.map
    if not path.is_file():
        beside = "" if line is None else " beside this one"
        raise InputError(f"there is no file {shown(device.faults.map)}{beside}", file=file, line=line,
                         key="faults.map")  # fmt: skip
    return device.model_copy(update={"faults": device.faults.model_copy(update={"map": str(path)})})


@contextmanager
def naming_keys(source: object, overrides: Sequence[str] = ()) -> Iterator[None]:
    """What turns out to be wrong only later, in the ``with`` block, is told as :func:`load_network` tells it: with
    the file, the line and the full key.

    Args:
        source, overrides: from which a network or system was loaded; a record has no file, and its errors stay as
            they are.

    Raises:
        InputError: one that was raised in the block, whose key may have been relative to the network.
    """
    try:
        yield
    except InputError as error:
        if error.file is not None or error.key is None or not isinstance(source, str | Path):
            raise
        layers, schema = _network_layers(source, overrides)
        path = _full_path(tuple(error.key.split(".")), schema)
        if path is None:
            raise
        file, line = layers.origin(path)
        changed = layers.overrides_below(path[: path.index("noc") + 1]) if line is not None and "noc" in path else []
        what = error.what + (f" (with {', '.join(changed)})" if changed else "")
        raise InputError(what, file=file, line=line, key=".".join(path), allowed=error.allowed) from None


def _full_path(key: tuple[str, ...], schema: type[Spec]) -> tuple[str, ...] | None:
    """A key of a file, or one within its network; None: it is neither."""
    noc = ("noc",) if schema is NetworkFile else ("chip", "noc")
    for path in (key, (*noc, *key)):
        if keys.descend(schema, path)[0] == path:
            return path
    return None


def _network_layers(source: str | Path, overrides: Sequence[str]) -> tuple[Layers, type[NetworkFile] | type[System]]:
    """The files and the overrides on top, and which of the two kinds they are."""
    layers = read_layers(_find_network(str(source), Path()), _find_network)
    _check_format(layers, NetworkFile, System)
    version = layers.data.get("format")
    alone = version == _format_of(NetworkFile) or (version is None and "noc" in layers.data)
    schema = NetworkFile if alone else System
    for text in overrides:
        apply_override(layers, text, schema)
    return layers, schema


def shipped_systems() -> dict[str, Path]:
    """Names of the systems that come with pimsim, and their files."""
    return dict(sorted((path.stem, path) for path in _shipped_folder().glob("*.yaml")))


def shipped_networks() -> dict[str, Path]:
    """Names of the networks that come with pimsim, and their files."""
    return dict(sorted((path.stem, path) for path in (_shipped_folder() / "noc").glob("*.yaml")))


def shipped_devices() -> dict[str, Path]:
    """Names of the devices that come with pimsim, and their files."""
    return dict(sorted((path.stem, path) for path in (_shipped_folder() / "devices").glob("*.yaml")))


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
    return _validated(layers, System)


def _validated(layers: Layers, schema: type[_Record]) -> _Record:
    _check_format(layers, schema)
    if schema is not Device:
        noc = ("noc", "topology") if schema is NetworkFile else ("chip", "noc", "topology")
        with_graph_file(layers.at(noc), layers.origin((*noc, "file")), ".".join((*noc, "file")))
    try:
        return schema.model_validate(layers.data)
    except ValidationError as error:
        raise _input_error(error.errors(include_url=False), layers, schema) from None


def _check_format(layers: Layers, *schemas: type[Spec]) -> None:
    """Raises InputError for another format than these: before its keys are called unknown."""
    formats = [_format_of(schema) for schema in schemas]
    if "format" in layers.data and layers.data["format"] not in formats:
        file, line = layers.origin(("format",))
        raise InputError(f"{shown(layers.data['format'])} is not allowed", file=file, line=line, key="format",
                         allowed=" or ".join(formats))  # fmt: skip


def _format_of(schema: type[Spec]) -> str:
    return str(keys.allowed(schema.model_fields["format"]))


def _shipped_folder() -> Path:
    """``arch_configs`` in the package (a link in a checkout), or beside it where links are not supported."""
    inside = _PACKAGE / "data" / "arch_configs"
    return inside if inside.is_dir() else _PACKAGE.parent / "arch_configs"


def _find(word: str, folder: Path) -> Path:
    """File of a system meant by ``word``: a shipped name, or a path relative to ``folder``."""
    return _file_of(word, folder, shipped_systems(), "system")


def _find_network(word: str, folder: Path) -> Path:
    """File of a network or of a system, as :func:`_find`."""
    return _file_of(word, folder, shipped_systems() | shipped_networks(), "system or network")


def _find_device(word: str, folder: Path) -> Path:
    """File of a device, as :func:`_find`."""
    return _file_of(word, folder, shipped_devices(), "device")


def _file_of(word: str, folder: Path, shipped: dict[str, Path], what: str) -> Path:
    if word in shipped:
        return shipped[word]
    path = folder / word
    if path.suffix in (".yaml", ".yml") or os.path.isfile(path) or "/" in word:
        return path
    raise InputError(
        f"{shown(word)} is neither a shipped {what} nor a file{did_you_mean(word, shipped)}",
        allowed=[*shipped, "a YAML file"],
    )


def _input_error(errors: list[ErrorDetails], layers: Layers, schema: type[Spec]) -> InputError:
    # Misspelt keys first: they also make the key that was meant look missing.
    first = min(errors, key=lambda error: error["type"] != "extra_forbidden")
    location = keys.without_tags(schema, first["loc"])
    unknown = first["type"] == "extra_forbidden"
    path, kind = keys.descend(schema, location[:-1] if unknown else location)
    full = location if unknown else path
    if first["type"].startswith("union_tag"):
        full, kind = (*path, first["ctx"]["discriminator"].strip("'")), keys.child(kind, "kind")
    file, line = layers.origin(full)
    what, allowed = _explained(first, kind)
    if first["type"] == "value_error" and (overrides := layers.overrides_below(full)):
        what += f" (with {', '.join(overrides)})"
    if unknown and (overrides := layers.overrides_at((*path, "kind"))):
        what += f" (with {', '.join(overrides)})"
    return InputError(what, file=file, line=line, key=".".join(map(str, full)), allowed=allowed)


def _explained(error: ErrorDetails, kind: Any) -> tuple[str, str | list[str] | None]:
    """What is wrong, and what is allowed."""
    if error["type"] == "extra_forbidden":
        *_, tag, word = "", *error["loc"]
        return keys.unknown_key(kind, str(word), (tag,)), keys.keys_of(kind, (tag,))
    if error["type"] in ("missing", "union_tag_not_found"):
        return "is missing", keys.allowed(kind)
    if error["type"] == "value_error":
        return str(error["ctx"]["error"]), None
    if error["type"] == "union_tag_invalid":
        return f"{shown(error['ctx']['tag'])} is not allowed", keys.allowed(kind)
    return f"{shown(error['input'])} is not allowed", keys.allowed(kind)
