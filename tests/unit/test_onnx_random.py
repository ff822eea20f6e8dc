"""Random networks of everyday operators: shapes are onnx's, and regions are never too small.

The check is by values: one input position is changed, onnx's reference evaluator says which outputs change,
and each of them must need that position along the edges of the dataflow.
"""

from __future__ import annotations

import math
import random

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from pimsim.workload.lowering import Lowering
from pimsim.workload.onnx_import import import_model
from tests.unit.dataflow_checks import check
from tests.unit.onnx_models import Graph
from tests.unit.test_onnx_exporters import needed, positions_first, random_inputs, reach, touched

SHAPES = [(1, 4, 6, 6), (1, 6, 8), (1, 4, 1, 9), (2, 3, 4), (1, 2, 3, 4, 4)]


class RandomNetwork:
    """Grows operator by operator; what onnx does not accept is dropped again."""

    def __init__(self, seed: int) -> None:
        self.random, self.g = random.Random(seed), Graph(17)
        shape = self.random.choice(SHAPES)
        self.feeds = {"x": np.random.default_rng(seed).normal(size=shape).astype(np.float32)}
        self.tensors = [(self.g.input("x", shape), shape)]
        for _ in range(self.random.randint(2, 7)):
            self.grow()

    def grow(self) -> None:
        before = len(self.g.nodes)
        x, shape = self.random.choice([self.tensors[-1], self.tensors[-1], self.random.choice(self.tensors)])
        operator = self.random.choice([getattr(self, name) for name in dir(self) if name.startswith("op_")])
        output = operator(x, shape, self.random.randrange(len(shape))) if shape else None
        value = self.evaluated(output) if output else None
        if value is None or not 0 < value.size < 2000 or np.isnan(value).any():
            del self.g.nodes[before:]
        else:
            self.tensors.append((output, value.shape))

    def evaluated(self, output: str) -> np.ndarray | None:
        try:
            return ReferenceEvaluator(self.g.model(output)).run([output], self.feeds)[0]
        except Exception:  # whatever the evaluator says of a network that makes no sense
            return None

    def model(self) -> onnx.ModelProto:
        return self.g.model(self.tensors[-1][0])

    def op_conv(self, x, shape, _axis):
        kernel = [min(self.random.choice([1, 2, 3]), n) for n in shape[2:]]
        groups = self.random.choice([1, 2]) if len(shape) > 2 and shape[1] % 2 == 0 else 1
        strides = [self.random.choice([1, 2]) for _ in kernel]
        return len(shape) > 2 and self.g(
            "Conv", x, self.g.weight(4, shape[1] // groups, *kernel), strides=strides, group=groups
        )

    def op_pool(self, x, shape, _axis):
        type = self.random.choice(["MaxPool", "AveragePool"])
        return len(shape) > 2 and self.g(type, x, kernel_shape=[min(2, n) for n in shape[2:]])

    def op_global_pool(self, x, shape, _axis):
        return len(shape) > 2 and self.g("GlobalAveragePool", x)

    def op_reshape(self, x, shape, _axis):
        left, sizes = math.prod(shape), []
        for _ in range(self.random.randint(1, 4)):
            sizes.append(self.random.choice([n for n in range(1, left + 1) if left % n == 0]))
            left //= sizes[-1]
        return self.g("Reshape", x, self.g.ints(*sizes, left))

    def op_transpose(self, x, shape, _axis):
        return self.g("Transpose", x, perm=self.random.sample(range(len(shape)), len(shape)))

    def op_slice(self, x, shape, axis):
        start, step = self.random.choice([(0, 2), (1, 1), (shape[axis] - 1, -1)])
        end = -999 if step < 0 else shape[axis]
        return self.g("Slice", x, self.g.ints(start), self.g.ints(end), self.g.ints(axis), self.g.ints(step))

    def op_split(self, x, shape, axis):
        sizes = self.g.ints(1, shape[axis] - 1)
        return shape[axis] > 1 and self.random.choice(self.g("Split", x, sizes, outputs=2, axis=axis))

    def op_gather(self, x, shape, axis):
        one, two = (self.random.randrange(shape[axis]) for _ in range(2))
        return self.g("Gather", x, self.random.choice([self.g.value(np.int64(one)), self.g.ints(one, two)]), axis=axis)

    def op_concat(self, x, shape, axis):
        other = self.random.choice([name for name, size in self.tensors if size == shape])
        return self.g("Concat", x, other, axis=axis)

    def op_add(self, x, shape, _axis):
        return self.g("Add", x, self.random.choice([name for name, size in self.tensors if size == shape]))

    def op_bias(self, x, shape, _axis):
        return self.g("Add", x, self.g.weight(*(self.random.choice([1, n]) for n in shape)))

    def op_silu(self, x, _shape, _axis):
        return self.g("Mul", x, self.g("Sigmoid", x))

    def op_scale(self, x, _shape, axis):
        return self.g("Mul", x, self.g("Sigmoid", self.g("ReduceMax", x, axes=[axis], keepdims=1)))

    def op_mean(self, x, shape, _axis):
        axes = sorted(self.random.sample(range(len(shape)), self.random.randint(1, len(shape))))
        return self.g("ReduceMean", x, axes=axes, keepdims=self.random.choice([0, 1]))

    def op_matmul(self, x, shape, _axis):
        return len(shape) > 1 and self.g("MatMul", x, self.g.weight(shape[-1], 3))

    def op_weights_left(self, x, shape, _axis):
        return len(shape) > 1 and self.g("MatMul", self.g.weight(3, shape[-2]), x)

    def op_product(self, x, shape, _axis):
        order = [*range(len(shape))]
        order[-2:] = order[-2:][::-1]
        return len(shape) > 1 and self.g("MatMul", x, self.g("Transpose", x, perm=order))

    def op_softmax(self, x, _shape, axis):
        return self.g("Softmax", x, axis=axis)

    def op_layer_norm(self, x, shape, _axis):
        return self.g("LayerNormalization", x, self.g.weight(shape[-1]), self.g.weight(shape[-1]), axis=-1)

    def op_pad(self, x, shape, _axis):
        return self.g("Pad", x, self.g.ints(*(self.random.choice([0, 0, 1]) for _ in range(2 * len(shape)))))

    def op_resize(self, x, shape, _axis):
        scales = self.g.value(np.array([1, 1, 2, 2], np.float32))
        return len(shape) == 4 and self.g("Resize", x, "", scales, mode=self.random.choice(["nearest", "linear"]))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # random networks overflow now and then
@pytest.mark.parametrize("block", range(10))
def test_regions_of_random_networks_are_never_too_small(block):
    for seed in range(30 * block, 30 * block + 30):
        network = RandomNetwork(seed)
        workload = import_model(network.model(), {"x": network.feeds["x"].shape})
        assert workload.shape(workload.outputs[0]) == network.tensors[-1][1], seed
        lowering = Lowering(workload)
        dataflow = lowering.run()
        check(dataflow)
        if len(dataflow.nodes) == len(lowering.nodes):  # else the views count nodes that are left out
            compare(network.model(), workload, lowering, dataflow, seed)


def compare(model, workload, lowering, dataflow, seed):
    evaluator, feeds = ReferenceEvaluator(model), random_inputs(workload)
    (output,) = workload.outputs
    (before,) = evaluator.run([output], feeds)
    view = lowering.views["x"]
    for position in (0, view.positions // 2, view.positions - 1):
        (after,) = evaluator.run([output], {"x": touched(feeds["x"], view, position)})
        differs = positions_first(lowering.views[output], before != after).any(axis=1)
        reached = needed(lowering.views[output], reach(dataflow, 0, position))
        assert not (differs & ~reached).any(), (seed, position)
