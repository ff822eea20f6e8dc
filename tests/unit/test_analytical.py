"""The analytical model of a chip as its users meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from pimsim.config import load_system
from pimsim.costmodels.chip import estimate, outline
from pimsim.errors import InputError
from pimsim.results import load_result, result_json, save_result
from pimsim.workload import load_workload, lower


def pimsim_run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pimsim", "run", "mnist-mlp", "--arch", "isaac-ce", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False)


def test_an_estimate_says_what_it_is():
    found = estimate("mnist-mlp", "isaac-ce")
    assert (found.source.engine, found.source.network) == ("analytical", "ideal")
    assert found.notes[0].startswith("analytical estimate: no events")
    assert found.summary["throughput_per_s"] == pytest.approx(1e6 / 2.9)  # an image every 2.9 us


def test_an_estimate_is_saved_and_loaded_as_any_result(tmp_path):
    found = estimate("lenet5", "isaac-ce", batch=3)
    save_result(found, tmp_path / "run")
    assert load_result(tmp_path / "run").summary == found.summary


def test_time_of_layers_adds_up_to_the_run():
    for batch in (1, 5):
        found = estimate("lenet5", "isaac-ce", batch=batch)
        for layer in found.layers:
            assert sum(layer.time_ps.values()) == layer.replicas * found.times.run_ps
            assert min(layer.time_ps.values()) >= 0


def test_images_of_a_batch_follow_each_other_at_the_interval():
    one, many = estimate("lenet5", "isaac-ce"), estimate("lenet5", "isaac-ce", batch=4)
    assert one.times.output_interval_ps == many.times.output_interval_ps == 2_300_000
    assert many.times.run_ps == one.times.run_ps + 3 * 2_300_000
    assert sum(many.costs.dynamic_pj.values()) == sum(one.costs.dynamic_pj.values())


def test_systems_that_differ_in_prices_alone_share_their_outline(monkeypatch):
    dataflow, base = lower(load_workload("lenet5")), load_system("isaac-ce")
    first = estimate(dataflow, base)
    monkeypatch.setattr(outline, "plan_network", None)
    cheaper = estimate(dataflow, load_system("isaac-ce", ["chip.tile.ima.adc.bits=6"]))
    assert cheaper.times == first.times
    assert cheaper.costs.dynamic_pj["ima.adc"] < first.costs.dynamic_pj["ima.adc"]
    with pytest.raises(TypeError):  # a slower ADC is another schedule
        estimate(dataflow, load_system("isaac-ce", ["chip.tile.ima.adc.sample_rate_gsps=0.5"]))


def test_a_shared_outline_gives_exactly_what_an_own_one_does():
    dataflow = lower(load_workload("lenet5"))
    keys = ["chip.tile.ima.adc.bits=4", "chip.tile.ima.adc.range=full", "chip.tile.edram.cost.power_mw=3"]
    estimate(dataflow, load_system("isaac-ce"))
    shared = estimate(dataflow, load_system("isaac-ce", keys))
    outline.forget()
    assert result_json(estimate(dataflow, load_system("isaac-ce", keys))) == result_json(shared)


def test_wrong_input_is_refused_in_one_line():
    with pytest.raises(InputError, match="a batch of 0 images cannot be estimated"):
        estimate("lenet5", "isaac-ce", batch=0)
    with pytest.raises(InputError, match="overrides change a system given by name"):
        estimate("lenet5", load_system("isaac-ce"), overrides=["chips=2"])
    with pytest.raises(InputError, match="vgg16 does not fit"):
        estimate("vgg16", "isaac-ce")
    with pytest.raises(InputError, match="eDRAM of tile .* is too small"):
        estimate("alexnet", "isaac-ce-16", overrides=["chip.tile.edram.kib=1"])


def test_the_command_prints_an_estimate():
    done = pimsim_run("--fidelity", "analytical", "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["source"]["engine"] == "analytical"
    assert data["summary"]["latency_us"] == 7.9


@pytest.mark.parametrize("arguments", [("--noc", "flit"), ("--engine", "simpy"), ("--trace", "t.json")])
def test_what_only_events_can_do_is_refused(arguments):
    done = pimsim_run("--fidelity", "analytical", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"pimsim: {arguments[0]}: ") and done.stderr.count("\n") == 1
