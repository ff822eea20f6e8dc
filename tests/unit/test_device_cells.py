"""Cells of a layer: ideal where they should be, the same for equal seeds, and no part of a device silently idle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pimsim.config import Device, load_device, shipped_devices
from pimsim.device.streams import stream
from pimsim.functional.cells import Cells, inert_everywhere, program_cells

CELL = {"g_min_us": 1.0, "g_max_us": 31.0}
NOISE = {"voltage_v": 0.5, "frequency_mhz": 100.0, "temperature_k": 350.0}
TARGETS = np.random.default_rng(0).integers(0, 4, (3, 64, 32)).astype(np.uint8)


def device(**parts: object) -> Device:
    return Device.model_validate({"format": "pimsim-device-1", "name": "test", **parts})


def program(which: Device | None, targets: np.ndarray = TARGETS, **options: Any) -> Cells:
    return program_cells(targets, 2, which, **({"seed": 0, "layer": "a"} | options))


def same(one: Cells, other: Cells) -> bool:
    """But for rounding: conductances and levels are different units."""
    if (one.variance is None) != (other.variance is None):
        return False
    equal = np.allclose(one.level, other.level, rtol=1e-5, atol=1e-6)
    if one.variance is None or other.variance is None:
        return equal
    return equal and np.allclose(one.variance, other.variance, rtol=1e-5, atol=0)


@pytest.mark.parametrize("which", [None, device(), device(cell=CELL)])
def test_without_parts_cells_are_ideal(which: Device | None) -> None:
    for targets in (TARGETS, TARGETS.astype(np.int64), TARGETS[:0]):
        found = program(which, targets)
        assert found.ideal and found.variance is None and found.variance_by_level is None and found.stuck is None
        assert found.level.dtype == np.float32
        np.testing.assert_array_equal(found.level, targets)


@pytest.mark.parametrize("bits", [1, 2, 3, 5, 8])
def test_ideal_levels_survive_the_conductances_exactly(bits: int) -> None:
    """Through a ratio of conductances that no binary fraction is; noise makes conductances matter."""
    noisy = device(cell={"g_min_us": 0.333, "g_max_us": 333.3}, read_noise=NOISE, faults={"stuck_at_1": 0.3})
    targets = np.arange(2**bits).repeat(8).reshape(-1, 8)
    found = program_cells(targets, bits, noisy, seed=0, layer="a")
    assert found.stuck is not None and found.variance_by_level is None
    np.testing.assert_array_equal(found.level, np.where(found.stuck, 2**bits - 1, targets))


def test_off_current_that_is_kept_is_in_every_level() -> None:
    kept = program(device(cell=CELL | {"off_current": "kept"}))
    np.testing.assert_allclose(kept.level, TARGETS + np.float32(1 / 10))
    assert not kept.ideal and kept.variance is None and kept.inert == ()


def test_variance_by_level_is_there_where_nothing_differs_between_cells() -> None:
    relaxing = {"drift": {"exponent": 0.1, "time_s": 10.0}, "retention": {"time_s": 1.0, "tau_s": 5.0}}
    alike = program(device(cell=CELL, read_noise=NOISE, **relaxing))
    assert alike.variance is not None and alike.variance_by_level is not None
    np.testing.assert_array_equal(alike.variance_by_level[TARGETS], alike.variance)
    assert len(np.unique(alike.level)) == 4 and not alike.ideal
    alike_but_fresh = program(device(cell=CELL, read_noise=NOISE))
    assert alike_but_fresh.variance_by_level is not None
    unlike = program(device(cell=CELL, read_noise=NOISE, programming={"sigma": 0.1, "relative_to": "step"}))
    assert unlike.variance is not None and unlike.variance_by_level is None
    conductance = np.asarray(unlike.level, dtype=np.float64) * 10 + 1  # uS: noise is that of what the cell has become
    expected = alike_but_fresh.variance_by_level[3] * conductance / 31
    np.testing.assert_allclose(unlike.variance, expected, rtol=1e-4, atol=1e-10)


def test_no_conductance_is_negative() -> None:
    wild = program(device(cell=CELL, programming={"sigma": 1.0, "relative_to": "range"}, read_noise=NOISE))
    assert wild.level.min() == np.float32(-0.1)  # nothing, where g_min is subtracted
    assert wild.variance is not None and wild.variance.min() == 0


def test_same_seed_same_cells_in_any_order_of_layers() -> None:
    everything = device(
        cell=CELL, read_noise=NOISE, programming={"sigma": 0.1, "relative_to": "step"},
        variation={"device_to_device": {"sigma": 0.1, "relative_to": "value"},
                   "cycle_to_cycle": {"sigma": 0.1, "relative_to": "range"}},
        faults={"stuck_at_0": 0.1, "distribution": "clustered", "cluster_size": 4},
        drift={"exponent": 0.1, "exponent_sigma": 0.1, "time_s": 10.0},
        in_field={"failures_per_read": 0.001, "read_disturb": 0.1}, endurance={"writes": 10.0, "sigma_decades": 1.0},
    )  # fmt: skip
    layers = ["conv1", "conv2", "fc"]
    forwards = {name: program(everything, layer=name, reads=10) for name in layers}
    backwards = {name: program(everything, layer=name, reads=10) for name in reversed(layers)}
    for name in layers:
        assert same(forwards[name], backwards[name])
    assert not same(forwards["conv1"], forwards["conv2"])
    assert not same(forwards["fc"], program(everything, layer="fc", reads=10, seed=1))


def test_streams_are_stable_and_do_not_run_into_each_other() -> None:
    """The numbers are part of a result: a change of the hash or the generator changes every published figure."""
    assert stream(0, "conv1", "programming").integers(0, 1000, 4).tolist() == [891, 346, 479, 25]
    keys = [(0, "a", "b", 1), (0, "ab", "", 1), (0, "a", "b1", 0), (1, "a", "b", 1), (0, "a", "b", 11)]
    assert len({stream(*key).integers(2**62).item() for key in keys}) == len(keys)


def test_levels_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="levels of 2 bits go from 0 to 3, these from 0 to 4"):
        program(None, np.array([[0, 4]]))
    with pytest.raises(ValueError, match="levels are whole numbers, not float64"):
        program(None, np.array([[0.0]]))


def test_line_resistance_is_what_the_caller_says() -> None:
    wires = device(cell=CELL, line_resistance={"wire_ohm": 1.0})
    assert program(wires).inert[0] == "line_resistance: these cells are taken without their wires"
    halved = program(wires, with_wires=lambda conductance: conductance / 2)
    np.testing.assert_allclose(halved.level, TARGETS - (TARGETS + 0.1) / 2, atol=1e-6)
    shapes = []
    assert program(wires, with_wires=lambda g: shapes.append(g.shape) or g).inert == (
        "line_resistance: it changes none of these cells",
    )
    assert shapes == [TARGETS.shape]


SIGMAS = st.sampled_from([0.0, 0.05, 0.5])
SPREADS = st.builds(lambda sigma, to: {"sigma": sigma, "relative_to": to}, SIGMAS,
                    st.sampled_from(["range", "step", "value"]))  # fmt: skip
SHARES = st.sampled_from([0.0, 0.1, 0.5])
PARTS = {
    "cell": st.sampled_from([CELL, CELL | {"off_current": "kept"}, {"g_min_us": 0.0, "g_max_us": 5.0}]),
    "programming": SPREADS,
    "variation": st.sampled_from(["device_to_device", "cycle_to_cycle"]).flatmap(
        lambda kind: SPREADS.map(lambda spread: {kind: spread})),
    "read_noise": st.builds(
        lambda f, t, thermal, shot: {"voltage_v": 0.3, "frequency_mhz": f, "temperature_k": t, "thermal": thermal,
                                     "shot": shot},
        st.sampled_from([0.0, 100.0]), st.sampled_from([0.0, 300.0]), st.booleans(), st.booleans()),
    "random_telegraph": st.builds(
        lambda p, a, b: {"probability": p, "a_us": a, "b": b, "sign": "increase"}, SHARES, SHARES, SHARES),
    "drift": st.builds(lambda e, s, t: {"exponent": e, "exponent_sigma": s, "time_s": t}, SHARES, SHARES,
                       st.sampled_from([1.0, 1e5])),
    "retention": st.builds(lambda t, end: {"time_s": t, "tau_s": 10.0, "towards": end}, st.sampled_from([0.0, 4.0]),
                           st.sampled_from(["low", "middle", "high"])),
    "faults": st.builds(lambda a, b, end: {"stuck_at_0": a, "stuck_at_1": b, "stuck_at_0_is": end}, SHARES, SHARES,
                        st.sampled_from(["low", "high"])),
    "in_field": st.builds(lambda f, d, t: {"failures_per_read": f, "read_disturb": d, "transient_flip": t}, SHARES,
                          SHARES, SHARES),
    "endurance": st.builds(lambda w: {"writes": w}, st.sampled_from([1.0, 1e6])),
}  # fmt: skip
UNDER = {"variation": ("device_to_device", "cycle_to_cycle"), "in_field": ("failures_per_read", "read_disturb",
         "transient_flip")}  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), names=st.sets(st.sampled_from(sorted(PARTS)), min_size=1, max_size=3),
       single=st.booleans(), reads=st.sampled_from([0.0, 3.0]), write=st.sampled_from([0, 1]))  # fmt: skip
def test_every_part_changes_something_or_is_named(
    data: st.DataObject, names: set[str], single: bool, reads: float, write: int
) -> None:
    """Leaving a part out changes the cells, unless the part is inert; and if it is inert, it changes nothing."""
    targets = np.full((6, 5), data.draw(st.integers(0, 3)), dtype=np.uint8) if single else TARGETS[0]
    parts = {name: data.draw(PARTS[name], label=name) for name in sorted(names)}
    if {"read_noise", "random_telegraph"} & names:
        parts.setdefault("cell", CELL)
    whole = program(device(**parts), targets, reads=reads, write_number=write)
    inert = {line.split(": ")[0] for line in whole.inert}
    needed = bool({"read_noise", "random_telegraph"} & set(parts))
    for name in parts:
        if name == "cell" and needed:
            continue  # cannot be left out
        without = program(device(**{key: part for key, part in parts.items() if key != name}), targets, reads=reads,
                          write_number=write)  # fmt: skip
        below = {f"{name}.{key}" for key, value in parts[name].items() if key in UNDER.get(name, ()) and value}
        idle = name in inert or (bool(below) and below <= inert)
        if idle:
            assert same(whole, without), (name, whole.inert)
        elif not MASKED & set(parts) - {name} and not (name == "cell" and {"programming", "variation"} & set(parts)):
            assert not same(whole, without), (name, whole.inert)


MASKED = {"faults", "endurance", "in_field"}
"""Parts that can leave all cells stuck, so that what another part did to them is not seen any more.  With errors of
programming, a cell's ratio of conductances is only seen where one would have fallen below 0."""


def test_inert_parts_of_a_run_are_those_of_all_layers() -> None:
    faulty = device(faults={"stuck_at_0": 0.02}, drift={"exponent": 0.1, "time_s": 1.0})
    small, large = program(faulty, np.array([[1]])), program(faulty, layer="b")
    assert [line.split(":")[0] for line in small.inert] == ["drift", "faults"]
    assert inert_everywhere([small, large]) == ("drift: time_s equals reference_time_s",)
    assert inert_everywhere([]) == ()


@pytest.mark.parametrize("name", shipped_devices())
def test_shipped_devices_have_sources_and_no_idle_parts(name: str) -> None:
    shipped = load_device(name)
    assert shipped.name == name and shipped.source and not shipped.without_effect()
    assert program(shipped).ideal == (name == "ideal")
