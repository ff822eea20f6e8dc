"""Roofline of a GPU or another programmable device: how long each operation of a network takes, and what it draws.

For one operation, a kernel of its own (Williams, Waterman and Patterson, CACM 2009, with a launch in front):

    time   = launches x launch overhead + max(FLOPs / (peak x efficiency), bytes / (bandwidth x efficiency))
    energy = idle power x time + (loaded power - idle power) x (time without launches)

so that utilisation is the share of the time in which a kernel runs, whatever it is bound by.

What is counted:

* FLOPs: two for each multiply-accumulate.  Operations that multiply no weights count one for each output value (pools
  and reductions: one for each input value); they are bound by memory on any real device.
* Bytes: every input and output of the batch once, weights once a batch, all of them in the precision of the run.
  Nothing stays in a cache between two kernels, and no kernel reads a value twice.  Where a table is looked up, only
  what is read of it counts.
* A kernel for each operation, and for recurrent ones for each step; none for those that only rename
  (:data:`NOT_EXECUTED`).  With ``fused``, an element-wise operation of one input (activation, BatchNorm) that is the
  only reader of a product or of another element-wise operation is part of that one's kernel: its FLOPs and weights
  count, its traffic and launch do not.

An efficiency is the share of its roof, slope and flat part alike, that a class of operations reaches.  Efficiencies
default to 1: the bound that no kernel exceeds.  ``pimsim.baselines.calibration`` fits them to a measured device.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pimsim.errors import InputError
from pimsim.workload.operations.registry import TABLE
from pimsim.workload.records import Operation, Workload

BYTES_PER_VALUE = {"fp32": 4, "tf32": 4, "fp16": 2, "int8": 1}
"""Precisions, and how wide a value is in memory: TF32 is stored as 32 bits."""

CLASSES = ("convolution", "matrix", "recurrent", "memory")
"""Kinds of operations that share an efficiency: convolutions; products with or without weights; recurrent cells;
and everything that multiplies nothing by weights, which lives on bandwidth."""

NOT_EXECUTED = frozenset("Flatten Reshape Squeeze Unsqueeze Identity Dropout CastLike".split())
"""Other views of the same values: no kernel."""

_CONVOLUTIONS = frozenset("Conv FusedConv ConvInteger QLinearConv ConvTranspose LocallyConnected".split())
_RECURRENT = frozenset("LSTM GRU RNN".split())
_LOOKED_UP = frozenset("Embedding Gather".split())
_BY_INPUT = frozenset("MaxPool AveragePool GlobalAveragePool GlobalMaxPool LpPool GlobalLpPool".split())


@dataclass(frozen=True)
class RooflineDevice:
    """A device as its roofline sees it."""

    name: str
    peak_flops_per_s: Mapping[str, float]  #: by precision; INT8: operations a second
    bandwidth_bytes_per_s: float
    launch_s: float  #: overhead of one kernel
    idle_w: float
    loaded_w: float
    efficiency: Mapping[str, float] = field(default_factory=dict)
    #: share of the roof that operations of a class (:data:`CLASSES`) reach; absent: 1

    def peak(self, precision: str) -> float:
        """FLOPs a second in a precision.

        Raises:
            InputError: the device has no rate for it.
        """
        if precision not in self.peak_flops_per_s:
            raise InputError(f"{self.name} has no peak in {precision}", key="precision", allowed=self.peak_flops_per_s)
        return self.peak_flops_per_s[precision]

    def ridge_flops_per_byte(self, precision: str) -> float:
        """Operational intensity from which on the peak is the bound."""
        return self.peak(precision) / self.bandwidth_bytes_per_s

    def attainable_flops_per_s(self, flops_per_byte: float, precision: str) -> float:
        """Height of the roof at an operational intensity, without launches."""
        return min(self.peak(precision), flops_per_byte * self.bandwidth_bytes_per_s)


@dataclass(frozen=True)
class Work:
    """What one kernel has to do for a batch."""

    name: str
    type: str  #: of the operation that gives the kernel its name
    kind: str  #: one of CLASSES
    flops: float
    input_bytes: float
    weight_bytes: float
    output_bytes: float
    launches: int
    fused: tuple[str, ...] = ()  #: operations that became part of the kernel

    @property
    def bytes(self) -> float:
        """All traffic of the memory."""
        return self.input_bytes + self.weight_bytes + self.output_bytes

    @property
    def flops_per_byte(self) -> float:
        """Operational intensity."""
        return self.flops / self.bytes if self.bytes else math.inf


@dataclass(frozen=True)
class KernelCost:
    """Time and energy of one kernel for a batch."""

    work: Work
    compute_s: float  #: FLOPs at the roof of computation
    memory_s: float  #: bytes at the roof of bandwidth
    launch_s: float
    energy_j: float

    @property
    def time_s(self) -> float:
        """Launches, then whichever of the two takes longer."""
        return self.launch_s + max(self.compute_s, self.memory_s)

    @property
    def bound(self) -> str:
        """What most of the time goes to: launch, compute or memory."""
        parts = {"compute": self.compute_s, "memory": self.memory_s, "launch": self.launch_s}
        return max(parts, key=parts.__getitem__)


@dataclass(frozen=True)
class RooflineCost:
    """A network on a device, one kernel after another."""

    device: str
    workload: str
    precision: str
    batch: int
    kernels: tuple[KernelCost, ...]

    @property
    def time_s(self) -> float:
        """Of the whole batch."""
        return sum(kernel.time_s for kernel in self.kernels)

    @property
    def energy_j(self) -> float:
        """Of the whole batch."""
        return sum(kernel.energy_j for kernel in self.kernels)

    @property
    def flops(self) -> float:
        """Of the whole batch."""
        return sum(kernel.work.flops for kernel in self.kernels)

    @property
    def inferences_per_s(self) -> float:
        """Batches follow each other without a gap."""
        return self.batch / self.time_s if self.time_s else math.inf

    @property
    def energy_per_inference_j(self) -> float:
        """Energy of the batch, divided by its inputs."""
        return self.energy_j / self.batch


def roofline(
    workload: Workload, device: RooflineDevice, *, batch: int = 1, precision: str = "fp32", fused: bool = True
) -> RooflineCost:
    """Time and energy of a network on a device.

    Args:
        batch: inputs that go through together; weights are read once for all of them.
        precision: a key of :data:`BYTES_PER_VALUE` for which the device has a peak.
        fused: activations and BatchNorm run in the kernel of what they follow.

    Raises:
        InputError: no such precision, or no such batch.
    """
    peak = device.peak(precision)
    kernels = tuple(kernel_cost(each, device, peak) for each in works(workload, batch, precision, fused))
    return RooflineCost(device.name, workload.name, precision, batch, kernels)


def training_roofline(
    workload: Workload, device: RooflineDevice, *, batch: int, precision: str = "fp32"
) -> RooflineCost:
    """Time and energy of one iteration of training: forward, backward, gradients of the weights, and their update.

    Raises:
        InputError: no such precision, or no such batch.
    """
    peak = device.peak(precision)
    kernels = tuple(kernel_cost(each, device, peak) for each in training_works(workload, batch, precision))
    return RooflineCost(device.name, workload.name, precision, batch, kernels)


def kernel_cost(work: Work, device: RooflineDevice, peak_flops_per_s: float) -> KernelCost:
    """The equations above for one kernel."""
    reached = device.efficiency.get(work.kind, 1.0)
    compute_s = work.flops / (peak_flops_per_s * reached)
    memory_s = work.bytes / (device.bandwidth_bytes_per_s * reached)
    launch_s, busy_s = work.launches * device.launch_s, max(compute_s, memory_s)
    energy_j = device.idle_w * launch_s + device.loaded_w * busy_s
    return KernelCost(work, compute_s, memory_s, launch_s, energy_j)


def works(workload: Workload, batch: int, precision: str, fused: bool = True) -> tuple[Work, ...]:
    """The kernels of a network in order, and what each has to do.

    Raises:
        InputError: no such precision, or no such batch.
    """
    if precision not in BYTES_PER_VALUE:
        raise InputError(f"there is no precision {precision!r}", key="precision", allowed=BYTES_PER_VALUE)
    if batch < 1:
        raise InputError(f"a batch of {batch} inputs cannot run", key="batch", allowed="a whole number from 1")
    host = _hosts(workload) if fused else {}
    guests: dict[str, list[Operation]] = {}
    for operation in workload.operations:
        if operation.name in host:
            guests.setdefault(host[operation.name], []).append(operation)
    return tuple(
        _work(workload, operation, guests.get(operation.name, []), batch, BYTES_PER_VALUE[precision])
        for operation in workload.operations
        if operation.name not in host and not _is_free(workload, operation)
    )


def training_works(workload: Workload, batch: int, precision: str) -> tuple[Work, ...]:
    """The kernels of one iteration of training, as a framework runs them that fuses nothing.

    * Forward: as in inference; a BatchNorm reads its input twice, for the statistics and to normalise.
    * Backward, of a product: the gradient of its input, but for the first of the network, and that of its weights,
      each with the FLOPs of the forward pass.  Of anything else: twice its FLOPs; output's gradient and input are
      read, the input's gradient is written; a BatchNorm reads both twice.
    * Update, one kernel for all weights: SGD with momentum, four FLOPs a weight; weight, gradient and momentum are
      read, weight and momentum written.

    Raises:
        InputError: no such precision, or no such batch.
    """
    forward, backward = [], []
    names = {operation.name: operation for operation in workload.operations}
    for work in works(workload, batch, precision, fused=False):
        passes = 2 if work.type == "BatchNormalization" else 1
        forward.append(replace(work, input_bytes=passes * work.input_bytes))
        name = f"{work.name}/backward"
        if work.kind == "memory":
            backward.append(replace(
                work, name=name, flops=2 * work.flops, output_bytes=work.input_bytes,
                input_bytes=passes * (work.input_bytes + work.output_bytes),
            ))  # fmt: skip
            continue
        if not set(_data(workload, names[work.name])) <= set(workload.inputs):
            backward.append(replace(work, name=name, input_bytes=work.output_bytes, output_bytes=work.input_bytes))
        backward.append(replace(
            work, name=f"{work.name}/gradient", input_bytes=work.input_bytes + work.output_bytes, weight_bytes=0,
            output_bytes=work.weight_bytes,
        ))  # fmt: skip
    moved = workload.parameters * BYTES_PER_VALUE[precision]
    update = Work("update", "Optimiser", "memory", 4 * workload.parameters, 2 * moved, moved, 2 * moved, 1)
    return (*forward, *reversed(backward), update)


def operation_class(type: str, macs: int) -> str:
    """Which of :data:`CLASSES` an operation belongs to."""
    if type in _CONVOLUTIONS:
        return "convolution"
    if type in _RECURRENT:
        return "recurrent"
    return "matrix" if macs else "memory"


def _is_free(workload: Workload, operation: Operation) -> bool:
    """No kernel: a view, or computed once and for all."""
    return operation.type in NOT_EXECUTED or not _data(workload, operation)


def _data(workload: Workload, operation: Operation) -> list[str]:
    return [name for name in operation.inputs if name and not workload.tensors[name].constant]


def _hosts(workload: Workload) -> dict[str, str]:
    """Operations that run in the kernel of another: name -> that kernel's name."""
    readers = Counter(name for operation in workload.operations for name in operation.inputs)
    readers.update(workload.outputs)
    producer = {name: operation for operation in workload.operations for name in operation.outputs if name}
    host: dict[str, str] = {}
    for operation in workload.operations:
        data = _data(workload, operation)
        if len(data) != 1 or readers[data[0]] != 1 or data[0] not in producer or not TABLE[operation.type].elementwise:
            continue
        before = producer[data[0]]
        root = host.get(before.name, before.name)
        if before.macs or TABLE[before.type].elementwise:
            host[operation.name] = root
    return host


def _work(workload: Workload, operation: Operation, guests: list[Operation], batch: int, width: int) -> Work:
    sizes = [workload.tensors[name].size for name in _data(workload, operation)]
    last = guests[-1] if guests else operation
    outputs = batch * sum(workload.tensors[name].size for name in last.outputs if name)
    weights = sum(_weights(workload, each) for each in (operation, *guests))
    inputs = batch * sum(sizes)
    if operation.type in _LOOKED_UP and len(_data(workload, operation)) == 1:
        weights = outputs  # rows that are read, not the table
    flops = sum(batch * _flops(workload, each) for each in (operation, *guests))
    launches = _steps(workload, operation) if operation.type in _RECURRENT else 1
    kind = operation_class(operation.type, operation.macs)
    fused = tuple(each.name for each in guests)
    return Work(operation.name, operation.type, kind, flops, inputs * width, weights * width, outputs * width,
                launches, fused)  # fmt: skip


def _weights(workload: Workload, operation: Operation) -> int:
    names = {name for name in operation.inputs if name and workload.tensors[name].constant}
    return sum(workload.tensors[name].size for name in names)


def _flops(workload: Workload, operation: Operation) -> int:
    """Of one input of the batch."""
    if operation.macs:
        return 2 * operation.macs
    names = _data(workload, operation)[:1] if operation.type in _BY_INPUT or operation.type.startswith("Reduce") else ()
    return sum(workload.tensors[name].size for name in names or operation.outputs if name)


def _steps(workload: Workload, operation: Operation) -> int:
    """Time steps of a recurrent operation: ONNX has them first, or second with ``layout`` 1."""
    return workload.shape(operation.inputs[0])[1 if operation.attributes.get("layout") else 0]
