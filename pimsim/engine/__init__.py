"""Discrete-event kernel: ports, event queue, generated loop, tracing.  Knows no hardware.

Importing this package points numba's cache at a folder of its own (see :mod:`pimsim.engine.cache`).
"""

from pimsim.engine.cache import use_cache

CACHE = use_cache()
