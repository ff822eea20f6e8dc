"""A study holds what its sweep has read: moved elsewhere, it goes on without the files that it came from."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import yaml

from pimsim.config import load_device, load_system
from pimsim.device.fault_maps import save_fault_map
from pimsim.errors import InputError
from pimsim.sweep import load_study, load_sweep, run_sweep
from tests.sweep_tasks import Logged, latency

SWEEP = """
workloads: [nets/mine.yaml, mnist-mlp]
systems: [s1/x.yaml, s2/x.yaml, isaac-ce]
noc: ideal
axes: {wait_ns: {key: host.latency_ns, grid: [100, 101]}}
conditions: [workload != 'nets/mine.yaml' or system == 's2/x.yaml' or wait_ns > 100]
"""


def shipped_network(name):
    from pimsim.workload import shipped

    return shipped()[name].read_bytes()


@pytest.fixture
def home(tmp_path):
    """The folder of somebody who has files of their own."""
    folder = tmp_path / "home"
    for n in (1, 2):
        (folder / f"s{n}").mkdir(parents=True)
        (folder / f"s{n}" / "x.yaml").write_text(f"base: isaac-ce\nname: mine {n}\nchips: {n}\n")
    (folder / "nets").mkdir()
    (folder / "nets" / "mine.yaml").write_bytes(shipped_network("mnist-mlp"))
    (folder / "s.yaml").write_text(SWEEP)
    return folder


def mailed(home, tmp_path, monkeypatch):
    """The study elsewhere, the files that it came from gone."""
    shutil.move(home / "study", tmp_path / "mailed")
    shutil.rmtree(home)
    (tmp_path / "desk").mkdir()
    monkeypatch.chdir(tmp_path / "desk")
    return tmp_path / "mailed"


def test_a_mailed_study_is_resumed_where_it_lies(home, tmp_path, monkeypatch):
    log = Logged(str(tmp_path / "log"), seconds=0.1)
    stops = iter([False, True])
    first = run_sweep(home / "s.yaml", home / "study", workers=0, evaluate=log, stop=lambda: next(stops))
    assert first.stopped and 0 < first.done < first.different == 6
    study = mailed(home, tmp_path, monkeypatch)
    second = run_sweep(study / "sweep.yaml", study, workers=0, evaluate=latency, resume=True)
    assert (second.computed, second.done) == (6 - first.done, 6)
    names = load_study(study).columns
    assert list(zip(names["workload"], names["system"], names["wait_ns"], strict=True))[:4] == [
        ("nets/mine.yaml", "s1/x.yaml", 101), ("nets/mine.yaml", "s2/x.yaml", 100),
        ("nets/mine.yaml", "s2/x.yaml", 101), ("nets/mine.yaml", "isaac-ce", 101)]  # fmt: skip


def test_more_points_of_a_mailed_study_are_simulated(home, tmp_path, monkeypatch):
    run_sweep(home / "s.yaml", home / "study", workers=0, evaluate=latency)
    study = mailed(home, tmp_path, monkeypatch)
    data = yaml.safe_load((study / "sweep.yaml").read_text())
    data["axes"]["wait_ns"]["grid"].append(102)
    (study / "sweep.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    summary = run_sweep(study / "sweep.yaml", study, workers=0, resume=True)
    assert (summary.computed, summary.failed) == (3, 0)  # three systems; two names of one network
    assert load_study(study).columns["chips_used"][-1] is not None


def test_systems_with_one_name_are_both_kept(home):
    run_sweep(home / "s.yaml", home / "study", workers=0, evaluate=latency)
    kept = {file.name: load_system(file) for file in (home / "study" / "systems").iterdir()}
    assert {name: system.chips for name, system in kept.items()} == {"x.yaml": 1, "x-2.yaml": 2, "isaac-ce.yaml": 1}
    sweep = load_study(home / "study").sweep()
    assert load_system(sweep.path_of("s2/x.yaml")) == load_system(home / "s2" / "x.yaml")
    assert str(home.parent) not in (home / "study" / "sweep.yaml").read_text()


def test_files_written_again_over_themselves_stay_as_they_are(home):
    run_sweep(home / "s.yaml", home / "study", workers=0, evaluate=latency)
    before = {file: file.read_bytes() for file in (home / "study").rglob("*.yaml")}
    shutil.rmtree(home / "nets")
    (home / "study" / "study.sqlite").unlink()
    run_sweep(home / "study" / "sweep.yaml", home / "study", workers=0, evaluate=latency)
    assert {file: file.read_bytes() for file in (home / "study").rglob("*.yaml")} == before


def test_weights_and_data_go_with_a_study(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    weights_apart(home / "net.onnx")
    generator = np.random.default_rng(0)
    images, labels = generator.random((40, 1, 8, 8), dtype=np.float32), np.arange(40) % 10
    np.savez(home / "own.npz", x_test=images, y_test=labels, x_train=images, y_train=labels)
    (home / "s.yaml").write_text("workloads: [net.onnx]\nsystems: [isaac-ce]\nnoc: ideal\naxes: {seed: [0]}\n"
                                 "inference: {data: own.npz, images: 10, calibration: 5}\n")
    first = run_sweep(home / "s.yaml", home / "study", workers=0)
    assert (first.done, first.first_error) == (1, None)
    expected = load_study(home / "study").columns["agreement_float"]
    study = mailed(home, tmp_path, monkeypatch)
    assert copies(study) == ["data/own.npz", "networks/net/net.onnx", "networks/net/weights/w.bin"]
    again = run_sweep(study / "sweep.yaml", tmp_path / "again", workers=0)
    assert again.done == 1
    assert load_study(tmp_path / "again").columns["agreement_float"] == expected
    assert load_study(tmp_path / "again").columns["key"] == load_study(study).columns["key"]


def test_weights_that_lie_apart_are_part_of_a_point_and_of_what_a_resumed_study_looks_at(tmp_path):
    weights_apart(tmp_path / "net.onnx")
    (tmp_path / "s.yaml").write_text("workloads: [net.onnx]\nsystems: [isaac-ce]\nnoc: ideal\naxes: {chips: "
                                     "{key: chips, grid: [1]}}\n")  # fmt: skip
    run_sweep(tmp_path / "s.yaml", tmp_path / "study", workers=0, evaluate=nothing)
    assert run_sweep(tmp_path / "s.yaml", tmp_path / "study", workers=0, evaluate=nothing, resume=True).computed == 0
    weights = tmp_path / "weights" / "w.bin"
    weights.write_bytes(weights.read_bytes()[:-4] + b"1234")
    assert run_sweep(tmp_path / "s.yaml", tmp_path / "study", workers=0, evaluate=nothing, resume=True).computed == 1


def test_a_device_goes_with_its_fault_map(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    save_fault_map(home / "stuck.npz", {"fc": np.zeros((4, 4), np.uint8)})
    (home / "cells.yaml").write_text("base: reram-pytorx\nname: mine\nfaults: {map: stuck.npz}\n")
    (home / "s.yaml").write_text("workloads: [mlp-digits]\nsystems: [isaac-ce]\nnoc: ideal\n"
                                 "axes: {noise: {key: device.read_noise.voltage_v, grid: [1, 2]}}\n"
                                 "inference: {data: digits, device: cells.yaml}\n")
    run_sweep(home / "s.yaml", home / "study", workers=0, evaluate=nothing)
    study = mailed(home, tmp_path, monkeypatch)
    assert copies(study) == ["devices/cells-faults.npz", "devices/cells.yaml"]
    assert load_device(study / "devices" / "cells.yaml").faults.map == str(study / "devices" / "cells-faults.npz")
    (study / "sweep.yaml").write_text((study / "sweep.yaml").read_text().replace("- 2\n", "- 2\n    - 3\n"))
    summary = run_sweep(study / "sweep.yaml", study, workers=0, evaluate=nothing, resume=True)
    assert (summary.different, summary.computed, summary.failed) == (3, 1, 0)


def nothing(setting):
    return {}


def copies(study):
    """Files that a study holds of what its sweep has read, but systems."""
    found = [file for part in ("networks", "data", "devices") for file in (study / part).rglob("*") if file.is_file()]
    return sorted(str(file.relative_to(study)) for file in found)


def weights_apart(file):
    """A trained network whose weights lie in a file of their own."""
    import onnx

    from pimsim.workload import shipped

    model = onnx.load(shipped()["mlp-digits"])
    (file.parent / "weights").mkdir()
    onnx.save(model, file, save_as_external_data=True, all_tensors_to_one_file=True, location="weights/w.bin",
              size_threshold=0)  # fmt: skip


def test_a_file_that_the_sweep_does_not_find_is_one_line(home):
    (home / "nets" / "mine.yaml").unlink()
    with pytest.raises(InputError, match=r"mine\.yaml: cannot be read"):
        run_sweep(load_sweep(home / "s.yaml"), home / "study", workers=0, evaluate=latency)
    assert not (home / "study").exists()
