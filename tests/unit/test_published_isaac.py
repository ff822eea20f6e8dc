"""ISAAC's table 1 and the densities that follow from it, reproduced."""

import pytest

from pimsim.config import load_system
from pimsim.technology import peak_metrics, roll_up
from pimsim.validate.published import ISAAC_CE, Comparison, compare

COMPARISONS = compare(ISAAC_CE, load_system("isaac-ce"))


@pytest.mark.parametrize("row", COMPARISONS, ids=lambda row: row.quantity)
def test_a_published_figure_is_reproduced(row: Comparison) -> None:
    assert row.agrees, f"{row.quantity}: published {row.published} {row.unit}, ours {row.ours} ({row.difference:+.2%})"


@pytest.mark.parametrize(
    ("subtotal", "power_mw", "area_mm2"),
    [
        ("ima", 24.08, 0.01312),
        ("imas", 289, 0.157),
        ("tile_periphery", 40.9, 0.215),
        ("tile", 330, 0.372),
        ("tiles", 55.4e3, 62.5),
        ("links", 10.4e3, 22.88),
        ("chip", 65.8e3, 85.4),
    ],
)
def test_a_subtotal_is_within_half_a_percent(subtotal: str, power_mw: float, area_mm2: float) -> None:
    ours = getattr(roll_up(load_system("isaac-ce")), subtotal)
    assert ours.power_mw == pytest.approx(power_mw, rel=0.005)
    assert ours.area_mm2 == pytest.approx(area_mm2, rel=0.005)


def test_the_peak_is_16128_crossbars_and_41_288_tops() -> None:
    peak = peak_metrics(load_system("isaac-ce"))
    assert peak.crossbars == 16_128
    assert round(peak.tops, 3) == 41.288
    assert (peak.beat_ns, peak.reads_per_vector, peak.vector_ns) == (100, 16, 1600)


def test_the_densities_are_those_of_the_paper() -> None:
    peak = peak_metrics(load_system("isaac-ce"))
    assert peak.ce_gops_per_mm2 == pytest.approx(478.95, rel=0.015)
    assert peak.se_mib_per_mm2 == pytest.approx(0.738, rel=0.01)
    assert peak.pe_gops_per_w == pytest.approx(627.5, rel=0.005)


def test_sixteen_chips_have_the_peak_of_one_each_and_sixteen_times_the_area() -> None:
    one, sixteen = load_system("isaac-ce"), load_system("isaac-ce-16")
    assert peak_metrics(sixteen) == peak_metrics(one)
    total = roll_up(sixteen).system
    assert total is not None
    assert total.area_mm2 == pytest.approx(16 * roll_up(one).chip.area_mm2)


def test_a_figure_that_disagrees_says_so() -> None:
    rows = compare(ISAAC_CE, load_system("isaac-ce", ["chip.tile.imas=11"]))
    wrong = {row.quantity for row in rows if not row.agrees}
    assert {"power of 12 IMAs", "crossbars of a chip", "peak"} <= wrong
    assert "power of an IMA" not in wrong
