"""Stuck cells, drift, retention, and what happens in the field."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from pimsim.config import Device
from pimsim.device.drift import drifted
from pimsim.device.fault_maps import load_fault_map, save_fault_map
from pimsim.device.faults import SOUND, STUCK_AT_0, STUCK_AT_1, clustered_faults, uniform_faults
from pimsim.device.in_field import disturbed, failed, flip_moments, poisson_quantile
from pimsim.device.retention import arrhenius_tau, relaxed
from pimsim.device.streams import stream
from pimsim.errors import InputError
from pimsim.functional.cells import layer_faults, program_cells

CELL = {"g_min_us": 1.0, "g_max_us": 31.0}
SHAPE = (4, 256, 256)


def device(**parts: object) -> Device:
    return Device.model_validate({"format": "pimsim-device-1", "name": "test", **parts})


def within_binomial(found: int, trials: int, probability: float, variance_factor: float = 1.0) -> bool:
    """Five standard deviations: a correct program fails once in two million."""
    allowed = 5 * math.sqrt(trials * probability * (1 - probability) * variance_factor)
    return abs(found - trials * probability) <= allowed


def test_uniform_faults_have_their_rates() -> None:
    faults = uniform_faults(SHAPE, 0.0175, 0.0904, stream(0, "a", "faults"))
    assert within_binomial(int((faults == STUCK_AT_0).sum()), faults.size, 0.0175)
    assert within_binomial(int((faults == STUCK_AT_1).sum()), faults.size, 0.0904)
    assert set(np.unique(faults)) == {SOUND, STUCK_AT_0, STUCK_AT_1}


def test_more_faults_contain_fewer() -> None:
    for draw in (uniform_faults, lambda *a: clustered_faults(*a[:3], 9, a[3])):
        few, many = (draw(SHAPE, rate, rate, stream(0, "a", "f")) for rate in (0.01, 0.05))
        assert ((few == SOUND) | (many != SOUND)).all() and (few != SOUND).sum() < (many != SOUND).sum()


@pytest.mark.parametrize("size", [1, 4, 9, 30])
def test_clustered_faults_have_the_same_rates_and_lie_together(size: int) -> None:
    faults = clustered_faults((16, 256, 256), 0.02, 0.03, size, stream(1, "a", "faults"))
    for kind, rate in ((STUCK_AT_0, 0.02), (STUCK_AT_1, 0.03)):
        assert within_binomial(int((faults == kind).sum()), faults.size, rate, variance_factor=size)
    edge = faults[:, [0, -1], :] != SOUND
    assert within_binomial(int(edge.sum()), edge.size, 0.05, variance_factor=size)
    stuck = faults != SOUND
    together = (stuck[:, :, 1:] & stuck[:, :, :-1]).sum() / stuck[:, :, 1:].sum()
    if size == 1:
        assert together == pytest.approx(0.05, abs=0.01)  # no more than chance
    else:
        assert together > 0.4


def test_one_group_is_as_round_as_it_can_be() -> None:
    faults = clustered_faults((400, 400), 0.0002, 0.0, 5, stream(3, "a", "faults"))
    alone = [(row, column) for row, column in np.argwhere(faults)
             if (faults[max(row - 3, 0) : row + 4, max(column - 3, 0) : column + 4] != SOUND).sum() == 5]  # fmt: skip
    assert any(all(faults[row + up, column + right] for up, right in ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)))
               for row, column in alone if 0 < row < 399 and 0 < column < 399)  # fmt: skip


def test_every_cell_can_be_stuck() -> None:
    assert (clustered_faults((8, 8), 0.4, 0.6, 4, stream(0, "a", "f")) != SOUND).all()
    assert (uniform_faults((8, 8), 0.0, 1.0, stream(0, "a", "f")) == STUCK_AT_1).all()


@pytest.mark.parametrize(("word", "at_0", "at_1"), [("low", 0, 3), ("high", 3, 0)])
@pytest.mark.parametrize("cell", [None, CELL])
def test_stuck_cells_are_at_the_ends_whatever_else_happens(word: str, at_0: int, at_1: int, cell: object) -> None:
    faulty = device(cell=cell, faults={"stuck_at_0": 0.1, "stuck_at_1": 0.1, "stuck_at_0_is": word},
                    programming={"sigma": 0.1, "relative_to": "step"})  # fmt: skip
    targets = np.ones((64, 64), dtype=np.uint8)
    found = program_cells(targets, 2, faulty, seed=4, layer="a")
    faults = layer_faults(faulty, targets.shape, seed=4, layer="a")
    assert found.stuck is not None
    np.testing.assert_array_equal(found.stuck, faults != SOUND)
    np.testing.assert_array_equal(found.level[faults == STUCK_AT_0], np.float32(at_0))
    np.testing.assert_array_equal(found.level[faults == STUCK_AT_1], np.float32(at_1))
    again = program_cells(3 - targets, 2, faulty, seed=4, layer="a", write_number=9)
    np.testing.assert_array_equal(again.stuck, found.stuck)


def test_fault_maps_are_saved_loaded_and_used(tmp_path: Path) -> None:
    drawn = device(faults={"stuck_at_0": 0.1, "stuck_at_1": 0.2})
    maps = {name: layer_faults(drawn, (16, 16), seed=1, layer=name) for name in ("conv/1", "file")}
    path = tmp_path / "faults.npz"
    save_fault_map(path, maps)
    assert {layer: found.tolist() for layer, found in load_fault_map(path).items()} == {
        layer: faults.tolist() for layer, faults in maps.items()
    }
    given = device(faults={"map": str(path)})
    targets = np.full((16, 16), 1, dtype=np.uint8)
    for layer in maps:
        np.testing.assert_array_equal(program_cells(targets, 2, given, seed=99, layer=layer).level,
                                      program_cells(targets, 2, drawn, seed=1, layer=layer).level)  # fmt: skip
    with pytest.raises(InputError, match=r"faults.npz: faults.map: holds no layer 'fc'; allowed: conv/1, file"):
        program_cells(targets, 2, given, seed=0, layer="fc")
    with pytest.raises(InputError, match=r"layer 'file' has the shape \(16, 16\), and its cells are \(8, 16\)"):
        program_cells(targets[:8], 2, given, seed=0, layer="file")
    assert [each.name for each in tmp_path.iterdir()] == ["faults.npz"]


def test_a_changed_fault_map_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "faults.npz"
    for value in (1, 2):
        save_fault_map(path, {"a": np.full((2, 2), value)})
        assert (load_fault_map(path)["a"] == value).all()


def test_files_that_are_no_fault_maps_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "faults.npz"
    with pytest.raises(InputError, match="cannot be read: No such file"):
        load_fault_map(path)
    path.write_text("no map")
    with pytest.raises(InputError, match="faults.npz: is no .npz file of fault maps"):
        load_fault_map(path)
    np.savez(path, other=np.zeros(3))
    with pytest.raises(InputError, match="holds no fault maps; allowed: arrays called faults:LAYER"):
        load_fault_map(path)
    np.savez(path, **{"faults:a": np.array([3])})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the map of layer 'a' is wrong: .* 0 sound, 1 stuck at 0, 2 stuck at 1"):
        load_fault_map(path)
    with pytest.raises(InputError, match="the map of layer 'a' is wrong"):
        save_fault_map(tmp_path / "new.npz", {"a": np.array([0.5])})
    with pytest.raises(InputError, match="cannot be written: No such file"):
        save_fault_map(tmp_path / "none" / "new.npz", {"a": np.array([1])})
    assert not (tmp_path / "new.npz").exists()


def test_drift_is_a_power_law() -> None:
    conductance = np.array([1e-6, 2e-5])
    np.testing.assert_allclose(drifted(conductance, 0.05, time_s=1e6, reference_time_s=1.0), conductance * 10**-0.3)
    cells = program_cells(np.full((2, 2), 3), 2, device(drift={"exponent": 0.1, "time_s": 1000.0}), seed=0, layer="a")
    np.testing.assert_allclose(cells.level, 3 * 1000**-0.1, rtol=1e-6)
    kept = device(cell=CELL | {"off_current": "kept"}, drift={"exponent": 0.1, "time_s": 1000.0})
    np.testing.assert_allclose(program_cells(np.array([[0, 3]]), 2, kept, seed=0, layer="a").level,
                               [[0.1 * 1000**-0.1, 3.1 * 1000**-0.1]], rtol=1e-6)  # fmt: skip


def test_exponents_of_drift_differ_from_cell_to_cell() -> None:
    """The logarithm of the conductance is normal: mean and standard deviation are those of the exponent."""
    drift = {"exponent": 0.1, "exponent_sigma": 0.02, "time_s": 1e4, "reference_time_s": 10.0}
    found = program_cells(np.full((400, 250), 2), 2, device(drift=drift), seed=0, layer="a").level
    exponents = -np.log10(found / 2) / 3
    assert exponents.mean() == pytest.approx(0.1, abs=5 * 0.02 / math.sqrt(found.size))
    assert exponents.var() == pytest.approx(0.02**2, rel=0.02)


def test_retention_is_a_stretched_exponential() -> None:
    conductance = np.array([1e-6, 3e-5])
    for stretch in (1.0, 0.5):
        at_tau = relaxed(conductance, 1e-5, time_s=50.0, tau_s=50.0, stretch=stretch)
        np.testing.assert_allclose(at_tau, 1e-5 + (conductance - 1e-5) / math.e)
    stretched = relaxed(conductance, 0.0, time_s=8.0, tau_s=2.0, stretch=0.5)
    np.testing.assert_allclose(stretched, conductance * math.exp(-2))
    np.testing.assert_allclose(relaxed(conductance, 2e-5, time_s=1e30, tau_s=1.0), [2e-5, 2e-5], rtol=1e-12)
    np.testing.assert_array_equal(relaxed(conductance, 2e-5, time_s=0.0, tau_s=1.0), conductance)


@pytest.mark.parametrize(("towards", "end"), [("low", 0.0), ("middle", 1.5), ("high", 3.0)])
@pytest.mark.parametrize("cell", [None, CELL])
def test_cells_relax_towards_an_end(towards: str, end: float, cell: object) -> None:
    relaxing = device(cell=cell, retention={"time_s": 3.0, "tau_s": 1.0, "stretch": 0.7, "towards": towards})
    found = program_cells(np.arange(4).reshape(2, 2), 2, relaxing, seed=0, layer="a").level.ravel()
    np.testing.assert_allclose(found, end + (np.arange(4) - end) * math.exp(-(3**0.7)), rtol=1e-5, atol=1e-6)


def test_heat_shortens_retention_by_arrhenius_law() -> None:
    """1 eV from 300 to 400 K: 11604.5 K x (1/300 - 1/400) = 9.6704, by hand."""
    assert arrhenius_tau(1e6, activation_ev=1.0, temperature_k=400, reference_temperature_k=300) == pytest.approx(
        1e6 * math.exp(-9.6704), rel=1e-3)  # fmt: skip
    hot = {"time_s": 60.0, "tau_s": 1e6, "activation_ev": 1.0, "temperature_k": 400.0, "reference_temperature_k": 300.0}
    found = program_cells(np.full((1, 1), 3), 2, device(retention=hot), seed=0, layer="a").level[0, 0]
    assert found == pytest.approx(3 * math.exp(-60 / (1e6 * math.exp(-9.6704))), rel=1e-3)


def test_failures_gather_with_reads_and_are_permanent() -> None:
    field = device(in_field={"failures_per_read": 1e-5, "stuck_is": "high"})
    targets = np.zeros((300, 300), dtype=np.uint8)
    before = np.zeros(targets.shape, dtype=bool)
    for reads in (1e3, 1e4, 1e5):
        found = program_cells(targets, 2, field, seed=0, layer="a", reads=reads)
        assert found.stuck is not None
        assert (before <= found.stuck).all()
        assert within_binomial(int(found.stuck.sum()), targets.size, 1 - (1 - 1e-5) ** reads)
        np.testing.assert_array_equal(found.level, 3.0 * found.stuck)
        before = found.stuck
    assert not failed(np.zeros(3), 0.5, 0).any() and failed(np.ones(3) - 1e-9, 1.0, 1).all()


def test_reads_disturb_cells_upwards() -> None:
    """E[(1 - d)^K] of a Poisson count K of mean n p is exp(-n p d)."""
    field = device(in_field={"read_disturb": 1e-4, "disturb_fraction": 0.2})
    targets = np.ones((400, 250), dtype=np.uint8)
    few, many = (program_cells(targets, 2, field, seed=0, layer="a", reads=reads).level for reads in (1e3, 2e4))
    assert (many >= few).all() and (few >= 1).all() and (many <= 3).all()
    assert few.mean() == pytest.approx(3 - 2 * math.exp(-0.1 * 0.2), abs=0.003)
    assert many.mean() == pytest.approx(3 - 2 * math.exp(-2 * 0.2), abs=0.005)


def test_quantiles_of_poissons_distribution() -> None:
    drawn = stream(0, "a", "b").random(100_000)
    for mean in (0.3, 7.0, 4000.0):
        counts = poisson_quantile(drawn, mean)
        assert counts.mean() == pytest.approx(mean, abs=5 * math.sqrt(mean / drawn.size))
        assert counts.var() == pytest.approx(mean, rel=0.03)
        assert (poisson_quantile(drawn, mean * 1.1) >= counts).all()
    assert (counts := poisson_quantile(drawn, 0.3))[drawn < math.exp(-0.3)].max() == 0 and counts.max() >= 4
    assert (poisson_quantile(drawn, 1e9) == 1e9).all() and (poisson_quantile(drawn, 0.0) == 0).all()
    assert np.isfinite(disturbed(drawn, drawn, end=1.0, probability=1.0, fraction=0.5, reads=1e9)).all()


def test_moments_of_transient_flips() -> None:
    targets = np.full((40, 25), 1)
    probability = 0.2
    mean, variance = flip_moments(np.array([1.0]), np.array([1]), np.arange(4.0), probability)
    # 0, 2 or 3 instead of 1: errors -1, 1, 2
    assert mean[0] == pytest.approx(probability * 2 / 3)
    assert variance[0] == pytest.approx(probability * 2 - (probability * 2 / 3) ** 2)
    cells = program_cells(targets, 2, device(in_field={"transient_flip": probability}), seed=0, layer="a")
    assert cells.variance is not None and cells.variance_by_level is not None
    np.testing.assert_allclose((cells.level[0, 0], cells.variance[0, 0]), (1 + mean[0], variance[0]), rtol=1e-6)
    sampled = program_cells(targets, 2, device(in_field={"transient_flip": probability}), seed=0, layer="a",
                            flips_are_sampled=True)  # fmt: skip
    assert sampled.ideal and sampled.variance is None and sampled.transient_flip == probability


def test_cells_are_stuck_past_their_endurance() -> None:
    worn = device(endurance={"writes": 1000.0, "stuck_is": "low"})
    targets = np.full((4, 4), 2, dtype=np.uint8)
    serves, fails = (program_cells(targets, 2, worn, seed=0, layer="a", write_number=n) for n in (999, 1000))
    assert serves.stuck is not None and not serves.stuck.any() and serves.ideal
    assert fails.stuck is not None and fails.stuck.all() and not fails.level.any()
    writes = np.where(np.arange(16).reshape(4, 4) < 5, 1001, 1)
    assert program_cells(targets, 2, worn, seed=0, layer="a", writes=writes).stuck.sum() == 5  # type: ignore[union-attr]
    spread = device(endurance={"writes": 1e6, "sigma_decades": 0.5})
    many = np.full((300, 300), 1, dtype=np.uint8)
    half, later = (program_cells(many, 2, spread, seed=0, layer="a", writes=n).stuck for n in (1e6, 10**6.5))
    assert half is not None and later is not None and (half <= later).all()
    assert within_binomial(int(half.sum()), many.size, 0.5)
    assert within_binomial(int(later.sum()), many.size, 0.8413447)  # one standard deviation
