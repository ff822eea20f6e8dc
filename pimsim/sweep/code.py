"""Which code computed a point: the version, and a hash of every source that results depend on."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from pimsim.version import __version__

_PACKAGE = Path(__file__).resolve().parents[1]
_ABOVE = ("cli", "report", "validate", "baselines", "data")  #: packages that no result depends on


@functools.cache
def code_version() -> str:
    """``0.1.0+`` and the first 12 hexadecimal digits of the SHA-256 of the sources."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        inside = path.relative_to(_PACKAGE)
        if inside.parts[0] in _ABOVE or (inside.parts[0] == "sweep" and inside.name not in _OWN):
            continue
        digest.update(inside.as_posix().encode())
        digest.update(path.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:12]}"


_OWN = ("columns.py", "evaluation.py")  #: of this package, what results depend on
