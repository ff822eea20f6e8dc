"""A network in onnxruntime."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from pimsim.baselines.measure.sessions import KernelTimes
from pimsim.errors import InputError

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_SETTINGS: dict[str, dict[str, str]] = {"cpu": {}, "cuda": {"use_tf32": "0"}}  # FP32 means FP32


class OnnxSession:
    """With all of onnxruntime's optimisations, as a user would run it."""

    def __init__(self, model: Path, device: str, inputs: dict[str, np.ndarray]) -> None:
        import onnxruntime

        self._ort, self._model, self._device, self._inputs = onnxruntime, model, device, inputs
        available = onnxruntime.get_available_providers()
        if _PROVIDERS[device] not in available:
            raise InputError(f"this onnxruntime has no {_PROVIDERS[device]}", key="--device",
                             allowed="pip install onnxruntime-gpu, or --device cpu")  # fmt: skip
        self._session = self._open()
        options = self._session.get_session_options()
        self.threads = (options.intra_op_num_threads or _cores()) if device == "cpu" else None
        self.software = {"onnxruntime": onnxruntime.__version__}
        self.conditions = "a batch goes from the host's memory to the host's memory; all optimisations of onnxruntime"

    def run(self) -> list[np.ndarray]:
        """One batch, from arrays to arrays of the host."""
        try:
            return [np.asarray(each) for each in self._session.run(None, self._inputs)]
        except Exception as error:  # onnxruntime's exceptions have no common type of their own
            raise InputError(f"onnxruntime cannot run it: {error}", file=self._model) from None

    def kernels(self, repeats: int) -> list[KernelTimes]:
        """From onnxruntime's profiler; on CUDA that only sees launches, so nothing is told."""
        if self._device != "cpu":
            return []
        with tempfile.TemporaryDirectory() as folder:
            session = self._open(str(Path(folder) / "profile"))
            for _ in range(repeats + 1):  # the first one warms up
                session.run(None, self._inputs)
            events = json.loads(Path(session.end_profiling()).read_text())
        found: dict[tuple[str, str], list[float]] = defaultdict(list)
        for event in events:
            name = event["name"].removesuffix("_kernel_time")
            if event.get("cat") == "Node" and name != event["name"]:
                found[_node_name(name), event["args"]["op_name"]].append(float(event["dur"]))
        return [KernelTimes(name, type, tuple(times[1:])) for (name, type), times in found.items()]

    def _open(self, profile: str | None = None) -> Any:
        options = self._ort.SessionOptions()
        options.log_severity_level = 3
        if profile is not None:
            options.enable_profiling, options.profile_file_prefix = True, profile
        try:
            providers = [(_PROVIDERS[self._device], _SETTINGS[self._device])]
            return self._ort.InferenceSession(str(self._model), options, providers=providers)
        except Exception as error:
            raise InputError(f"onnxruntime cannot load it: {error}", file=self._model) from None


def _node_name(name: str) -> str:
    """The network's own name of a node that onnxruntime has optimised; of several fused ones that is the last."""
    return name.removesuffix("_nchwc").removesuffix("/MatMulAddFusion").removeprefix("fused ")


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
