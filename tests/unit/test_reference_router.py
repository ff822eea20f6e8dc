"""The slow router network: cycles that can be counted by hand, and what must hold in every cycle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pimsim.config.network import Router
from pimsim.errors import InputError
from pimsim.network.packets import NEVER, Branches, Packets
from pimsim.network.routing import CLASS_SHIFT, Routing, dimension_order, minimal_adaptive
from pimsim.network.topology import mesh_topology
from pimsim.reference.router import Deadlock, RouterNetwork, route_packets
from pimsim.reference.router_allocators import Islip, Separable
from pimsim.reference.router_checks import Invariants
from pimsim.reference.router_routes import Routes

LINE = mesh_topology((4,))
ALL = 0b1111  #: all four virtual channels
UP, DOWN, TERMINAL = 0, 1, 2  #: ports of a line


def packets_of(*rows):
    """Rows (source, target, flits, ctime)."""
    return Packets(*(np.array(column, np.int64) for column in zip(*rows, strict=True)))


def run(rows, topology=LINE, routing=None, **router):
    spec = Router(**router)
    return route_packets(
        topology, routing or dimension_order(topology, spec.vcs), spec, packets_of(*rows), check=True
    )  # fmt: skip


def random_packets(terminals, seed, count=120, cycles=120, sizes=(1, 2, 5)):
    draw = np.random.default_rng(seed)
    return Packets(
        draw.integers(0, terminals, count), draw.integers(0, terminals, count), draw.choice(sizes, count),
        np.sort(draw.integers(0, cycles, count)),
    )  # fmt: skip


def assert_equal(one, other):
    for name in ("itime", "atime", "hops", "channel_flits"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


# ---- one packet alone


@pytest.mark.parametrize(
    ("router", "cycles_a_hop"),
    [
        ({}, 4),
        ({"routing_cycles": 0}, 3),
        ({"routing_cycles": 3}, 6),
        ({"routing_cycles": 3, "routing_in_batches": True}, 6),
        ({"vc_allocation_cycles": 3}, 6),
        ({"switch_allocation_cycles": 2}, 5),
        ({"traversal_cycles": 2}, 5),
        ({"speculative": True}, 3),
        ({"speculative": True, "vc_allocation_cycles": 3}, 5),
        ({"speculative": True, "switch_allocation_cycles": 3}, 5),
        ({"speculative": True, "vc_allocation_cycles": 2, "switch_allocation_cycles": 2}, 4),
        ({"credit_cycles": 3}, 4),
        ({"vc_allocator": "separable_input_first", "switch_allocator": "separable_output_first"}, 4),
    ],
)
def test_a_lone_packet_takes_the_pipeline_at_every_router(router, cycles_a_hop):
    assert Router(**router).pipeline_cycles == cycles_a_hop
    arrivals = run([(0, 3, 5, 10)], **router)
    links = 2 + 4 * 1  # a link of latency 1 takes two cycles from a terminal, and adds one to a router's pipeline
    assert arrivals.itime.tolist() == [10]
    assert arrivals.atime.tolist() == [10 + links + 4 * cycles_a_hop + 5 - 1]
    assert arrivals.hops.tolist() == [4]
    assert arrivals.cycles == arrivals.atime[0] + 1


def test_latencies_of_links_add_up():
    topology = mesh_topology((3, 2), latency=(3, 7))
    arrivals = run([(0, 5, 1, 0)], topology, inject_latency=4, eject_latency=6)
    assert arrivals.atime.tolist() == [(1 + 4) + 4 * 4 + 3 + 3 + 7 + 6]


def test_a_narrow_channel_takes_a_flit_every_so_many_cycles():
    arrivals = run([(0, 1, 5, 0)], mesh_topology((4,), flit_cycles=3))
    tail = 4 + 4 * 3  # granted at the first router
    assert arrivals.atime.tolist() == [tail + (1 + 1 + 1 + 2) + 3]  # to the next, where it need not wait any more


def test_a_terminal_reaches_itself_and_others_at_its_router():
    topology = mesh_topology((2,), concentration=2)
    arrivals = run([(0, 0, 1, 0), (2, 3, 1, 0)], topology)
    assert arrivals.atime.tolist() == [2 + 5, 2 + 5]
    assert arrivals.hops.tolist() == [1, 1]
    assert arrivals.channel_flits.sum() == 0


def test_a_short_buffer_waits_for_its_credits():
    for credit_cycles in (0, 4):
        arrivals = run([(0, 0, 3, 0)], vc_buffer=1, vcs=1, credit_cycles=credit_cycles)
        # The head is granted in 4.  The terminal's slot, taken by a grant in g, can be taken again in
        # g + st + 1 + L + 1 + L + credit_cycles; the source has long had its own slot back, in g + 2.
        loop = 5 + credit_cycles
        assert arrivals.atime.tolist() == [4 + 2 * loop + 3]


# ---- packets that meet


def test_the_next_packet_of_a_virtual_channel_is_routed_after_the_tail():
    arrivals = run([(0, 1, 2, 0), (0, 1, 1, 0)], vcs=1)
    # head granted in 4, tail in 5; the second packet, there since 4, is routed in 6 and granted in 8 instead of 6
    assert arrivals.itime.tolist() == [0, 2]
    assert arrivals.atime.tolist() == [2 + 10 + 1, 8 + 3 + 5]


def test_two_inputs_share_an_output_in_turn():
    arrivals = run([(0, 2, 3, 0), (1, 2, 3, 5)], vcs=2)
    # Both heads come to router 1 in 7 and take turns from 9 on: 9, 11, 13 and 10, 12, 14.  At router 2 the first head,
    # there in 12, is granted in 14, and then again they take turns at the terminal.
    assert sorted(arrivals.atime.tolist()) == [18 + 3, 19 + 3]
    assert arrivals.channel_flits[[LINE.channel_name(c) for c in range(6)].index("router 1 -> router 2")] == 6


def test_routing_in_batches_holds_the_next_heads():
    rows = [(0, 0, 1, 0), (0, 0, 1, 1)]
    pipelined = run(rows, routing_cycles=3)
    batches = run(rows, routing_cycles=3, routing_in_batches=True)
    assert (np.diff(pipelined.atime).tolist(), np.diff(batches.atime).tolist()) == ([1], [3])


def test_the_source_goes_round_its_virtual_channels():
    # on one virtual channel, routing begins when the packet before has been granted: 1 + 1 + 1 cycles
    rows = [(0, 0, 1, 0)] * 4
    assert np.diff(run(rows).atime).tolist() == [1, 1, 1]
    assert np.diff(run(rows, vcs=1).atime).tolist() == [3, 3, 3]


def test_a_run_can_end_before_the_packets_arrive():
    packets = packets_of((0, 3, 1, 0), (0, 3, 9, 3), (1, 1, 1, 90))
    arrivals = route_packets(LINE, dimension_order(LINE), Router(), packets, cycles=24)
    assert arrivals.cycles == 24
    assert arrivals.itime.tolist() == [0, 3, NEVER]
    assert arrivals.atime.tolist() == [22, NEVER, NEVER]
    assert arrivals.hops.tolist() == [4, NEVER, NEVER]


# ---- allocators


def test_islip_moves_pointers_only_in_the_first_iteration():
    everybody = {(source, output): 0 for source in range(3) for output in range(2)}
    allocator = Islip(3, 2, iterations=2)
    assert allocator.allocate(everybody) == {0: 0, 1: 1}  # both outputs grant input 0, output 1 then input 1
    assert (allocator.grant_pointer, allocator.accept_pointer) == ([1, 0], [1, 0, 0])
    assert allocator.allocate(everybody) == {1: 0, 0: 1}


def test_separable_allocators_choose_on_one_side_first():
    requests = {(0, 0): 0, (0, 1): 0, (1, 0): 0}
    first = Separable(2, 2, input_first=True)
    assert first.allocate(requests) == {0: 0}  # both inputs choose output 0
    assert (first.input_pointer, first.output_pointer) == ([1, 0], [1, 0])
    assert first.allocate(requests) == {0: 1, 1: 0}
    second = Separable(2, 2, input_first=False)
    assert second.allocate(requests) == {0: 0}  # both outputs choose input 0
    assert second.allocate({**requests, (1, 0): -1}) == {0: 1}  # the pointer says input 1, the priority says 0


# ---- routing


def test_classes_keep_packets_on_their_virtual_channels():
    # up in class 1 on channel 1, down in class 2 on channel 0; with these classes only
    entries = np.full((3, 4, 4), -1, np.int32)
    for here in range(4):
        for there in range(4):
            if here != there:
                up = there > here
                entries[:, here, there] = (UP | 1 << CLASS_SHIFT) if up else (DOWN | 2 << CLASS_SHIFT)
    routing = Routing("up and down", entries, np.array([0, 0b10, 0b01]))
    rows = [(0, 3, 5, 0), (0, 3, 5, 0)]
    alone, split = run(rows, vcs=2), run(rows, routing=routing, vcs=2)
    assert alone.atime[0] == split.atime[0]
    assert alone.atime[1] < split.atime[1]  # the second waits until the first has left channel 1
    with pytest.raises(InputError, match=r"no hop at router 0 towards router 3 in class 0"):
        run(rows, routing=replace(routing, next=np.full((1, 4, 4), -1)), vcs=2)


def test_adaptive_routing_takes_the_port_with_more_credits_and_the_lower_at_a_tie():
    topology = mesh_topology((2, 2))
    routing = minimal_adaptive(topology, dimension_order(topology))
    for count, up in ((1, 0), (2, 5)):  # flits that go y before x: those of the second packet
        arrivals = route_packets(topology, routing, Router(), packets_of(*[(0, 3, 5, 0)] * count), check=True)
        flits = dict(zip(map(topology.channel_name, range(8)), arrivals.channel_flits.tolist(), strict=True))
        assert flits["router (0, 0) -> router (1, 0)"] == 5
        assert flits["router (0, 0) -> router (0, 1)"] == up


def test_adaptive_routing_escapes_where_no_virtual_channel_is_free():
    topology = mesh_topology((2, 2), concentration=3)
    routing = minimal_adaptive(topology, dimension_order(topology, vcs=2))
    rows = [(0, 11, 8, 0), (1, 11, 8, 1), (2, 11, 8, 2)]
    arrivals = route_packets(topology, routing, Router(vcs=2), packets_of(*rows), check=True)
    flits = dict(zip(map(topology.channel_name, range(8)), arrivals.channel_flits.tolist(), strict=True))
    assert flits["router (0, 0) -> router (0, 1)"] == 8
    assert flits["router (0, 0) -> router (1, 0)"] == 16  # one adaptive, one on the escape: x before y
    assert flits["router (1, 0) -> router (1, 1)"] == 16


@pytest.mark.parametrize("seed", range(3))
def test_adaptive_with_one_choice_is_the_table(seed):
    topology = mesh_topology((3, 3))
    table = dimension_order(topology)
    ports = np.where(table.next[0] < 0, 0, np.int64(1) << np.maximum(table.next[0], 0))
    escape = np.where(table.next < 0, -1, table.next + (1 << CLASS_SHIFT))
    one = Routing("one choice", np.concatenate([escape, escape]), np.array([ALL, 0]), ports)
    packets = random_packets(9, seed)
    assert_equal(
        route_packets(topology, table, Router(), packets), route_packets(topology, one, Router(), packets, check=True)
    )  # fmt: skip


def test_a_ring_without_a_dateline_names_the_channels_of_its_deadlock():
    ring = mesh_topology((3,), wrap=True)
    entries = np.full((1, 3, 3), -1, np.int32)
    entries[0][~np.eye(3, dtype=bool)] = UP
    routing = Routing("always up", entries, np.array([1]))
    rows = [(terminal, (terminal + 2) % 3, 12, 0) for terminal in range(3)]
    with pytest.raises(Deadlock) as caught:
        run(rows, ring, routing, vcs=1, vc_buffer=2)
    for name in map(ring.channel_name, np.flatnonzero(ring.source_port == UP)):
        assert str(caught.value).count(name) == 1
    arrived = run(rows, ring, dimension_order(ring, vcs=2), vcs=2, vc_buffer=2)
    assert arrived.hops.tolist() == [2, 2, 2]


# ---- multicast

FORK = Branches(  # from terminal 1: up to 3, and on the way to 2; then down to 0
    root=np.array([0]),
    port=np.array([-1, UP, DOWN, TERMINAL, UP, TERMINAL, TERMINAL]),
    vcs=np.full(7, ALL),
    child_lo=np.array([1, 4, 3, 4, 6, 6, 7]),
    child_hi=np.array([3, 6, 4, 4, 7, 6, 7]),
)


def chain_trees(topology, routing, packets):
    """Each packet's path in the table, written as a tree without branches."""
    edges, roots = [], []
    for source, target in zip(packets.source, packets.target, strict=True):
        roots.append(len(edges))
        here, there = topology.terminal_router[source], topology.terminal_router[target]
        ports = [-1]
        while here != there:
            ports.append(int(routing.next[0, here, there]))
            here = topology.target[(topology.source == here) & (topology.source_port == ports[-1])][0]
        ports.append(int(topology.terminal_port[target]))
        first = len(edges)
        edges += [(port, first + i + 1, first + min(i + 2, len(ports))) for i, port in enumerate(ports)]
    port, lo, hi = np.array(edges).T
    trees = Branches(np.array(roots), port, np.full(port.size, ALL), lo, hi)
    return trees, replace(packets, target=np.arange(len(roots)), multicast=np.ones(len(roots), bool))


@pytest.mark.parametrize("router", [{}, {"speculative": True, "routing_cycles": 0}, {"switch_allocation_cycles": 2}])
def test_a_tree_without_branches_is_a_path(router):
    topology, spec = mesh_topology((3, 2)), Router(**router)
    routing, packets = dimension_order(topology), random_packets(6, seed=1, sizes=(1, 3, 11))
    trees, multicasts = chain_trees(topology, routing, packets)
    assert_equal(
        route_packets(topology, routing, spec, packets),
        route_packets(topology, None, spec, multicasts, trees, check=True),
    )


@pytest.mark.parametrize("flits", [1, 4])
def test_a_fork_serves_its_branches_one_after_another(flits):
    packets = Packets(np.array([1]), np.array([0]), np.array([flits]), np.array([0]), np.array([True]))
    arrivals = route_packets(LINE, None, Router(), packets, FORK, check=True)
    # At router 1, the head is granted in 4 towards router 2 and the tail in 4 + flits - 1; routing for the branch down
    # begins in the next cycle.  At router 2, where it arrived in 7, the branch up goes first, then the terminal's.
    down = (4 + flits) + 2 + flits - 1 + 3 + 5  # the tail's grant at router 1, to router 0, to its terminal
    up = 4 + flits - 1 + 3 + 5 + 5  # tail to router 3 and its terminal
    at_2 = 7 + 2 + flits + 2 + flits - 1 + 3  # second branch at router 2
    assert arrivals.atime.tolist() == [max(down, up, at_2)]
    assert arrivals.hops.tolist() == [6]
    assert arrivals.channel_flits.sum() == 3 * flits


def test_a_fork_frees_a_slot_when_its_last_branch_has_taken_the_flit():
    packets = Packets(np.array([1, 1]), np.array([0, 0]), np.array([4, 4]), np.array([0, 0]), np.array([True, True]))
    roomy = route_packets(LINE, None, Router(vcs=1, vc_buffer=16), packets, FORK, check=True)
    tight = route_packets(LINE, None, Router(vcs=1, vc_buffer=4), packets, FORK, check=True)
    # the first head is granted for the last branch in 4 + 4 + 2 = 10, and its slot is free for the source in 12
    assert roomy.itime.tolist() == [0, 4]
    assert tight.itime.tolist() == [0, 12]


def test_edges_keep_to_their_virtual_channels():
    one = replace(FORK, vcs=np.full(7, 0b1000))
    packets = Packets(np.array([1, 1]), np.array([0, 0]), np.array([2, 2]), np.array([0, 0]), np.array([True, True]))
    free = route_packets(LINE, None, Router(), packets, FORK, check=True)
    kept = route_packets(LINE, None, Router(), packets, one, check=True)
    assert free.atime[0] == kept.atime[0]
    assert free.atime[1] < kept.atime[1]


# ---- what must hold, and what is refused


@pytest.mark.parametrize("allocator", ["islip", "separable_input_first", "separable_output_first"])
@pytest.mark.parametrize("speculative", [False, True])
def test_nothing_is_lost_or_doubled(allocator, speculative):
    topology = mesh_topology((3, 2), latency=(1, 2), flit_cycles=(1, 2))
    spec = Router(
        vcs=3, vc_buffer=3, vc_allocator=allocator, switch_allocator=allocator, speculative=speculative, iterations=2,
        vc_allocation_cycles=2, switch_allocation_cycles=2, credit_cycles=1,
    )  # fmt: skip
    packets = random_packets(6, seed=5)
    arrivals = route_packets(topology, dimension_order(topology, spec.vcs), spec, packets, check=True)
    assert np.all(arrivals.atime > arrivals.itime)
    place = topology.position[topology.terminal_router]
    distance = np.abs(place[packets.source] - place[packets.target]).sum(axis=1).astype(int)
    np.testing.assert_array_equal(arrivals.hops, distance + 1)
    assert arrivals.channel_flits.sum() == (distance * packets.size).sum()


def network_in_use():
    routes = Routes(LINE, dimension_order(LINE), packets_of((0, 3, 6, 0)), None, 4)
    network = RouterNetwork(LINE, Router(), routes)
    for now in range(8):
        network.step(now)
    return network


def lose_a_credit(network):
    network.sources[0].sender.credits[0] -= 1


def lose_a_flit(network):
    network.routers[1].inputs[DOWN].flits.items.pop()
    network.routers[0].outputs[UP].credits[0] += 1  # so that the slots alone do not tell


def lose_an_owner(network):
    network.routers[0].outputs[UP].taken[0] = False


@pytest.mark.parametrize(
    ("harm", "message"), [(lose_a_credit, "slots"), (lose_a_flit, "lost a flit"), (lose_an_owner, "owners")]
)
def test_the_checks_notice_harm(harm, message):
    network = network_in_use()
    Invariants(network).check()
    harm(network)
    with pytest.raises(AssertionError, match=message):
        Invariants(network).check()


def test_what_cannot_be_sent_is_refused():
    tree = Packets(np.array([1]), np.array([0]), np.array([9]), np.array([0]), np.array([True]))
    with pytest.raises(InputError, match=r"router.vc_buffer: packet 0 branches, but its 9 flits.*allowed: 9 and more"):
        route_packets(LINE, None, Router(), tree, FORK)
    with pytest.raises(InputError, match="order of their times"):
        run([(0, 1, 1, 5), (0, 1, 1, 4)])
    with pytest.raises(InputError, match="without flits"):
        run([(0, 1, 0, 5)])
    with pytest.raises(InputError, match="need routing tables"):
        route_packets(LINE, None, Router(), packets_of((0, 1, 1, 0)))
    with pytest.raises(InputError, match="need trees"):
        route_packets(LINE, None, Router(), tree)
    with pytest.raises(InputError, match="edge 0 ends at a router"):
        short = Branches(*(np.array([x]) for x in (0, -1, ALL, 1, 1)))
        route_packets(LINE, None, Router(), replace(tree, size=np.array([1])), short)
