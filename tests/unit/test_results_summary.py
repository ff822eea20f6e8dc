"""Latency, throughput, utilisation and the bottleneck, on runs whose figures can be worked out."""

import pytest

import pimsim
from pimsim.config import load_system
from pimsim.errors import InputError
from pimsim.workload import load_workload, lower
from tests.networks import Network
from tests.unit.results_runs import joined, result


def one_matrix(batch: int, *overrides: str):  # type: ignore[no-untyped-def]
    """One vector of 128 through one full crossbar."""
    net = Network("one matrix")
    net.fc(net.input(1, 1, 128), 16)
    return pimsim.simulate(net.finish(), load_system("isaac-ce", overrides), batch=batch)


def test_throughput_is_measured_from_eight_images_on() -> None:
    assert one_matrix(7).times.throughput_per_s is None
    assert one_matrix(8).times.throughput_per_s == pytest.approx(1e9 / 1600)  # a vector every 1,600 ns
    assert "not measured" in repr(one_matrix(7))


def test_latency_is_that_of_the_first_image() -> None:
    run = one_matrix(8)
    assert run.times.latency_ps == run.times.image_done_ps[0] == one_matrix(1).times.latency_ps
    assert run.times.run_ps == run.times.image_done_ps[-1]


def test_spatial_and_temporal_utilisation_are_apart() -> None:
    run = one_matrix(8)
    assert (run.usage.crossbars_used, run.usage.cells_used_share) == (1, 1.0)
    assert run.usage.crossbars_used_share == pytest.approx(1 / 16128)
    assert run.usage.crossbar_busy_share == pytest.approx(8 * 1.6e6 / run.times.run_ps)
    used = [tile for tile, crossbars in enumerate(run.tiles.crossbars_used) if crossbars >= 0]
    assert [run.tiles.busy_share[tile] for tile in used] == [pytest.approx(run.usage.crossbar_busy_share)]


def test_the_layer_that_sets_the_pace_is_the_bottleneck() -> None:
    run = one_matrix(16)
    assert run.resources[0].kind == "layer"
    assert run.resources[0].pace_share == pytest.approx(1)
    assert run.bottleneck == "layer fc1: each replica is busy 100% of the time between outputs"


def test_a_slow_host_is_the_bottleneck() -> None:
    run = one_matrix(16, "host.gb_per_s=0.05")
    assert run.resources[0].kind == "host"
    assert run.resources[0].pace_share > 0.95
    assert run.bottleneck.startswith("the host link is busy ")


def test_a_slow_network_is_the_bottleneck_and_named_by_its_place() -> None:
    run = one_matrix(16, "chip.noc.clock_ghz=0.01")
    assert run.bottleneck.startswith("link router to tile 0 is busy ")
    assert run.bottleneck.endswith("between outputs")


def test_a_run_in_which_nothing_is_busy_is_bound_by_latency() -> None:
    assert result(batch=1).bottleneck.startswith("latency: nothing is busy half of the run; nearest: ")


def test_a_workload_may_be_given_by_name_as_a_workload_or_as_a_dataflow() -> None:
    named = pimsim.simulate("lenet5", "isaac-ce")
    workload = load_workload("lenet5")
    assert pimsim.simulate(workload, load_system("isaac-ce")) == named
    assert pimsim.simulate(lower(workload), "isaac-ce") == named
    assert named.source.macs == workload.macs


def test_overrides_change_the_run_and_its_hash() -> None:
    slow = pimsim.simulate(joined(), "isaac-ce", overrides=["chip.tile.ima.adc.sample_rate_gsps=0.64"])
    assert slow.times.latency_ps > result(batch=1).times.latency_ps
    assert slow.source.config_hash != result(batch=1).source.config_hash
    assert slow.source.workload_hash == result(batch=1).source.workload_hash


def test_the_simpy_engine_gives_the_same_result() -> None:
    import dataclasses

    slow = pimsim.simulate(joined(), "isaac-ce", batch=2, engine="simpy")
    assert dataclasses.replace(slow, source=result().source) == result()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"batch": 0}, "a batch of 0 images cannot run"),
        ({"batch": 1.5}, "a batch of 1.5 images cannot run"),
        ({"noc": "flit"}, "there is no network 'flit'"),
        ({"engine": "magic"}, "there is no engine 'magic'"),
        ({"system": load_system("isaac-ce"), "overrides": ["chips=2"]}, "overrides"),
    ],
)
def test_a_wrong_argument_is_an_input_error(change: dict[str, object], told: str) -> None:
    arguments = {"workload": joined(), "system": "isaac-ce"} | change
    with pytest.raises(InputError, match=told):
        pimsim.simulate(**arguments)  # type: ignore[arg-type]


def test_a_result_in_a_notebook_shows_figures_and_layers() -> None:
    html = result()._repr_html_()
    assert "<th style='text-align:left'>Latency</th>" in html
    assert html.count("<tr>") == 13 + 1 + len(result().layers)
    assert "conv1" in html
