"""Layers made ready for crossbars: ranges from calibration, weights as integers, matrices programmed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pimsim.config.device import Device
from pimsim.config.mitigation import Mitigation
from pimsim.errors import InputError
from pimsim.functional.mitigation import program_mitigated
from pimsim.functional.mitigation.vote import Scores, VotedMatrix
from pimsim.functional.network.executor import BATCH_BYTES, MOST_IMAGES, Executor
from pimsim.functional.network.graph import Network
from pimsim.functional.network.layers import Dense, Matrix
from pimsim.functional.network.products import (
    SAMPLE,
    SAMPLE_IMAGES,
    CrossbarProducts,
    ExactProducts,
    RangeProducts,
    SampleProducts,
)
from pimsim.functional.network.quantisation import InputQuantiser, QuantisedWeights, input_quantiser, quantise_weights
from pimsim.mapping.arithmetic import Arithmetic, layer_arithmetic, step_for
from pimsim.mapping.program import Program

MOMENTS = 64  #: vectors from which noise of converters is approximated
ProgramMatrix = Callable[..., Any]  #: :func:`pimsim.functional.crossbar.program_matrix`


@dataclass(frozen=True)
class PreparedMatrix:
    """A layer's matrix in integers, with the arithmetic that its crossbars do."""

    name: str
    weights: QuantisedWeights
    inputs: InputQuantiser
    arithmetic: Arithmetic
    windows: int  #: of one image, as the Program counts them


def images_at_once(program: Program) -> int:
    """Images that go through together (see ``BATCH_BYTES``)."""
    largest = 1
    for node in program.dataflow.nodes:
        if node.matrix is not None:
            values = (node.matrix.rows + 2 * node.matrix.columns) * node.matrix.groups
            largest = max(largest, 8 * node.windows * values)
    return max(1, min(MOST_IMAGES, BATCH_BYTES // largest))


def check_batches(executor: Executor, images: np.ndarray) -> None:
    """Finds out whether the network takes several images at once, and whether one goes through at all.

    A batch written into a network's reshapes would mix images up, or raise: two images together must give what each
    gives alone.

    Raises:
        Exception: whatever numpy says of a network that cannot take even one image.
    """
    alone = [executor.floats(images[at : at + 1]).reshape(1, -1) for at in range(min(2, len(images)))]
    if len(alone) < 2:
        return
    try:
        together = executor.floats(images[:2]).reshape(2, -1)
        close = np.allclose(together, np.concatenate(alone), rtol=1e-3, atol=1e-3 * float(np.abs(alone).max()))
    except Exception:  # numpy's and onnx's errors of all kinds: shapes that do not fit
        close = False
    executor.one_by_one = not close


def prepare(
    executor: Executor, program: Program, batches: Sequence[np.ndarray], program_matrix: ProgramMatrix
) -> list[list[PreparedMatrix]]:
    """Ranges from images, integers from weights; one list for each matrix step.

    Args:
        batches: images for calibration, in batches.
        program_matrix: what programs a matrix; asked for the sums of columns where ADCs are calibrated.
    """
    for batch in batches:
        executor.observe(batch)
    places = {node.name: at for at, node in enumerate(program.dataflow.nodes)}
    prepared = []
    for step, floating in zip(executor.network.matrix_steps, executor.floating, strict=True):
        assert step.matrix is not None
        prepared.append([
            _prepared(matrix, program, places[matrix.name], products.seen)
            for matrix, products in zip(step.matrix.matrices, floating, strict=True)
        ])  # fmt: skip
    mapping, adc = program.system.mapping, program.system.chip.tile.ima.adc
    columns, registers = adc.range == "calibrated", mapping.accumulation == "register"
    if columns or registers:
        return _calibrated(executor, program, prepared, batches, program_matrix if columns else None)
    return prepared


def _prepared(matrix: Matrix, program: Program, place: int, seen: Any) -> PreparedMatrix:
    mapping, bits = program.system.mapping, program.layers[place].weight_bits
    inputs, signed = input_quantiser(seen, mapping.input_bits, mapping)
    arithmetic = layer_arithmetic(program.system, bits, signed_inputs=signed)
    weights = quantise_weights(matrix.weights, bits, mapping, matrix.name)
    return PreparedMatrix(matrix.name, weights, inputs, arithmetic, program.dataflow.nodes[place].windows)


def _calibrated(
    executor: Executor,
    program: Program,
    prepared: list[list[PreparedMatrix]],
    batches: Sequence[np.ndarray],
    program_matrix: ProgramMatrix | None,
) -> list[list[PreparedMatrix]]:
    """Steps of ADCs and shifts of registers so that what the calibration shows fits."""
    watched = [[_watching(each, program_matrix) for each in step] for step in prepared]
    for batch in batches:
        executor.alone(batch, watched)
    found = []
    for step, watching in zip(prepared, watched, strict=True):
        found.append([_with_ranges(each, range_, program) for each, range_ in zip(step, watching, strict=True)])
    return found


def _watching(prepared: PreparedMatrix, program_matrix: ProgramMatrix | None) -> RangeProducts:
    columns = None
    if program_matrix is not None:
        groups = prepared.weights.integers
        ideal = [program_matrix(each, prepared.arithmetic, device=None, layer=prepared.name) for each in groups]
        rows = groups.shape[1]

        def columns(vectors: np.ndarray) -> float:
            parts = (vectors[:, at * rows : (at + 1) * rows] for at in range(len(ideal)))
            return max(float(each.column_range(part)) for each, part in zip(ideal, parts, strict=True))

    return RangeProducts(prepared.weights, prepared.inputs, prepared.arithmetic.rows, columns)


def _with_ranges(prepared: PreparedMatrix, seen: RangeProducts, program: Program) -> PreparedMatrix:
    arithmetic = prepared.arithmetic
    step = step_for(arithmetic, seen.largest_sum) if seen.columns is not None else None
    shift = 0
    if arithmetic.register_bits is not None:
        shift = max(0, seen.largest_partial.bit_length() - (arithmetic.register_bits - 1))
    changed = layer_arithmetic(program.system, arithmetic.weight_bits, signed_inputs=arithmetic.signed_inputs,
                               adc_step=step, register_shift=shift)  # fmt: skip
    return PreparedMatrix(prepared.name, prepared.weights, prepared.inputs, changed, prepared.windows)


def on_crossbars(
    network: Network,
    prepared: Sequence[Sequence[PreparedMatrix]],
    images: int,
    mitigation: Mitigation,
    devices: Mapping[str, Device] | None = None,
    **options: Any,
) -> tuple[list[list[ExactProducts]], list[list[CrossbarProducts]]]:
    """Exact and crossbar products of all layers.

    Args:
        devices: of layers whose cells are not like the others'.
        options: device, seed and tier of ``program_matrix``.
    """

    def of_layer(name: str) -> dict[str, Any]:
        return {**options, "device": devices[name]} if devices and name in devices else options

    fixed = [[ExactProducts(each.weights, each.inputs) for each in step] for step in prepared]
    crossbars = []
    for parts, exact in zip(prepared, fixed, strict=True):
        crossbars.append([
            CrossbarProducts(products, _programmed(each, mitigation, of_layer(each.name)), _sampled(each, images))
            for each, products in zip(parts, exact, strict=True)
        ])  # fmt: skip
    if mitigation.vote == "class":
        _vote_for_classes(network, fixed, crossbars)
    return fixed, crossbars


def _vote_for_classes(
    network: Network, fixed: Sequence[Sequence[ExactProducts]], crossbars: Sequence[Sequence[CrossbarProducts]]
) -> None:
    """Let copies of the last layer vote for classes.

    Raises:
        InputError: the network does not end in a layer that has copies.
    """
    last = network.matrix_steps[-1]
    voted = [each for each in crossbars[-1][0].matrices if isinstance(each, VotedMatrix)]
    if not isinstance(last.matrix, Dense) or network.scores not in last.outputs or not voted:
        raise InputError("is class, which takes a network that ends in a dense layer, and copies of that layer",
                         key="mapping.mitigation.vote")  # fmt: skip
    bias = np.zeros(1) if last.matrix.bias is None else last.matrix.bias
    voted[0].scores = Scores(fixed[-1][0].scale, bias)


def _sampled(prepared: PreparedMatrix, images: int) -> np.ndarray:
    """Numbers of the vectors in the histogram: spread over the windows of the first images."""
    images = min(images, max(SAMPLE_IMAGES, SAMPLE // prepared.windows))
    last = images * prepared.windows - 1
    return np.unique(np.linspace(0, last, min(SAMPLE, last + 1)).astype(np.int64))


def _programmed(prepared: PreparedMatrix, mitigation: Mitigation, options: dict[str, Any]) -> list[Any]:
    own = mitigation.of_layer(prepared.name)
    return [program_mitigated(weights, prepared.arithmetic, own, layer=name, **options)
            for name, weights in named_groups(prepared)]  # fmt: skip


def named_groups(prepared: PreparedMatrix) -> list[tuple[str, np.ndarray]]:
    """The matrices (K, N) of a layer, one a group, and the names under which their cells are drawn."""
    groups = prepared.weights.integers
    names = [prepared.name if len(groups) == 1 else f"{prepared.name}/group{at}" for at in range(len(groups))]
    return list(zip(names, groups, strict=True))


def match_moments(
    executor: Executor,
    prepared: Sequence[Sequence[PreparedMatrix]],
    crossbars: Sequence[Sequence[CrossbarProducts]],
    images: np.ndarray,
) -> None:
    """Let matrices that approximate their converters' noise (T3b, forced) measure it on some images' vectors."""
    if not any(matrix.approximate for step in crossbars for each in step for matrix in each.matrices):
        return
    samples = [[SampleProducts(each.weights, each.inputs, MOMENTS) for each in step] for step in prepared]
    executor.alone(images, samples)
    for step, sampled in zip(crossbars, samples, strict=True):
        for products, sample in zip(step, sampled, strict=True):
            parts = np.split(sample.sample(), len(products.matrices), axis=1)
            for matrix, part in zip(products.matrices, parts, strict=True):
                if matrix.approximate:
                    matrix.match_moments(part)


def fitted(images: np.ndarray, network: Network) -> np.ndarray | None:
    """Images (N, C, H, W) in the shape of the network's input, images first; None: they do not fit.

    Dimensions of one value may be there or not, and an input without spatial dimensions takes the values in a row.
    """
    images = images.astype(network.dtype, copy=False)
    wanted = [size for at, size in enumerate(network.input_shape) if at != network.batch_axis]
    given = images.shape[1:]
    if tuple(wanted) == tuple(given):
        return images
    alike = [size for size in wanted if size > 1] == [size for size in given if size > 1]
    if alike or (len([size for size in wanted if size > 1]) <= 1 and math.prod(wanted) == math.prod(given)):
        return images.reshape(len(images), *wanted)
    return None
