"""Kernels for whole batches, as on a chip of nothing but GPU cores."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings

from pimsim.arch.run import run_compiled
from pimsim.baselines import preset_device
from pimsim.costmodels.roofline import training_roofline
from pimsim.errors import InputError
from pimsim.mapping.compile import map_network
from pimsim.reference import run_simpy
from pimsim.simulation import simulate
from pimsim.workload import Dataflow, Training, expand_training, load_workload
from pimsim.workload.training.batched import BANDED, whole_batches
from tests.differential.comparison import differences
from tests.differential.test_engine_equals_reference import RANDOM
from tests.differential.test_training_metamorphic import changed
from tests.differential.training_cases import TrainingCase, training_cases
from tests.networks import Network
from tests.unit.training_checks import check_rates, finished, named, networks, options


def work(dataflow: Dataflow, kind: str) -> dict[str, int]:
    """Node -> FLOPs, MACs or values of a batch."""
    return {node.name: getattr(node, kind) * (dataflow.batch // node.every) for node in dataflow.nodes}


@given(networks(), options)
@settings(max_examples=80, deadline=None)
def test_the_work_of_a_batch_stays_the_same(dataflow, chosen):
    single = expand_training(dataflow, chosen)
    batched = whole_batches(single, chosen.cores)
    check_rates(batched)
    assert [node.name for node in batched.nodes] == [node.name for node in single.nodes]
    assert work(batched, "macs") == work(single, "macs")
    combined = {node.name for node in single.nodes
                if any(single.nodes[edge.source].type in BANDED for edge in node.edges)}  # fmt: skip
    flops, before = work(batched, "flops"), work(single, "flops")
    assert all(flops[name] == before[name] for name in flops if name not in combined)
    values, before = work(batched, "memory_values"), work(single, "memory_values")
    assert all(values[name] <= before[name] for name in values)
    for node, old in zip(batched.nodes, single.nodes, strict=True):
        assert node.every == chosen.batch
        sent = node.positions * node.channels
        if old.type not in BANDED:  # as many values of a batch are sent, but for bands that are not alike
            emissions, before = (chosen.batch // each.every // each.emits_every for each in (node, old))
            values = old.positions * old.channels * before
            bands = node.grid[0] // chosen.batch if old.every == old.emits_every == 1 else 1
            assert sent * emissions == values if old.output_grid[0] % bands == 0 else sent * emissions > values


def test_weights_and_sums_pass_the_memory_once() -> None:
    net = Network()
    net.batch_norm(net.conv(net.input(4, 4, 2), 8, 3, relu=False))
    batched = whole_batches(expand_training(finished(net), Training(8, 128, 3)), 3)
    conv = next(node for node in batched.nodes if node.kind == "mvm")
    assert (conv.grid, conv.channels, conv.every, conv.macs) == ((8, 1), 4 * 4 * 8, 8, 8 * 16 * 18 * 8)
    statistics = next(node for node in batched.nodes if node.type == "Statistics")
    assert (statistics.grid, statistics.emits_every, statistics.every) == ((3, 1), 1, 8)
    assert (statistics.edges[0].rows_lo.tolist(), statistics.edges[0].rows_hi.tolist()) == ([0, 2, 5], [1, 4, 7])
    # an image: 4 x 4 x (2 + 8) values; the sum of 144 weights in and out
    gradients = [node for node in batched.nodes if node.operation == "WeightGradient"]
    parts = len(gradients)
    assert sum(node.memory_values for node in gradients) == 8 * 16 * (2 + parts * 8) + 2 * 144


def test_fewer_images_than_cores_are_cut_into_bands_of_rows() -> None:
    """Two images of 5 rows on 6 cores: three bands of 1, 2 and 2 rows; a 3x3 kernel needs a row on either side."""
    net = Network()
    net.conv(net.conv(net.input(5, 4, 2), 8, relu=False), 8, relu=False)
    batched = whole_batches(expand_training(finished(net), Training(2, 128, 6)), 6)
    conv = [node for node in batched.nodes if node.kind == "mvm" and node.phase == "forward"][1]
    assert (conv.grid, conv.channels) == ((6, 1), 2 * 4 * 8)
    assert conv.edges[0].rows_lo.tolist() == [0, 0, 1, 3, 3, 4]
    assert conv.edges[0].rows_hi.tolist() == [1, 2, 2, 4, 5, 5]


def test_a_larger_batch_never_slows_an_image_down() -> None:
    times = []
    for batch in (1, 2, 4, 16, 64):
        training = simulate("lenet5", "gpu-only-3d", mode="train", batch=batch).training
        assert training is not None
        times.append(training.time_per_image_ps)
    assert times == sorted(times, reverse=True)


def test_a_sub_batch_goes_through_together() -> None:
    net = Network()
    net.batch_norm(net.conv(net.input(4, 4, 2), 8))
    chosen = Training(8, 128, 2, "sub-batch", 4)
    batched = whole_batches(expand_training(finished(net), chosen), 2)
    assert named(batched, "norm2/combine").every == named(batched, "norm2").every == 4
    gradient = next(node for node in batched.nodes if node.operation == "WeightGradient")
    assert (gradient.every, gradient.emits_every) == (4, 2)


def gpu_only(chip: dict[str, Any]) -> None:
    chip["tiers"] = ["gpu"] * len(chip["tiers"])


def test_engine_and_reference_agree_on_chips_of_gpu_cores_alone() -> None:
    found = 0

    @settings(RANDOM, max_examples=20)
    @given(training_cases())
    def equal(case: TrainingCase) -> None:
        nonlocal found
        system = changed(case.system, gpu_only)
        chosen = Training(case.batch, 16, system.chip.gpu_cores, "sub-batch" if case.sub_batch else "batch",
                          case.sub_batch)  # fmt: skip
        try:
            program = map_network(expand_training(case.dataflow, chosen), system, case.network)
        except InputError:
            assume(False)
        images = case.batch * case.iterations
        timing = run_compiled(program, images, log=True)
        assert differences(timing, run_simpy(program, images, log=True)) == []
        found += bool((timing.lost_ps["core"] > 0).any())

    equal()
    assert found >= 5


@pytest.mark.parametrize("network", ["resnet20-cifar"])
def test_a_chip_of_gpu_cores_is_near_its_own_roofline(network: str) -> None:
    """64 multiprocessors of a V100's 80: slower than the bound, by what cores wait for each other."""
    batch = 64
    bound = training_roofline(load_workload(network), preset_device("v100"), batch=batch).time_s * 80 / 64
    training = simulate(network, "gpu-only-3d", mode="train", batch=batch).training
    assert training is not None
    assert bound < training.time_per_iteration_ps / 1e12 < 2 * bound
