"""Zero-load latency, saturation and load curves."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pimsim.config.network import Network, Router
from pimsim.errors import InputError
from pimsim.network import traffic
from pimsim.network.packets import Packets
from pimsim.network.routing import minimal_adaptive
from pimsim.network.topology import mesh_topology
from pimsim.noc import BuiltNetwork, build_network, latency_curve
from pimsim.noc import curve as curves
from pimsim.noc.channels import hottest, utilisation
from pimsim.noc.network import route
from pimsim.noc.paths import expect
from pimsim.noc.steady import measure

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "booksim2" / "curves.csv"


def network(topology: dict, **keys: object) -> BuiltNetwork:
    return build_network(Network(topology=topology, flit_bits=128, clock_ghz=1.0, **keys))  # type: ignore[arg-type]


def mesh(*shape: int, **keys: object) -> BuiltNetwork:
    return network({"kind": "mesh", "shape": shape}, **keys)


SLOW = Router(routing_cycles=2, vc_allocation_cycles=1, traversal_cycles=2, inject_latency=3, eject_latency=2)
TIERS = [{"latency": 3}, {"latency": 2, "width_bits": 64}, {"latency": 1, "width_bits": 40, "vertical": True}]


@pytest.mark.parametrize(
    "built",
    [
        mesh(3, 2),
        mesh(3, 2, router=Router(routing_cycles=0)),
        mesh(2, 2, concentration=2, router=SLOW),
        network({"kind": "torus", "shape": [4, 2]}),
        network({"kind": "mesh", "shape": [3, 2, 2], "links": TIERS}, router=Router(vc_buffer=32)),
        network({"kind": "small_world", "routers": 7, "neighbours": 2, "rewiring": 0.5}),
        mesh(3, 3, routing={"kind": "minimal_adaptive"}),
    ],
    ids=lambda built: built.topology.name,
)
@pytest.mark.parametrize("flits", [1, 4])
def test_zero_load_latency_is_that_of_lone_packets(built: BuiltNetwork, flits: int) -> None:
    pattern = traffic.uniform(built.topology)
    expected = expect(built, pattern, flits)
    pairs = next(pattern.pairs(flits))
    n = pairs.source.size
    apart = Packets(pairs.source, pairs.target, np.full(n, flits), 150 * np.arange(n))
    for engine in ("compiled", "reference"):
        if engine == "reference":  # slow: fewer pairs
            apart = Packets(apart.source[::11], apart.target[::11], apart.size[::11], 150 * np.arange(n)[::11])
        arrivals = route(built, apart, engine=engine)  # type: ignore[arg-type]
        latency = arrivals.atime - apart.ctime
        assert latency.max() < 150
        if engine == "compiled":
            assert expected.zero_load_latency == pytest.approx(latency.mean())
            assert expected.longest_latency == latency.max()
            assert expected.hops == pytest.approx(arrivals.hops.mean())
            whole = latency[::11]
            assert np.allclose(expected.channel_flits, arrivals.channel_flits / flits / built.topology.terminals)
        else:
            assert np.array_equal(latency, whole)


@pytest.mark.parametrize("vc_buffer", [1, 2, 4])
@pytest.mark.parametrize("flits", [1, 5, 9])
def test_lone_packets_wait_where_buffers_are_shallow(vc_buffer: int, flits: int) -> None:
    for seed in range(6):
        random = np.random.default_rng(seed)
        links = [{"latency": int(random.integers(1, 6)), "width_bits": int(random.choice((128, 64, 40)))} for _ in "xy"]
        delays = {name: int(random.integers(1, 4)) for name in (
            "routing_cycles", "vc_allocation_cycles", "switch_allocation_cycles", "credit_cycles", "inject_latency",
            "eject_latency",
        )}  # fmt: skip
        router = Router(vcs=2, vc_buffer=vc_buffer, speculative=bool(random.integers(2)), **delays)
        built = network({"kind": "mesh", "shape": (3, 2), "links": links}, router=router)
        alone = []
        for source, target in np.ndindex(6, 6):
            one = Packets(*(np.array([value]) for value in (source, target, flits, 0)))
            alone.append(int(route(built, one).atime[0]))
        expected = expect(built, traffic.uniform(built.topology), flits)
        assert expected.zero_load_latency == pytest.approx(np.mean(alone))
        assert expected.longest_latency == max(alone)


def test_a_sample_of_many_pairs_estimates_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    shallow = network({"kind": "mesh", "shape": (8, 8), "links": [{"latency": 1}, {"latency": 5}]},
                      router=Router(vc_buffer=2))  # fmt: skip
    every = expect(shallow, traffic.uniform(shallow.topology), 5).zero_load_latency
    monkeypatch.setattr("pimsim.noc.lone.SAMPLE", 500)
    some = expect(shallow, traffic.uniform(shallow.topology), 5).zero_load_latency
    assert some != every and some == pytest.approx(every, rel=0.02)


def test_capacity_is_where_the_busiest_channel_is_never_idle() -> None:
    built = mesh(8, 8)
    for pattern, capacity in ((traffic.uniform, 0.5), (traffic.transpose, 1 / 7), (traffic.hotspot, 4 / 64)):
        assert expect(built, pattern(built.topology), 5).capacity == pytest.approx(capacity)
    topology = mesh_topology((4, 4))
    adaptive = replace(built, topology=topology, routing=minimal_adaptive(topology, mesh(4, 4).routing))
    assert expect(adaptive, traffic.uniform(topology), 5).capacity is None


def test_a_curve_finds_saturation_and_measures_around_it() -> None:
    built = mesh(4, 4)
    curve = latency_curve(built, traffic.uniform(built.topology), packet_flits=1, run_packets=8000)
    assert curve.capacity == 1 and curve.saturation_load is not None
    assert 0.6 < curve.saturation_load < 0.95
    loads = [point.load for point in curve.points]
    assert loads == pytest.approx([fraction * curve.saturation_load for fraction in curves.FRACTIONS])
    latency = [point.latency for point in curve.points]
    assert latency[0] == pytest.approx(curve.zero_load_latency, rel=0.03)
    assert all(later > 0.99 * earlier for earlier, later in zip(latency, latency[1:], strict=False))
    below = [point for point in curve.points if point.load < 0.91 * curve.saturation_load]
    for point in below:
        assert point.stable and point.latency < 3 * curve.zero_load_latency
        assert point.accepted == pytest.approx(point.load, rel=0.04)
        assert point.network_latency <= point.latency <= point.p99_latency
        assert point.median_latency <= point.p99_latency
        flits = point.channel_flits.sum() / 16 / point.load
        assert flits == pytest.approx(point.hops - 1, rel=0.05)


def test_a_load_over_saturation_is_called_unstable() -> None:
    built = mesh(4, 4, router=Router(vcs=1, vc_buffer=2))
    curve = latency_curve(built, traffic.uniform(built.topology), loads=[0.9, 0.05], run_packets=4000)
    low, high = curve.points
    assert (low.load, low.stable, high.stable) == (0.05, True, False)
    assert curve.saturation_load is not None and 0.05 < curve.saturation_load < 0.9
    (line,) = curve.unstable_words()
    assert line.startswith("load 0.9: unstable: accepted 0.") and "of offered 0.9" in line
    assert f"it saturates near {curve.saturation_load:.4g}" in line
    assert high.accepted < 0.6
    assert curve.busiest_stable is low


def test_loads_below_saturation_leave_it_unknown() -> None:
    built = mesh(4, 4)
    curve = latency_curve(built, traffic.uniform(built.topology), loads=[0.1], run_packets=2000)
    assert curve.saturation_load is None and not curve.unstable_words()


def test_a_network_that_never_saturates() -> None:
    built = mesh(2)
    curve = latency_curve(built, traffic.neighbor(built.topology), packet_flits=1, run_packets=800)
    assert curve.saturation_load is None
    assert curve.points[-1].load == 1.0 and curve.points[-1].stable


def test_threads_change_nothing_and_seeds_give_an_interval() -> None:
    built = mesh(3, 3)
    results = [
        latency_curve(built, traffic.uniform(built.topology), loads=[0.1, 0.3], seeds=3, threads=threads,
                      run_packets=1200) for threads in (1, 3)
    ]  # fmt: skip
    for one, other in zip(results[0].points, results[1].points, strict=True):
        assert one.latency == other.latency and np.array_equal(one.channel_flits, other.channel_flits)
        assert one.interval is not None and 0 < one.interval < 0.2 * one.latency
    samples = [measure(built, traffic.uniform(built.topology), 0.1, 5, results[0].zero_load_latency, seed=seed,
                       run_packets=1200).latency for seed in range(3)]  # fmt: skip
    assert results[0].points[0].latency == pytest.approx(np.mean(samples))
    assert results[0].points[0].interval == pytest.approx(4.303 * np.std(samples, ddof=1) / np.sqrt(3))


def test_the_reference_measures_the_same() -> None:
    built = mesh(2, 2)
    one, other = (
        latency_curve(built, traffic.uniform(built.topology), loads=[0.2], run_packets=120, engine=engine)
        for engine in ("compiled", "reference")
    )  # fmt: skip
    assert one.points[0].latency == other.points[0].latency
    assert np.array_equal(one.points[0].channel_flits, other.points[0].channel_flits)


@pytest.mark.parametrize(
    "wrong", [{"loads": []}, {"loads": [1.01]}, {"seeds": 0}, {"threads": 0}, {"packet_flits": 0}, {"engine": "fast"}]
)
def test_wrong_arguments_are_refused(wrong: dict) -> None:
    built = mesh(2, 2)
    with pytest.raises(InputError):
        latency_curve(built, traffic.uniform(built.topology), **({"loads": [0.1]} | wrong))


def test_a_pattern_of_another_network_is_refused() -> None:
    with pytest.raises(InputError, match="is for 16 terminals"):
        latency_curve(mesh(2, 2), traffic.uniform(mesh(4, 4).topology))


def test_hottest_channels_count_narrow_ones_for_longer() -> None:
    topology = mesh(3, 1).topology
    topology = replace(topology, flit_cycles=np.array([1, 1, 4, 1]))
    flits = np.array([30, 0, 20, 10])
    assert utilisation(topology, flits, 100).tolist() == [0.3, 0.0, 0.8, 0.1]
    found = hottest(topology, flits, 100, 2, eject=np.array([0, 0, 50]))
    assert [use.name for use in found] == [topology.channel_name(2), "router (2, 0) -> terminal 2"]
    assert [use.utilisation for use in found] == [0.8, 0.5]


@pytest.mark.skipif(not RECORDED.is_file(), reason="the recorded curves of BookSim 2 are not here")
@pytest.mark.parametrize(
    ("case", "shape", "pattern", "flits"),
    [
        ("mesh_k8n2_uniform_ps1", (8, 8), traffic.uniform, 1),
        ("mesh_k8n2_uniform_ps5", (8, 8), traffic.uniform, 5),
        ("mesh_k8n2_perm_ps5", (8, 8), traffic.transpose, 5),
        ("mesh_k4n3_uniform_ps5", (4, 4, 4), traffic.uniform, 5),
        ("mesh_k8n2_hotspot_ps5", (8, 8), traffic.hotspot, 5),
    ],
)
def test_latencies_are_those_of_booksim(case, shape, pattern, flits) -> None:
    built = mesh(*shape)
    with RECORDED.open() as file:
        rows = {row["point"]: row for row in csv.DictReader(file) if row["case"] == case}
    points = [rows[point] for point in ("f020", "f050", "f080")]
    curve = latency_curve(built, pattern(built.topology), loads=[float(row["load_flits_node_cycle"]) for row in points],
                          packet_flits=flits)  # fmt: skip
    for point, row in zip(curve.points, points, strict=True):
        assert point.stable
        assert point.latency == pytest.approx(float(row["packet_latency"]), rel=0.02)
        assert point.network_latency == pytest.approx(float(row["network_latency"]), rel=0.02)
