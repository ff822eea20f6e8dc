"""Columns of results: name with unit, and how each is taken from a Result or an InferenceResult."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pimsim.results.inference import InferenceResult
from pimsim.results.record import Result

COLUMNS: Mapping[str, Callable[[Result], Any]] = {
    "latency_ns": lambda result: result.times.latency_ps / 1e3,
    "run_ns": lambda result: result.times.run_ps / 1e3,
    "throughput_per_s": lambda result: result.times.throughput_per_s,
    "energy_pJ": lambda result: result.costs.energy_pj,
    "energy_delay_product_pJ_ns": lambda result: result.costs.energy_pj * result.times.latency_ps / 1e3,
    "average_power_W": lambda result: result.costs.average_power_w,
    "peak_power_bound_W": lambda result: result.costs.peak_power_bound_w,
    "static_power_W": lambda result: result.costs.static_power_w,
    "area_mm2": lambda result: result.costs.area_mm2,
    "chips_used": lambda result: result.usage.chips_used,
    "tiles_used": lambda result: result.usage.tiles_used,
    "imas_used": lambda result: result.usage.imas_used,
    "crossbars_used": lambda result: result.usage.crossbars_used,
    "spatial_utilisation_cells": lambda result: result.usage.cells_used_share,
    "spatial_utilisation_crossbars": lambda result: result.usage.crossbars_used_share,
    "temporal_utilisation_crossbars": lambda result: result.usage.crossbar_busy_share,
    "programming_ns": lambda result: result.programming.time_ns,
    "programming_energy_pJ": lambda result: result.programming.energy_uj * 1e6,
    "writes_per_cell_max": lambda result: result.wear.max_writes,
    "unpriced_actions": lambda result: ", ".join(f"{each.action} of {each.component}" for each in result.costs.unpriced
                                                 if each.is_headline) or None,
    "bottleneck": lambda result: result.bottleneck,
}  # fmt: skip
"""Of a simulation of time; energies are of one inference."""

INFERENCE_COLUMNS: Mapping[str, Callable[[InferenceResult], Any]] = {
    "accuracy": lambda result: result.accuracy and result.accuracy.share,
    "float_accuracy": lambda result: result.float_accuracy and result.float_accuracy.share,
    "fixed_accuracy": lambda result: result.fixed_accuracy and result.fixed_accuracy.share,
    "agreement_float": lambda result: result.agreement_float.share,
    "agreement_fixed": lambda result: result.agreement_fixed.share,
    "images_executed": lambda result: result.agreement_float.of,
}
"""Of an execution on data: shares of the images."""

ALL_COLUMNS = (*COLUMNS, *INFERENCE_COLUMNS)
TEXT_COLUMNS = ("unpriced_actions", "bottleneck")
COUNT_COLUMNS = ("chips_used", "tiles_used", "imas_used", "crossbars_used", "writes_per_cell_max", "images_executed")


def result_columns(result: Result) -> dict[str, Any]:
    """The columns of a simulation; None: not measured."""
    return {name: take(result) for name, take in COLUMNS.items()}


def inference_columns(result: InferenceResult) -> dict[str, Any]:
    """The columns of an execution on data; None: there are no labels."""
    return {name: take(result) for name, take in INFERENCE_COLUMNS.items()}
