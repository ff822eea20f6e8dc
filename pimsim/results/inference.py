"""The record of a network executed on data: plain data that outlives every simulator object, saved as JSON."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pimsim.errors import InputError
from pimsim.results.files import _written
from pimsim.results.plain import restored
from pimsim.results.staging import filled_folder, write_texts
from pimsim.results.wear import ProgrammingWear

FORMAT = "pimsim-inference-1"
SWEEP_FORMAT = "pimsim-inference-sweep-1"
INFERENCE, LAYERS, SWEEP, POINTS = "inference.json", "layers.csv", "sweep.json", "sweep.csv"
FILES = (INFERENCE, LAYERS, SWEEP, POINTS)
Z_95 = 1.959963984540054  #: quantile of the normal distribution for a 95 % interval


@dataclass(frozen=True)
class Share:
    """So many of so many, with Wilson's 95 % interval for the share (Wilson, JASA 1927)."""

    count: int
    of: int

    @property
    def share(self) -> float:
        """The share that was found."""
        return self.count / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the 95 % interval."""
        if not self.of:
            return 0.0, 1.0
        z2 = Z_95 * Z_95 / self.of
        middle = (self.share + z2 / 2) / (1 + z2)
        half = Z_95 * math.sqrt(self.share * (1 - self.share) / self.of + z2 / (4 * self.of)) / (1 + z2)
        return (middle - half if self.count else 0.0), (middle + half if self.count < self.of else 1.0)


@dataclass(frozen=True)
class InferenceSource:
    """What was executed on what."""

    workload: str
    system: str
    config_hash: str  #: SHA-256 of the resolved configuration
    config: dict[str, Any]  #: every key of the system
    device: dict[str, Any] | None  #: every key of the device; None: ideal cells
    data: str  #: name of the dataset
    data_source: str  #: where its images are from
    images: int
    calibration_images: int
    calibration_source: str
    seed: int
    tier: str | None  #: that was forced; None: chosen by proof


@dataclass(frozen=True)
class LayerValues:
    """What the crossbars of one layer did, over all images."""

    name: str
    operation: str
    windows: int  #: executed for one image
    windows_mapped: int  #: of the Program, which the engine times
    vectors: int  #: executed in all
    input_bits: int
    weight_bits: int
    adc_bits: int  #: 0: ideal
    adc_step: float  #: levels
    register_shift: int  #: bits
    signed_inputs: bool
    input_scale: float  #: real value of the integer 1
    weight_scales: tuple[float, float]  #: smallest and largest over the outputs
    clipped_weights: int  #: weights cut off before quantisation (mapping.mitigation.weight_clip)
    saturated_inputs: float  #: share of the inputs that were beyond the calibrated range
    conversions: int
    clipped: int  #: conversions that the ADC could not hold: sums beyond its full scale, and below 0
    outputs: int
    overflows: int  #: of partial sums in output registers
    exact_signal: float  #: mean square of the exact integer products
    exact_noise: float  #: mean square of what the crossbars add to them
    float_signal: float  #: mean square of the float network's values
    float_noise: float  #: mean square of what separates this network's values from them
    tiers: dict[str, int]  #: units by how they were computed
    sampled_vectors: int  #: vectors of the first images, whose conversions the histogram shows
    histogram_codes: tuple[int, ...]
    histogram_counts: tuple[int, ...]

    @property
    def exact_snr_db(self) -> float | None:
        """Signal to noise against the exact product of the same inputs [dB], as :func:`snr_db` gives it."""
        return snr_db(self.exact_signal, self.exact_noise)

    @property
    def float_snr_db(self) -> float | None:
        """Signal to noise against the float network's values [dB], as :func:`snr_db` gives it."""
        return snr_db(self.float_signal, self.float_noise)

    @property
    def clipped_share(self) -> float:
        """Share of the conversions that were clipped."""
        return self.clipped / self.conversions if self.conversions else 0.0

    @property
    def overflow_share(self) -> float:
        """Overflows for each output."""
        return self.overflows / self.outputs if self.outputs else 0.0


@dataclass(frozen=True)
class CellLifetime:
    """How long the cells that hold the weights last: those that were executed, other replicas left out."""

    endurance: float  #: writes that the median cell bears
    sigma_decades: float  #: standard deviation of log10 over the cells
    writes_before: float  #: that each cell had seen before this programming
    cells: int  #: in use
    stuck: int  #: of these, past their endurance in this programming
    programmings_to_first: int  #: that every cell survives, this one included
    programmings_to_one_percent: int  #: that leave less than 1 % of the cells stuck, this one included


@dataclass(frozen=True)
class InferenceResult:
    """A network's decisions on crossbars, beside those in floating point and in exact integers."""

    format: str
    pimsim_version: str
    source: InferenceSource
    accuracy: Share | None  #: on crossbars; None: no labels
    float_accuracy: Share | None
    fixed_accuracy: Share | None  #: the same quantised network with exact integer products
    agreement_float: Share  #: equal decisions of crossbars and floating point
    agreement_fixed: Share  #: equal decisions of crossbars and exact integers
    layers: tuple[LayerValues, ...]
    wear: ProgrammingWear  #: of writing the weights once
    notes: tuple[str, ...]
    lifetime: CellLifetime | None = None  #: None: the device says nothing of endurance

    def layer(self, name: str) -> LayerValues:
        """The layer of that name."""
        for each in self.layers:
            if each.name == name:
                return each
        raise KeyError(name)

    @property
    def summary(self) -> dict[str, Any]:
        """Headline figures."""
        shares = {key: getattr(self, key) for key in SHARES}
        return {key: None if value is None else [value.share, *value.interval] for key, value in shares.items()}

    def __str__(self) -> str:
        words = [f"{key.replace('_', ' ')}: {shown_share(getattr(self, key))}" for key in SHARES]
        source = self.source
        return f"{source.workload} on {source.system}, {source.images} images of {source.data}\n  " + "\n  ".join(words)


SHARES = ("accuracy", "float_accuracy", "fixed_accuracy", "agreement_float", "agreement_fixed")


@dataclass(frozen=True)
class InferenceSweep:
    """The same images under several values of one key."""

    format: str
    pimsim_version: str
    key: str
    values: tuple[str, ...]  #: as they were given
    results: tuple[InferenceResult, ...]


def snr_db(signal: float, noise: float) -> float | None:
    """Signal to noise [dB] of two powers; None: no noise, not a single difference; -inf: noise, and no signal."""
    if noise == 0:
        return None
    return 10 * (math.log10(signal) - math.log10(noise)) if signal > 0 else -math.inf


def shown_share(share: Share | None) -> str:
    """A share as text, with its interval."""
    if share is None:
        return "no labels"
    low, high = share.interval
    return f"{share.share:.2%} ({share.count:,} of {share.of:,}; 95 %: {low:.2%} to {high:.2%})"


def inference_json(result: InferenceResult | InferenceSweep) -> str:
    """The whole result as JSON, the summary first; NaN cannot occur."""
    data = dataclasses.asdict(result)
    head = {key: data.pop(key) for key in ("format", "pimsim_version")}
    if isinstance(result, InferenceResult):
        head["summary"] = result.summary
    return _written({**head, **data}) + "\n"


def load_inference(path: str | Path) -> InferenceResult | InferenceSweep:
    """Read what :func:`inference_json` wrote: a file, or the folder that holds it.

    Raises:
        InputError: there is no such file, or it is not a result of this format.
    """
    file = Path(path)
    if file.is_dir():
        file = file / SWEEP if (file / SWEEP).exists() else file / INFERENCE
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=file) from None
    except ValueError as error:
        raise InputError(f"is not JSON: {error}", file=file) from None
    given = data.get("format") if isinstance(data, dict) else None
    kinds: dict[Any, Any] = {FORMAT: InferenceResult, SWEEP_FORMAT: InferenceSweep}
    if given not in kinds:
        raise InputError(f"is not a result of infer: its format is {given!r}", file=file, allowed=kinds)
    try:
        return restored(kinds[given], data)  # type: ignore[no-any-return]
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"is not a complete result: {error}", file=file) from None


def save_inference(result: InferenceResult | InferenceSweep, folder: str | Path) -> None:
    """Write a result into ``folder``, which is made if need be; all files appear at once, at the end.

    Raises:
        InputError: the folder cannot be written, or the disk is full; then nothing is left behind.
    """
    with filled_folder(folder, FILES, write_inference) as fill:
        fill(result)


def write_inference(result: InferenceResult | InferenceSweep, folder: Path) -> None:
    """The files of a result into a folder."""
    if isinstance(result, InferenceResult):
        texts = {INFERENCE: inference_json(result), LAYERS: layer_values_csv(result)}
    else:
        texts = {SWEEP: inference_json(result), POINTS: sweep_csv(result)}
    write_texts(texts, folder)


def layer_values_csv(result: InferenceResult) -> str:
    """One row a layer; empty cells: no difference, so that there is no ratio; -inf: there is no signal."""
    names = [field.name for field in dataclasses.fields(LayerValues)
             if field.name not in ("weight_scales", "tiers", "histogram_codes", "histogram_counts")]  # fmt: skip
    names += ["exact_snr_db", "float_snr_db", "clipped_share", "overflow_share"]
    return _csv(names, [[getattr(layer, name) for name in names] for layer in result.layers])


def sweep_csv(sweep: InferenceSweep) -> str:
    """One row a value, with the ends of the 95 % intervals."""
    names = [f"{key}{end}" for key in SHARES for end in ("", "_low", "_high")]
    rows = []
    for value, result in zip(sweep.values, sweep.results, strict=True):
        parts = [result.summary[key] or ["", "", ""] for key in SHARES]
        rows.append([value, *(cell for part in parts for cell in part)])
    return _csv([sweep.key, *names], rows)


def _csv(names: list[str], rows: list[list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([names, *rows])
    return text.getvalue()
