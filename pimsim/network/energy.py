"""Energy of what a network carried: flits counted at its channels and terminals, priced as in runs of a whole chip.

A flit that leaves a router, for another or for a terminal, has made a hop: it was written into a buffer, read,
arbitrated for and switched.  A multicast that branches makes a hop for each branch.  This is how
:mod:`pimsim.results.counting` counts, so a chip's run and its network alone never differ.  All energy is dynamic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pimsim.config.network import Network
from pimsim.network.topology import Topology
from pimsim.technology.network_energy import FlitCounts, channel_flit_pj, flit_energy, router_flit_hop_pj

PARTS = ("buffers", "crossbars", "arbitration", "links", "tsvs")  #: links: channels within a tier
ROUTERS = "routers"  #: all parts together, where the power of a router is all that is known
NOT_PRICED = ("links between terminals and routers", "static power")


@dataclass(frozen=True)
class CarriedEnergy:
    """Energy of all flits; of a run, or (all of it) of a cycle."""

    parts_pj: Mapping[str, float]  #: PARTS, or ROUTERS alone
    flit_hops: float  #: flits through routers, once for each branch
    delivered_flits: float  #: to terminals
    flit_bits: int

    @property
    def total_pj(self) -> float:
        """All parts."""
        return sum(self.parts_pj.values())

    @property
    def pj_per_flit_hop(self) -> float:
        """Mean, channels included; 0 if there was no flit."""
        return _share(self.total_pj, self.flit_hops)

    @property
    def pj_per_flit(self) -> float:
        """Mean of a flit that reached a terminal."""
        return _share(self.total_pj, self.delivered_flits)

    @property
    def pj_per_bit(self) -> float:
        """Mean of a bit that reached a terminal, headers included."""
        return self.pj_per_flit / self.flit_bits


def carried_energy(
    noc: Network,
    topology: Topology,
    channel_flits: np.ndarray,
    eject_flits: np.ndarray,
) -> CarriedEnergy | None:
    """What flits cost; None where the network has neither ``energy`` nor the power of a router.

    Args:
        channel_flits: (C,) carried by each channel; in all, or in a cycle.
        eject_flits: (N,) handed to each terminal.

    Raises:
        InputError: there are not as many counts as channels, or a router's cost cannot be scaled to its parameters.
    """
    delivered = float(eject_flits.sum())
    hops = float(channel_flits.sum()) + delivered
    if noc.energy is not None:
        counts = FlitCounts(hops, hops, hops, channel_flits)
        spent = flit_energy(noc.energy, noc.flit_bits, counts, topology.length_mm, topology.vertical)
        parts = {part: float(getattr(spent, f"{part}_pj")) for part in PARTS}
    elif (hop_pj := router_flit_hop_pj(noc)) is not None:
        parts = {ROUTERS: hops * hop_pj}
    else:
        return None
    return CarriedEnergy(parts, hops, delivered, noc.flit_bits)


def flit_pj_of_channels(noc: Network, topology: Topology) -> np.ndarray | None:
    """(C,) one flit over each channel [pJ], without routers; None where channels are not priced by themselves."""
    if noc.energy is None:
        return None
    return channel_flit_pj(noc.energy, noc.flit_bits, topology.length_mm, topology.vertical)


def _share(energy: float, count: float) -> float:
    return energy / count if count else 0.0
