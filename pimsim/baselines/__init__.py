"""What pimsim's chips are compared with: GPUs by their roofline or as measured, and what papers say of others.

>>> from pimsim.baselines import preset_device, presets
>>> round(preset_device("v100").peak("fp32") / 1e12, 2)
14.13

``pimsim.baselines.measure`` measures the processor at hand.
"""

from pimsim.baselines.calibration import Calibration, calibrate
from pimsim.baselines.comparing import BaselineRun, run_on_baseline, train_on_baseline
from pimsim.baselines.measured_files import Measured, load_measured, measured_files, read_measured, write_measured
from pimsim.baselines.network_files import load_network, networks
from pimsim.baselines.presets import Figure, Preset, load_preset, preset_device, preset_name, presets, read_presets
from pimsim.baselines.published import Accelerator, PublishedFigure, accelerators, load_accelerator

__all__ = [
    "Accelerator",
    "BaselineRun",
    "Calibration",
    "Figure",
    "Measured",
    "Preset",
    "PublishedFigure",
    "accelerators",
    "calibrate",
    "load_accelerator",
    "load_measured",
    "load_network",
    "load_preset",
    "measured_files",
    "networks",
    "preset_device",
    "preset_name",
    "presets",
    "read_measured",
    "read_presets",
    "run_on_baseline",
    "train_on_baseline",
    "write_measured",
]
