"""The same Program on an ideal network: what waiting in the network costs, by an exact second run.

:attr:`pimsim.results.record.Result.lost_to_network` compares the two.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pimsim.mapping.program import Program
from pimsim.network.trees import build_trees
from pimsim.results.sending import sending


def on_ideal_network(program: Program) -> Program:
    """The Program, every tile and packet in its place, but links are never shared: only the distance takes time."""
    if program.network == "ideal":
        return program
    leaves, trees = program.leaves, program.tree_flits.size
    first = np.searchsorted(leaves.tree, np.arange(trees + 1))
    ways = build_trees(program.fabric, sending(program).tile, first, leaves.tile, "ideal")
    return replace(program, network="ideal", trees=ways)
