"""A network in PyTorch, node by node: slower than a compiled graph, but every kernel's time is known."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from pimsim.baselines.measure.sessions import KernelTimes
from pimsim.errors import InputError


class TorchSession:
    """ONNX nodes, each as the PyTorch operation of the same meaning."""

    def __init__(self, model: Path, device: str, inputs: dict[str, np.ndarray], precision: str = "fp32") -> None:
        import onnx
        import torch
        from onnx import numpy_helper

        from pimsim.baselines.measure.torch_operations import OPERATIONS

        if device == "cuda" and not torch.cuda.is_available():
            raise InputError("PyTorch finds no CUDA device", key="--device", allowed="cpu, or a CUDA build of PyTorch")
        self._torch, self._device, self._half = torch, device, precision == "fp16"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
        graph = onnx.load(str(model)).graph
        for node in graph.node:
            if node.op_type not in OPERATIONS:
                raise InputError(f"the PyTorch runtime does not know {node.op_type} (node '{node.name}')", file=model,
                                 allowed="--runtime onnxruntime, or " + ", ".join(OPERATIONS))  # fmt: skip
        self._nodes = [(node, {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute},
                        OPERATIONS[node.op_type]) for node in graph.node]  # fmt: skip
        self._values = {each.name: self._put(numpy_helper.to_array(each)) for each in graph.initializer}
        self._values |= {name: self._put(value) for name, value in inputs.items()}
        self._outputs = [each.name for each in graph.output]
        self.threads = torch.get_num_threads() if device == "cpu" else None
        self.software = {"torch": torch.__version__}
        self.conditions = "inputs lie on the device, outputs are fetched; one kernel after another, nothing fused"
        if device == "cuda":
            self.software["cuda"] = str(torch.version.cuda)
            torch.backends.cudnn.benchmark = True

    def run(self) -> list[np.ndarray]:
        """One batch; its outputs on the host."""
        values = self._forward(lambda _index, work: work())
        return [values[name].cpu().numpy() for name in self._outputs]

    def kernels(self, repeats: int) -> list[KernelTimes]:
        """Each node's time: by CUDA's events, or by the clock."""
        times: list[list[float]] = [[] for _ in self._nodes]
        timed = self._timed_by_events if self._device == "cuda" else self._timed_by_clock
        for _ in range(repeats):
            timed(times)
        return [
            KernelTimes(node.name or node.output[0], node.op_type, tuple(each))
            for (node, _, _), each in zip(self._nodes, times, strict=True)
        ]

    def _timed_by_clock(self, times: list[list[float]]) -> None:
        def timed(index: int, work: Any) -> Any:
            start = time.perf_counter()
            result = work()
            times[index].append((time.perf_counter() - start) * 1e6)
            return result

        self._forward(timed)

    def _timed_by_events(self, times: list[list[float]]) -> None:
        marks: list[tuple[int, Any, Any]] = []

        def timed(index: int, work: Any) -> Any:
            start, end = (self._torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            result = work()
            end.record()
            marks.append((index, start, end))
            return result

        self._forward(timed)
        self._torch.cuda.synchronize()
        for index, start, end in marks:
            times[index].append(start.elapsed_time(end) * 1e3)

    def _forward(self, do: Any) -> dict[str, Any]:
        values = dict(self._values)
        with self._torch.inference_mode():
            for index, (node, attributes, operation) in enumerate(self._nodes):
                given = [values[name] if name else None for name in node.input]
                result = do(index, lambda given=given, operation=operation, attributes=attributes:
                            operation(given, attributes))  # fmt: skip
                values[node.output[0]] = result
        return values

    def _put(self, array: np.ndarray) -> Any:
        tensor = self._torch.from_numpy(np.array(array)).to(self._device)
        return tensor.half() if self._half and tensor.is_floating_point() else tensor
