"""Topology, paths and delivery trees: graphs, no time."""

import pimsim.engine  # noqa: F401  (first: it says where compiled code is kept)
