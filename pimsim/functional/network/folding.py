"""BatchNorm, and additions of constants, that follow a matrix: they become part of its weights and bias.

Folded are those that follow directly and are the only reader, before quantisation; a BatchNorm behind an activation
stays a digital operation in floating point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pimsim.functional.network.digital import batch_norm_factors
from pimsim.functional.network.layers import Convolution, Dense
from pimsim.workload.records import Operation, Workload


def fold(steps: Sequence, constants: Mapping[str, np.ndarray], workload: Workload, output: str) -> tuple:
    """The steps with everything folded that can be; ``output`` stays."""
    readers = Counter(name for step in steps for name in step.inputs)
    readers.update([*workload.outputs, output])
    operations = {each: operation for operation in workload.operations for each in operation.outputs}
    folded: list = []
    made_by: dict[str, int] = {}  #: tensor -> place of the matrix step that makes it
    for step in steps:
        at = next((made_by[name] for name in step.inputs if name in made_by and readers[name] == 1), None)
        operation = operations.get(step.outputs[0])
        found = None
        if at is not None and operation is not None and step.matrix is None:
            shape = workload.shape(folded[at].outputs[0])
            found = _factors(operation, step.inputs, constants, shape, isinstance(folded[at].matrix, Convolution))
        if at is not None and found is not None:
            folded[at] = replace(folded[at], matrix=folded[at].matrix.scaled(*found), outputs=step.outputs[:1])
            made_by[step.outputs[0]] = at
            continue
        folded.append(step)
        if isinstance(step.matrix, Convolution) or (isinstance(step.matrix, Dense) and _plain(step.matrix)):
            made_by[step.outputs[0]] = len(folded) - 1
    return tuple(folded)


def _plain(dense: Dense) -> bool:
    """Whether output channels are the last dimension, and the bias has one value for each."""
    columns = dense.matrices[0].weights.shape[-1]
    bias_fits = dense.bias is None or dense.bias.shape in ((columns,), (1, columns))
    return not dense.weights_left and not dense.vector and bias_fits


def _factors(
    operation: Operation, inputs: Sequence[str], constants: Mapping[str, np.ndarray], shape: Sequence[int], maps: bool
) -> tuple[np.ndarray, np.ndarray] | None:
    """Factor and summand of each output channel that an operation is; None: it is something else."""
    axis = 1 if maps else len(shape) - 1
    channels = shape[axis]
    if operation.type == "BatchNormalization" and axis == 1:
        if all(name in constants for name in inputs[1:5]):
            return batch_norm_factors([constants[name] for name in inputs[1:5]], operation.attributes)
    elif operation.type == "Add" and len(inputs) == 2:
        summand = next((constants[name] for name in inputs if name in constants), None)
        along = tuple(channels if at == axis else 1 for at in range(len(shape)))
        if summand is not None and summand.size == channels and _aligned(summand.shape, along):
            return np.ones(channels), summand.astype(np.float64).reshape(-1)
    return None


def _aligned(shape: Sequence[int], along: Sequence[int]) -> bool:
    """Whether a constant of this shape adds one value to each channel."""
    return len(shape) <= len(along) and tuple(along[len(along) - len(shape) :]) == tuple(shape)
