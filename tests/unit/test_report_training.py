"""A run of training as people see it: what is of an iteration says so, on the terminal, on the page, in pictures."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console

import pimsim
from pimsim.baselines import preset_device
from pimsim.costmodels.roofline import training_roofline
from pimsim.report.beside import beside_table
from pimsim.report.beside import set_beside as beside_a_run
from pimsim.report.page import against, overview, runs
from pimsim.report.page.versus import network_of, set_beside
from pimsim.report.plots import style, training, utilisation
from pimsim.report.terminal import result_tables
from pimsim.report.training import longest_table, training_rows
from pimsim.results import Result
from pimsim.results.notebook import in_bytes, with_unit
from pimsim.results.record import Front
from pimsim.workload import load_workload
from tests.unit.results_runs import result
from tests.unit.training_runs import BATCH, trained


def printed(what: object, width: int = 170) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(what)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.fixture(scope="module")
def lenet() -> Result:
    return pimsim.simulate("lenet5", "hetero-3d", mode="train", batch=4, noc="ideal", iterations=9)


class TestWords:
    def test_the_terminal_says_what_is_of_an_iteration(self) -> None:
        run = trained("norm")[2]
        text = printed(result_tables(run, 170))
        assert "an iteration, at least" in text and "an image, at least" not in text and "inference" not in text
        slowest = max(run.layers, key=lambda layer: layer.share("compute"))
        line = next(each for each in printed(longest_table(run)).splitlines() if each.startswith(f" {slowest.name} "))
        assert with_unit(slowest.image_ps / 1e12, "s", 3) in line

    def test_the_summary_of_a_page_tells_iterations_from_inferences(self) -> None:
        run, other = trained("norm")[2], result()
        assert run.training is not None
        page = runs.summary({"a": run, "b": other})
        cells = [cell.partition(">")[2].partition("<")[0] for cell in page.split("<td")[1:]]
        ours, theirs = cells[:13], cells[14:]
        assert ours[5:8] == [with_unit(run.training.time_per_iteration_ps / 1e12, "s"), "an iteration",
                             f"{run.training.images_per_s:,.0f}"]  # fmt: skip
        assert theirs[5:8] == [with_unit(other.times.latency_ps / 1e12, "s"), "an inference", "not measured"]

    def test_facts_and_figures_of_a_page_speak_of_no_inference(self) -> None:
        run = trained("norm")[2]
        words = [runs.facts(run), *(f"{each.message} {each.note}" for each in runs.drawings("a", run))]
        assert not any("inference" in each or "first image" in each for each in words)
        assert "Windows and (dynamic) energy are those of an iteration" in words[0]
        assert "Windows and (dynamic) energy are those of an inference" in runs.facts(result())

    def test_many_runs_in_one_picture_say_of_what_their_times_are(self) -> None:
        run = trained("norm")[2]
        assert run.training is not None
        (alone,) = overview.drawings({"a": run, "b": run})
        assert "of one iteration, static" in alone.note and "inference" not in alone.note
        assert alone.rows[0][:3] == ["a", "train", run.training.time_per_iteration_ps]
        (both,) = overview.drawings({"a": run, "b": result()})
        assert "one inference, or iteration of training" in both.note

    def test_an_extrapolated_run_says_how_far_off_it_can_be(self, lenet: Result) -> None:
        assert lenet.training is not None and lenet.training.more is not None
        rows = dict(training_rows(lenet, lenet.training))
        error = with_unit(lenet.training.more.error_ps / 1e12, "s", 3)
        assert rows["9 iterations"].startswith(f"{with_unit(lenet.times.run_ps / 1e12, 's')}, extrapolated from 3, off")
        assert f"off by {error} at most" in rows["9 iterations"] and "mean of 8 after the first" in rows["Iteration"]
        assert f"off by {with_unit(lenet.energy_error_pj / 1e12, 'J', 3)}" in rows["Energy an iteration"]
        assert "in the last iteration of the 3 that were simulated" in printed(result_tables(lenet, 170))
        assert "share of the 3 iterations simulated" in runs.facts(lenet)

    def test_what_is_kept_is_told_in_readable_units(self, lenet: Result) -> None:
        assert lenet.training is not None
        small = replace(lenet.training, saved_bytes={"edram": 1536, "dram": 0, "gpu_memory": 5 * 2**20})
        rows = dict(training_rows(lenet, small))
        assert rows["Kept for backward"] == "1.5 KiB in eDRAM; 5 MiB in the memory of GPU cores"
        assert [in_bytes(count) for count in (0, 12, 2**30)] == ["0 byte", "12 byte", "1 GiB"]


    def test_energy_times_delay_is_of_an_iteration(self, lenet: Result) -> None:
        assert lenet.training is not None and lenet.delay_ps == lenet.training.time_per_iteration_ps
        product = lenet.summary["energy_per_iteration_uj"] * lenet.summary["iteration_us"] / 1e3
        assert lenet.summary["energy_delay_product_uj_ms"] == pytest.approx(product)
        assert result().delay_ps == result().times.latency_ps


class TestBaselines:
    def test_training_stands_beside_the_roofline_of_an_iteration(self, lenet: Result) -> None:
        assert lenet.training is not None
        pairs, missing = set_beside({"a": lenet}, ["v100", "1080ti"])
        assert missing == [] and [pair.baseline for pair in pairs] == ["v100", "gtx-1080-ti"]
        cost = training_roofline(load_workload("lenet5"), preset_device("v100"), batch=4)
        assert pairs[0].throughput == pytest.approx(lenet.training.images_per_s * cost.time_s / 4)
        assert pairs[0].energy == pytest.approx(cost.energy_j / (lenet.costs.energy_pj / 1e12))
        assert (pairs[0].latency, pairs[0].precision, pairs[0].batch) == (None, "fp32", 4)
        assert pairs[0].per_power is not None and pairs[0].method == "training, simulated, ideal network"
        assert network_of(lenet).name == "lenet5"

    def test_what_was_measured_in_inference_is_left_out_for_that_reason(self, lenet: Result) -> None:
        pairs, missing = set_beside({"a": lenet}, ["lenet5-cpu.json"])
        assert pairs == [] and "was measured in inference" in missing[0].reason

    def test_of_a_file_that_does_not_tell_its_network_that_is_the_reason(self, lenet: Result) -> None:
        old = replace(lenet, source=replace(lenet.source, network_hash=""))
        _, (missing,) = set_beside({"a": old}, ["v100"])
        assert "has not kept which network" in missing.reason and "--workload" not in missing.reason

    def test_where_speed_ups_of_training_are_shown_it_is_said_that_they_flatter(self, lenet: Result) -> None:
        infers = result_of_inference()
        of_training, _ = set_beside({"a": lenet}, ["v100"])
        of_both, _ = set_beside({"a": lenet, "b": infers}, ["v100"])
        of_inference, _ = set_beside({"b": infers}, ["v100"])
        alone, both, other = (against.table(pairs, []) for pairs in (of_training, of_both, of_inference))
        assert "flatter the chip" in alone and "undercuts" not in alone
        assert "flatter the chip" in both and "undercuts" in both
        assert "flatter the chip" not in other and "undercuts" in other
        found = {each.name: each for each in against.drawings({"a": lenet, "b": infers}, of_both)}
        assert "flatter the chip" in found["speedup-training"].note and "flatter" not in found["speedup"].note
        assert all("flatter the chip" in found[name].note for name in ("speedup-training", "normalised-training"))
        table = printed(beside_table(lenet, beside_a_run(lenet, load_workload("lenet5"), ["1080ti"])))
        assert "flatter the chip" in " ".join(table.split()) and "no kernel exceeds" not in table

    def test_a_norm_that_the_gpu_does_not_leave_out_is_named(self, lenet: Result) -> None:
        config = {**lenet.source.config, "training": {**lenet.source.config["training"], "norm": "none"}}
        other = replace(lenet, source=replace(lenet.source, config=config))
        assert against.other_norms({"a": lenet}) == ""
        assert "a (training.norm: none)" in against.other_norms({"a": other})
        table = printed(beside_table(other, beside_a_run(other, load_workload("lenet5"), ["v100"])))
        assert "training.norm: none" in table


def result_of_inference() -> Result:
    return pimsim.simulate("lenet5", "isaac-ce", noc="ideal")


class TestPictures:
    def test_phases_stand_beside_tiers_and_cores_where_there_are_any(self) -> None:
        run = trained("norm")[2]
        figure = drawn(run)
        titles = [axes.get_title(loc="left") for axes in figure.axes]
        assert len(titles) == 3 and "between ReRAM and GPU" in titles[1] and titles[2].startswith("GPU cores are busy")
        assert run.traffic is not None and run.training is not None
        shares = np.array(figure.axes[1].images[0].get_array())
        assert shares.sum() == pytest.approx(100) and shares.shape == (4, 4)  # no byte comes from the last tier

    def test_without_cores_there_are_phases_alone(self) -> None:
        run = trained("norm")[2]
        assert run.training is not None
        figure = drawn(replace(run, traffic=None, training=replace(run.training, core_busy_shares=())))
        assert len(figure.axes) == 1 and "flits" not in figure.axes[0].get_title(loc="left")

    def test_the_legend_lies_below_the_bars(self) -> None:
        figure = drawn(trained()[2])
        FigureCanvasAgg(figure).draw()
        (legend,) = figure.legends
        boxes = [axes.get_tightbbox() for axes in figure.axes]
        assert not any(legend.get_window_extent().overlaps(box) for box in boxes if box is not None)
        assert all(axes.get_legend() is None for axes in figure.axes)

    def test_names_of_tiers_do_not_overlap_with_few_layers(self) -> None:
        figure = drawn(trained()[2])
        FigureCanvasAgg(figure).draw()
        for ticks in (figure.axes[1].get_xticklabels(), figure.axes[1].get_yticklabels()):
            boxes = [tick.get_window_extent() for tick in ticks]
            assert not any(one.overlaps(other) for one, other in zip(boxes, boxes[1:], strict=False))

    def test_a_longer_run_shows_an_iteration_that_was_simulated(self, lenet: Result) -> None:
        assert drawn(lenet).axes[0].get_xlabel().startswith("time in iteration 3 ")

    def test_crossbars_and_cores_have_scales_of_their_own(self) -> None:
        run = trained("norm")[2]
        share, used = np.array(run.tiles.busy_share), np.array(run.tiles.crossbars_used)
        cores = np.isin(np.arange(share.size), run.tiles.gpu_cores)
        figure = utilisation_of(run)
        of_crossbars, of_cores = (axes.get_xlim()[1] for axes in figure.axes[1:])
        assert of_crossbars == pytest.approx(100 * share[used > 0].max())
        assert of_cores == pytest.approx(100 * share[cores].max()) != of_crossbars
        legend = figure.axes[0].get_legend()
        assert legend is not None and [text.get_text() for text in legend.get_texts()] == ["not used"]
        assert utilisation.message(run).startswith("Crossbars in use read")
        assert run.training is not None
        assert f"GPU cores in use work {run.training.core_utilisation:.0%} of it" in utilisation.message(run)

    def test_tiers_are_named(self) -> None:
        words = [text.get_text() for text in utilisation_of(trained()[2]).axes[0].texts]
        assert words == ["GPU tier 0", "ReRAM tier 1", "GPU tier 2", "ReRAM tier 3"]
        assert [text.get_text() for text in utilisation_of(result()).axes[0].texts] == ["chip 0"]

    def test_words_of_scales_title_and_legend_do_not_overlap(self) -> None:
        figure = utilisation_of(trained("norm")[2])
        FigureCanvasAgg(figure).draw()
        tiles = figure.axes[0]
        legend, title = tiles.get_legend(), next(text for text in tiles.texts if text.get_text())
        boxes = [tiles._left_title.get_window_extent(), title.get_window_extent()]  # type: ignore[attr-defined]
        boxes += [axes.get_tightbbox() for axes in figure.axes[1:]]
        boxes += [legend.get_window_extent()] if legend is not None else []
        assert len(boxes) == 5
        assert not any(one.overlaps(other) for n, one in enumerate(boxes) for other in boxes[n + 1 :])


def drawn(run: Result) -> Figure:
    assert run.training is not None and run.training.batch in (BATCH, 4)
    with style.in_style():
        return training.draw(run, run.training)


def utilisation_of(run: Result) -> Figure:
    with style.in_style():
        return utilisation.draw(run)


def test_the_page_shows_what_a_search_for_a_placement_had_to_choose_from(lenet: Result) -> None:
    front = Front(("latency", "temperature"), ((1.0, 2.0), (2.0, 1.0)), 1)
    searched = replace(lenet, placement=replace(lenet.placement, front=front))
    (drawing,) = (each for each in runs.drawings("run", searched) if each.name.endswith("placement"))
    assert drawing.rows == [[0, 1.0, 2.0], [1, 2.0, 1.0]]
    assert drawing.head == ["chosen", "latency [ns a flit]", "temperature [K]"]
    assert not any(each.name.endswith("placement") for each in runs.drawings("run", lenet))
