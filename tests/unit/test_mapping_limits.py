"""Keys that cannot work say so; what is not modelled is named; tight eDRAM takes fewer copies before it gives up."""

from __future__ import annotations

import pytest

from pimsim.config import load_system
from pimsim.errors import InputError
from pimsim.mapping.cautions import adc_bits_needed, cautions
from pimsim.mapping.compile import map_network
from tests.networks import Network


def conv(size: int = 6, outputs: int = 8) -> Network:
    net = Network()
    net.conv(net.input(size, size, 8), outputs)
    return net


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["mapping.weight_bits=64", "chip.tile.ima.crossbar.cell_bits=1", "chip.tile.ima.crossbar.columns=32",
          "chip.tile.ima.adc.columns=32"], "64-bit weight of layer 'conv1' takes 64 cells"),
        (["mapping.layer_replication.conv1=37"], "37 copies of a layer of 36 windows"),
        (["chips=9", "chip.links.count=1"], "1 links a chip do not join 9 chips in a mesh; it takes 4"),
        (["mapping.replication=none", "mapping.interval_windows=4"], "belongs to replication: balanced"),
        (["chip_graph.kind=ring", "chip_graph.columns=2"], "columns belong to kind: mesh"),
        (["pipeline.slot_ns=0.0001"], "slot_ns must be at least 0.001"),
        (["pipeline.stages.0.occupancy=values"], "occupancy of input_read must be bits"),
        (["pipeline.stages.0.resource=[adc]"], "resource of input_read may be edram, bus"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_one_line(keys, message):
    with pytest.raises(InputError, match=message):
        map_network(conv().finish(), load_system("isaac-ce", keys))


def test_a_recurrent_layer_cannot_be_copied():
    net = Network()
    net.recurrent(net.input(4, 1, 8), 8)
    with pytest.raises(InputError, match="its steps follow each other"):
        map_network(net.finish(), load_system("isaac-ce", ["mapping.layer_replication.lstm1=2"]))


def test_isaac_needs_no_caution():
    system = load_system("isaac-ce")
    assert adc_bits_needed(system) == 8  # nine bits, one less with the flip encoding
    assert cautions(system) == []


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("chip.tile.ima.adc.bits=6", "narrower than the 8 bits"),
        ("chip.tile.ima.input_register.bytes=1024", "input_register holds 1,024 bytes, a full vector takes 2,048"),
        ("chip.tile.ima.output_register.bytes=1", "ima.output_register holds 1 bytes"),
        ("chip.tile.output_register.bytes=1024", "tile.output_register holds 1,024 bytes"),
    ],
)
def test_a_part_that_is_too_small_is_named_in_the_result(key, words):
    program = map_network(conv().finish(), load_system("isaac-ce", [key]))
    assert any(words in note for note in program.notes)


def test_less_edram_means_fewer_copies_before_it_is_an_error():
    net = Network()
    x = net.input(12, 12, 16)
    for _ in range(6):
        x = net.add(x, net.conv(net.conv(x, 16), 16))
    system = ["chip.tile.edram.kib=2", "chips=1", "chip.tiles=40"]
    program = map_network(net.finish(), load_system("isaac-ce", system))
    assert max(layer.replicas for layer in program.layers) >= 1
    assert (program.edram_bytes <= 2048).all()


def test_what_no_tile_can_hold_is_an_error_also_where_chips_are_free():
    net = Network()
    net.pool(net.conv(net.input(40, 40, 1), 1, kernel=1), kernel=40, stride=1)
    with pytest.raises(InputError, match="layer 'pool2' alone takes 3,200 bytes"):
        map_network(net.finish(), load_system("isaac-ce", ["chips=auto", "chip.tile.edram.kib=1"]))


def test_links_are_priced_along_the_tree_also_where_they_cost_no_time():
    net = Network()
    net.conv(net.input(6, 6, 8), 40)
    system = load_system("isaac-ce", ["chip.tile.imas=1", "mapping.interval_windows=9"])
    ideal, packet = (map_network(net.finish(), system, network) for network in ("ideal", "packet"))
    assert (ideal.priced_trees.link == packet.trees.link).all()
    assert (ideal.trees.link == -1).all()
