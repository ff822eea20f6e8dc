"""Packets recorded from BookSim 2 (Jiang et al., ISPASS 2013) leave and arrive in the same cycles here.

Each recording is replayed up to a cycle: what is sent later cannot change what happened before.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pimsim.config.network import Router
from pimsim.network.packets import NEVER, Packets
from pimsim.network.routing import dimension_order
from pimsim.network.topology import mesh_topology
from pimsim.reference.router import route_packets

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "booksim2"
CYCLES = 250  #: of each recording that are replayed with the slow reference
NAMES = [
    "mesh8x8_u_ps1_r10", "mesh8x8_u_ps5_r20", "mesh8x8_u_ps5_r365", "mesh8x8_u_ps5_r45_oversat",
    "mesh8x8_transpose_ps5_r14", "mesh8x8_hotspot4_ps5_r055", "mesh4x4x4_u_ps5_r60", "mesh4x4x4_u_ps1_r73",
    "mesh8x8_u_ps5_r36_cd2", "mesh8x8_u_ps5_r36_rd0_lookahead", "mesh8x8_u_ps5_r36_rd2_batchquirk",
    "mesh8x8_u_ps5_r30_vc1", "mesh8x8_u_ps5_r36_vc2", "mesh8x8_u_ps5_r36_buf4",
]  # fmt: skip

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings of BookSim 2 are not on this machine")


def recorded(name: str) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Configuration of a recording, and its packets in the order of creation."""
    config = next(row["config"] for row in json.loads((RECORDINGS / "index.json").read_text()) if row["name"] == name)
    with np.load(RECORDINGS / f"{name}.npz") as columns:
        rows = {key: columns[key].astype(np.int64) for key in columns.files}
    order = np.lexsort((rows["src"], rows["ctime"]))
    return config, {key: column[order] for key, column in rows.items()}


def router_of(config: dict[str, object]) -> Router:
    """The router that BookSim's keys describe."""
    routing_cycles = config.get("routing_delay", 1)
    return Router(
        vcs=config["num_vcs"], vc_buffer=config["vc_buf_size"], routing_cycles=routing_cycles,
        routing_in_batches=routing_cycles > 1, credit_cycles=config.get("credit_delay", 0),
        vc_allocator=config["vc_allocator"], switch_allocator=config["sw_allocator"],
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_recorded_packets_leave_and_arrive_in_the_same_cycles(name):
    config, rows = recorded(name)
    rows = {key: column[rows["ctime"] < CYCLES] for key, column in rows.items()}
    topology, router = mesh_topology((config["k"],) * config["n"]), router_of(config)
    packets = Packets(rows["src"], rows["dst"], rows["size"], rows["ctime"])
    arrivals = route_packets(topology, dimension_order(topology, router.vcs), router, packets, cycles=CYCLES)
    done = rows["atime"] < CYCLES
    assert np.count_nonzero(done) > 50
    np.testing.assert_array_equal(arrivals.atime, np.where(done, rows["atime"], NEVER))
    np.testing.assert_array_equal(arrivals.hops, np.where(done, rows["hops"], NEVER))
    np.testing.assert_array_equal(arrivals.itime, np.where(rows["itime"] < CYCLES, rows["itime"], NEVER))


def test_every_recording_is_replayed():
    assert sorted(NAMES) == sorted(row["name"] for row in json.loads((RECORDINGS / "index.json").read_text()))
