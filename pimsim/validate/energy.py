"""Energy on ISAAC's networks, beside a DaDianNao of as many chips.

Ours counts the actions of an inference, and adds the power that all chips draw all the time over the interval between
two images: that of the slowest layer when nothing stalls.  DaDianNao, of which nothing but its power is known, draws
that all the time.  With both at full power all the time the gain in energy is that in throughput, over the ratio of
powers.  ISAAC's paper prints one average, 5.5; its set-up is not known to us, so that nothing here checks it.
"""

from __future__ import annotations

import numpy as np

from pimsim.baselines import load_accelerator
from pimsim.costmodels.chip import estimate
from pimsim.costmodels.dadiannao import dadiannao
from pimsim.validate.checks import Check
from pimsim.validate.throughput import NETWORKS, UNKNOWN, chips_of, isaac_pace_per_s
from pimsim.workload import load_workload

GROUP = "ISAAC over DaDianNao: energy"
_INSIDE = (
    "the paper's own averages, 14.8 and 5.5, would make the mean power 2.7 times DaDianNao's, its text says 1.95: they "
    "are averages over networks; "
)


def energy_checks() -> list[Check]:
    """One row a network, then the mean beside the paper's, with actions counted and with all chips at full power."""
    rows, counted, full = [], [], []
    powers = [load_accelerator(name).value("power of a chip") for name in ("isaac-ce", "dadiannao")]
    for name, workload in NETWORKS.items():
        chips, theirs = chips_of(workload), dadiannao(load_workload(workload), chips_of(workload))
        pace_per_s = isaac_pace_per_s(workload, chips)
        counted.append(theirs.energy_uj / isaac_energy_uj(workload, chips, pace_per_s))
        full.append(pace_per_s / theirs.inferences_per_s * powers[1] / powers[0])
        rows.append(Check(GROUP, f"{name}, actions counted", "x", counted[-1], None, None,
                          "no figure by network is known to us", "not checkable",
                          f"{chips} chips each; DaDianNao from a recalled model, at full power"))  # fmt: skip
    published = load_accelerator("isaac-ce").value("energy gain over DaDianNao")
    rows += [
        Check(GROUP, f"mean of all, {words}", "x", float(np.mean(gains)), published, None, "ISAAC, abstract",
              "not checkable", note + UNKNOWN)
        for words, gains, note in (("actions counted", counted, _INSIDE), ("full power", full, ""))
    ]  # fmt: skip
    return rows


def isaac_energy_uj(workload: str, chips: int, pace_per_s: float) -> float:
    """Energy of one inference of a stream in which nothing stalls."""
    found = estimate(workload, "isaac-ce-16", overrides=[f"chips={chips}"])
    static_w = sum(found.costs.static_pj.values()) / found.times.run_ps
    return sum(found.costs.dynamic_pj.values()) / 1e6 + static_w / pace_per_s * 1e6
