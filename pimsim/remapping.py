"""A run's Program once more, from its Result: which tiles hold which layer is not written into results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pimsim.config import System
from pimsim.config.layers import Layers, apply_override
from pimsim.config.loading import checked
from pimsim.errors import InputError
from pimsim.mapping.program import Program
from pimsim.results.assembly import workload_hash
from pimsim.results.record import Result
from pimsim.simulation import map_workload
from pimsim.workload import shipped

__all__ = ["program_of", "system_of"]


def system_of(result: Result, overrides: Sequence[str] = (), below: str = "") -> System:
    """The system of a run, with some keys changed.

    Args:
        overrides: ``KEY=VALUE``.
        below: what every key must begin with; all else belongs to the run, which is over.

    Raises:
        InputError: a key that may not be changed, or a value that is not allowed.
    """
    layers = Layers()
    layers.add(result.source.config, {}, "the configuration of the result")
    for text in overrides:
        key = text.partition("=")[0].strip()
        if not key.startswith(below):
            raise InputError("belongs to the run, which is over", file=f"--set {text}", key=key,
                             allowed=f"keys of {below.removesuffix('.')}")  # fmt: skip
        apply_override(layers, text, System)
    return checked(layers)


def program_of(
    result: Result, workload: str | Path | None = None, input_shapes: Mapping[str, Sequence[int]] | None = None
) -> Program:
    """The network of a run laid onto its system again.

    Args:
        workload: the network that was run; None: the shipped one of that name.
        input_shapes: shape by input name, as for the run.

    Raises:
        InputError: the network is not at hand, it is another one, or this version of pimsim lays it out in another way.
    """
    source = result.source
    if workload is None and source.workload not in shipped():
        raise InputError(f"the network {source.workload} is not a shipped one", key="workload",
                         allowed="the file that was run")  # fmt: skip
    program = map_workload(
        source.workload if workload is None else workload, system_of(result), mode=result.mode,  # type: ignore[arg-type]
        batch=source.batch if result.training is not None else 1, noc=source.network, input_shapes=input_shapes,
    )  # fmt: skip
    words = f"{source.workload} on {source.system}"
    if workload_hash(program.dataflow) != source.workload_hash:
        raise InputError(f"{program.dataflow.name} is not the network whose run the result is of: {words}")
    used = np.flatnonzero(np.array(result.tiles.crossbars_used) >= 0)
    if not np.array_equal(program.tiles_used, used):
        raise InputError(f"{words} lies in other tiles than it did in the run: run it again with this version")
    return program
