"""The flit-level networks of a Program's chips as tables in the arenas of its run."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from pimsim.arch.noc.flit import chip, layout
from pimsim.arch.noc.flit.chip_network import Ways
from pimsim.arch.noc.flit.layout import Net
from pimsim.arch.noc.flit.state import add_network, add_packets
from pimsim.engine.arena import Arena, joined
from pimsim.mapping.program import Program
from pimsim.network.fabric import CHIP, EJECT, INJECT, MESH
from pimsim.units import PS_PER_NS, cycles_to_ps

RECORDS = 1 << 16  #: of packets, to begin with


def add_chip(
    arena: Arena, tables: Arena, program: Program, ways: Ways, fields: dict[str, int]
) -> Any:
    """Append everything to both arenas, the records of packets last; the whole layout of the run."""
    terminals = ways.network.topology.terminals
    net = add_network(arena, tables, ways.network, reports=terminals)
    period = PS_PER_NS / Fraction(str(program.system.chip.noc.clock_ghz))
    way = np.zeros((ways.tree.size, chip.WAY), np.int64)
    way[:, chip.TREE] = ways.tree
    way[:, chip.TERMINAL] = ways.terminal
    way[:, chip.COPIES] = ways.copies
    way[:, chip.EARLY] = -1
    trees = ways.packets.size
    cut = np.zeros((trees + 1, chip.CUT), np.int64)
    cut[:trees, chip.PACKETS] = ways.packets
    cut[:trees, chip.SIZE] = ways.size
    cut[:trees, chip.LAST_SIZE] = ways.last_size
    cut[:, chip.FIRST_ROOT] = ways.first_root
    most = int((np.diff(ways.first_root) * ways.packets).max(initial=1))  # that join with one event
    reserve = most + int(ways.packets.max(initial=1)) + 2 * terminals
    records = max(RECORDS, 4 * reserve)
    clock = np.array([-1, 0, records, 0, -1], np.int64)
    net_at = arena.add("net", len(Net._fields))
    own = {
        "margin": fields["margin"] + 4 * terminals + 4096,
        "n_trees": trees,
        "way": tables.add("way", way),
        "cut": tables.add("cut", cut),
        "root": tables.add("root", ways.root),
        "clock": arena.add("clock", clock),
        "period_num": period.numerator,
        "period_den": period.denominator,
        "reserve": reserve,
        "net": net_at,
    }
    whole = add_packets(tables, net, free_records(0, records))
    arena.fill("net", np.array(whole))
    return chip.ChipLayout(**{**fields, **own, **{name: getattr(whole, name) for name in chip.SHARED}})


def free_records(first: int, count: int) -> np.ndarray:
    """(count, PACKET): records from number ``first`` on, each followed by the next in the list of free ones."""
    records = np.zeros((count, layout.PACKET), np.int64)
    records[:, layout.NEXT] = first + 1 + np.arange(count)
    records[-1:, layout.NEXT] = -1
    return records


def more_records(M: np.ndarray, T: np.ndarray, at: Any) -> np.ndarray:
    """Tables with room for twice as many packets."""
    clock = at.clock
    present = (T.size - at.packet) // layout.PACKET
    fresh = free_records(present, present)
    fresh[-1, layout.NEXT] = M[clock + chip.SPARE]
    M[clock + chip.SPARE] = present
    M[clock + chip.SPARES] += present
    return joined([T, fresh.ravel()], np.int32)


def require_nothing_lost(M: np.ndarray, T: np.ndarray, at: Any) -> None:
    """Every flit has arrived and every record of a packet is free again: raises RuntimeError where one is not."""
    left = int(M[at.counts + layout.IN_FLIGHT])
    records = (T.size - at.packet) // layout.PACKET
    taken = records - int(M[at.clock + chip.SPARES])
    if left or taken:
        raise RuntimeError(f"the network has lost track of {left} flits and {taken} packets: figures would be wrong")


def link_counts(M: np.ndarray, T: np.ndarray, at: Any, program: Program) -> tuple[np.ndarray, np.ndarray]:
    """(n_links,) flits that each link of the fabric carried, and how long they occupied it [ps]; 0 between chips."""
    fabric, net = program.fabric, Net(*M[at.net : at.net + len(Net._fields)].tolist())
    kinds = fabric.link_kinds()
    flits = np.zeros(fabric.n_links, np.int64)
    topology = fabric.topology
    each = net.terminals // fabric.chips
    flits[kinds == MESH] = M[net.flits : net.flits + fabric.chips * topology.channels]
    ejected = M[net.flits + fabric.chips * topology.channels + net.terminals :][: net.terminals].reshape(-1, each)
    flits[kinds == EJECT] = ejected[:, : fabric.tiles].ravel()
    way = T[at.way : at.cut].reshape(-1, chip.WAY)
    cut = T[at.cut : at.root].reshape(-1, chip.CUT)[way[:, chip.TREE]]
    size = (cut[:, chip.PACKETS].astype(np.int64) - 1) * cut[:, chip.SIZE] + cut[:, chip.LAST_SIZE]
    edges = np.flatnonzero(program.trees.link >= 0)
    edges = edges[kinds[program.trees.link[edges]] == INJECT]
    np.add.at(flits, program.trees.link[edges], way[edges, chip.SENT] * size[edges])
    cycles = np.ones(fabric.n_links, np.int64)
    cycles[kinds == MESH] = np.tile(topology.flit_cycles, fabric.chips)
    values, inverse = np.unique(flits * cycles, return_inverse=True)
    busy = np.array([cycles_to_ps(int(n), program.system.chip.noc.clock_ghz) for n in values], np.int64)[inverse]
    return flits, np.where(kinds == CHIP, 0, busy)
