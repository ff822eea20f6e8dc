"""Pictures of temperatures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pimsim.report import heat
from pimsim.report.plots import style
from pimsim.thermal import Conduction, TemperatureMap, Transient, stack_for_tiers, steady_state, transient_response


def conduction(tiers: int) -> Conduction:
    return Conduction(stack_for_tiers(tiers, 8e-3, 4e-3), 16, 8)


def heated(tiers: int) -> TemperatureMap:
    stack = conduction(tiers)
    power = np.full(stack.grid.shape, 5 / 128)
    power[tiers // 2, 5, 3] += 6.0
    return steady_state(stack, power)


@pytest.mark.parametrize("tiers", [1, 2, 4, 5, 9])
def test_every_tier_is_drawn_in_one_scale_and_the_hottest_spot_is_marked(tiers: int) -> None:
    found = heated(tiers)
    with style.in_style():
        figure = heat.draw_map(found, "a $ run")
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == tiers
    for tier, axes in enumerate(panels):
        image = axes.images[0]
        assert np.array_equal(image.get_array(), found.temperature_k[tier] - 273.15)
        assert (image.norm.vmin, image.norm.vmax) == pytest.approx(
            (found.temperature_k.min() - 273.15, found.temperature_k.max() - 273.15)
        )
        assert image.get_extent() == pytest.approx([0, 8, 0, 4])
    marked = [axes for axes in panels if axes.lines]
    assert marked == [panels[found.hottest.tier]]
    assert [float(each[0]) for each in marked[0].lines[0].get_data()] == pytest.approx([1.75, 2.75])
    assert "tier" in figure._suptitle.get_text() and "°C" in figure._suptitle.get_text()  # type: ignore[union-attr]


def test_the_title_says_how_hot_and_where() -> None:
    found = heated(2)
    rise = found.hottest.temperature_k - 318.15
    assert heat.map_words(found) == (
        f"16 W: hottest {rise + 45:.1f} °C, {rise:.1f} K above the air, on tier 1 at (1.75, 2.75) mm"
    )


def response(times: np.ndarray) -> Transient:
    stack = conduction(3)
    power = np.full(stack.grid.shape, 0.02)
    return transient_response(stack, [times[-1] / 2, times[-1] / 2], [power, power / 5], times)


def test_each_tier_has_its_line_in_time() -> None:
    found = response(np.geomspace(1e-3, 200, 12))
    with style.in_style():
        figure = heat.draw_transient(found, "run")
    axes = figure.axes[0]
    assert axes.get_xscale() == "log" and axes.get_xlabel() == "time [s]"
    for tier, line in enumerate(axes.lines):
        assert line.get_ydata() == pytest.approx(found.tier_max_k[:, tier] - 273.15)
    assert len(axes.lines) == 3
    assert "tier 0 after" in axes.get_title(loc="left")


def test_short_times_are_in_small_units_on_an_even_scale() -> None:
    with style.in_style():
        axes = heat.draw_transient(response(np.linspace(0, 5e-3, 6)), "run").axes[0]
    assert axes.get_xscale() == "linear" and axes.get_xlabel() == "time [ms]"
    assert axes.lines[0].get_xdata()[-1] == pytest.approx(5)


def test_a_cold_stack_can_be_drawn() -> None:
    stack = conduction(2)
    with style.in_style():
        figure = heat.draw_map(steady_state(stack, np.zeros(stack.grid.shape)), "idle")
    assert len([axes for axes in figure.axes if axes.images]) == 2


def test_pictures_are_files_without_dates(tmp_path: Path) -> None:
    found, in_time = heated(1), response(np.linspace(0, 1e-3, 3))
    files = heat.save_heat(found, tmp_path, "run", transient=in_time)
    assert [file.name for file in files] == ["heat.png", "heat.svg", "heat_transient.png", "heat_transient.svg"]
    assert all(file.stat().st_size > 3000 for file in files)
    (tmp_path / "again").mkdir()
    for file in heat.save_heat(found, tmp_path / "again", "run", transient=in_time, formats=("svg",)):
        assert file.read_bytes() == (tmp_path / file.name).read_bytes()
