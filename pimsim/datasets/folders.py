"""The folder in which a user keeps datasets, named by an environment variable."""

from __future__ import annotations

import os
from pathlib import Path

DATA_VARIABLE = "PIMSIM_DATA"


def data_folder(name: str) -> Path | None:
    """``$PIMSIM_DATA/name``, or None where the variable is not set."""
    folder = os.environ.get(DATA_VARIABLE)
    return Path(folder) / name if folder else None
