"""Measured baselines: what a run of a network on a real device was, as one JSON file each.

A file says on what it was measured, with which software, when, and how long each batch took; operation by operation
where the runtime tells, and the energy where the device tells.  Those that come with pimsim are in ``measured/``,
named by network, batch, device and date.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pimsim.baselines.reading import read_record
from pimsim.config.base import Count, NotNegative, Positive, Spec
from pimsim.errors import InputError, did_you_mean
from pimsim.results.staging import staged_file, write_error

FOLDER = Path(__file__).parent / "measured"

Microseconds = Annotated[float, Field(gt=0, le=1e12, strict=True)]
Date = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class MeasuredDevice(Spec):
    """What it ran on."""

    kind: Literal["cpu", "cuda"]
    name: str = Field(min_length=1)
    threads: Count | None = None  #: of the runtime; None: not a CPU
    memory_gib: Positive | None = None
    driver: str | None = None
    clocks_mhz: dict[str, NotNegative] = {}  #: by what they drive, as the device tells them
    power_limit_w: Positive | None = None


class MeasuredModel(Spec):
    """What ran."""

    name: str = Field(min_length=1)
    sha256: str | None  #: of the ONNX file; None: made from a workload, with random weights
    parameters: Annotated[int, Field(ge=0, strict=True)]
    macs: Annotated[int, Field(ge=0, strict=True)]  #: of one input


class BatchTime(Spec):
    """Of one batch, over the repeats [us]."""

    median_us: Microseconds
    low_us: Microseconds  #: 10 % took less
    high_us: Microseconds  #: 10 % took more

    @model_validator(mode="after")
    def _in_order(self) -> BatchTime:
        if not self.low_us <= self.median_us <= self.high_us:
            raise ValueError("low_us, median_us and high_us must rise")
        return self


class MeasuredOperation(Spec):
    """One kernel, as the runtime names it: optimisations may have joined several operations."""

    name: str
    type: str = Field(min_length=1)
    median_us: Annotated[float, Field(ge=0, le=1e12, strict=True)]


class Measured(Spec):
    """A measured baseline."""

    format: Literal["pimsim-measured-1"]
    date: Date
    device: MeasuredDevice
    software: dict[str, str] = Field(min_length=1)  #: versions, by name
    model: MeasuredModel
    batch: Count
    precision: Literal["fp32", "tf32", "fp16", "int8"]
    warm_up: Annotated[int, Field(ge=0, strict=True)]  #: batches that were not counted
    repeats: Count
    batch_time: BatchTime
    energy_uj: Positive | None = None  #: of a batch, idle power included; None: the device does not tell
    operations: tuple[MeasuredOperation, ...] = ()
    #: one after another, from runs of their own: profiling costs time, so that they do not add up to batch_time
    notes: tuple[str, ...] = ()

    @property
    def inferences_per_s(self) -> float:
        """Batches follow each other without a gap."""
        return self.batch / (self.batch_time.median_us / 1e6)

    @property
    def file_name(self) -> str:
        """Network, batch, device, date."""
        return f"{_slug(self.model.name)}-b{self.batch}-{_slug(self.device.name)}-{self.date}.json"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def read_measured(path: str | Path) -> Measured:
    """A measured baseline from its file.

    Raises:
        InputError: the file cannot be read, or something in it is wrong.
    """
    return read_record(path, Measured)


def write_measured(measured: Measured, path: str | Path) -> None:
    """Save it as JSON, whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    data = measured.model_dump(mode="json")
    try:
        with staged_file(path) as stage:
            stage.write_text(json.dumps(data, indent=1) + "\n")
    except OSError as error:
        raise write_error(error, path) from None


def measured_files() -> dict[str, Path]:
    """Those that come with pimsim: name -> file."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.json"))}


def load_measured(name_or_path: str | Path) -> Measured:
    """A shipped one by name, or any by file.

    Raises:
        InputError: there is none, or something in it is wrong.
    """
    name, shipped = str(name_or_path), measured_files()
    if name in shipped:
        return read_measured(shipped[name])
    if not name.lower().endswith(".json"):
        raise InputError(f"no measured baseline is called '{name}'{did_you_mean(name, shipped)}",
                         allowed=[*shipped, "a .json file"])  # fmt: skip
    return read_measured(name)
