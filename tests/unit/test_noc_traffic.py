"""Traffic patterns and the packets drawn from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.errors import InputError
from pimsim.network import traffic
from pimsim.network.topology import Topology, mesh_topology
from pimsim.network.traffic import Pattern, bernoulli_packets

MESH = mesh_topology((8, 8))


def target_of(pattern: Pattern, source: int) -> int:
    """The one terminal that a source sends to."""
    lo, hi = pattern.first[pattern.row[source]], pattern.first[pattern.row[source] + 1]
    assert hi == lo + 1
    return int(pattern.target[lo])


@pytest.mark.parametrize(
    ("name", "source", "target"),
    [
        ("transpose", 3 + 5 * 8, 5 + 3 * 8),
        ("bitrev", 0b000011, 0b110000),
        ("bitcomp", 0b000011, 0b111100),
        ("shuffle", 0b100001, 0b000011),
        ("neighbor", 7 + 2 * 8, 0 + 3 * 8),
        ("tornado", 6 + 1 * 8, (6 + 3) % 8 + (1 + 3) * 8),
    ],
)
def test_permutation(name: str, source: int, target: int) -> None:
    pattern = traffic.PATTERNS[name](MESH)
    assert target_of(pattern, source) == target
    assert sorted(pattern.target.tolist()) == list(range(64))


def test_tornado_goes_less_than_half_way_round_an_odd_ring() -> None:
    pattern = traffic.tornado(mesh_topology((5,), wrap=True))
    assert [target_of(pattern, s) for s in range(5)] == [2, 3, 4, 0, 1]


def test_neighbours_with_several_terminals_a_router_keep_their_place() -> None:
    pattern = traffic.neighbor(mesh_topology((2, 2), concentration=3))
    assert [target_of(pattern, s) for s in (0, 1, 5)] == [9, 10, 8]


def test_hotspots_are_a_quarter_of_the_way_from_the_edges() -> None:
    assert traffic.hotspot(MESH).target.tolist() == [18, 21, 42, 45]
    assert traffic.hotspot(mesh_topology((4, 4, 4))).target.size == 8


@pytest.mark.parametrize(("name", "shape"), [("bitrev", (3, 5)), ("bitcomp", (6,)), ("shuffle", (6,)),
                                             ("transpose", (8, 4))])  # fmt: skip
def test_a_pattern_that_does_not_fit_is_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=f"{name} traffic needs") as caught:
        traffic.PATTERNS[name](mesh_topology(shape))
    assert name not in str(caught.value.allowed)


def test_hotspot_weights_and_sources() -> None:
    pattern = traffic.hotspot(MESH, {3: 1.0, 60: 3.0}, sources=range(10))
    packets = bernoulli_packets(pattern, 0.5, 1, 20_000, seed=1)
    assert set(packets.source.tolist()) == set(range(10))
    share = np.mean(packets.target == 60)
    assert abs(share - 0.75) < 5 * np.sqrt(0.75 * 0.25 / packets.target.size)


@pytest.mark.parametrize("wrong", [{"targets": {64: 1.0}}, {"targets": {}}, {"targets": {1: 0.0}}, {"sources": [-1]}])
def test_wrong_hotspots_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError):
        traffic.hotspot(MESH, **wrong)


def matrix(topology: Topology = MESH) -> Pattern:
    columns = ([1, 1, 5, 7], [2, 3, 4, 60], [1.0, 3.0, 2.0, 0.0], [1, 2, 5, 1])
    return traffic.matrix("m", topology.terminals, *map(np.array, columns))


def test_a_matrix_gives_packets_by_weight_and_of_its_own_sizes() -> None:
    packets = bernoulli_packets(matrix(), 0.5, 1, 100_000, seed=3)
    count = {pair: int(np.sum((packets.source == pair[0]) & (packets.target == pair[1])))
             for pair in ((1, 2), (1, 3), (5, 4))}  # fmt: skip
    assert sum(count.values()) == packets.size.size
    assert set(packets.size[packets.target == 3].tolist()) == {2}
    assert count[1, 3] / count[1, 2] == pytest.approx(3, rel=0.05)
    assert count[5, 4] / count[1, 2] == pytest.approx(2, rel=0.05)
    assert packets.size.sum() / 100_000 / 2 == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize("weights", [[1e308, 1e308], [5e-324, 5e-324], [1e308, 1e-320], [2**53, 2**53]])
def test_weights_of_any_size_are_relative(weights: list[float]) -> None:
    pattern = traffic.matrix("m", 64, np.array([1, 1]), np.array([2, 3]), np.array(weights))
    assert pattern.share.sum() == 1 and pattern.share[0] in (0.5, 1) and pattern.rate[1] == 1
    assert bernoulli_packets(pattern, 0.5, 1, 100, seed=0).size.size


def test_a_load_that_some_terminal_cannot_offer_is_refused() -> None:
    assert matrix().largest_load(1) == pytest.approx(17 / 20)  # terminal 5 sends 10 of 17 flits
    with pytest.raises(InputError, match="busiest terminal"):
        bernoulli_packets(matrix(), 0.9, 1, 10, seed=0)
    for load in (0.0, -1.0, 1.1, float("nan"), 1e-300):
        with pytest.raises(InputError, match="cannot be offered"):
            bernoulli_packets(traffic.uniform(MESH), load, 5, 10, seed=0)


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 3000), max_size=4),
    load=st.floats(1e-6, 0.8),
    sizes=st.sampled_from([1, 5, {1: 0.5, 4: 0.5}]),
    unequal=st.booleans(),
)
def test_a_longer_run_begins_with_the_packets_of_a_shorter_one(cuts, load, sizes, unequal) -> None:
    pattern = matrix() if unequal else traffic.uniform(MESH)
    whole = bernoulli_packets(pattern, load, sizes, 3000, 7)
    for cycles in cuts:
        part = bernoulli_packets(pattern, load, sizes, cycles, 7)
        for field in ("source", "target", "size", "ctime"):
            assert np.array_equal(getattr(part, field), getattr(whole, field)[whole.ctime < cycles])
    order = whole.ctime * 64 + whole.source
    assert np.all(np.diff(order) > 0)  # by time, then source; a terminal creates at most one packet a cycle
    assert np.all((whole.ctime >= 0) & (whole.ctime < 3000))


def test_every_cycle_is_an_independent_chance() -> None:
    """Packets a cycle are binomial, and gaps of one terminal geometric: mean 1 / p, variance (1 - p) / p^2."""
    p, cycles = 0.06, 100_000
    packets = bernoulli_packets(traffic.uniform(MESH), 0.3, 5, cycles, seed=11)
    a_cycle = np.bincount(packets.ctime, minlength=cycles)
    assert a_cycle.mean() == pytest.approx(64 * p, rel=0.005)
    assert a_cycle.var() == pytest.approx(64 * p * (1 - p), rel=0.03)
    gaps = np.diff(packets.ctime[packets.source == 17])
    assert gaps.mean() == pytest.approx(1 / p, rel=0.05)
    assert gaps.var() == pytest.approx((1 - p) / p**2, rel=0.12)
    assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 0.06
    assert np.ptp(np.bincount(packets.target, minlength=64)) < 0.1 * packets.target.size / 64


def test_seeds_differ() -> None:
    one, other = (bernoulli_packets(traffic.uniform(MESH), 0.3, 5, 100, seed) for seed in (0, 1))
    assert not np.array_equal(one.ctime, other.ctime)


def test_packet_sizes_may_be_mixed() -> None:
    packets = bernoulli_packets(traffic.uniform(MESH), 0.3, {1: 3.0, 9: 1.0}, 50_000, seed=2)
    assert set(packets.size.tolist()) == {1, 9}
    assert np.mean(packets.size == 9) == pytest.approx(0.25, rel=0.02)
    assert packets.size.sum() / 64 / 50_000 == pytest.approx(0.3, rel=0.02)


@pytest.mark.parametrize("sizes", [0, 1.5, {}, {0: 1.0}, {3: -1.0}, {3: 0.0}, True, 2**31, 10**30])
def test_wrong_sizes_are_refused(sizes: object) -> None:
    with pytest.raises(InputError):
        bernoulli_packets(traffic.uniform(MESH), 0.3, sizes, 10, seed=2)  # type: ignore[arg-type]


def test_pairs_of_a_pattern_add_up() -> None:
    for name, build in traffic.PATTERNS.items():
        chunks = list(build(MESH).pairs(5, at_a_time=100))
        assert sum(pairs.share.sum() for pairs in chunks) == pytest.approx(1), name
        assert np.array_equal(np.unique(np.concatenate([pairs.source for pairs in chunks])), np.arange(64))
