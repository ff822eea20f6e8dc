"""Analytical model of a chip: the figures of a run without its events.

:func:`estimate` plans (copies, tiles, slices), schedules (the longest path through the windows of an inference),
counts actions, and prices them.  Error against the engine on an ideal network: see ``tests/golden/test_analytical.py``,
which states and checks it for every shipped network.
"""

import pimsim.engine  # noqa: F401  (first: it says where compiled code is kept)
from pimsim.costmodels.chip.model import estimate
from pimsim.mapping.timing import Standstill

__all__ = ["Standstill", "estimate"]
