"""What a sweep is: networks, systems, axes, conditions, and which results to keep."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pimsim.errors import InputError, did_you_mean, shown
from pimsim.sweep.axes import SAMPLED, Axis, Range, combinations_count
from pimsim.sweep.columns import ALL_COLUMNS, COLUMNS
from pimsim.sweep.conditions import FUNCTIONS, LABELS, Condition

FORMAT = "pimsim-sweep-1"
NETWORKS = ("packet", "flit", "ideal")
FIDELITIES = ("engine", "analytical")
RUN_KEYS = ("batch", "noc", "fidelity", "images", "seed")
"""Keys of axes that are no keys of the system: of the run, and (images, seed) of the execution on data."""
DATA_KEYS = ("images", "seed")
DEVICE = "device."  #: before the keys of the device
RESULT = "result"  #: in ``keep``: the whole Result of each point, as a file
MOST_POINTS = 1_000_000
MOST_IMAGES = 10**9
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Inference:
    """Execution on data beside the simulation of time: arguments of :func:`pimsim.infer`."""

    data: str  #: name or path of a dataset
    device: str | None = None  #: the cells; None: ideal ones
    images: int | None = None  #: the first so many; None: all
    seed: int = 0  #: of everything random
    calibration: int = 64  #: images from which the ranges of each layer's inputs are taken


@dataclass(frozen=True)
class Sweep:
    """Every network on every system under every combination of the axes for which the conditions hold.

    >>> Sweep(workloads=("lenet5",), systems=("isaac-ce",), axes={"imas": grid("chip.tile.imas", [4, 8, 12])})

    Raises:
        InputError: something is wrong that can be known without reading a network or a system.
    """

    workloads: Sequence[str]
    systems: Sequence[str]
    axes: Mapping[str, Axis]
    conditions: Sequence[Condition | str] = ()
    name: str = "sweep"
    overrides: Sequence[str] = ()  #: ``KEY=VALUE`` for every point
    batch: int = 1
    noc: str | None = None  #: None: ``ideal`` for estimates, which know no other; ``packet`` for the engine
    fidelity: str = "engine"  #: engine: events; analytical: closed form
    samples: int = 1  #: of all random and latin_hypercube axes together
    seed: int = 0  #: of the drawn values
    inference: Inference | None = None
    input_shapes: Mapping[str, Mapping[str, Sequence[int]]] = field(default_factory=dict)
    #: by workload and input; fixes free dimensions of ONNX files, overrides others
    files: Mapping[str, str] = field(default_factory=dict)
    #: where what is named above lies, by the name that it has there; other names are shipped, or files from here
    keep: Sequence[str] = ()  #: columns of the exports, and ``result``; none: all columns
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)
    #: where keys stand in ``file``, for messages
    file: str | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        conditions = tuple(c if isinstance(c, Condition) else Condition(c) for c in self.conditions)
        object.__setattr__(self, "conditions", conditions)
        for name in ("workloads", "systems"):
            _check_names(name, getattr(self, name))
        for name in ("workloads", "systems", "overrides", "keep"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, shapes in self.input_shapes.items():
            _check_shapes(name, shapes, self.workloads)
        self._check_files()
        if self.inference is not None:
            _check_inference(self.inference)
        _check_whole("batch", self.batch, 1, MOST_IMAGES)
        _check_whole("samples", self.samples, 1, MOST_POINTS)
        _check_whole("seed", self.seed, 0, 2**63 - 1)
        _check_word("fidelity", self.fidelity, FIDELITIES)
        for name, axis in self.axes.items():
            self._check_axis(name, axis)
        self._check_run_keys()
        self._check_network()
        self._check_lists()
        self._check_keys()
        known = self._listed_values()
        for n, condition in enumerate(conditions):
            with_key(f"conditions.{n}", condition.check_names, tuple(self.axes))
            with_key(f"conditions.{n}", condition.check_values, known)
        for n, column in enumerate(self.keep):
            _check_word(f"keep.{n}", column, (*ALL_COLUMNS, RESULT))
        if self.count > MOST_POINTS:
            raise InputError(f"makes {self.count:,} combinations", key="axes", allowed=f"at most {MOST_POINTS:,}")

    @property
    def count(self) -> int:
        """Combinations, before conditions."""
        combined = combinations_count(self.axes, self.samples)
        return len(self.workloads) * len(self.systems) * combined

    @property
    def keeps_results(self) -> bool:
        """Whether each point's whole Result is kept."""
        return RESULT in self.keep

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of results that exports have."""
        wanted = [column for column in self.keep if column != RESULT]
        if wanted:
            return tuple(wanted)
        return tuple(ALL_COLUMNS) if self.inference else tuple(COLUMNS)

    def _check_axis(self, name: str, axis: Axis) -> None:
        key = f"axes.{name}"
        alike = next((other for other in self.axes if other != name and other.lower() == name.lower()), None)
        if alike is not None:
            raise InputError(f"{shown(name)} and {shown(alike)} would be one column: SQL does not tell case apart",
                             key=key, allowed="names that differ in more than case")  # fmt: skip
        if not _NAME.fullmatch(name) or name in FUNCTIONS:
            raise InputError(f"{shown(name)} cannot be the name of an axis", key=key,
                             allowed="letters, digits and _, not beginning with a digit")  # fmt: skip
        if name.lower() in _OTHER_COLUMNS or (name.lower() in RUN_KEYS and axis.keys != (name,)):
            raise InputError(f"{shown(name)} is the name of another column", key=key)
        values: Sequence[Any] = (axis.values.low, axis.values.high) if isinstance(axis.values, Range) else axis.values
        for each in axis.keys:
            if each in DATA_KEYS and self.inference is None:
                raise InputError(f"sets {each!r}, and nothing is executed on data", key=key,
                                 allowed="inference beside it")  # fmt: skip
            if each.startswith(DEVICE) and (self.inference is None or self.inference.device is None):
                raise InputError(f"sets {each!r}, and there is no device", key=key,
                                 allowed="inference.device beside it")  # fmt: skip
            for value in values if each in RUN_KEYS else ():
                with_key(key, _check_run_value, each, value)
        for value in values:
            if isinstance(value, float) and not math.isfinite(value):
                raise InputError(f"{shown(value)} is no value of an axis", key=key)

    def shapes_of(self, workload: str) -> dict[str, list[int]]:
        """Shapes of inputs of a network that are not those of its file."""
        return {name: list(shape) for name, shape in self.input_shapes.get(workload, {}).items()}

    def path_of(self, name: str) -> str:
        """Where that lies which the sweep calls so: a file, or a shipped name."""
        return self.files.get(name, name)

    @property
    def seed_axes(self) -> tuple[str, ...]:
        """Axes that set the seed of the execution on data and nothing else: points apart by them are one design."""
        return tuple(name for name, axis in self.axes.items() if axis.keys == ("seed",))

    def axis_of(self, key: str) -> str | None:
        """The axis that sets a key, if one does."""
        return next((name for name, axis in self.axes.items() if key in axis.keys), None)

    def _check_files(self) -> None:
        given = self.inference
        known = [*self.workloads, *self.systems, *([] if given is None else [given.data, given.device])]
        names = [name for name in known if name is not None]
        for name, path in self.files.items():
            if name not in names:
                raise InputError(f"is named nowhere in the sweep{did_you_mean(str(name), names)}", key=f"files.{name}",
                                 allowed=names)  # fmt: skip
            if not isinstance(path, str) or not path:
                raise InputError(f"{shown(path)} is no file", key=f"files.{name}", allowed="the path of a file")

    def _check_run_keys(self) -> None:
        """What an axis goes over is not given for all points too: one of them would yield silently."""
        for key, default in (("batch", 1), ("noc", None), ("fidelity", "engine")):
            if getattr(self, key) != default and self.axis_of(key) is not None:
                raise InputError(f"{getattr(self, key)} is given for all points, and an axis goes over it", key=key,
                                 allowed="one of the two")  # fmt: skip

    def _check_network(self) -> None:
        """An estimate is one of an ideal network; where fidelity is an axis, each point has its own default."""
        if self.noc is not None:
            _check_word("noc", self.noc, NETWORKS)
        if self.axis_of("fidelity") is None and self.noc is None and self.axis_of("noc") is None:
            object.__setattr__(self, "noc", default_noc(self.fidelity))
        fidelities = self._values_of("fidelity", self.fidelity)
        if "analytical" in fidelities and self.axis_of("noc") is None and self.noc not in (None, "ideal"):
            raise InputError(f"{self.noc} does not go with fidelity analytical", key="noc",
                             allowed="ideal, or no word of it: then the engine's points have packet")  # fmt: skip

    def _values_of(self, key: str, given: Any) -> tuple[Any, ...]:
        """All values that a key of the run takes."""
        name = self.axis_of(key)
        if name is None:
            return (given,)
        values = self.axes[name].values
        return () if isinstance(values, Range) else tuple(values)

    def _check_keys(self) -> None:
        """Each key is set in one place: of two, one would be lost without a word."""
        setters = [(f"set.{key}", key) for key in (text.partition("=")[0].strip() for text in self.overrides)]
        setters += [(f"axes.{name}", key) for name, axis in self.axes.items() for key in axis.keys]
        place_of: dict[str, str] = {}
        for place, key in setters:
            words = key.split(".")
            above = [".".join(words[:n]) for n in range(1, len(words) + 1)]
            other = next((each for each in above if each in place_of), None)
            other = other or next((each for each in place_of if each.startswith(f"{key}.")), None)
            if other is not None:
                within = "" if other == key else f" (with {other!r})"
                raise InputError(f"sets {key!r}, which {place_of[other]} sets already{within}", key=place,
                                 allowed="one place for each key; an axis may set several keys")  # fmt: skip
            place_of[key] = place

    def _listed_values(self) -> dict[str, tuple[Any, ...]]:
        """All values that a name in a condition can have, where they are listed."""
        found = {"workload": tuple(self.workloads), "system": tuple(self.systems)}
        listed = {name: axis.values for name, axis in self.axes.items() if not isinstance(axis.values, Range)}
        return found | listed

    def _check_lists(self) -> None:
        lengths = {name: len(axis.values) for name, axis in self.axes.items()
                   if axis.rule == "list" and not isinstance(axis.values, Range)}  # fmt: skip
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise InputError(f"lists go together and have as many values: {told}", key="axes")
        if self.samples > 1 and not any(axis.rule in SAMPLED for axis in self.axes.values()):
            raise InputError("nothing is drawn", key="samples", allowed="a random or latin_hypercube axis beside it")


    def located(self, error: InputError) -> InputError:
        """An error about one of its keys, with the file and the line where the nearest key stands."""
        if error.file is not None or self.file is None:
            return error
        key, line = error.key or "", None
        while key and line is None:
            line, key = self.lines.get(key), key.rpartition(".")[0]
        return InputError(error.what, file=self.file, line=line, key=error.key, allowed=error.allowed)


OWN_COLUMNS = ("ordinal", "key", "status", "error", "mapping", "setting", "compute_s", "finished_utc", "worker",
               "workload_hash", "config_hash", "code_version")  # fmt: skip
"""Columns of the store that are neither axes nor results."""

_OTHER_COLUMNS = {each.lower() for each in (*OWN_COLUMNS, *ALL_COLUMNS, *LABELS)}


def with_key(key: str, check: Any, *arguments: Any) -> None:
    """Run a check; what it finds is told of ``key``."""
    try:
        check(*arguments)
    except InputError as error:
        raise InputError(error.what, file=error.file, line=error.line, key=key, allowed=error.allowed) from None


def _check_names(key: str, names: Any) -> None:
    if isinstance(names, str) or not names:
        raise InputError("is empty" if not names else "is one name", key=key, allowed="a list of names")
    for n, name in enumerate(names):
        if not isinstance(name, str) or not name:
            raise InputError(f"{shown(name)} is no name", key=f"{key}.{n}", allowed="a shipped name or a file")
        if name in names[:n]:
            raise InputError(f"{shown(name)} is there twice", key=f"{key}.{n}", allowed="each once")


def default_noc(fidelity: str) -> str:
    """The network of a point for which none is given."""
    return "ideal" if fidelity == "analytical" else "packet"


def _check_inference(given: Inference) -> None:
    if given.images is not None:
        _check_whole("inference.images", given.images, 1, MOST_IMAGES)
    _check_whole("inference.calibration", given.calibration, 1, MOST_IMAGES)
    _check_whole("inference.seed", given.seed, 0, 2**63 - 1)
    for key in ("data", "device"):
        value = getattr(given, key)
        if not (isinstance(value, str) and value) and not (key == "device" and value is None):
            raise InputError(f"{shown(value)} is no name", key=f"inference.{key}", allowed="a name or a path")


def _check_shapes(workload: str, shapes: Any, workloads: Sequence[str]) -> None:
    key = f"input_shapes.{workload}"
    if workload not in workloads:
        raise InputError("is not among the workloads", key=key, allowed=workloads)
    if not isinstance(shapes, Mapping) or not all(isinstance(shape, list | tuple) for shape in shapes.values()):
        raise InputError(f"{shown(shapes)} is not allowed", key=key, allowed="{images: [1, 3, 224, 224]}")
    for name, shape in shapes.items():
        for size in shape:
            _check_whole(f"{key}.{name}", size, 1, MOST_IMAGES)


def _check_whole(key: str, value: Any, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"{shown(value)} is not allowed", key=key, allowed=f"a whole number from {low:,} to {high:,}")


def _check_word(key: str, value: Any, words: Sequence[str]) -> None:
    if value not in words:
        raise InputError(f"{shown(value)} is not allowed{did_you_mean(str(value), words)}", key=key, allowed=words)


def _check_run_value(key: str, value: Any) -> None:
    if key == "noc":
        _check_word(key, value, NETWORKS)
    elif key == "fidelity":
        _check_word(key, value, FIDELITIES)
    else:
        _check_whole(key, value, 0 if key == "seed" else 1, 2**63 - 1 if key == "seed" else MOST_IMAGES)
