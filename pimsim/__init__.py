"""pimsim: cycle-level simulation of heterogeneous manycore processing-in-memory systems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pimsim.version import __version__

__all__ = ["__version__", "infer", "simulate"]

if TYPE_CHECKING:
    from pimsim.inference import infer
    from pimsim.simulation import simulate


def __getattr__(name: str) -> Any:  # numba takes a second to import: only who simulates waits for it
    if name == "simulate":
        from pimsim.simulation import simulate

        return simulate
    if name == "infer":
        from pimsim.inference import infer

        return infer
    raise AttributeError(f"module 'pimsim' has no attribute '{name}'")
