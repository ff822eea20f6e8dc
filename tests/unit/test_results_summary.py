"""Latency, throughput, utilisation and the bottleneck, on runs whose figures can be worked out."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import pimsim
from pimsim.config import load_system
from pimsim.errors import InputError
from pimsim.results import assembly
from pimsim.results.assembly import _times
from pimsim.results.notebook import remarks
from pimsim.results.record import Resource, Times
from pimsim.results.usage import name_bottleneck
from pimsim.workload import load_workload, lower
from tests.networks import Network
from tests.unit.results_runs import joined, result


def one_matrix(batch: int, *overrides: str):  # type: ignore[no-untyped-def]
    """One vector of 128 through one full crossbar."""
    net = Network("one matrix")
    net.fc(net.input(1, 1, 128), 16)
    return pimsim.simulate(net.finish(), load_system("isaac-ce", overrides), batch=batch)


def test_throughput_is_measured_while_images_still_enter() -> None:
    short = one_matrix(8)
    assert short.times.throughput_per_s is None  # in its last half the system drains
    assert f"not measured (needs a batch of at least about {short.times.steady_batch})" in repr(short)
    enough = one_matrix(short.times.steady_batch)
    assert enough.times.throughput_per_s == pytest.approx(1e9 / 1600)  # a vector every 1,600 ns


def times_of(done: list[int], entered: list[int]) -> Times:
    """Times of images that entered and were done then, of a network that is an input alone."""
    program = SimpleNamespace(dataflow=SimpleNamespace(nodes=[SimpleNamespace(kind="input")]))
    timing = SimpleNamespace(image_done_ps=np.array(done), layer_last_ps=np.array(entered)[:, None])
    return _times(program, timing)  # type: ignore[arg-type]


def test_outputs_of_the_drain_do_not_count() -> None:
    done = [100 * (image + 1) for image in range(12)] + [1201, 1202, 1203, 1204]
    assert times_of(done, done[:-4] + [1200] * 4).output_interval_ps == 100  # 8 to 11 count
    assert times_of(done, done[:-4] + [1199] * 4).output_interval_ps is None  # only 8 to 10


def test_a_burst_that_no_resource_can_keep_up_is_no_throughput(monkeypatch: pytest.MonkeyPatch) -> None:
    real = assembly._times

    def burst(*arguments: Any) -> Times:
        return dataclasses.replace(real(*arguments), output_interval_ps=1_500_000.0)

    monkeypatch.setattr(assembly, "_times", burst)
    run = one_matrix(16)
    assert run.times.throughput_per_s is None and run.times.steady_batch == 32
    assert all(each.pace_share is None for each in run.resources)


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
    slow = pimsim.simulate(joined(), "isaac-ce", batch=2, engine="simpy")
    assert dataclasses.replace(slow, source=result().source) == result()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"batch": 0}, "a batch of 0 images cannot run"),
        ({"batch": 1.5}, "a batch of 1.5 images cannot run"),
        ({"noc": "bus"}, "there is no network 'bus'"),
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
    assert html.count("<tr>") == 17 + 1 + len(result().layers)
    assert "conv1" in html
    assert f"{result().usage.imas_used:,} of 2,016" in html and "IMAs" in repr(result())


def test_long_names_are_shortened_in_the_bottleneck_only() -> None:
    long = dataclasses.replace(one_matrix(1).layers[1], name="a" * 40 + "z" * 40)
    top = Resource("layer", long.name, 0.9, None)
    assert name_bottleneck((top,), (long,)) == f"layer {'a' * 14}...{'z' * 13}: each replica is busy 90% of the run"


def test_idle_chip_links_that_take_most_of_the_energy_are_remarked() -> None:
    run = pimsim.simulate(joined(), "isaac-ce", overrides=["mapping.replication=none"])
    few = dataclasses.replace(run, costs=dataclasses.replace(run.costs, static_pj={"chip.link": 1.0}))
    most = dataclasses.replace(run, costs=dataclasses.replace(run.costs, static_pj={"chip.link": 1e15}))
    assert remarks(few) == []
    assert remarks(most)[0].startswith("chip links idle at full power: 100% of the energy")
    assert remarks(most)[0] in repr(most) and remarks(most)[0] in most._repr_html_()
    crossing = dataclasses.replace(most.layers[1], counts={"link_byte": 1})
    assert remarks(dataclasses.replace(most, layers=(crossing,))) == []
