"""Fault maps in files: an .npz with an array for each layer, or for each part of one that has cells of its own."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from pimsim.device.faults import SOUND, STUCK_AT_1
from pimsim.errors import InputError, shown

_PREFIX = "faults:"  #: of the arrays' names: a layer may be called anything
_FORBIDDEN = "a fault map holds whole numbers: 0 sound, 1 stuck at 0, 2 stuck at 1"


def save_fault_map(path: str | Path, maps: Mapping[str, np.ndarray]) -> None:
    """Write fault maps, and replace the file only when they are written.

    Args:
        path: of the .npz file.
        maps: for each layer, an array of 0 (sound), 1 (stuck at 0) and 2 (stuck at 1), in the shape of its cells.

    Raises:
        InputError: an array holds something else, or the file cannot be written.
    """
    path = Path(path)
    arrays = {_PREFIX + layer: _checked(np.asarray(faults), path, layer) for layer, faults in maps.items()}
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", file=path) from None


def load_fault_map(path: str | Path) -> dict[str, np.ndarray]:
    """Read fault maps: for each layer, a uint8 array that must not be written to.

    Raises:
        InputError: the file cannot be read, or is not one of fault maps.
    """
    path = Path(path)
    try:
        return dict(_loaded(path, path.stat().st_mtime_ns))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from None


@lru_cache(maxsize=4)
def _loaded(path: Path, changed_ns: int) -> Mapping[str, np.ndarray]:
    """As it was at that time: a run asks for the map of one layer after the other."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file.items())
    except (ValueError, EOFError, zipfile.BadZipFile, AttributeError):
        raise InputError("is no .npz file of fault maps", file=path) from None
    if not arrays or not all(name.startswith(_PREFIX) for name in arrays):
        raise InputError("holds no fault maps", file=path, allowed=f"arrays called {_PREFIX}LAYER")
    maps = {name.removeprefix(_PREFIX): array for name, array in arrays.items()}
    return {layer: _checked(array, path, layer) for layer, array in maps.items()}


def _checked(faults: np.ndarray, path: Path, layer: str) -> np.ndarray:
    whole = np.issubdtype(faults.dtype, np.integer)
    if not whole or (faults.size and not SOUND <= faults.min() <= faults.max() <= STUCK_AT_1):
        raise InputError(f"the map of layer {shown(layer)} is wrong: {_FORBIDDEN}", file=path)
    faults = faults.astype(np.uint8)
    faults.flags.writeable = False
    return faults
