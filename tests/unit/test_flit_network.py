"""The compiled flit-level network alone: latencies in closed form, deadlock, conservation, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.arch.noc.flit import Deadlock, layout, route_packets
from pimsim.arch.noc.flit.invariants import check_invariants
from pimsim.arch.noc.flit.state import Network, add_network, add_packets, packet_records
from pimsim.arch.noc.flit.step import run
from pimsim.config.network import Router
from pimsim.engine.arena import Arena
from pimsim.errors import InputError
from pimsim.network.packets import NEVER, Branches, Packets
from pimsim.network.routing import dimension_order, shortest_path
from pimsim.network.topology import mesh_topology
from pimsim.reference import router as reference

LINE = mesh_topology((4,))
UP, TERMINAL = 0, 2  #: ports of a line


def packets_of(*rows, multicast=None):
    """Rows (source, target, flits, ctime)."""
    return Packets(*(np.array(column, np.int64) for column in zip(*rows, strict=True)), multicast)


def uniform(terminals, seed, count=400, cycles=400):
    draw = np.random.default_rng(seed)
    return Packets(
        draw.integers(0, terminals, count), draw.integers(0, terminals, count), draw.choice((1, 2, 5), count),
        np.sort(draw.integers(0, cycles, count)),
    )  # fmt: skip


# ---- one packet alone


@pytest.mark.parametrize("shape", [(8, 8), (4, 4, 4)])
def test_zero_load_latency_is_the_closed_form_for_every_hop_count(shape):
    topology = mesh_topology(shape)
    targets = np.arange(topology.terminals)
    packets = Packets(np.zeros_like(targets), targets, 1 + targets % 7, 200 * targets)
    arrivals = route_packets(topology, dimension_order(topology), Router(), packets)
    hops = 1 + topology.position[:, :].sum(axis=1).astype(int)
    assert set(hops) == set(range(1, 2 + sum(shape) - len(shape)))
    np.testing.assert_array_equal(arrivals.hops, hops)
    np.testing.assert_array_equal(arrivals.atime - packets.ctime, 2 + 5 * hops + packets.size - 1)


@settings(max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries({
        "routing_cycles": st.integers(0, 4), "vc_allocation_cycles": st.integers(1, 4),
        "switch_allocation_cycles": st.integers(1, 4), "traversal_cycles": st.integers(1, 4),
        "inject_latency": st.integers(1, 6), "eject_latency": st.integers(1, 6), "speculative": st.booleans(),
    }),
    st.tuples(*[st.integers(1, 6)] * 3), st.integers(1, 8),
)  # fmt: skip
def test_zero_load_latency_is_the_sum_of_its_stages_and_links(delays, latency, flits):
    topology, router = mesh_topology((3, 2, 3), latency=latency), Router(vc_buffer=64, **delays)
    targets = np.arange(topology.terminals)
    packets = Packets(np.zeros_like(targets), targets, np.full_like(targets, flits), 1000 * targets)
    arrivals = route_packets(topology, dimension_order(topology), router, packets)
    steps = topology.position.astype(int)
    expected = (
        1 + router.inject_latency + (1 + steps.sum(axis=1)) * router.pipeline_cycles + steps @ np.array(latency)
        + router.eject_latency + flits - 1
    )  # fmt: skip
    np.testing.assert_array_equal(arrivals.atime - packets.ctime, expected)
    assert arrivals.cycles == arrivals.atime.max() + 1


# ---- the end of a run


def test_a_run_that_is_cut_short_says_what_has_not_happened():
    topology = mesh_topology((3, 3))
    packets, routing = uniform(9, seed=3), dimension_order(topology)
    whole = route_packets(topology, routing, Router(), packets)
    part = route_packets(topology, routing, Router(), packets, cycles=200)
    assert part.cycles == 200
    np.testing.assert_array_equal(part.atime, np.where(whole.atime < 200, whole.atime, NEVER))
    np.testing.assert_array_equal(part.hops, np.where(whole.atime < 200, whole.hops, NEVER))
    np.testing.assert_array_equal(part.itime, np.where(whole.itime < 200, whole.itime, NEVER))


def test_progress_is_told_up_to_the_last_packet():
    told = []
    packets = packets_of((0, 3, 1, 0), (3, 0, 1, 100_000))
    route_packets(LINE, dimension_order(LINE), Router(), packets, progress=lambda *numbers: told.append(numbers))
    assert told[-1] == (2, 2)
    assert (1, 2) in told


def test_idle_cycles_cost_nothing():
    told, late = [], 1 << 53
    packets = packets_of((0, 3, 1, 0), (3, 0, 1, late), (0, 1, 1, 2 * late))
    routing = dimension_order(LINE)
    arrivals = route_packets(LINE, routing, Router(), packets, progress=lambda *numbers: told.append(numbers))
    assert len(told) < 10
    assert arrivals.cycles == 2 * late + 13
    part = route_packets(LINE, routing, Router(), packets, cycles=late)
    assert part.cycles == late and part.atime[1] == NEVER


def test_nothing_takes_no_time():
    arrivals = route_packets(LINE, dimension_order(LINE), Router(), Packets(*(np.zeros(0, np.int64) for _ in range(4))))
    assert arrivals.cycles == 0


# ---- deadlock


def ring_in_deadlock():
    ring = mesh_topology((4,), wrap=True)
    return ring, shortest_path(ring, 1), packets_of(*((terminal, (terminal + 2) % 4, 12, 0) for terminal in range(4)))


def test_a_deadlock_names_its_channels():
    ring, routing, packets = ring_in_deadlock()
    with pytest.raises(Deadlock) as caught:
        route_packets(ring, routing, Router(vcs=1, vc_buffer=2), packets, check=True)
    for channel in np.flatnonzero(ring.source_port == UP).tolist():
        assert str(caught.value).count(f"{ring.channel_name(channel)} (virtual channel 0)") == 1
    assert str(caught.value).count("->") == 4


def test_the_reference_raises_the_same():
    ring, routing, packets = ring_in_deadlock()
    with pytest.raises(Deadlock):
        reference.route_packets(ring, routing, Router(vcs=1, vc_buffer=2), packets)


def test_a_deadlock_is_noticed_while_others_wait_for_nothing():
    ring, routing, packets = ring_in_deadlock()
    late = packets_of((0, 1, 1, 1 << 40))
    both = Packets(*(np.concatenate([getattr(packets, name), getattr(late, name)])
                     for name in ("source", "target", "size", "ctime")))  # fmt: skip
    with pytest.raises(Deadlock):
        route_packets(ring, routing, Router(vcs=1, vc_buffer=2), both)


def test_a_dateline_keeps_the_ring_going():
    ring, _, packets = ring_in_deadlock()
    arrivals = route_packets(ring, dimension_order(ring, vcs=2), Router(vcs=2, vc_buffer=2), packets, check=True)
    assert arrivals.hops.tolist() == [3, 3, 3, 3]


def test_a_packet_that_may_not_leave_its_terminal_is_a_deadlock():
    tree = Branches(*(np.array(column) for column in ([0], [-1, TERMINAL], [0, 1], [1, 2], [2, 2])))
    packets = packets_of((0, 0, 1, 0), multicast=np.array([True]))
    with pytest.raises(Deadlock, match="nothing moves"):
        route_packets(LINE, None, Router(), packets, tree)


# ---- what must hold in every cycle


def network_in_use(**router):
    """Arrays of a network, and its layout, in the middle of a run."""
    network = Network(mesh_topology((3, 3)), Router(**router), dimension_order(mesh_topology((3, 3))))
    arena, tables, packets = Arena(), Arena(np.int32), uniform(9, seed=1)
    n = add_packets(tables, add_network(arena, tables, network, packets), packet_records(packets, None))
    M, T = arena.build(), tables.build()
    run(M, T, n, 0, 150)
    check_invariants(M, T, n)
    return M, T, n


def lose_a_flit(M, T, n):
    slots = M[n.slots : n.slots + (n.depth * n.first_terminal)]
    slots[np.flatnonzero(slots >= 0)[0]] = ~0


def lose_a_count(M, T, n):
    counts = T[n.vc + layout.COUNT : n.vc + layout.VC * n.first_terminal : layout.VC]
    counts[np.flatnonzero(counts)[0]] -= 1


def lose_an_owner(M, T, n):
    states = T[n.vc + layout.STATE : n.vc + layout.VC * n.first_terminal : layout.VC]
    states[np.flatnonzero(states == layout.ACTIVE)[0]] = layout.IDLE


def lose_a_bid(M, T, n):
    routers = M[n.router : n.router + n.router_words * n.routers].reshape(n.routers, -1)
    bids = routers[:, layout.BIDS : layout.BIDS + n.ports]
    bids[tuple(np.argwhere(bids)[0])] = 0


def lose_an_event(M, T, n):
    counts = T[n.ring_count : n.ring_count + n.ring_mask + 1]
    counts[np.flatnonzero(counts)[0]] -= 1


def forget_a_router(M, T, n):
    M[n.busy_routers] = 0


def forget_a_source(M, T, n):
    M[n.busy_sources], M[n.counts + layout.BUSY_SOURCES] = 0, 0


@pytest.mark.parametrize("harm", [
    lose_a_flit, lose_a_count, lose_an_owner, lose_a_bid, lose_an_event, forget_a_router, forget_a_source,
])  # fmt: skip
def test_the_checks_notice_harm(harm):
    M, T, n = network_in_use()
    harm(M, T, n)
    with pytest.raises(AssertionError):
        check_invariants(M, T, n)


@pytest.mark.parametrize("router", [
    {}, {"vcs": 1, "vc_buffer": 2}, {"speculative": True, "vc_allocation_cycles": 3},
    {"routing_cycles": 2, "routing_in_batches": True, "credit_cycles": 2, "iterations": 2},
])  # fmt: skip
def test_every_flit_is_delivered_once_over_the_channels_of_its_way(router):
    topology, spec = mesh_topology((3, 2), latency=(1, 3), flit_cycles=(1, 2)), Router(**router)
    packets = uniform(6, seed=5)
    arrivals = route_packets(topology, dimension_order(topology, spec.vcs), spec, packets, check=True)
    distance = np.abs(topology.position[packets.source] - topology.position[packets.target]).sum(axis=1).astype(int)
    assert np.all(arrivals.atime > arrivals.itime)
    np.testing.assert_array_equal(arrivals.hops, distance + 1)
    assert arrivals.channel_flits.sum() == (distance * packets.size).sum()


# ---- what is refused


@pytest.mark.parametrize(("rows", "message"), [
    ([(0, 1, 1, 5), (0, 1, 1, 4)], "order of their times"),
    ([(0, 1, 1, -1)], "before cycle 0"),
    ([(0, 1, 0, 5)], "without flits"),
    ([(4, 1, 1, 0)], r"packets.source: there is no source 4.*allowed: 0 to 3"),
    ([(0, -1, 1, 0)], r"packets.target: there is no target -1.*allowed: 0 to 3"),
])  # fmt: skip
def test_packets_that_cannot_be_sent_are_refused(rows, message):
    with pytest.raises(InputError, match=message):
        route_packets(LINE, dimension_order(LINE), Router(), packets_of(*rows))


def test_a_run_has_fewer_packets_than_a_flit_can_name(monkeypatch):
    monkeypatch.setattr("pimsim.arch.noc.flit.replay.MOST_PACKETS", 2)
    with pytest.raises(InputError, match=r"3 packets.*at most 2"):
        route_packets(LINE, dimension_order(LINE), Router(), packets_of(*[(0, 1, 1, 0)] * 3))


def test_tables_and_trees_must_lead_on():
    packets, routing = packets_of((0, 3, 1, 0)), dimension_order(LINE)
    with pytest.raises(InputError, match="need routing tables"):
        route_packets(LINE, None, Router(), packets)
    entries = routing.next.copy()
    entries[0, 1, 3] = -1
    with pytest.raises(InputError, match=r"has no hop at router 1 towards router 3 in class 0"):
        route_packets(LINE, replace(routing, next=entries), Router(), packets)
    entries[0, 1, 3] = UP
    entries[0, 3, 1] = UP
    with pytest.raises(InputError, match=r"has no hop at router 3 towards router 1"):
        route_packets(LINE, replace(routing, next=entries), Router(), packets_of((3, 1, 1, 0)))
    tree = packets_of((1, 0, 1, 0), multicast=np.array([True]))
    with pytest.raises(InputError, match="need trees"):
        route_packets(LINE, routing, Router(), tree)
    with pytest.raises(InputError, match="the tree of packet 0 ends at router 1"):
        route_packets(LINE, None, Router(), tree, Branches(*(np.array([x]) for x in (0, -1, 15, 1, 1))))


def test_a_packet_that_branches_must_fit_in_a_buffer():
    fork = Branches(*(np.array(column) for column in (
        [0], [-1, UP, TERMINAL, TERMINAL], [15] * 4, [1, 3, 4, 4], [3, 4, 4, 4]
    )))  # fmt: skip
    packets = packets_of((1, 0, 9, 0), multicast=np.array([True]))
    with pytest.raises(InputError, match=r"packet 0 branches, but its 9 flits.*allowed: 9 and more"):
        route_packets(LINE, None, Router(), packets, fork)
    assert route_packets(LINE, None, Router(vc_buffer=9), packets, fork, check=True).hops.tolist() == [3]
