"""One point computed: what a worker does, wherever it is."""

from __future__ import annotations

import functools
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pimsim.config.records import System
from pimsim.sweep.columns import inference_columns, result_columns
from pimsim.sweep.executors import attempt
from pimsim.sweep.points import Base, Setting, mapping_word

MOST_KEPT = 4  #: mappings, and runs of each, that a worker keeps


@dataclass(frozen=True)
class Evaluation:
    """Computes points: ``Evaluation(bases)(setting)``; can be sent to another process.

    Args:
        bases: systems by name, as they are before axes change them.
        files: where networks, data and devices lie that are files, by name.
    """

    bases: Mapping[str, Base]
    files: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, setting: Setting) -> dict[str, Any]:
        """The columns of a point, ``compute_s`` and, where it is kept, the whole Result as JSON in ``result``.

        Raises:
            InputError: the network does not fit, or something else about the point is wrong.
            Standstill: the simulation cannot go on.
        """
        begin = time.perf_counter()
        system = self.bases[setting["system"]].system(setting["overrides"])
        dataflow = self._dataflow(setting)
        result = _simulate(dataflow, setting, system)
        columns = result_columns(result)
        if setting.get("inference"):
            columns |= self._execute(setting, system)
        columns["compute_s"] = time.perf_counter() - begin
        if setting.get("keeps_result"):
            from pimsim.results import result_json

            columns["result"] = result_json(result)
        return columns

    def warm(self, settings: Sequence[Setting]) -> None:
        """Compile what points need, into the folder that all workers on this machine share: a small network that is
        simulated as each of the given points is, and one of their images."""
        for setting in settings:
            small = {"workload": "mnist-mlp", "network": "", "input_shapes": {}, "batch": 1, "overrides": [],
                     "inference": None}  # fmt: skip
            attempt(self, {**setting, **small})
            if given := setting.get("inference"):
                attempt(self, {**setting, "batch": 1, "inference": {**given, "images": 1, "calibration": 1}})

    def _path_of(self, name: str) -> str:
        return self.files.get(name, name)

    def _dataflow(self, setting: Setting) -> Any:
        shapes = tuple((name, tuple(shape)) for name, shape in setting["input_shapes"].items())
        return _lowered(self._path_of(setting["workload"]), setting["network"], shapes)

    def _execute(self, setting: Setting, system: System) -> dict[str, Any]:
        from pimsim.inference import infer

        given = setting["inference"]
        return inference_columns(infer(
            self._path_of(setting["workload"]), system, self._path_of(given["data"]),
            device=given["device"] and self._path_of(given["device"]), images=given["images"], seed=given["seed"],
            calibration=given["calibration"], device_overrides=given["device_overrides"],
            input_shapes=setting["input_shapes"],
        ))  # fmt: skip


def _simulate(dataflow: Any, setting: Setting, system: System) -> Any:
    if setting["fidelity"] == "analytical":
        from pimsim.costmodels.chip import estimate

        return estimate(dataflow, system, batch=setting["batch"])
    from pimsim.results import build_result

    program, runs = _mapped(dataflow, setting, system)
    batch = setting["batch"]
    if batch not in runs:
        from pimsim.arch.run import run_compiled

        runs[batch] = run_compiled(program, batch)
    return build_result(_repriced(program, system), runs[batch], batch, "compiled")


_kept: OrderedDict[str, tuple[Any, dict[int, Any]]] = OrderedDict()  # mapping -> Program, Timing by batch


def _mapped(dataflow: Any, setting: Setting, system: System) -> tuple[Any, dict[int, Any]]:
    """The network mapped, and its runs so far; prices in tiles and what ADCs resolve may be those of another point."""
    import pimsim.engine  # noqa: F401  (first: it says where compiled code is kept)
    from pimsim.simulation import map_workload

    word = f"{setting['workload']} {mapping_word(setting, system)}"
    if word not in _kept:
        _kept[word] = (map_workload(dataflow, system, noc=setting["noc"]), {})
    _kept.move_to_end(word)
    while len(_kept) > MOST_KEPT:
        _kept.popitem(last=False)
    return _kept[word]


def _repriced(program: Any, system: System) -> Any:
    """The program as if this system had been mapped: its cautions stand where those of the mapped one do."""
    from pimsim.mapping.cautions import cautions

    before = len(program.dataflow.notes)
    behind = before + len(cautions(program.system))
    notes = (*program.notes[:before], *cautions(system), *program.notes[behind:])
    return replace(program, system=system, notes=notes)


@functools.lru_cache(maxsize=8)
def _lowered(workload: str, _network: str, shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> Any:
    """A network, kept by its digest: a file that has changed is another one."""
    from pimsim.workload import load_workload, lower

    return lower(load_workload(workload, dict(shapes)))
