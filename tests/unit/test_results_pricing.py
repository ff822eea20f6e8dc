"""Energy: counts x prices and static power x time, nothing twice, nothing forgotten silently."""

import dataclasses
from collections import Counter

import pytest

import pimsim
from pimsim.config import load_system
from pimsim.config.records import System
from pimsim.results import reprice
from pimsim.results.pricing import busy_power_w, price, static_power_w
from pimsim.results.record import LayerResult, Times, Usage
from pimsim.technology import action_costs, roll_up
from pimsim.technology.components import router_cost
from tests.networks import Network
from tests.unit.results_runs import result

ALL_STATIC = (
    "chip.tile.ima.adc.cost.static_fraction=0.25", "chip.tile.edram.cost.static_fraction=0.5",
    "chip.noc.cost.static_fraction=0.1",
)  # fmt: skip


def test_layers_and_components_add_up_to_the_same_energy() -> None:
    costs = result().costs
    by_layer = sum(sum(energy.values()) for energy in costs.by_layer_pj)
    assert by_layer == pytest.approx(sum(costs.dynamic_pj.values()))
    assert costs.energy_pj == pytest.approx(by_layer + sum(costs.static_pj.values()))


def test_average_power_is_energy_over_time_and_below_the_bound() -> None:
    run = result(batch=4)
    assert run.costs.average_power_w == pytest.approx(4 * run.costs.energy_pj / run.times.run_ps)
    assert run.costs.static_power_w < run.costs.average_power_w < run.costs.peak_power_bound_w


def test_dynamic_energy_of_an_inference_does_not_depend_on_the_batch() -> None:
    assert result(batch=4).costs.dynamic_pj == result(batch=2).costs.dynamic_pj


def test_static_power_is_that_of_the_tiles_and_chips_in_use() -> None:
    run = result(overrides=ALL_STATIC)
    costs = action_costs(load_system("isaac-ce", ALL_STATIC))
    watts = (run.usage.tiles_used * costs.static_tile_mw + costs.static_shared_mw) / 1000
    assert run.costs.static_power_w == pytest.approx(watts)
    assert sum(run.costs.static_pj.values()) * 2 == pytest.approx(watts * run.times.run_ps)


def test_idle_tiles_and_chips_leak_where_the_system_says_so() -> None:
    gated, leaking = ALL_STATIC, (*ALL_STATIC, "idle=leaking")
    usage = dataclasses.replace(result(overrides=gated).usage, chips=3, tiles=3 * 168)
    whole = action_costs(load_system("isaac-ce", leaking)).static_chip_mw
    assert sum(static_power_w(load_system("isaac-ce", leaking), usage).values()) == pytest.approx(3 * whole / 1000)
    assert sum(static_power_w(load_system("isaac-ce", gated), usage).values()) < whole / 1000


def test_a_run_priced_again_under_its_own_table_is_the_same_run() -> None:
    assert reprice(result(), load_system("isaac-ce")) == result()


def test_another_table_changes_energy_and_not_time() -> None:
    run = result()
    dear = reprice(run, load_system("isaac-ce", ["chip.tile.ima.adc.cost.power_mw=4"]))
    assert dear.costs.dynamic_pj["ima.adc"] == pytest.approx(2 * run.costs.dynamic_pj["ima.adc"])
    assert dear.costs.dynamic_pj["ima.dac"] == run.costs.dynamic_pj["ima.dac"]
    assert dear.times == run.times
    assert dear.costs.table_hash != run.costs.table_hash


def test_everything_busy_draws_the_power_of_the_table() -> None:
    """One chip whose every component works at its full rate for 1,600 ns, as one layer of one window."""
    system, ns = load_system("isaac-ce"), 1600
    imas = 168 * 12
    counts = {
        "crossbar_read": imas * 8 * 16, "dac_drive": imas * 1024 * 16, "sample_hold": imas * 1024 * 16,
        "conversion": imas * 1024 * 16, "ima_shift_add": imas * 1024 * 16, "input_register_bit": imas * 1024 * 16,
        "output_register_bit": imas * 128 * 16, "tile_output_register_bit": imas * 128 * 16,
        "edram_bit": round(168 * 512 * 1.2 * ns), "bus_bit": round(168 * 384 * 1.2 * ns),
        "sigmoid_value": round(168 * 2 * 1.2 * ns), "maxpool_value": round(168 * 1.2 * ns),
        "tile_shift_add_value": round(168 * 1.2 * ns), "router_flit_hop": round(42 * 8 * 1.2 * ns),
        "link_byte": round(8 * 6.4 * ns),
    }  # fmt: skip
    run = result()
    layer = dataclasses.replace(run.layers[1], counts=counts, windows=1, peak_windows_per_us=1e3 / ns)
    usage = dataclasses.replace(run.usage, chips=1, chips_used=1, tiles=168, tiles_used=168)
    times = Times(ns * 1000, ns * 1000, (ns * 1000,), None, 8)
    costs = price([layer], usage, times, 1, system)
    assert costs.average_power_w == pytest.approx(65.8, rel=0.0005)
    assert costs.peak_power_bound_w == pytest.approx(65.8, rel=0.0005)


@pytest.mark.parametrize("name", ["isaac-ce", "hetero-3d", "gpu-only-3d"])
def test_all_that_a_chip_has_at_its_full_rate_draws_the_power_of_the_table(name: str) -> None:
    system = load_system(name)
    usage, noc = whole_chip(system), system.chip.noc
    power = Counter(busy_power_w(system, usage))
    power.update(static_power_w(system, usage))
    table = roll_up(system).chip.power_mw / 1000
    if noc.energy is not None:  # by parts, in place of the table's figure
        table -= noc.routers * (router_cost(noc).power_mw or 0.0) / 1000
        del power["tile.router"]
    for beside in ("ima.write", "chip.dram", "gpu.memory", "chip.channel"):
        power.pop(beside, None)
    assert power.total() == pytest.approx(table)


def test_what_is_in_no_table_is_bounded_by_hand() -> None:
    system = load_system("hetero-3d")
    busy = busy_power_w(system, whole_chip(system))
    planar, vertical = 2 * 2 * 3 * 4 * 4, 2 * 3 * 4 * 4  # one-way channels of 4x4x4 routers, vertical ones half as wide
    pj_per_bit = planar * 3.35 * 0.0488 + vertical / 2 * 0.0125
    assert busy["chip.channel"] == pytest.approx(pj_per_bit * 256 * 1.2 / 1000)
    assert busy["gpu.memory"] == pytest.approx(32 * 11.2125 * 8 * 3.9 / 1000)
    assert busy["chip.dram"] == pytest.approx(12.8 * 8 * 20 / 1000)
    assert busy["ima.write"] == pytest.approx(92_160 * 128 * 0.2 / 85.7 / 1000)
    assert busy["gpu.gpu_core"] == pytest.approx(32 * 0.9 * 3.125)


def test_no_run_draws_more_at_its_peak_than_a_chip_with_everything_busy() -> None:
    """Hundreds of digital copies at 0.833 ns a window, as if each had links, memories and units to itself."""
    system = load_system("hetero-3d", ["training.norm=group"])
    run = pimsim.simulate("vgg11-cifar-bn", system, mode="train", batch=2)
    busy = busy_power_w(system, run.usage)
    most_w = roll_up(system).chip.power_mw / 1000
    most_w += sum(busy[in_no_table] for in_no_table in ("ima.write", "gpu.memory", "chip.channel", "tile.router"))
    assert run.costs.average_power_w < run.costs.peak_power_bound_w < most_w < 500


def whole_chip(system: System) -> Usage:
    chip = system.chip
    imas = chip.reram_tiles * chip.tile.imas
    crossbars = imas * chip.tile.ima.crossbars
    return Usage(1, 1, chip.reram_tiles, chip.reram_tiles, imas, imas, crossbars, crossbars, 0, 0, 1.0,
                 chip.gpu_cores, chip.gpu_cores)  # fmt: skip


def test_work_without_a_price_is_named_and_headlined() -> None:
    net = Network()
    net.recurrent(net.input(4, 1, 16), 24)  # products of gates go through the vector unit, which ISAAC has not
    run = pimsim.simulate(net.finish(), "isaac-ce")
    (missing,) = run.costs.unpriced
    assert (missing.action, missing.component, missing.count) == ("vector_value", "tile.vector", 4 * 3 * 24)
    units = ("sigmoid_value", "maxpool_value", "tile_shift_add_value", "vector_value")
    assert missing.share == pytest.approx(288 / sum(run.layers[1].counts.get(unit, 0) for unit in units))
    assert missing.is_headline
    assert "NOT PRICED: 288 vector values an inference" in repr(run)
    assert not dataclasses.replace(missing, share=0.01).is_headline


def test_programming_is_reported_apart() -> None:
    run = result("wide")
    cells = sum(layer.cells_used for layer in run.layers)
    assert run.programming.cells == cells == run.usage.cells_used
    assert run.programming.energy_uj == pytest.approx(cells * 0.2e-6)
    assert run.programming.time_ns == pytest.approx(128 * 85.7)  # the fullest crossbar, row after row
    assert run.costs.energy_pj == pytest.approx(
        sum(run.costs.dynamic_pj.values()) + sum(run.costs.static_pj.values())
    )


def test_a_layer_of_the_result_says_what_its_crossbars_hold() -> None:
    layer: LayerResult = result().layer("conv1")
    assert (layer.crossbars, layer.cells_used) == (layer.replicas, layer.replicas * 36 * 16 * 8)
    with pytest.raises(KeyError):
        result().layer("conv99")
