"""Results side by side: every figure with its ratio to the first, what was configured otherwise, which layers differ.

Results of different networks are refused unless that is wanted: most ratios between them say nothing of the chips.  A
network is the one before it is expanded for training, so that norms and chips of other kinds can be compared; runs of
training must be of one batch, too.  Where inference stands beside training, only what both have is compared.
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

_OF_CHIPS = {
    "average_power_w": "less", "peak_power_bound_w": "less", "area_mm2": "less",
    "chips_used": "less", "tiles_used": "less", "imas_used": "less", "crossbars_used": "less",
    "spatial_utilisation_cells": "more", "spatial_utilisation_crossbars": "more",
    "temporal_utilisation_crossbars": "more", "programming_us": "less", "programming_energy_uj": "less",
}  # fmt: skip
FIGURES = {
    "infer": {"latency_us": "less", "throughput_per_s": "more", "run_us": "less", "energy_per_inference_uj": "less",
              "energy_delay_product_uj_ms": "less", **_OF_CHIPS},
    "train": {"iteration_us": "less", "image_us": "less", "images_per_s": "more", "run_us": "less",
              "energy_per_iteration_uj": "less", "energy_per_image_uj": "less", **_OF_CHIPS,
              "gpu_cores_used": "less", "gpu_core_utilisation": "more",
              "waiting_for_packets_share": "less", "lost_to_network_share": "less"},
    "both": _OF_CHIPS,
}  # fmt: skip
"""What is compared -> keys of :attr:`pimsim.results.record.Result.summary`, and which end of them is better."""

LAYER_FIGURES = ("image_us", "dynamic_energy_uj", "crossbars", "working_share")
"""Of a layer: its busiest replica's time for an image, dynamic energy of an image, crossbars, share of the run in which
it works.  In training, time and energy of an iteration are shared among the images of its batch.
"""
_ANYWAY = "--different-workloads to compare them all the same"


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
    if different:
        return
    found = [(each.source.workload, _network(each, results)) for each in results]
    if len({name for name, _ in found}) > 1:
        words = ", ".join(f"{workload} ({name})" for name, (workload, _) in zip(names, found, strict=True))
        raise InputError(f"the results are of different workloads: {words}", allowed=_ANYWAY)
    if len({network for _, network in found}) > 1:
        unknown = [name for name, each in zip(names, results, strict=True) if not each.source.network_hash]
        if unknown:
            raise InputError(f"an earlier version has not kept which network called {found[0][0]} was run",
                             key=", ".join(unknown), allowed=f"a run of this version, or {_ANYWAY}")  # fmt: skip
        raise InputError(f"networks called {found[0][0]} that are not the same", key=", ".join(names), allowed=_ANYWAY)
    batches = [(name, each.source.batch) for name, each in zip(names, results, strict=True) if _trains(each)]
    if len({batch for _, batch in batches}) > 1:
        words = ", ".join(f"{batch} images ({name})" for name, batch in batches)
        raise InputError(f"trained with different batches: {words}", allowed=_ANYWAY)


def _network(result: Any, results: Sequence[Any]) -> str:
    """What tells networks apart: their hashes; where one is not known, those of what the chips ran."""
    if all(getattr(each.source, "network_hash", "") for each in results):
        return str(result.source.network_hash)
    return getattr(result.source, "workload_hash", "")


def _trains(result: Any) -> bool:
    return isinstance(result, Result) and result.training is not None


def _compare_runs(names: Sequence[str], results: Sequence[Result]) -> dict[str, Any]:
    first, modes = results[0], {each.mode for each in results}
    mode = modes.pop() if len(modes) == 1 else "both"
    figures = {key: _row([each.summary[key] for each in results], better) for key, better in FIGURES[mode].items()}
    if len({each.units for each in results if each.training is not None}) > 1:
        figures.pop("run_us", None)
    if all(each.times_on_ideal is None for each in results):
        figures.pop("lost_to_network_share", None)
    return {
        "format": FORMAT,
        "kind": "run",
        "mode": mode,
        "results": [
            {"name": name, "workload": each.source.workload, "system": each.source.system, "mode": each.mode,
             "batch": each.source.batch, "noc": each.source.network, "engine": each.source.engine,
             "pimsim_version": each.pimsim_version, "bottleneck": each.bottleneck}
            for name, each in zip(names, results, strict=True)
        ],
        "figures": figures,
        "energy_by_component_pj": {} if mode == "both" else _by_component(results),
        "configuration": differences([_settings(each) for each in results]),
        "layers": {
            name: _layers(first, each)
            for name, each in zip(names[1:], results[1:], strict=True)
            if _network(each, (first, each)) == _network(first, (first, each))
        },
        "remarks": _remarks(results) + (_of_both(names, results) if mode == "both" else []),
    }  # fmt: skip


def _row(values: Sequence[Any], better: str) -> dict[str, Any]:
    """Values, and their ratios to the first; None: not measured, or the first is 0."""
    return {"better": better, "values": list(values), "ratios": [ratio(each, values[0]) for each in values]}


def ratio(value: float | None, to: float | None) -> float | None:
    """``value / to``; None where one is not known or ``to`` is 0."""
    return None if value is None or not to else value / to


def _by_component(results: Sequence[Result]) -> dict[str, dict[str, Any]]:
    """Component -> dynamic and static energy of an inference, or of an iteration; the largest of any result first."""
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
        own |= {"mode": result.mode, "batch": run.batch, "noc": run.network, "engine": run.engine}
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
    """Every layer that both results have, those first whose time differs most."""
    theirs = {(layer.name, layer.phase): n for n, layer in enumerate(other.layers)}
    found = []
    for n, layer in enumerate(first.layers):
        at = theirs.get((layer.name, layer.phase))
        if at is None:
            continue
        pair = [_layer_figures(first, n), _layer_figures(other, at)]
        figures = {
            key: {"values": [side[key] for side in pair], "ratio": ratio(pair[1][key], pair[0][key])}
            for key in LAYER_FIGURES
        }
        found.append({"layer": layer.name, "operation": other.layers[at].operation, **figures})
    return sorted(found, key=lambda row: -abs(row["image_us"]["values"][1] - row["image_us"]["values"][0]))


def _layer_figures(result: Result, n: int) -> dict[str, float]:
    layer, energy = result.layers[n], result.costs.by_layer_pj[n]
    images = 1 if result.training is None else result.training.batch
    return {"image_us": layer.image_ps / images / 1e6, "dynamic_energy_uj": sum(energy.values()) / images / 1e6,
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
    if len({_network(each, results) for each in results}) > 1:
        known = all(each.source.network_hash for each in results)
        found.append("the results are of different workloads: ratios compare networks as well as chips" if known else
                     "an earlier version has not kept which networks were run: they may be different ones")
    elif len({each.source.workload_hash for each in results}) > 1:
        found.append("the network is the same, what the chips run of it is not: layers are those that both have")
    trained = [each.training for each in results if each.training is not None]
    if len({each.source.batch for each in results if each.training is None}) > 1:
        found.append("the batches differ: a latency of a batch of 1 is that of an empty system, others may be longer")
    if len({each.batch for each in trained}) > 1:
        found.append("the batches differ: iterations are not of the same work")
    if len({each.iterations for each in trained}) > 1:
        found.append("the numbers of iterations differ: lengths of runs are not compared")
    if any(each.more for each in trained):
        found.append("not all iterations were simulated: what layers wait for is of those that were")
    if len({each.source.network for each in results}) > 1:
        found.append("the models of the on-chip network differ")
    if len({each.source.engine for each in results}) > 1:
        found.append("the results are not all of one engine")
    if any(each.is_headline for result in results for each in result.costs.unpriced):
        found.append("some work has no price: energies are not complete (`pimsim run` says which)")
    return found


def _of_both(names: Sequence[str], results: Sequence[Result]) -> list[str]:
    """Said where inference stands beside training."""
    kinds = {"infer": "of inference", "train": "of training"}
    words = ", ".join(f"{name} is {kinds[each.mode]}" for name, each in zip(names, results, strict=True))
    return [f"{words}: only what both have is compared, which no time, rate or energy of a whole image is; powers and "
            "utilisations are of different work; layers are those of the forward pass"]  # fmt: skip


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
