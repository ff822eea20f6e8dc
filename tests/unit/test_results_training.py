"""What training does and what that costs: counts and energies worked out by hand, and the power of every tile."""

from __future__ import annotations

import pytest

from pimsim.config import load_system
from pimsim.results import reprice
from pimsim.results.counting import UNIT_ACTIONS, tally
from pimsim.results.training_record import KINDS, PHASES
from tests.unit.results_runs import result
from tests.unit.test_results_counting import ONE_VALUE_A_NS
from tests.unit.training_runs import ITERATIONS, STATIC, beside_the_tiles, counts, mapped, trained

BITS = 16
FLOAT_BITS = 32  #: of a value in the memory of a GPU core


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
        assert counts("fc2")["gpu_memory_bit"] == 2 * 3 * FLOAT_BITS  # written for the loss
        readers = 8  # cores with a part of the gradient of fc2's weights; the ninth is a ReRAM tile, with fc2/backward
        assert counts("fc2/loss")["gpu_memory_bit"] == 2 * 3 * FLOAT_BITS * (1 + readers)
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
        assert run.training is not None
        forward, backward, gradient, update = run.training.phases
        assert (forward.macs, backward.macs) == (2 * (16 * 36 * 8 + 128 * 3), 2 * 128 * 3)
        assert (gradient.macs, gradient.kernel_flops) == (0, 2 * forward.macs)  # on GPU cores, two operations each
        assert (update.macs, update.kernel_flops) == (0, 4 * (36 * 8 + 128 * 3))


@pytest.mark.parametrize("network", ["two", "norm"])
@pytest.mark.parametrize("gradient", ["gpu", "outer"])
def test_counts_equal_what_the_engine_did(network: str, gradient: str) -> None:
    """One value of 16 bits takes a ns on every port of a tile, so that busy time counts values."""
    single = [f"chip.tile.{unit}.count=1" for unit in ("maxpool", "shift_add", "vector")]
    program, timing = mapped(network, (*ONE_VALUE_A_NS, *single, "chip.tile.edram.banks=2"), gradient)
    found = {action: ITERATIONS * int(count.sum()) for action, count in tally(program).by_layer.items()}
    busy_ns = {kind: int(ports.busy_ps[~program.on_gpu].sum()) // 1000 for kind, ports in timing.ports.items()
               if ports.busy_ps.size == program.on_gpu.size}  # fmt: skip
    assert BITS * busy_ns["bus"] == found["bus_bit"] > 0
    assert BITS * busy_ns["edram"] == found["edram_bit"] > 0
    for unit, action in UNIT_ACTIONS.items():
        assert busy_ns[unit] == found[action], unit


class TestEnergy:
    def test_kernels_and_memory_by_hand(self) -> None:
        _, _, run = trained()
        energy = run.costs.by_layer_pj[[layer.name for layer in run.layers].index("fc2/loss")]
        assert energy["gpu.gpu_core"] == pytest.approx(0.9 * 3125 * 6.422)  # 250 W / 80, a tenth of it static
        assert energy["gpu.memory"] == pytest.approx(3.9 * 2 * 3 * FLOAT_BITS * 9)

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
        assert bits == 2 * 3 * FLOAT_BITS * 2  # what reaches it from fc2, and what leaves it
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
