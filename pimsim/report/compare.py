"""Results side by side: every figure with its ratio to the first, what was configured otherwise, which layers differ.

Results of different networks are refused unless that is wanted: most ratios between them say nothing of the chips.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pimsim.errors import InputError
from pimsim.report.loading import Saved
from pimsim.results.inference import SHARES, InferenceResult, Share
from pimsim.results.record import Result

FORMAT = "pimsim-compare-1"
ABSENT = "(absent)"  #: a key that a configuration has not

FIGURES = {
    "latency_us": "less", "throughput_per_s": "more", "run_us": "less", "energy_per_inference_uj": "less",
    "energy_delay_product_uj_ms": "less", "average_power_w": "less", "peak_power_bound_w": "less", "area_mm2": "less",
    "chips_used": "less", "tiles_used": "less", "imas_used": "less", "crossbars_used": "less",
    "spatial_utilisation_cells": "more", "spatial_utilisation_crossbars": "more",
    "temporal_utilisation_crossbars": "more", "programming_us": "less", "programming_energy_uj": "less",
}  # fmt: skip
"""Keys of :attr:`pimsim.results.record.Result.summary` that are compared, and which end of them is better."""

LAYER_FIGURES = ("image_us", "dynamic_energy_uj", "crossbars", "working_share")
"""Of a layer: its busiest replica's time for an image, dynamic energy, crossbars, share of the run in which it works.
"""


def compare(names: Sequence[str], results: Sequence[Saved], different_workloads: bool = False) -> dict[str, Any]:
    """What differs between results, as plain data.

    Args:
        names: of the results, for people.
        results: all of `pimsim run`, or all of `pimsim infer`; the others are compared with the first.
        different_workloads: whether they may be of different networks.

    Raises:
        InputError: there are fewer than two, or they cannot be compared.
    """
    if len(results) < 2:
        raise InputError("there is nothing to compare with", key="RESULT", allowed="two results or more")
    runs = [each for each in results if isinstance(each, Result)]
    executions = [each for each in results if isinstance(each, InferenceResult)]
    if len(runs) < len(results) and len(executions) < len(results):
        raise InputError("are results of different kinds", key=", ".join(names),
                         allowed="all of `pimsim run`, or all of `pimsim infer` with a single setting")  # fmt: skip
    _check_workloads(names, runs or executions, different_workloads)
    return _compare_runs(names, runs) if runs else _compare_executions(names, executions)


def _check_workloads(names: Sequence[str], results: Sequence[Any], different: bool) -> None:
    found = [(each.source.workload, getattr(each.source, "workload_hash", "")) for each in results]
    if different or len(set(found)) == 1:
        return
    if len({name for name, _ in found}) == 1:
        raise InputError(f"networks called {found[0][0]} that are not the same", key=", ".join(names),
                         allowed="--different-workloads to compare them all the same")  # fmt: skip
    words = ", ".join(f"{workload} ({name})" for name, (workload, _) in zip(names, found, strict=True))
    raise InputError(f"the results are of different workloads: {words}",
                     allowed="--different-workloads to compare them all the same")  # fmt: skip


def _compare_runs(names: Sequence[str], results: Sequence[Result]) -> dict[str, Any]:
    first = results[0]
    figures = {key: _row([each.summary[key] for each in results], better) for key, better in FIGURES.items()}
    return {
        "format": FORMAT,
        "kind": "run",
        "results": [
            {"name": name, "workload": each.source.workload, "system": each.source.system, "batch": each.source.batch,
             "noc": each.source.network, "engine": each.source.engine,
             "pimsim_version": each.pimsim_version, "bottleneck": each.bottleneck}
            for name, each in zip(names, results, strict=True)
        ],
        "figures": figures,
        "energy_by_component_pj": _by_component(results),
        "configuration": differences([_settings(each) for each in results]),
        "layers": {
            name: _layers(first, each)
            for name, each in zip(names[1:], results[1:], strict=True)
            if each.source.workload_hash == first.source.workload_hash
        },
        "remarks": _remarks(results),
    }  # fmt: skip


def _row(values: Sequence[Any], better: str) -> dict[str, Any]:
    """Values, and their ratios to the first; None: not measured, or the first is 0."""
    return {"better": better, "values": list(values), "ratios": [ratio(each, values[0]) for each in values]}


def ratio(value: float | None, to: float | None) -> float | None:
    """``value / to``; None where one is not known or ``to`` is 0."""
    return None if value is None or not to else value / to


def _by_component(results: Sequence[Result]) -> dict[str, dict[str, Any]]:
    """Component -> dynamic and static energy of an inference; the largest of any result first."""
    parts = [result.costs for result in results]
    names = {name for costs in parts for name in (*costs.dynamic_pj, *costs.static_pj)}
    rows = {
        name: [costs.dynamic_pj.get(name, 0.0) + costs.static_pj.get(name, 0.0) for costs in parts] for name in names
    }
    return {name: _row(rows[name], "less") for name in sorted(rows, key=lambda name: (-max(rows[name]), name))}


def _settings(result: Result | InferenceResult) -> dict[str, Any]:
    """Everything that was asked for, by key with dots: the system's keys under their own names."""
    own: dict[str, Any] = {"workload": result.source.workload, "pimsim_version": result.pimsim_version}
    if isinstance(result, Result):
        run = result.source
        own |= {"batch": run.batch, "noc": run.network, "engine": run.engine}
    else:
        given = result.source
        own |= {"data": given.data, "images": given.images, "seed": given.seed, "tier": given.tier,
                "device": given.device or "ideal cells"}  # fmt: skip
    return {f"run.{key}": value for key, value in flattened(own).items()} | flattened(result.source.config)


def flattened(tree: Any, path: str = "") -> dict[str, Any]:
    """A tree of dictionaries and lists as key.with.dots -> plain value."""
    if isinstance(tree, Mapping) and tree:
        items = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, list | tuple) and any(isinstance(each, Mapping | list | tuple) for each in tree):
        items = [(str(n), value) for n, value in enumerate(tree)]
    else:
        return {path: tree}
    found: dict[str, Any] = {}
    for key, value in items:
        found |= flattened(value, f"{path}.{key}" if path else key)
    return found


def differences(settings: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Keys whose values are not the same everywhere -> the values; :data:`ABSENT` where a key is missing."""
    keys = dict.fromkeys(key for each in settings for key in each)
    rows = {key: [each.get(key, ABSENT) for each in settings] for key in keys}
    return {key: values for key, values in rows.items() if any(value != values[0] for value in values[1:])}


def _layers(first: Result, other: Result) -> list[dict[str, Any]]:
    """Every layer of a common network in both results, those first whose time differs most."""
    found = []
    for n, (ours, theirs) in enumerate(zip(first.layers, other.layers, strict=True)):
        pair = [_layer_figures(first, n), _layer_figures(other, n)]
        figures = {
            key: {"values": [side[key] for side in pair], "ratio": ratio(pair[1][key], pair[0][key])}
            for key in LAYER_FIGURES
        }
        found.append({"layer": ours.name, "operation": theirs.operation, **figures})
    return sorted(found, key=lambda row: -abs(row["image_us"]["values"][1] - row["image_us"]["values"][0]))


def _layer_figures(result: Result, n: int) -> dict[str, float]:
    layer, energy = result.layers[n], result.costs.by_layer_pj[n]
    return {"image_us": layer.image_ps / 1e6, "dynamic_energy_uj": sum(energy.values()) / 1e6,
            "crossbars": layer.crossbars, "working_share": layer.utilisation}  # fmt: skip


def largest_layer_differences(rows: Sequence[Mapping[str, Any]], figure: str, most: int = 5) -> list[Mapping[str, Any]]:
    """Layers whose ``figure`` differs, those with the largest absolute difference first."""

    def difference(row: Mapping[str, Any]) -> float:
        first, other = row[figure]["values"]
        return abs(float(other - first))

    moved = [row for row in rows if not math.isclose(*row[figure]["values"], rel_tol=1e-9)]
    return sorted(moved, key=difference, reverse=True)[:most]


def _remarks(results: Sequence[Result]) -> list[str]:
    found = []
    if len({each.source.workload_hash for each in results}) > 1:
        found.append("the results are of different workloads: ratios compare networks as well as chips")
    if len({each.source.batch for each in results}) > 1:
        found.append("the batches differ: a latency of a batch of 1 is that of an empty system, others may be longer")
    if len({each.source.network for each in results}) > 1:
        found.append("the models of the on-chip network differ")
    if len({each.source.engine for each in results}) > 1:
        found.append("the results are not all of one engine")
    if any(each.is_headline for result in results for each in result.costs.unpriced):
        found.append("some work has no price: energies are not complete (`pimsim run` says which)")
    return found


def _compare_executions(names: Sequence[str], results: Sequence[InferenceResult]) -> dict[str, Any]:
    remarks = []
    if len({(each.source.workload) for each in results}) > 1:
        remarks.append("the results are of different workloads")
    if len({(each.source.data, each.source.images) for each in results}) > 1:
        remarks.append("the images differ: so may what is hard about them")
    return {
        "format": FORMAT,
        "kind": "infer",
        "results": [
            {"name": name, "workload": each.source.workload, "system": each.source.system, "data": each.source.data,
             "images": each.source.images, "pimsim_version": each.pimsim_version}
            for name, each in zip(names, results, strict=True)
        ],
        "figures": {key: _shares([getattr(each, key) for each in results]) for key in SHARES},
        "configuration": differences([_settings(each) for each in results]),
        "remarks": remarks,
    }  # fmt: skip


def _shares(shares: Sequence[Share | None]) -> dict[str, Any]:
    """Shares with their 95 % intervals, and the difference from the first; None: no labels."""
    first = shares[0]
    return {
        "better": "more",
        "values": [share and share.share for share in shares],
        "intervals_95": [share and list(share.interval) for share in shares],
        "differences": [None if share is None or first is None else share.share - first.share for share in shares],
        "intervals_overlap": [
            None if share is None or first is None else _overlap(share.interval, first.interval) for share in shares
        ],
    }


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]
