"""Given packets: files, multicast trees, and what becomes of them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.config.network import Network, Router
from pimsim.errors import InputError
from pimsim.noc import BuiltNetwork, build_network, replay
from pimsim.noc.files import read_matrix, read_packets
from pimsim.noc.multicast import multicast_trees

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "booksim2" / "mesh8x8_u_ps5_r20.npz"
PACKETS = "src,dst,size,ctime\n0,8,4,0\n1,2,4,50\n1,0,8,55\n2,2,1,59\n"


def network(topology: dict, **keys: object) -> BuiltNetwork:
    return build_network(Network(topology=topology, flit_bits=128, clock_ghz=1.0, **keys))  # type: ignore[arg-type]


MESH = network({"kind": "mesh", "shape": [3, 3]})


def written(folder: Path, text: str, name: str = "p.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_the_form_of_the_file_does_not_matter(tmp_path: Path) -> None:
    rows = [line.split(",") for line in PACKETS.split()]
    swapped = "".join(f"{ctime};{dst};{size};{src}\r\n" for src, dst, size, ctime in rows) + "\n"
    columns = dict(zip(rows[0], np.array(rows[1:], np.int64).T, strict=True))
    np.savez(tmp_path / "p.npz", **columns, itime=np.zeros(3))
    found = [
        replay(MESH, path)
        for path in (written(tmp_path, PACKETS), written(tmp_path, swapped, "q.csv"), tmp_path / "p.npz")
    ]
    for other in found[1:]:
        assert np.array_equal(found[0].arrivals.atime, other.arrivals.atime)
    assert found[0].latency.tolist() == [2 + 5 * 5 + 3, 2 + 2 * 5 + 3, 2 + 2 * 5 + 7, 2 + 5]
    assert found[0].eject_flits.tolist() == [8, 0, 5, 0, 0, 0, 0, 0, 4]
    assert found[0].inject_flits.sum() == found[0].eject_flits.sum() == 17


@pytest.mark.skipif(not RECORDED.is_file(), reason="the recorded packets of BookSim 2 are not here")
def test_recorded_packets_come_out_as_recorded() -> None:
    built = build_network("mesh-8x8")
    recorded = np.load(RECORDED)
    arrivals = replay(built, RECORDED).arrivals
    for key in ("itime", "atime", "hops"):
        assert np.array_equal(getattr(arrivals, key), recorded[key]), key


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "p.csv:1: src: there is no such column; allowed: src, dst, size, ctime"),
        ("src,dst,size\n0,1,1\n", "p.csv:1: ctime: there is no such column"),
        ("src,dst,size,ctime,color\n0,1,1,0,7\n", "p.csv:1: color: is not a known column"),
        ("src,src,size,ctime\n0,1,1,0\n", "p.csv:1: a column is there twice"),
        ("src,dst,size,ctime\n", "p.csv: has no rows"),
        ("src,dst,size,ctime\n0,1,1\n", "p.csv:2: there are 3 cells; allowed: 4"),
        ("src,dst,size,ctime\n\n0,9,1,0\n", "p.csv:3: dst: there is no terminal 9; allowed: 0 to 8"),
        ("src,dst,size,ctime\n-1,2,1,0\n", "p.csv:2: src: there is no terminal -1"),
        ("src,dst,size,ctime\n0,1;11,1,0\n", "p.csv:2: dst: there is no terminal 11"),
        ("src,dst,size,ctime\n0,1,1,0\n0,1;2;1,1,0\n", "p.csv:3: dst: terminal 1 is there twice"),
        ("src,dst,size,ctime\n0,x,1,0\n", "p.csv:2: dst: 'x' is not allowed"),
        ("src,dst,size,ctime\n0,1,0,0\n", "p.csv:2: size: a packet cannot have 0 flits"),
        ("src,dst,size,ctime\n0,1,1.5,0\n", "p.csv:2: size: '1.5' is not allowed; allowed: a whole number"),
        ("src,dst,size,ctime\n0,1,1,5\n0,1,1,4\n", "p.csv:3: ctime: 4 comes after a later time"),
        ("src,dst,size,ctime\n0,1,1,-4\n", "p.csv:2: ctime: -4 is no cycle"),
        ("src,dst,size,ctime\n0,1,1," + "9" * 30 + "\n", "p.csv:2: ctime: '999"),
        ("src,dst,size,ctime\n1_0,1,1,0\n", "p.csv:2: src: '1_0' is not allowed; allowed: a whole number"),
        ("src,dst,size,ctime\n\u0663,1,1,0\n", "p.csv:2: src: '\u0663' is not allowed"),
        ("src,dst,size,ctime\n0,1;\u0663,1,0\n", "p.csv:2: dst: '1;\u0663' is not allowed"),
        ("src,dst,size,ctime\n0,1;" + "9" * 30 + ",1,0\n", "p.csv:2: dst: '1;999"),
        ("src,dst,size,ctime\n0,-1,1,0\n", "p.csv:2: dst: there is no terminal -1"),
        ("src,dst,size,ctime\n0,1,1,0\n0,1;2,9,0\n", "p.csv:3: size: a packet of 9 flits to several terminals"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        replay(MESH, written(tmp_path, text))
    assert told in str(caught.value)


def test_files_that_are_no_packets(tmp_path: Path) -> None:
    np.save(tmp_path / "array.npy", np.arange(3))
    array = (tmp_path / "array.npy").read_bytes()
    for name, content in (("a.npz", b"PK nonsense"), ("b.csv", b"\xff\xfe\x00"), ("empty.npz", b""), ("f.npz", array)):
        (tmp_path / name).write_bytes(content)
        for read in (read_packets, read_matrix):
            with pytest.raises(InputError, match=r"cannot be read: it is n(o|ot) (\.npz file|UTF-8 text)"):
                read(tmp_path / name, 9)
    with pytest.raises(InputError, match="No such file"):
        read_packets(tmp_path / "none.csv", 9)
    np.savez(tmp_path / "c.npz", src=[0.5], dst=[1], size=[1], ctime=[0])
    with pytest.raises(InputError, match="c.npz: src: has elements of type float64"):
        read_packets(tmp_path / "c.npz", 9)
    np.savez(tmp_path / "d.npz", src=[0, 1], dst=[1, 9], size=[1, 1], ctime=[0, 0])
    with pytest.raises(InputError, match=r"d.npz: dst\[1\]: there is no terminal 9"):
        read_packets(tmp_path / "d.npz", 9)
    np.savez(tmp_path / "e.npz", src=[0, 1], dst=[1], size=[1], ctime=[0])
    with pytest.raises(InputError, match="columns of different lengths: src 2, dst 1"):
        read_packets(tmp_path / "e.npz", 9)


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (np.array([[1, 2]]), "p.npz: size: has 2 dimensions; allowed: one"),
        (np.array([1, None]), "p.npz: size: cannot be read: it is no array of numbers"),
        (np.array([1, 2**64 - 1], np.uint64), "p.npz: size[1]: 18446744073709551615 is not allowed; allowed: whole"),
        (np.array([True, False]), "p.npz: size: has elements of type bool"),
    ],
)
def test_a_wrong_column_is_named(tmp_path: Path, column: np.ndarray, told: str) -> None:
    np.savez(tmp_path / "p.npz", src=[0, 1], dst=[1, 2], size=column, ctime=[0, 0], note=np.array([None]))
    with pytest.raises(InputError) as caught:
        read_packets(tmp_path / "p.npz", 9)
    assert told in str(caught.value)


def test_bytes_that_are_no_array_are_no_column(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "p.npz", "w") as archive:
        for name in ("src", "dst", "size", "ctime"):
            archive.writestr(f"{name}.npy", b"0,1,2")
    with pytest.raises(InputError, match="src: cannot be read: it is no array of numbers"):
        read_packets(tmp_path / "p.npz", 9)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0,9,1\n", "m.csv:2: target: there is no terminal 9"),
        ("0,1,-1\n", "m.csv:2: weight: -1.0 is not allowed"),
        ("0,1,nan\n", "m.csv:2: weight: nan is not allowed"),
        ("0,1,a\n", "m.csv:2: weight: 'a' is not allowed; allowed: a number"),
        ("0,1,1_0\n", "m.csv:2: weight: '1_0' is not allowed; allowed: a number"),
        ("0,1,0\n", "m.csv: has no weight over 0"),
    ],
)
def test_what_is_wrong_with_a_traffic_matrix(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        read_matrix(written(tmp_path, "source,target,weight\n" + text, "m.csv"), 9)
    assert told in str(caught.value)


def test_a_traffic_matrix_may_give_sizes(tmp_path: Path) -> None:
    pattern = read_matrix(written(tmp_path, "flits,source,target,weight\n3,0,1,0.5\n1,0,2,1.5\n", "m.csv"), 9)
    assert (pattern.name, pattern.senders.tolist()) == ("m", [0])
    assert pattern.share.tolist() == [0.25, 0.75] and pattern.flits is not None
    assert pattern.mean_flits(7)[0] == 0.25 * 3 + 0.75


def test_a_packet_to_several_terminals_travels_common_ways_once(tmp_path: Path) -> None:
    file = written(tmp_path, "src,dst,size,ctime\n0,2;8;5,4,0\n0,1,1,100\n")
    tree, copies = replay(MESH, file), replay(MESH, file, unicast=True)
    flits = tree.arrivals.channel_flits
    assert flits.sum() == 4 * 4 + 1  # (0,0) -> (1,0) -> (2,0) -> (2,1) -> (2,2)
    assert copies.arrivals.channel_flits.sum() == 4 * (2 + 4 + 3) + 1
    assert tree.packets.size.size == 2 and copies.packets.size.size == 4
    assert copies.row.tolist() == [0, 0, 0, 1] and copies.packets.target.tolist() == [2, 8, 5, 1]
    assert tree.arrivals.hops.tolist() == [4 + 3, 2]  # each terminal is a hop of its own
    assert tree.eject_flits.tolist() == copies.eject_flits.tolist() == [0, 1, 4, 0, 0, 4, 0, 0, 4]
    assert (tree.inject_flits[0], copies.inject_flits[0]) == (5, 13)


TOPOLOGIES = (
    {"kind": "mesh", "shape": [3, 2]},
    {"kind": "torus", "shape": [4, 3]},
    {"kind": "small_world", "routers": 8, "neighbours": 4, "rewiring": 0.5},
)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_trees_reach_their_terminals_and_nothing_else(data: st.DataObject) -> None:
    built = network(data.draw(st.sampled_from(TOPOLOGIES)), concentration=data.draw(st.integers(1, 2)))
    topology = built.topology
    terminal = st.integers(0, topology.terminals - 1)
    sources = data.draw(st.lists(terminal, min_size=1, max_size=3))
    targets = [data.draw(st.lists(terminal, min_size=1, max_size=5, unique=True)) for _ in sources]
    trees = multicast_trees(built, sources, targets)
    by_port = {(r, p): t for t, (r, p) in enumerate(zip(topology.terminal_router, topology.terminal_port, strict=True))}
    seen: set[int] = set()
    for root, source, wanted in zip(trees.root, sources, targets, strict=True):
        assert trees.port[root] == -1
        reached = []
        edges = [(int(root), int(topology.terminal_router[source]))]
        while edges:
            edge, router = edges.pop()
            assert edge not in seen and trees.vcs[edge] > 0
            seen.add(edge)
            ports = [int(trees.port[child]) for child in range(trees.child_lo[edge], trees.child_hi[edge])]
            for child, port in enumerate(ports, start=int(trees.child_lo[edge])):
                if (router, port) in by_port:
                    reached.append(by_port[router, port])
                    assert trees.child_lo[child] == trees.child_hi[child]
                    seen.add(child)
                else:
                    edges.append((child, int(topology.target[topology.output[router, port]])))
        assert sorted(reached) == sorted(wanted)
    assert len(seen) == trees.port.size


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_the_reference_replays_the_same(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    router = Router(vcs=data.draw(st.sampled_from([2, 4])), vc_buffer=data.draw(st.sampled_from([3, 8])))
    built = network(data.draw(st.sampled_from(TOPOLOGIES)), router=router)
    terminal = st.integers(0, built.topology.terminals - 1)
    n = data.draw(st.integers(1, 25))
    times = sorted(data.draw(st.lists(st.integers(0, 20), min_size=n, max_size=n)))
    several = st.lists(terminal, min_size=1, max_size=4, unique=True).map(lambda targets: ";".join(map(str, targets)))
    rows = [f"{data.draw(terminal)},{data.draw(several)},{data.draw(st.integers(1, 3))},{time}" for time in times]
    file = written(tmp_path_factory.mktemp("replay"), "src,dst,size,ctime\n" + "\n".join(rows))
    unicast = data.draw(st.booleans())
    one, other = (replay(built, file, unicast=unicast, engine=engine) for engine in ("compiled", "reference"))
    for field in ("itime", "atime", "hops", "channel_flits"):
        assert np.array_equal(getattr(one.arrivals, field), getattr(other.arrivals, field)), field
    assert np.all(one.arrivals.atime > one.packets.ctime)
