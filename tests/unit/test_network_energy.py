"""Energy of flits, part by part; where the parts are not given, a router's power stands for all."""

from __future__ import annotations

import numpy as np
import pytest

import pimsim
from pimsim.config import load_network, load_system
from pimsim.errors import InputError
from pimsim.network.topology import build_topology
from pimsim.results.counting import count_actions
from pimsim.simulation import map_workload
from pimsim.technology import action_costs
from pimsim.technology.network_energy import FlitCounts, flit_energy, flit_hop_pj
from tests.unit.results_runs import joined

PARTS = (
    "chip.noc.energy={buffer_write_pj_per_bit: 0.25, buffer_read_pj_per_bit: 0.5, crossbar_pj_per_bit: 1, "
    "arbitration_pj_per_flit: 3, link_pj_per_bit_mm: 0.125, tsv_pj_per_bit: 2, source: worked out by hand}"
)
TIERS = "chip.noc.topology={kind: mesh, shape: [7, 3, 2], links: [{length_mm: 2}, {}, {vertical: true}]}"


def test_a_flit_is_written_read_arbitrated_for_and_switched():
    energy = load_system("isaac-ce", [PARTS]).chip.noc.energy
    assert flit_hop_pj(energy, 32) == 32 * (0.25 + 0.5 + 1) + 3
    counts = FlitCounts(buffer_writes=5, buffer_reads=6, crossbar_passages=7, channel_flits=np.array([1, 2, 3]))
    spent = flit_energy(energy, 32, counts, np.array([1.0, 2.0, 9.0]), np.array([False, False, True]))
    assert spent.buffers_pj == 32 * (5 * 0.25 + 6 * 0.5)
    assert (spent.crossbars_pj, spent.arbitration_pj) == (32 * 7, 7 * 3)
    assert (spent.links_pj, spent.tsvs_pj) == (32 * 0.125 * (1 + 2 * 2), 32 * 2 * 3)
    assert spent.total_pj == spent.buffers_pj + spent.crossbars_pj + 21 + spent.links_pj + spent.tsvs_pj
    with pytest.raises(InputError, match="3 counts for 1 channels"):
        flit_energy(energy, 32, counts, np.ones(1), np.zeros(1, bool))


def test_the_parts_take_the_place_of_the_routers_power():
    table, parts = (action_costs(load_system("isaac-ce", keys)) for keys in ([], [PARTS]))
    assert (table.router_flit_hop_pj, table.channel_bit_um_pj, table.tsv_bit_pj) == (pytest.approx(4.375), 0, 0)
    assert (parts.router_flit_hop_pj, parts.channel_bit_um_pj, parts.tsv_bit_pj) == (59, 0.125 / 1000, 2)


def test_channels_are_counted_by_length_and_vertical_ones_by_number():
    program = map_workload(joined(), "isaac-ce", overrides=[TIERS, "chip.noc.io_router=[0, 0, 1]"])
    counts = {name: int(count.sum()) for name, count in count_actions(program).items()}
    fabric, trees = program.fabric, program.priced_trees
    flits = np.repeat(program.tree_flits * np.diff(program.message_first), np.diff(trees.first))
    bits_um = tsv_bits = 0
    for link, n in zip(trees.link.tolist(), flits.tolist(), strict=True):
        if link >= 0 and (at := fabric.channel_of(link)) is not None:
            dimension = fabric.topology.dimension[at[1]]
            bits_um += (2000, 1000, 0)[dimension] * 32 * n
            tsv_bits += 32 * n * (dimension == 2)
    assert counts["channel_bit_um"] == bits_um > 0
    assert counts["tsv_bit"] == tsv_bits > 0


def test_a_result_is_priced_by_the_parts():
    run = pimsim.simulate(joined(), load_system("isaac-ce", [PARTS, TIERS, "chip.noc.io_router=[0, 0, 1]"]))
    counts = {name: sum(layer.counts.get(name, 0) for layer in run.layers) for name in
              ("router_flit_hop", "channel_bit_um", "tsv_bit")}  # fmt: skip
    assert run.costs.dynamic_pj["tile.router"] == pytest.approx(59 * counts["router_flit_hop"])
    assert run.costs.dynamic_pj["chip.channel"] == pytest.approx(
        counts["channel_bit_um"] * 0.125 / 1000 + 2 * counts["tsv_bit"]
    )
    plain = pimsim.simulate(joined(), "isaac-ce")
    assert "chip.channel" not in plain.costs.dynamic_pj
    assert plain.costs.dynamic_pj["tile.router"] == pytest.approx(
        4.375 * sum(layer.counts.get("router_flit_hop", 0) for layer in plain.layers)
    )
    assert len(run.tiles.router_places) == 42 and run.tiles.router_places[-1] == (6, 2, 1)


def test_a_flit_costs_what_its_hops_and_channels_cost():
    noc = load_network("mesh-4x4x4")
    topology = build_topology(noc)
    counts = FlitCounts(4, 4, 4, np.eye(1, topology.channels, dtype=np.int64)[0])
    spent = flit_energy(noc.energy, noc.flit_bits, counts, topology.length_mm, topology.vertical)
    assert spent.total_pj == pytest.approx(4 * flit_hop_pj(noc.energy, 64) + 64 * 0.0488)
