"""Tables and plots of results: complete, for any width, any name, and the same bytes every time."""

import dataclasses
from io import StringIO
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from rich.console import Console

from pimsim.config import load_system
from pimsim.mapping.compile import map_network
from pimsim.report import show
from pimsim.report.labels import TIME_GROUPS, component_label, run_title
from pimsim.report.plots import dark, losses, save_plots
from pimsim.report.plots.style import COLOURS
from pimsim.report.terminal import LAYOUTS, layer_table, result_tables
from pimsim.results import Result
from pimsim.results.notebook import shortened, with_unit
from pimsim.results.pricing import component_of_actions
from pimsim.results.record import TIME_PARTS
from pimsim.workload import load_workload
from tests.unit.results_runs import joined, result


def printed(what: object, width: int) -> str:
    console = Console(file=StringIO(), width=width)
    console.print(what)
    return console.file.getvalue()  # type: ignore[attr-defined]


def renamed(name: str) -> Result:
    """A result whose layers have an unusual name."""
    run = result()
    return dataclasses.replace(run, layers=tuple(dataclasses.replace(layer, name=name) for layer in run.layers))


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_no_figure_is_cut(width: int) -> None:
    text = printed(layer_table(result(), width), width)
    assert all(len(line) <= width for line in text.splitlines())
    assert "…" not in text


def test_a_column_of_fill_and_drain_says_so() -> None:
    narrow, wide = (" ".join(printed(layer_table(result(), width), width).split()) for width in (60, 200))
    assert "fill+" in narrow and "compute to fill+drain" in narrow and "memory: eDRAM and bus" in narrow
    assert "fill+" not in wide and "compute to drain" in wide


def test_long_names_give_way_on_a_narrow_terminal() -> None:
    text = printed(layer_table(renamed("a_very_long_name_of_a_layer"), 60), 60)
    assert all(len(line) <= 60 for line in text.splitlines()) and "…" not in text


def test_a_component_has_one_colour_of_its_own() -> None:
    assert set(COLOURS) == {*component_of_actions().values(), "gpu.gpu_core", "gpu.router"}
    assert len(set(COLOURS.values())) == len(COLOURS)


PROTAN, DEUTAN, TRITAN = (
    np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
)  # linear RGB as the colour-blind see it: Machado, Oliveira and Fernandes, TVCG 15(6), 2009, severity 1 (recalled)
TOLD_APART = 9.0  #: distance in CIELAB: about four times what is just noticeable


def cielab(colour: object, seen: np.ndarray) -> np.ndarray:
    """(3,) lightness, a and b of a colour as somebody sees it (CIE 1976, D65)."""
    rgb = np.array(to_rgba(colour)[:3])  # type: ignore[arg-type]
    linear = seen @ np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(to_xyz @ linear.clip(0, 1) / (0.9505, 1, 1.089))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("seen", [np.eye(3), PROTAN, DEUTAN, TRITAN], ids=["usual", "protan", "deutan", "tritan"])
@pytest.mark.parametrize("page", ["light", "dark"])
def test_everybody_can_tell_the_parts_of_time_apart(seen: np.ndarray, page: str) -> None:
    assert set(losses.COLOURS) == set(TIME_GROUPS)
    colours = [colour if page == "light" else dark.dark(colour) for colour in losses.COLOURS.values()]
    places = [cielab(colour, seen) for colour in colours]
    assert min(np.linalg.norm(one - other) for one, other in combinations(places, 2)) > TOLD_APART


def test_a_wide_terminal_shows_every_column() -> None:
    text = printed(layer_table(result(), 200), 200)
    for head in ("operation", "windows", "replicas", "crossbars", "tiles", "energy", "first start", "last output"):
        assert head in text
    for head in ("compute", "inputs", "eDRAM", "bus", "network", "back-pr.", "fill", "drain"):
        assert head in text


def test_every_layout_shows_the_whole_of_the_time() -> None:
    for layout in LAYOUTS:
        keys = layout.split()
        assert {"compute", "inputs", "network", "space"} <= set(keys)
        assert ("memory" in keys) != ({"edram", "bus"} <= set(keys))
        assert ("pipeline" in keys) != ({"fill", "drain"} <= set(keys))


def test_the_parts_of_time_have_names_and_each_is_shown_once() -> None:
    assert sorted(part for parts in TIME_GROUPS.values() for part in parts) == sorted(TIME_PARTS)


def test_the_tables_name_the_headline_figures() -> None:
    text = printed(result_tables(result(), 150), 150)
    for name in ("Latency", "Throughput", "Energy-delay product", "Average power", "Peak power (bound)", "Area",
                 "Spatial utilisation", "Temporal utilisation", "Bottleneck", "Programming, once"):  # fmt: skip
        assert name in text
    assert "ADCs" in text


def test_brackets_in_a_name_are_not_taken_for_markup() -> None:
    assert "conv[bold]" in printed(layer_table(renamed("conv[bold]"), 200), 200)


def test_long_names_keep_beginning_and_end() -> None:
    assert shortened("features.stage4.unit2.conv1", 15) == "featur....conv1"
    assert len(shortened("x" * 99, 20)) == 20
    assert shortened("short") == "short"


def test_values_are_shown_with_the_prefix_that_fits() -> None:
    assert with_unit(1.5e-6, "s") == "1.5 us"
    assert with_unit(2.5e3, "W") == "2.5 kW"
    assert with_unit(0, "J") == "0 J"


def test_every_priced_component_has_a_name_for_people() -> None:
    assert all(component_label(name) != name for name in component_of_actions().values())


def test_the_title_of_an_estimate_says_that_it_is_one() -> None:
    run = result()
    estimated = dataclasses.replace(run, source=dataclasses.replace(run.source, engine="analytical"))
    assert run_title(estimated) == f"{run_title(run)}, analytical estimate"
    assert "analytical" not in run_title(run)


def test_plots_are_written_as_png_and_svg_and_are_the_same_every_time(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        files = save_plots(result(), folder)
    assert sorted(file.name for file in files) == [
        f"{name}.{kind}"
        for name in ("energy", "losses", "network", "timeline", "utilisation")
        for kind in ("png", "svg")
    ]
    for file in files:
        assert (folders[0] / file.name).read_bytes() == file.read_bytes()
        assert file.stat().st_size > 2000


def test_names_that_look_like_formulas_can_be_plotted(tmp_path: Path) -> None:
    assert save_plots(renamed("a$b_$c^{"), tmp_path, ("svg",))


def test_a_system_is_described_by_components_peaks_and_clocks() -> None:
    facts = show.describe_system(load_system("isaac-ce-16"))
    assert facts["peak_of_a_chip"]["crossbars"] == 16_128
    assert facts["peak_of_a_chip"]["tops"] == pytest.approx(41.28768)
    text = printed(show.system_tables(facts), 120)
    for words in ("ima: adc", "tile periphery", "65.81 W", "627.4 GOPS/(s W)", "chip.noc.clock_ghz", "41.288 TOPS"):
        assert words in text
    assert facts["components"][-1]["count"] == 16


def test_a_workload_is_described_by_its_operations() -> None:
    facts = show.describe_workload(load_workload("vgg16"))
    assert facts["parameters"] == 138_357_544
    assert sum(row["macs"] for row in facts["operations"]) == facts["macs"]
    assert "138,357,544 parameters" in printed(show.workload_tables(facts), 100)


def test_a_mapping_is_described_by_what_each_layer_takes() -> None:
    facts = show.describe_mapping(map_network(joined(), load_system("isaac-ce")))
    assert facts["crossbars_used"] == sum(row["crossbars"] for row in facts["layers"]) == result().usage.crossbars_used
    assert {row["name"]: row["replicas"] for row in facts["layers"]} == {
        layer.name: layer.replicas for layer in result().layers
    }
    assert "crossbars each" in printed(show.mapping_tables(facts), 120)
