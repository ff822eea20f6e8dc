"""Reads a workload YAML file: checks it against its records, then builds the network layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from pimsim.errors import InputError, shown
from pimsim.workload.builder import Builder
from pimsim.workload.layer_builders import LayerBuilder
from pimsim.workload.layers import BatchNormPlaces, Layer, WorkloadFile
from pimsim.workload.records import Workload
from pimsim.yaml_source import Lines, load_yaml


def read_workload(
    path: str | Path,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    batch_norm: BatchNormPlaces | None = None,
) -> Workload:
    """The workload that a YAML file describes.

    Args:
        path: the file.
        input_shapes: other shapes for its inputs, with or without the leading batch of 1.
        batch_norm: which of its BatchNorms are kept, in place of what the file says.

    Raises:
        InputError: with file, line and key.
    """
    data, lines = load_yaml(path)
    if batch_norm is not None and isinstance(data, dict):
        data = {**data, "batch_norm": batch_norm}
    try:
        file = WorkloadFile.model_validate(data)
    except ValidationError as error:
        raise _explained(error, data, lines, path) from None
    return _build(file, lines, path, input_shapes or {})


def _build(file: WorkloadFile, lines: Lines, path: str | Path, input_shapes: Mapping[str, Sequence[int]]) -> Workload:
    builder = Builder(file.name, str(path))
    layers = LayerBuilder(builder, file.batch_norm)
    for name in input_shapes:
        if name not in file.inputs:
            raise InputError(f"{file.name} has no input '{name}'", file=path, key="inputs", allowed=file.inputs)
    tokens = _token_inputs(file)
    for name, shape in file.inputs.items():
        given = [int(n) for n in input_shapes.get(name, shape)]
        given = given if len(given) == len(shape) else _without_batch(name, given, shape, path)
        if min(given) < 1:
            raise InputError(f"input '{name}' has a dimension of zero: {given}", file=path, key="inputs")
        layers.outputs[name] = builder.input(name, (1, *given), integer=name in tokens)
    for index, layer in enumerate(file.layers):
        try:
            layers.add(layer)
        except InputError as error:
            at = ("layers", index)
            raise InputError(error.what, file=path, line=lines.get(at), key=_shown_path(at)) from None
    wanted = file.outputs or [layers.last]
    missing = [name for name in wanted if name not in layers.outputs]
    if missing:
        line = lines.get(("outputs",))
        raise InputError(f"no layer is called '{missing[0]}'", file=path, line=line, key="outputs")
    _refuse_unread(file, layers, wanted, lines, path)
    return builder.build([layers.outputs[name] for name in wanted])


def _refuse_unread(
    file: WorkloadFile, layers: LayerBuilder, wanted: Sequence[str], lines: Lines, path: str | Path
) -> None:
    """A layer that leads nowhere is a slip of the pen: a wrong ``inputs``, or an output not listed."""
    added = [name for name in layers.outputs if name not in file.inputs]
    for index, name in enumerate(added):
        if name not in layers.read and name not in wanted:
            at = ("layers", index)
            what = f"nobody reads layer '{name}', and it is not among the outputs"
            raise InputError(what, file=path, line=lines.get(at), key=_shown_path(at))


def _without_batch(name: str, given: list[int], shape: Sequence[int], path: str | Path) -> list[int]:
    if len(given) == len(shape) + 1 and given[0] == 1:
        return given[1:]
    raise InputError(
        f"input '{name}' has the shape {list(shape)}; {given} has another number of dimensions",
        file=path,
        key="inputs",
        allowed=f"{len(shape)} numbers, or a batch of 1 before them",
    )


def _token_inputs(file: WorkloadFile) -> set[str]:
    """Inputs that an embedding reads: numbers of tokens, not features."""
    tokens: set[str] = set()
    before = next(iter(file.inputs))
    for index, layer in enumerate(file.layers):
        inputs = [layer.inputs] if isinstance(layer.inputs, str) else layer.inputs or ([before] if index == 0 else [])
        if layer.type == "embedding":
            tokens.update(inputs)
    return tokens


def _explained(error: ValidationError, data: Any, lines: Lines, path: str | Path) -> InputError:
    """The first thing that is wrong, where it stands, and what is allowed."""
    found = error.errors(include_url=False)
    # a misspelt key is also a missing one: the key that is there says more
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    at = _key_path(first["loc"], data)
    line = next((lines[at[:n]] for n in range(len(at), 0, -1) if at[:n] in lines), None)
    allowed: Any = None
    what = first["msg"][:1].lower() + first["msg"][1:]
    if first["type"] == "extra_forbidden":
        what, allowed = "unknown key", _fields_beside(at, data)
    elif first["type"] == "missing":
        what = "is missing"
    elif first["type"] == "union_tag_invalid":
        context = first["ctx"]
        what, allowed = f"unknown layer type {context['tag']!r}", context["expected_tags"].replace("'", "")
        at = (*at, "type")
    elif first["type"] == "union_tag_not_found":
        what = "the layer has no type"
    elif "input" in first and not isinstance(first["input"], dict | list):
        what += f", not {shown(first['input'])}"
    return InputError(what, file=path, line=line, key=_shown_path(at), allowed=allowed)


def _key_path(loc: tuple[int | str, ...], data: Any) -> tuple[int | str, ...]:
    """Pydantic's location without the names of union members."""
    path: list[int | str] = []
    for index, key in enumerate(loc):
        inside = isinstance(data, dict) and key in data or isinstance(data, list) and isinstance(key, int)
        if inside:
            data = data[key] if not isinstance(data, list) or int(key) < len(data) else None
            path.append(key)
        elif index == len(loc) - 1 and isinstance(data, dict):
            path.append(key)
    return tuple(path)


def _fields_beside(at: tuple[int | str, ...], data: Any) -> list[str]:
    model: type[Any] = WorkloadFile
    if len(at) > 2 and at[0] == "layers":
        wanted = data["layers"][at[1]].get("type")
        model = next(each for each in _layer_types() if wanted in get_args(each.model_fields["type"].annotation))
    return list(model.model_fields)


def _layer_types() -> list[type[Layer]]:
    found, left = [], [Layer]
    while left:
        each = left.pop()
        left += each.__subclasses__()
        if "type" in each.model_fields:
            found.append(each)
    return found


def _shown_path(at: Sequence[int | str]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in at).lstrip(".")
