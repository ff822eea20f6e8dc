"""`pimsim noc`: what it prints and writes, and one line for everything that a user can get wrong."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from pimsim.cli import main

MESH = """
format: pimsim-noc-1
name: small
noc: {topology: {kind: mesh, shape: [3, 3]}, flit_bits: 64, clock_ghz: 1.0}
"""
RING = ("--set", "noc.topology={kind: torus, shape: [6]}", "--set",
        "noc.routing={kind: dimension_order, dateline: false}")  # fmt: skip
QUICK = ("--traffic", "uniform", "--packets", "2000", "--loads", "0.1,0.9", "--packet-flits", "1")
PLOTS = [f"{name}.{kind}" for name in ("channels", "latency") for kind in ("png", "svg")]


@pytest.fixture
def mesh(tmp_path: Path) -> str:
    (tmp_path / "small.yaml").write_text(MESH)
    return str(tmp_path / "small.yaml")


def failed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    """Run a command that must fail with one line on stderr and nothing on stdout; that line."""
    assert main(["noc", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1 and err.startswith("pimsim: ")
    return err.strip()


def shown(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """Run a command that must succeed; what it prints."""
    assert main(["noc", *arguments]) == code
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_curve_prints_points_saturation_and_channels(capsys: pytest.CaptureFixture[str], mesh: str) -> None:
    out = shown(capsys, "curve", mesh, *QUICK, "--set", "noc.router.vc_buffer=1", "--set", "noc.router.vcs=1")
    for words in ("small: mesh 3x3, dimension order xy; uniform traffic, packets of 1 flit", "unstable",
                  "Zero-load", "it saturates near 0.", "Busiest channels at load 0.1", "router (1, 1)"):  # fmt: skip
        assert words in out


def test_curve_writes_documents_tables_and_plots(
    capsys: pytest.CaptureFixture[str], mesh: str, tmp_path: Path
) -> None:
    out = shown(capsys, "curve", mesh, *QUICK, "--seeds", "2", "--json", "--out", str(tmp_path / "out"))
    assert json.loads(out) == json.loads((tmp_path / "out" / "curve.json").read_text())
    data = json.loads(out)
    assert data["format"] == "pimsim-noc-curve-1" and data["seeds"] == [0, 1]
    assert data["config"]["topology"]["shape"] == [3, 3]
    assert [point["load"] for point in data["points"]] == [0.1, 0.9]
    assert data["points"][0]["interval"] > 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == sorted(["channels.csv", "curve.csv", "curve.json", *PLOTS])
    with (tmp_path / "out" / "channels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24 and rows[0]["name"] == "router (0, 0) -> router (1, 0)"
    assert sum(float(row["flits_at_0.1"]) for row in rows) == pytest.approx(9 * 0.1 * (8 / 9 + 8 / 9), rel=0.15)
    assert data["hottest"][0]["utilisation"] >= max(float(row["busy_at_0.1"]) for row in rows)


def test_a_quiet_curve_prints_nothing(capsys: pytest.CaptureFixture[str], mesh: str) -> None:
    assert shown(capsys, "curve", mesh, *QUICK, "--quiet", "--threads", "2") == ""


def test_patterns_with_arguments_and_files(capsys: pytest.CaptureFixture[str], mesh: str, tmp_path: Path) -> None:
    run = ("curve", mesh, "--packets", "500", "--loads", "0.05", "--json")
    hot = json.loads(shown(capsys, *run, "--traffic", "hotspot", "--targets", "4,8=2", "--sources", "0-2,5"))
    assert (hot["pattern"], hot["senders"]) == ("hotspot (4, 8)", 4)
    (tmp_path / "m.csv").write_text("source,target,weight,flits\n0,8,1,3\n2,6,1,1\n")
    own = json.loads(shown(capsys, *run, "--traffic", str(tmp_path / "m.csv")))
    assert (own["pattern"], own["senders"], own["packet_flits"]) == ("m", 2, None)
    mixed = json.loads(shown(capsys, *run, "--traffic", "neighbor", "--packet-flits", "1=3,5=1"))
    assert mixed["packet_flits"] == {"1": 3.0, "5": 1.0}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--traffic", "unifrom"), "did you mean 'uniform'"),
        (("--traffic", "none.csv"), "No such file"),
        (("--traffic", "bitrev"), "--traffic: bitrev traffic needs a power of two of terminals; there are 9"),
        (("--traffic", "uniform", "--targets", "1"), "--targets: goes with hotspot traffic"),
        (("--traffic", "hotspot", "--targets", "9"), "--targets: there is no terminal 9"),
        (("--traffic", "hotspot", "--targets", "1,1"), "1 is there twice"),
        (("--traffic", "hotspot", "--sources", "3-1"), "holds no terminals"),
        (("--traffic", "uniform", "--loads", "0.1,1.5"), "--loads: a load of 1.5 cannot be offered"),
        (("--traffic", "uniform", "--loads", "1e-300"), "a load of 1e-300 cannot be offered; allowed: 5e-10 to"),
        (("--traffic", "uniform", "--loads", "x"), "'x' is no number"),
        (("--traffic", "uniform", "--loads", "nan"), "cannot be offered"),
        (("--traffic", "uniform", "--seeds", "0"), "--seeds: 0 is not allowed"),
        (("--traffic", "uniform", "--threads", "0"), "--threads: 0 is not allowed"),
        (("--traffic", "uniform", "--packets", "0"), "--packets: 0 is not allowed"),
        (("--traffic", "uniform", "--seed", "-1"), "--seed: -1 is not allowed"),
        (("--traffic", "uniform", "--packet-flits", "0"), "--packet-flits: 0 is no packet size"),
        (("--traffic", "uniform", "--packet-flits", "3000000000"), "allowed: whole numbers from 1 to 2,147,483,647"),
        (("--traffic", "uniform", "--packet-flits", "9" * 23), "is no whole number; allowed: up to 18 digits"),
        (("--traffic", "uniform", "--packet-flits", "\u0663"), "is no whole number"),
        (("--traffic", "uniform", "--packet-flits", "two"), "'two' is no whole number"),
        (("--traffic", "uniform", "--out", ""), "the name of the folder is empty"),
        (("--traffic", "uniform", *RING), "can deadlock: router"),
    ],
)
def test_what_is_wrong_with_a_curve(
    capsys: pytest.CaptureFixture[str], mesh: str, options: tuple[str, ...], told: str
) -> None:
    assert told in failed(capsys, "curve", mesh, *options)


def test_replay_writes_the_packets(capsys: pytest.CaptureFixture[str], mesh: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("src,dst,size,ctime\n0,8,4,0\n1,4;7,2,3\n")
    out = shown(capsys, "replay", mesh, str(tmp_path / "p.csv"), "--out", str(tmp_path / "out"))
    for words in ("2 packets", "6 flits, to 3 terminals", "Busiest channels", "Written to"):
        assert words in out
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == sorted(["channels.csv", "packets.npz", "summary.json", *PLOTS])
    packets = np.load(tmp_path / "out" / "packets.npz")
    assert packets["src"].tolist() == [0, 1] and packets["dst"].tolist() == [8, -1]
    assert packets["targets"].tolist() == [8, 4, 7] and packets["first_target"].tolist() == [0, 1, 3]
    assert packets["atime"][0] == 2 + 5 * 5 + 3 and packets["itime"].tolist() == packets["ctime"].tolist() == [0, 3]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())["summary"]
    assert (summary["packets"], summary["deliveries"], summary["max_latency"]) == (2, 3, 30)


def test_replayed_copies_and_the_reference(capsys: pytest.CaptureFixture[str], mesh: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("src,dst,size,ctime\n1,4;7,2,3\n")
    run = ("replay", mesh, str(tmp_path / "p.csv"), "--unicast", "--json", "--out", str(tmp_path / "out"))
    one, other = (json.loads(shown(capsys, *run, "--engine", engine)) for engine in ("compiled", "reference"))
    assert one == other and one["summary"]["packets"] == 2
    assert np.load(tmp_path / "out" / "packets.npz")["row"].tolist() == [0, 0]


def test_a_replay_that_fails_leaves_nothing(capsys: pytest.CaptureFixture[str], mesh: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("src,dst,size,ctime\n0,9,4,0\n")
    told = failed(capsys, "replay", mesh, str(tmp_path / "p.csv"), "--out", str(tmp_path / "out"))
    assert told.endswith("p.csv:2: dst: there is no terminal 9; allowed: 0 to 8")
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))


def test_packets_that_wait_for_each_other_end_with_1(
    capsys: pytest.CaptureFixture[str], mesh: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check before a run is left out, so that the run itself meets the circle."""
    monkeypatch.setattr("pimsim.noc.network.require_deadlock_free", lambda *_: None)
    rows = [f"{s},{(s + 2) % 6},40,0" for s in range(6)]
    (tmp_path / "p.csv").write_text("src,dst,size,ctime\n" + "\n".join(rows))
    for engine in ("compiled", "reference"):
        options = (*RING, "--set", "noc.router.vcs=1", "--engine", engine)
        failed(capsys, "replay", mesh, str(tmp_path / "p.csv"), *options, code=1)


def test_check_tells_topology_distances_and_freedom_from_deadlock(
    capsys: pytest.CaptureFixture[str], mesh: str
) -> None:
    out = shown(capsys, "check", mesh)
    for words in ("mesh 3x3: 9 routers", "dimension order xy, 4 virtual channels", "cannot occur", "4 channels",
                  "packets of 5 flits"):  # fmt: skip
        assert words in out
    data = json.loads(shown(capsys, "check", mesh, "--json", "--packet-flits", "1"))
    assert data["deadlock_free"] and data["cycle"] == [] and data["diameter"] == 4
    assert data["longest_cycles"] == 2 + 5 * 5
    mean = 1 + 2 * (3 - 1 / 3) / 3  # k/3 - 1/3k a dimension (Dally and Towles), itself included; and the first router
    assert data["mean_hops"] == pytest.approx(mean)
    assert data["zero_load_cycles"] == pytest.approx(2 + 5 * mean)


def test_check_of_a_network_that_can_deadlock_names_the_circle(capsys: pytest.CaptureFixture[str], mesh: str) -> None:
    out = shown(capsys, "check", mesh, *RING, code=1)
    for words in ("can occur: 6 channels", "router 5 -> router 0", "dateline: true", "up_down"):
        assert words in out
    data = json.loads(shown(capsys, "check", mesh, *RING, "--json", code=1))
    assert not data["deadlock_free"] and len(data["cycle"]) == 6


def test_a_chip_has_a_network_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert "168 terminals" in shown(capsys, "check", "isaac-ce")


@pytest.mark.parametrize("flits", ["0", "3000000000", "9" * 23])
def test_check_takes_packets_of_31_bits(capsys: pytest.CaptureFixture[str], mesh: str, flits: str) -> None:
    told = failed(capsys, "check", mesh, "--packet-flits", flits)
    assert "--packet-flits: " in told and told.endswith("allowed: whole numbers from 1 to 2,147,483,647")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("topology: {kind: torus, shape: [5]}, router: {vcs: 1}", "noc.router.vcs: a torus with a dateline needs two"),
        ("topology: {kind: graph, edges: [{ends: [0, 1]}, {ends: [2, 3]}]}", "noc.topology: graph of 4 routers is not"),
        ("topology: {kind: mesh, shape: [3]}, concentration: 300", "noc.topology: a router has 302 ports"),
        ("topology: {kind: graph, edges: [{ends: [0, 1], one_way: true}, {ends: [1, 0], one_way: true}, {ends: [1, 2], "
         "one_way: true}, {ends: [2, 0], one_way: true}]}", "noc.routing.kind: up_down needs channels in both"),
    ],
)  # fmt: skip
def test_what_only_building_finds_is_told_with_file_and_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, keys: str, told: str
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(f"format: pimsim-noc-1\nname: own\n\nnoc: {{{keys}, flit_bits: 64, clock_ghz: 1.0}}\n")
    for command in (("check", str(file)), ("curve", str(file), "--traffic", "uniform")):
        assert failed(capsys, *command).startswith(f"pimsim: {file}:4: {told}")


def test_an_override_with_which_building_fails_is_named(capsys: pytest.CaptureFixture[str], mesh: str) -> None:
    curve = ("curve", mesh, "--traffic", "uniform", "--set")
    assert failed(capsys, *curve, "noc.concentration=300").endswith(
        "small.yaml:4: noc.topology: a router has 304 ports (with --set noc.concentration=300); allowed: at most 256")
    told = failed(capsys, *curve, "noc.topology={kind: torus, shape: [5]}", "--set", "noc.router.vcs=1")
    assert told.startswith("pimsim: --set noc.router.vcs=1: noc.router.vcs: a torus with a dateline needs")


def test_too_little_memory_is_said_of_networks_too(
    capsys: pytest.CaptureFixture[str], mesh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("pimsim.noc.build_network", full)
    told = failed(capsys, "curve", mesh, "--traffic", "uniform")
    assert "not enough memory" in told and "routers, buffers" in told


def test_help_says_in_which_order_packets_are(capsys: pytest.CaptureFixture[str]) -> None:
    words = " ".join(shown(capsys, "replay", "--help").split())
    assert "Columns may be in any order, rows are in the order of their times." in words


def test_a_network_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'mesh-8x8'" in failed(capsys, "check", "mesh8x8")
