"""The output folder of `pimsim infer`: result, tables and plots, all of them or none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pimsim.results.inference import (
    INFERENCE,
    LAYERS,
    POINTS,
    SWEEP,
    InferenceResult,
    InferenceSweep,
    write_inference,
)
from pimsim.results.staging import staged_folder, write_error


@dataclass(frozen=True)
class InferenceFolder:
    """Where results go; files become visible when the block of :func:`inference_folder` ends."""

    stage: Path
    name: str

    def fill(self, found: InferenceResult | InferenceSweep) -> None:
        """Write the result, its table and the plots.

        Raises:
            InputError: the disk is full, or the folder has gone.
        """
        from pimsim.report.plots.inference import save_inference_plots

        write_inference(found, self.stage, self.name)
        try:
            save_inference_plots(found, self.stage)
        except OSError as error:
            raise write_error(error, self.name) from None


@contextmanager
def inference_folder(path: str | Path) -> Iterator[InferenceFolder]:
    """A folder to fill; nothing of it is left behind if the block raises.

    Raises:
        InputError: the folder cannot be made or written; known when the block is entered.
    """
    with staged_folder(path, (INFERENCE, LAYERS, SWEEP, POINTS)) as stage:
        yield InferenceFolder(stage, str(path))
