"""Whole networks on cells that are noisy, stuck, or fail: what costs accuracy, and how much of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pimsim
from pimsim.config.device import Device
from pimsim.config.records import System
from pimsim.device.fault_maps import save_fault_map
from pimsim.device.faults import SOUND, STUCK_AT_0, STUCK_AT_1
from pimsim.functional.cells import layer_faults
from pimsim.mapping.arithmetic import layer_arithmetic
from pimsim.results.inference import Share
from pimsim.simulation import map_workload

NETWORK, IMAGES, SEEDS = "lstm-digits", 60, range(3)
NARROW = ("mapping.weight_bits=8", "mapping.input_bits=8")
CELL = {"g_min_us": 1.0, "g_max_us": 100.0}


def device(**parts: Any) -> Device:
    return Device.model_validate({"format": "pimsim-device-1", "name": "d", "source": "a test", **parts})


@cache
def program() -> Any:
    return map_workload(NETWORK, "isaac-ce", overrides=NARROW)


def cells_of_layers() -> dict[str, tuple[int, int, int]]:
    """Rows, outputs and cells of a weight of each layer of the network."""
    system: System = program().system
    return {node.name: (node.matrix.rows, node.matrix.columns, layer_arithmetic(system).cells_per_weight)
            for node in program().dataflow.nodes if node.matrix is not None}  # fmt: skip


def execute(cells: Device | None, seed: int = 0, images: int = IMAGES, network: str = NETWORK) -> Any:
    return pimsim.infer(network, "isaac-ce", "digits", images=images, device=cells, seed=seed, overrides=NARROW)


def decided_rightly(cells: Device) -> Share:
    """Of all images under all seeds."""
    found = [execute(cells, seed).accuracy for seed in SEEDS]
    return Share(sum(each.count for each in found), sum(each.of for each in found))


def falls(shares: Sequence[Share]) -> bool:
    """Whether no share is above its predecessor by more than their intervals allow, and the last is far below all."""
    steps = zip(shares, shares[1:], strict=False)
    return all(later.interval[0] <= earlier.interval[1] for earlier, later in steps) and (
        shares[-1].interval[1] < shares[0].interval[0])  # fmt: skip


# what costs accuracy


def test_a_fault_costs_more_the_higher_its_slice(tmp_path: Path) -> None:
    """The same share of cells stuck in one slice after the other, the lowest first."""
    ratios, shares = [], []
    for stuck_slice in range(4):
        maps = {}
        for name, (rows, outputs, slices) in cells_of_layers().items():
            faults = np.zeros((rows, outputs, slices), dtype=np.uint8)
            faults[:, :, stuck_slice] = np.random.default_rng(1).choice(
                [SOUND, STUCK_AT_0, STUCK_AT_1], (rows, outputs), p=[0.96, 0.02, 0.02])  # fmt: skip
            maps[name] = faults.reshape(rows, -1)
        path = tmp_path / f"slice{stuck_slice}.npz"
        save_fault_map(path, maps)
        result = execute(device(faults={"map": str(path)}))
        ratios.append([layer.exact_snr_db for layer in result.layers])
        shares.append(result.accuracy.count)
    for layer in zip(*ratios, strict=True):
        steps = zip(layer, layer[1:], strict=False)
        assert all(higher < lower - 6 for lower, higher in steps)  # a level is worth four of the slice below: 12 dB
    assert shares[0] - shares[-1] > IMAGES / 3
    assert shares[0] >= IMAGES - 2 and shares == sorted(shares, reverse=True)


def test_accuracy_falls_with_the_rate_of_faults() -> None:
    shares = [decided_rightly(device(faults={"stuck_at_0": rate / 2, "stuck_at_1": rate / 2}))
              for rate in (0.0, 0.001, 0.004, 0.016, 0.064)]  # fmt: skip
    assert falls(shares)
    assert shares[0].share > 0.95 and shares[-1].share < 0.3


def test_accuracy_falls_with_the_frequency_of_reads() -> None:
    shares = [decided_rightly(device(cell=CELL, read_noise={"voltage_v": 0.01, "frequency_mhz": mhz,
                                                            "temperature_k": 300.0}))
              for mhz in (1.0, 100.0, 400.0, 1600.0, 6400.0)]  # fmt: skip
    assert falls(shares)
    assert shares[0].share > 0.95 and shares[-1].share < 0.3


def test_accuracy_falls_with_temperature() -> None:
    shares = [decided_rightly(device(cell=CELL, read_noise={"voltage_v": 0.002, "frequency_mhz": 100.0, "shot": False,
                                                            "temperature_k": kelvin}))
              for kelvin in (0.0, 100.0, 200.0, 300.0, 400.0)]  # fmt: skip
    assert falls(shares)
    assert shares[0].share > 0.95


# how many cells are stuck


@pytest.mark.parametrize("rate", [0.0175, 0.0904])
def test_the_stuck_fraction_lies_within_binomial_bounds(rate: float) -> None:
    """Of every layer of the network, and of all together: 4 standard deviations."""
    cells, stuck, total = device(faults={"stuck_at_0": rate, "stuck_at_1": 0.0}), 0, 0
    for name, (rows, outputs, slices) in cells_of_layers().items():
        found = layer_faults(cells, (rows, outputs * slices), seed=9, layer=name)
        assert abs((found != SOUND).mean() - rate) < 4 * math.sqrt(rate * (1 - rate) / found.size)
        stuck, total = stuck + int((found == STUCK_AT_0).sum()), total + found.size
    assert abs(stuck / total - rate) < 4 * math.sqrt(rate * (1 - rate) / total)


# faults that come and go, faults that come later


def test_transient_faults_act_in_every_layer() -> None:
    noise = [[layer.exact_noise for layer in execute(device(in_field={"transient_flip": p})).layers]
             for p in (0.0, 1e-3, 1e-2)]  # fmt: skip
    assert noise[0] == [0.0] * len(noise[0])
    assert all(many > 2 * few > 0 for few, many in zip(noise[1], noise[2], strict=True))
    shares = [decided_rightly(device(in_field={"transient_flip": p})) for p in (0.0, 1e-2)]
    assert falls(shares)


def test_cells_that_fail_while_they_are_read_act() -> None:
    """Eight reads a vector, one vector an image in the first layer: with 1e-4, a twentieth of the cells has failed."""
    noise = [[layer.exact_noise
              for layer in execute(device(in_field={"failures_per_read": p}), network="mlp-digits").layers]
             for p in (1e-15, 1e-5, 1e-4)]  # fmt: skip
    assert noise[0] == [0.0] * len(noise[0])
    assert all(many > 2 * few > 0 for few, many in zip(noise[1][:2], noise[2][:2], strict=True))


def test_reads_that_disturb_cells_act() -> None:
    result = execute(device(in_field={"read_disturb": 1e-3, "disturb_fraction": 0.3}), network="mlp-digits")
    assert all(layer.exact_noise > 0 for layer in result.layers)


def test_cells_past_their_endurance_act() -> None:
    """A median endurance of two writes: some cells do not survive the first."""
    worn = execute(device(endurance={"writes": 2.0, "sigma_decades": 0.3, "stuck_is": "low"}))
    assert all(layer.exact_noise > 0 for layer in worn.layers)
    fresh = execute(device(endurance={"writes": 1e9, "sigma_decades": 0.3, "stuck_is": "low"}))
    assert all(layer.exact_noise == 0 for layer in fresh.layers)


# nothing is ignored in silence


@pytest.mark.parametrize(("parts", "named"), [
    ({"programming": {"sigma": 0.0, "relative_to": "range"}}, "programming"),
    ({"faults": {"stuck_at_0": 0.0, "stuck_at_1": 0.0}}, "faults"),
    ({"faults": {"stuck_at_0": 1e-12, "stuck_at_1": 0.0}}, "faults"),
    ({"endurance": {"writes": 1e9, "sigma_decades": 0.0, "stuck_is": "low"}}, "endurance"),
    ({"cell": CELL, "read_noise": {"voltage_v": 0.2, "frequency_mhz": 0.0, "temperature_k": 300.0}}, "read_noise"),
    ({"retention": {"time_s": 0.0, "tau_s": 1.0}}, "retention"),
    ({"in_field": {"failures_per_read": 1e-15}}, "in_field.failures_per_read"),
])  # fmt: skip
def test_what_changes_nothing_is_named(parts: Any, named: str) -> None:
    result = execute(device(**parts), images=10, network="mlp-digits")
    told = [note for note in result.notes if note.startswith(f"device.{named}")]
    assert told and all("has no effect in this run: " in note for note in told)
    assert all(layer.exact_noise == 0 for layer in result.layers)


def test_what_changes_something_is_not_named() -> None:
    result = execute(device(faults={"stuck_at_0": 0.1, "stuck_at_1": 0.0}), images=10)
    assert not [note for note in result.notes if "no effect" in note]
