"""Results of training: counts and energies worked out by hand, and what must add up whatever is trained."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from pimsim.arch.run import run_compiled
from pimsim.config import load_system
from pimsim.errors import InputError
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.mapping.timing import Timing
from pimsim.results import Result, build_result, load_result, reprice, result_json, save_result, with_endurance
from pimsim.results.assembly import workload_hash
from pimsim.results.counting import cells_of_crossbars, tally
from pimsim.results.record import TIME_PARTS
from pimsim.results.sending import sending
from pimsim.results.time_split import run_end_ps, split_time
from pimsim.results.training_record import KINDS, PHASES
from pimsim.results.training_wear import wear_of_training
from pimsim.results.work import kernels_of
from pimsim.workload.dataflow import Dataflow
from pimsim.workload.training import Training, expand_training
from tests.differential.training_cases import TrainingCase, training_cases
from tests.networks import Network
from tests.unit.results_runs import joined, result

BATCH, ITERATIONS = 2, 3
BITS = 16

STATIC = ("chip.tile.ima.adc.cost.static_fraction=0.25", "chip.tile.edram.cost.static_fraction=0.5",
          "mapping.replication=none")  # fmt: skip


def two_layers() -> Dataflow:
    """4x4x4 inputs, a convolution of 3x3 to 8 channels, ReLU, and 3 outputs."""
    net = Network()
    net.fc(net.conv(net.input(4, 4, 4), 8), 3)
    return net.finish()


def with_norm() -> Dataflow:
    """A BatchNorm beside a shortcut."""
    net = Network()
    x = net.conv(net.input(4, 4, 4), 8)
    x = net.add(net.batch_norm(net.conv(x, 8, relu=False)), x)
    net.fc(net.mean(x), 3)
    return net.finish()


@cache
def trained(
    network: str = "two", *overrides: str, noc: str = "packet", gradient: str = "gpu", batch: int = BATCH,
    iterations: int = ITERATIONS,
) -> tuple[Program, Timing, Result]:  # fmt: skip
    system = load_system("hetero-3d", ["mapping.replication=none", *overrides])
    dataflow = {"two": two_layers, "norm": with_norm}[network]()
    options = Training(batch=batch, rows=128, cores=32, weight_gradient=gradient)  # type: ignore[arg-type]
    program = map_network(expand_training(dataflow, options), system, noc)
    timing = run_compiled(program, batch * iterations)
    return program, timing, build_result(program, timing, batch * iterations, "compiled")


def counts(name: str, *arguments: str, **given: str) -> dict[str, int]:
    return trained(*arguments, **given)[2].layer(name).counts  # type: ignore[arg-type]


class TestCounts:
    """Of one iteration: two images forward and backward, one update."""

    def test_matrices_work_for_every_image(self) -> None:
        assert counts("conv1")["crossbar_read"] == 2 * 16 * 16  # images, windows, bits; 36 rows and 64 columns
        assert counts("fc2")["crossbar_read"] == 2 * 1 * 16  # 128 rows, 24 columns
        assert counts("fc2/backward")["crossbar_read"] == 2 * 1 * 16 * 8  # 3 rows, 1,024 columns
        assert counts("conv1")["sigmoid_value"] == 2 * 16 * 8
        assert counts("input")["host_byte"] == 2 * 16 * 4 * 2

    def test_an_update_reads_and_writes_every_row_once_and_converts_nothing(self) -> None:
        for name, rows, cells in (("conv1", 36, 36 * 64), ("fc2", 128, 128 * 24), ("fc2/backward", 3 * 8, 3 * 1024)):
            found = counts(f"{name}/update")
            assert (found["row_read"], found["row_write"], found["dac_drive"]) == (rows, rows, rows)
            assert found["cell_write"] == cells
            assert "crossbar_read" not in found and "conversion" not in found

    def test_pulses_are_writes_of_rows_and_cells_but_not_reads(self) -> None:
        found = counts("conv1/update", "two", "chip.tile.ima.crossbar.write_pulses=3")
        assert (found["row_read"], found["row_write"], found["cell_write"]) == (36, 3 * 36, 3 * 36 * 64)

    def test_an_update_reads_its_steps_from_the_tile(self) -> None:
        steps = 128 * 8 * BITS  # a row takes one value of each of eight parts
        assert counts("fc2/update")["edram_bit"] == counts("fc2/update")["bus_bit"] == steps

    def test_kernels_are_busy_as_long_as_the_roof_says(self) -> None:
        loss = counts("fc2/loss")
        assert (loss["kernel_launch"], loss["kernel_flop"]) == (2, 2 * 6 * 3)
        assert loss["kernel_ps"] == 2 * 3211  # nine values of 4 bytes at 11.2125 GB/s take 3,210.7 ps
        step = counts("fc2/optimiser:0")
        assert (step["kernel_launch"], step["kernel_flop"]) == (1, 4 * 48)
        assert step["kernel_ps"] == 128 * 536  # 192 values take 68,495.0 ps: 535.1 ps for each of 128 results
        assert not {"crossbar_read", "bus_bit", "sigmoid_value", "vector_value"} & loss.keys()

    def test_packets_pass_the_memories_of_the_cores_that_they_leave_and_reach(self) -> None:
        assert counts("fc2")["gpu_memory_bit"] == 2 * 3 * BITS  # written for the loss
        readers = 8  # cores with a part of the gradient of fc2's weights; the ninth is a ReRAM tile, with fc2/backward
        assert counts("fc2/loss")["gpu_memory_bit"] == 2 * 3 * BITS * (1 + readers)
        assert counts("fc2/loss")["edram_bit"] == 2 * 3 * BITS
        assert "gpu_memory_bit" not in counts("fc2/gradient:0")  # its optimiser is on the same core

    def test_a_sum_over_the_batch_is_sent_once(self) -> None:
        assert counts("fc2/optimiser:0")["packet"] == 128  # 128 rows, once in two images
        assert counts("conv1")["packet"] == 2 * 16
        assert counts("fc2/loss")["packet"] == 2

    def test_activations_are_written_once_an_image(self) -> None:
        program, _, run = trained("two", gradient="outer")
        for name in ("conv1", "fc2"):
            target, found = run.layer(f"{name}/gradient:0"), counts(f"{name}/activations", "two", gradient="outer")
            assert found["cell_write"] == 2 * target.cells_used > 0
            assert target.counts["crossbar_read"] > 0
            assert run.layer(f"{name}/activations").crossbars == 0  # they are the target's
        assert run.usage.crossbars_used == sum(layer.crossbars for layer in run.layers)
        assert run.programming.cells == sum(run.layer(n).cells_used for n in ("conv1", "fc2", "fc2/backward"))

    def test_windows_and_macs_are_those_of_an_iteration(self) -> None:
        run = trained()[2]
        assert [run.layer(n).windows for n in ("conv1", "fc2/update", "fc2/optimiser:1")] == [32, 128, 128]
        assert run.layer("conv1").macs == 2 * 16 * 36 * 8
        assert run.source.macs == sum(layer.macs for layer in run.layers)


class TestEnergy:
    def test_kernels_and_memory_by_hand(self) -> None:
        _, _, run = trained()
        energy = run.costs.by_layer_pj[[layer.name for layer in run.layers].index("fc2/loss")]
        assert energy["gpu.gpu_core"] == pytest.approx(0.9 * 3125 * 6.422)  # 250 W / 80, a tenth of it static
        assert energy["gpu.memory"] == pytest.approx(3.9 * 2 * 3 * BITS * 9)

    def test_writes_by_hand(self) -> None:
        _, _, run = trained("two", "chip.tile.ima.crossbar.write_pulses=3")
        energy = run.costs.by_layer_pj[[layer.name for layer in run.layers].index("conv1/update")]
        assert energy["ima.write"] == pytest.approx(0.2 * 3 * 36 * 64)
        assert energy["ima.crossbar"] == pytest.approx(36 * 0.3 * 100 / 128)  # a row's share of 0.3 mW for 100 ns
        assert energy["ima.dac"] == pytest.approx(36 * 4 / 1024 * 100)

    def test_static_power_is_that_of_the_cores_and_tiles_in_use(self) -> None:
        _, _, run = trained("two", *STATIC)
        static, run_ps = run.costs.static_pj, run.times.run_ps
        assert (run.usage.tiles, run.usage.tiles_used, run.usage.gpu_cores, run.usage.gpu_cores_used) == (32, 1, 32, 13)
        assert static["gpu.gpu_core"] == pytest.approx(13 * 0.3125 * run_ps / ITERATIONS)
        assert static["ima.adc"] == pytest.approx(360 * 8 * 0.25 * 2e-3 * run_ps / ITERATIONS)
        leaking = trained("two", *STATIC, "idle=leaking")[2].costs.static_pj
        assert leaking["gpu.gpu_core"] == pytest.approx(32 / 13 * static["gpu.gpu_core"])
        assert leaking["ima.adc"] == pytest.approx(32 * static["ima.adc"])

    def test_phases_and_kinds_are_all_of_the_energy(self) -> None:
        run = trained("norm", *STATIC)[2]
        assert run.training is not None
        assert [each.phase for each in run.training.phases] == list(PHASES)
        assert [each.kind for each in run.training.kinds] == list(KINDS)
        dynamic = sum(run.costs.dynamic_pj.values())
        assert sum(each.dynamic_pj for each in run.training.phases) == pytest.approx(dynamic)
        assert sum(each.energy_pj for each in run.training.kinds) == pytest.approx(run.costs.energy_pj)
        assert all(each.energy_pj > 0 for each in run.training.kinds[:3])

    def test_other_prices_reach_phases_kinds_and_writes(self) -> None:
        run = trained()[2]
        system = load_system("hetero-3d", ["mapping.replication=none", "chip.tile.ima.crossbar.write_cell_pj=0.4"])
        dear = reprice(run, system)
        assert run.training is not None and dear.training is not None
        extra = run.costs.dynamic_pj["ima.write"]
        assert dear.training.phases[-1].dynamic_pj == pytest.approx(run.training.phases[-1].dynamic_pj + extra)
        assert dear.training.kinds[0].dynamic_pj == pytest.approx(run.training.kinds[0].dynamic_pj + extra)
        assert [each.energy_pj for each in dear.training.wear.layers] == pytest.approx(
            [2 * each.energy_pj for each in run.training.wear.layers]
        )
        assert dear.tile_power_w == ()
        assert reprice(run, load_system("hetero-3d", ["mapping.replication=none"])) == run

    def test_the_bound_of_power_counts_a_core_once_however_many_layers_share_it(self) -> None:
        costs = trained("norm")[2].costs
        free = trained("norm", "chip.gpu_core.cost.power_mw=0")[2]
        cores = free.usage.gpu_cores_used
        assert costs.peak_power_bound_w - free.costs.peak_power_bound_w == pytest.approx(cores * 3.125, rel=1e-6)


def beside_the_tiles(run: Result) -> float:
    """Energy of the run [pJ] that belongs to no tile: links between chips, and DRAM."""
    costs, apart = run.costs, ("chip.link", "chip.dram")
    return run.units * sum(costs.dynamic_pj.get(name, 0.0) + costs.static_pj.get(name, 0.0) for name in apart)


class TestPowerOfTiles:
    @pytest.mark.parametrize("network", ["two", "norm"])
    @pytest.mark.parametrize("noc", ["packet", "flit", "ideal"])
    @pytest.mark.parametrize("idle", ["gated", "leaking"])
    def test_tiles_draw_the_energy_of_the_run(self, network: str, noc: str, idle: str) -> None:
        run = trained(network, *STATIC, f"idle={idle}", "chip.noc.cost.static_fraction=0.2", noc=noc)[2]
        assert len(run.tile_power_w) == 64
        drawn = sum(run.tile_power_w) * run.times.run_ps
        assert drawn == pytest.approx(run.units * run.costs.energy_pj - beside_the_tiles(run), rel=1e-9)

    @pytest.mark.parametrize("name", ["joined", "wide"])
    def test_so_do_those_of_inference(self, name: str) -> None:
        run = result(name, 2, "packet", (STATIC[0], "chip.noc.cost.static_fraction=0.1"))
        drawn = sum(run.tile_power_w) * run.times.run_ps
        assert drawn == pytest.approx(run.units * run.costs.energy_pj - beside_the_tiles(run), rel=1e-9)
        assert run.costs.dynamic_pj.keys() >= {"tile.router", "ima.adc"}

    def test_a_gpu_core_draws_its_kernels_its_memory_and_its_static_power(self) -> None:
        program, _, run = trained()
        tile = program.replicas.tile[[layer.name for layer in run.layers].index("fc2/loss")]
        here, apart = tally(program), ("router_flit_hop", "channel_bit_um", "tsv_bit")
        kernel_ps, bits = (int(here.by_tile[action][tile]) for action in ("kernel_ps", "gpu_memory_bit"))
        assert kernel_ps == 2 * 3211
        assert bits == 2 * 3 * BITS * 2  # what reaches it from fc2, and what leaves it
        pj = ITERATIONS * (0.9 * 3125 * kernel_ps / 1000 + 3.9 * bits)
        router = sum(
            ITERATIONS * int(here.by_router[action][tile]) * price
            for action, price in zip(apart, router_prices(), strict=True)
        )
        assert run.tile_power_w[tile] == pytest.approx(0.3125 + (pj + router) / run.times.run_ps)

    def test_where_something_happens_is_all_of_what_somebody_did(self) -> None:
        program = trained("norm")[0]
        found = tally(program)
        for action in (*found.by_tile, *found.by_router):
            where = found.by_tile if action in found.by_tile else found.by_router
            assert where[action].sum() == found.by_layer[action].sum(), action


def router_prices() -> tuple[float, float, float]:
    """Of one flit of 256 bits through a router, one bit over a um, one bit through silicon [pJ]."""
    return 256 * (0.0325 + 0.0247 + 0.00625) + 0.11, 0.0488 / 1000, 0.0125


class TestTime:
    @pytest.mark.parametrize("network", ["two", "norm"])
    @pytest.mark.parametrize("noc", ["packet", "ideal"])
    @pytest.mark.parametrize("schedule", ["slotted", "dynamic"])
    def test_the_parts_add_up_for_every_replica(self, network: str, noc: str, schedule: str) -> None:
        slot = ["pipeline.slot_ns=100"] if schedule == "slotted" else []
        program, timing, run = trained(network, f"pipeline.schedule={schedule}", *slot, noc=noc)
        parts = split_time(program, timing, BATCH * ITERATIONS)
        assert tuple(parts) == TIME_PARTS
        assert np.all(np.sum(list(parts.values()), axis=0) == run_end_ps(timing))
        assert all(np.all(ps >= 0) for ps in parts.values())

    def test_a_kernel_works_for_its_launches_and_its_windows(self) -> None:
        run = trained()[2]
        assert run.layer("fc2/loss").time_ps["compute"] == 6 * (500_000 + 3211)
        assert run.layer("fc2/optimiser:0").time_ps["compute"] == ITERATIONS * (500_000 + 128 * 536)
        assert run.layer("fc2/loss").image_ps == 2 * (500_000 + 3211)

    def test_iterations_follow_each_other_until_the_last_weight_is_written(self) -> None:
        program, timing, run = trained("norm")
        training, times = run.training, run.times
        assert training is not None and run.mode == "train" and run.units == ITERATIONS
        assert len(times.image_done_ps) == ITERATIONS == len(training.iteration_ps)
        assert np.cumsum(training.iteration_ps).tolist() == list(times.image_done_ps) == timing.image_done_ps.tolist()
        assert times.latency_ps == training.iteration_ps[0]
        later = sum(training.iteration_ps[1:]) / 2
        assert times.output_interval_ps == training.time_per_iteration_ps == later
        assert training.images_per_s == pytest.approx(2e12 / later)
        assert run.summary["images_per_s"] == training.images_per_s and run.summary["throughput_per_s"] is None

    def test_a_single_iteration_is_its_own_measure(self) -> None:
        run = trained(iterations=1)[2]
        assert run.training is not None and run.times.output_interval_ps is None
        assert run.training.time_per_iteration_ps == run.times.latency_ps == run.training.iteration_ps[0]

    def test_the_timeline_has_a_row_an_iteration(self) -> None:
        run = trained("norm")[2]
        first, last = np.array(run.timeline.first_start_ps), np.array(run.timeline.last_output_ps)
        assert first.shape == last.shape == (ITERATIONS, len(run.layers))
        assert np.all(first >= 0) and np.all(first <= last) and np.all(np.diff(first, axis=0) > 0)
        assert last.max() <= run.times.run_ps
        assert [layer.first_start_ps for layer in run.layers] == first[0].tolist()

    def test_phases_begin_and_end_in_their_order(self) -> None:
        training = trained("norm")[2].training
        assert training is not None
        ends = [phase.last_output_ps for phase in training.phases]
        assert ends == sorted(ends)
        forward, backward = training.phases[:2]
        assert forward.last_output_ps < backward.last_output_ps
        assert backward.first_start_ps > forward.first_start_ps

    def test_cores_are_busy_as_their_ports_say(self) -> None:
        program, timing, run = trained("norm")
        assert run.training is not None
        busy = timing.ports["core"].busy_ps
        assert busy.sum() == sum(
            ITERATIONS * (layer.counts.get("kernel_ps", 0) + 500_000 * layer.counts.get("kernel_launch", 0))
            for layer in run.layers
        )
        assert sum(run.training.core_busy_shares) * run.times.run_ps == pytest.approx(busy.sum())
        assert run.tiles.gpu_cores == tuple(np.flatnonzero(program.on_gpu).tolist())
        assert [run.tiles.busy_share[tile] for tile in run.tiles.gpu_cores] == pytest.approx(
            (busy[program.on_gpu] / run.times.run_ps).tolist()
        )

    def test_a_core_that_is_busy_all_the_time_is_the_bottleneck(self) -> None:
        slow = trained("norm", "chip.gpu_core.memory.gb_per_s=0.001")[2]
        assert slow.bottleneck.startswith("GPU core of tile")


class TestPlaces:
    def test_saved_activations_take_places_for_both_images(self) -> None:
        training = trained()[2].training
        assert training is not None
        # inputs of both layers on GPU cores for the gradients of their weights; the signs of conv1's for its own
        assert training.saved_bytes == {"edram": 2 * 16 * 8 * 2, "dram": 0, "gpu_memory": 2 * 16 * (4 + 8) * 2}

    def test_flits_between_tiers_are_those_that_are_delivered(self) -> None:
        for network in ("two", "norm"):
            run = trained(network)[2]
            assert run.training is not None
            traffic = run.training.traffic
            assert traffic.kinds == ("gpu", "reram", "gpu", "reram")
            arrived = sum(map(sum, traffic.flits)) + sum(traffic.from_host)
            assert arrived == sum(layer.counts.get("flit_eject", 0) for layer in run.layers)
            off = sum(traffic.flits[i][j] for i in range(4) for j in range(4) if (i + j) % 2)
            assert traffic.between_kinds == off > 0

    def test_traffic_of_the_loss_by_hand(self) -> None:
        program, _, run = trained()
        tier = program.fabric.tier[program.replicas.tile]
        names = [layer.name for layer in run.layers]
        assert {tier[names.index(name)] for name in ("conv1", "fc2", "fc2/backward")} == {1}
        assert run.training is not None
        # two flits, header and data, of: 32 positions of conv1 to 8 cores; 2 of fc2; 32 of delta to 4 cores
        assert run.training.traffic.flits[1] == (2 * (32 * 8 + 2 + 32 * 4), 0, 0, 0)


class TestWear:
    def test_every_cell_of_a_weight_is_written_once_an_iteration(self) -> None:
        program, _, run = trained("norm")
        assert run.training is not None
        written = {each.name: each for each in run.training.wear.layers}
        assert written.keys() == {layer.name for layer in run.layers if layer.cells_used}
        for name, each in written.items():
            assert (each.cells, each.cell_writes, each.activations) == (run.layer(name).cells_used, 1.0, False)
            assert counts(f"{name}/update", "norm")["cell_write"] == each.cells
        assert run.wear.writes == (1 + ITERATIONS) * run.programming.cells
        assert (run.wear.max_writes, run.wear.mean_writes) == (1 + ITERATIONS, 1.0 + ITERATIONS)

    def test_lifetimes_are_iterations_and_years_at_this_pace(self) -> None:
        run = trained()[2]
        assert run.training is not None
        low, high = run.training.wear.lifetimes
        years = 1e8 * run.training.time_per_iteration_ps / 1e12 / 31_557_600
        assert (low.iterations, low.years, low.layer) == (10**8, pytest.approx(years), "fc2")
        assert high.iterations == 10**12

    def test_crossbars_of_activations_wear_out_first(self) -> None:
        run = trained("two", gradient="outer")[2]
        assert run.training is not None
        low = run.training.wear.lifetimes[0]
        assert (low.iterations, low.layer) == (10**8 // BATCH, "conv1/gradient:0")
        assert run.wear.max_writes == BATCH * ITERATIONS
        kinds = {each.name: each.activations for each in run.training.wear.layers}
        assert kinds == {"conv1": False, "fc2": False, "fc2/backward": False, "conv1/gradient:0": True,
                         "fc2/gradient:0": True}  # fmt: skip

    def test_where_only_changed_cells_are_written_they_last_longer(self) -> None:
        program, _, run = trained("two", gradient="outer")
        part = {each.name: each.cell_writes for each in wear_of_training(program, 1.0, 0.25).layers}
        assert (part["conv1"], part["conv1/gradient:0"]) == (0.25, BATCH)
        assert wear_of_training(trained()[0], 1.0, 0.25).lifetimes[0].iterations == 4 * 10**8
        assert wear_of_training(trained()[0], 1.0, 0.0).lifetimes[0].iterations is None
        with pytest.raises(InputError, match="allowed: 0 to 1"):
            wear_of_training(program, 1.0, 1.5)

    def test_a_given_endurance_is_that_of_the_updates_too(self) -> None:
        found = with_endurance(trained()[2], 1000, "given")
        assert found.training is not None
        assert [each.iterations for each in found.training.wear.lifetimes] == [1000]
        assert found.training.wear.lifetimes[0].source == "given"
        assert "fc2 fails first, after 1,000 iterations" in repr(found)

    def test_the_cells_of_crossbars_add_up_to_those_of_the_layer(self) -> None:
        net = Network()
        net.conv(net.conv(net.input(4, 4, 8), 40, groups=8), 6, groups=2)
        program = map_network(net.finish(), load_system("isaac-ce"))
        for i, layer in enumerate(program.layers):
            if layer.tiling is not None:
                assert cells_of_crossbars(program, i).sum() == layer.tiling.used_cells


class TestRecord:
    def test_a_result_of_training_loads_as_it_was(self, tmp_path: Path) -> None:
        run = trained("norm")[2]
        save_result(run, tmp_path)
        assert load_result(tmp_path) == run
        assert result_json(load_result(tmp_path)) == result_json(run)

    def test_a_result_from_before_training_becomes_one_of_today(self, tmp_path: Path) -> None:
        data = json.loads(result_json(result()))
        data["format"] = "pimsim-result-2"
        del data["training"], data["tile_power_w"], data["tiles"]["gpu_cores"]
        del data["usage"]["gpu_cores"], data["usage"]["gpu_cores_used"]
        for layer in data["layers"]:
            del layer["phase"], layer["time_ps"]["core"]
        (tmp_path / "result.json").write_text(json.dumps(data))
        assert load_result(tmp_path) == dataclasses.replace(
            result(), tile_power_w=(), tiles=dataclasses.replace(result().tiles, gpu_cores=())
        )

    def test_inference_has_nothing_of_training(self) -> None:
        run = result()
        assert run.training is None and run.mode == "infer" and run.units == run.source.batch
        assert all(layer.time_ps["core"] == 0 and layer.phase == "forward" for layer in run.layers)
        assert "images_per_s" not in run.summary

    def test_figures_speak_of_iterations_and_images(self) -> None:
        run = trained()[2]
        for text in (repr(run), run._repr_html_()):
            assert "training, batch 2" in text and "inference" not in text
            for name in ("First iteration", "images/s", "3 iterations of 2 images", "Energy an iteration", "GPU cores"):
                assert name in text

    def test_the_hash_of_a_network_knows_how_it_is_trained(self) -> None:
        dataflow = expand_training(two_layers(), Training(batch=2, rows=128, cores=2))
        assert workload_hash(dataflow) == workload_hash(expand_training(two_layers(), Training(2, 128, 2)))
        node, edge = dataflow.nodes[1], dataflow.nodes[1].edges[0]
        nodes = {"phase": "backward", "every": 2, "emits_every": 2, "of": 3, "flops": 7, "memory_values": 7,
                 "activation": ()}  # fmt: skip
        edges = {"shared": 2, "initial": 1, "saved": True, "holds": 2, "wanted": 2}
        changed = [dataclasses.replace(node, **{name: value}) for name, value in nodes.items()]  # type: ignore
        changed += [
            dataclasses.replace(node, edges=(dataclasses.replace(edge, **{name: value}), *node.edges[1:]))
            for name, value in edges.items()
        ]  # type: ignore[arg-type]
        variants = [dataflow, dataclasses.replace(dataflow, batch=4)]
        variants += [
            dataclasses.replace(dataflow, nodes=(dataflow.nodes[0], other, *dataflow.nodes[2:])) for other in changed
        ]
        assert len({workload_hash(each) for each in variants}) == len(variants) == 14

    def test_the_hash_of_inference_does_not_depend_on_what_only_training_needs(self) -> None:
        plain = joined()
        known = tuple(dataclasses.replace(node, activation=("Tanh",)) for node in plain.nodes)
        assert workload_hash(dataclasses.replace(plain, nodes=known)) == workload_hash(plain)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(training_cases())
def test_whatever_is_trained_adds_up(case: TrainingCase) -> None:
    program = case.program()
    images = case.batch * case.iterations
    timing = run_compiled(program, images)
    run = build_result(program, timing, images, "compiled")
    assert all(sum(layer.time_ps.values()) == layer.replicas * run.times.run_ps for layer in run.layers)
    drawn = sum(run.tile_power_w) * run.times.run_ps
    assert drawn == pytest.approx(run.units * run.costs.energy_pj - beside_the_tiles(run), rel=1e-9)
    pulses = program.system.chip.tile.ima.crossbar.write_pulses
    written = {node.of: i for i, node in enumerate(program.dataflow.nodes) if node.kind == "update"}
    assert written.keys() == {i for i, layer in enumerate(program.layers) if layer.tiling is not None}
    for target, update in written.items():
        times = program.batch // program.dataflow.nodes[update].every
        assert run.layers[update].counts["cell_write"] == times * pulses * run.layers[target].cells_used
    launch_ps = kernels_of(program).launch_ps.max(initial=0)
    busy = sum(layer.counts.get("kernel_ps", 0) + layer.counts.get("kernel_launch", 0) * int(launch_ps)
               for layer in run.layers)  # fmt: skip
    assert timing.ports["core"].busy_ps.sum() == case.iterations * busy
    if program.network == "packet":
        of_edge = np.repeat(sending(program).uses, np.diff(program.trees.first))
        assert timing.ports["link"].count.sum() == case.iterations * of_edge[program.trees.link >= 0].sum()
