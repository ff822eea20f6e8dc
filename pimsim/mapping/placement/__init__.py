"""Placement: where on the chips everything lies.  One strategy a file.

``snake`` and ``bands`` are orders.  The contract: ``turns(copies, fabric)`` gets the number of replicas of each layer
with a matrix, ``{node: copies}``, and returns ``(replicas, tiles)``: every (node, replica) once, and every tile of the
fabric once.  The packer walks both orders and goes to the next tile when the present one has no room.

``annealing`` and ``amosa`` are searches.  The contract: ``search(traffic, ways, settings, sites, progress, heat)`` gets
what tiles that are packed along one of the orders send to each other, the ways between all routers, the tiles that may
be used, and what warms what, if temperature is weighed; it returns a ``Found``, whose ``place`` says on which tile each
of the packed tiles lies.  What lies together in a tile stays together, and on a tile of its kind.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pimsim.mapping.placement import bands, snake
from pimsim.network.fabric import Fabric

Turns = tuple[list[tuple[int, int]], np.ndarray]

STRATEGIES: dict[str, Callable[[dict[int, int], Fabric], Turns]] = {"snake": snake.turns, "bands": bands.turns}
