"""The composition root of execution on data: network, system, device and images in, InferenceResult out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import pimsim.engine  # noqa: F401  (first: it says where compiled code is kept)
from pimsim.config import System, config_hash, resolved
from pimsim.config.base import Spec
from pimsim.config.device import Device
from pimsim.config.loading import load_device, load_system
from pimsim.datasets import Dataset
from pimsim.errors import InputError, did_you_mean, shown
from pimsim.functional.crossbar import TIERS, program_matrix
from pimsim.functional.mitigation.costs import MitigatedLayer, mitigation_notes
from pimsim.functional.network.executor import Executor
from pimsim.functional.network.graph import Network, Step, build_network
from pimsim.functional.network.images import is_whole, read_images
from pimsim.functional.network.preparation import (
    PreparedMatrix,
    check_batches,
    fitted,
    images_at_once,
    match_moments,
    named_groups,
    on_crossbars,
    prepare,
)
from pimsim.functional.network.products import SAMPLE, CrossbarProducts
from pimsim.functional.network.weights import read_with_weights
from pimsim.functional.temperature import at_temperatures, temperature_of
from pimsim.functional.worn_cells import Matrix, worn_cells
from pimsim.mapping.program import Program
from pimsim.results.inference import (
    FORMAT,
    SWEEP_FORMAT,
    CellLifetime,
    InferenceResult,
    InferenceSource,
    InferenceSweep,
    LayerValues,
    Share,
)
from pimsim.results.wear import programming_wear
from pimsim.simulation import map_workload
from pimsim.version import __version__
from pimsim.workload import Workload
from pimsim.workload.catalogue import shipped
from pimsim.workload.lowering import lower
from pimsim.workload.onnx_import import import_model

__all__ = ["infer", "sweep"]

Progress = Callable[[int, int], None]  #: (images done, in all)
Data = str | Path | Dataset | np.ndarray | tuple[np.ndarray, np.ndarray]

CALIBRATION_IMAGES = 64
SEEDS = 2**63
NOT_MODELLED = (
    "activations between layers are float32; each layer's inputs are quantised where they enter its crossbars",
    "biases, folded BatchNorm and everything without a weight matrix are computed digitally, without quantisation",
    "one replica of every layer is executed: others would hold the same weights in cells of their own",
)


def infer(
    workload: str | Path,
    system: str | Path | System,
    data: Data,
    *,
    device: str | Path | Device | None = None,
    images: int | None = None,
    seed: int = 0,
    calibration: int = CALIBRATION_IMAGES,
    tier: str | None = None,
    overrides: Sequence[str] = (),
    device_overrides: Sequence[str] = (),
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    temperatures_k: Mapping[str, float] | None = None,
    progress: Progress | None = None,
) -> InferenceResult:
    """Execute a network on data, its weights in crossbars.

    >>> import pimsim
    >>> pimsim.infer("mlp-digits", "isaac-ce", "digits", images=20).agreement_fixed.share
    1.0

    Args:
        workload: an ONNX file with its weights, or a shipped network that has weights.
        system: a shipped name, a YAML file, or what :func:`pimsim.config.load_system` returns.
        data: name or path of a dataset, or what :func:`pimsim.datasets.load_dataset` returns, or images
            (N, C, H, W), or images and labels (N,).
        device: the cells: a shipped name, a YAML file or a loaded record; None: ideal ones.
        images: the first so many; None: all.
        seed: of everything random.
        calibration: images from which the ranges of each layer's inputs are taken.
        tier: forces one way of computing crossbars; None: chosen by proof for each unit.
        overrides: ``KEY=VALUE`` for a system given by name or file.
        device_overrides: the same for a device given by name or file.
        input_shapes: shape by input name, where the ONNX file leaves more open than the batch.
        temperatures_k: of the crossbars of each layer [K], in place of the device's (see
            :func:`pimsim.heat.layer_temperatures`); None: as the device says.
        progress: called now and then with images done and images in all.

    Raises:
        InputError: something given is wrong, or an operation cannot be executed.
    """
    _check_options(seed, tier, images)
    network, program = read_network(workload, system, overrides, input_shapes)
    cells = _device(device, device_overrides)
    warm = None if temperatures_k is None else at_temperatures(cells, temperatures_k, matrix_names(network))
    test, train = read_images(data, images, calibration)
    return _Execution(network, program, cells, test, train, int(seed), tier, warm).run(progress)


def sweep(
    workload: str | Path,
    system: str | Path,
    data: Data,
    key: str,
    values: Sequence[Any],
    *,
    overrides: Sequence[str] = (),
    device_overrides: Sequence[str] = (),
    progress: Progress | None = None,
    **options: Any,
) -> InferenceSweep:
    """The same under several values of one key: ``device.…`` of the device file, or one of the system.

    Raises:
        InputError: as :func:`infer`, or there are no values.
    """
    if not values:
        raise InputError("there are no values to sweep over", key=key)
    words = [_word(value) for value in values]
    of_device = key.startswith("device.")
    if of_device and options.get("device") is None:
        raise InputError("is a key of a device, and none is given", key=key, allowed="a device beside it")
    images = options.pop("images", None)
    _check_options(options.get("seed", 0), options.get("tier"), images)
    changes = []
    for word in words:
        changed = [f"{key.removeprefix('device.')}={word}"]
        changes.append({
            "overrides": [*overrides, *([] if of_device else changed)],
            "device_overrides": [*device_overrides, *(changed if of_device else [])],
        })  # fmt: skip
        _check_point(system, options.get("device"), **changes[-1])
    test, train = read_images(data, images, options.pop("calibration", CALIBRATION_IMAGES))
    results = [
        infer(workload, system, (test, train), progress=part_of(progress, n, len(words)), **each, **options)  # type: ignore[arg-type]
        for n, each in enumerate(changes)
    ]
    return InferenceSweep(SWEEP_FORMAT, __version__, key, tuple(words), tuple(results))


def _check_point(system: Any, device: Any, overrides: Sequence[str], device_overrides: Sequence[str]) -> None:
    """Whether a point's keys and values are allowed, before the first point has taken its time."""
    if not isinstance(system, System):
        load_system(system, overrides)
    _device(device, device_overrides)


def _word(value: Any) -> str:
    """A value as it is written in YAML."""
    return {"True": "true", "False": "false", "None": "null"}.get(str(value), str(value))


def part_of(progress: Progress | None, done: int, parts: int) -> Progress | None:
    """Progress of one of several executions of as many images each."""
    if progress is None:
        return None
    return lambda images, total: progress(done * total + images, parts * total)


# what is given


def _check_options(seed: Any, tier: Any, images: Any) -> None:
    if tier is not None and tier not in TIERS:
        raise InputError(f"there is no tier {shown(tier)}", key="tier", allowed=TIERS)
    if not is_whole(seed) or not 0 <= seed < SEEDS:
        raise InputError(f"{shown(seed)} is not allowed", key="seed", allowed=f"a whole number from 0 to {SEEDS - 1}")
    if images is not None and not is_whole(images):
        raise InputError(f"{shown(images)} images are asked for", key="images", allowed="a whole number from 1")


def read_network(
    workload: str | Path, system: str | Path | System, overrides: Sequence[str],
    input_shapes: Mapping[str, Sequence[int]] | None,
) -> tuple[Network, Program]:  # fmt: skip
    """A network with the values of its weights, and laid onto a system; arguments and errors as :func:`infer`."""
    path = _weights_file(workload)
    model = read_with_weights(path)
    imported = import_model(model, input_shapes, name=path.stem, file=str(path))
    dataflow = lower(imported)
    try:
        network = build_network(model, imported, dataflow)
    except InputError as error:
        raise error if error.file else InputError(error.what, file=path, key=error.key, allowed=error.allowed) from None
    program = map_workload(dataflow, system, overrides=overrides)
    check_crossbars(program.system)
    return network, program


def check_crossbars(system: System) -> None:
    """Raises InputError for a system that has none: GPU cores keep weights as they are."""
    if not system.chip.reram_tiles:
        raise InputError(f"{system.name} has GPU cores alone, and no crossbars", key="system",
                         allowed="a system with ReRAM tiles")  # fmt: skip


def matrix_names(network: Network) -> list[str]:
    """The layers of a network whose weights lie in crossbars."""
    return [each.name for step in network.matrix_steps if step.matrix is not None for each in step.matrix.matrices]


def _weights_file(workload: str | Path) -> Path:
    """The ONNX file of a network with weights."""
    if isinstance(workload, Workload):
        raise InputError("infer takes an ONNX file or the name of a shipped network, not a Workload: it has no weights")
    with_weights = [name for name, path in shipped().items() if path.suffix == ".onnx"]
    path = shipped().get(str(workload), Path(workload))
    allowed = ", ".join([*with_weights, "or an ONNX file with its weights"])
    if path.suffix.lower() in (".yaml", ".yml"):
        raise InputError(f"'{workload}' is a table of layers without weights, which infer needs", allowed=allowed)
    if path.suffix.lower() != ".onnx":
        raise InputError(f"no network is called '{workload}'{did_you_mean(str(workload), with_weights)}",
                         allowed=allowed)  # fmt: skip
    return path


def _device(device: str | Path | Device | None, overrides: Sequence[str]) -> Device | None:
    if device is None:
        if overrides:
            raise InputError("changes a device, and none is given", key=overrides[0].partition("=")[0])
        return None
    if isinstance(device, Device):
        if overrides:
            raise InputError("overrides change a device given by name or file, not one already loaded", key="device")
        return device
    return load_device(device, overrides)


# the execution


@dataclass
class _Execution:
    """One call of :func:`infer`."""

    network: Network
    program: Program
    device: Device | None
    test: Dataset
    train: Dataset
    seed: int
    tier: str | None
    warm: Mapping[str, Device] | None = None  #: the cells of each layer at its own temperature

    def run(self, progress: Progress | None) -> InferenceResult:
        images, calibration = self._fitted(self.test), self._fitted(self.train)
        executor = Executor(self.network)
        self._check(executor, images)
        at_once = images_at_once(self.program)
        prepared = prepare(executor, self.program, list(_batches(calibration, at_once)), program_matrix)
        fixed, crossbars = on_crossbars(self.network, prepared, len(images), self.program.system.mapping.mitigation,
                                        self.warm, device=self.device, seed=self.seed,
                                        tier=self.tier)  # fmt: skip
        match_moments(executor, prepared, crossbars, calibration[:at_once])
        decisions = []
        for first in range(0, len(images), at_once):
            if progress is not None:
                progress(first, len(images))
            batch = images[first : first + at_once]
            found = executor.together(batch, fixed, crossbars, first)
            decisions.append([self._decide(each, len(batch)) for each in (found.floating, found.fixed, found.crossbar)])
        if progress is not None:
            progress(len(images), len(images))
        by_kind = [np.concatenate(each) for each in zip(*decisions, strict=True)]
        return self._result(by_kind, prepared, crossbars, executor.one_by_one)

    def _fitted(self, data: Dataset) -> np.ndarray:
        images = fitted(data.images, self.network)
        if images is None:
            wanted = list(self.network.input_shape)
            what = f"images of shape {list(data.images.shape[1:])} do not fit the network's input of shape {wanted}"
            raise InputError(what, key="data")
        return images

    def _check(self, executor: Executor, images: np.ndarray) -> None:
        try:
            check_batches(executor, images)
        except Exception as error:  # onnx's reference and numpy raise what they like for what they cannot do
            what = f"the network cannot be executed on one image: {type(error).__name__}: {error}"
            raise InputError(what) from error

    def _decide(self, outputs: np.ndarray, images: int) -> np.ndarray:
        """(images,) classes: the largest output; of a single output, whether it is more likely than not."""
        values = outputs.reshape(images, -1)
        if values.shape[1] == 1:
            return (values[:, 0] > (0.5 if self.network.ends_in_sigmoid else 0.0)).astype(np.int64)
        return values.argmax(axis=1)

    def _result(
        self,
        decisions: Sequence[np.ndarray],
        prepared: Sequence[Sequence[PreparedMatrix]],
        crossbars: Sequence[Sequence[CrossbarProducts]],
        one_by_one: bool,
    ) -> InferenceResult:
        floating, fixed, crossbar = decisions
        labels, n = self.test.labels, len(crossbar)
        right = [None if labels is None else _equal(each, labels) for each in (crossbar, floating, fixed)]
        layers = [
            _layer(step, matrix, products, n)
            for step, *parts in zip(self.network.matrix_steps, prepared, crossbars, strict=True)
            for matrix, products in zip(*parts, strict=True)
        ]
        return InferenceResult(
            format=FORMAT, pimsim_version=__version__, source=self._source(n),
            accuracy=right[0], float_accuracy=right[1], fixed_accuracy=right[2],
            agreement_float=_equal(crossbar, floating), agreement_fixed=_equal(crossbar, fixed), layers=tuple(layers),
            wear=programming_wear(self.program), notes=self._notes(prepared, crossbars, one_by_one),
            lifetime=self._lifetime(prepared),
        )  # fmt: skip

    def _lifetime(self, prepared: Sequence[Sequence[PreparedMatrix]]) -> CellLifetime | None:
        """Of the cells that were programmed, group by group as they were."""
        if self.device is None or self.device.endurance is None:
            return None
        mitigation, endurance = self.program.system.mapping.mitigation, self.device.endurance
        found = worn_cells(
            (Matrix(weights.shape[0], weights.shape[1], each.arithmetic, name, mitigation.of_layer(each.name).copies)
             for step in prepared for each in step for name, weights in named_groups(each)), self.device, self.seed)
        if found is None:
            return None
        return CellLifetime(endurance.writes, endurance.sigma_decades, endurance.writes_before, *found)

    def _source(self, images: int) -> InferenceSource:
        system = self.program.system
        return InferenceSource(
            workload=self.network.name, system=system.name, config_hash=config_hash(system), config=resolved(system),
            device=None if self.device is None else self.device.model_dump(mode="json"), data=self.test.name,
            data_source=self.test.source, images=images, calibration_images=len(self.train),
            calibration_source=self.train.source, seed=self.seed, tier=self.tier,
        )  # fmt: skip

    def _nothing_changed(self, idle: Sequence[str], crossbars: Sequence[Sequence[CrossbarProducts]]) -> list[str]:
        """That the device, as far as ``idle`` does not name its parts, did nothing to any product of this run."""
        if self.device is None or any(each.counts.noise for step in crossbars for each in step):
            return []
        named = {note.partition(" ")[0] for note in idle}
        parts = [name for name in _configured(self.device) if f"device.{name}" not in named]
        words = ", ".join(f"device.{name}" for name in parts)
        return [f"{words} changed no product in this run: rounding took away what it did, if anything"] if parts else []

    def _mitigated(
        self, prepared: Sequence[Sequence[PreparedMatrix]], crossbars: Sequence[Sequence[CrossbarProducts]]
    ) -> list[MitigatedLayer]:
        tilings = {layer.name: layer.tiling for layer in self.program.layers if layer.tiling is not None}
        return [
            MitigatedLayer(each.name, products.matrices, each.weights.integers.size, each.weights.clipped,
                           tilings[each.name].crossbars)
            for step in zip(prepared, crossbars, strict=True) for each, products in zip(*step, strict=True)
        ]  # fmt: skip

    def _notes(
        self, prepared: Sequence[Sequence[PreparedMatrix]], crossbars: Sequence[Sequence[CrossbarProducts]],
        one_by_one: bool,
    ) -> tuple[str, ...]:  # fmt: skip
        notes = [*NOT_MODELLED, *self.network.notes]
        notes.append(f"inputs are scaled by {len(self.train)} images: {self.train.source}")
        notes.append(f"histograms show up to {SAMPLE} vectors of a layer, spread over the windows of the first images")
        if self.warm is not None:
            kelvin = ", ".join(f"{name} {temperature_of(each):.1f}" for name, each in self.warm.items())
            notes.append(f"temperatures of the crossbars [K]: {kelvin}")
        if one_by_one:
            notes.append("the network takes one image at a time: a batch is written into it")
        idle = _without_effect([matrix.notes for step in crossbars for each in step for matrix in each.matrices])
        notes += [*idle, *self._nothing_changed(idle, crossbars)]
        notes += mitigation_notes(self.program.system.mapping.mitigation, self._mitigated(prepared, crossbars))
        return tuple(dict.fromkeys([*notes, *self.program.notes]))


def _configured(device: Device) -> list[str]:
    """Keys of the parts that a device has; the cell last, as other parts need its conductances too."""
    parts = [name for name, part in device if isinstance(part, Spec)]
    return sorted(parts, key=lambda name: name == "cell")


def _without_effect(notes: Sequence[Sequence[str]]) -> list[str]:
    """Parts of the device that change nothing in any matrix of the network."""
    everywhere = [note for note in notes[0] if all(_key(note) in map(_key, each) for each in notes)] if notes else []
    return [f"device.{_key(note)} has no effect in this run: {note.partition(': ')[2]}" for note in everywhere]


def _key(note: str) -> str:
    return note.partition(": ")[0]


def _batches(images: np.ndarray, at_once: int) -> Iterator[np.ndarray]:
    for first in range(0, len(images), at_once):
        yield images[first : first + at_once]


def _equal(a: np.ndarray, b: np.ndarray) -> Share:
    return Share(int(np.count_nonzero(a == b)), len(a))


def _layer(step: Step, prepared: PreparedMatrix, products: CrossbarProducts, images: int) -> LayerValues:
    counts, arithmetic, scale = products.counts, prepared.arithmetic, prepared.weights.scale
    tiers: dict[str, int] = {}
    for matrix in products.matrices:
        for name, units in matrix.tiers.items():
            tiers[name] = tiers.get(name, 0) + int(units)
    codes = sorted(counts.codes)
    return LayerValues(
        name=prepared.name, operation=type(step.matrix).__name__, windows=counts.vectors // images,
        windows_mapped=prepared.windows, vectors=counts.vectors, input_bits=arithmetic.input_bits,
        weight_bits=arithmetic.weight_bits, adc_bits=arithmetic.adc_bits, adc_step=arithmetic.adc_step,
        register_shift=arithmetic.register_shift, signed_inputs=arithmetic.signed_inputs,
        input_scale=prepared.inputs.scale, weight_scales=(float(scale.min()), float(scale.max())),
        clipped_weights=prepared.weights.clipped,
        saturated_inputs=counts.saturated_inputs / counts.inputs if counts.inputs else 0.0,
        conversions=counts.conversions, clipped=counts.clipped, outputs=counts.outputs, overflows=counts.overflows,
        exact_signal=counts.signal / counts.outputs, exact_noise=counts.noise / counts.outputs,
        float_signal=counts.network_signal / counts.compared, float_noise=counts.network_noise / counts.compared,
        tiers=tiers, sampled_vectors=counts.sampled,
        histogram_codes=tuple(codes), histogram_counts=tuple(counts.codes[code] for code in codes),
    )  # fmt: skip
