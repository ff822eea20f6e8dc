"""Runs a network on the processor at hand, again and again, and writes down what that was like."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np

from pimsim.baselines.measure.energy import Meter, energy_meter
from pimsim.baselines.measure.from_workload import write_onnx
from pimsim.baselines.measure.machine import describe_device
from pimsim.baselines.measure.sessions import KernelTimes, Session, open_session
from pimsim.baselines.measured_files import BatchTime, Measured, MeasuredModel, MeasuredOperation
from pimsim.baselines.network_files import load_network
from pimsim.errors import InputError
from pimsim.workload.records import Workload

WARM_UP_S = 0.5  #: at least, and 3 batches
FEWEST, MOST = 10, 1000  #: repeats
Progress = Callable[[int, int], None]  #: (done, in all)


def measure(
    model: str | Path,
    device: str = "cpu",
    *,
    batch: int = 1,
    seconds: float = 5.0,
    runtime: str = "auto",
    precision: Literal["fp32", "tf32", "fp16"] = "fp32",
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    progress: Progress | None = None,
) -> Measured:
    """Time a network on this machine.

    Args:
        model: an ONNX file; or a name (:func:`pimsim.baselines.network_files.load_network`) or YAML file, which gets
            random weights.
        device: cpu or cuda.
        batch: inputs of a run.
        seconds: to spend on repeats, of which there are 10 to 1000.
        runtime: onnxruntime, torch or auto (see :func:`pimsim.baselines.measure.sessions.open_session`).
        precision: fp32; tf32 or fp16 with PyTorch, on CUDA.
        input_shapes: shape by input name, where the network leaves it open.
        progress: called with repeats done and repeats in all.

    Raises:
        InputError: the network cannot be read or run, or there is no such runtime or device.
    """
    if batch < 1:
        raise InputError(f"a batch of {batch} inputs cannot run", key="batch", allowed="a whole number from 1")
    if device not in ("cpu", "cuda"):
        raise InputError(f"there is no device {device!r}", key="device", allowed="cpu, cuda")
    if device == "cpu" and precision != "fp32":
        raise InputError(f"{precision} is measured on CUDA alone", key="precision", allowed="fp32")
    workload = load_network(model, input_shapes)
    with tempfile.TemporaryDirectory() as folder:
        file = _shipped_onnx(model)
        if made := file is None:
            file = Path(folder) / "network.onnx"
            write_onnx(workload, file, batch)
        session = open_session(file, device, _inputs(workload, batch), runtime, precision)
        timed = _Timed(session, device, seconds, progress)
        digest = None if made else hashlib.sha256(file.read_bytes()).hexdigest()
    notes = [session.conditions, timed.energy_words] + (["random weights: times only"] if made else [])
    if not timed.kernels:
        notes.append("single operations not measured: this runtime does not tell them on this device")
    return Measured(
        format="pimsim-measured-1",
        date=datetime.now(UTC).date().isoformat(),
        device=describe_device(device, session.threads),
        software=session.software | {"numpy": np.__version__},
        model=MeasuredModel(name=workload.name, sha256=digest, parameters=workload.parameters, macs=workload.macs),
        batch=batch,
        precision=precision,
        warm_up=timed.warm_up,
        repeats=len(timed.times_us),
        batch_time=_spread(timed.times_us),
        energy_uj=timed.energy_uj,
        operations=tuple(map(_operation, timed.kernels)),
        notes=tuple(notes),
    )


class _Timed:
    """What repeats of a session took."""

    def __init__(self, session: Session, device: str, seconds: float, progress: Progress | None) -> None:
        start = time.perf_counter()
        self.warm_up = 0
        while self.warm_up < 3 or time.perf_counter() - start < WARM_UP_S:
            session.run()
            self.warm_up += 1
        each_s = (time.perf_counter() - start) / self.warm_up
        repeats = int(min(MOST, max(FEWEST, seconds / each_s)))
        meter, self.energy_words = energy_meter(device)
        self.times_us, self.energy_uj = _repeat(session, repeats, meter, progress)
        self.kernels = session.kernels(max(FEWEST, repeats // 4))


def _repeat(
    session: Session, repeats: int, meter: Meter | None, progress: Progress | None
) -> tuple[list[float], float | None]:
    """Time of every repeat, and the mean energy of one."""
    times_us = []
    before = meter() if meter else 0.0
    for done in range(repeats):
        start = time.perf_counter()
        session.run()
        times_us.append((time.perf_counter() - start) * 1e6)
        if progress is not None:
            progress(done + 1, repeats)
    drawn = meter() - before if meter else 0.0
    return times_us, drawn / repeats if drawn > 0 else None


def _shipped_onnx(model: str | Path) -> Path | None:
    """The ONNX file that is meant; None: it is a network without weights."""
    from pimsim.workload.catalogue import shipped

    path = shipped().get(str(model), Path(model))
    return path if path.suffix.lower() == ".onnx" else None


def _inputs(workload: Workload, batch: int) -> dict[str, np.ndarray]:
    """Random values; zeros where indices are expected, which every table has."""
    random = np.random.default_rng(1)
    shapes = {name: (batch, *workload.shape(name)[1:]) for name in workload.inputs}
    return {
        name: np.zeros(shape, np.int64) if workload.tensors[name].integer
        else random.standard_normal(shape).astype(np.float32)
        for name, shape in shapes.items()
    }  # fmt: skip


def _spread(times_us: list[float]) -> BatchTime:
    low, median, high = np.percentile(times_us, (10, 50, 90))
    return BatchTime(median_us=float(median), low_us=float(low), high_us=float(high))


def _operation(kernel: KernelTimes) -> MeasuredOperation:
    return MeasuredOperation(name=kernel.name, type=kernel.type, median_us=float(np.median(kernel.times_us)))
