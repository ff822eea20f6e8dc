"""Tiers of ReRAM tiles and GPU cores: what is refused, and the systems that are shipped."""

from math import ceil, prod
from pathlib import Path

import pytest

from pimsim.config import load_system, resolved, shipped_systems
from pimsim.config.gpu import GpuCore
from pimsim.config.thermal import Thermal
from pimsim.errors import InputError
from pimsim.mapping.tiling import tile_matrix
from pimsim.technology import action_costs, component_table, peak_metrics, roll_up
from pimsim.technology.gpu_core import kernel_pj
from pimsim.thermal.stack import AMBIENT_K, stack_for_tiers
from pimsim.workload import load_workload, lower

GUIDE = (Path(__file__).parents[2] / "arch_configs" / "README.md").read_text()
STACKS = ("hetero-3d", "reram-only", "gpu-only-3d")


@pytest.mark.parametrize("name", shipped_systems())
def test_every_shipped_system_loads_and_is_priced(name: str) -> None:
    system = load_system(name)
    assert system.name == name
    assert type(system).model_validate(resolved(system)) == system
    total = roll_up(system).chip
    assert total.power_mw > 0
    assert total.area_mm2 > 0
    assert all(len(row.source) > 20 for row in component_table(system) if not row.is_subtotal)


def test_a_system_without_tiers_has_only_tiles_with_crossbars() -> None:
    chip = load_system("isaac-ce").chip
    assert (chip.tiers, chip.gpu_core, chip.gpu_cores, chip.reram_tiles) == (None, None, 0, 168)
    assert chip.on_gpu == (False,) * 168
    assert chip.tile.ima.crossbar.write_pulses == 1


def test_the_tiles_of_a_gpu_tier_are_gpu_cores() -> None:
    chip = load_system("hetero-3d").chip
    assert chip.tiers == ("gpu", "reram", "gpu", "reram")
    assert chip.on_gpu == ((True,) * 16 + (False,) * 16) * 2
    assert (chip.gpu_cores, chip.reram_tiles) == (32, 32)


def test_a_last_tier_that_is_not_full_has_fewer() -> None:
    keys = ["chip.tiles=100", "chip.noc.concentration=2", "chip.tiers=[reram, gpu, reram, gpu]"]
    chip = load_system("hetero-3d", keys).chip
    assert [chip.on_gpu.index(True), chip.gpu_cores, chip.reram_tiles] == [32, 36, 64]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["chip.tiers=[reram, gpu]"], r"tiers names 2, but the network's shape \[4, 4, 4\] has 4"),
        (["chip.tiers=[reram]", "chip.noc.topology.shape=[8, 8]", "chip.noc.topology.links=[{}]",
          "chip.noc.io_router=0"],
         "tiers names 1, but the network has none: noc.topology must be a mesh or torus"),
        (["chip.tiers=[gpu]", "chip.noc.topology={kind: small_world, routers: 64, neighbours: 4, rewiring: 0.1}",
          "chip.noc.io_router=0"], "noc.topology must be a mesh or torus"),
        (["chip.gpu_core=null"], "tiers names gpu, but chip.gpu_core is not given"),
        (["chip.noc.topology.links=[{}]"], "no vertical links between the tiers"),
        (["chip.noc.topology.links.2.vertical=false"], "no vertical links between the tiers"),
        (["chip.tiles=48"], "48 tiles do not reach the last of 4 tiers, which hold 16 each"),
        (["chip.tiers=[reram, cpu, gpu, gpu]"], "'cpu' is not allowed; allowed: a list of reram or gpu or null"),
        (["chip.tiers=[]"], "chip.tiers"),
        (["chip.gpu_core.occupancy=0"], "chip.gpu_core.occupancy"),
        (["chip.gpu_core.occupancy=1.5"], "allowed: a number above 0 to 1"),
        (["chip.gpu_core.value_bytes=3"], "allowed: 2 or 4 or 8"),
        (["chip.gpu_core.memory.mib=0"], "chip.gpu_core.memory.mib"),
        (["chip.gpu_core.cost.at.kib=1"], "cost.at names 'kib'"),
        (["chip.tile.ima.crossbar.write_pulses=0"], "write_pulses"),
        (["chip.thermal.convection_k_per_w=null"], "the tiers have no heat path"),
        (["chip.thermal.sink_side_mm=20"], "the sink of 20 mm is smaller than the spreader of 30 mm"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_in_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as told:
        load_system("hetero-3d", overrides)
    assert "\n" not in str(told.value)


def test_heat_may_leave_through_the_board_alone() -> None:
    thermal = load_system("hetero-3d", ["chip.thermal={convection_k_per_w: null, board_k_per_w: 5}"]).chip.thermal
    assert (thermal.convection_k_per_w, thermal.board_k_per_w) == (None, 5)


def test_the_defaults_of_heat_are_those_of_the_stack() -> None:
    heat = Thermal()
    given = stack_for_tiers(
        4, 0.013, 0.013, tier_m=heat.tier_um * 1e-6, bond_m=heat.bond_um * 1e-6, tsv_fraction=heat.tsv_fraction,
        spreader_side_m=heat.spreader_side_mm * 1e-3, sink_side_m=heat.sink_side_mm * 1e-3,
        convection_resistance=heat.convection_k_per_w or 0.0, convection_capacity=heat.convection_j_per_k,
        ambient_k=heat.ambient_k, board_capacity=heat.board_j_per_k,
    )  # fmt: skip
    default = stack_for_tiers(4, 0.013, 0.013)
    assert given.ambient_k == AMBIENT_K == heat.reference_k
    assert given.convection_resistance == default.convection_resistance
    for ours, theirs in zip(given.layers, default.layers, strict=True):
        assert (ours.thickness_m, ours.width_m) == pytest.approx((theirs.thickness_m, theirs.width_m))


def test_a_gpu_core_is_a_share_of_its_device() -> None:
    core = load_system("hetero-3d").chip.gpu_core
    assert isinstance(core, GpuCore)
    assert 80 * core.peak_flops_per_s == pytest.approx(14.13e12, rel=1e-3)  # Tesla V100 PCIe
    assert 80 * core.memory.gb_per_s == pytest.approx(897)
    assert 16 * 1024 - 80 < 80 * core.memory.mib <= 16 * 1024
    assert roll_up(load_system("gpu-only-3d")).gpu_core.area_mm2 == pytest.approx(815 / 80 + 0.151 * 7)


def test_three_stacks_have_the_same_area() -> None:
    """Every place is 10.2 mm2 and a router; the budget is that of GPU cores, and tiles take 2 % less at most."""
    router_mm2 = 0.151 * 256 / 32 * 7 / 8
    place_mm2 = 815 / 80 + router_mm2
    isaac_tile_mm2 = 12 * 0.01312 + 0.083 + 0.090 + 0.0032 + 0.0006 + 0.00024 + 0.00006
    tile_mm2 = 30 * isaac_tile_mm2 + router_mm2
    areas = {name: roll_up(load_system(name)) for name in STACKS}
    assert areas["hetero-3d"].tile.area_mm2 == pytest.approx(tile_mm2, rel=1e-6)
    assert areas["hetero-3d"].gpu_core.area_mm2 == pytest.approx(place_mm2)
    assert 0.98 < tile_mm2 / place_mm2 <= 1
    for name, tiles, cores in (("hetero-3d", 32, 32), ("reram-only", 64, 0), ("gpu-only-3d", 0, 64)):
        found = areas[name]
        assert found.tiles.area_mm2 + found.gpu_cores.area_mm2 == pytest.approx(tiles * tile_mm2 + cores * place_mm2)
        assert 0.98 < (found.chip.area_mm2 - found.links.area_mm2) / (64 * place_mm2) <= 1 + 1e-9
    side_mm = load_system("hetero-3d").chip.noc.topology.links_of_dimensions[0].length_mm  # type: ignore[union-attr]
    assert side_mm**2 == pytest.approx(place_mm2, rel=0.01)


def test_peaks_follow_from_what_a_chip_has() -> None:
    found = {name: peak_metrics(load_system(name)) for name in STACKS}
    assert [found[name].crossbars for name in STACKS] == [92_160, 184_320, 0]
    assert [found[name].gpu_tflops for name in STACKS] == pytest.approx([5.65248, 0, 11.30496])
    assert found["gpu-only-3d"].tops == 0


def test_the_table_lists_gpu_cores_and_leaves_out_tiles_that_are_not_there() -> None:
    names = [(row.level, row.component) for row in component_table(load_system("hetero-3d"))]
    assert names[-8:] == [("gpu", "gpu_core"), ("gpu", "router"), ("gpu", "GPU core"), ("chip", "tiles"),
                          ("chip", "GPU cores"), ("chip", "link"), ("chip", "chip"), ("system", "chips")]  # fmt: skip
    levels = {row.level for row in component_table(load_system("gpu-only-3d"))}
    assert levels == {"gpu", "chip", "system"}
    assert roll_up(load_system("gpu-only-3d")).unpriced == ()
    plain = [row.component for row in component_table(load_system("isaac-ce"))]
    assert "GPU cores" not in plain


@pytest.mark.parametrize("name", STACKS)
def test_the_chip_is_the_sum_of_the_table(name: str) -> None:
    rows = component_table(load_system(name))
    whole = next(row for row in rows if row.component == "chip")
    parts = [row for row in rows if row.level == "chip" and row is not whole]
    assert sum(row.total_area_mm2 or 0 for row in parts) == pytest.approx(whole.area_mm2)
    assert sum(row.total_power_mw or 0 for row in parts) == pytest.approx(whole.power_mw)


def test_a_core_that_is_busy_all_the_time_draws_its_power() -> None:
    system = load_system("hetero-3d")
    costs, core = action_costs(system), system.chip.gpu_core
    assert core is not None
    assert costs.kernel_ps_pj is not None
    assert costs.static_gpu_core_mw == pytest.approx(25_000 / 80)
    assert 1000 * costs.kernel_ps_pj + costs.static_gpu_core_mw == pytest.approx(250_000 / 80)  # pJ/ns = mW
    assert kernel_pj(core, 10**6) == pytest.approx(10**6 * costs.kernel_ps_pj)
    assert costs.gpu_memory_bit_pj == 3.9
    assert costs.static_chip_mw == pytest.approx(32 * 25_000 / 80 + 10_400)
    none = action_costs(load_system("isaac-ce"))
    assert (none.kernel_ps_pj, none.gpu_memory_bit_pj, none.static_gpu_core_mw) == (None, None, 0)


def test_more_multiprocessors_in_a_core_take_area_and_power_in_proportion() -> None:
    one, four = (roll_up(load_system("gpu-only-3d", keys)) for keys in ([], ["chip.gpu_core.multiprocessors=4"]))
    router = 0.151 * 7
    assert four.gpu_core.area_mm2 - router == pytest.approx(4 * (one.gpu_core.area_mm2 - router))
    half = roll_up(load_system("gpu-only-3d", ["chip.gpu_core.clock_ghz=0.69"]))
    assert half.gpu_core.area_mm2 == one.gpu_core.area_mm2
    assert one.gpu_core.power_mw - half.gpu_core.power_mw == pytest.approx(250_000 / 160)


@pytest.mark.parametrize(("workload", "crossbars"), [("resnet18-cifar", 5_472), ("vgg16-cifar-bn", 7_196)])
def test_weights_and_their_transpose_fit_the_reram_tiers_of_one_chip(workload: str, crossbars: int) -> None:
    """Counted by hand: rows / 128 x outputs / 16, both rounded up, and the same of W^T of every layer but the first."""
    system = load_system("hetero-3d")
    array, forward, both, imas = system.chip.tile.ima.crossbar, 0, 0, 0
    layers = [node for node in lower(load_workload(workload)).nodes if node.matrix is not None]
    for place, node in enumerate(layers):
        matrix = node.matrix
        assert matrix is not None
        channels = matrix.rows // matrix.kernel_positions
        own = tile_matrix(node, system).crossbars
        transposed = ceil(matrix.columns * matrix.kernel_positions / array.rows) * ceil(channels / 16) if place else 0
        forward, both = forward + own, both + own + transposed
        imas += ceil(own / 8) + ceil(transposed / 8)
    assert forward == crossbars
    assert both < peak_metrics(system).crossbars / 4
    assert imas < system.chip.reram_tiles * system.chip.tile.imas / 4


def test_pipelayer_has_the_arrays_of_its_peak() -> None:
    """1485 GOPS/(s mm2) x 82.63 mm2, over what 128 x 32 weights do in 16 spikes; equal shares of the area."""
    system = load_system("pipelayer")
    crossbar = system.chip.tile.ima.crossbar
    gops_of_an_array = 2 * 128 * 32 / (16 * 29.31)
    arrays = system.chip.tiles * system.chip.tile.imas * system.chip.tile.ima.crossbars
    assert arrays == pytest.approx(1485 * 82.63 / gops_of_an_array, rel=0.003)
    assert roll_up(system).chip.area_mm2 == pytest.approx(82.63, rel=1e-4)
    assert crossbar.write_cell_pj * crossbar.columns == pytest.approx(3910)
    assert crossbar.cost.power_mw == pytest.approx(128 * 1.08 / 29.31, rel=1e-6)
    assert peak_metrics(system).vector_ns == pytest.approx(16 * 29.31)
    edram = system.chip.tile.edram
    bit_pj = action_costs(system).edram_bit_pj
    assert bit_pj == pytest.approx((3910 + 9 * 1.08) / 10 / 512, rel=1e-3)
    assert edram.kib * 8192 == 64 * prod((128, 128, 4))


def test_what_is_recalled_of_a_gpu_core_says_so() -> None:
    core = load_system("hetero-3d").chip.gpu_core
    assert core is not None
    assert all("recalled" in source.lower() for source in (core.cost.source, core.memory.source))


def test_the_guides_system_of_two_tiers_loads(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(next(b for b in GUIDE.split("```yaml\n") if "two-tiers" in b).split("```")[0])
    system = load_system(tmp_path / "own.yaml")
    assert (system.chip.gpu_cores, system.chip.reram_tiles) == (16, 16)
    assert roll_up(system).gpu_core.area_mm2 == pytest.approx(2 * 471 / 28 + 0.151 * 7 / 8)


def test_the_guides_figures_of_the_stacks_are_those_of_the_systems() -> None:
    totals = {name: roll_up(load_system(name)).chip for name in STACKS}
    areas, powers = (" | ".join(each) for each in zip(
        *((f"{totals[name].area_mm2:.1f}", f"{totals[name].power_mw / 1e3:.0f}") for name in STACKS), strict=True))
    assert f"| area with chip links, mm2 | {areas} |" in GUIDE
    assert f"| power with everything busy, W | {powers} |" in GUIDE
    peaks = [peak_metrics(load_system(name)) for name in (*STACKS, "pipelayer")]
    assert f"| 32, {peaks[0].crossbars:,} | 64, {peaks[1].crossbars:,} | 0 |" in GUIDE
    assert f"{peaks[3].power_w:.0f} W of what is priced, {peaks[3].pe_gops_per_w:.0f} GOPS/(s W)" in GUIDE
