"""Energy of packets worked out by hand, and the same from a network alone as from a run of the whole chip."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

import pimsim
from pimsim.config import load_network, load_system
from pimsim.config.network import Network, NetworkEnergy
from pimsim.config.records import System
from pimsim.network.energy import PARTS, ROUTERS, carried_energy
from pimsim.network.topology import build_topology
from pimsim.network.traffic import uniform
from pimsim.noc import BuiltNetwork, Replay, build_network, latency_curve, replay
from pimsim.report import noc as report
from pimsim.report.terminal import terminal
from tests.unit.results_runs import joined

ENERGY = NetworkEnergy(
    buffer_write_pj_per_bit=0.25, buffer_read_pj_per_bit=0.5, crossbar_pj_per_bit=1.0, arbitration_pj_per_flit=3.0,
    link_pj_per_bit_mm=0.125, tsv_pj_per_bit=2.0, source="worked out by hand",
)  # fmt: skip
LONG, SHORT, VIA = {"length_mm": 2.0}, {"length_mm": 0.5}, {"length_mm": 0.05, "vertical": True}


def network(shape: list[int], links: list[dict], energy: NetworkEnergy | None = ENERGY) -> BuiltNetwork:
    topology = {"kind": "mesh", "shape": shape, "links": links}
    return build_network(Network(topology=topology, flit_bits=32, clock_ghz=2.0, energy=energy))  # type: ignore[arg-type]


def replayed(built: BuiltNetwork, folder: Path, *rows: str, unicast: bool = False) -> Replay:
    (folder / "p.csv").write_text("\n".join(["src,dst,size,ctime", *rows, ""]))
    return replay(built, folder / "p.csv", unicast=unicast)


def by_hand(hops: int, link_mm: float, tsvs: int) -> dict[str, float]:
    """Of so many flit-hops, flits x mm and flits over vertical channels, at 32 bits a flit."""
    return {"buffers": hops * 32 * 0.75, "crossbars": hops * 32, "arbitration": hops * 3, "links": link_mm * 32 * 0.125,
            "tsvs": tsvs * 32 * 2}  # fmt: skip


def test_packets_in_a_plane(tmp_path: Path) -> None:
    found = replayed(network([3, 3], [LONG, SHORT]), tmp_path, "0,5,4,0", "4,4,2,7")
    energy = found.energy
    assert energy is not None
    # 0 -> 5: two channels of 2 mm, one of 0.5 mm, four routers; 4 -> 4: a router and no channel
    assert energy.parts_pj == by_hand(4 * 4 + 2, 4 * 4.5, 0)
    assert energy.flit_hops == 18 and energy.delivered_flits == 6
    assert energy.pj_per_flit_hop == energy.total_pj / 18
    assert energy.pj_per_bit == energy.total_pj / (6 * 32)


def test_packets_through_tiers(tmp_path: Path) -> None:
    energy = replayed(network([2, 2, 3], [LONG, SHORT, VIA]), tmp_path, "0,11,5,0", "8,0,1,2").energy
    assert energy is not None
    # 0 -> 11: x, y and two tiers, five routers; 8 -> 0: two tiers, three routers
    assert energy.parts_pj == by_hand(5 * 5 + 3, 5 * 2.5, 5 * 2 + 2)


def test_a_multicast_makes_a_hop_for_each_branch_and_common_channels_once(tmp_path: Path) -> None:
    built = network([3, 3], [LONG, SHORT])
    tree = replayed(built, tmp_path, "0,2;8;5,4,0")
    copies = replayed(built, tmp_path, "0,2;8;5,4,0", unicast=True)
    assert tree.energy is not None and copies.energy is not None
    # along x to router 2, down y through 5 to 8: four channels and three terminals leave five routers
    assert tree.energy.parts_pj == by_hand(4 * (4 + 3), 4 * (2 * 2 + 2 * 0.5), 0)
    assert copies.energy.parts_pj == by_hand(4 * (3 + 4 + 5), 4 * (4 + 4.5 + 5), 0)
    assert tree.energy.delivered_flits == copies.energy.delivered_flits == 12
    for each in (tree, copies):
        assert each.energy is not None
        assert each.energy.flit_hops == (each.arrivals.hops * each.packets.size).sum()


def test_a_load_is_a_power(tmp_path: Path) -> None:
    built = network([3, 3], [LONG, SHORT])
    curve = latency_curve(built, uniform(built.topology), loads=[0.1, 0.2], packet_flits=2, run_packets=4000)
    for point in curve.points:
        assert point.energy is not None and point.power_w is not None
        flit_mm = float((point.channel_flits * built.topology.length_mm).sum())
        hops = float(point.channel_flits.sum() + point.eject_flits.sum())
        pj_a_cycle = hops * (32 * 1.75 + 3) + flit_mm * 32 * 0.125
        assert point.power_w == pytest.approx(pj_a_cycle * 2.0 / 1000)
        assert point.energy.pj_per_flit == pytest.approx(pj_a_cycle / point.eject_flits.sum())
        # a flit passes as many routers as packets do on average
        assert point.energy.flit_hops / point.energy.delivered_flits == pytest.approx(point.hops, rel=0.03)
    rows = list(csv.DictReader(io.StringIO(report.curve_csv(curve))))
    document = report.curve_document(curve, built)
    for row, point, told in zip(rows, curve.points, document["points"], strict=True):
        assert float(row["power_w"]) == told["power_w"] == point.power_w
        assert float(row["energy_pj_per_flit"]) == told["energy_pj_per_flit"]
        assert sum(told["power_parts_w"].values()) == pytest.approx(point.power_w)
    assert document["not_priced"]
    assert curve.points[1].power_w > 1.9 * curve.points[0].power_w


def shown(found: Replay, built: BuiltNetwork) -> str:
    console = terminal()
    with console.capture() as capture:
        console.print(report.replay_tables(found, built.topology))
    return capture.get()


def test_what_is_not_priced_is_said(tmp_path: Path) -> None:
    built = network([3, 3], [LONG], energy=None)
    found = replayed(built, tmp_path, "0,5,4,0")
    assert found.energy is None and "not priced" in shown(found, built)
    summary = report.replay_summary(found)
    assert summary["energy_pj"] is summary["energy_parts_pj"] is summary["energy_pj_per_bit"] is None
    curve = latency_curve(built, uniform(built.topology), loads=[0.1], run_packets=500)
    assert curve.points[0].power_w is None
    assert report.curve_csv(curve).splitlines()[1].split(",")[-4:-2] == ["", ""]
    assert report.channels_csv(built, {}).splitlines()[1].endswith(",False,")
    priced = network([3, 3], [LONG])
    words = shown(replayed(priced, tmp_path, "0,5,4,0"), priced)
    assert "links between terminals and routers" in words and "buffers" in words


def test_where_only_the_power_of_a_router_is_known_channels_are_in_it(tmp_path: Path) -> None:
    found = replayed(build_network("isaac-ce"), tmp_path, "0,167,5,0")
    assert found.energy is not None
    # ISAAC: 42 mW for 8 ports at 1.2 GHz; seven columns and six rows, twelve routers on the way
    assert found.energy.parts_pj == {ROUTERS: pytest.approx(12 * 5 * 42 / (8 * 1.2))}


PRICES = (
    "chip.noc.energy={buffer_write_pj_per_bit: 0.25, buffer_read_pj_per_bit: 0.5, crossbar_pj_per_bit: 1, "
    "arbitration_pj_per_flit: 3, link_pj_per_bit_mm: 0.125, tsv_pj_per_bit: 2, source: worked out by hand}"
)
TIERS = "chip.noc.topology={kind: mesh, shape: [7, 3, 2], links: [{length_mm: 2}, {}, {vertical: true}]}"


def counted(run: pimsim.Result, system: System) -> tuple[np.ndarray, np.ndarray]:
    """(C,) flits that the routers of one chip sent over each channel in a run, and to each tile (one cycle a flit)."""
    cycles = run.times.run_ps * system.chip.noc.clock_ghz / 1000
    return np.rint(np.array(run.links.channels) * cycles), np.rint(np.array(run.links.eject) * cycles)


@pytest.mark.parametrize(("prices", "multicast"), [(PRICES, "tree"), ("chip.noc.energy=null", "unicast")])
def test_a_run_of_the_chip_and_its_network_alone_cost_the_same(prices: str, multicast: str) -> None:
    system = load_system("isaac-ce", [prices, TIERS, "chip.noc.io_router=[0, 0, 1]", f"chip.noc.multicast={multicast}"])
    run = pimsim.simulate(joined(), system, noc="flit")
    noc = system.chip.noc
    alone = carried_energy(noc, build_topology(noc), *counted(run, system))
    assert alone is not None
    assert alone.flit_hops == sum(layer.counts.get("router_flit_hop", 0) for layer in run.layers) > 0
    dynamic = run.costs.dynamic_pj
    channels = sum(alone.parts_pj.get(part, 0.0) for part in ("links", "tsvs"))
    assert dynamic["tile.router"] == pytest.approx(alone.total_pj - channels, rel=1e-12)
    assert dynamic.get("chip.channel", 0.0) == pytest.approx(channels, rel=1e-12)
    assert set(alone.parts_pj) == (set(PARTS) if noc.energy else {ROUTERS})
    assert (channels > 0) == (noc.energy is not None)


def test_the_tiers_of_a_shipped_network_are_priced() -> None:
    noc = load_network("mesh-4x4x4")
    built = build_network(noc)
    one = np.ones(built.topology.channels)
    energy = carried_energy(noc, built.topology, one, np.zeros(64))
    assert energy is not None
    assert energy.parts_pj["tsvs"] == pytest.approx(2 * 16 * 3 * 64 * 0.0125)
    assert energy.parts_pj["links"] == pytest.approx(2 * 2 * 16 * 3 * 64 * 0.0488)
