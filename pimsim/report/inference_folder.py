"""The output folder of `pimsim infer`: result, tables and plots, all of them or none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from pimsim.report.plots.inference import PLOTS, save_inference_plots
from pimsim.results.inference import FILES, InferenceResult, InferenceSweep, write_inference
from pimsim.results.staging import filled_folder


def inference_folder(path: str | Path) -> AbstractContextManager[Callable[[InferenceResult | InferenceSweep], None]]:
    """A folder to fill with results, see :func:`pimsim.results.staging.filled_folder`."""
    return filled_folder(path, (*FILES, *PLOTS), _write)


def _write(found: InferenceResult | InferenceSweep, stage: Path) -> None:
    write_inference(found, stage)
    save_inference_plots(found, stage)
