"""`pimsim report`: one file that needs nothing else, whose numbers are what they say."""

import csv
import json
import math
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from pimsim.baselines import load_network, run_on_baseline
from pimsim.cli import main
from pimsim.errors import InputError
from pimsim.report.page import build, overview
from pimsim.report.page.build import Subjects, write_report
from pimsim.report.page.drawing import _compact
from pimsim.report.page.executions import mean_interval
from pimsim.report.page.overview import most_different
from pimsim.report.page.points import Points, effects
from pimsim.report.page.studies import drawings
from pimsim.report.page.study_versus import best_beside
from pimsim.report.page.systems import area_of
from pimsim.report.page.versus import geometric_mean, means, network_of, set_beside
from pimsim.report.plots import dark, style
from pimsim.results import save_result
from pimsim.results.assembly import workload_hash
from pimsim.simulation import simulate
from pimsim.sweep import Sweep, grid, run_sweep
from pimsim.validate.checks import Check, describe_checks
from pimsim.workload import load_workload, lower
from tests.unit.test_compare import executed
from tests.unit.test_sweep_spec import open_network

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """What a page holds; fails on tags that do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.links, self.anchors, self.headings = [], [], [], [], []
        self.scripts = 0
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            self.images.append(given)
        self.links += [given[key] for key in ("href", "src", "action", "data") if key in given]
        self.anchors += [given["id"]] if "id" in given else []
        self.scripts += tag == "script"

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("h2", "h3"):
            self.headings.append(data)


def points(columns, axes, name="study", tmp_path=None, objectives=("latency_ns", "energy_pJ")):
    count = len(columns["workload"])
    filled = {"ordinal": tuple(range(count)), "system": ("isaac-ce",) * count, "error": (None,) * count,
              "key": tuple(map(str, range(count))), **columns}  # fmt: skip
    front = np.zeros(count, dtype=bool)
    front[0] = True
    return Points(name, tmp_path, "a <study> & more", axes, filled, {"points": count, "done": count, "failed": 0},
                  objectives, (), front, {"code_version": "1"})  # fmt: skip


@pytest.fixture(scope="module")
def lenet():
    return simulate("lenet5", "isaac-ce", batch=32)


@pytest.fixture(scope="module")
def written(lenet, tmp_path_factory):
    """The report of a run and of a small study, by the command line."""
    folder = tmp_path_factory.mktemp("report")
    save_result(lenet, folder / "lenet")
    sweep = Sweep(workloads=["lenet5", "mnist-mlp"], systems=["isaac-ce"], noc="ideal", fidelity="analytical",
                  axes={"imas": grid("chip.tile.imas", [8, 12]),
                        "adc_bits": grid("chip.tile.ima.adc.bits", [6, 7, 8])})  # fmt: skip
    run_sweep(sweep, folder / "study")
    code = main(["report", str(folder / "lenet"), str(folder / "study"), "--baseline", "v100,jetson-nano",
                 "--out", str(folder / "page.html")])  # fmt: skip
    assert code == 0
    return folder / "page.html"


def test_the_page_needs_nothing_else(written):
    text = written.read_text()
    page = Page(text)
    assert len(page.images) >= 10
    assert all(re.match(r"data:image/(png|svg\+xml);base64,[A-Za-z0-9+/=]{200,}$", image["src"])
               for image in page.images)  # fmt: skip
    assert "://" not in re.sub(r'src="data:[^"]*"', "", text)
    assert "url(" not in text and "@import" not in text and page.scripts == 0


def test_links_lead_to_sections_and_to_files_beside(written):
    page = Page(written.read_text())
    beside = [link for link in page.links if not link.startswith(("#", "data:"))]
    assert beside and all((written.parent / link).is_file() for link in beside)
    assert {link[1:] for link in page.links if link.startswith("#")} == set(page.anchors)
    figures = [image for image in page.images if image["class"] != "dark"]
    for kind in ("png", "svg", "csv"):
        assert sum(link.endswith(f".{kind}") for link in beside) >= len(figures) >= 10


def test_every_figure_has_a_message_above_and_as_its_text(written):
    page = Page(written.read_text())
    assert all(image["alt"] in page.headings and len(image["alt"]) > 20 for image in page.images)


def test_every_figure_is_there_for_a_dark_page_too(written):
    """But for the picture of channels, whose dark colours mean the largest values."""
    kinds = Counter(image["class"] for image in Page(written.read_text()).images)
    assert kinds["light"] == kinds["dark"] >= 10 and kinds["only"] == 1


def test_colours_on_a_dark_page_keep_their_contrast():
    ground = np.array(to_rgba(dark.GROUND)[:3])
    assert dark.dark("black") == pytest.approx(to_rgba(dark.INK)) and dark.dark("white")[:3] == pytest.approx(ground)
    assert dark.dark("none") == "none" and dark.dark((0, 0, 0, 0.5))[3] == 0.5
    assert dark.contrast(np.zeros(3), np.ones(3)) == pytest.approx(21)  # the largest there is
    for colour in (*style.PALETTE, *style.COLOURS.values()):
        assert dark.contrast(np.array(dark.dark(colour)[:3]), ground) >= 3


def test_colours_that_mean_values_stay_and_text_on_them_too():
    figure = Figure()
    axes = figure.subplots()
    (plain, valued) = axes.bar([0, 1], [1, 1], color="#440154", edgecolor="white")
    on_it, beside = axes.text(1, 1, "one", color="black"), axes.text(0, 0, "other", color="black")
    for each in (valued, on_it):
        dark.means_values(each)
    assert dark.darken(figure)
    assert valued.get_facecolor() == to_rgba("#440154") != plain.get_facecolor()
    assert valued.get_edgecolor()[:3] == pytest.approx(to_rgba(dark.GROUND)[:3])
    assert on_it.get_color() == "black" and beside.get_color() == pytest.approx(to_rgba(dark.INK))
    assert figure.get_facecolor() == pytest.approx(to_rgba(dark.GROUND))
    dark.stays_light(figure)
    assert not dark.darken(figure)


def test_more_runs_than_are_drawn_one_by_one_are_all_in_one_picture(lenet, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "MOST_DETAILED", 2)
    monkeypatch.setattr(overview, "MOST_ROWS", 3)
    monkeypatch.setattr(build.runs, "drawings", lambda name, result: [])
    many = {f"run{n:02}": replace(lenet, times=replace(lenet.times, latency_ps=lenet.times.latency_ps * 2**n))
            for n in range(5)}  # fmt: skip
    files = write_report(Subjects(saved=many), tmp_path / "many.html")
    tables = [file.read_text().splitlines() for file in files if re.match(r"all-runs-\d\.csv", file.name)]
    rows = [row for lines in tables for row in csv.DictReader(lines)]
    assert [row["result"] for row in rows] == list(many)
    for row in rows:
        assert sum(float(row[key]) for key in row if key.endswith("_energy_share")) == pytest.approx(1)
        assert sum(float(value) for key, value in row.items()
                   if key.endswith("_share") and not key.endswith("energy_share")) == pytest.approx(1)  # fmt: skip
    text = files[0].read_text()
    assert [title for title in Page(text).headings if title in many] == ["run00", "run04"]
    assert "Figures of their own have 2 of 5 runs: run00, run04 (the first, then" in text


def test_the_most_different_runs_are_those_far_from_each_other(lenet):
    at = {"a": 1, "b": 2, "c": 1000, "d": 1100, "e": 10**6}
    runs = {name: replace(lenet, times=replace(lenet.times, latency_ps=lenet.times.latency_ps * factor))
            for name, factor in at.items()}  # fmt: skip
    assert most_different(runs, 3) == ["a", "c", "e"] or most_different(runs, 3) == ["a", "d", "e"]
    assert most_different(runs, 5) == list(runs) == most_different(runs, 9)


def test_a_compact_picture_is_the_same_picture(tmp_path):
    """Every number within a hundredth of a point, or four digits; nothing but numbers and blanks is lost."""
    figure = Figure(figsize=(3, 2))
    figure.subplots().plot([1, 2, 3], [0.123456789, 5.5, 2.25])
    figure.savefig(tmp_path / "whole.svg")
    whole = (tmp_path / "whole.svg").read_bytes()
    small = _compact(whole).decode()
    assert len(small) < 0.9 * len(whole)
    body = re.sub(r"<metadata>.*?</metadata>|<\?xml.*?\?>|<!.*?>", "", whole.decode(), flags=re.DOTALL)
    number = r"-?\d+\.?\d*(?:e-?\d+)?"
    found = [[float(each) for each in re.findall(number, text)] for text in (body, small)]
    assert found[1] == pytest.approx(found[0], abs=0.0051, rel=5e-4)


def test_speed_ups_in_the_table_are_those_of_the_roofline(written, lenet):
    with open(written.parent / "page_files" / "speedup.csv", encoding="utf-8") as file:
        rows = {row["baseline"]: row for row in csv.DictReader(file)}
    network = load_workload("lenet5")
    for name, row in rows.items():
        one, many = run_on_baseline(name, network), run_on_baseline(name, network, batch=32)
        assert float(row["latency"]) == pytest.approx(one.batch_s / (lenet.times.latency_ps / 1e12))
        assert float(row["throughput"]) == pytest.approx(lenet.times.throughput_per_s * many.batch_s / 32)
        assert float(row["energy"]) == pytest.approx(many.energy_per_inference_j * 1e12 / lenet.costs.energy_pj)
    assert rows["jetson-nano"]["per_area"] == ""  # its die holds more than a GPU
    assert set(rows) == {"v100", "jetson-nano"}


def test_equal_area_and_power_by_hand(lenet):
    (pair,), _ = set_beside({"a": lenet}, ["v100"])
    ours, theirs = lenet.times.throughput_per_s, pair.baseline_rate_per_s
    assert pair.per_area == pytest.approx(ours / 85.42472 / (theirs / 815))
    assert pair.per_power == pytest.approx(ours / lenet.costs.peak_power_bound_w / (theirs / 250))


def test_geometric_means_by_hand(lenet):
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)
    assert geometric_mean([1.0, 10.0, 100.0, None]) == pytest.approx(10.0)
    assert geometric_mean([None]) is None
    slow = replace(lenet, times=replace(lenet.times, latency_ps=4 * lenet.times.latency_ps))
    pairs, missing = set_beside({"a": lenet, "b": slow}, ["v100"])
    assert missing == []
    assert pairs[0].latency / pairs[1].latency == pytest.approx(4)
    assert means(pairs)["v100"]["latency"] == pytest.approx(pairs[0].latency / 2)


def test_a_network_that_is_not_at_hand_is_said_to_be(lenet):
    stranger = replace(lenet, source=replace(lenet.source, workload="mine", workload_hash="1"))
    pairs, missing = set_beside({"a": stranger}, ["v100", "h100"])
    assert pairs == [] and len(missing) == 2 and "--workload FILE" in missing[0].reason
    with pytest.raises(InputError, match="not at hand"):
        network_of(replace(lenet, source=replace(lenet.source, workload_hash="1")))
    bert = load_network("bert-base")  # kept for baselines, and at hand like the shipped ones
    run = replace(lenet.source, workload="bert-base", macs=bert.macs, workload_hash=workload_hash(lower(bert)))
    assert network_of(replace(lenet, source=run)).macs == bert.macs
    renamed = replace(lenet, source=replace(lenet.source, workload="mine"))
    assert network_of(renamed, [load_workload("lenet5")]).macs == lenet.source.macs


def test_areas_of_components_add_up_to_the_chip(lenet):
    assert sum(area_of(lenet).values()) == pytest.approx(85.42472)


def test_effects_by_hand():
    """Doubling a doubles the latency of both networks, b does nothing."""
    rows = [(w, a, b) for w in ("small", "large") for a in (1, 2) for b in (8, 16)]
    found = effects(points({
        "workload": tuple(w for w, _, _ in rows), "a": tuple(a for _, a, _ in rows), "b": tuple(b for *_, b in rows),
        "latency_ns": tuple(a * (1.0 if w == "small" else 1000.0) for w, a, _ in rows),
    }, ("b", "a")), "latency_ns")  # fmt: skip
    assert [effect.axis for effect in found] == ["a", "b"]
    assert found[0].values == ("1", "2")
    assert found[0].factors == (pytest.approx(1 / math.sqrt(2)), pytest.approx(math.sqrt(2)))
    assert found[0].span == pytest.approx(2) and found[1].span == pytest.approx(1)


def test_many_values_of_an_axis_are_taken_in_parts():
    found = effects(points({"workload": ("one",) * 100, "x": tuple(range(100)),
                            "latency_ns": tuple(np.exp(np.arange(100.0) / 10))}, ("x",)), "latency_ns")  # fmt: skip
    assert len(found[0].values) == 4
    assert list(found[0].factors) == sorted(found[0].factors)


def test_scaling_takes_the_best_point_of_each_number_of_chips():
    study = points({
        "workload": ("lenet5",) * 4, "chips": (8, 8, 16, 16), "latency_ns": (1.0,) * 4,
        "throughput_per_s": (10.0, 20.0, 30.0, None), "energy_pJ": (4e6, 5e6, 7e6, 1e6),
    }, ("chips",))  # fmt: skip
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


def test_mean_over_seeds_has_students_interval():
    mean, low, high = mean_interval([0.90, 0.92, 0.94])
    half = 4.302652729911275 * 0.02 / math.sqrt(3)  # t of 2 degrees of freedom at 97.5 %, from tables
    assert (mean, low, high) == (pytest.approx(0.92), pytest.approx(0.92 - half), pytest.approx(0.92 + half))


def test_executions_that_differ_in_their_seed_are_put_together(tmp_path):
    files = write_report(Subjects(saved={"one": executed(90, seed=1), "two": executed(92, seed=2)}),
                         tmp_path / "values.html")  # fmt: skip
    assert "one-seeds.csv" in {file.name for file in files}
    assert "over 2 seeds accuracy on crossbars is 91.00%" in files[0].read_text()


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
    Page(text)
    tables = [file for file in files if file.name.endswith("points.csv")]
    assert len(tables[0].read_text().splitlines()) == count + 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--baseline", "v1000"], "did you mean"),
        (["--baseline", "v100,,"], "--baseline"),
        (["--baseline", "nowhere.json"], "nowhere.json"),
        (["--baseline-batch", "0"], "--baseline-batch"),
        (["--out", ""], "--out"),
    ],
)
def test_wrong_input_is_one_line(written, arguments, words, capsys):
    assert main(["report", str(written.parent / "lenet"), *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_an_output_that_cannot_be_written_leaves_nothing(written, tmp_path, capsys):
    (tmp_path / "page.html").mkdir()
    assert main(["report", str(written.parent / "lenet"), "--out", str(tmp_path / "page.html")]) == 2
    assert main(["report", str(tmp_path), "--out", str(tmp_path / "x.html")]) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html"]
    assert capsys.readouterr().err.count("\n") == 2


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_without_a_complaint(written, tmp_path, scheme):
    """No error in the console, no request, every image decoded; the ground is light or dark as asked."""
    from PIL import Image

    probe = tmp_path / "probe.html"
    script = ("<script>window.onload = () => { const broken = [...document.images].filter(i => !i.naturalWidth).length;"
              "console.log(`probe images=${document.images.length} broken=${broken} "
              "requests=${performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length}`);"
              "};</script></body>")  # fmt: skip
    text = written.read_text().replace("style-src", "script-src 'unsafe-inline'; style-src")
    probe.write_text(text.replace("</body>", script))
    picture = tmp_path / "page.png"
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0",
         f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1100,1500", f"--screenshot={picture}",
         f"--blink-settings=preferredColorScheme={1 if scheme == 'light' else 0}", probe.as_uri()],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert len(console) == 1 and "broken=0 requests=0" in console[0], console
    assert int(re.search(r"images=(\d+)", console[0])[1]) == len(Page(written.read_text()).images)
    ground = Image.open(picture).convert("L").getpixel((3, 700))
    assert ground > 200 if scheme == "light" else ground < 60


def test_figures_are_also_data(written):
    with open(written.parent / "page_files" / "lenet-energy.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["layer"] == "all layers"]
    stored = json.loads((written.parent / "lenet" / "result.json").read_text())["costs"]
    assert {row["component"]: float(row["dynamic_pJ"]) for row in rows if float(row["dynamic_pJ"])} == pytest.approx(
        stored["dynamic_pj"])  # fmt: skip


def test_a_published_figure_that_misses_is_shown_as_missing(tmp_path):
    document = describe_checks([
        Check("ISAAC", "power", "W", 65.8, 65.8, 0.01, "table 1"),
        Check("ISAAC", "area & more", "mm2", 100.0, 85.4, 0.01, "table 1", note="a reason"),
    ])  # fmt: skip
    text = write_report(Subjects(saved={"one": executed(90)}, validation=document),
                        tmp_path / "page.html")[0].read_text()  # fmt: skip
    assert "1 agrees, 1 misses" in text and "area &amp; more misses: a reason" in text
