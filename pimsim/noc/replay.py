"""Given packets, at given times, through a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pimsim.network.packets import Branches, Packets
from pimsim.noc.energy import energy_of
from pimsim.noc.files import PacketFile, read_packets
from pimsim.noc.multicast import multicast_trees
from pimsim.noc.network import BuiltNetwork, Engine, Progress, route
from pimsim.noc.records import Replay


def replay(
    network: BuiltNetwork,
    packets: str | Path,
    *,
    unicast: bool = False,
    engine: Engine = "compiled",
    progress: Progress | None = None,
) -> Replay:
    """Send the packets of a file through a network until all have arrived.

    Args:
        packets: CSV or .npz with the columns src, dst, size and ctime; in a CSV, a ``dst`` may name several terminals.
        unicast: a packet to several terminals is copied at its source, in their order; else it branches where ways
            part.
        progress: called with packets arrived and packets in all.

    Raises:
        InputError: the file has something wrong; with file and line.
        Deadlock: packets wait for each other.
    """
    given = read_packets(packets, network.topology.terminals)
    offered, branches = _copies(given) if unicast else _trees(network, given)
    arrivals = route(network, offered, branches, engine=engine, progress=progress)
    n = network.topology.terminals
    count = np.ones(given.src.size, np.int64) if unicast else np.diff(given.first)
    to_each = np.repeat(given.size, np.diff(given.first))
    eject_flits = np.bincount(given.dst, to_each, n)
    return Replay(
        network=network.name,
        topology=network.topology.name,
        routing=network.routing.name,
        packets=offered,
        arrivals=arrivals,
        first=np.arange(offered.size.size + 1) if unicast else np.concatenate(([0], np.cumsum(count))),
        targets=given.dst,
        row=np.repeat(np.arange(given.src.size), np.diff(given.first)) if unicast else np.arange(given.src.size),
        inject_flits=np.bincount(offered.source, offered.size, n),
        eject_flits=eject_flits,
        energy=energy_of(network, arrivals.channel_flits, eject_flits),
    )


def _copies(given: PacketFile) -> tuple[Packets, None]:
    """A packet for each target."""
    row = np.repeat(np.arange(given.src.size), np.diff(given.first))
    return Packets(given.src[row], given.dst, given.size[row], given.ctime[row]), None


def _trees(network: BuiltNetwork, given: PacketFile) -> tuple[Packets, Branches | None]:
    """Packets as they are, and the trees of those to several terminals; equal trees are kept once."""
    several = np.diff(given.first) > 1
    if not np.any(several):
        return _copies(given)
    _check_forks(network, given, several)
    target = given.dst[given.first[:-1]]
    known: dict[tuple[int, tuple[int, ...]], int] = {}
    for row in np.flatnonzero(several):
        tree = (int(given.src[row]), tuple(sorted(given.dst[given.first[row] : given.first[row + 1]].tolist())))
        target[row] = known.setdefault(tree, len(known))
    branches = multicast_trees(network, *zip(*known, strict=True))
    return Packets(given.src, target, given.size, given.ctime, several), branches


def _check_forks(network: BuiltNetwork, given: PacketFile, several: np.ndarray) -> None:
    """A packet stays in a buffer until its last branch has taken it, so it must fit."""
    room = network.router.vc_buffer
    given.table.require(
        ~several | (given.size <= room), given.size, "size",
        f"a packet of {{}} flits to several terminals does not fit a virtual channel of {room} flits",
        f"up to {room}, or unicast copies",
    )  # fmt: skip
