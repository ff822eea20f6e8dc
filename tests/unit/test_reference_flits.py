"""The reference of a chip's flit-level network: cycles that can be counted by hand, and what must hold in all."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.config.loading import load_system
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.mapping.timing import Standstill
from pimsim.network.fabric import CHIP, HOST, INJECT
from pimsim.network.trees import build_trees
from pimsim.reference import packets, run_simpy
from pimsim.reference.durations import Durations
from pimsim.reference.flits import Clock, FlitNetwork, cut_message
from pimsim.reference.ports import Ports
from pimsim.reference.router_checks import Invariants
from pimsim.reference.router_trees import RouterTrees
from pimsim.reference.turns import Kind, Turns
from pimsim.units import cycles_to_ps
from tests.networks import Network

LINE = ["chip.tiles=4", "chip.noc.concentration=1", "chip.noc.topology.shape=[4]", "chip.noc.io_router=0",
        "chip.noc.clock_ghz=1.0"]  # fmt: skip
CYCLE = 1000  #: [ps] of a line
ALONE = 2 + 5  #: cycles from a terminal to another at its router, of one flit


def program_of(*rows: tuple[int, list[int], int], overrides: list[str], chips: int = 1) -> Program:
    """One tree for each (source, targets, flits)."""
    system = load_system("isaac-ce", [*LINE, f"chips={chips}", *overrides])
    net = Network()
    net.conv(net.input(1, 1, 1), 1, kernel=1)
    base = map_network(net.finish(), system, "packet")  # which allows routers whose packets wait for each other
    sources, targets, flits = zip(*rows, strict=True)
    first = np.cumsum([0, *map(len, targets)])
    trees = build_trees(base.fabric, np.array(sources), first, np.concatenate(targets), system.chip.noc.multicast)
    return replace(base, network="flit", trees=trees, tree_flits=np.array(flits))


@dataclass
class Run:
    """What came of messages."""

    deliveries: list[tuple[int, int, int]]  #: (message, leaf, time), in order
    ports: Ports
    network: FlitNetwork | packets.Network

    def times(self, message: int = 0) -> dict[int, int]:
        """By leaf."""
        return {leaf: time for m, leaf, time in self.deliveries if m == message}


def run(program: Program, *sent: tuple[int, int], kind=FlitNetwork) -> Run:
    """Send messages (tree, at), all told at time 0; the routers are checked in every cycle."""
    env = Turns(program)
    ports = Ports(env, program)
    network = kind(env, program, ports, Durations(program))
    deliveries: list[tuple[int, int, int]] = []
    for chip in getattr(network, "chips", []):
        check_every_cycle(chip.routers)
    for message, (tree, at) in enumerate(sent):
        network.send(tree, at, lambda leaf, message=message: deliveries.append((message, leaf, env.now)))
    env.run()
    if isinstance(network, FlitNetwork):
        network.note_counts()
        assert all(chip.routers.idle for chip in network.chips)
    return Run(deliveries, ports, network)


def check_every_cycle(routers) -> None:
    step, invariants = routers.step, Invariants(routers)

    def checked(now):
        tails = step(now)
        invariants.check()
        return tails

    routers.step = checked


# ---- one message alone


@pytest.mark.parametrize("at", [0, 1, 833, 834, 2499, 2500, 123_457])
@pytest.mark.parametrize(("target", "flits"), [(1, 1), (3, 1), (3, 8)])
def test_a_lone_message_takes_the_pipeline_at_every_router(at, target, flits):
    clock = 1.2
    program = program_of((0, [target], flits), overrides=[f"chip.noc.clock_ghz={clock}"])
    first = next(c for c in range(1000) if cycles_to_ps(c, clock) >= at)
    end = first + 2 + 5 * (target + 1) + flits - 1
    assert run(program, (0, at)).deliveries == [(0, 0, cycles_to_ps(end, clock))]


def test_what_stays_in_its_tile_needs_no_network():
    program = program_of((2, [2], 5), overrides=[])
    result = run(program, (0, 77))
    assert result.deliveries == [(0, 0, 77)]
    assert sum(port.count for port in result.ports.link) == 0


def test_a_long_message_goes_in_packets_with_headers_of_their_own():
    assert cut_message(9, longest=4, header=1) == [4, 4, 3]
    assert cut_message(10, longest=4, header=1) == [4, 4, 4]
    assert cut_message(1, longest=4, header=1) == [1]
    assert cut_message(0, longest=4, header=0) == [1]
    assert cut_message(5, longest=1, header=0) == [1] * 5
    program = program_of((0, [2], 9), overrides=["chip.noc.packet_flits=4"])
    result = run(program, (0, 0))
    assert result.times() == {0: (2 + 5 * 3 + 11 - 1) * CYCLE}
    assert sorted({port.count for port in result.ports.link}) == [0, 11]


def test_packets_of_one_virtual_channel_wait_for_each_other():
    program = program_of((0, [1], 9), overrides=["chip.noc.packet_flits=4", "chip.noc.router.vcs=1"])
    # Heads at router 0 in 2, 6 and 10; the second is routed when the tail before it has been granted, in 4 + 3, so it
    # is granted in 10, four flits later the third, in 16, whose tail is granted in 18.
    assert run(program, (0, 0)).times() == {0: (18 + 3 + 2 + 3) * CYCLE}


@settings(deadline=None, derandomize=True, max_examples=25, database=None)
@given(
    source=st.integers(0, 3), target=st.integers(0, 3), flits=st.integers(1, 20), buffer=st.integers(1, 9),
    vcs=st.integers(1, 3), longest=st.integers(1, 3),
)  # fmt: skip
def test_a_lone_message_is_never_earlier_than_over_unlimited_buffers(source, target, flits, buffer, vcs, longest):
    program = program_of(
        (source, [target], flits),
        overrides=[f"chip.noc.router.vc_buffer={buffer}", f"chip.noc.router.vcs={vcs}", "chip.noc.header_flits=0",
                   f"chip.noc.packet_flits={longest * 4}"],
    )  # fmt: skip
    at = 12 * CYCLE
    flit, packet = run(program, (0, at)), run(program, (0, at), kind=packets.Network)
    assert flit.times()[0] >= packet.times()[0]
    if buffer >= 5 and flits <= longest * 4:
        assert flit.times() == packet.times()


@pytest.mark.parametrize("clock_ghz", [1.2, 1.0, 0.7, 3.3, 2.0, 4000.0])
def test_the_first_cycle_at_or_after_a_time(clock_ghz):
    clock = Clock(clock_ghz)
    for time in [*range(60), *range(10**9, 10**9 + 60)]:
        cycle = clock.first_cycle(time)
        assert clock.time(cycle) >= time
        assert cycle == 0 or clock.time(cycle - 1) < time


def test_cycles_without_packets_change_nothing():
    program = program_of((0, [3], 20), (1, [3], 20), overrides=[])
    once = run(program, (0, 0), (1, 500))
    later = run(program, (0, 0), (1, 500), (0, 10**8), (1, 10**8 + 500))
    shifted = [(m + 2, leaf, time + 10**8) for m, leaf, time in once.deliveries]
    assert later.deliveries == [*once.deliveries, *shifted]


# ---- messages that meet


def test_a_cycle_comes_after_everything_else_at_its_time():
    program = program_of((0, [1], 1), overrides=[])
    env = Turns(program)
    network = FlitNetwork(env, program, Ports(env, program), Durations(program))
    got = []

    def sender():
        for cycle in (5, 6):
            yield env.turn(Kind.ARRIVED, 0, cycle * CYCLE)
            network.send(0, env.now, lambda leaf: got.append(env.now))

    env.process(sender())
    env.run()
    assert got == [(cycle + ALONE + 5) * CYCLE for cycle in (5, 6)]


def test_an_arrival_has_its_turn_among_everything_else_at_its_time():
    program = program_of((0, [1], 1), overrides=[])
    env = Turns(program)
    network = FlitNetwork(env, program, Ports(env, program), Durations(program))
    got = []

    def note(kind):
        yield env.turn(kind, 0, (ALONE + 5) * CYCLE)
        got.append(kind)

    for kind in (Kind.ARRIVED, Kind.HOP, Kind.CYCLE):
        env.process(note(kind))
    network.send(0, 0, lambda leaf: got.append(Kind.DELIVER))
    env.run()
    assert got == [Kind.HOP, Kind.DELIVER, Kind.ARRIVED, Kind.CYCLE]


def test_messages_join_a_queue_in_the_order_of_time_then_tree():
    program = program_of((0, [1], 4), (0, [2], 4), (0, [3], 4), overrides=[])
    result = run(program, (2, 900), (1, 900), (0, 950))  # all in cycle 1
    alone = {message: (1 + 2 + 5 * hops + 3) * CYCLE for message, hops in ((0, 4), (1, 3), (2, 2))}
    place = {1: 0, 0: 1, 2: 2}
    assert {m: time for m, _, time in result.deliveries} == {m: alone[m] + 4 * place[m] * CYCLE for m in alone}


CROWDED = [(0, [3], 8), (0, [3], 1), (1, [3], 16)]
"""The third message takes half of the channel from router 1 to router 2.  The first waits there, and the second, which
is shorter and takes another virtual channel, arrives before it."""


def test_messages_of_different_roots_can_overtake_each_other():
    result = run(program_of(*CROWDED, overrides=[]), (0, 0), (1, 0), (2, 5 * CYCLE))
    assert [message for message, _, _ in result.deliveries] == [1, 0, 2]


def test_messages_of_a_root_are_handed_over_in_the_order_of_sending():
    program = program_of(*CROWDED, overrides=[])
    apart = run(program, (0, 0), (1, 0), (2, 5 * CYCLE))
    env = Turns(program)
    network = FlitNetwork(env, program, Ports(env, program), Durations(program))
    got = []
    network.send(0, 0, lambda leaf: got.append(("long", env.now)))
    network.packets[0] = [1]  # no message of a program is shorter than others over its tree, but their packets may be
    network.send(0, 0, lambda leaf: got.append(("short", env.now)))
    network.send(2, 5 * CYCLE, lambda leaf: None)
    env.run()
    assert got == [("long", apart.times(0)[0]), ("short", apart.times(0)[0])]


# ---- several targets


def test_a_packet_that_branches_serves_its_branches_one_after_another():
    program = program_of((1, [0, 3], 4), overrides=[])
    # Granted at router 1 in 4..7 for the branch to the left, which is the first of the tree; routing for the other
    # begins in 8, and its tail is granted in 13.
    assert run(program, (0, 0)).times() == {0: (7 + 3 + 5) * CYCLE, 1: (13 + 3 + 5 + 5) * CYCLE}


def test_unicasts_leave_one_after_another():
    program = program_of((1, [0, 3], 4), overrides=["chip.noc.multicast=unicast"])
    result = run(program, (0, 0))
    assert result.times() == {0: (2 + 10 + 3) * CYCLE, 1: (4 + 2 + 15 + 3) * CYCLE}
    assert result.ports.link[1].count == 8  # tile 1 to its router


def test_a_tree_may_begin_in_its_own_tile():
    program = program_of((1, [1, 2], 1), overrides=[])
    assert run(program, (0, 300)).times() == {0: 300, 1: (1 + 2 + 10) * CYCLE}


@pytest.mark.parametrize(("multicast", "second"), [("tree", 4 + 2 + 2 + 2 + 1), ("unicast", 2)])
def test_the_host_sends_from_a_gateway_at_the_io_router(multicast, second):
    program = program_of((HOST, [0, 2], 2), overrides=[f"chip.noc.multicast={multicast}", "chip.noc.io_router=1"])
    result = run(program, (0, 0))
    if multicast == "tree":  # branches: to router 0, then to router 2; the second is granted two cycles after the first
        assert result.times() == {0: (2 + 10 + 1) * CYCLE, 1: (4 + 1 + 1 + 2 + 1 + 3 + 5) * CYCLE}
    else:
        assert result.times() == {0: (2 + 10 + 1) * CYCLE, 1: (second + 2 + 10 + 1) * CYCLE}
    kinds = program.fabric.link_kinds()
    assert sum(port.count for port, kind in zip(result.ports.link, kinds, strict=True) if kind == INJECT) == 0


def test_channels_keep_to_the_lower_half_until_all_have_wrapped():
    ring = ["chip.noc.topology.kind=torus", "chip.noc.router.vcs=4"]
    program = program_of((2, [0, 3], 1), (2, [3], 1), overrides=ring)  # 2 -> 3, and over the end of the ring to 0
    trees, link = RouterTrees(program), program.trees.link
    branches, fabric = trees.branches(), program.fabric
    used = [
        (fabric.link_name(link[edge]), int(branches.vcs[edge]))
        for edge in range(link.size)
        if fabric.channel_of(link[edge]) is not None
    ]
    assert used == [
        ("chip 0: router 2 to 3", 0b0011), ("chip 0: router 3 to 0", 0b0011), ("chip 0: router 2 to 3", 0b1100),
    ]  # fmt: skip
    assert branches.vcs[branches.root[0]] == 0b1111


# ---- several chips


def test_a_link_between_chips_takes_the_whole_message():
    program = program_of((2, [5], 10), overrides=["chip.noc.packet_flits=6"], chips=2)
    hold, head = link_times(program, 10)
    flits = 6 + 5  # two packets
    at_link = (2 + 5 * 3 + flits - 1) * CYCLE  # routers 2, 1, 0
    onward = -(-(at_link + head) // CYCLE)
    result = run(program, (0, 0))
    assert result.times() == {0: (onward + 2 + 5 * 2 + flits - 1) * CYCLE}
    east = result.ports.link[program.fabric.first_chip_link]
    assert (east.count, east.busy_ps, east.wait_ps) == (1, hold, 0)


def test_messages_ask_for_a_link_between_chips_one_after_another():
    program = program_of((0, [4], 1), (0, [5], 1), overrides=["chip.links.gb_per_s=0.3"], chips=2)
    hold, head = link_times(program, 1)
    assert hold > CYCLE
    result = run(program, (1, 0), (0, 1000))  # one cycle apart, and the link is held for longer
    onward = [-(-(ALONE * CYCLE + n * hold + head) // CYCLE) for n in (0, 1)]
    assert result.times(0) == {1: (onward[0] + ALONE + 5) * CYCLE}
    assert result.times(1) == {0: (onward[1] + ALONE) * CYCLE}
    assert result.ports.link[program.fabric.first_chip_link].wait_ps == hold - CYCLE


def link_times(program: Program, flits: int) -> tuple[int, int]:
    durations, link = Durations(program), program.fabric.first_chip_link
    assert program.fabric.link_kinds()[link] == CHIP
    return durations.hold(link, flits), durations.head(link, flits)


# ---- what must hold in all


@pytest.mark.parametrize("multicast", ["tree", "unicast"])
@pytest.mark.parametrize("topology", [
    ["chip.noc.topology.shape=[2,2]"],
    ["chip.noc.topology.kind=torus", "chip.noc.topology.shape=[4,1]", "chip.noc.router.vcs=2"],
    ["chip.noc.topology.shape=[2,1,2]", "chip.noc.routing={kind: up_down, root: 3}", "chip.noc.router.vcs=1"],
    ["chip.noc.topology.shape=[2,2]", "chip.noc.routing={kind: minimal_adaptive}", "chip.noc.router.speculative=true"],
])  # fmt: skip
def test_every_flit_arrives_once(multicast, topology):
    """Random messages among three chips: links carry what the trees say, leaves get each message once, in order."""
    draw = np.random.default_rng(7)
    rows = [
        (source, sorted(draw.choice(12, draw.integers(1, 6), replace=False).tolist()), int(draw.integers(1, 20)))
        for source in [HOST, *draw.integers(0, 12, 14).tolist()]
    ]
    program = program_of(
        *rows, chips=3,
        overrides=["chip_graph.kind=ring", f"chip.noc.multicast={multicast}", "chip.noc.packet_flits=5",
                   "chip.noc.router.vc_buffer=5", *topology],
    )  # fmt: skip
    trees, times = draw.integers(0, 15, 60).tolist(), draw.integers(0, 400_000, 60).tolist()
    sent = list(zip(trees, times, strict=True))
    result = run(program, *sent)
    first = np.cumsum([0, *(len(targets) for _, targets, _ in rows)])
    expected = {(m, leaf) for m, (tree, _) in enumerate(sent) for leaf in range(first[tree], first[tree + 1])}
    assert {(m, leaf) for m, leaf, _ in result.deliveries} == expected
    assert len(result.deliveries) == len(expected)
    for leaf in range(first[-1]):
        times = [sent[m][1] for m, at, _ in result.deliveries if at == leaf]
        assert times == sorted(times)
    np.testing.assert_array_equal([port.count for port in result.ports.link], carried(program, sent))


def carried(program: Program, sent: list[tuple[int, int]]) -> np.ndarray:
    """(n_links,) flits, or messages on links between chips, as the trees say."""
    trees, fabric = program.trees, program.fabric
    kinds, total = fabric.link_kinds(), np.zeros(fabric.n_links, np.int64)
    for tree, _ in sent:
        flits = sum(cut_message(int(program.tree_flits[tree]), 5, 1))
        link = trees.link[trees.first[tree] : trees.first[tree + 1]]
        np.add.at(total, link[link >= 0], np.where(kinds[link[link >= 0]] == CHIP, 1, flits))
    return total


def test_a_whole_program_takes_longer_than_over_unlimited_buffers():
    net = Network()
    net.fc(net.conv(net.conv(net.input(4, 4, 8), 120), 120), 10)
    system = load_system("isaac-ce", [*LINE, "chips=3", "chip.tile.imas=3", "mapping.replication=none"])
    flit, packet = (run_simpy(map_network(net.finish(), system, kind), 2, log=True) for kind in ("flit", "packet"))
    assert np.all(flit.image_done_ps >= packet.image_done_ps)
    between = map_network(net.finish(), system, "flit").fabric.link_kinds() == CHIP
    for field in ("count", "busy_ps"):
        flits, messages = getattr(flit.ports["link"], field)[between], getattr(packet.ports["link"], field)[between]
        assert messages.any()
        np.testing.assert_array_equal(flits, messages)
    assert not flit.ports["link"].wait_ps[~between].any()


def test_a_deadlock_is_a_standstill_that_names_its_channels():
    ring = ["chip.tiles=5", "chip.noc.topology={kind: torus, shape: [5]}", "chip.noc.router.vcs=1",
            "chip.noc.routing={kind: dimension_order, dateline: false}", "chip.noc.packet_flits=20"]  # fmt: skip
    program = program_of(*((tile, [(tile + 2) % 5], 20) for tile in range(5)), overrides=ring)
    circle = r"router 4 -> router 0, router 0 -> router 1, .*, router 3 -> router 4, and again"
    with pytest.raises(Standstill, match=rf"standstill after \d+ ps: network of chip 0: deadlock since.*{circle}"):
        run(program, *((tree, 0) for tree in range(5)))
    run(program, *((tree, tree * 100 * CYCLE) for tree in range(5)))  # one after another they pass
