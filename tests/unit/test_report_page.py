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
from pimsim.config import load_system, resolved
from pimsim.costmodels.chip import estimate
from pimsim.errors import InputError
from pimsim.report.page import against, build, overview, runs, systems, versus
from pimsim.report.page.build import Subjects, write_report
from pimsim.report.page.drawing import _compact
from pimsim.report.page.executions import mean_interval
from pimsim.report.page.overview import most_different
from pimsim.report.page.systems import area_of
from pimsim.report.page.versus import by_method, geometric_mean, means, network_of, peak_of, set_beside
from pimsim.report.plots import dark, style
from pimsim.results import save_result
from pimsim.results.assembly import workload_hash
from pimsim.results.notebook import with_unit
from pimsim.simulation import simulate
from pimsim.sweep import Sweep, grid, run_sweep
from pimsim.technology import roll_up
from pimsim.validate.checks import Check, describe_checks
from pimsim.workload import load_workload, lower
from tests.unit.test_compare import executed

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
        assert row["latency"] == ""  # of a batch of 32, which is nobody's latency at a batch of 1
        assert float(row["baseline_latency_s"]) == pytest.approx(one.batch_s)
        assert (row["chip_batch"], row["batch"]) == ("32", "32")
        assert float(row["throughput"]) == pytest.approx(lenet.times.throughput_per_s * many.batch_s / 32)
        assert float(row["energy"]) == pytest.approx(many.energy_per_inference_j * 1e12 / lenet.costs.energy_pj)
    assert rows["jetson-nano"]["per_area"] == ""  # its die holds more than a GPU
    assert set(rows) == {"v100", "jetson-nano"}


def test_equal_area_and_power_by_hand(lenet):
    (pair,), _ = set_beside({"a": lenet}, ["v100"])
    ours, theirs = lenet.times.throughput_per_s, pair.baseline_rate_per_s
    assert pair.per_area == pytest.approx(ours / 85.42472 / (theirs / 815))
    assert pair.per_power == pytest.approx(ours / lenet.costs.peak_power_bound_w / (theirs / 250))


def test_energies_are_compared_at_equal_batches_also_without_a_steady_throughput(lenet):
    """A GPU reads its weights once a batch: at a batch of 1 it would look 10 times worse."""
    short = replace(lenet, source=replace(lenet.source, batch=16), times=replace(lenet.times, output_interval_ps=None))
    network = load_workload("lenet5")
    for asked in (None, 4):
        (pair,), _ = set_beside({"a": short}, ["v100"], batch=asked)
        same = run_on_baseline("v100", network, batch=asked or 16)
        assert (pair.chip_batch, pair.batch, pair.is_steady) == (16, asked or 16, False)
        assert pair.energy == pytest.approx(same.energy_per_inference_j * 1e12 / short.costs.energy_pj)
        assert pair.latency is None and pair.throughput is None
        assert pair.rate_per_s == pytest.approx(16e12 / short.times.run_ps)  # the whole batch, on both sides
        assert pair.per_area == pytest.approx(pair.rate_per_s / 85.42472 / (same.inferences_per_s / 815))
    assert "Batches are not equal: a 16, v100 4" in against.table([pair], [])


def test_latency_is_compared_at_a_batch_of_1_on_both_sides(lenet):
    one = replace(lenet, source=replace(lenet.source, batch=1))
    (pair,), _ = set_beside({"a": one}, ["v100"])
    gpu = run_on_baseline("v100", load_workload("lenet5"), batch=1)
    assert pair.latency == pytest.approx(gpu.batch_s * 1e12 / lenet.times.latency_ps)


def test_what_was_measured_at_another_batch_has_no_ratio_of_energies(lenet, monkeypatch):
    def measured(name, workload, *, batch):
        return replace(run_on_baseline("v100", workload, batch=4), mark="measured")

    monkeypatch.setattr(versus, "run_on_baseline", measured)
    (pair,), _ = set_beside({"a": lenet}, ["v100"])
    assert (pair.batch, pair.energy, pair.latency) == (4, None, None) and pair.throughput > 0
    (asked,), _ = set_beside({"a": lenet}, ["v100"], batch=4)
    assert asked.energy > 0


def test_estimates_are_marked_and_have_no_mean_in_common_with_simulations(lenet, tmp_path):
    estimated = estimate("lenet5", "isaac-ce", batch=32)
    named = {"run": lenet, "again": lenet, "closed": estimated, "form": estimated}
    pairs, _ = set_beside(named, ["v100"])
    apart = by_method(pairs)
    assert list(apart) == ["simulated, packet network", "analytical estimate, ideal network"]
    page = against.table(pairs, [])
    for method, own in apart.items():
        assert f"geometric mean: {method}" in page
        assert means(own)["v100"]["energy"] == pytest.approx(own[0].energy)
    drawn = against.drawings(named, pairs)
    assert [each.name for each in drawn] == ["speedup", "speedup", "normalised", "normalised", "roofline"]
    assert "of analytical estimates" in drawn[1].message and "batch 32" in drawn[1].note
    text = write_report(Subjects(saved={"closed": estimated}), tmp_path / "page.html")[0].read_text()
    titles = [title for title in Page(text).headings if title.startswith("Analytical estimate: ")]
    assert len(titles) == 4
    assert "batch 32, ideal network, analytical estimate" in text  # below each figure
    svg = (tmp_path / "page_files" / "closed-timeline.svg").read_text()
    assert "analytical estimate" in svg


def test_technologies_are_named_where_areas_are_compared(lenet):
    pairs, _ = set_beside({"a": lenet}, ["v100", "h100"])
    normalised = next(each for each in against.drawings({"a": lenet}, pairs) if each.name == "normalised")
    assert "32 nm" in normalised.note and "v100 is of 12 nm; h100 is of 4N" in normalised.note
    assert "32 nm" in against.table(pairs, [])


def test_the_timelines_message_is_about_the_first_image_that_it_shows(lenet):
    spans = [end - start for start, end in zip(lenet.timeline.first_start_ps[0], lenet.timeline.last_output_ps[0],
                                               strict=True)]  # fmt: skip
    longest = max(layer.last_output_ps - layer.first_start_ps for layer in lenet.layers)
    assert longest > 3 * max(spans)  # over all 32 images
    message = next(each for each in runs.drawings("a", lenet) if each.name == "a-timeline").message
    assert f"works longest, {with_unit(max(spans) / 1e12, 's')}; the run of 32 images" in message


@pytest.mark.parametrize("system", ["hetero-3d", "reram-only", "gpu-only-3d", "pipelayer"])
def test_areas_of_any_system_add_up_to_its_chip(lenet, system):
    config = load_system(system)
    other = replace(lenet, source=replace(lenet.source, config=resolved(config)))
    assert sum(area_of(other).values()) == pytest.approx(roll_up(config).chip.area_mm2)


def test_a_report_of_a_run_on_gpu_cores(tmp_path, monkeypatch):
    """Its chip has no crossbars, whose peak would be 0."""
    drawn = runs.drawings
    monkeypatch.setattr(runs, "drawings", lambda *of: [each for each in drawn(*of) if each.name.endswith("energy")])
    named = {"stack": simulate("lenet5", "gpu-only-3d")}
    assert "gpu.gpu_core" in named["stack"].costs.static_pj
    text = write_report(Subjects(saved=named, baselines=["v100"]), tmp_path / "page.html")[0].read_text()
    assert "gpu.gpu_core" not in text and "gpu.router" not in text and "Left out" not in text
    files = tmp_path / "page_files"
    rows = (files / "area.csv").read_text()
    assert "gpu-only-3d,GPU cores," in rows and "gpu-only-3d,routers of GPU cores," in rows
    assert "crossbars" not in rows
    peak = peak_of(named["stack"]).gpu_tflops * 1e12
    (roof,) = [row for row in csv.DictReader((files / "roofline.csv").read_text().splitlines())
               if row["what"] == "peak" and row["device"].startswith("gpu-only-3d")]  # fmt: skip
    assert float(roof["flops_per_s"]) == pytest.approx(peak)


def test_only_what_is_published_is_called_the_most_that_is_published(lenet):
    drawing = next(each for each in systems.drawings({"a": lenet}) if each.name == "densities")
    assert "the most that is published here is 467.7, by ReTransformer" in drawing.message  # 682.5 is recalled
    isaac = next(row for row in drawing.rows if row[0].startswith("ISAAC-CE"))
    assert isaac[-1] == "derived"


def test_geometric_means_by_hand(lenet):
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)
    assert geometric_mean([1.0, 10.0, 100.0, None]) == pytest.approx(10.0)
    assert geometric_mean([None]) is None
    one = replace(lenet, source=replace(lenet.source, batch=1))
    slow = replace(one, times=replace(lenet.times, latency_ps=4 * lenet.times.latency_ps))
    pairs, missing = set_beside({"a": one, "b": slow}, ["v100"])
    assert missing == []
    assert pairs[0].latency / pairs[1].latency == pytest.approx(4)
    assert means(pairs)["v100"]["latency"] == pytest.approx(pairs[0].latency / 2)


def test_a_network_that_is_not_at_hand_is_said_to_be(lenet):
    stranger = replace(lenet, source=replace(lenet.source, workload="mine", network_hash="1"))
    pairs, missing = set_beside({"a": stranger}, ["v100", "h100"])
    assert pairs == [] and len(missing) == 2 and "--workload FILE" in missing[0].reason
    with pytest.raises(InputError, match="not at hand"):
        network_of(replace(lenet, source=replace(lenet.source, network_hash="1")))
    with pytest.raises(InputError, match="an earlier version has not kept which network called lenet5 was run"):
        network_of(replace(lenet, source=replace(lenet.source, network_hash="")))
    bert = load_network("bert-base")  # kept for baselines, and at hand like the shipped ones
    run = replace(lenet.source, workload="bert-base", network_hash=workload_hash(lower(bert)))
    assert network_of(replace(lenet, source=run)).macs == bert.macs
    renamed = replace(lenet, source=replace(lenet.source, workload="mine"))
    assert network_of(renamed, [load_workload("lenet5")]).macs == lenet.source.macs


def test_areas_of_components_add_up_to_the_chip(lenet):
    assert sum(area_of(lenet).values()) == pytest.approx(85.42472)


def test_mean_over_seeds_has_students_interval():
    mean, low, high = mean_interval([0.90, 0.92, 0.94])
    half = 4.302652729911275 * 0.02 / math.sqrt(3)  # t of 2 degrees of freedom at 97.5 %, from tables
    assert (mean, low, high) == (pytest.approx(0.92), pytest.approx(0.92 - half), pytest.approx(0.92 + half))


def test_executions_that_differ_in_their_seed_are_put_together(tmp_path):
    files = write_report(Subjects(saved={"one": executed(90, seed=1), "two": executed(92, seed=2)}),
                         tmp_path / "values.html")  # fmt: skip
    assert "one-seeds.csv" in {file.name for file in files}
    assert "over 2 seeds accuracy on crossbars is 91.00%" in files[0].read_text()


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
    assert "1 agrees, 0 deviates, 1 misses" in text and "area &amp; more misses by +17.1%: a reason" in text
