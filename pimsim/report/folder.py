"""The output folder of a run: result, tables and plots, all of them or none."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pimsim.results.files import FILES, write_files
from pimsim.results.record import Result
from pimsim.results.staging import staged_folder, write_error


@dataclass
class OutputFolder:
    """Where a result goes; files become visible when the block of :func:`output_folder` ends."""

    stage: Path
    name: str
    started: float = field(default_factory=time.time)

    def fill(self, result: Result) -> None:
        """Write the result, the table of layers, what is known of this very run, and the plots.

        Raises:
            InputError: the disk is full, or the folder has gone.
        """
        from pimsim.report.plots import save_plots

        write_files(result, self.stage, self.name, self._run_info())
        try:
            save_plots(result, self.stage)
        except OSError as error:
            raise write_error(error, self.name) from None

    def _run_info(self) -> dict[str, Any]:
        return {
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
            "wall_s": round(time.time() - self.started, 3),
            "python": platform.python_version(),
            "platform": platform.platform(),
        }


@contextmanager
def output_folder(path: str | Path) -> Iterator[OutputFolder]:
    """A folder to fill; nothing of it is left behind if the block raises.

    Raises:
        InputError: the folder cannot be made or written; known when the block is entered.
    """
    with staged_folder(path, FILES) as stage:
        yield OutputFolder(stage, str(path))
