"""Sweeps: parameter spaces, a store that loses nothing, executors on this machine or a cluster, Pareto fronts.

`spec` says what a sweep is and `reading` reads it; `points` makes every combination plain data with a key; `executors`
compute them; `run` drives and `store` keeps; `study` reads a study; `pareto` finds its front.

>>> from pimsim.sweep import Sweep, grid, run_sweep
>>> sweep = Sweep(workloads=["lenet5"], systems=["isaac-ce"], axes={"imas": grid("chip.tile.imas", [4, 8, 12])})
>>> run_sweep(sweep, "study").done
3
"""

from pimsim.sweep.axes import Axis, Range, grid, latin_hypercube, listed, random
from pimsim.sweep.designs import MeanInterval, mean_interval
from pimsim.sweep.pareto import pareto_front
from pimsim.sweep.points import plan
from pimsim.sweep.reading import load_sweep
from pimsim.sweep.run import Progress, SweepSummary, run_sweep
from pimsim.sweep.spec import Inference, Sweep
from pimsim.sweep.study import Study, load_study

__all__ = [
    "Axis",
    "Inference",
    "MeanInterval",
    "Progress",
    "Range",
    "Study",
    "Sweep",
    "SweepSummary",
    "grid",
    "latin_hypercube",
    "listed",
    "load_study",
    "load_sweep",
    "mean_interval",
    "pareto_front",
    "plan",
    "random",
    "run_sweep",
]
