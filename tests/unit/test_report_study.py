"""The part of `pimsim report` about studies: what depends on what, fronts, means over seeds, baselines, texts."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pimsim.baselines import run_on_baseline
from pimsim.cli import main
from pimsim.report.page import studies, study_versus
from pimsim.report.page.build import Subjects, write_report
from pimsim.report.page.points import Points, effects, tied
from pimsim.report.page.studies import drawings
from pimsim.report.page.study_versus import best_beside
from pimsim.report.plots import pareto, roofline, scaling, speedup, tornado
from pimsim.sweep import Inference, Sweep, grid, load_study, run_sweep
from pimsim.workload import load_workload
from tests.unit.test_sweep_spec import open_network


def points(columns, axes, name="study", tmp_path=None, objectives=("latency_ns", "energy_pJ")):
    count = len(columns["workload"])
    filled = {"ordinal": tuple(range(count)), "system": ("isaac-ce",) * count, "error": (None,) * count,
              "key": tuple(map(str, range(count))), **columns}  # fmt: skip
    front = np.zeros(count, dtype=bool)
    front[0] = True
    return Points(name, tmp_path, "a <study> & more", axes, filled, {"points": count, "done": count, "failed": 0},
                  objectives, (), front, {"code_version": "1"})  # fmt: skip


def effect(found, axis):
    return next(each for each in found if each.axis == axis)


def test_effects_by_hand():
    """Doubling a doubles the latency of both networks, b does nothing."""
    rows = [(w, a, b) for w in ("small", "large") for a in (1, 2) for b in (8, 16)]
    found = effects(points({
        "workload": tuple(w for w, _, _ in rows), "a": tuple(a for _, a, _ in rows), "b": tuple(b for *_, b in rows),
        "latency_ns": tuple(a * (1.0 if w == "small" else 1000.0) for w, a, _ in rows),
    }, ("b", "a")), "latency_ns")  # fmt: skip
    assert [each.axis for each in found] == ["a", "b"]
    assert (found[0].low, found[0].high) == (pytest.approx(1 / math.sqrt(2)), pytest.approx(math.sqrt(2)))
    assert (found[0].low_at, found[0].high_at, found[0].groups) == ("1", "2", 4)
    assert found[0].span == pytest.approx(2) and found[1].span == 1


def test_an_axis_that_changes_with_another_does_not_get_its_effect():
    """adc >= size - 1: large ones come with slow arrays, and do nothing themselves.

    Means over all points with a value would say 3.3 times for adc.
    """
    rows = [(size, adc) for size in (7, 8, 9) for adc in (6, 7, 8, 9) if size - 1 <= adc <= size]
    study = points({"workload": ("one",) * len(rows), "size": tuple(s for s, _ in rows),
                    "adc": tuple(a for _, a in rows), "latency_ns": tuple(4.0**size for size, _ in rows)},
                   ("size", "adc"), objectives=("latency_ns",))  # fmt: skip
    found = effects(study, "latency_ns")
    assert effect(found, "adc").span == 1 and effect(found, "adc").groups == 3
    assert effect(found, "size").span == pytest.approx(4) and effect(found, "size").together == 2
    assert (effect(found, "size").low_at, effect(found, "size").high_at) == ("smallest", "largest")
    assert tied(study) == {}
    assert "size 2 of 3" in next(each for each in drawings(study) if each.name == "study-tornado").note


def test_an_axis_that_never_changes_alone_is_said_to():
    """Lists go together: b cannot be told from a, but c can."""
    rows = [(a, 10 * a, c) for a in (1, 2, 3) for c in (1, 2)]
    study = points({"workload": ("one",) * 6, "a": tuple(a for a, _, _ in rows), "b": tuple(b for _, b, _ in rows),
                    "c": tuple(c for *_, c in rows), "latency_ns": tuple(float(a * c) for a, _, c in rows)},
                   ("a", "b", "c"))  # fmt: skip
    assert [each.axis for each in effects(study, "latency_ns")] == ["c"]
    assert tied(study) == {"a": ("b",), "b": ("a",)}
    words = "What a alone does cannot be told: no two points differ in it alone, b changes with it."
    assert words in studies.inseparable(study)


def test_drawn_values_are_never_alone():
    generator = np.random.default_rng(1)
    study = points({"workload": ("one",) * 40, "x": tuple(generator.random(40)), "y": tuple(generator.random(40)),
                    "latency_ns": tuple(generator.random(40))}, ("x", "y"))  # fmt: skip
    assert effects(study, "latency_ns") == [] and tied(study) == {"x": ("y",), "y": ("x",)}


def test_where_groups_disagree_the_range_is_kept():
    """imas helps one network by 2, harms the other by 8: on average a factor of 4 between best and worst."""
    study = points({"workload": ("one", "one", "two", "two"), "imas": (8, 16, 8, 16),
                    "latency_ns": (2.0, 1.0, 1.0, 8.0)}, ("imas",))  # fmt: skip
    (found,) = effects(study, "latency_ns")
    assert found.span == pytest.approx(4) and (found.smallest_ratio, found.largest_ratio) == (
        pytest.approx(2), pytest.approx(8))  # fmt: skip
    assert (found.lowest, found.highest) == (pytest.approx(8**-0.5), pytest.approx(8**0.5))
    assert "(1 of 2)" in found.low_at
    assert tornado.draw({"latency": [found]})


def test_scaling_takes_the_best_point_of_each_number_of_chips():
    study = points({
        "workload": ("lenet5",) * 4, "chips": (8, 8, 16, 16), "latency_ns": (1.0,) * 4,
        "throughput_per_s": (10.0, 20.0, 30.0, None), "energy_pJ": (4e6, 5e6, 7e6, 1e6),
    }, ("chips",))  # fmt: skip
    study = replace(study, chips_axis="chips")
    drawing = next(each for each in drawings(study) if each.name == "study-scaling")
    assert drawing.rows == [["lenet5", 8, 20.0, 4.0], ["lenet5", 16, 30.0, 7.0]]
    assert "1.5x from 8 to 16" in drawing.message


def test_best_points_beside_a_baseline_by_hand():
    found, missing = best_beside(points({
        "workload": ("lenet5", "lenet5", "nowhere"), "latency_ns": (2000.0, 1000.0, 5.0),
        "energy_pJ": (3e6, 4e6, None),
    }, ()), ["v100"])  # fmt: skip
    run = run_on_baseline("v100", load_workload("lenet5"))
    assert [each.workload for each in found] == ["lenet5"]
    assert found[0].latency == pytest.approx(run.batch_s / 1e-6)
    assert found[0].energy == pytest.approx(run.energy_per_inference_j / 3e-6)
    assert "nowhere" in missing[0]


def test_a_network_with_free_dimensions_stands_beside_a_baseline_as_it_was_swept(tmp_path):
    open_network(tmp_path)
    file = str(tmp_path / "open.onnx")
    study = points({"workload": ("open.onnx",), "latency_ns": (1000.0,), "energy_pJ": (1e6,)}, ())
    study = replace(study, files={"open.onnx": file})
    assert "leaves height, width free" in best_beside(study, ["v100"])[1][0]
    shapes = {"images": [1, 1, 10, 12]}
    found, missing = best_beside(replace(study, input_shapes={"open.onnx": shapes}), ["v100"])
    assert missing == []
    assert found[0].baseline_latency_s == run_on_baseline("v100", load_workload(file, shapes)).batch_s


def test_a_study_of_2000_points_is_small_and_names_stay_words(tmp_path):
    generator = np.random.default_rng(1)
    count = 2000
    study = points({
        "workload": ("lenet5",) * count, "x": tuple(generator.integers(1, 5, count).tolist()),
        "latency_ns": tuple(generator.lognormal(5, 1, count)), "energy_pJ": tuple(generator.lognormal(9, 1, count)),
    }, ("x",), name="<b>$big$</b>", tmp_path=tmp_path)  # fmt: skip
    files = write_report(Subjects(studies=[study]), tmp_path / "big.html")
    text = files[0].read_text()
    assert files[0].stat().st_size < 8e6
    assert "a &lt;study&gt; &amp; more" in text and "<b>" not in text
    tables = [file for file in files if file.name.endswith("points.csv")]
    assert len(tables[0].read_text().splitlines()) == count + 1


def small_study(folder, **given):
    sweep = Sweep(**{"workloads": ["lenet5"], "systems": ["isaac-ce"], "noc": "ideal", "fidelity": "analytical",
                     "axes": {"imas": grid("chip.tile.imas", [8, 12])}, **given})  # fmt: skip
    run_sweep(sweep, folder / "study")
    return str(folder / "study")


def reported(folder, study, *arguments):
    """The page and its files."""
    assert main(["report", study, *arguments, "--out", str(folder / "page.html")]) == 0
    return (folder / "page.html").read_text(), folder / "page_files"


@pytest.fixture(scope="module")
def of_estimates(tmp_path_factory):
    """Page and files of a study of estimates at batch 16, whose axis of chips is called size."""
    folder = tmp_path_factory.mktemp("estimates")
    axes = {"size": grid("chips", [1, 2]), "imas": grid("chip.tile.imas", [8, 12])}
    return reported(folder, small_study(folder, batch=16, axes=axes), "--baseline", "v100", "--maximize",
                    "throughput_per_s")  # fmt: skip


def rows_of(files, name):
    return list(csv.DictReader((files / name).read_text().splitlines()))


def test_the_page_says_how_points_were_found(of_estimates):
    text, _ = of_estimates
    assert "All of it: analytical estimate, ideal network; batch 16." in text
    assert text.count("Analytical estimate, ideal network; batch 16.") >= 3  # below the figures
    assert "<h3>Analytical estimates: no other point beats" in text and "<h3>By analytical estimates the best" in text


def test_energies_of_a_study_are_compared_at_the_batch_of_its_points(of_estimates):
    """26 times where the GPU runs one image at a time, 1.9 at equal batches."""
    (row,) = rows_of(of_estimates[1], "study-speedup.csv")
    gpu = run_on_baseline("v100", load_workload("lenet5"), batch=16).energy_per_inference_j
    assert float(row["energy_ratio"]) == pytest.approx(gpu / float(row["best_energy_j"]))
    assert (row["batch_of_energy"], row["latency_ratio"]) == ("16", "")  # no point has a batch of 1


def test_what_is_maximized_comes_beside_what_is_minimized(of_estimates):
    text, files = of_estimates
    head = (files / "study-pareto.csv").read_text().splitlines()[0]
    assert "latency_ns,energy_pJ,area_mm2,throughput_per_s,on_front" in head
    assert "No Pareto chart" not in text


def test_scaling_is_drawn_whatever_the_axis_of_chips_is_called(of_estimates):
    assert [row["chips"] for row in rows_of(of_estimates[1], "study-scaling.csv")] == ["1", "2"]


def test_fidelities_are_kept_apart(tmp_path, monkeypatch):
    axes = {"fidelity": grid("fidelity", ["engine", "analytical"])}
    monkeypatch.setattr(studies, "drawings", lambda points: [])
    study = small_study(tmp_path, fidelity="engine", noc=None, axes=axes)
    text, files = reported(tmp_path, study, "--baseline", "v100")
    rows = [row for name in ("study-speedup.csv", "study-speedup-2.csv") for row in rows_of(files, name)]
    assert [row["method"] for row in rows] == ["simulated, packet network", "analytical estimate, ideal network"]
    assert "simulated, packet network (1 points); analytical estimate, ideal network (1 points)" in text


def test_a_network_that_has_changed_since_is_not_set_beside(tmp_path, monkeypatch):
    study = points({"workload": ("lenet5",), "latency_ns": (1000.0,), "energy_pJ": (1e6,)}, ())
    found, missing = best_beside(replace(study, hashes={"lenet5": "0" * 64}), ["v100"])
    assert found == [] and "not the one that was swept" in missing[0]
    monkeypatch.setattr(studies, "drawings", lambda points: [])
    path = small_study(tmp_path, files={"mine.yaml": str(_network(tmp_path, 10))}, workloads=["mine.yaml"])
    assert "not the one that was swept" not in reported(tmp_path, path, "--baseline", "v100")[0]
    swept = load_study(path).sweep().path_of("mine.yaml")
    _network(Path(swept).parent, 100, Path(swept).name)
    text, _ = reported(tmp_path, path, "--baseline", "v100")
    assert "mine.yaml: the network at hand is not the one that was swept: its file has changed since" in text
    assert "study-speedup.csv" not in text
    again = str(_network(tmp_path, 10, "again.yaml"))
    assert "not the one that was swept" not in reported(tmp_path, path, "--baseline", "v100", "--workload", again)[0]


def _network(folder, outputs, name="mine.yaml"):
    """A small network in a file."""
    file = folder / name
    file.write_text("format: pimsim-workload-1\nname: mine\nsource: none\ninputs: {image: [64]}\nlayers:\n"
                    f"  - {{name: scores, type: linear, features: {outputs}}}\n")  # fmt: skip
    return file


def test_a_missing_chart_is_said_to_be_missing(tmp_path):
    study = small_study(tmp_path, fidelity="engine")
    text, files = reported(tmp_path, study, "--maximize", "throughput_per_s")
    assert "No Pareto chart: no point has a value for throughput (a steady throughput needs a larger batch)" in text
    assert not (files / "study-pareto.csv").exists()
    assert "study-pareto.csv" in reported(tmp_path, study, "--minimize", "latency_ns")[0]  # one objective is enough


def test_a_study_of_which_everything_failed_shows_the_errors(tmp_path):
    study = small_study(tmp_path, workloads=["vgg16"], fidelity="engine", axes={"imas": grid("chip.tile.imas", [1, 2])})
    text, _ = reported(tmp_path, study, "--baseline", "v100")
    assert "0 done, 2 failed" in text and "Point 0 failed: " in text and "No point has a result" in text


def test_a_seed_is_no_design(tmp_path):
    """Three seeds of two designs: means with their intervals; no axis of its own in tornado, front and table."""
    axes = {"seed": grid("seed", [1, 2, 3]), "bits": grid("chip.tile.ima.adc.bits", [5, 8])}
    study = small_study(tmp_path, workloads=["mlp-digits"], axes=axes,
                        inference=Inference("digits", device="reram-nia-faults", images=20, calibration=8))  # fmt: skip
    text, files = reported(tmp_path, study)
    assert "6 points (2 designs, each under several seeds) over the axes bits" in text
    rows, every = rows_of(files, "study-pareto.csv"), rows_of(files, "study-points.csv")
    assert len(rows) == 2 and len(every) == 6 and "seed" not in rows[0]
    for row in rows:
        shares = [float(each["accuracy"]) for each in every if each["bits"] == row["bits"]]
        assert float(row["accuracy"]) == pytest.approx(np.mean(shares))
        half = 4.302652729911275 * np.std(shares, ddof=1) / math.sqrt(3)  # t of 2 degrees of freedom at 97.5 %
        assert float(row["accuracy_interval95"] or 0) == pytest.approx(half)
    assert {row["axis"] for row in rows_of(files, "study-tornado.csv")} == {"bits"}
    assert " +- " in text


def test_intervals_are_drawn_across_their_points():
    values = {"latency_ns": np.array([1.0, 2.0]), "accuracy": np.array([0.5, 0.9])}
    halves = {"accuracy": np.array([0.1, np.nan])}
    front = np.array([True, True])
    bare, crossed = (pareto.draw(values, front, ["one", "one"], intervals=each) for each in ({}, halves))
    counts = [len(figure.axes[0].lines) for figure in (bare, crossed)]
    assert counts[1] == counts[0] + 1
    assert list(crossed.axes[0].lines[-1].get_ydata()) == [pytest.approx(0.4), pytest.approx(0.6)]


def test_points_that_are_beaten_have_a_tint_of_their_networks_own():
    values = {"latency_ns": np.array([1.0, 2.0, 1.0, 2.0]), "energy_pJ": np.array([1.0, 2.0, 1.0, 2.0])}
    figure = pareto.draw(values, np.array([True, False, True, False]), ["one", "one", "two", "two"])
    pale = [tuple(each.get_facecolor()[0][:3]) for each in figure.axes[0].collections if each.get_sizes()[0] < 20]
    assert len(set(pale)) == 2


def test_a_front_of_most_points_is_not_called_few():
    values = {"latency_ns": np.arange(1.0, 9.0), "energy_pJ": np.arange(9.0, 1.0, -1.0)}
    most = pareto.draw(values, np.arange(8) < 7, ["one"] * 8).get_suptitle()
    few = pareto.draw(values, np.arange(8) < 2, ["one"] * 8).get_suptitle()
    assert "only" not in most and "7 are beaten by no other" in most and "only 2" in few
    assert "beaten" not in pareto.draw(values, np.arange(8) < 7, ["one"] * 8, headline=False).get_suptitle()


def test_figures_have_units_that_are_easy_to_read():
    study = points({"workload": ("one",), "latency_ns": (1234.5,), "energy_pJ": (1.59513e8,), "area_mm2": (85.42472,)},
                   (), objectives=("latency_ns", "energy_pJ", "area_mm2"))  # fmt: skip
    page = studies.summary(study) + studies.table_of_points(study, "points.csv")
    for words in ("1.2345 us", "159.51 uJ", "85.425 mm2"):
        assert page.count(words) == 2
    assert "e+0" not in page


def test_the_order_of_the_table_is_what_it_says():
    count = 70
    study = points({"workload": ("one",) * count, "latency_ns": tuple(np.arange(1.0, count + 1))}, (),
                   objectives=("latency_ns",))  # fmt: skip
    study = replace(study, front=np.arange(count) == count - 1)
    page = studies.table_of_points(study, "points.csv")
    assert "60 of 70 points: those of the front, then the first others, all in the order of the sweep" in page
    assert page.index(">58</td>") < page.index(">69</td>")


def test_means_are_over_the_networks_that_have_results():
    study = points({"workload": ("lenet5", "mnist-mlp"), "latency_ns": (1000.0, None), "energy_pJ": (1e6, None)}, ())
    found, _ = best_beside(study, ["v100"])
    (drawing,) = study_versus.drawings(study, found)
    assert "geometric means" not in drawing.message


# figures


def test_an_axis_of_less_than_a_decade_has_numbers():
    figure = scaling.draw({"one": [(1, 3.1e5, 30.0), (2, 4.2e5, 31.0)]})
    figure.draw_without_rendering()
    axes = figure.axes[0]
    low, high = axes.get_ylim()
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
    assert len(ticks) >= 2 and all(label.get_text() for label in axes.get_yticklabels())


def test_dots_do_not_lie_on_the_labels_of_bars():
    results = [f"run{n}" for n in range(8)]
    panel = {"latency [x]": {"v100": {name: 2.0 + n for n, name in enumerate(results)}}}
    figure = speedup.draw(panel, {"v100": "v100"}, results, {"latency [x]": {"v100": 4.0}})
    axes = figure.axes[0]
    (bar,) = axes.patches
    dots = next(line for line in axes.lines if line.get_marker() == "o")
    assert min(dots.get_ydata()) >= bar.get_y() + bar.get_height()
    assert all(text.xy[1] < min(dots.get_ydata()) for text in axes.texts)


def test_ten_roofs_have_ten_looks_and_their_names_do_not_touch():
    looks = [roofline.look(n) for n in range(32)]
    assert len(set(looks)) == 32
    roofs = [roofline.Roof(f"gpu{n}", 1e14 * 1.01**n, 1e12) for n in range(10)]
    reached = [roofline.Reached("net", "gpu0", 10.0, 1e12)]
    figure = roofline.draw(roofs, reached, [])
    heights = sorted(text.xyann[1] for text in figure.axes[0].texts)
    assert len(heights) == 10 and min(np.diff(heights)) >= roofline.NAME_HEIGHT - 1e-9


def test_results_of_one_network_on_one_system_are_numbered_and_share_a_place_where_they_meet():
    reached = [roofline.Reached("net", "chip", 10.0, value, name)
               for name, value in (("a", 1e12), ("b", 1.01e12), ("c", 9e13))]  # fmt: skip
    figure = roofline.draw([roofline.Roof("chip", 1e14, None)], reached, ["chip"])
    assert {"1, 2", "3"} <= {text.get_text() for text in figure.axes[0].texts}
    assert {"a", "b", "c"} <= {text.get_text() for text in figure.legends[0].get_texts()}
