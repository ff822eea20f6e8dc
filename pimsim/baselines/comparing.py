"""A network on a baseline, whichever kind it is: what results of pimsim are set beside.

Never without its ``mark``: a roofline is a bound that no device exceeds, and only "measured" has happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pimsim.baselines.calibration import Calibration, calibrate
from pimsim.baselines.measured_files import Measured, load_measured, measured_files
from pimsim.baselines.presets import load_preset, preset_device, preset_name, presets
from pimsim.costmodels.roofline import roofline, training_roofline
from pimsim.errors import InputError, did_you_mean
from pimsim.workload.records import Workload

Mark = Literal["roofline", "calibrated roofline", "measured"]


@dataclass(frozen=True)
class BaselineRun:
    """Time and energy of a network on a baseline; of training, "inference" is an image of an iteration."""

    name: str
    title: str
    mark: Mark
    workload: str
    precision: str
    batch: int
    batch_s: float  #: of one batch, which is also the latency of each of its inputs
    energy_per_inference_j: float | None  #: None: not measured
    power_w: float | None  #: limit of board or module; None: not known
    die_mm2: float | None  #: of the GPU; None: not known
    process: str | None = None  #: technology of that die; None: not known

    @property
    def inferences_per_s(self) -> float:
        """Batches follow each other without a gap."""
        return self.batch / self.batch_s


def run_on_baseline(
    name: str,
    workload: Workload,
    *,
    batch: int = 1,
    precision: str | None = None,
    measured: Measured | None = None,
) -> BaselineRun:
    """A network on a preset's roofline, or as it was measured.

    Args:
        name: of a preset, in any spelling of :func:`preset_name`; or of a measured file, or its path.
        batch, precision: of a roofline.  A precision of None takes FP16 where the device has it, as the closest to a
            chip of 16 bits, else FP32.  A measured file has its own.
        measured: a file to calibrate a preset's roofline with.

    Raises:
        InputError: there is no such baseline, it was measured with another network, or has no such precision.
    """
    name = preset_name(name)
    if name in presets():
        return _on_roofline(name, workload, batch, precision, measured)
    names = [*presets(), *measured_files()]
    if name not in names and not name.lower().endswith(".json"):
        raise InputError(f"no baseline is called '{name}'{did_you_mean(name, names)}",
                         allowed=[*names, "a .json file"])  # fmt: skip
    return _as_measured(name, load_measured(name), workload)


def train_on_baseline(name: str, workload: Workload, *, batch: int) -> BaselineRun:
    """An iteration of training on a preset's roofline in FP32, as if no kernel were fused with another.

    Raises:
        InputError: there is no such preset; of what was measured, no training is known.
    """
    name = preset_name(name)
    if name not in presets() and (name in measured_files() or name.lower().endswith(".json")):
        raise InputError(f"'{name}' was measured in inference; beside training there are rooflines alone",
                         allowed=presets())  # fmt: skip
    preset, device = load_preset(name), preset_device(name)
    cost = training_roofline(workload, device, batch=batch)
    return BaselineRun(name, preset.title, "roofline", workload.name, cost.precision, batch, cost.time_s,
                       cost.energy_per_inference_j, preset.loaded_w.value,
                       preset.die_mm2.value if preset.die_mm2 else None, preset.process)  # fmt: skip


def _on_roofline(
    name: str, workload: Workload, batch: int, precision: str | None, measured: Measured | None
) -> BaselineRun:
    preset = load_preset(name)
    precision = precision or ("fp16" if "fp16" in preset.peak_tflops else "fp32")
    device = preset.roofline_device(name)
    calibration: Calibration | None = calibrate(measured, workload, device) if measured is not None else None
    cost = roofline(workload, calibration.device if calibration else device, batch=batch, precision=precision,
                    fused=calibration.fused if calibration else True)  # fmt: skip
    return BaselineRun(
        name, preset.title, "calibrated roofline" if calibration else "roofline", workload.name, precision, batch,
        cost.time_s, cost.energy_per_inference_j, preset.loaded_w.value,
        preset.die_mm2.value if preset.die_mm2 else None, preset.process,
    )  # fmt: skip


def _as_measured(name: str, facts: Measured, workload: Workload) -> BaselineRun:
    if (facts.model.name, facts.model.macs) != (workload.name, workload.macs):
        raise InputError(f"'{name}' was measured with {facts.model.name} ({facts.model.macs:,} MACs), not with "
                         f"{workload.name} ({workload.macs:,})")  # fmt: skip
    energy_j = None if facts.energy_uj is None else facts.energy_uj / 1e6 / facts.batch
    return BaselineRun(name, facts.device.name, "measured", workload.name, facts.precision, facts.batch,
                       facts.batch_time.median_us / 1e6, energy_j, facts.device.power_limit_w, None)  # fmt: skip
