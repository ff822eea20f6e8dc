"""Times, places and wear of training, its record, and what must add up whatever is trained."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from pimsim.arch.run import run_compiled
from pimsim.config import System, load_system
from pimsim.errors import InputError
from pimsim.mapping.compile import map_network
from pimsim.results import build_result, load_result, result_json, save_result, with_endurance
from pimsim.results.assembly import workload_hash
from pimsim.results.counting import cells_of_crossbars
from pimsim.results.record import TIME_PARTS
from pimsim.results.sending import sending
from pimsim.results.time_split import run_end_ps, split_time
from pimsim.results.training_wear import wear_of_training
from pimsim.results.usage import name_bottleneck
from pimsim.results.work import kernels_of
from pimsim.simulation import simulate
from pimsim.workload import load_workload, lower
from pimsim.workload.training import Training, expand_training
from tests.differential.training_cases import TrainingCase, training_cases
from tests.networks import Network
from tests.unit.results_runs import joined, result
from tests.unit.training_runs import BATCH, ITERATIONS, beside_the_tiles, counts, trained, two_layers


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
        slow = trained("norm", "chip.gpu_core.launch_ns=1000000")[2]
        assert slow.bottleneck.startswith("GPU core of tile")
        slow = trained("norm", "chip.gpu_core.memory.gb_per_s=0.001")[2]
        (memory,) = (each for each in slow.resources if each.kind == "edram")
        assert memory.place.startswith("GPU core in tile") and memory.busy_share < 1
        assert name_bottleneck((dataclasses.replace(memory, busy_share=0.9, pace_share=None),), ()) == (
            f"the memory of the {memory.place} is busy 90% of the run"
        )


class TestPlaces:
    def test_saved_activations_take_places_for_both_images(self) -> None:
        training = trained()[2].training
        assert training is not None
        # inputs of both layers on GPU cores for the gradients of their weights; the signs of conv1's for its own
        assert training.saved_bytes == {"edram": 2 * 16 * 8 * 2, "dram": 0, "gpu_memory": 2 * 16 * (4 + 8) * 4}

    def test_traffic_of_the_loss_by_hand(self) -> None:
        program, _, run = trained()
        tier = program.fabric.tier[program.replicas.tile]
        names = [layer.name for layer in run.layers]
        assert {tier[names.index(name)] for name in ("conv1", "fc2", "fc2/backward")} == {1}
        assert run.traffic is not None
        assert [group.tier for group in run.traffic.groups] == [-1, 0, 1, 2, 3]
        # two flits, header and data, of: 32 positions of conv1 to 8 cores; 2 of fc2; 32 of delta to 4 cores
        assert run.traffic.bytes[2] == (0, 32 * 2 * (32 * 8 + 2 + 32 * 4), 0, 0, 0)


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
        assert (low.iterations, low.layer) == (10**8 // BATCH, "fc2/gradient:0")  # of two alike the larger
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

    def test_a_result_of_training_of_an_earlier_version_loads(self, tmp_path: Path) -> None:
        """Without the waits for shared crossbars and the network's hash; extrapolated, but of what was simulated."""
        run = trained()[2]
        data = json.loads(result_json(run))
        del data["source"]["network_hash"], data["traffic"], data["times_on_ideal"]
        for each in (*data["layers"], *data["training"]["phases"], *data["training"]["kinds"]):
            each["time_ps"].pop("array", None)
        data["training"]["traffic"] = {"kinds": ["gpu"], "flits": [[0]], "from_host": [0]}
        data["training"]["more"] = {"iterations": 10, "run_ps": 1, "error_ps": 0, "interval_ps": 1}
        (tmp_path / "result.json").write_text(json.dumps(data))
        loaded = load_result(tmp_path)
        note = "10 iterations were asked for: this file of an earlier version tells of the 3 that were simulated"
        assert loaded == dataclasses.replace(run, traffic=None, notes=(*run.notes, note))

    def test_the_hash_of_the_network_is_that_of_inference(self) -> None:
        runs = [simulate("mnist-mlp", system, mode=mode, batch=2, noc="ideal", overrides=overrides)
                for system, mode, overrides in (
                    ("hetero-3d", "train", ()), ("gpu-only-3d", "train", ()), ("gpu-only-3d", "infer", ()),
                    ("hetero-3d", "train", ("training.norm=none",)), ("hetero-3d", "infer", ()))]  # fmt: skip
        assert {run.source.network_hash for run in runs} == {workload_hash(lower(load_workload("mnist-mlp")))}
        assert len({run.source.workload_hash for run in runs}) > 2

    def test_an_inference_of_an_earlier_version_tells_its_network(self, tmp_path: Path) -> None:
        data = json.loads(result_json(result()))
        assert data["source"].pop("network_hash") == data["source"]["workload_hash"]
        (tmp_path / "result.json").write_text(json.dumps(data))
        assert load_result(tmp_path) == result()
        data["usage"]["tiles"] = 0  # a chip of GPU cores alone ran what was made of it
        (tmp_path / "result.json").write_text(json.dumps(data))
        assert load_result(tmp_path).source.network_hash == ""

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
                 "each_values": 7, "kept_values": 7, "reads": 7,
                 "activation": ()}  # fmt: skip
        edges = {"shared": 2, "gathers": 2, "initial": 1, "saved": True, "holds": 2, "wanted": 2}
        changed = [dataclasses.replace(node, **{name: value}) for name, value in nodes.items()]  # type: ignore
        changed += [
            dataclasses.replace(node, edges=(dataclasses.replace(edge, **{name: value}), *node.edges[1:]))
            for name, value in edges.items()
        ]  # type: ignore[arg-type]
        variants = [dataflow, dataclasses.replace(dataflow, batch=4)]
        variants += [
            dataclasses.replace(dataflow, nodes=(dataflow.nodes[0], other, *dataflow.nodes[2:])) for other in changed
        ]
        assert len({workload_hash(each) for each in variants}) == len(variants) == 18

    def test_the_hash_of_inference_does_not_depend_on_what_only_training_needs(self) -> None:
        plain = joined()
        known = tuple(dataclasses.replace(node, activation=("Tanh",)) for node in plain.nodes)
        assert workload_hash(dataclasses.replace(plain, nodes=known)) == workload_hash(plain)


def with_prices(system: System) -> System:
    """The system with prices that need not be scaled to its odd parameters."""
    data = system.model_dump(mode="json")
    data["chip"]["tile"]["ima"]["dac"]["cost"] = {"power_mw": 0.004, "area_mm2": 1e-7, "source": "of a test"}
    return System.model_validate(data)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(training_cases())
def test_whatever_is_trained_adds_up(case: TrainingCase) -> None:
    program = dataclasses.replace(case, system=with_prices(case.system)).program()
    images = case.batch * case.iterations
    timing = run_compiled(program, images)
    run = build_result(program, timing, images, "compiled")
    assert all(sum(layer.time_ps.values()) == layer.replicas * run.times.run_ps for layer in run.layers)
    drawn = sum(run.tile_power_w) * run.times.run_ps
    assert drawn == pytest.approx(run.units * run.costs.energy_pj - beside_the_tiles(run), rel=1e-9)
    pulses = program.system.chip.tile.ima.crossbar.write_pulses
    written = {node.of: i for i, node in enumerate(program.dataflow.nodes) if node.kind == "update"}
    assert written.keys() == {i for i, node in enumerate(program.dataflow.nodes) if node.has_crossbars}
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
