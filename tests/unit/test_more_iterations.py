"""Many iterations of training from three: beside all of them, figure by figure."""

from __future__ import annotations

from dataclasses import replace

import pytest

import pimsim
from pimsim.errors import InputError
from pimsim.results import load_result, with_ideal_network
from pimsim.results.assembly import build_result
from pimsim.results.files import write_files
from pimsim.results.ideal_network import on_ideal_network
from pimsim.results.training import LONGEST_PS
from pimsim.results.training_record import MoreIterations
from pimsim.workload import load_workload
from tests.unit.training_runs import mapped

CONVOLUTIONS = """\
format: pimsim-workload-1
name: cbc
source: of a test
inputs: {image: [3, 8, 8]}
layers:
  - {name: c1, type: conv, channels: 8, kernel: 3, padding: 1, batch_norm: true, activation: relu}
  - {name: c2, type: conv, channels: 4, kernel: 3, padding: 1}
  - {type: global_avg_pool}
  - {type: flatten}
"""
OF_THE_SIMULATED = {"iterations_simulated", "run_error_us", "energy_per_iteration_error_uj",
                    "waiting_for_packets_share", "bottleneck"}  # fmt: skip
"""Keys of the summary that need not be those of a run of which everything was simulated."""
CASES = {"batch": ("cbc", 4, 10, ()), "none": ("cbc", 2, 10, ("training.norm=none",)), "mlp": ("mlp-digits", 2, 9, ()),
         "lenet5": ("lenet5", 4, 8, ())}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Of each case, three iterations and all of them."""
    file = tmp_path_factory.mktemp("network") / "cbc.yaml"
    file.write_text(CONVOLUTIONS)
    known = {"cbc": load_workload(file)}
    return {
        name: tuple(
            pimsim.simulate(known.get(network, network), "hetero-3d", mode="train", batch=batch, iterations=iterations,
                            overrides=overrides, exact=exact)
            for exact in (False, True)
        )
        for name, (network, batch, iterations, overrides) in CASES.items()
    }  # fmt: skip


@pytest.mark.parametrize("case", CASES)
class TestBesideAllIterations:
    def test_the_end_is_within_its_error(self, runs, case: str) -> None:
        short, full = runs[case]
        more, iterations = short.training.more, CASES[case][2]
        assert (short.training.simulated, more.simulated, len(short.training.iteration_ps)) == (3, 3, 3)
        assert short.training.iterations == short.units == iterations == full.training.simulated
        assert full.training.more is None and full.energy_error_pj == 0
        assert abs(full.times.image_done_ps[-1] - more.done_ps) <= more.error_ps
        assert abs(full.times.run_ps - short.times.run_ps) <= more.error_ps < 0.02 * short.times.run_ps

    def test_energy_is_within_its_error_and_that_follows_from_the_time(self, runs, case: str) -> None:
        short, full = runs[case]
        slack = 1e-9 * full.costs.energy_pj
        assert abs(full.costs.energy_pj - short.costs.energy_pj) <= short.energy_error_pj + slack
        assert short.costs.dynamic_pj == full.costs.dynamic_pj
        by_hand = short.costs.static_power_w * short.training.more.error_ps / short.units
        assert short.energy_error_pj == pytest.approx(by_hand)
        whole = short.units * short.costs.energy_pj / short.times.run_ps
        assert short.costs.average_power_w == pytest.approx(whole)

    def test_wear_is_that_of_all_iterations(self, runs, case: str) -> None:
        short, full = runs[case]
        assert short.wear == full.wear and short.wear.max_writes == 1 + CASES[case][2]
        assert [each.iterations for each in short.training.wear.lifetimes] == [
            each.iterations for each in full.training.wear.lifetimes
        ]

    def test_hardware_is_as_busy(self, runs, case: str) -> None:
        short, full = runs[case]
        near = 2 * short.training.more.error_ps / full.times.run_ps + 1e-9
        assert short.training.core_busy_shares == pytest.approx(full.training.core_busy_shares, rel=near)
        assert short.tiles.busy_share == pytest.approx(full.tiles.busy_share, rel=near)
        assert short.links.channels == pytest.approx(full.links.channels, rel=near)
        assert short.tile_power_w == pytest.approx(full.tile_power_w, rel=near)

    def test_the_summary_is_that_of_all_iterations(self, runs, case: str) -> None:
        short, full = (run.summary for run in runs[case])
        near = 2 * runs[case][0].training.more.error_ps / runs[case][1].times.run_ps + 1e-9
        assert short.keys() == full.keys() and short["iterations"] == CASES[case][2]
        for key in short.keys() - OF_THE_SIMULATED:
            assert short[key] == full[key] or short[key] == pytest.approx(full[key], rel=near), key

    def test_what_is_of_the_simulated_ones_says_so(self, runs, case: str) -> None:
        short, full = runs[case]
        simulated_ps = short.times.image_done_ps[-1]
        assert all(sum(layer.time_ps.values()) < layer.replicas * short.times.run_ps for layer in short.layers)
        assert all(sum(layer.time_ps.values()) >= layer.replicas * simulated_ps for layer in short.layers)
        assert any("those of the 3 that were simulated" in note for note in short.notes)
        assert "extrapolated from 3, off by" in repr(short) and "extrapolated" not in repr(full)
        assert not any("extrapolated" in note for note in full.notes)


def test_it_is_saved_with_the_result(runs, tmp_path):
    short = runs["mlp"][0]
    write_files(short, tmp_path)
    assert load_result(tmp_path) == short


def test_the_ideal_network_is_compared_over_the_simulated_ones():
    program, timing = mapped("norm", (), "gpu")
    few = timing.image_done_ps
    more = MoreIterations(3, int(few[-1]) + 7 * int(few[-1] - few[-2]), int(few[-1] - few[-2]), 0)
    run = build_result(program, timing, 2 * 10, "compiled", more=more)
    both = with_ideal_network(run, on_ideal_network(program), replace(timing, image_done_ps=few // 2))
    assert both.times_on_ideal is not None and len(both.times_on_ideal.image_done_ps) == 3
    assert both.lost_to_network == pytest.approx(0.5)


def test_a_run_whose_iterations_are_not_alike_is_simulated_whole():
    run = pimsim.simulate("lenet5", "pipelayer", mode="train", batch=2, iterations=5)
    assert run.training.more is None and run.training.simulated == run.training.iterations == 5
    three = run.training.iteration_ps[:3]
    assert max(three) - min(three[1:]) > 0.01 * max(three)


def test_three_are_simulated_as_they_are():
    assert pimsim.simulate("lenet5", "hetero-3d", mode="train", batch=2, iterations=3).training.more is None


def test_so_many_that_no_clock_goes_so_far_are_refused():
    program, timing = mapped("two", (), "gpu")
    with pytest.raises(OverflowError, match="take longer than the simulator's clock"):
        build_result(program, timing, 2 * 10**9, "compiled", more=MoreIterations(3, LONGEST_PS, 1, 0))


@pytest.mark.parametrize(("iterations", "mode"), [(0, "train"), (True, "train"), (2, "infer")])
def test_iterations_that_cannot_run(iterations, mode):
    with pytest.raises(InputError, match="iterations"):
        pimsim.simulate("lenet5", "hetero-3d", mode=mode, iterations=iterations)
