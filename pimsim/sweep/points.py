"""The points of a sweep: every combination as plain data, and the key under which its results are stored."""

from __future__ import annotations

import copy
import functools
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pimsim.config import System, config_hash, load_device, load_system, resolved
from pimsim.config.layers import Layers, apply_override
from pimsim.config.loading import checked
from pimsim.errors import InputError
from pimsim.sweep.axes import Range, combinations
from pimsim.sweep.code import code_version
from pimsim.sweep.copies import weights_beside
from pimsim.sweep.reading import override
from pimsim.sweep.spec import DATA_KEYS, DEVICE, RUN_KEYS, Sweep, default_noc

Setting = dict[str, Any]  #: everything that is needed to compute a point, as plain data
Cells = tuple[str, tuple[str, ...]] | None  #: a device and what is changed in it
ADC_VALUES = ("bits", "range")  #: keys of the ADC that say what it resolves, not how fast


@dataclass(frozen=True)
class Point:
    """One combination.  Two points with the same key are computed once."""

    ordinal: int  #: place in the sweep, from 0
    key: str  #: SHA-256 of resolved configuration, network, run and code version
    mapping: str  #: points with the same word share a mapping
    parameters: dict[str, Any]  #: value by name of the axis
    setting: Setting
    error: str | None = None  #: why it cannot be computed, if that is known already


@dataclass(frozen=True)
class Base:
    """A system before axes change it: the keys that its files give."""

    name: str
    data: dict[str, Any]

    def system(self, overrides: Sequence[str]) -> System:
        """The system with ``KEY=VALUE`` in it.

        Raises:
            InputError: as :func:`pimsim.config.load_system`.
        """
        layers = Layers(data=copy.deepcopy(self.data), file=self.name)
        for text in overrides:
            apply_override(layers, text, System)
        return checked(layers)


def load_bases(sweep: Sweep) -> dict[str, Base]:
    """The systems of a sweep by name.

    Raises:
        InputError: a system cannot be loaded.
    """
    found = {}
    for n, name in enumerate(sweep.systems):
        with _telling(sweep, f"systems.{n}"):
            found[name] = Base(name, load_system(sweep.path_of(name)).model_dump(mode="json", exclude_unset=True))
    return found


@contextmanager
def _telling(sweep: Sweep, key: str) -> Iterator[None]:
    """What is wrong without a file of its own is told of a key of the sweep."""
    try:
        yield
    except InputError as error:
        if error.file is not None:
            raise
        what = f"{error.key}: {error.what}" if error.key else error.what
        raise sweep.located(InputError(what, key=key, allowed=error.allowed)) from None


def check_keys(sweep: Sweep, bases: Mapping[str, Base]) -> None:
    """Raises InputError, with the line in SWEEP.yaml, for a key that a system or the device does not have."""
    for base in bases.values():
        layers = Layers(data=copy.deepcopy(base.data), file=base.name)
        for text in sweep.overrides:
            _check_key(sweep, layers, text, f"set.{text.partition('=')[0]}")
        for name, axis in sweep.axes.items():
            for key in axis.keys:
                if key not in RUN_KEYS and not key.startswith(DEVICE):
                    _check_key(sweep, layers, override(key, axis.first), f"axes.{name}")
    if sweep.inference is not None and sweep.inference.device is not None:
        of_device = [(name, override(key.removeprefix(DEVICE), axis.first)) for name, axis in sweep.axes.items()
                     for key in axis.keys if key.startswith(DEVICE)]  # fmt: skip
        for name, text in of_device:
            try:
                load_device(sweep.path_of(sweep.inference.device), [text])
            except InputError as error:
                raise sweep.located(InputError(error.what, key=f"axes.{name}", allowed=error.allowed)) from None


def _check_key(sweep: Sweep, layers: Layers, text: str, at: str) -> None:
    try:
        apply_override(layers, text, System)
    except InputError as error:
        key = text.partition("=")[0]
        what = error.what if at.endswith(key) else f"{key}: {error.what}"
        raise sweep.located(InputError(what, key=at, allowed=error.allowed)) from None


def plan(sweep: Sweep) -> Iterator[Point]:
    """All points for which the conditions hold, in an order that depends on the sweep alone.

    Raises:
        InputError: a network, system, device, dataset or key does not exist, a condition cannot be evaluated, an
            estimate is asked for on another network than an ideal one, or there is no point.
    """
    bases = load_bases(sweep)
    check_keys(sweep, bases)
    networks = {}
    for n, name in enumerate(sweep.workloads):
        with _telling(sweep, f"workloads.{n}"):
            networks[name] = _workload_digest(sweep.path_of(name), sweep.shapes_of(name))
    _check_data(sweep)
    data = _data_digest(sweep)
    ordinal = 0
    for workload in sweep.workloads:
        for name, base in bases.items():
            for parameters in combinations(sweep.axes, sweep.samples, sweep.seed):
                if _wanted(sweep, {**parameters, "workload": workload, "system": name}):
                    setting = _setting(sweep, workload, name, parameters)
                    setting["network"] = networks[workload]
                    yield _point(ordinal, base, data, parameters, setting, _cells(sweep, setting))
                    ordinal += 1
    if not ordinal:
        raise sweep.located(InputError("leave no point", key="conditions"))


def _check_data(sweep: Sweep) -> None:
    """Raises InputError where there is no such dataset or device, or fewer images than are asked for."""
    if (given := sweep.inference) is None:
        return
    from pimsim.datasets import load_dataset

    axis = None if (name := sweep.axis_of("images")) is None else sweep.axes[name].values
    asked = given.images if axis is None else axis.high if isinstance(axis, Range) else max(axis)
    with _telling(sweep, "inference.data"):
        load_dataset(sweep.path_of(given.data), images=1 if asked is None else int(asked))
    if given.device is not None:
        with _telling(sweep, "inference.device"):
            load_device(sweep.path_of(given.device))


def _wanted(sweep: Sweep, values: Mapping[str, Any]) -> bool:
    for n, condition in enumerate(sweep.conditions):
        try:
            if not condition.holds(values):  # type: ignore[union-attr]
                return False
        except InputError as error:
            raise sweep.located(InputError(error.what, key=f"conditions.{n}")) from None
    return True


def _setting(sweep: Sweep, workload: str, system: str, parameters: Mapping[str, Any]) -> Setting:
    """What is needed to compute the point, without reading SWEEP.yaml again."""
    assigned = [(key, parameters[name]) for name, axis in sweep.axes.items() for key in axis.keys]
    of_run = {key: value for key, value in assigned if key in RUN_KEYS}
    setting: Setting = {"workload": workload, "system": system, "input_shapes": sweep.shapes_of(workload)}
    setting |= {name: of_run.get(name, getattr(sweep, name)) for name in ("batch", "noc", "fidelity")}
    setting["noc"] = setting["noc"] or default_noc(setting["fidelity"])
    if setting["fidelity"] == "analytical" and setting["noc"] != "ideal":
        raise _no_such_estimate(sweep, setting["noc"])
    of_system = [override(key, value) for key, value in assigned if key not in RUN_KEYS and not key.startswith(DEVICE)]
    setting["overrides"] = [*sweep.overrides, *of_system]
    if (given := sweep.inference) is not None:
        of_device = [override(key.removeprefix(DEVICE), value) for key, value in assigned if key.startswith(DEVICE)]
        setting["inference"] = {"data": given.data, "device": given.device, "calibration": given.calibration,
                                **{name: of_run.get(name, getattr(given, name)) for name in DATA_KEYS},
                                "device_overrides": of_device}  # fmt: skip
    if sweep.keeps_results:
        setting["keeps_result"] = True
    return setting


def _no_such_estimate(sweep: Sweep, noc: str) -> InputError:
    noc_axis, fidelity_axis = sweep.axis_of("noc"), sweep.axis_of("fidelity")
    key = "noc" if noc_axis is None else f"axes.{noc_axis}"
    if fidelity_axis is None:
        allowed = "ideal alone"
    elif noc_axis is None:
        allowed = "ideal, or no word of it: then the engine's points have packet"
    else:
        allowed = f"conditions: [\"{fidelity_axis} == 'engine' or {noc_axis} == 'ideal'\"]"
    return sweep.located(InputError(f"{noc} does not go with fidelity analytical", key=key, allowed=allowed))


def _cells(sweep: Sweep, setting: Setting) -> Cells:
    """The device of a point: file and overrides; None: ideal cells."""
    given = setting.get("inference")
    if given is None or given["device"] is None:
        return None
    return sweep.path_of(given["device"]), tuple(given["device_overrides"])


def _point(
    ordinal: int, base: Base, data: str | None, parameters: dict[str, Any], setting: Setting, cells: Cells
) -> Point:
    network = setting["network"]
    facts: dict[str, Any] = {"workload": network, "data": data, "code": code_version()}
    facts |= {name: setting[name] for name in ("batch", "noc", "fidelity")}
    given = setting.get("inference")
    if given is not None:
        facts |= {name: given[name] for name in (*DATA_KEYS, "calibration")}
    try:
        system = base.system(setting["overrides"])
        facts["device"] = None if cells is None else _device_digest(*cells)
    except InputError as error:
        facts |= {"system": digest(base.data), "overrides": setting["overrides"], "cells": cells and cells[1]}
        return Point(ordinal, digest(facts), "", parameters, setting, str(error))
    facts["config"] = config_hash(system)
    return Point(ordinal, digest(facts), mapping_word(setting, system), parameters, setting)


def mapping_word(setting: Setting, system: System) -> str:
    """Points with the same word share what takes the time: a mapping, or the outline of an estimate."""
    if setting["fidelity"] == "analytical":
        from pimsim.costmodels.chip.outline import timing_key

        return digest([setting["network"], "analytical", timing_key(system)])
    return digest([setting["network"], setting["noc"], mapping_facts(system)])


def mapping_facts(system: System) -> dict[str, Any]:
    """What a mapping and its times depend on: all of the system but the prices of what is in its tiles, and what ADCs
    resolve, which decides values and prices alone.

    (Prices of routers and links stay: a search for a placement weighs them.)
    """
    facts = resolved(system)
    facts["chip"]["tile"] = tile = _without_prices(facts["chip"]["tile"])
    for name in ADC_VALUES:
        del tile["ima"]["adc"][name]
    return facts


def _without_prices(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_prices(value) for key, value in node.items() if key != "cost"}
    return node


def digest(facts: Any) -> str:
    """SHA-256 of the canonical JSON of plain data, in hexadecimal."""
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _workload_digest(name: str, shapes: Mapping[str, Sequence[int]]) -> str:
    """Hash of a network: of the lowered one, and of the file where that holds weights."""
    from pimsim.results.assembly import workload_hash
    from pimsim.workload import load_workload, lower
    from pimsim.workload.catalogue import shipped

    try:
        lowered = workload_hash(lower(load_workload(name, shapes)))
    except InputError as error:
        if "--input " not in error.what:
            raise
        told = f"input_shapes in SWEEP.yaml: {{{Path(name).name}: {{INPUT: [1, 3, 224, 224]}}}}"
        raise InputError(error.what, file=error.file, line=error.line, key=error.key, allowed=told) from None
    path = shipped().get(name, Path(name))
    return lowered if path.suffix.lower() != ".onnx" else "+".join([lowered, *map(_file_digest, _files_of(path))])


def _files_of(network: Path) -> list[Path]:
    """The file of a network, and those of the weights that lie beside it."""
    return [network, *(network.parent / each for each in weights_beside(network))]


@functools.lru_cache(maxsize=4096)
def _device_digest(device: str | None, overrides: tuple[str, ...]) -> str | None:
    if device is None:
        return None
    facts = load_device(device, overrides).model_dump(mode="json")
    if facts.get("faults") and facts["faults"].get("map"):
        facts["faults"]["map"] = _file_digest(Path(facts["faults"]["map"]))
    return digest(facts)


def _data_digest(sweep: Sweep) -> str | None:
    """Name of the dataset; its bytes where it is a file."""
    if sweep.inference is None:
        return None
    path = Path(sweep.path_of(sweep.inference.data))
    return _file_digest(path) if path.is_file() else sweep.inference.data


def _file_digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(sweep: Sweep, data: Mapping[str, Any]) -> str:
    """Hash of all that :func:`plan` depends on: the sweep as plain data, the files that it names, the code."""
    from pimsim.workload.catalogue import shipped

    networks = [shipped().get(path, Path(path)) for path in map(sweep.path_of, sweep.workloads)]
    files = [file for network in networks if network.is_file() for file in _files_of(network)]
    cells = None
    if (given := sweep.inference) is not None:
        files.append(Path(sweep.path_of(given.data)))
        cells = None if given.device is None else _device_digest(sweep.path_of(given.device), ())
    contents = [_file_digest(path) for path in files if path.is_file()]
    systems = [config_hash(load_system(sweep.path_of(name))) for name in sweep.systems]
    told = {key: value for key, value in data.items() if key != "files"}  # a study may have moved
    return digest([told, contents, systems, cells, code_version()])
