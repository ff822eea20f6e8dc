"""Processors to compare with, by name: data in ``presets.yaml``, rooflines from it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from pimsim.baselines.reading import read_record
from pimsim.config.base import NotNegative, Positive, Spec
from pimsim.costmodels.roofline import RooflineDevice
from pimsim.errors import InputError, did_you_mean

Trust = Literal["published", "derived", "recalled", "assumption"]
Precision = Literal["fp32", "tf32", "fp16", "int8"]

FILE = Path(__file__).parent / "presets.yaml"


class Figure(Spec):
    """A number, where it is from, and how far to trust it."""

    value: Positive
    trust: Trust
    source: str = Field(min_length=1)


class Power(Spec):
    """A figure that may be 0."""

    value: NotNegative
    trust: Trust
    source: str = Field(min_length=1)


class Preset(Spec):
    """A processor to compare with."""

    title: str = Field(min_length=1)
    note: str = ""
    process: str | None = None  #: technology of the die, as its maker calls it
    peak_tflops: dict[Precision, Figure] = Field(min_length=1)  #: int8: TOPS
    bandwidth_gb_per_s: Figure
    launch_us: Figure
    idle_w: Power
    loaded_w: Figure
    die_mm2: Figure | None = None  #: of the GPU alone; None: not known, or not of a GPU alone

    def figures(self) -> dict[str, Figure | Power]:
        """Every number with its trust and source, by key."""
        peaks = {f"peak_tflops.{precision}": figure for precision, figure in self.peak_tflops.items()}
        rest = ("bandwidth_gb_per_s", "launch_us", "idle_w", "loaded_w", "die_mm2")
        return {**peaks, **{key: getattr(self, key) for key in rest if getattr(self, key) is not None}}

    def roofline_device(self, name: str) -> RooflineDevice:
        """The processor as its roofline sees it, with efficiencies of 1."""
        return RooflineDevice(
            name=name,
            peak_flops_per_s={precision: figure.value * 1e12 for precision, figure in self.peak_tflops.items()},
            bandwidth_bytes_per_s=self.bandwidth_gb_per_s.value * 1e9,
            launch_s=self.launch_us.value / 1e6,
            idle_w=self.idle_w.value,
            loaded_w=self.loaded_w.value,
        )


class PresetFile(Spec):
    """Several of them."""

    format: Literal["pimsim-baselines-1"]
    baselines: dict[str, Preset]


def read_presets(path: str | Path) -> dict[str, Preset]:
    """The presets of a file, by name.

    Raises:
        InputError: the file cannot be read, or something in it is wrong.
    """
    return read_record(path, PresetFile).baselines


@cache
def presets() -> dict[str, Preset]:
    """Those that come with pimsim."""
    return read_presets(FILE)


@cache
def _aliases() -> dict[str, str]:
    """Other spellings of the presets' names: small letters and digits alone, with and without the GeForce's ``gtx``."""
    squeezed = {_squeezed(name): name for name in presets()}
    return {alias: name for full, name in squeezed.items() for alias in (full, full.removeprefix("gtx"))}


def _squeezed(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def preset_name(name: str) -> str:
    """The name in :func:`presets` of a preset that is written in another way; any other name as it is.

    >>> preset_name("1080ti"), preset_name("V100"), preset_name("lenet5")
    ('gtx-1080-ti', 'v100', 'lenet5')
    """
    return _aliases().get(_squeezed(name), name)


def load_preset(name: str) -> Preset:
    """One of :func:`presets`, in any spelling of :func:`preset_name`.

    Raises:
        InputError: there is none of that name.
    """
    name = preset_name(name)
    if name not in presets():
        raise InputError(f"no baseline is called '{name}'{did_you_mean(name, presets())}", allowed=presets())
    return presets()[name]


def preset_device(name: str) -> RooflineDevice:
    """Roofline of a preset; errors as :func:`load_preset`."""
    return load_preset(name).roofline_device(preset_name(name))
