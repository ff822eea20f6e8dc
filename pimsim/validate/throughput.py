"""Throughput on ISAAC's networks, over a DaDianNao of as many chips.

Ours is twofold: the pace of ISAAC's slowest layer when nothing stalls; and, if asked for, since that takes minutes,
what the engine measures with links that are shared.  DaDianNao's time is that of :mod:`pimsim.costmodels.dadiannao`,
layer after layer.  The paper prints one average, 14.8; how many chips each network got, what its DaDianNao is bound by,
and what its network-on-chip costs is not known to us: the figures stand side by side, and none checks another.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from pimsim.baselines import load_accelerator
from pimsim.config import load_system
from pimsim.costmodels.dadiannao import DaDianNao, dadiannao, fewest_chips
from pimsim.simulation import map_workload, simulate
from pimsim.technology import PeakMetrics, peak_metrics
from pimsim.technology.components import vector_ns
from pimsim.validate.checks import TOLERANCE, Check
from pimsim.workload import load_workload

GROUP = "ISAAC over DaDianNao: throughput"
NETWORKS = {
    "VGG-1": "vgg11",
    "VGG-2": "vgg13",
    "VGG-3": "vgg16",
    "VGG-4": "vgg19",
    "MSRA-1": "msra1",
    "MSRA-2": "msra2",
    "MSRA-3": "msra3",
    "DeepFace": "deepface",
}
"""Names in ISAAC's paper, and ours."""

FEWEST_IMAGES = 16  #: of a simulated run
UNKNOWN = "the paper's set-up (chips, mapping, network, DaDianNao's model) is unknown to us"
_STALLS = {
    "nothing stalls": "an upper bound: links that are shared can take most of it, which --simulate shows; ",
    "simulated": "",
}


def throughput_checks(simulated: bool = False) -> list[Check]:
    """One row a network, then the mean beside the paper's; all again with ``simulated`` runs, which takes minutes."""
    rows = _compared("nothing stalls", isaac_pace_per_s)
    if simulated:
        rows += _compared("simulated", isaac_simulated_per_s)
    return [*rows, _peak(peak_metrics(load_system("isaac-ce")))]


def _compared(words: str, isaac_per_s: Callable[[str, int], float]) -> list[Check]:
    ratios, rows = [], []
    for name, workload in NETWORKS.items():
        chips = chips_of(workload)
        ratios.append(isaac_per_s(workload, chips) / dadiannao(load_workload(workload), chips).inferences_per_s)
        rows.append(Check(GROUP, f"{name}, {words}", "x", ratios[-1], None, None, "no figure by network is known to us",
                          "not checkable", f"{chips} chips each; DaDianNao from a recalled model"))  # fmt: skip
    published = load_accelerator("isaac-ce").value("throughput over DaDianNao")
    rows.append(Check(GROUP, f"mean of all, {words}", "x", float(np.mean(ratios)), published, None, "ISAAC, abstract",
                      "not checkable", _STALLS[words] + UNKNOWN))  # fmt: skip
    return rows


def chips_of(workload: str) -> int:
    """16, as in the paper's average; doubled until DaDianNao's eDRAM holds the weights."""
    chips = 16
    while chips < fewest_chips(load_workload(workload)):
        chips *= 2
    return chips


def _peak(isaac: PeakMetrics) -> Check:
    return Check(GROUP, "ratio of peaks, chip by chip", "x", isaac.tops / DaDianNao().peak_tops, 7.4, TOLERANCE,
                 "41.29 TOPS / 5.58 TOPS", "definition", "5.58 TOPS is recalled")  # fmt: skip


@functools.cache
def isaac_pace_per_s(workload: str, chips: int) -> float:
    """Pace of the slowest layer in crossbars when nothing stalls: its busiest copy's windows, a vector each."""
    program = map_workload(workload, "isaac-ce-16", noc="ideal", overrides=[f"chips={chips}"])
    windows = np.diff(program.replicas.window_first)
    in_crossbars = np.array([layer.tiling is not None for layer in program.layers])[program.replicas.layer]
    return 1e9 / (float(windows[in_crossbars].max()) * float(vector_ns(program.system)))


def isaac_simulated_per_s(workload: str, chips: int) -> float:
    """Throughput that the engine measures with the packet network, of as many images as a steady state needs."""
    batch = FEWEST_IMAGES
    while True:
        times = simulate(workload, "isaac-ce-16", batch=batch, overrides=[f"chips={chips}"]).times
        if times.throughput_per_s is not None:
            return times.throughput_per_s
        batch = max(times.steady_batch, batch + FEWEST_IMAGES)
