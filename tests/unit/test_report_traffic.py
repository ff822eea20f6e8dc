"""Traffic as people see it: tables on the terminal and on the page, and the picture."""

from __future__ import annotations

import io
from dataclasses import replace
from html import escape

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from rich.console import Console

from pimsim.cli import main
from pimsim.report.page import runs
from pimsim.report.page.traffic import tables
from pimsim.report.plots import dark, style, traffic
from pimsim.report.terminal import result_tables
from pimsim.report.traffic import (
    ideal_words,
    links_figures,
    loss_figures,
    lost_share,
    matrix_figures,
    percent,
    traffic_figures,
    traffic_rows,
)
from pimsim.results import Result, load_result
from pimsim.results.notebook import with_unit
from tests.unit.results_runs import result
from tests.unit.test_results_traffic import beside_ideal, crowded, traffic_of, two_tiles
from tests.unit.training_runs import trained


def printed(run: Result, width: int = 170) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(result_tables(run, width))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


class TestTables:
    def test_the_matrix_is_read_from_the_row_to_the_column(self) -> None:
        run = trained("norm")[2]
        found, counts = matrix_figures(traffic_of(run), "an iteration"), traffic_of(run).bytes
        assert found.head[:4] == ("MiB of an iteration from", "to GPU tier 0", "to ReRAM tier 1", "to GPU tier 2")
        row = next(each for each in found.rows if each[0] == "ReRAM tier 1")
        assert row[1] == f"{counts[2][1] / 2**20:,.2f}" and row[2] == f"{counts[2][2] / 2**20:,.2f}"
        assert found.rows[0][0] == "host" and found.rows[-1][0] == "together" and found.rows[-1][-1] == "100.0"
        assert "multicast counts once for each tile" in found.note

    def test_links_say_where_they_lead_and_for_whom(self) -> None:
        first, *_ = links_figures(traffic_of(two_tiles()[2]), pairs=1).rows
        assert first[0] == "(0, 0, 1) -> (0, 0, 0) (vertical)" and first[3] == "fc2/optimiser -> fc2/update 77%"
        assert all(not row[1] for row in links_figures(traffic_of(trained(noc="ideal")[2])).rows)  # shares of a run

    def test_losses_are_of_the_time_between_first_and_last_window(self) -> None:
        run = trained("norm")[2]
        own = [layer for layer in run.layers if layer.phase == "update"]
        between = sum(layer.time_ps[part] for layer in own for part in layer.time_ps if part not in ("fill", "drain"))
        by_hand = sum(layer.time_ps["network"] for layer in own) / between
        assert 0 < by_hand < 1 and lost_share(own, "network") == pytest.approx(by_hand)
        rows = {row[0]: row[1:] for row in loss_figures(run).rows}
        assert rows["update"][1] == f"{100 * by_hand:.2f}"
        assert list(rows)[:5] == ["forward", "backward", "gradient", "update", "all"]
        slowest = max((layer for layer in run.layers if layer.kind != "input"), key=lambda layer: layer.image_ps)
        assert list(rows)[5] == f"slowest: {slowest.name}"

    def test_training_says_what_an_ideal_network_would_save(self) -> None:
        run = beside_ideal(*crowded(1))
        ours, ideal = (with_unit(ps / 1e12, "s") for ps in run.times_beside_ideal or ())
        words = f"35.8% of the time of an iteration: {ours}, against {ideal} on an ideal"
        assert ideal_words(run).startswith(words)
        assert dict(traffic_rows(run))["Lost to the network"] == ideal_words(run)
        assert "Lost to the network  35.8%" in printed(run)

    def test_a_mean_over_replicas_is_not_called_the_time_that_is_lost(self) -> None:
        run = two_tiles()[2]
        assert run.training is not None
        rows = dict(traffic_rows(run))
        assert rows["Lost to the network"].startswith("not known: --compare-ideal")
        share = lost_share(run.layers, "network")
        assert rows["Waiting for packets"].startswith(f"{percent(share)} of the replicas' time from first to last")
        assert "a mean over replicas" in rows["Waiting for packets"]

    def test_small_shares_are_not_rounded_to_nothing(self) -> None:
        assert [percent(share) for share in (0, 0.00012, 0.0123)] == ["0.0%", "0.012%", "1.2%"]

    def test_an_ideal_network_may_be_slower_by_the_order_in_which_work_arrives(self) -> None:
        run = beside_ideal(*crowded(1))
        assert run.times_on_ideal is not None
        words = ideal_words(replace(run, times=run.times_on_ideal, times_on_ideal=run.times))
        assert words.startswith("nothing of the time of an iteration: 82.")
        assert "(55.7% more)" in words

    def test_headlines_say_how_few_the_few_are(self) -> None:
        found = traffic_of(two_tiles()[2])
        rows = dict(traffic_rows(two_tiles()[2]))
        core = found.endpoints[1]
        assert rows["From or to GPU"].startswith(f"{core.bytes / found.total:.1%} of the bytes, at 1 tile; the ")
        assert rows["Traffic"].endswith(f"{found.between_kinds / found.total:.0%} between ReRAM and GPU cores")
        assert rows["Sent in"].startswith("forward ") and "update" in rows["Sent in"]

    def test_terminal_and_page_tell_the_same(self) -> None:
        run = trained("norm")[2]
        text, page = printed(run), tables(run)
        for figures in traffic_figures(run):
            assert figures.head[0] in text and all(escape(row[0]) in page for row in figures.rows)
        assert page in runs.facts(run)

    @pytest.mark.parametrize("width", [60, 100, 170])
    def test_narrow_terminals_show_it_too(self, width: int) -> None:
        assert all(len(line) <= width for line in printed(trained("norm")[2], width).splitlines())

    def test_chips_of_one_kind_of_tile_say_nothing(self) -> None:
        run = result("joined", 2, "packet", ())
        assert traffic_figures(run) == [] and tables(run) == "" and traffic_rows(run) == []


class TestPicture:
    def test_it_shows_the_matrix_of_tiles_in_the_order_of_tiers(self) -> None:
        run = trained("norm")[2]
        found = traffic_of(run)
        with style.in_style():
            axes = traffic.draw(run, found).axes[0]
        drawn = np.ma.filled(axes.images[0].get_array(), np.nan)
        assert drawn.shape == (64, 64) and np.nansum(drawn) == sum(found.cells.bytes)
        assert all(drawn[a, b] == count for a, b, count in
                   zip(found.cells.source, found.cells.target, found.cells.bytes, strict=True))  # fmt: skip
        names = [label.get_text() for label in axes.get_xticklabels()]
        assert names == ["GPU\ntier 0", "ReRAM\ntier 1", "GPU\ntier 2", "ReRAM\ntier 3"]
        lines = axes.collections[0].get_segments()
        assert [line[0][1] for line in lines] == [15.5, 31.5, 47.5]

    def test_bars_are_the_bytes_of_each_phase(self) -> None:
        run = two_tiles()[2]
        found = traffic_of(run)
        with style.in_style():
            bars = traffic.draw(run, found).axes[3]
        lengths = [sum(bar.get_width() for bar in bars.patches if round(bar.get_y() + 0.35) == n)
                   for n in range(len(found.phases))]  # fmt: skip
        assert lengths == pytest.approx([sum(map(sum, phase.bytes)) / 2**10 for phase in found.phases])

    def test_values_keep_their_colours_on_a_dark_page(self) -> None:
        run = trained("norm")[2]
        with style.in_style():
            figure = traffic.draw(run, traffic_of(run))
        tiers = figure.axes[2]
        before = [text.get_color() for text in tiers.texts]
        colours = to_rgba(figure.axes[0].images[0].get_cmap().get_bad())
        assert dark.darken(figure)
        assert [text.get_color() for text in tiers.texts] == before and {"white", "black"} == set(before)
        assert to_rgba(figure.axes[0].images[0].get_cmap().get_bad()) == colours

    def test_what_is_sent_nowhere_is_not_drawn(self) -> None:
        run = two_tiles()[2]
        with pytest.raises(LookupError, match="nothing leaves its tile"):
            traffic.draw(run, replace(traffic_of(run), phases=()))

    def test_the_page_has_it_beside_phases_in_place_of_layers(self) -> None:
        names = [each.name for each in runs.drawings("a", two_tiles()[2])]
        assert names == ["a-training", "a-utilisation", "a-network", "a-traffic"]
        assert not any("traffic" in each.name for each in runs.drawings("a", result("joined", 2, "packet", ())))


class TestCommand:
    def test_run_writes_the_picture_and_says_what_is_lost(self, tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
        command = ["run", "lenet5", "--arch", "hetero-3d", "--mode", "train", "--batch", "2", "--compare-ideal"]
        assert main([*command, "--out", str(tmp_path / "run")]) == 0
        shown = capsys.readouterr().out
        assert "of the time of an iteration: " in shown and "hottest links" in shown
        assert {"traffic.png", "traffic.svg"} <= {file.name for file in (tmp_path / "run").iterdir()}
        assert load_result(tmp_path / "run").times_on_ideal is not None

    def test_an_estimate_has_nothing_to_compare(self, capsys) -> None:  # type: ignore[no-untyped-def]
        assert main(["run", "lenet5", "--arch", "isaac-ce", "--fidelity", "analytical", "--compare-ideal"]) == 2
        assert "--compare-ideal" in capsys.readouterr().err
