"""`pimsim compare`: ratios, differences of configurations and layers, and what it refuses."""

import json
from dataclasses import replace

import pytest

from pimsim.cli import main
from pimsim.errors import InputError
from pimsim.report.compare import ABSENT, compare, differences, flattened, largest_layer_differences
from pimsim.report.loading import load_saved, short_names
from pimsim.results import save_result
from pimsim.results.files import layers_csv
from pimsim.results.inference import FORMAT, InferenceResult, InferenceSource, Share, save_inference
from pimsim.results.wear import ProgrammingWear
from pimsim.simulation import simulate


@pytest.fixture(scope="module")
def runs():
    return {
        "twelve": simulate("lenet5", "isaac-ce", noc="ideal"),
        "eight": simulate("lenet5", "isaac-ce", noc="ideal", overrides=("chip.tile.imas=8",)),
        "other": simulate("mnist-mlp", "isaac-ce", noc="ideal"),
    }


@pytest.fixture(scope="module")
def folders(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    for name, result in runs.items():
        save_result(result, folder / name)
    return folder


def executed(right, seed=0):
    source = InferenceSource("lenet5", "isaac-ce", "0", {"chips": 1}, None, "digits", "a file", 100, 10, "a file",
                             seed, None)  # fmt: skip
    share = Share(right, 100)
    return InferenceResult(FORMAT, "0.1.0", source, share, Share(95, 100), Share(94, 100), share, share, (),
                           ProgrammingWear(()), ())  # fmt: skip


def test_ratios_are_to_the_first(runs):
    first, second = runs["twelve"], runs["eight"]
    found = compare(["a", "b"], [first, second])
    area = found["figures"]["area_mm2"]
    assert area["values"] == [first.costs.area_mm2, second.costs.area_mm2]
    assert area["ratios"] == [1.0, pytest.approx(second.costs.area_mm2 / first.costs.area_mm2, rel=1e-12)]
    assert area["ratios"][1] < 1
    assert found["figures"]["throughput_per_s"]["ratios"] == [None, None]  # a batch of 1 measures none


def test_only_keys_that_differ_are_named(runs):
    found = compare(["a", "b"], [runs["twelve"], runs["eight"]])
    assert found["configuration"] == {"chip.tile.imas": [12, 8]}


def test_a_layer_that_was_changed_is_found(runs):
    first = runs["twelve"]
    place = next(n for n, layer in enumerate(first.layers) if layer.name == "c3")
    layers = list(first.layers)
    layers[place] = replace(layers[place], image_ps=3 * layers[place].image_ps)
    rows = compare(["a", "b"], [first, replace(first, layers=tuple(layers))])["layers"]["b"]
    assert rows[0]["layer"] == "c3"
    assert rows[0]["image_us"]["ratio"] == pytest.approx(3)
    assert [row["layer"] for row in largest_layer_differences(rows, "image_us")] == ["c3"]
    assert largest_layer_differences(rows, "crossbars") == []


def test_keys_of_one_side_are_shown_as_absent():
    assert flattened({"a": {"b": 1, "c": [1, 2]}, "d": [{"e": 2}]}) == {"a.b": 1, "a.c": [1, 2], "d.0.e": 2}
    assert differences([{"a": 1, "b": 2}, {"a": 1}]) == {"b": [2, ABSENT]}


def test_different_workloads_are_refused_unless_wanted(folders, capsys):
    paths = [str(folders / "twelve"), str(folders / "other")]
    assert main(["compare", *paths]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "different workloads: lenet5 (twelve), mnist-mlp (other)" in error and "--different-workloads" in error
    assert main(["compare", *paths, "--different-workloads", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [each["workload"] for each in document["results"]] == ["lenet5", "mnist-mlp"]
    assert document["layers"] == {}


def test_networks_of_one_name_that_differ_are_refused(runs):
    first = runs["twelve"]
    changed = replace(first, source=replace(first.source, network_hash="0" * 64))
    with pytest.raises(InputError, match="networks called lenet5 that are not the same"):
        compare(["a", "b"], [first, changed])
    unknown = replace(first, source=replace(first.source, network_hash="", workload_hash="0" * 64))
    with pytest.raises(InputError, match="b: an earlier version has not kept which network called lenet5 was run"):
        compare(["a", "b"], [first, unknown])
    found = compare(["a", "b"], [first, unknown], different_workloads=True)
    assert "an earlier version has not kept which networks were run" in found["remarks"][0] and not found["layers"]
    same = replace(first, source=replace(first.source, network_hash=""))
    assert compare(["a", "b"], [first, same])["remarks"] == compare(["a", "b"], [first, first])["remarks"]


@pytest.fixture(scope="module")
def trained():
    """One network, trained in several ways, and its inference; batches of two images."""
    return {
        "hetero": simulate("lenet5", "hetero-3d", mode="train", batch=2, iterations=2, noc="ideal"),
        "none": simulate("lenet5", "hetero-3d", mode="train", batch=2, noc="ideal", overrides=("training.norm=none",)),
        "gpu": simulate("lenet5", "gpu-only-3d", mode="train", batch=2, noc="ideal"),
        "four": simulate("lenet5", "hetero-3d", mode="train", batch=4, noc="ideal"),
        "infer": simulate("lenet5", "hetero-3d", batch=2, noc="ideal"),
    }


class TestTraining:
    def test_chips_and_norms_of_other_kinds_are_compared(self, trained):
        found = compare(["a", "b", "c"], [trained[name] for name in ("hetero", "gpu", "none")])
        assert found["mode"] == "train"
        rows = found["figures"]
        for key in ("iteration_us", "image_us", "images_per_s", "energy_per_iteration_uj", "energy_per_image_uj"):
            assert rows[key]["values"] == [trained[name].summary[key] for name in ("hetero", "gpu", "none")]
            assert None not in rows[key]["values"]
        assert rows["images_per_s"]["ratios"][1] == pytest.approx(1 / rows["iteration_us"]["ratios"][1])
        assert not {"latency_us", "throughput_per_s", "energy_per_inference_uj", "run_us"} & rows.keys()
        assert any("what the chips run of it is not" in remark for remark in found["remarks"])
        assert any("numbers of iterations differ" in remark for remark in found["remarks"])

    def test_time_lost_to_the_network_is_compared_where_it_is_known(self, trained):
        one, other = trained["gpu"], trained["none"]
        assert "lost_to_network_share" not in compare(["a", "b"], [one, other])["figures"]
        known = replace(one, times_on_ideal=replace(one.times, image_done_ps=(one.times.image_done_ps[0] // 2,)))
        row = compare(["a", "b"], [known, other])["figures"]["lost_to_network_share"]
        assert row["values"] == [pytest.approx(0.5), None]

    def test_runs_of_as_many_iterations_have_lengths_to_compare(self, trained):
        rows = compare(["a", "b"], [trained["gpu"], trained["none"]])["figures"]
        assert rows["run_us"]["values"] == [trained[name].times.run_ps / 1e6 for name in ("gpu", "none")]

    def test_layers_are_those_that_both_have_and_their_figures_those_of_an_image(self, trained):
        first, other = trained["hetero"], trained["gpu"]
        rows = {row["layer"]: row for row in compare(["a", "b"], [first, other])["layers"]["b"]}
        assert rows.keys() == {each.name for each in first.layers} & {each.name for each in other.layers}
        assert rows["c3"]["crossbars"]["values"] == [first.layer("c3").crossbars, 0]
        times = [run.layer("c3").image_ps / 2 / 1e6 for run in (first, other)]
        assert rows["c3"]["image_us"]["values"] == times and min(times) > 0
        at = [layer.name for layer in first.layers].index("c3")
        energy_uj = sum(first.costs.by_layer_pj[at].values()) / 2 / 1e6
        assert rows["c3"]["dynamic_energy_uj"]["values"][0] == pytest.approx(energy_uj)

    def test_batches_must_be_the_same(self, trained):
        with pytest.raises(InputError, match=r"trained with different batches: 2 images \(a\), 4 images \(b\)"):
            compare(["a", "b"], [trained["hetero"], trained["four"]])
        found = compare(["a", "b"], [trained["hetero"], trained["four"]], different_workloads=True)
        assert "the batches differ: iterations are not of the same work" in found["remarks"]

    def test_inference_beside_training_compares_what_both_have_and_says_so(self, trained):
        found = compare(["a", "b"], [trained["hetero"], trained["infer"]])
        assert found["mode"] == "both" and found["energy_by_component_pj"] == {}
        assert found["figures"]["crossbars_used"]["values"] == [
            trained[name].usage.crossbars_used for name in ("hetero", "infer")
        ]
        of_one = ("latency", "energy_per", "iteration", "run")
        assert not any(word in key for key in found["figures"] for word in of_one)
        assert any("a is of training, b is of inference: only what both have" in each for each in found["remarks"])
        assert {row["layer"] for row in found["layers"]["b"]} == {each.name for each in trained["infer"].layers}
        one = next(row for row in found["layers"]["b"] if row["layer"] == "c3")["image_us"]["values"]
        assert one[1] == trained["infer"].layer("c3").image_ps / 1e6
        assert found["configuration"]["run.mode"] == ["train", "infer"]

    def test_tables_speak_of_iterations(self, trained, tmp_path, capsys):
        for name in ("hetero", "gpu", "infer"):
            save_result(trained[name], tmp_path / name)
        assert main(["compare", str(tmp_path / "hetero"), str(tmp_path / "gpu")]) == 0
        shown = capsys.readouterr().out
        for words in ("iteration", "an image", "throughput [images/s]", "energy an iteration",
                      "Energy of an iteration by", "GPU cores in use",
                      "time of an image in the busiest replica"):  # fmt: skip
            assert words in shown
        assert "inference" not in shown and "not measured" not in shown
        assert main(["compare", str(tmp_path / "hetero"), str(tmp_path / "infer")]) == 0
        shown = capsys.readouterr().out
        assert "only what both have is compared" in " ".join(shown.split()) and "by component" not in shown

    def test_layers_of_a_file_are_those_of_an_iteration(self, trained):
        head = layers_csv(trained["hetero"]).splitlines()[0].split(",")
        assert "iteration_us" in head and "image_us" not in head
        assert "image_us" in layers_csv(trained["infer"]).splitlines()[0].split(",")


def test_one_result_alone_and_other_kinds_are_refused(runs, folders, capsys):
    with pytest.raises(InputError, match="different kinds"):
        compare(["a", "b"], [runs["twelve"], executed(90)])
    assert main(["compare", str(folders / "twelve")]) == 2
    assert main(["compare", str(folders / "twelve"), str(folders)]) == 2
    assert "holds no result" in capsys.readouterr().err


def test_executions_are_compared_with_their_intervals(tmp_path, capsys):
    for name, right in (("one", 90), ("two", 60)):
        save_inference(executed(right), tmp_path / name)
    assert main(["compare", str(tmp_path / "one"), str(tmp_path / "two" / "inference.json"), "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["figures"]["accuracy"]
    assert row["values"] == [0.9, 0.6]
    assert row["differences"] == [0.0, pytest.approx(-0.3)]
    assert row["intervals_overlap"] == [True, False]
    assert isinstance(load_saved(tmp_path / "one"), InferenceResult)


def test_the_tables_name_every_result(folders, capsys):
    assert main(["compare", str(folders / "twelve"), str(folders / "eight" / "result.json")]) == 0
    shown = capsys.readouterr().out
    for words in ("twelve", "eight", "chip.tile.imas", "latency", "0.8968x"):
        assert words in shown


def test_names_are_as_short_as_they_can_be(tmp_path):
    for name in ("a/x", "b/x", "b/y"):
        (tmp_path / name).mkdir(parents=True)
    paths = [str(tmp_path / name) for name in ("a/x", "b/x/result.json")]
    assert short_names(paths) == ["a/x", "b/x"]
    assert short_names([str(tmp_path / "a/x"), str(tmp_path / "b/y")]) == ["x", "y"]
    assert short_names([paths[0], paths[0]]) == ["x (1)", "x (2)"]
