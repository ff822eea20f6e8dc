"""Where compiled code is kept: a folder named by a hash of everything that was compiled.

numba notices a change in a cached function's own file only; an edit to a function that it
*calls* silently returns old results.  So the folder's name is a hash of all sources, and an
edit anywhere begins a new folder.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

STALE_AFTER_S = 14 * 24 * 3600  #: folders of other source versions untouched for so long are removed

_temporary: list[Path] = []  # folders that go with the process
_PACKAGE = Path(__file__).resolve().parents[1]
_COMPILED = ("engine", "device", "network", "mapping", "arch", "functional")  #: packages that hold compiled functions


def cache_folder(components: Iterable[Path] = ()) -> Path:
    """Folder for compiled code of the present sources, and of the user's ``components`` files."""
    digest = hashlib.sha256()
    for part in (sys.version, platform.machine(), version("numba"), version("numpy")):
        digest.update(part.encode())
    sources = sorted(path for name in _COMPILED for path in (_PACKAGE / name).rglob("*.py"))
    for path in [*sources, *sorted(components)]:
        digest.update(str(path).encode())
        digest.update(path.read_bytes())
    return cache_root() / digest.hexdigest()[:20]


def cache_root() -> Path:
    """Parent of all cache folders: ``PIMSIM_CACHE_DIR``, or the user's cache folder."""
    stated = os.environ.get("PIMSIM_CACHE_DIR")
    if stated:
        return Path(stated)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pimsim"


def use_cache(components: Iterable[Path] = ()) -> Path:
    """Point numba at the folder of the present sources; to be called before anything is compiled.

    A folder that cannot be made (read-only home) is replaced by one that goes with the process.
    """
    folder = cache_folder(components)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError
        _forget_stale(folder)
    except OSError:
        folder = _temporary_folder()
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    import numba

    numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
    return folder


def remove_temporary() -> None:
    """Remove the folders that go with the process: at its end, or before it ends at once."""
    while _temporary:
        shutil.rmtree(_temporary.pop(), ignore_errors=True)


def _temporary_folder() -> Path:
    import tempfile

    if not _temporary:
        _temporary.append(Path(tempfile.mkdtemp(prefix="pimsim-cache-")))
        atexit.register(remove_temporary)
    return _temporary[0]


def _forget_stale(current: Path) -> None:
    now = time.time()
    for other in current.parent.glob("*"):
        try:
            if other != current and len(other.name) == 20 and now - other.stat().st_mtime > STALE_AFTER_S:
                shutil.rmtree(other, ignore_errors=True)
        except OSError:  # another process removed it first
            continue
