"""The trained networks that are shipped: their weights, their shapes, and the accuracy that their files state."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from pimsim.datasets import load_dataset
from pimsim.errors import InputError
from pimsim.workload import load_workload, shipped

#: image, and the weights of matrices and convolutions, from the input to the output
SHAPES = {
    "mlp-digits": ((1, 8, 8), [(64, 64), (32, 64), (10, 32)]),
    "lenet5-mnist5k": ((1, 28, 28), [(6, 1, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84)]),
    "lenet5-fashion": ((1, 28, 28), [(6, 1, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84)]),
    "resnet8-fashion": (
        (1, 28, 28),
        [(16, 1, 3, 3), (16, 16, 3, 3), (16, 16, 3, 3), (32, 16, 3, 3), (32, 32, 3, 3), (32, 16, 1, 1),
         (64, 32, 3, 3), (64, 64, 3, 3), (64, 32, 1, 1), (10, 64)],
    ),
    "lstm-digits": ((1, 8, 8), [(1, 128, 8), (10, 32)]),
    "lstm-mnist5k": ((1, 28, 28), [(1, 256, 28), (10, 64)]),
}  # fmt: skip
WEIGHTED = ("Conv", "Gemm", "LSTM")
LARGEST_BYTES = 400_000
N_IMAGES = 500
#: what their makers promise
LEAST_ACCURACY = {
    "mlp-digits": 0.97, "lenet5-mnist5k": 0.96, "lenet5-fashion": 0.89, "resnet8-fashion": 0.91,
    "lstm-digits": 0.97, "lstm-mnist5k": 0.96,
}  # fmt: skip


def read(name: str) -> tuple[onnx.ModelProto, dict[str, str]]:
    model = onnx.load(shipped()[name])
    return model, {each.key: each.value for each in model.metadata_props}


def test_every_trained_network_has_its_shapes_here() -> None:
    assert {name for name, file in shipped().items() if file.suffix == ".onnx"} == set(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
class TestFile:
    def test_weights_have_the_shapes_of_the_layers(self, name: str) -> None:
        model, _ = read(name)
        weights = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
        nodes = [node for node in model.graph.node if node.op_type in WEIGHTED]
        assert [weights[node.input[1]].shape for node in nodes] == SHAPES[name][1]
        for key, values in weights.items():
            if not key.endswith(".axes"):
                assert values.dtype == np.float32 and np.isfinite(values).all() and values.any(), key

    def test_the_image_has_a_free_batch(self, name: str) -> None:
        model, _ = read(name)
        onnx.checker.check_model(model, full_check=True)
        assert [(each.domain, each.version) for each in model.opset_import] == [("", 17)]
        (image,) = model.graph.input
        dims = image.type.tensor_type.shape.dim
        assert image.name == "image" and dims[0].dim_param == "N"
        assert tuple(dim.dim_value for dim in dims[1:]) == SHAPES[name][0]
        assert load_workload(name).tensors["image"].shape == (1, *SHAPES[name][0])

    def test_nodes_have_names_of_their_own(self, name: str) -> None:
        model, _ = read(name)
        names = [node.name for node in model.graph.node]
        assert all(names) and len(set(names)) == len(names)

    def test_it_is_small_and_says_where_it_is_from(self, name: str) -> None:
        model, facts = read(name)
        assert shipped()[name].stat().st_size < LARGEST_BYTES
        assert set(facts) == {"dataset", "test_images", "test_accuracy", "epochs", "seed", "classes", "trained_by"}
        assert float(facts["test_accuracy"]) >= LEAST_ACCURACY[name]
        assert name.endswith(facts["dataset"].split("-")[0])

    def test_it_has_the_accuracy_that_it_states(self, name: str) -> None:
        model, facts = read(name)
        n_images = min(N_IMAGES, int(facts["test_images"]))
        try:
            data = load_dataset(facts["dataset"], images=n_images)
        except InputError as error:
            pytest.skip(str(error))
        (scores,) = ReferenceEvaluator(model).run(None, {"image": data.images})
        found, stated = float((scores.argmax(1) == data.labels).mean()), float(facts["test_accuracy"])
        if n_images == int(facts["test_images"]):
            assert found == pytest.approx(stated, abs=1.5 / n_images)  # an image may fall the other way by rounding
        else:
            assert abs(found - stated) < 4 * np.sqrt(stated * (1 - stated) / n_images)
        assert ", ".join(data.classes) == facts["classes"]


def test_residual_network_keeps_its_batch_normalisations() -> None:
    model, _ = read("resnet8-fashion")
    operations = [node.op_type for node in model.graph.node]
    assert operations.count("BatchNormalization") == operations.count("Conv") == 9
    assert operations.count("Add") == 3 and operations.count("GlobalAveragePool") == 1
    strides = {node.name: list(each.ints) for node in model.graph.node for each in node.attribute
               if each.name == "strides" and 2 in each.ints}  # fmt: skip
    assert set(strides) == {"block2_conv1", "block2_shortcut", "block3_conv1", "block3_shortcut"}
