"""The best points of a study beside baselines: of each network the lowest latency at batch 1, and the lowest energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pimsim.baselines import load_network, run_on_baseline
from pimsim.errors import InputError
from pimsim.report.labels import ANALYTICAL
from pimsim.report.page import html
from pimsim.report.page.against import BOUND
from pimsim.report.page.drawing import Drawing, file_name
from pimsim.report.page.points import Points
from pimsim.report.page.versus import geometric_mean
from pimsim.results.assembly import workload_hash
from pimsim.results.notebook import with_unit
from pimsim.workload import Workload, lower

PANELS = {
    "latency": "latency at batch 1: baseline / best point",
    "energy": "energy an inference: baseline / best point",
}


@dataclass(frozen=True)
class Best:
    """The best points of a network beside a baseline: latency at a batch of 1, energy at equal batches."""

    workload: str
    method: str  #: how the points were found; of different methods no means are taken
    baseline: str
    mark: str
    precision: str
    latency_s: float | None  #: of the point of batch 1 with the lowest one
    energy_j: float | None  #: of the point with the lowest one, maybe another
    batch: int | None  #: of that point, and of the baseline's energy
    baseline_latency_s: float | None  #: at a batch of 1
    baseline_energy_j: float | None

    @property
    def latency(self) -> float | None:
        """How many times faster."""
        return _ratio(self.baseline_latency_s, self.latency_s)

    @property
    def energy(self) -> float | None:
        """With how many times less energy."""
        return _ratio(self.baseline_energy_j, self.energy_j)


def _ratio(baseline: float | None, own: float | None) -> float | None:
    return baseline / own if baseline and own else None


def best_beside(
    points: Points, baselines: Sequence[str], given: Sequence[Workload] = ()
) -> tuple[list[Best], list[str]]:
    """Best points of each network beside each baseline, and why some are missing.

    Args:
        given: networks that are not shipped.
    """
    found: list[Best] = []
    missing: list[str] = []
    if not baselines:
        return found, missing
    methods = np.array(points.methods)
    for name in dict.fromkeys(points.columns["workload"]):
        try:
            network = _network(points, name, given)
        except InputError as error:
            missing.append(f"{name}: {error}")
            continue
        own = np.array(points.columns["workload"]) == name
        for method in dict.fromkeys(methods[own].tolist()):
            for baseline in baselines:
                try:
                    found.append(_best(points, own & (methods == method), network, name, method, baseline))
                except InputError as error:
                    missing.append(f"{name} beside {baseline}: {error}")
    return found, missing


def _network(points: Points, name: str, given: Sequence[Workload]) -> Workload:
    """The network that was swept.

    Raises:
        InputError: it is not at hand, or is another one by now.
    """
    swept = points.hashes.get(name)
    for network in given:
        if workload_hash(lower(network)) == swept or (swept is None and network.name == name):
            return network
    file, shapes = points.files.get(name, name), points.input_shapes.get(name)
    network = load_network(file, shapes)
    if swept is not None and workload_hash(lower(network)) != swept:
        raise InputError("the network at hand is not the one that was swept: its file has changed since",
                         allowed="--workload FILE with the one of then")  # fmt: skip
    return network


def _best(points: Points, own: np.ndarray, network: Workload, name: str, method: str, baseline: str) -> Best:
    """Of the points that are ``own``.

    Raises:
        InputError: the baseline does not run the network, or not at the batches of the points.
    """
    batches = np.array(points.batches)
    at_one = _lowest(points, own & (batches == 1), "latency_ns")
    least = _lowest(points, own, "energy_pJ")
    batch = None if least is None else int(batches[least])
    one = run_on_baseline(baseline, network, batch=1)
    many = run_on_baseline(baseline, network, batch=batch or 1)
    latency_s = None if at_one is None else float(points.numbers("latency_ns")[at_one]) / 1e9
    energy_j = None if least is None else float(points.numbers("energy_pJ")[least]) / 1e12
    if one.batch != 1 and many.batch != batch:
        has = ", ".join(f"{each:,}" for each in sorted(set(batches[own].tolist())))
        raise InputError(f"was measured at a batch of {one.batch}, and the points have {has}", key=baseline)
    return Best(name, method, baseline, many.mark, many.precision, latency_s, energy_j, batch,
                one.batch_s if one.batch == 1 else None,
                many.energy_per_inference_j if many.batch == batch else None)  # fmt: skip


def _lowest(points: Points, own: np.ndarray, column: str) -> int | None:
    """The point with the lowest value; None: nothing was measured."""
    values = points.numbers(column)
    known = np.flatnonzero(own & np.isfinite(values))
    return int(known[np.argmin(values[known])]) if known.size else None


def drawings(points: Points, found: Sequence[Best]) -> list[Drawing]:
    """Ratios of all networks, a figure for each way in which points were found."""
    apart = {method: [each for each in found if each.method == method]
             for method in dict.fromkeys(each.method for each in found)}  # fmt: skip
    return [_drawing(points, method, own) for method, own in apart.items()
            if any(each.latency or each.energy for each in own)]  # fmt: skip


def _drawing(points: Points, method: str, found: Sequence[Best]) -> Drawing:
    from pimsim.report.plots import speedup

    baselines = {each.baseline: f"{each.baseline}\n{each.mark}, {each.precision}" for each in found}
    panels: dict[str, dict[str, dict[str, float | None]]] = {}
    for ratio, label in PANELS.items():
        if any(getattr(each, ratio) for each in found):
            panels[label] = {name: {each.workload: getattr(each, ratio) for each in found if each.baseline == name}
                             for name in baselines}  # fmt: skip
    means = {label: {name: geometric_mean(of[name].values()) for name in baselines} for label, of in panels.items()}
    workloads = [name for name in dict.fromkeys(each.workload for each in found)
                 if any(each.workload == name and (each.latency or each.energy) for each in found)]  # fmt: skip
    head = ["workload", "method", "baseline", "mark", "precision", "best_latency_s", "best_energy_j", "batch_of_energy",
            "baseline_latency_s", "baseline_energy_j", "latency_ratio", "energy_ratio"]  # fmt: skip
    rows = [[each.workload, each.method, each.baseline, each.mark, each.precision, each.latency_s, each.energy_j,
             each.batch, each.baseline_latency_s, each.baseline_energy_j, each.latency, each.energy] for each in found]
    batches = ", ".join(f"{batch:,}" for batch in sorted({each.batch for each in found if each.batch}))
    latency = ("" if any(each.latency for each in found) else
               " No latency: no point has a batch of 1, at which latencies are compared.")  # fmt: skip
    return Drawing(file_name(points.name, "speedup"), _message(method, means, panels),
                   lambda: speedup.draw(panels, baselines, workloads, means), head, rows,
                   f"Right of 1 the chip is better. Chips: {method}. Of each network the point with the lowest latency "
                   "and the one with the lowest energy, which need not be one chip; energies at equal batches "
                   f"({batches}).{latency} {BOUND}")  # fmt: skip


def _message(
    method: str, means: Mapping[str, Mapping[str, float | None]],
    panels: Mapping[str, Mapping[str, Mapping[str, float | None]]],
) -> str:  # fmt: skip
    parts, networks = [], 0
    for label, of in means.items():
        known = {name: value for name, value in of.items() if value}
        networks = max(networks, *(sum(value is not None for value in panels[label][name].values()) for name in known))
        low, high = (pick(known, key=lambda name: known[name]) for pick in (min, max))
        span = f"{known[low]:.3g} ({low})" + (f" to {known[high]:.3g} ({high})" if low != high else "")
        parts.append(f"{label.partition(':')[0]} {span}")
    of_means = f" (geometric means over {networks} networks)" if networks > 1 else ""
    estimated = "By analytical estimates the" if method.startswith(ANALYTICAL) else "The"
    return f"{estimated} best points gain over the baselines{of_means}: {'; '.join(parts)}"


def notes(found: Sequence[Best], missing: Sequence[str]) -> str:
    """What the baselines take, and what is missing."""
    rows = [[f"{each.baseline} ({each.mark}, {each.precision})", each.workload, each.method,
             _or(each.baseline_latency_s, "s"), "-" if each.batch is None else f"{each.batch:,}",
             _or(each.baseline_energy_j, "J"), _times(each.latency), _times(each.energy)]
            for each in found]  # fmt: skip
    head = ["baseline", "network", "points", "its latency (batch 1)", "batch", "its energy (that batch)",
            "latency x", "energy x"]  # fmt: skip
    table = html.details("Baselines as a table", html.table(head, rows, left=3)) if rows else ""
    return table + "".join(html.text(f"Left out: {line}", "warn") for line in missing)


def _or(value: float | None, unit: str) -> str:
    return "not measured" if value is None else with_unit(value, unit)


def _times(value: float | None) -> str:
    return "not known" if value is None else f"{value:.4g}"
