"""Models in the styles of exporters: they import, fit together, and need no less than they compute with."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from pimsim.workload import Workload, lower
from pimsim.workload.dataflow import Dataflow
from pimsim.workload.lowering import Lowering
from pimsim.workload.onnx_import import import_model
from tests.unit.dataflow_checks import check, nodes_named
from tests.unit.onnx_models import ALL, bert, crnn, detector_neck, mobile_net, speech_net, transformer_block

#: onnx's evaluator knows no com.microsoft operators, and rounding hides what quantised values depend on
EXACT = sorted(name for name in ALL if "quantised" not in name)


def imported(name: str) -> tuple[onnx.ModelProto, Workload]:
    build, shapes = ALL[name]
    model = build()
    return model, import_model(model, shapes)


@pytest.mark.parametrize("name", ALL)
def test_the_model_lowers_to_a_dataflow_that_fits_together(name):
    check(lower(imported(name)[1]))


@pytest.mark.parametrize("name", EXACT)
def test_shapes_are_those_that_onnx_computes(name):
    model, workload = imported(name)
    feeds = random_inputs(workload)
    inner = [name for operation in workload.operations for name in operation.outputs if name]
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(each, 1, None) for each in inner)
    for tensor, value in zip(inner, ReferenceEvaluator(model).run(inner, feeds), strict=True):
        assert workload.shape(tensor) == value.shape, tensor


@pytest.mark.parametrize("name", EXACT)
def test_an_output_that_changes_with_an_input_position_needs_it(name):
    """One input position changes; every output position that changes with it must need it, along the edges."""
    model, workload = imported(name)
    lowering = Lowering(workload)
    dataflow = lowering.run()
    evaluator, feeds = ReferenceEvaluator(model), random_inputs(workload)
    before = evaluator.run(list(workload.outputs), feeds)
    for index, source in enumerate(workload.inputs):
        view = lowering.views[source]
        for position in {0, view.positions // 3, view.positions // 2 + 1, view.positions - 1}:
            changed = dict(feeds)
            changed[source] = touched(feeds[source], view, position)
            after = evaluator.run(list(workload.outputs), changed)
            reached = reach(dataflow, index, position)
            for output, old, new in zip(workload.outputs, before, after, strict=True):
                differs = positions_first(lowering.views[output], old != new).any(axis=1)
                assert not (differs & ~needed(lowering.views[output], reached)).any(), (output, position)


def random_inputs(workload: Workload) -> dict[str, np.ndarray]:
    random, feeds = np.random.default_rng(0), {}
    for name in workload.inputs:
        shape = workload.shape(name)
        whole = workload.tensors[name].integer
        feeds[name] = random.integers(0, 9, shape) if whole else random.normal(size=shape).astype(np.float32)
    return feeds


def positions_first(view, values: np.ndarray) -> np.ndarray:
    """Values as positions x channels."""
    channels = sorted(view.axes)
    order = [axis for axis in range(values.ndim) if axis not in view.axes] + channels
    return values.transpose(order).reshape(view.positions, -1)


def touched(values: np.ndarray, view, position: int) -> np.ndarray:
    mask = np.zeros(view.positions * view.channels, bool).reshape(view.positions, -1)
    mask[position] = True
    positions = [axis for axis in range(values.ndim) if axis not in view.axes]
    order = positions + sorted(view.axes)
    mask = mask.reshape([values.shape[axis] for axis in order]).transpose(np.argsort(order))
    return np.where(mask, values + 1, values)


def reach(dataflow: Dataflow, source: int, position: int) -> list[np.ndarray]:
    """For each node the output positions that depend on one input position."""
    reached: list[np.ndarray] = []
    for index, node in enumerate(dataflow.nodes):
        grid = np.zeros(node.grid, bool)
        reached.append(grid)
        if index == source:
            grid.reshape(-1)[position] = True
        for y in range(node.grid[0]):
            for x in range(node.grid[1]):
                grid[y, x] |= any(region(reached[edge.source], edge, y, x).any() for edge in node.edges)
        if node.reduces:
            reached[index] = np.array([[grid.any()]])
    return reached


def region(grid: np.ndarray, edge, y: int, x: int) -> np.ndarray:
    return grid[edge.rows_lo[y] : edge.rows_hi[y] + 1, edge.cols_lo[x] : edge.cols_hi[x] + 1]


def needed(view, reached: list[np.ndarray]) -> np.ndarray:
    """Positions of a tensor whose parts were reached."""
    result = np.zeros(view.grid, bool)
    for part in view.parts:
        grid = reached[part.source]
        for y in range(view.grid[0]):
            for x in range(view.grid[1]):
                rows = slice(part.rows.lo[y], part.rows.hi[y] + 1)
                result[y, x] |= grid[rows, part.cols.lo[x] : part.cols.hi[x] + 1].any()
    return result.reshape(-1)


def test_attention_runs_on_the_vector_unit_and_says_so():
    dataflow = lower(import_model(transformer_block(), {"tokens": [1, 10, 64]}))
    products = [node for node in dataflow.nodes if "MatMul" in node.operation and node.kind == "digital"]
    assert len(products) == 2
    assert all("not yet on crossbars" in node.notes[0] for node in products)
    assert [node.macs for node in products] == [4 * 10 * 10 * 16] * 2
    assert sum(node.kind == "mvm" for node in dataflow.nodes) == 6


def test_linear_layers_keep_one_window_a_token_through_reshapes_of_heads():
    dataflow = lower(import_model(transformer_block(steps=24), None))
    assert {node.grid for node in dataflow.nodes} == {(24, 1)}


def test_gelu_by_erf_joins_the_layer_before_it():
    dataflow = lower(import_model(transformer_block(), {"tokens": [1, 10, 64]}))
    (node,) = [node for node in dataflow.nodes if "Erf" in node.operation]
    assert node.kind == "mvm" and node.actions["sigmoid"] == 256


def test_silu_written_as_a_product_joins_the_convolution():
    dataflow = lower(import_model(detector_neck(), {"images": [1, 3, 32, 32]}))
    joined = [node for node in dataflow.nodes if node.operation == "Conv+Sigmoid+Mul"]
    assert len(joined) == 4
    assert joined[0].actions == {"sigmoid": 16, "vector": 16}
    assert nodes_named(dataflow, "Resize")[0].grid == (8, 8)
    assert sum(node.is_output for node in dataflow.nodes) == 3


def test_squeeze_and_excite_reads_its_scale_at_every_position():
    dataflow = lower(import_model(mobile_net()))
    (scale,) = nodes_named(dataflow, "Mul")
    wide, narrow = scale.edges
    assert scale.grid == (16, 16) and wide.rows_lo.tolist() == list(range(16))
    assert narrow.rows_lo.tolist() == narrow.rows_hi.tolist() == [0] * 16
    assert dataflow.nodes[narrow.source].operation == "Conv+HardSigmoid"
    assert [node.matrix.groups for node in dataflow.nodes if node.matrix] == [1, 16, 1, 1, 1, 1]


def test_a_bidirectional_lstm_is_two_nodes_of_which_one_runs_backwards():
    dataflow = lower(import_model(crnn()))
    forward, backward = (node for node in dataflow.nodes if node.operation == "LSTM")
    assert forward.grid == backward.grid == (1, 20)
    assert (forward.matrix.rows, forward.matrix.columns) == (32 + 24, 4 * 24)
    assert forward.edges[0].cols_lo.tolist() == list(range(20))
    assert backward.edges[0].cols_lo.tolist() == list(range(20))[::-1]
    own = forward.edges[1]
    assert dataflow.nodes[own.source] is forward
    assert own.cols_hi.tolist() == [-1, *range(19)] and own.cols_lo.tolist() == [0, *range(19)]


def test_speech_runs_along_one_dimension():
    dataflow = lower(import_model(speech_net(), {"wave": [1, 400]}))
    assert [node.grid for node in dataflow.nodes[:4]] == [(400, 1), (79, 1), (39, 1), (39, 1)]


def test_token_ids_are_positions():
    dataflow = lower(import_model(bert(), {"input_ids": [1, 12]}))
    assert (dataflow.nodes[0].grid, dataflow.nodes[0].channels) == ((12, 1), 1)


def test_weights_behind_dequantisation_count_as_parameters():
    _, workload = imported("quantised pairs")
    assert workload.parameters == 8 * 27 + 8 + 512 * 10 + 10
    assert any("quantisation" in note for note in workload.notes)
