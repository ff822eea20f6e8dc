"""The same Program on an ideal network: what waiting in the network costs, by an exact second run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pimsim.mapping.program import Program
from pimsim.network.trees import build_trees
from pimsim.results.record import Result, Times
from pimsim.results.sending import sending
from pimsim.results.training_record import pace_ps


def on_ideal_network(program: Program) -> Program:
    """The Program, every tile and packet in its place, but links are never shared: only the distance takes time."""
    if program.network == "ideal":
        return program
    leaves, trees = program.leaves, program.tree_flits.size
    first = np.searchsorted(leaves.tree, np.arange(trees + 1))
    ways = build_trees(program.fabric, sending(program).tile, first, leaves.tile, "ideal")
    return replace(program, network="ideal", trees=ways)


def times_compared(result: Result) -> tuple[float, float] | None:
    """(with the network of the run, with an ideal one) [ps]: of an iteration of training, or of the run of inference.

    None: the ideal network was not run.
    """
    ideal = result.times_on_ideal
    if ideal is None:
        return None
    return _compared_ps(result, result.times), _compared_ps(result, ideal)


def share_lost(result: Result) -> float | None:
    """Share of an iteration, or of the run of inference, that an ideal network would save; None: it was not run.

    It may be below 0: kernels queue for a core in the order in which their inputs arrive, and an earlier arrival can
    make a worse order (recalled: Graham, Bounds on Multiprocessing Timing Anomalies, 1969).
    """
    times = times_compared(result)
    if times is None:
        return None
    ours, ideal = times
    return 1 - ideal / ours if ours else 0.0


def _compared_ps(result: Result, times: Times) -> float:
    if result.training is None:
        return times.run_ps
    return pace_ps(np.diff(times.image_done_ps, prepend=0).tolist())
