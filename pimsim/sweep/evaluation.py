"""One point computed: what a worker does, wherever it is."""

from __future__ import annotations

import functools
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pimsim.config.records import System
from pimsim.sweep.columns import inference_columns, result_columns
from pimsim.sweep.executors import attempt
from pimsim.sweep.points import Base, Setting, digest, mapping_facts

MOST_KEPT = 4  #: mappings, and runs of each, that a worker keeps


@dataclass(frozen=True)
class Evaluation:
    """Computes points: ``Evaluation(bases)(setting)``; can be sent to another process.

    Args:
        bases: systems by name, as they are before axes change them.
    """

    bases: Mapping[str, Base]

    def __call__(self, setting: Setting) -> dict[str, Any]:
        """The columns of a point, ``compute_s`` and, where it is kept, the whole Result as JSON in ``result``.

        Raises:
            InputError: the network does not fit, or something else about the point is wrong.
            Standstill: the simulation cannot go on.
        """
        begin = time.perf_counter()
        system = self.bases[setting["system"]].system(setting["overrides"])
        result = _simulate(setting, system)
        columns = result_columns(result)
        if setting.get("inference"):
            columns |= _execute(setting, system)
        columns["compute_s"] = time.perf_counter() - begin
        if setting.get("keeps_result"):
            from pimsim.results import result_json

            columns["result"] = result_json(result)
        return columns

    def warm(self, settings: Sequence[Setting]) -> None:
        """Compile what points need, into the folder that all workers on this machine share: a small network that is
        simulated as each of the given points is, and one of their images."""
        for setting in settings:
            small = {"workload": "mnist-mlp", "input_shapes": {}, "batch": 1, "overrides": [], "inference": None}
            attempt(self, {**setting, **small})
            if given := setting.get("inference"):
                attempt(self, {**setting, "batch": 1, "inference": {**given, "images": 1, "calibration": 1}})


def _simulate(setting: Setting, system: System) -> Any:
    if setting["fidelity"] == "analytical":
        from pimsim.costmodels.chip import estimate

        return estimate(_dataflow(setting), system, batch=setting["batch"])
    from pimsim.results import build_result

    program, runs = _mapped(setting, system)
    batch = setting["batch"]
    if batch not in runs:
        from pimsim.arch.run import run_compiled

        runs[batch] = run_compiled(program, batch)
    return build_result(replace(program, system=system), runs[batch], batch, "compiled")


_kept: OrderedDict[str, tuple[Any, dict[int, Any]]] = OrderedDict()  # mapping -> Program, Timing by batch


def _mapped(setting: Setting, system: System) -> tuple[Any, dict[int, Any]]:
    """The network mapped, and its runs so far; prices in tiles may be those of another point."""
    import pimsim.engine  # noqa: F401  (first: it says where compiled code is kept)
    from pimsim.simulation import map_workload

    word = digest([setting["workload"], setting["input_shapes"], setting["noc"], mapping_facts(system)])
    if word not in _kept:
        _kept[word] = (map_workload(_dataflow(setting), system, noc=setting["noc"]), {})
    _kept.move_to_end(word)
    while len(_kept) > MOST_KEPT:
        _kept.popitem(last=False)
    return _kept[word]


def _dataflow(setting: Setting) -> Any:
    return _lowered(setting["workload"], tuple((name, tuple(shape)) for name, shape in setting["input_shapes"].items()))


@functools.lru_cache(maxsize=8)
def _lowered(workload: str, shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> Any:
    from pimsim.workload import load_workload, lower

    return lower(load_workload(workload, dict(shapes)))


def _execute(setting: Setting, system: System) -> dict[str, Any]:
    from pimsim.inference import infer

    given = setting["inference"]
    return inference_columns(infer(
        setting["workload"], system, given["data"], device=given["device"], images=given["images"], seed=given["seed"],
        calibration=given["calibration"], device_overrides=given["device_overrides"],
        input_shapes=setting["input_shapes"],
    ))  # fmt: skip


