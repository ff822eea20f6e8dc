"""Reads an ONNX file: its nodes become operations, its shape arithmetic is done on the way.

Weights are never looked at: a file without its external data, or with weights from ConstantOfShape, is as
good as any other.  Only small constants, which decide shapes, are evaluated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import inliner, numpy_helper

from pimsim.errors import InputError, did_you_mean
from pimsim.workload.builder import Builder, unknown_operation
from pimsim.workload.constant_folding import LARGEST, evaluate
from pimsim.workload.onnx_inputs import declared_inputs
from pimsim.workload.operations import TABLE
from pimsim.workload.records import Shape, Workload

#: operations whose results have no size that is known beforehand, and what can be done
NOT_STATIC = frozenset(
    """NonMaxSuppression NonZero Unique Compress Loop Scan If SequenceAt SequenceInsert SequenceConstruct
    SequenceEmpty SequenceMap SplitToSequence ConcatFromSequence Optional OptionalGetElement OptionalHasElement
    StringNormalizer TfIdfVectorizer EfficientNMS_TRT BatchedNMS_TRT""".split()
)
ADVICE = (
    "its result depends on the data; export the network without this part, or cut it off with onnx.utils.extract_model"
)
QUANTISE = frozenset(("QuantizeLinear", "DequantizeLinear"))
CONSTANT_VALUES = ("value", "value_float", "value_floats", "value_int", "value_ints")


def import_onnx(path: str | Path, input_shapes: Mapping[str, Sequence[int]] | None = None) -> Workload:
    """The workload of an ONNX file.

    Args:
        path: the file; external data may be absent.
        input_shapes: complete shapes by input name, for inputs with free dimensions.

    Raises:
        InputError: the file cannot be read, a dimension is not known, or an operation is not supported.
    """
    model = read_model(path)
    return import_model(model, input_shapes, name=Path(path).stem, file=str(path))


def read_model(path: str | Path) -> onnx.ModelProto:
    """The file's contents, without external data."""
    try:
        model = onnx.load_model(str(path), load_external_data=False)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", file=path) from None
    except Exception as error:  # protobuf's DecodeError and its relatives have no common public base
        raise InputError(f"is no ONNX file, or a truncated one ({type(error).__name__})", file=path) from None
    if not model.graph.node:
        raise InputError("is no ONNX file, or one without operations", file=path)
    return model


def import_model(
    model: onnx.ModelProto,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    name: str | None = None,
    file: str | None = None,
) -> Workload:
    """The workload of a model in memory; see :func:`import_onnx`."""
    given = {key: tuple(int(n) for n in shape) for key, shape in (input_shapes or {}).items()}
    if model.functions:
        model = inliner.inline_local_functions(model)
    name = name or model.graph.name or "onnx"
    try:
        return Importer(model, name, file, given, single=True).run()
    except InputError as error:
        try:  # a batch written into the network's reshapes cannot be taken out
            workload = Importer(model, name, file, given, single=False).run()
        except InputError:
            raise error from None
        return workload


class Importer:
    """State of one import: the builder, and the values of small constants."""

    def __init__(
        self, model: onnx.ModelProto, name: str, file: str | None, given: Mapping[str, Shape], single: bool
    ) -> None:
        self.graph = model.graph
        self.builder = Builder(name, file)
        self.values: dict[str, np.ndarray] = {}
        self.names: set[str] = set()
        self.opset = max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=1)
        self.given, self.single = given, single

    def run(self) -> Workload:
        """Import the graph."""
        for tensor in self.graph.initializer:
            self._initializer(tensor)
        for sparse in self.graph.sparse_initializer:
            self.builder.constant(sparse.values.name, tuple(sparse.dims))
        self._inputs()
        wanted = [output.name for output in self.graph.output]
        nodes, read = needed_nodes(self.graph.node, wanted)
        self.used = read | set(wanted)
        n_dropped = len(self.graph.node) - len(nodes)
        if n_dropped:
            self.builder.notes.append(f"{n_dropped} operations that lead to no output are left out")
        for node in nodes:
            self._node(node)
        return self.builder.build(self._outputs(wanted))

    def _initializer(self, tensor: onnx.TensorProto) -> None:
        self.builder.constant(tensor.name, tuple(tensor.dims), _is_index(tensor.data_type))
        value = small_value(tensor)
        if value is not None:
            self.values[tensor.name] = value

    def _inputs(self) -> None:
        inputs = [each for each in self.graph.input if each.name not in self.builder.tensors]
        for each in declared_inputs(inputs, self.given, self.single, self.builder.file):
            self.builder.input(each.name, each.shape, each.integer)
            if each.note:
                self.builder.notes.append(each.note)

    def _outputs(self, wanted: Sequence[str]) -> list[str]:
        outputs = []
        for name in wanted:
            if name in self.builder.tensors and self.builder.tensors[name].constant:
                self.builder.notes.append(f"output '{name}' does not depend on the input and is left out")
            else:
                outputs.append(name)
        if not outputs:
            raise InputError("no output depends on an input", file=self.builder.file)
        return outputs

    # nodes

    def _node(self, node: onnx.NodeProto) -> None:
        inputs, attributes = list(node.input), attribute_values(node)
        self._check(node, inputs)
        if node.op_type == "Constant":
            return self._constant(node, attributes)
        if node.op_type == "If":
            return self._branch(node)
        if self._fold(node, inputs, attributes):
            return
        if node.op_type == "DynamicQuantizeLinear":
            return self._dynamic_quantize(node)
        if node.op_type not in TABLE:
            raise InputError(self._refusal(node), file=self.builder.file)
        self._operation(node, inputs, attributes)

    def _check(self, node: onnx.NodeProto, inputs: Sequence[str]) -> None:
        for name in inputs:
            if name and name not in self.builder.tensors:
                text = f"node '{_shown(node)}' ({node.op_type}) reads '{name}', which nothing before it produces"
                raise InputError(text + did_you_mean(name, self.builder.tensors), file=self.builder.file)

    def _constant(self, node: onnx.NodeProto, attributes: Mapping[str, Any]) -> None:
        name = node.output[0]
        tensor = attributes.get("value")
        if isinstance(tensor, onnx.TensorProto):
            self.builder.constant(name, tuple(tensor.dims), _is_index(tensor.data_type))
            value = small_value(tensor)
        elif attributes.get("sparse_value") is not None:
            self.builder.constant(name, tuple(attributes["sparse_value"].dims))
            return
        else:
            key = next((key for key in CONSTANT_VALUES if key in attributes), None)
            value = np.asarray(attributes[key] if key else 0)
            self.builder.constant(name, value.shape)
        if value is not None:
            self.values[name] = value

    def _fold(self, node: onnx.NodeProto, inputs: Sequence[str], attributes: dict[str, Any]) -> bool:
        """Whether the node's results are constants; then they are recorded."""
        tensors = self.builder.tensors
        if node.op_type in ("Shape", "Size"):
            shape = np.array(tensors[inputs[0]].shape, np.int64)
            part = shape[slice(attributes.get("start"), attributes.get("end"))]
            self._known(node.output[0], part if node.op_type == "Shape" else np.array(shape.prod(), np.int64))
            return True
        if not all(tensors[name].constant for name in inputs if name):
            return False
        present = [name for name in inputs if name]
        if all(name in self.values for name in present):
            values = [self.values[name] for name in present]
            results = evaluate(node.op_type, values, self._plain(attributes, node))
            if results is not None:
                for output, value in zip(node.output, results, strict=False):
                    self._known(output, value)
                return True
        return self._constant_shapes(node, inputs, attributes)

    def _plain(self, attributes: Mapping[str, Any], node: onnx.NodeProto) -> dict[str, Any]:
        plain = {"n_outputs": len(node.output), **attributes}
        if isinstance(plain.get("value"), onnx.TensorProto):
            plain["value"] = numpy_helper.to_array(plain["value"]).reshape(-1)[0]
        return plain

    def _known(self, name: str, value: np.ndarray) -> None:
        if name:
            self.builder.constant(name, value.shape, bool(np.issubdtype(value.dtype, np.integer)))
            self.values[name] = value

    def _constant_shapes(self, node: onnx.NodeProto, inputs: Sequence[str], attributes: dict[str, Any]) -> bool:
        """A large constant computed from constants: only its shape matters."""
        if node.op_type == "ConstantOfShape" and inputs[0] in self.values:
            shapes: list[Shape] = [tuple(int(n) for n in self.values[inputs[0]].reshape(-1))]
        elif node.op_type == "Range" and all(name in self.values for name in inputs):
            start, limit, delta = (float(self.values[name].reshape(-1)[0]) for name in inputs)
            if not delta:
                raise InputError(f"node '{_shown(node)}' (Range): a step of zero", file=self.builder.file)
            shapes = [(max(int(-(-(limit - start) // delta)), 0),)]
        elif node.op_type in TABLE:
            kept, settings = self._settings(node, inputs, attributes)
            shapes, _ = self.builder.shapes_of(node.op_type, kept, settings, len(node.output), _shown(node))
        else:
            return False
        for output, shape in zip(node.output, shapes, strict=False):
            if output:
                self.builder.constant(output, shape)
        return True

    def _settings(
        self, node: onnx.NodeProto, inputs: Sequence[str], attributes: Mapping[str, Any]
    ) -> tuple[list[str], dict[str, Any]]:
        """Inputs that are data, and attributes with those that are settings; forms of older opsets made new."""
        row, kept, settings = TABLE[node.op_type], list(inputs), dict(attributes)
        if node.op_type == "Resize" and len(kept) == 2:
            kept.insert(1, "")  # opset 10 had no region of interest
        if node.op_type in ("Softmax", "LogSoftmax", "Hardmax") and self.opset < 13:
            settings.setdefault("axis", 1)
        for at, key in {**row.settings, **row.hints}.items():
            value = self.values.get(kept[at]) if at < len(kept) and kept[at] else None
            if value is not None:
                settings[key] = value.tolist() if key in row.hints.values() or value.ndim else [value.item()]
        for at in row.settings:
            if at < len(kept):
                kept[at] = ""
        while kept and not kept[-1]:
            kept.pop()
        return kept, settings

    def _operation(self, node: onnx.NodeProto, inputs: Sequence[str], attributes: Mapping[str, Any]) -> None:
        kept, settings = self._settings(node, inputs, attributes)
        outputs = [name if name in self.used else "" for name in node.output]
        while len(outputs) > 1 and not outputs[-1]:
            outputs.pop()
        if node.op_type in ("Split", "QLinearSplit"):
            settings.setdefault("num_outputs", len(node.output))
            outputs = list(node.output)
        if node.op_type in QUANTISE:
            self.builder.notes.append("quantisation and dequantisation are part of the data path and not priced")
        self.builder.add(node.op_type, kept, outputs, settings, self._name(node))

    def _name(self, node: onnx.NodeProto) -> str:
        name, number = _shown(node), 1
        while name in self.names:
            number += 1
            name = f"{_shown(node)}_{number}"
        self.names.add(name)
        return name

    def _dynamic_quantize(self, node: onnx.NodeProto) -> None:
        self.builder.add("Identity", node.input, node.output[:1], {}, self._name(node))
        for name in node.output[1:]:
            if name:
                self.builder.constant(name, ())
        self.builder.notes.append("dynamic quantisation: finding scale and zero point at run time is not priced")

    def _branch(self, node: onnx.NodeProto) -> None:
        """An If whose condition is known takes one branch."""
        if node.input[0] not in self.values:
            raise InputError(self._refusal(node), file=self.builder.file)
        key = "then_branch" if bool(self.values[node.input[0]].reshape(-1)[0]) else "else_branch"
        graph = next(each.g for each in node.attribute if each.name == key)
        for tensor in graph.initializer:
            self._initializer(tensor)
        results = [output.name for output in graph.output]
        nodes, read = needed_nodes(graph.node, results)
        self.used |= read | set(results)
        for each in nodes:
            self._node(each)
        for inner, outer in zip(results, node.output, strict=True):
            self._node(onnx.helper.make_node("Identity", [inner], [outer], name=f"{_shown(node)}/{outer}"))

    def _refusal(self, node: onnx.NodeProto) -> str:
        text = unknown_operation(_shown(node), node.op_type)
        if node.op_type not in NOT_STATIC:
            return text
        before, _, after = text.partition("; ")
        return f"{before}: {ADVICE}; {after}"


def needed_nodes(nodes: Iterable[onnx.NodeProto], wanted: Sequence[str]) -> tuple[list[onnx.NodeProto], set[str]]:
    """Nodes that lead to wanted tensors, in their order, and all tensors that those nodes read."""
    alive, needed, read = set(wanted), [], set()
    for node in reversed(list(nodes)):
        if alive.intersection(node.output):
            needed.append(node)
            names = set(_read_by(node))
            alive |= names
            read |= names
    return needed[::-1], read


def _read_by(node: onnx.NodeProto) -> Iterable[str]:
    yield from node.input
    for attribute in node.attribute:
        for graph in [attribute.g, *attribute.graphs]:
            for output in graph.output:
                yield output.name
            for inner in graph.node:
                yield from _read_by(inner)


def attribute_values(node: onnx.NodeProto) -> dict[str, Any]:
    """Attributes as Python values; texts decoded."""
    values = {}
    for attribute in node.attribute:
        value = onnx.helper.get_attribute_value(attribute)
        values[attribute.name] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return values


def small_value(tensor: onnx.TensorProto) -> np.ndarray | None:
    """Value of a constant that can decide a shape; None for weights and for what is not in the file."""
    n = int(np.prod(tensor.dims, dtype=np.int64))
    if n > LARGEST or tensor.data_location == onnx.TensorProto.EXTERNAL:
        return None
    try:
        value = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError):
        return None  # no data in the file, or a type that decides no shape
    return value if value.dtype.kind in "iufb" else None


def _shown(node: onnx.NodeProto) -> str:
    return node.name or next((name for name in node.output if name), node.op_type)


def _is_index(element_type: int) -> bool:
    return element_type in (onnx.TensorProto.INT32, onnx.TensorProto.INT64)
