"""Shapes of an ONNX file's inputs: what the file says, what the user says, and what is asked of the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx

from pimsim.errors import InputError, did_you_mean
from pimsim.workload.records import Shape

BATCH_NAMES = frozenset(("n", "b", "bs", "batch", "batch_size", "batchsize", "batch_dim", "none", "unk__0", "?"))
SEQUENCE_WORDS = ("seq", "time", "len", "frame", "token", "step")
INDEX_TYPES = frozenset((onnx.TensorProto.INT32, onnx.TensorProto.INT64))


@dataclass(frozen=True)
class DeclaredInput:
    """An input with every dimension known."""

    name: str
    shape: Shape
    integer: bool
    note: str = ""


def declared_inputs(
    inputs: Sequence[onnx.ValueInfoProto], given: Mapping[str, Shape], single: bool, file: str | None
) -> list[DeclaredInput]:
    """All inputs; ``single`` takes one image of a batch that the file fixes.

    Raises:
        InputError: a shape for an input that does not exist, or a dimension that cannot be guessed.
    """
    names = [each.name for each in inputs]
    for name in given:
        if name not in names:
            raise InputError(f"there is no input '{name}'{did_you_mean(name, names)}", file=file, allowed=names)
    for name, shape in given.items():
        if any(size < 1 for size in shape):
            what = "a dimension of zero" if 0 in shape else "a negative dimension"
            raise InputError(f"input '{name}' has {what}: {list(shape)}", file=file)
    symbols = _bound_symbols(inputs, given, file)
    return [_declared(each, given.get(each.name), symbols, single, file) for each in inputs]


def _bound_symbols(
    inputs: Sequence[onnx.ValueInfoProto], given: Mapping[str, Shape], file: str | None
) -> dict[str, int]:
    """Sizes of named dimensions that the user's shapes fix."""
    symbols: dict[str, int] = {}
    for each in inputs:
        dims = each.type.tensor_type.shape.dim
        if each.name not in given:
            continue
        shape = given[each.name]
        if each.type.tensor_type.HasField("shape") and len(dims) != len(shape):
            message = (
                f"input '{each.name}' has {len(dims)} dimensions {_shown(each)}, not the {len(shape)} of {list(shape)}"
            )
            raise InputError(message, file=file)
        for dim, size in zip(dims, shape, strict=False):
            if dim.dim_param:
                symbols[dim.dim_param] = size
    return symbols


def _declared(
    each: onnx.ValueInfoProto, given: Shape | None, symbols: Mapping[str, int], single: bool, file: str | None
) -> DeclaredInput:
    kind = each.type.WhichOneof("value")
    if kind != "tensor_type":
        raise InputError(f"input '{each.name}' is a {kind}; only tensors are supported", file=file)
    integer = each.type.tensor_type.elem_type in INDEX_TYPES
    if given is not None:
        return DeclaredInput(each.name, given, integer)
    if not each.type.tensor_type.HasField("shape"):
        raise InputError(
            f"input '{each.name}' has no shape in the file; give one: --input {each.name}=1,3,224,224", file=file
        )
    dims = each.type.tensor_type.shape.dim
    if any(dim.HasField("dim_value") and dim.dim_value == 0 for dim in dims):
        example = ",".join(str(max(_size(dim, at, len(dims), symbols) or 1, 1)) for at, dim in enumerate(dims))
        what = f"input '{each.name}' {_shown(each)} has a dimension of zero"
        raise InputError(f"{what}; fix it, for instance --input {each.name}={example}", file=file)
    shape = [_size(dim, at, len(dims), symbols) for at, dim in enumerate(dims)]
    if None in shape:
        raise InputError(_question(each, shape), file=file)
    sizes = [size for size in shape if size is not None]
    note = ""
    if len(sizes) >= 4 and sizes[0] > 1:
        what = "one of them is an inference" if single else "the whole batch is taken as one inference"
        note = f"input '{each.name}' has a batch of {sizes[0]} in the file; {what}"
        sizes[0] = 1 if single else sizes[0]
    return DeclaredInput(each.name, tuple(sizes), integer, note)


def _size(dim: onnx.TensorShapeProto.Dimension, at: int, rank: int, symbols: Mapping[str, int]) -> int | None:
    if dim.HasField("dim_value") and dim.dim_value > 0:
        return int(dim.dim_value)
    name = dim.dim_param
    if name in symbols and name:
        return symbols[name]
    if name.lower() in BATCH_NAMES and name or "batch" in name.lower():
        return 1
    if at == 0 and rank > 1 and not any(word in name.lower() for word in SEQUENCE_WORDS):
        return 1
    return None


def _question(each: onnx.ValueInfoProto, shape: Sequence[int | None]) -> str:
    dims = each.type.tensor_type.shape.dim
    free = [dim.dim_param or f"dimension {at}" for at, dim in enumerate(dims) if shape[at] is None]
    usual = {2: [1, 128], 3: [1, 128, 256], 4: [1, 3, 224, 224]}.get(len(shape), [1] * len(shape))
    example = ",".join(str(usual[at] if size is None else size) for at, size in enumerate(shape))
    what = f"input '{each.name}' {_shown(each)} leaves {', '.join(free)} free"
    return f"{what}; fix it, for instance --input {each.name}={example}"


def _shown(each: onnx.ValueInfoProto) -> str:
    dims = each.type.tensor_type.shape.dim
    sizes = (dim.dim_param or (str(dim.dim_value) if dim.HasField("dim_value") else "?") for dim in dims)
    return f"[{', '.join(sizes)}]"
