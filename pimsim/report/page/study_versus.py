"""The best points of a study beside baselines: of each network the lowest latency, and the lowest energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pimsim.baselines import load_network, run_on_baseline
from pimsim.errors import InputError
from pimsim.report.page import html
from pimsim.report.page.against import BOUND
from pimsim.report.page.drawing import Drawing, file_name
from pimsim.report.page.points import Points
from pimsim.report.page.versus import geometric_mean
from pimsim.results.notebook import with_unit
from pimsim.workload import Workload

PANELS = {"latency": "latency: baseline / best point", "energy": "energy an inference: baseline / best point"}


@dataclass(frozen=True)
class Best:
    """The best points of a network beside a baseline at a batch of 1."""

    workload: str
    baseline: str
    mark: str
    precision: str
    latency_s: float | None  #: of the point with the lowest one
    energy_j: float | None  #: likewise, maybe of another point
    baseline_latency_s: float
    baseline_energy_j: float | None

    @property
    def latency(self) -> float | None:
        """How many times faster."""
        return self.baseline_latency_s / self.latency_s if self.latency_s else None

    @property
    def energy(self) -> float | None:
        """With how many times less energy."""
        return self.baseline_energy_j / self.energy_j if self.energy_j and self.baseline_energy_j else None


def best_beside(
    points: Points, baselines: Sequence[str], given: Sequence[Workload] = ()
) -> tuple[list[Best], list[str]]:
    """Best points of each network beside each baseline, and why some are missing.

    Args:
        given: networks that are not shipped.
    """
    found: list[Best] = []
    missing: list[str] = []
    networks = {each.name: each for each in given}
    for name in dict.fromkeys(points.columns["workload"]):
        latency_ns, energy_pj = _lowest(points, name, "latency_ns"), _lowest(points, name, "energy_pJ")
        for baseline in baselines:
            try:
                file, shapes = points.files.get(name, name), points.input_shapes.get(name)
                network = networks.get(name) or load_network(file, shapes)
                run = run_on_baseline(baseline, network, batch=1)
                if run.batch != 1:
                    raise InputError(f"was measured at a batch of {run.batch}", key=baseline)
            except InputError as error:
                missing.append(f"{name} beside {baseline}: {error}")
                continue
            found.append(Best(name, baseline, run.mark, run.precision, latency_ns and latency_ns / 1e9,
                              energy_pj and energy_pj / 1e12, run.batch_s, run.energy_per_inference_j))  # fmt: skip
    return found, missing


def _lowest(points: Points, workload: str, column: str) -> float | None:
    values = points.numbers(column)
    own = values[(np.array(points.columns["workload"]) == workload) & np.isfinite(values)]
    return float(own.min()) if own.size else None


def drawing(points: Points, found: Sequence[Best]) -> Drawing | None:
    """Ratios of all networks; None where there are none."""
    from pimsim.report.plots import speedup

    if not any(each.latency or each.energy for each in found):
        return None
    baselines = {each.baseline: f"{each.baseline}\n{each.mark}, {each.precision}" for each in found}
    panels: dict[str, dict[str, dict[str, float | None]]] = {}
    means: dict[str, dict[str, float | None]] = {}
    for ratio, label in PANELS.items():
        panels[label] = {name: {each.workload: getattr(each, ratio) for each in found if each.baseline == name}
                         for name in baselines}  # fmt: skip
        means[label] = {name: geometric_mean(panels[label][name].values()) for name in baselines}
    workloads = list(dict.fromkeys(each.workload for each in found))
    rows = [[each.workload, each.baseline, each.mark, each.precision, each.latency_s, each.energy_j,
             each.baseline_latency_s, each.baseline_energy_j, each.latency, each.energy] for each in found]  # fmt: skip
    return Drawing(file_name(points.name, "speedup"), _message(means, len(workloads)),
                   lambda: speedup.draw(panels, baselines, workloads, means),
                   ["workload", "baseline", "mark", "precision", "best_latency_s", "best_energy_j",
                    "baseline_latency_s", "baseline_energy_j", "latency_ratio", "energy_ratio"], rows,
                   "Right of 1 the chip is better. Of each network the point with the lowest latency and the one with "
                   "the lowest energy, which need not be one chip; baselines at a batch of 1. "
                   + BOUND)  # fmt: skip


def _message(means: Mapping[str, Mapping[str, float | None]], networks: int) -> str:
    parts = []
    for label, of in means.items():
        known = {name: value for name, value in of.items() if value}
        if known:
            low, high = (pick(known, key=lambda name: known[name]) for pick in (min, max))
            span = f"{known[low]:.3g} ({low})" + (f" to {known[high]:.3g} ({high})" if low != high else "")
            parts.append(f"{label.partition(':')[0]} {span}")
    of_means = f" (geometric means over {networks} networks)" if networks > 1 else ""
    return f"The best points gain over the baselines{of_means}: {'; '.join(parts)}"


def notes(found: Sequence[Best], missing: Sequence[str]) -> str:
    """What the baselines take, and what is missing."""
    rows = [[f"{each.baseline} ({each.mark}, {each.precision})", each.workload,
             with_unit(each.baseline_latency_s, "s"),
             "not measured" if each.baseline_energy_j is None else with_unit(each.baseline_energy_j, "J"),
             _times(each.latency), _times(each.energy)] for each in found]  # fmt: skip
    head = ["baseline", "network", "its latency", "its energy", "latency x", "energy x"]
    table = html.details("Baselines as a table", html.table(head, rows, left=2)) if rows else ""
    return table + "".join(html.text(f"Left out: {line}", "warn") for line in missing)


def _times(value: float | None) -> str:
    return "not known" if value is None else f"{value:.4g}"
