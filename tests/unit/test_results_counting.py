"""Counts follow from the Program alone; here they are worked out by hand, and compared with what the engine did."""

import numpy as np
import pytest

import pimsim
from pimsim.arch.run import run_compiled
from pimsim.config import load_system
from pimsim.mapping.compile import map_network
from pimsim.mapping.crossbars import crossbar_reads
from pimsim.results.counting import count_actions
from tests.networks import Network, vgg16
from tests.unit.results_runs import NETWORKS

ONE_VALUE_A_NS = (
    # one value (16 bits) takes exactly a ns on every port, so that busy time counts values
    "chip.tile.bus.wires=16",
    "chip.tile.bus.clock_ghz=1",
    "chip.tile.edram.width_bits=16",
    "chip.tile.edram.clock_ghz=1",
    "chip.noc.clock_ghz=1",
    "chip.tile.sigmoid.count=1",
    "chip.tile.sigmoid.clock_ghz=1",
    "chip.tile.maxpool.clock_ghz=1",
    "chip.tile.shift_add.clock_ghz=1",
    "chip.tile.vector.clock_ghz=1",
)


def one_layer(*overrides: str) -> dict[str, int]:
    """One 3x3 convolution, 8 to 16 channels, on 4x4 positions: 72 rows x 128 columns of one crossbar."""
    net = Network()
    net.conv(net.input(4, 4, 8), 16)
    system = load_system("isaac-ce", ["mapping.replication=none", *overrides])
    counts = count_actions(map_network(net.finish(), system))
    return {action: int(count[1]) for action, count in counts.items()} | {"from_host": counts["flit_mesh"][0]}


def test_the_counts_of_one_layer_are_those_worked_out_by_hand() -> None:
    counts = one_layer()
    windows, reads = 16, 16
    assert counts["crossbar_read"] == windows * reads
    assert counts["dac_drive"] == windows * reads * 72
    assert counts["conversion"] == counts["sample_hold"] == counts["ima_shift_add"] == windows * reads * 128
    assert counts["input_register_bit"] == windows * 72 * 16
    assert counts["output_register_bit"] == counts["tile_output_register_bit"] == windows * 16 * 16
    assert counts["bus_bit"] == windows * (72 + 16) * 16
    assert counts["edram_bit"] == windows * (72 + 16) * 16  # read, and the result written where it was made
    assert counts["sigmoid_value"] == windows * 16
    assert counts["packet"] == counts["router_flit_hop"] == counts["dram_bit"] == 0


def test_packets_from_the_host_pass_three_routers_and_leave_by_a_fourth() -> None:
    net = Network()
    net.conv(net.input(4, 4, 8), 16)
    counts = count_actions(map_network(net.finish(), load_system("isaac-ce", ["mapping.replication=none"])))
    flits = 16 * (1 + 8 * 16 // 32)  # a header, and 8 values of 16 bits in flits of 32
    assert counts["packet"][0] == 16
    assert counts["flit_mesh"][0] == 3 * flits  # routers (3, 0) to (0, 0)
    assert counts["flit_eject"][0] == flits
    assert counts["router_flit_hop"][0] == 4 * flits
    assert counts["host_byte"][0] == 16 * 8 * 2


def test_fewer_wordlines_read_more_often_but_drive_each_row_once_a_bit() -> None:
    counts = one_layer("chip.tile.ima.crossbar.active_wordlines=16")
    assert counts["crossbar_read"] == 16 * 16 * 5  # 72 rows in groups of 16
    assert counts["dac_drive"] == 16 * 16 * 72


def test_bits_a_dac_drives_at_once_divide_the_reads() -> None:
    system = load_system("isaac-ce", ["mapping.input_bits=7"])
    net = Network()
    net.conv(net.input(4, 4, 8), 16)
    tiling = map_network(net.finish(), system).layers[1].tiling
    assert tiling is not None
    assert crossbar_reads(tiling, system).tolist() == [7]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("noc", ["packet", "ideal"])
def test_counts_equal_what_the_engine_did(network: str, noc: str) -> None:
    overrides = [*ONE_VALUE_A_NS, "chip.noc.multicast=unicast"] if network == "joined" else [*ONE_VALUE_A_NS]
    program = map_network(NETWORKS[network](), load_system("isaac-ce", overrides), noc)
    counts = {action: int(count.sum()) for action, count in count_actions(program).items()}
    timing = run_compiled(program, batch=2)
    busy_ns = {kind: int(ports.busy_ps.sum()) // 1000 for kind, ports in timing.ports.items()}
    assert busy_ns["bus"] * 16 == 2 * counts["bus_bit"]
    assert busy_ns["edram"] * 16 == 2 * counts["edram_bit"]
    assert busy_ns["sigmoid"] == 2 * counts["sigmoid_value"]
    assert busy_ns["maxpool"] == 2 * counts["maxpool_value"]
    assert busy_ns["shift_add"] == 2 * counts["tile_shift_add_value"]
    assert busy_ns["vector"] == 2 * counts["vector_value"]
    if noc == "packet":
        assert busy_ns["link"] == 2 * sum(counts[f"flit_{kind}"] for kind in ("inject", "mesh", "eject"))


def test_the_network_of_distances_counts_the_same_hops_as_unicast() -> None:
    system = load_system("isaac-ce", ["chip.noc.multicast=unicast"])
    packet = count_actions(map_network(NETWORKS["joined"](), system, "packet"))
    ideal = count_actions(map_network(NETWORKS["joined"](), system, "ideal"))
    for kind in ("mesh", "eject"):  # copies leave a tile one by one over the same link
        assert np.array_equal(packet[f"flit_{kind}"], ideal[f"flit_{kind}"])


def test_links_that_cost_no_time_are_paid_for_along_the_same_trees() -> None:
    for name in NETWORKS:
        packet, ideal = (map_network(NETWORKS[name](), load_system("isaac-ce"), noc) for noc in ("packet", "ideal"))
        for action, count in count_actions(packet).items():
            assert np.array_equal(count, count_actions(ideal)[action]), action


def test_chips_that_only_pass_packets_on_are_used_whatever_the_network() -> None:
    system = load_system("isaac-ce-16")
    used = [pimsim.simulate(vgg16(32), system, noc=noc).usage.chips_used for noc in ("packet", "ideal")]
    assert used[0] == used[1] > 1


def test_traffic_between_chips_is_counted_in_bytes() -> None:
    program = map_network(vgg16(32), load_system("isaac-ce-16"))
    counts = count_actions(program)
    assert counts["link_byte"].sum() == counts["flit_chip"].sum() * 4 > 0
    timing = run_compiled(program)
    kinds = program.fabric.link_kinds()
    assert (timing.ports["link"].busy_ps[kinds == 3].sum() > 0) == bool(counts["link_byte"].sum())


def test_inputs_that_do_not_fit_are_counted_as_dram_traffic() -> None:
    overrides = ["chip.tile.edram.kib=1", "mapping.spill=dram", "mapping.replication=none"]
    net = Network()
    net.conv(net.input(32, 32, 16), 16)
    counts = count_actions(map_network(net.finish(), load_system("isaac-ce", overrides)))
    assert counts["dram_bit"].sum() >= 2 * 32 * 32 * 16 * 16  # written once and read at least once
