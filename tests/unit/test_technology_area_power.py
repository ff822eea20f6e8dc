"""Roll-up of area and power, and scaling when a design point leaves the one its costs hold for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.config import System, load_system, records
from pimsim.errors import InputError
from pimsim.technology import clock_roundings, component_table, peak_metrics, roll_up
from pimsim.technology.components import Component, components
from pimsim.technology.scaling import LAWS


def part(system: System, level: str, name: str) -> Component:
    return next(part for part in components(system) if (part.level, part.name) == (level, name))


def test_counts_follow_from_the_crossbars() -> None:
    counts = {(row.level, row.component): row.count for row in component_table(load_system("isaac-ce"))}
    assert counts["ima", "dac"] == 8 * 128
    assert counts["ima", "sample_hold"] == 8 * 128
    assert counts["tile", "router"] == 0.25
    assert counts["chip", "tiles"] == 168


def test_the_lines_between_two_subtotals_add_up() -> None:
    rows = component_table(load_system("isaac-ce"))
    lines = [row for row in rows if row.level == "ima" and not row.is_subtotal]
    total = next(row for row in rows if row.component == "IMA")
    assert sum(row.total_power_mw or 0 for row in lines) == pytest.approx(total.total_power_mw)
    assert sum(row.total_area_mm2 or 0 for row in lines) == pytest.approx(total.total_area_mm2)


def test_what_is_not_priced_is_named() -> None:
    assert roll_up(load_system("isaac-ce")).unpriced == ("tile vector",)


def test_a_system_of_auto_chips_has_a_total_once_the_number_is_known() -> None:
    system = load_system("isaac-ce", ["chips=auto"])
    assert roll_up(system).system is None
    assert component_table(system)[-1].component == "chip"
    assert component_table(system, chips=3)[-1].total_area_mm2 == pytest.approx(3 * roll_up(system).chip.area_mm2)


def test_a_seven_bit_adc_is_cheaper_by_the_table_of_saberi() -> None:
    reference = part(load_system("isaac-ce"), "ima", "adc")
    seven = part(load_system("isaac-ce", ["chip.tile.ima.adc.bits=7"]), "ima", "adc")
    assert (reference.cost.power_mw, reference.cost.area_mm2) == (2, 0.0012)
    assert seven.cost.power_mw == pytest.approx(2 * 1.42 / 1.67)
    assert seven.cost.area_mm2 == pytest.approx(0.0012 * 845 / 1200)
    assert seven.cost.scaled == ("bits 8 -> 7: Saberi et al. 2011",)


@pytest.mark.parametrize("bits", [3, 11])
def test_an_adc_outside_the_table_asks_for_a_cost_of_its_own(bits: int) -> None:
    system = load_system("isaac-ce", [f"chip.tile.ima.adc.bits={bits}"])
    with pytest.raises(InputError, match=f"allowed: 4 to 10 bits, or a cost given at {{bits: {bits}}}"):
        roll_up(system)
    own = load_system("isaac-ce", [f"chip.tile.ima.adc.bits={bits}", f"chip.tile.ima.adc.cost.at.bits={bits}"])
    assert part(own, "ima", "adc").cost.power_mw == 2


@pytest.mark.parametrize(
    ("overrides", "level", "name", "power", "area"),
    [
        (["chip.tile.ima.adc.sample_rate_gsps=0.64"], "ima", "adc", 0.5, 1),
        (["chip.tile.ima.adc.count=16", "chip.tile.ima.adc.columns=64"], "ima", "adc", 2, 2),
        (["chip.tile.ima.crossbar.rows=64"], "ima", "crossbar", 0.5, 0.5),
        (["chip.tile.ima.crossbar.rows=64"], "ima", "dac", 0.5, 0.5),
        (["chip.tile.ima.crossbar.rows=256", "chip.tile.ima.crossbar.columns=64"], "ima", "crossbar", 1, 1),
        (["chip.tile.ima.crossbar.columns=64"], "ima", "sample_hold", 0.5, 0.5),
        (["chip.tile.ima.crossbar.read_ns=50"], "ima", "dac", 2, 1),
        (["chip.tile.ima.input_register.bytes=4096"], "ima", "input_register", 2, 2),
        (["mapping.input_bits=8"], "ima", "input_register", 2, 1),
        (["chip.tile.edram.kib=128"], "tile", "edram", 2, 2),
        (["chip.tile.edram.width_bits=512"], "tile", "edram", 2, 1),
        (["chip.tile.bus.clock_ghz=0.6"], "tile", "bus", 0.5, 1),
        (["chip.noc.flit_bits=64"], "tile", "router", 2, 2),
        (["chip.links.gb_per_s=3.2"], "chip", "link", 0.5, 0.5),
        (["chip.links.count=2"], "chip", "link", 0.5, 0.5),
    ],
)
def test_power_and_area_scale_by_the_stated_law(
    overrides: list[str], level: str, name: str, power: float, area: float
) -> None:
    before, after = part(load_system("isaac-ce"), level, name), part(load_system("isaac-ce", overrides), level, name)
    assert after.power_mw == pytest.approx(power * (before.power_mw or 0))
    assert after.area_mm2 == pytest.approx(area * (before.area_mm2 or 0))


def test_a_cost_without_a_reference_point_is_taken_as_it_stands() -> None:
    system = load_system("isaac-ce", ["chip.tile.ima.adc.bits=7", "chip.tile.ima.adc.cost.at={}"])
    assert part(system, "ima", "adc").cost.power_mw == 2


def test_there_is_a_law_for_everything_that_a_cost_may_be_given_at() -> None:
    kinds: dict[str, type[records.Priced]] = {
        "crossbar": records.Crossbar,
        "adc": records.Adc,
        "dac": records.Dac,
        "sample_hold": records.SampleHold,
        "shift_add": records.ShiftAdd,
        "register": records.Register,
        "edram": records.Edram,
        "bus": records.Bus,
        "digital": records.DigitalUnit,
        "router": records.Noc,
        "gpu_core": records.GpuCore,
        "link": records.ChipLinks,
    }
    assert {(kind, name) for kind, record in kinds.items() for name in record.scales_with} == set(LAWS)


@settings(max_examples=30, deadline=None)
@given(imas=st.integers(1, 32), tiles=st.integers(1, 168), bits=st.integers(4, 10))
def test_the_chip_is_the_sum_of_all_its_instances(imas: int, tiles: int, bits: int) -> None:
    system = load_system(
        "isaac-ce", [f"chip.tile.imas={imas}", f"chip.tiles={tiles}", f"chip.tile.ima.adc.bits={bits}"]
    )
    instances = {"ima": imas * tiles, "tile": tiles, "chip": 1}
    area = sum(instances[part.level] * (part.area_mm2 or 0) for part in components(system))
    assert roll_up(system).chip.area_mm2 == pytest.approx(area)


@pytest.mark.parametrize(
    ("overrides", "beat_ns", "reads"),
    [
        ([], 100, 16),
        (["chip.tile.ima.adc.sample_rate_gsps=1.2"], 200, 16),
        (["chip.tile.ima.adc.sample_rate_gsps=1.2", "pipeline.schedule=dynamic"], 128 / 1.2, 16),
        (["chip.tile.ima.crossbar.active_wordlines=50"], 100, 48),
        (["mapping.input_bits=9", "chip.tile.ima.dac.bits=2", "chip.tile.ima.dac.cost.at.bits=2"], 100, 5),
    ],
)
def test_the_beat_is_the_slower_of_read_and_conversion_in_whole_slots(
    overrides: list[str], beat_ns: float, reads: int
) -> None:
    peak = peak_metrics(load_system("isaac-ce", overrides))
    assert peak.beat_ns == pytest.approx(beat_ns)
    assert peak.reads_per_vector == reads
    assert peak.tops == pytest.approx(16_128 * 128 * 16 * 2 / (beat_ns * reads) / 1000)


def test_clock_roundings_are_shown_with_the_exact_period() -> None:
    clocks = {clock.key: clock for clock in clock_roundings(load_system("isaac-ce"))}
    tile = clocks["chip.tile.edram.clock_ghz"]
    assert (tile.rounded_ps, str(tile.exact_ps), tile.is_exact) == (833, "2500/3", False)
    adc = clocks["chip.tile.ima.adc.sample_rate_gsps"]
    assert (adc.rounded_ps, str(adc.exact_ps)) == (781, "3125/4")
