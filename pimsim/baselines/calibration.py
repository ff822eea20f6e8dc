"""Fits the efficiencies of a roofline to a measured file, one a class of operations, and says what error is left.

What is fitted to is the time of a batch, measured without profiling.  Kernel by kernel times are of runs of their own:
profiling adds to each (their sum may be more than twice the batch), and between kernels of a GPU there may be gaps
(their sum is less).  So they tell shares alone: each is multiplied by

    scale = measured time of the batch / sum of the measured kernels

The kernels of a class (:data:`~pimsim.costmodels.roofline.CLASSES`), so scaled, took some time together; its efficiency
is the one at which the roofline says the same:

    efficiency = sum of max(FLOPs / peak, bytes / bandwidth) / (measured time - launches x launch overhead)

A class that is faster than its roof keeps an efficiency of 1, and its error shows it: the roof is too low, or the data
stayed in a cache.

Sums are fitted, so that their error is 0 where a class is slower than its roof; how well one number serves all kernels
of a class is the error kernel by kernel.  The error of the whole is that of the calibrated roofline's batch, kernels
that were not measured included, to the measured batch.  All are of the data that was fitted; another network may be
further off.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pimsim.baselines.measured_files import Measured
from pimsim.costmodels.roofline import (
    CLASSES,
    NOT_EXECUTED,
    RooflineDevice,
    Work,
    kernel_cost,
    operation_class,
    roofline,
    works,
)
from pimsim.errors import InputError
from pimsim.workload.operations.registry import TABLE
from pimsim.workload.records import Workload

MATRIX_TYPES = frozenset("Gemm FusedGemm QGemm MatMul FusedMatMul MatMulInteger QLinearMatMul Einsum".split())
"""Types of kernels that are products of matrices, as ONNX and onnxruntime name them."""


@dataclass(frozen=True)
class Calibration:
    """Efficiencies, and how well they fit."""

    device: RooflineDevice  #: with the efficiencies
    precision: str
    batch: int
    efficiency: Mapping[str, float]  #: by class
    kernels: Mapping[str, int]  #: of each class
    measured_us: Mapping[str, float]  #: sum over the class's kernels, scaled to the batch
    fitted_us: Mapping[str, float]  #: the same, from the roofline
    kernel_error: Mapping[str, float]
    #: by class: sum of |roofline - measured| over the kernels that both name, relative to their measured time; a class
    #: of which they name none in common is left out
    fused: bool  #: whether activations ran in the kernels before them: the roofline is to be taken so
    scale: float  #: measured time of a batch over the sum of its profiled kernels
    batch_us: float  #: measured, without profiling
    roofline_us: float  #: the same from the calibrated roofline

    @property
    def errors(self) -> dict[str, float]:
        """Relative error of each class's sum: 0.1 where the roofline says 10 % more."""
        return {kind: self.fitted_us[kind] / self.measured_us[kind] - 1 for kind in self.fitted_us}

    @property
    def total_error(self) -> float:
        """Relative error of the time of a batch."""
        return self.roofline_us / self.batch_us - 1


def calibrate(measured: Measured, workload: Workload, device: RooflineDevice) -> Calibration:
    """Efficiencies of ``device`` from a measured run of ``workload``.

    Args:
        measured: with times of single kernels.
        workload: the network that was measured.
        device: peaks, bandwidth and launch overhead of what it was measured on.

    Raises:
        InputError: the file tells no single kernels, is of another network, or the device has no such precision.
    """
    _check(measured, workload)
    peak = device.peak(measured.precision)
    measured, scale = _scaled_to_batch(measured)
    measured_us = _by_class(measured)
    fused = _is_fused(workload, measured)
    todo = _works_by_class(workload, measured, fused)
    present = [kind for kind in CLASSES if todo[kind] and measured_us.get(kind)]
    found = {kind: _efficiency(todo[kind], measured_us[kind], device, peak) for kind in present}
    fitted_device = replace(device, efficiency=found)
    fitted = {kind: _time_us(todo[kind], fitted_device, peak) for kind in present}
    whole = roofline(workload, fitted_device, batch=measured.batch, precision=measured.precision, fused=fused)
    return Calibration(
        fitted_device, measured.precision, measured.batch, found,
        {kind: len(todo[kind]) for kind in present}, {kind: measured_us[kind] for kind in present}, fitted,
        _kernel_errors(measured, todo, fitted_device, peak), fused, scale, measured.batch_time.median_us,
        1e6 * whole.time_s,
    )  # fmt: skip


def _scaled_to_batch(measured: Measured) -> tuple[Measured, float]:
    """Kernels that together take as long as a batch does without profiling, and by what they were multiplied."""
    scale = measured.batch_time.median_us / sum(kernel.median_us for kernel in measured.operations)
    kernels = tuple(each.model_copy(update={"median_us": each.median_us * scale}) for each in measured.operations)
    return measured.model_copy(update={"operations": kernels}), scale


def _check(measured: Measured, workload: Workload) -> None:
    if not any(kernel.median_us for kernel in measured.operations):
        raise InputError("the measured file has no times of single operations", key="operations",
                         allowed="a file with them: PyTorch tells them on CUDA, onnxruntime on a CPU")  # fmt: skip
    if (measured.model.name, measured.model.macs) != (workload.name, workload.macs):
        raise InputError(f"measured was {measured.model.name} with {measured.model.macs:,} MACs, not {workload.name} "
                         f"with {workload.macs:,}", key="model")  # fmt: skip


def _by_class(measured: Measured) -> dict[str, float]:
    """Time of each class [us], by the kernels' types."""
    found: dict[str, float] = defaultdict(float)
    for kernel in measured.operations:
        found[operation_class(kernel.type, int(kernel.type in MATRIX_TYPES))] += kernel.median_us
    return found


def _is_fused(workload: Workload, measured: Measured) -> bool:
    """Whether most element-wise operations have no kernel of their own."""
    seen = {(kernel.name, kernel.type) for kernel in measured.operations}
    alone = [operation for operation in workload.operations
             if TABLE[operation.type].elementwise and operation.type not in NOT_EXECUTED]  # fmt: skip
    return not alone or sum((operation.name, operation.type) in seen for operation in alone) * 2 < len(alone)


def _works_by_class(workload: Workload, measured: Measured, fused: bool) -> dict[str, list[Work]]:
    """What the roofline takes for the kernels that were measured: without what only moves data and has no kernel of its
    own there."""
    kernels = works(workload, measured.batch, measured.precision, fused)
    times = {kernel.name: kernel.median_us for kernel in measured.operations}
    named = [_measured_us(work, times) is not None for work in kernels]
    found: dict[str, list[Work]] = {kind: [] for kind in CLASSES}
    for work, is_named in zip(kernels, named, strict=True):
        if is_named or work.kind != "memory" or not any(named):
            found[work.kind].append(work)
    return found


def _measured_us(work: Work, times: Mapping[str, float]) -> float | None:
    """Time of the kernel that bears the name of an operation in ``work``: runtimes name it after the first or last."""
    return next((times[name] for name in (work.name, *reversed(work.fused)) if name in times), None)


def _efficiency(kernels: list[Work], wanted_us: float, device: RooflineDevice, peak: float) -> float:
    """The equation above; at most 1."""
    costs = [kernel_cost(work, replace(device, efficiency={}), peak) for work in kernels]
    roof_s = sum(max(cost.compute_s, cost.memory_s) for cost in costs)
    busy_s = wanted_us / 1e6 - sum(cost.launch_s for cost in costs)
    return min(1.0, roof_s / busy_s) if busy_s > 0 else 1.0


def _kernel_errors(
    measured: Measured, todo: Mapping[str, list[Work]], device: RooflineDevice, peak: float
) -> dict[str, float]:
    times = {kernel.name: kernel.median_us for kernel in measured.operations}
    found = {}
    for kind, kernels in todo.items():
        pairs = [(_time_us([work], device, peak), us) for work in kernels if (us := _measured_us(work, times))]
        if pairs:
            found[kind] = sum(abs(ours - theirs) for ours, theirs in pairs) / sum(theirs for _, theirs in pairs)
    return found


def _time_us(kernels: list[Work], device: RooflineDevice, peak: float) -> float:
    return 1e6 * sum(kernel_cost(work, device, peak).time_s for work in kernels)
