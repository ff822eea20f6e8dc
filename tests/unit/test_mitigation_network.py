"""Mitigation in whole networks: what it saves, where it applies, what it costs, and that nothing is left unsaid."""

from __future__ import annotations

from functools import cache

import pytest

import pimsim
from pimsim.config import load_system
from pimsim.config.device import Device
from pimsim.errors import InputError
from pimsim.results.inference import InferenceResult
from pimsim.simulation import map_workload

NARROW = ("mapping.weight_bits=8", "mapping.input_bits=8")
SEEDS = range(2)
KEY = "mapping.mitigation"


def stuck(rate: float) -> Device:
    faults = {"stuck_at_0": rate / 2, "stuck_at_1": rate / 2}
    return Device.model_validate({"format": "pimsim-device-1", "name": "d", "source": "a test", "faults": faults})


@cache
def executed(rate: float | None, seed: int, *methods: str) -> InferenceResult:
    """The MLP on 60 digits with so many stuck cells; no rate: ideal cells."""
    cells = None if rate is None else stuck(rate)
    overrides = [*NARROW, *(f"{KEY}.{each}" for each in methods)]
    return pimsim.infer("mlp-digits", "isaac-ce", "digits", images=60, device=cells, seed=seed, overrides=overrides)


def right(rate: float, *methods: str) -> int:
    """Right decisions over all seeds."""
    found = [executed(rate, seed, *methods).accuracy for seed in SEEDS]
    return sum(share.count for share in found if share is not None)


def said(result: InferenceResult, method: str) -> str:
    """The note on a method."""
    (found,) = (note for note in result.notes if note.startswith(f"{KEY}.{method}"))
    return found.removeprefix(f"{KEY}.")


@pytest.mark.parametrize("methods", [
    ("permutation=columns",), ("permutation=rows",), ("permutation=both",), ("copies=3",), ("weight_clip=2.5",),
    ("copies=3", "vote=class"), ("permutation=both", "copies=3", "weight_clip=2.5"),
])  # fmt: skip
def test_methods_decide_more_digits_rightly(methods: tuple[str, ...]) -> None:
    without = right(0.05)
    assert without < 0.9 * 120  # there is something to be saved
    assert right(0.05, *methods) > without + 3


def test_corrected_networks_decide_as_exact_integers() -> None:
    for seed in SEEDS:
        result = executed(0.05, seed, "correction=true")
        assert result.agreement_fixed.count == 60
        assert [layer.exact_snr_db for layer in result.layers if not layer.clipped] == [
            None for layer in result.layers if not layer.clipped]  # fmt: skip
        assert any(not layer.clipped for layer in result.layers)


def test_sound_networks_are_the_same_under_any_mitigation() -> None:
    result = executed(None, 0, "permutation=both", "copies=3", "correction=true")
    assert result.agreement_fixed.count == 60
    assert all(layer.exact_noise == 0 for layer in result.layers)


def test_methods_are_for_the_layers_that_are_named() -> None:
    plain, some = executed(0.05, 0), executed(0.05, 0, "layers=[fc2]", "permutation=both", "layer_copies={scores: 3}")
    ratios = [layer.exact_snr_db for layer in plain.layers], [layer.exact_snr_db for layer in some.layers]
    assert ratios[0][0] == ratios[1][0]
    assert ratios[0][1] != ratios[1][1]
    conversions = [[layer.conversions for layer in result.layers] for result in (plain, some)]
    assert conversions[1] == [conversions[0][0], conversions[0][1], 3 * conversions[0][2]]


def test_weights_are_clipped_where_that_is_asked_for() -> None:
    result = executed(None, 0, "layers=[fc1]", "weight_clip=2.0")
    assert result.layers[0].clipped_weights > 0 == result.layers[1].clipped_weights
    assert "comparator and a multiplexer" in said(result, "weight_clip")


def test_what_a_method_takes_is_said() -> None:
    result = executed(0.05, 0, "permutation=both", "copies=3", "layers=[fc1, fc2]")
    assert "table of addresses at the output register" in said(result, "permutation")
    assert "digital multiply-accumulate" in said(executed(0.05, 0, "correction=true"), "correction")
    program = map_workload("mlp-digits", "isaac-ce", overrides=NARROW)
    crossbars = {layer.name: layer.tiling.crossbars for layer in program.layers if layer.tiling is not None}
    once, tripled = sum(crossbars.values()), 3 * (crossbars["fc1"] + crossbars["fc2"]) + crossbars["scores"]
    assert f"3 of fc1, 3 of fc2; they take {tripled} crossbars instead of {once}" in said(result, "copies")


def test_a_method_without_effect_is_named() -> None:
    result = executed(None, 0, "permutation=rows", "copies=3", "correction=true", "weight_clip=100.0")
    assert said(result, "permutation").endswith("no effect in this run: the device has no cells that are known to be "
                                                "stuck (faults)")  # fmt: skip
    assert "no effect in this run" in said(result, "correction")
    assert said(result, "weight_clip") == "weight_clip has no effect in this run: no weight is larger"
    notes = [note for note in result.notes if note.startswith(f"{KEY}.copies")]
    assert notes[0].endswith("no effect in this run: all copies gave the same results") and len(notes) == 2
    assert "no weight lies on a stuck cell" in said(executed(1e-12, 0, "permutation=rows"), "permutation")


def test_a_run_says_that_it_times_one_copy() -> None:
    for overrides, expected in (([f"{KEY}.copies=3"], 1), ([f"{KEY}.permutation=both"], 0)):
        notes = map_workload("mlp-digits", "isaac-ce", overrides=overrides).notes
        assert len([note for note in notes if "those of one copy of each layer" in note]) == expected


@pytest.mark.parametrize(("override", "told"), [
    ("layers=[fc1, fc3]", "mapping.mitigation.layers: no layer 'fc3' with weights, did you mean 'fc2'?; allowed: fc1"),
    ("layer_copies={fc9: 3}", "mapping.mitigation.layer_copies: no layer 'fc9' with weights"),
    ("copies=4", "an odd number"),
    ("permutation=diagonal", "permutation"),
    ("vote=class", "there are none"),
    ("layers=[]", "layers"),
])  # fmt: skip
def test_wrong_keys_are_one_line(override: str, told: str) -> None:
    with pytest.raises(InputError) as error:
        pimsim.infer("mlp-digits", "isaac-ce", "digits", images=2, overrides=[f"{KEY}.{override}"])
    assert told in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(InputError):
        map_workload("mlp-digits", "isaac-ce", overrides=[f"{KEY}.{override}"])


def test_classes_are_voted_for_in_a_last_layer_that_has_copies() -> None:
    with pytest.raises(InputError, match="mapping.mitigation.vote: is class, which takes a network that ends"):
        pimsim.infer("mlp-digits", "isaac-ce", "digits", images=2,
                     overrides=[f"{KEY}.layer_copies.fc1=3", f"{KEY}.vote=class"])  # fmt: skip
    result = executed(0.05, 0, "copies=3", "vote=class")
    assert said(result, "copies").endswith("in the last layer a vote of classes")


def test_a_system_can_be_loaded_with_mitigation() -> None:
    system = load_system("isaac-ce", [f"{KEY}.permutation=rows", f"{KEY}.layers=[fc1]"])
    assert system.mapping.mitigation.of_layer("fc2").permutation == "none"
