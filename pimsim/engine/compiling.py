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

inlined: Decorator = njit(cache=True, forceinline=True, error_model="numpy", _nrt=False)  # type: ignore[call-overload]
"""A function that becomes part of its callers."""

compiled: Decorator = njit(cache=True, error_model="numpy", _nrt=False)  # type: ignore[call-overload]
"""A function of its own."""
