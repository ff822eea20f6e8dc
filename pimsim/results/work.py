"""How often everything in a Program works in one inference, or in one iteration of training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.mapping.program import Program
from pimsim.technology.gpu_core import kernel_ps
from pimsim.units import ns_to_ps


@dataclass(frozen=True)
class Kernels:
    """What the replicas on GPU cores do in a run; zeros elsewhere."""

    is_kernel: np.ndarray  #: (V,) bool
    busy_ps: np.ndarray  #: (V,) of the core, launch aside
    launch_ps: np.ndarray  #: (V,)


def runs_of(program: Program) -> np.ndarray:
    """(V,) runs of each replica in one inference or iteration."""
    runs: np.ndarray = program.batch // program.replicas.every
    return runs


def windows_of(program: Program) -> np.ndarray:
    """(V,) windows of each replica in one inference or iteration."""
    windows: np.ndarray = runs_of(program) * np.diff(program.replicas.window_first)
    return windows


def kernels_of(program: Program) -> Kernels:
    """Times of kernels, as the engine takes them: every window of a kernel takes as long, in whole picoseconds."""
    replicas, core = program.replicas, program.system.chip.gpu_core
    is_kernel = (replicas.tile >= 0) & program.on_gpu[replicas.tile]
    busy = np.zeros_like(replicas.layer)
    launch = np.zeros_like(replicas.layer)
    if core is not None:
        windows = np.diff(replicas.window_first)
        known: dict[tuple[int, int], int] = {}
        for v in np.flatnonzero(is_kernel).tolist():
            work = int(replicas.kernel_flops[v]), int(replicas.kernel_values[v])
            if work not in known:
                known[work] = kernel_ps(core, *work)
            busy[v] = windows[v] * -(-known[work] // windows[v])
        launch[is_kernel] = ns_to_ps(core.launch_ns)
    return Kernels(is_kernel, busy, launch)


def written_by(program: Program) -> dict[int, int]:
    """Update -> the layer whose crossbars it writes."""
    return {i: node.of for i, node in enumerate(program.dataflow.nodes) if node.kind == "update"}


def written_with_activations(program: Program) -> set[int]:
    """Layers whose crossbars hold activations: they are written once an image, and never programmed."""
    nodes = program.dataflow.nodes
    return {node.of for node in nodes if node.kind == "update" and node.phase == "gradient"}


def own_crossbars(program: Program) -> np.ndarray:
    """(S,) crossbars of each slice; those that an update writes, or that are read across, are another layer's."""
    others = np.array([node.of >= 0 for node in program.dataflow.nodes], bool)
    crossbars: np.ndarray = np.where(others[program.replicas.layer[program.slices.replica]], 0,
                                     program.slices.crossbars)  # fmt: skip
    return crossbars
