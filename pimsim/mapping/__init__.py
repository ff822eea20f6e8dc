"""Workload x System -> Program: tiling on crossbars, replication, packing, placement, buffers, deliveries."""

import pimsim.engine  # noqa: F401  (first: it says where compiled code is kept)
