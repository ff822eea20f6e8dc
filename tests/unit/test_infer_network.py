"""Networks in floating point: the executor gives what ONNX's reference implementation gives, operator by operator."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from pimsim.errors import InputError
from pimsim.functional.network.digital import OWN
from pimsim.functional.network.executor import Executor
from pimsim.functional.network.graph import build_network
from pimsim.functional.network.preparation import check_batches
from pimsim.functional.network.recurrent import Recurrent
from pimsim.workload.lowering import lower
from pimsim.workload.onnx_import import import_model
from tests.unit.inference_networks import built, by_reference, images_for, in_float, small_cnn
from tests.unit.onnx_models import INT64, Graph, transformer_block


def same(model: Any, images: np.ndarray) -> None:
    found, wanted = in_float(model, images), by_reference(model, images)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "weights", "attributes"),
    [
        ((3, 9, 8), (4, 3, 3, 3), {}),
        ((3, 9, 8), (4, 3, 3, 2), {"strides": [2, 3], "pads": [1, 0, 2, 1], "dilations": [1, 2]}),
        ((6, 7, 7), (4, 3, 3, 3), {"group": 2, "pads": [1, 1, 1, 1]}),
        ((5, 6, 6), (10, 1, 3, 3), {"group": 5}),
        ((2, 7, 6), (3, 2, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        ((2, 7, 6), (3, 2, 4, 4), {"auto_pad": "SAME_LOWER"}),
        ((2, 11), (3, 2, 4), {"strides": [3]}),
        ((2, 4, 5, 6), (3, 2, 2, 3, 2), {"pads": [0, 1, 0, 1, 0, 1]}),
    ],
)
def test_a_convolution_is_that_of_the_reference(
    shape: tuple[int, ...], weights: tuple[int, ...], attributes: dict[str, Any]
) -> None:
    g = Graph(17)
    model = g.model(g("Conv", g.input("x", ["N", *shape]), g.weight(*weights), g.weight(weights[0]), **attributes))
    same(model, images_for((3, *shape)))


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"strides": [2, 3], "pads": [1, 0, 0, 1]},
        {"strides": [2, 2], "output_padding": [1, 1], "pads": [1, 1, 1, 1]},
        {"dilations": [2, 1]},
    ],
)
def test_a_transposed_convolution_is_that_of_the_reference(attributes: dict[str, Any]) -> None:
    g = Graph(17)
    x = g.input("x", ["N", 4, 5, 4])
    same(g.model(g("ConvTranspose", x, g.weight(4, 3, 3, 3), g.weight(3), **attributes)), images_for((2, 4, 5, 4)))


def test_groups_of_a_transposed_convolution_are_convolutions_of_their_own() -> None:
    images, weights = images_for((2, 4, 5, 4)), images_for((4, 3, 3, 3), 5)
    g = Graph(17)
    whole = in_float(g.model(g("ConvTranspose", g.input("x", ["N", 4, 5, 4]), g.value(weights), group=2)), images)
    for at in range(2):
        g, part = Graph(17), slice(2 * at, 2 * at + 2)
        model = g.model(g("ConvTranspose", g.input("x", ["N", 2, 5, 4]), g.value(weights[part])))
        wanted = by_reference(model, images[:, part])
        np.testing.assert_allclose(whole[:, 3 * at : 3 * at + 3], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize(
    "attributes",
    [
        {"kernel_shape": [2, 2], "strides": [2, 2]},
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
        {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1},
        {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER"},
    ],
)
def test_a_pool_is_that_of_the_reference(kind: str, attributes: dict[str, Any]) -> None:
    g = Graph(17)
    x = g("Conv", g.input("x", ["N", 2, 8, 8]), g.weight(3, 2, 1, 1))
    same(g.model(g(kind, x, **attributes)), images_for((3, 2, 8, 8)))


def test_padding_counts_in_an_average_only_where_it_is_said() -> None:
    g = Graph(17)
    x = g("Conv", g.input("x", ["N", 2, 6, 6]), g.weight(3, 2, 1, 1))
    same(g.model(g("AveragePool", x, kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1)), images_for((2, 2, 6, 6)))


def test_products_with_weights_on_either_side() -> None:
    g = Graph(17)
    x = g("MatMul", g.input("x", ["N", 5, 7]), g.weight(7, 6))
    x = g("MatMul", g.value(images_for((4, 5), 3)), x)
    same(g.model(g("MatMul", x, g.weight(6))), images_for((3, 5, 7)))


def test_gemm_scales_and_transposes() -> None:
    g = Graph(17)
    x = g("Gemm", g.input("x", ["N", 7]), g.weight(5, 7), g.weight(5), transB=1, alpha=0.5, beta=2.0)
    same(g.model(g("Gemm", x, g.weight(5, 3))), images_for((4, 7)))


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_an_lstm_is_that_of_the_reference(direction: str) -> None:
    n = 2 if direction == "bidirectional" else 1
    g = Graph(17)
    x = g("Transpose", g.input("x", ["N", 6, 5]), perm=[1, 0, 2])
    y, _, _ = g("LSTM", x, g.weight(n, 16, 5), g.weight(n, 16, 4), g.value(images_for((n, 32), 7)), "", "", "",
                g.value(images_for((n, 12), 8)), outputs=3, hidden_size=4, direction=direction)  # fmt: skip
    same(g.model(y), images_for((3, 6, 5)))


def test_a_plain_recurrent_layer_is_that_of_the_reference() -> None:
    g = Graph(17)
    x = g("Transpose", g.input("x", ["N", 6, 5]), perm=[1, 0, 2])
    y, h = g("RNN", x, g.weight(1, 4, 5), g.weight(1, 4, 4), g.value(images_for((1, 8), 7)), outputs=2, hidden_size=4)
    same(g.model(h, y), images_for((3, 6, 5)))


def test_clipped_and_coupled_gates_by_hand() -> None:
    """ONNX's reference ignores both: one step from zero with ONNX's equations."""
    x, w = np.array([[[2.0, -1.0]]], np.float32), images_for((1, 4, 2), 3)
    g = Graph(17)
    y, _ = g("LSTM", g("Transpose", g.input("x", ["N", 1, 2]), perm=[1, 0, 2]), g.value(w), g.weight(1, 4, 1),
             outputs=2, hidden_size=1, clip=0.25, input_forget=1)  # fmt: skip
    i, o, _, c = (np.clip(w[0] @ x[0, 0], -0.25, 0.25)).tolist()
    sigmoid = [1 / (1 + math.exp(-gate)) for gate in (i, o)]
    wanted = sigmoid[1] * math.tanh(sigmoid[0] * math.tanh(c))
    assert in_float(g.model(y), x).reshape(-1).tolist() == pytest.approx([wanted], rel=1e-5)


def test_batchnorm_and_bias_are_folded_into_the_weights() -> None:
    model = small_cnn()
    network, _ = built(model)
    kinds = [type(step.matrix).__name__ for step in network.steps if step.matrix is not None]
    assert kinds == ["Convolution", "Convolution", "Dense"]
    assert len(network.steps) == 3 + 4  # two Relu, MaxPool, Flatten
    same(model, images_for((3, 2, 8, 8)))


def test_a_batchnorm_behind_an_activation_is_not_folded() -> None:
    g = Graph(11)
    x = g("Relu", g("Conv", g.input("x", ["N", 2, 4, 4]), g.weight(3, 2, 1, 1)))
    parameters = [g.weight(3) for _ in range(4)]
    model = g.model(g("BatchNormalization", x, *parameters))
    network, _ = built(model)
    assert len(network.steps) == 3
    scale, bias, mean, variance = (network.constants[name].reshape(-1, 1, 1) for name in parameters)
    images = images_for((2, 2, 4, 4))
    before = np.maximum(by_reference(g.model(g.nodes[0].output[0]), images), 0)
    np.testing.assert_allclose(in_float(model, images), (before - mean) / np.sqrt(variance + 1e-5) * scale + bias,
                               rtol=1e-4, atol=1e-5)  # fmt: skip


def test_a_value_that_others_read_too_is_not_folded_away() -> None:
    g = Graph(17)
    x = g("Conv", g.input("x", ["N", 2, 4, 4]), g.weight(3, 2, 1, 1))
    same(g.model(g("Add", x, g("BatchNormalization", x, *(g.weight(3) for _ in range(4))))), images_for((2, 2, 4, 4)))


def test_an_addition_over_positions_is_not_taken_for_a_bias() -> None:
    g = Graph(17)
    x = g("Conv", g.input("x", ["N", 2, 3, 3]), g.weight(3, 2, 1, 1))
    same(g.model(g("Add", x, g.value(images_for((3,), 9)))), images_for((2, 2, 3, 3)))


def test_a_transformer_block_with_shapes_read_from_the_data() -> None:
    same(transformer_block(32, 4, 6), images_for((2, 6, 32)))


def test_weights_may_be_dequantised_constants() -> None:
    g = Graph(13)
    scale, zero = g.value(np.float32(0.1)), g.value(np.int8(0))
    x = g("DequantizeLinear", g("QuantizeLinear", g.input("x", ["N", 3, 6, 6]), scale, zero), scale, zero)
    weights = g.value(np.random.default_rng(2).integers(-99, 99, (8, 3, 3, 3)).astype(np.int8))
    w = g("DequantizeLinear", weights, g.weight(8), g.value(np.zeros(8, np.int8)), axis=0)
    model, images = g.model(g("Conv", x, w)), images_for((2, 3, 6, 6))
    assert len(built(model)[0].matrix_steps) == 1
    found = in_float(model, images)
    model.opset_import[0].version = 19  # the first in which the reference has these operations
    np.testing.assert_allclose(found, by_reference(model, images), rtol=1e-4, atol=1e-5)


def test_a_network_of_other_floats_or_of_token_ids() -> None:
    g = Graph(17)
    model = g.model(g("MatMul", g.input("x", ["N", 4], TensorProto.DOUBLE), g.weight(4, 3, kind=np.float64)))
    assert built(model)[0].dtype == np.float64
    g = Graph(17)
    x = g("Gather", g.weight(9, 4), g.input("ids", ["N", 5], INT64))
    with pytest.raises(InputError, match="the input 'ids' of this one holds int64 numbers"):
        built(g.model(g("MatMul", x, g.weight(4, 3))))


def test_erf_is_as_exact_as_its_source_says() -> None:
    x = np.linspace(-5, 5, 2001)
    exact = np.array([math.erf(value) for value in x])
    assert np.abs(OWN["Erf"]([x], {}) - exact).max() < 1.5e-7


def test_a_batch_that_is_written_into_the_network_is_found_out() -> None:
    g = Graph(17)
    x = g("Reshape", g.input("x", [1, 2, 4, 4]), g.ints(1, 32))
    fixed = g.model(g("Gemm", x, g.weight(32, 5)))
    for model, one_by_one in ((fixed, True), (small_cnn(1), False)):
        executor = Executor(built(model)[0])
        images = images_for((3, *executor.network.input_shape[1:]))
        check_batches(executor, images)
        assert executor.one_by_one == one_by_one
        alone = np.concatenate([by_reference(model, images[at : at + 1]) for at in range(3)])
        np.testing.assert_allclose(executor.floats(images), alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda g, x: g("GRU", x, g.weight(1, 12, 5), g.weight(1, 12, 4), outputs=2, hidden_size=4)[0], "GRU"),
        (lambda g, x: g("MatMul", x, g.value(images_for((3, 5, 2)))), "a stack of constant matrices"),
        (lambda g, x: g("LSTM", x, g.weight(1, 16, 5), g.weight(1, 16, 4), outputs=3, hidden_size=4,
                        activations=["Sigmoid", "Affine", "Tanh"])[0], "activation affine"),
    ],
)  # fmt: skip
def test_what_cannot_be_evaluated_is_named(build: Any, told: str) -> None:
    g = Graph(17)
    model = g.model(build(g, g.input("x", [3, 1, 5])))
    workload = import_model(model)
    with pytest.raises(InputError, match=told) as error:
        build_network(model, workload, lower(workload))
    assert "infer cannot evaluate" in str(error.value)


def test_weights_that_are_not_finite_are_refused() -> None:
    g = Graph(17)
    weights = images_for((4, 5))
    weights[1, 2] = math.nan
    model = g.model(g("MatMul", g.input("x", ["N", 4]), g.value(weights, "w")))
    workload = import_model(model)
    with pytest.raises(InputError, match="1 of the 20 values of 'w' are NaN or infinite"):
        build_network(model, workload, lower(workload))


def test_recurrent_steps_number_their_vectors_by_image_then_step() -> None:
    seen = []

    class Watching:
        def prepare(self, values: np.ndarray) -> np.ndarray:
            return values

        def multiply(self, vectors: np.ndarray, first_vector: int, stride: int = 1) -> np.ndarray:
            seen.append((first_vector, stride, len(vectors)))
            return np.zeros((len(vectors), 16))

    g = Graph(17)
    model = g.model(g("LSTM", g("Transpose", g.input("x", ["N", 3, 5]), perm=[1, 0, 2]), g.weight(1, 16, 5),
                      g.weight(1, 16, 4), outputs=3, hidden_size=4)[0])  # fmt: skip
    network, _ = built(model)
    assert isinstance(network.matrix_steps[0].matrix, Recurrent)
    Executor(network).alone(images_for((7, 3, 5)), [[Watching()]], first_image=100)
    assert seen == [(300, 3, 7), (301, 3, 7), (302, 3, 7)]
