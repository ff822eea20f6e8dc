"""The output folder of a run: result, tables and plots, all of them or none."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pimsim.report.plots import PLOTS, save_plots
from pimsim.results.files import FILES, write_files
from pimsim.results.record import Result
from pimsim.results.staging import filled_folder


def output_folder(path: str | Path) -> AbstractContextManager[Callable[[Result], None]]:
    """A folder to fill with a result, and what is known of this very run, which begins now; see
    :func:`pimsim.results.staging.filled_folder`.
    """
    started = time.time()

    def write(result: Result, stage: Path) -> None:
        write_files(result, stage, _run_info(started))
        save_plots(result, stage)

    return filled_folder(path, (*FILES, *PLOTS), write)


def _run_info(started: float) -> dict[str, Any]:
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "wall_s": round(time.time() - started, 3),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
