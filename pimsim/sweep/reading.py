"""SWEEP.yaml: read with the line of every error, and written as resolved."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pimsim.errors import InputError, did_you_mean, shown
from pimsim.sweep.axes import RULES, Axis, Range
from pimsim.sweep.conditions import Condition
from pimsim.sweep.spec import FORMAT, RUN_KEYS, Inference, Sweep, with_key
from pimsim.yaml_source import load_yaml

KEYS = ("format", "name", "workloads", "systems", "set", "batch", "noc", "fidelity", "samples", "seed", "axes",
        "conditions", "inference", "input_shapes", "files", "keep")  # fmt: skip
_RANGE = tuple(field.name for field in dataclasses.fields(Range))
_INFERENCE = tuple(field.name for field in dataclasses.fields(Inference))
_SUFFIXES = (".yaml", ".yml", ".onnx", ".npz")


def load_sweep(path: str | Path) -> Sweep:
    """Read and check SWEEP.yaml; files that it names are looked for beside it, or where its ``files`` say.

    Raises:
        InputError: says in one line where, what is wrong and what is allowed.
    """
    data, lines = load_yaml(path)
    dotted = {".".join(map(str, key)): line for key, line in lines.items()}
    axes = data.get("axes")
    for name in axes if isinstance(axes, dict) else ():
        dotted.setdefault(f"axes.{_short(name)}", lines[("axes", name)])
    place = Sweep.__new__(Sweep)  # knows where things stand before there is a whole sweep
    object.__setattr__(place, "file", str(path))
    object.__setattr__(place, "lines", dotted)
    try:
        return _sweep(data, Path(path), dotted)
    except InputError as error:
        raise place.located(error) from None


def sweep_text(sweep: Sweep) -> str:
    """A sweep as YAML with every key; read again it is the same sweep, where the paths of its files are absolute."""
    data = sweep_data(sweep)
    return f"# A sweep of pimsim as it was run, every key with its value.\n{yaml.safe_dump(data, sort_keys=False)}"


def sweep_data(sweep: Sweep) -> dict[str, Any]:
    """A sweep as plain data with every key of SWEEP.yaml."""
    data: dict[str, Any] = {"format": FORMAT, "name": sweep.name}
    data |= {name: list(getattr(sweep, name)) for name in ("workloads", "systems")}
    data["set"] = dict(_assignment(text) for text in sweep.overrides)
    run = {name: getattr(sweep, name) for name in ("batch", "noc", "fidelity", "samples", "seed")}
    data |= {name: value for name, value in run.items() if value is not None}
    data["axes"] = {name: _axis_data(axis) for name, axis in sweep.axes.items()}
    data["conditions"] = [condition.text for condition in sweep.conditions if isinstance(condition, Condition)]
    if sweep.inference is not None:
        data["inference"] = dataclasses.asdict(sweep.inference)
    if sweep.input_shapes:
        data["input_shapes"] = {name: sweep.shapes_of(name) for name in sweep.input_shapes}
    if sweep.files:
        data["files"] = dict(sweep.files)
    if sweep.keep:
        data["keep"] = list(sweep.keep)
    return data


def override(key: str, value: Any) -> str:
    """KEY=VALUE as ``--set`` takes it: JSON is YAML."""
    return f"{key}={json.dumps(value)}"


def _assignment(text: str) -> tuple[str, Any]:
    from pimsim.yaml_source import parse_yaml

    key, _, value = text.partition("=")
    return key, parse_yaml(value)[0]


def _axis_data(axis: Axis) -> dict[str, Any]:
    values = dataclasses.asdict(axis.values) if isinstance(axis.values, Range) else list(axis.values)
    return {"keys": list(axis.keys), axis.rule: values}


def _sweep(data: Mapping[str, Any], file: Path, lines: Mapping[str, int]) -> Sweep:
    if data.get("format", FORMAT) != FORMAT:
        raise InputError(f"{shown(data['format'])} is not allowed", key="format", allowed=FORMAT)
    _known(data, KEYS)
    for key in ("workloads", "systems", "axes"):
        if key not in data:
            raise InputError("is missing", key=key)
    axes = _mapping(data, "axes", "names of axes, each with its keys and values")
    shapes = _mapping(data, "input_shapes", "a workload, and the shapes of its inputs")
    inference = _inference(data) if data.get("inference") is not None else None
    given = {key: data[key] for key in ("batch", "noc", "fidelity", "samples", "seed") if key in data}
    return Sweep(
        workloads=_list(data, "workloads"),
        systems=_list(data, "systems"),
        axes=_axes(axes),
        conditions=tuple(_conditions(data)), name=str(data.get("name", file.stem)),
        overrides=tuple(override(key, value) for key, value in _mapping(data, "set", "keys and their values").items()),
        inference=inference, input_shapes=shapes, files=_files(data, inference, file.parent),
        keep=tuple(_list(data, "keep")), file=str(file), lines=lines, **given,
    )  # fmt: skip


def _conditions(data: Mapping[str, Any]) -> list[Condition]:
    found: list[Condition] = []
    for n, text in enumerate(_list(data, "conditions")):
        with_key(f"conditions.{n}", lambda text=text: found.append(Condition(text)))
    return found


def _inference(data: Mapping[str, Any]) -> Inference:
    given = _mapping(data, "inference", "data, and perhaps " + ", ".join(_INFERENCE[1:]))
    _known(given, _INFERENCE, "inference")
    if not isinstance(given.get("data"), str):
        raise InputError("is missing", key="inference.data", allowed="the name or path of a dataset")
    return Inference(**given)


def _files(data: Mapping[str, Any], inference: Inference | None, folder: Path) -> dict[str, Any]:
    """Where everything lies that is named as a file is, or that the file says lies elsewhere: beside the file."""
    names = [*_list(data, "workloads"), *_list(data, "systems")]
    names += [] if inference is None else [inference.data, inference.device]
    told = _mapping(data, "files", "names in the sweep, and the files that they mean")
    own = {name: name for name in names if isinstance(name, str) and _is_file(name)}
    return {name: str((folder / path).resolve()) if isinstance(path, str) else path
            for name, path in (own | told).items()}  # fmt: skip


def _axes(given: Mapping[str, Any]) -> dict[str, Axis]:
    found: dict[str, Axis] = {}
    for word, axis in given.items():
        name, made = _axis(word, axis)
        if name in found:
            raise InputError(f"{shown(word)} is short for a second axis {name!r}", key=f"axes.{name}",
                             allowed=f"a name of its own: {{NAME: {{key: {word}, grid: [...]}}}}")  # fmt: skip
        found[name] = made
    return found


def _axis(name: str, given: Any) -> tuple[str, Axis]:
    """An axis and its short name.  ``chip.tile.imas: [4, 8]`` is short for a grid named ``imas``."""
    short, key = _short(name), f"axes.{_short(name)}"
    of_name = name if "." in name or name in RUN_KEYS else None
    if isinstance(given, list):
        given = {"grid": given}
    if not isinstance(given, dict):
        raise InputError(f"{shown(given)} is no axis", key=key, allowed=f"a list of values, or {', '.join(RULES)}")
    _known(given, ("key", "keys", *RULES), key)
    rules = [rule for rule in RULES if rule in given]
    if len(rules) != 1:
        raise InputError("says in no way what its values are" if not rules else f"has both {' and '.join(rules)}",
                         key=key, allowed=f"one of {', '.join(RULES)}")  # fmt: skip
    keys = given.get("keys", given.get("key", of_name))
    keys = [keys] if isinstance(keys, str) else keys
    if not isinstance(keys, list) or not all(isinstance(each, str) for each in keys) or not keys:
        raise InputError("says not which key it sets", key=key, allowed="key: chip.tile.imas, or keys: [...]")
    rule = rules[0]
    made: list[Axis] = []
    with_key(f"{key}.{rule}", lambda: made.append(Axis(tuple(keys), rule, _values(given[rule], key, rule))))  # type: ignore[arg-type]
    return short, made[0]


def _values(given: Any, key: str, rule: str) -> tuple[Any, ...] | Range:
    if isinstance(given, dict):
        _known(given, _RANGE, f"{key}.{rule}")
        for end in ("low", "high"):
            if end not in given:
                raise InputError(f"a range has no {end}", allowed=_RANGE)
        return Range(**given)
    if not isinstance(given, list):
        raise InputError(f"{shown(given)} is no list of values")
    return tuple(given)


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _known(data: Mapping[str, Any], known: Sequence[str], at: str = "") -> None:
    for word in data:
        if word not in known:
            key = f"{at}.{word}" if at else word
            raise InputError(f"there is no such key{did_you_mean(word, known)}", key=key, allowed=known)


def _mapping(data: Mapping[str, Any], key: str, allowed: str) -> dict[str, Any]:
    found = data.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InputError(f"{shown(found)} is no mapping", key=key, allowed=allowed)
    return found


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    """A list, or the one word in its place."""
    found = data.get(key)
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _is_file(name: str) -> bool:
    """Whether a name is that of a file; others are those of what is shipped."""
    return name.lower().endswith(_SUFFIXES) or "/" in name
