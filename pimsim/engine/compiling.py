"""How functions of the engine are compiled.

``_nrt=False``: no reference counting.  None of these functions allocates, and their arrays are held by the
caller; counted, every inlined call would increment and decrement atomically, which took more than half of
a run's time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_engine = {"cache": True, "error_model": "numpy", "_nrt": False}
_within = {**_engine, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

inlined: Decorator = njit(forceinline=True, **_engine)  # type: ignore[call-overload]
"""A function that becomes part of its callers."""

compiled: Decorator = njit(nogil=True, **_engine)  # type: ignore[call-overload]
"""A function of its own; when Python calls it, other threads run meanwhile."""

internal: Decorator = njit(forceinline=True, **_within)  # type: ignore[call-overload]
"""As ``inlined``, for compiled callers alone: a call from Python crashes.  Without the wrapper that such a call would
take, most functions compile in two thirds of the time."""

outlined: Decorator = njit(**_within)  # type: ignore[call-overload]
"""A function of its own for compiled callers alone: what is rarely needed, or called from several places."""


def reader(record: type) -> Callable[..., Any]:
    """A compiled function ``(M, offset)`` that reads a NamedTuple of integers from consecutive words.

    A layout that is read where it is needed costs nothing; one that is handed through every function costs seconds
    of compilation.
    """
    fields = ", ".join(f"M[offset + {i}]" for i in range(len(record._fields)))  # type: ignore[attr-defined]
    scope: dict[str, Any] = {"record": record}
    exec(f"def read(M, offset):\n    return record({fields})", scope)
    return njit(forceinline=True, error_model="numpy", _nrt=False)(scope["read"])  # type: ignore[call-overload,no-any-return]
