"""Placement: in which order replicas take the tiles of the system.  One strategy a file.

The contract: ``turns(copies, fabric)`` gets the number of replicas of each layer with a matrix, ``{node: copies}``,
and returns ``(replicas, tiles)``: every (node, replica) once, and every tile of the fabric once.  The packer
walks both orders and goes to the next tile when the present one has no room.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pimsim.mapping.placement import bands, snake
from pimsim.network.fabric import Fabric

Turns = tuple[list[tuple[int, int]], np.ndarray]

STRATEGIES: dict[str, Callable[[dict[int, int], Fabric], Turns]] = {"snake": snake.turns, "bands": bands.turns}
