"""What a runtime has to offer to be measured, and which one is taken."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np

from pimsim.errors import InputError

INSTALL = {"onnxruntime": "pip install onnxruntime (CPU) or onnxruntime-gpu (CUDA)", "torch": "pip install torch"}


@dataclass(frozen=True)
class KernelTimes:
    """One kernel in every repeat."""

    name: str
    type: str
    times_us: tuple[float, ...]


class Session(Protocol):
    """A network that is ready to run on a device, with its inputs."""

    software: dict[str, str]  #: versions by name
    conditions: str  #: what a run includes, in words
    threads: int | None

    def run(self) -> list[np.ndarray]:
        """One batch, until its outputs are there."""

    def kernels(self, repeats: int) -> list[KernelTimes]:
        """Time of each kernel; empty where the runtime does not tell."""


def open_session(
    model: Path, device: str, inputs: dict[str, np.ndarray], runtime: str, precision: str = "fp32"
) -> Session:
    """The network on a device.

    Args:
        model: an ONNX file.
        device: cpu or cuda.
        inputs: by name.
        runtime: onnxruntime, torch, or auto: in FP32 on a CPU onnxruntime, which is faster; else PyTorch, which tells
            the times of single kernels on CUDA, and knows other precisions; for FP32 the other one where that is not
            installed.
        precision: fp32; tf32 (products alone) or fp16 with PyTorch.

    Raises:
        InputError: the runtime is not installed, has no such device, or cannot run the network.
    """
    order = ["onnxruntime", "torch"] if device == "cpu" else ["torch", "onnxruntime"]
    if precision != "fp32":
        order = ["torch"]
        if runtime == "onnxruntime":
            raise InputError(f"networks are run as they are, in FP32, by onnxruntime: {precision} needs PyTorch",
                             key="--precision", allowed="fp32, or --runtime torch")  # fmt: skip
    names = [name for name in order if find_spec(name)] if runtime == "auto" else [runtime]
    if not names or not find_spec(names[0]):
        wanted = order if runtime == "auto" else names
        missing = "neither is installed" if len(wanted) > 1 else f"{wanted[0]} is not installed"
        raise InputError(f"measuring needs onnxruntime or PyTorch, and {missing}",
                         allowed=", or ".join(INSTALL[name] for name in wanted))  # fmt: skip
    if names[0] == "onnxruntime":
        from pimsim.baselines.measure.onnx_session import OnnxSession

        return OnnxSession(model, device, inputs)
    from pimsim.baselines.measure.torch_session import TorchSession

    return TorchSession(model, device, inputs, precision)
