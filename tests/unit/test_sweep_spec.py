"""SWEEP.yaml and its points: what is drawn, what is refused and where, which points are equal."""

from __future__ import annotations

import json
import math

import pytest

from pimsim.errors import InputError
from pimsim.sweep import Inference, Range, Sweep, grid, latin_hypercube, listed, load_sweep, plan, random
from pimsim.sweep.axes import combinations
from pimsim.sweep.conditions import Condition
from pimsim.sweep.reading import sweep_text
from tests.sweep_tasks import small_sweep

HEAD = "workloads: [mnist-mlp]\nsystems: [isaac-ce]\nnoc: ideal\n"
GOOD = HEAD + "axes:\n  imas: {key: chip.tile.imas, grid: [4, 8]}\n"


def written(tmp_path, text):
    file = tmp_path / "s.yaml"
    file.write_text(text)
    return file


def planned(tmp_path, text):
    return list(plan(load_sweep(written(tmp_path, text))))


# combinations


def test_grids_multiply_lists_go_together_and_draws_are_one_part():
    axes = {"a": grid("k", [1, 2]), "b": listed("l", [3, 4, 5]), "c": listed("m", "xyz"), "d": random("n", Range(0, 1))}
    found = list(combinations(axes, 4, 0))
    assert len(found) == 2 * 3 * 4
    assert {(row["b"], row["c"]) for row in found} == {(3, "x"), (4, "y"), (5, "z")}
    assert len({row["d"] for row in found}) == 4
    assert found == list(combinations(axes, 4, 0))
    assert {row["d"] for row in combinations(axes, 4, 1)}.isdisjoint(row["d"] for row in found)


def test_another_axis_changes_no_drawn_value():
    one = {"a": random("k", Range(0, 1))}
    two = {**one, "b": random("l", Range(0, 1))}
    assert [row["a"] for row in combinations(one, 5, 3)] == [row["a"] for row in combinations(two, 5, 3)]


def test_a_latin_hypercube_draws_once_from_each_part_of_a_range():
    axes = {"a": latin_hypercube("k", Range(0, 10)), "b": latin_hypercube("l", Range(1, 1024, "log")),
            "c": latin_hypercube("m", Range(1, 5, whole=True))}  # fmt: skip
    found = list(combinations(axes, 10, 0))
    assert sorted(int(row["a"]) for row in found) == list(range(10))
    assert sorted(int(math.log2(row["b"])) for row in found) == list(range(10))
    assert sorted(row["c"] for row in found) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert all(isinstance(row["c"], int) for row in found)


def test_random_whole_numbers_reach_both_ends():
    axes = {"a": random("k", Range(2, 4, "log", whole=True))}
    assert {row["a"] for row in combinations(axes, 100, 0)} == {2, 3, 4}


# conditions


@pytest.mark.parametrize(("text", "holds"), [
    ("a < b", True), ("a * 2 == b and not a > b", True), ("log2(b) == 1", True), ("a in (3, 5)", False),
    ("workload == 'vgg16' or min(a, b) == 1", True), ("a <= b <= 1", False),
])  # fmt: skip
def test_a_condition_compares_axes(text, holds):
    assert Condition(text).holds({"a": 1, "b": 2, "workload": "lenet5", "system": "isaac-ce"}) is holds


@pytest.mark.parametrize("text", [
    "__import__('os').system('true')", "a.__class__", "a[0]", "9**9**9", "(lambda: a)()", "[a for a in (1, 2)]",
    "print(a)", "a :=", "f'{a}'", "a" * 2000,
])  # fmt: skip
def test_a_condition_can_do_nothing_but_compare(text):
    with pytest.raises(InputError, match="is no condition"):
        Condition(text)


def test_points_that_do_not_hold_are_left_out(tmp_path):
    text = HEAD + ("axes: {rows: {key: chip.tile.ima.crossbar.rows, grid: [64, 128]}, "
                   "imas: {key: chip.tile.imas, grid: [4, 8]}}\nconditions: [rows * imas < 1000]\n")  # fmt: skip
    assert [list(point.parameters.values()) for point in planned(tmp_path, text)] == [[64, 4], [64, 8], [128, 4]]


# what is refused


@pytest.mark.parametrize(("text", "told"), [
    ("workloads: [a]\naxes: {}\n", "systems: is missing"),
    (GOOD + "samplez: 3\n", ":6: samplez: there is no such key, did you mean 'samples'?"),
    (HEAD + "axes:\n  a: {key: chip.tiles, gird: [1]}\n",
     ":5: axes.a.gird: there is no such key, did you mean 'grid'?"),
    (HEAD + "axes:\n  a: {key: chip.tile.imass, grid: [1]}\n",
     ":5: axes.a: chip.tile.imass: chip.tile has no key 'imass', did you mean 'imas'?"),
    (HEAD + "axes:\n  a: {key: chip.tiles, grid: []}\n", ":5: axes.a.grid: is empty"),
    (HEAD + "axes:\n  a: {key: chip.tiles, grid: {low: 1, high: 2}}\n", ":5: axes.a.grid: is a range"),
    (HEAD + "axes:\n  a: {key: chip.tiles}\n", ":5: axes.a: says in no way what its values are"),
    (HEAD + "axes:\n  a: {grid: [1]}\n", ":5: axes.a: says not which key it sets"),
    (HEAD + "axes:\n  a: {key: chip.tiles, grid: [1], list: [2]}\n", ":5: axes.a: has both grid and list"),
    (HEAD + "axes:\n  a: {key: chip.tiles, random: {low: 3, high: 2}}\n", ":5: axes.a.random: is empty"),
    (HEAD + "axes:\n  a: {key: chip.tiles, random: {low: 3}}\n", ":5: axes.a.random: a range has no high"),
    (HEAD + "axes:\n  a: {key: chip.tiles, list: [1, 2]}\n  b: {key: chip.tile.imas, list: [1]}\n",
     "axes: lists go together and have as many values: a has 2, b has 1"),
    (HEAD + "axes:\n  latency_ns: {key: chip.tiles, grid: [1]}\n", ":5: axes.latency_ns: 'latency_ns' is the name of"),
    (HEAD + "axes:\n  a-b: {key: chip.tiles, grid: [1]}\n", ":5: axes.a-b: 'a-b' cannot be the name of an axis"),
    (GOOD + "conditions:\n  - imaz < 3\n",
     ":7: conditions.0: 'imaz < 3': there is no axis 'imaz', did you mean 'imas'?"),
    (GOOD + "conditions:\n  - 1 < 3\n", ":7: conditions.0: '1 < 3' names no axis"),
    (GOOD + "conditions:\n  - imas <\n", ":7: conditions.0: 'imas <' is no condition"),
    (GOOD + "conditions:\n  - imas < 'x'\n", ":7: conditions.0: \"imas < 'x'\" cannot be evaluated with imas = 4"),
    (GOOD + "keep: [latency]\n", ":6: keep.0: 'latency' is not allowed, did you mean 'latency_ns'?"),
    (GOOD + "set: {chip.tiless: 3}\n", ":6: set.chip.tiless: chip has no key 'tiless', did you mean 'tiles'?"),
    (GOOD.replace("isaac-ce", "isaak-ce"), ":2: systems.0: 'isaak-ce' is neither a shipped system nor a file"),
    (GOOD.replace("mnist-mlp", "mnist-mpl"), ":1: workloads.0: no workload is called 'mnist-mpl', did you mean"),
    (GOOD.replace("ideal", "idael"), ":3: noc: 'idael' is not allowed, did you mean 'ideal'?"),
    (GOOD + "batch: 0\n", ":6: batch: 0 is not allowed"),
    (GOOD + "samples: 3\n", ":6: samples: nothing is drawn"),
    (GOOD + "format: pimsim-sweep-9\n", ":6: format: 'pimsim-sweep-9' is not allowed"),
    (HEAD + "axes: {seed: [1, 2]}\n", ":4: axes.seed: sets 'seed', and nothing is executed on data"),
    (HEAD + "axes: {a: {key: device.read_noise.voltage_v, grid: [0.1]}}\n", "and there is no device"),
    (HEAD + "axes: {noc: [ideal, mesh]}\n", ":4: axes.noc: 'mesh' is not allowed"),
    (HEAD + "axes: {a: {key: chip.tiles, grid: [.nan]}}\n", ":4: axes.a: nan is no value of an axis"),
    (GOOD + "inference: {images: 3}\n", ":6: inference.data: is missing"),
    (GOOD + "axes: {}\n", ":6: axes: duplicate key"),
    (GOOD + "input_shapes: {lenet5: {image: [1, 8, 8]}}\n", ":6: input_shapes.lenet5: is not among the workloads; all"),
    (GOOD + "input_shapes: {mnist-mlp: [784]}\n", ":6: input_shapes.mnist-mlp: [784] is not allowed; allowed: {images"),
    (GOOD + "input_shapes: {mnist-mlp: {image: [0]}}\n", ":6: input_shapes.mnist-mlp.image: 0 is not allowed"),
    (GOOD + "input_shapes: {mnist-mlp: {picture: [784]}}\n", "has no input 'picture'"),
    # names that would be one column
    (HEAD + "axes:\n  size: {key: chip.tiles, grid: [1]}\n  Size: {key: chips, grid: [1]}\n",
     ":5: axes.size: 'size' and 'Size' would be one column: SQL does not tell case apart"),
    (HEAD + "axes:\n  chip.tile.imas: [4]\n  imas: {key: chips, grid: [1]}\n",
     "axes.imas: 'imas' is short for a second axis 'imas'"),
    # one key set in two places
    (HEAD + "axes:\n  a: {key: chip.tiles, grid: [1]}\n  b: {key: chip.tiles, grid: [2]}\n",
     ":6: axes.b: sets 'chip.tiles', which axes.a sets already"),
    (HEAD + "axes:\n  a: {keys: [chip.tiles, chip.tiles], grid: [1]}\n",
     ":5: axes.a: sets 'chip.tiles', which axes.a sets already"),
    (HEAD + "axes:\n  a: {key: chip.tile.ima.adc, grid: [1]}\n  b: {key: chip.tile.ima.adc.bits, grid: [2]}\n",
     ":6: axes.b: sets 'chip.tile.ima.adc.bits', which axes.a sets already (with 'chip.tile.ima.adc')"),
    (GOOD + "set: {chip.tile.imas: 9}\n",
     ":5: axes.imas: sets 'chip.tile.imas', which set.chip.tile.imas sets already"),
    # conditions that compare with what never is
    (GOOD + "conditions:\n  - workload != 'mnist-mpl'\n",
     ":7: conditions.0: \"workload != 'mnist-mpl'\": workload is never 'mnist-mpl', did you mean 'mnist-mlp'?; "
     "allowed: 'mnist-mlp'"),
    (GOOD + "conditions:\n  - system in ('isaac-ce', 'isaac')\n", "system is never 'isaac', did you mean 'isaac-ce'?"),
    (GOOD + "conditions:\n  - 5 == imas\n", ":7: conditions.0: '5 == imas': imas is never 5; allowed: 4, 8"),
    (GOOD + "conditions:\n  - imas > 8\n", ":6: conditions: leave no point"),
    # an estimate knows one network
    (GOOD.replace("noc: ideal", "noc: flit") + "fidelity: analytical\n",
     ":3: noc: flit does not go with fidelity analytical; allowed: ideal"),
    (HEAD.replace("noc: ideal", "noc: packet") + "axes: {fidelity: [engine, analytical]}\n",
     ":3: noc: packet does not go with fidelity analytical; allowed: ideal, or no word of it"),
    (HEAD.replace("noc: ideal\n", "")
     + "axes:\n  fidelity: [engine, analytical]\n  net: {key: noc, grid: [packet, ideal]}\n",
     ":5: axes.net: packet does not go with fidelity analytical; allowed: conditions: "
     "[\"fidelity == 'engine' or net == 'ideal'\"]"),
    # what is executed
    (GOOD + "inference: {data: digits, images: -5}\n", ":6: inference.images: -5 is not allowed; allowed: a whole"),
    (GOOD + "inference: {data: digits, images: many}\n", ":6: inference.images: 'many' is not allowed"),
    (GOOD + "inference: {data: digits, calibration: 0}\n", ":6: inference.calibration: 0 is not allowed"),
    (GOOD + "inference: {data: digets}\n", ":6: inference.data: dataset: no dataset is called 'digets', did you mean"),
    (GOOD + "inference: {data: digits, images: 99999}\n", ":6: inference.data: images: 99999 images of 'digits' are"),
    (GOOD + "inference: {data: digits, device: reram}\n", ":6: inference.device: 'reram' is neither a shipped device"),
    (GOOD.replace("[isaac-ce]", "[isaac-ce, isaac-ce]"), ":2: systems.1: 'isaac-ce' is there twice"),
    (GOOD + "files: {mnist-mpl: a.yaml}\n",
     ":6: files.mnist-mpl: is named nowhere in the sweep, did you mean 'mnist-mlp'"),
])  # fmt: skip
def test_what_is_wrong_is_told_in_one_line(tmp_path, text, told):
    with pytest.raises(InputError) as caught:
        planned(tmp_path, text)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_many_points_are_refused_before_they_are_made():
    with pytest.raises(InputError, match="makes 10,000,000,000 combinations"):
        Sweep(["a"], ["b"], {name: grid(f"chip.{name}", range(10)) for name in "abcdefghij"})


# points


def test_a_sweep_as_resolved_is_the_same_sweep(tmp_path):
    sweep = Sweep(
        ["mlp-digits"], ["isaac-ce"],
        {"size": grid(["chip.tile.ima.crossbar.rows", "chip.tile.ima.crossbar.columns"], [64, 128]),
         "sigma": random("device.programming.sigma", Range(0.001, 0.1, "log")), "seed": listed("seed", [1])},
        ["size > 3"], name="all", overrides=["chip.tiles=100"], batch=2, noc="flit", samples=3, seed=4,
        inference=Inference("digits", "reram-pytorx", images=7), keep=["accuracy", "result"],
        input_shapes={"mlp-digits": {"image": [1, 1, 8, 8]}},
    )  # fmt: skip
    assert load_sweep(written(tmp_path, sweep_text(sweep))) == sweep


def test_equal_points_have_one_key():
    same = small_sweep(1, axes={"imas": grid("chip.tile.imas", [12, 8, 12.0, 8])})
    keys = [point.key for point in plan(same) if point.error is None]
    assert len(keys) == 3 and len(set(keys)) == 2  # 12.0 imas are refused, not taken for 12


def test_a_key_depends_on_all_that_a_result_does():
    def key(**more):
        return next(plan(small_sweep(1, **more))).key

    axes = {"price": grid("chip.tile.edram.cost.power_mw", [1.5])}
    different = [key(), key(batch=2), key(noc="packet"), key(workloads=["lenet5"]), key(axes=axes),
                 key(overrides=["chip.tile.imas=8"]), key(systems=["isaac-ce-16"])]  # fmt: skip
    assert len(set(different)) == len(different)
    assert key(name="other", keep=["latency_ns"]) == key()


def test_the_network_of_an_estimate_is_ideal_where_none_is_given():
    def networks(**more):
        sweep = small_sweep(1, noc=None, **more)
        return sweep.noc, [point.setting["noc"] for point in plan(sweep)]

    both = {"fidelity": grid("fidelity", ["engine", "analytical"])}
    assert networks(fidelity="analytical") == ("ideal", ["ideal"])
    assert networks() == ("packet", ["packet"])
    assert networks(axes=both) == (None, ["packet", "ideal"])
    crossed = both | {"noc": grid("noc", ["packet", "ideal"])}
    assert networks(axes=crossed, conditions=["fidelity == 'engine' or noc == 'ideal'"])[1] == [
        "packet", "ideal", "ideal"]  # fmt: skip


def test_conditions_compare_with_what_is_written(tmp_path):
    (tmp_path / "nets").mkdir()
    shipped_copy(tmp_path / "nets" / "mine.yaml")
    text = GOOD.replace("[mnist-mlp]", "[nets/mine.yaml, mnist-mlp]")
    found = planned(tmp_path, text + "conditions: [workload != 'nets/mine.yaml' or imas == 8]\n")
    assert [(point.setting["workload"], point.parameters["imas"]) for point in found] == [
        ("nets/mine.yaml", 8), ("mnist-mlp", 4), ("mnist-mlp", 8)]  # fmt: skip
    assert found[0].key == found[2].key  # one network under two names


def shipped_copy(file, name="mnist-mlp"):
    """A file of one's own with a shipped network."""
    from pimsim.workload import shipped

    file.write_bytes(shipped()[name].read_bytes())


@pytest.mark.parametrize("fidelity", ["engine", "analytical"])
def test_points_that_differ_in_what_adcs_resolve_share_a_mapping(fidelity):
    ima = "chip.tile.ima"
    axes = {"bits": grid(f"{ima}.adc.bits", [6, 8]), "steps": grid(f"{ima}.adc.range", ["levels", "full"]),
            "rate": grid(f"{ima}.adc.sample_rate_gsps", [1.28, 0.64])}  # fmt: skip
    points = list(plan(small_sweep(1, axes=axes, fidelity=fidelity)))
    assert len({point.key for point in points}) == 8
    assert len({point.mapping for point in points}) == 2  # a slower ADC takes its time


def test_points_that_differ_in_batch_or_prices_share_a_mapping():
    axes = {"batch": grid("batch", [1, 2]), "price": grid("chip.tile.edram.cost.power_mw", [1.5, 2.5]),
            "imas": grid("chip.tile.imas", [8, 12])}  # fmt: skip
    points = list(plan(small_sweep(1, axes=axes)))
    assert len({point.key for point in points}) == 8
    assert len({point.mapping for point in points}) == 2


def test_a_point_that_cannot_be_is_planned_with_its_error():
    bad = small_sweep(1, axes={"lines": grid("chip.tile.ima.crossbar.active_wordlines", [64, 999])})
    good, wrong = plan(bad)
    assert good.error is None
    assert "active_wordlines is 999, but the crossbar has 128 rows" in wrong.error


def test_settings_are_plain_data():
    point = next(plan(small_sweep(2)))
    assert json.loads(json.dumps(point.setting)) == point.setting


def open_network(folder):
    """An ONNX file whose feature map has free dimensions."""
    import onnx
    from onnx import TensorProto, helper

    weight = helper.make_tensor("w", TensorProto.FLOAT, [4, 1, 3, 3], [0.1] * 36)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["images", "w"], ["y"], "conv", kernel_shape=[3, 3])], "open",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 1, "height", "width"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], [weight],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), folder / "open.onnx")
    return HEAD.replace("mnist-mlp", "open.onnx") + GOOD.removeprefix(HEAD)


def test_free_dimensions_of_a_network_are_fixed_by_the_sweep(tmp_path):
    from pimsim.simulation import simulate
    from pimsim.sweep import load_study, run_sweep

    text = open_network(tmp_path) + "input_shapes: {open.onnx: {images: [1, 1, 10, 12]}}\n"
    run_sweep(load_sweep(written(tmp_path, text)), tmp_path / "study", workers=0)
    study = load_study(tmp_path / "study")
    run = simulate(tmp_path / "open.onnx", "isaac-ce", noc="ideal", overrides=["chip.tile.imas=4"],
                   input_shapes={"images": [1, 1, 10, 12]})  # fmt: skip
    assert study.columns["error"] == (None, None)
    assert study.columns["latency_ns"][0] == run.times.latency_ps / 1000
    small, large = (planned(tmp_path, text.replace("12]", f"{width}]"))[0].key for width in (12, 14))
    assert small == study.columns["key"][0] != large


def test_free_dimensions_that_are_left_open_are_asked_for_in_the_words_of_the_sweep(tmp_path):
    text = open_network(tmp_path)
    with pytest.raises(InputError, match=r"leaves height, width free.*input_shapes in SWEEP.yaml: \{open.onnx: "):
        planned(tmp_path, text)


@pytest.mark.parametrize(("key", "given", "values"), [("batch", 4, (1, 2)), ("noc", "ideal", ("packet", "ideal"))])
def test_a_key_of_all_points_and_an_axis_on_it_are_refused(key, given, values):
    with pytest.raises(InputError, match=f"{key}: {given} is given for all points, and an axis goes over it"):
        Sweep(workloads=["lenet5"], systems=["isaac-ce"], axes={"one": grid(key, values)}, **{key: given})
