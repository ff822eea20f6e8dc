"""Energy of moving flits, part by part, where a network's ``energy`` gives the parts.

Where it does not, one flit through one router costs what follows from the router's power, and channels are taken to be
in that figure: nothing is counted twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.config.network import Network, NetworkEnergy
from pimsim.config.records import Noc
from pimsim.errors import InputError
from pimsim.technology.components import router_cost


@dataclass(frozen=True)
class FlitCounts:
    """What the flits of a run did; in all, or in a cycle."""

    buffer_writes: float  #: into inputs of routers
    buffer_reads: float
    crossbar_passages: float  #: one for each branch of a multicast
    channel_flits: np.ndarray  #: (C,) over each channel between routers


@dataclass(frozen=True)
class FlitEnergy:
    """Energy of all flits of a run [pJ]."""

    buffers_pj: float
    crossbars_pj: float
    arbitration_pj: float
    links_pj: float  #: channels within a tier
    tsvs_pj: float  #: vertical channels

    @property
    def total_pj(self) -> float:
        """All parts."""
        return self.buffers_pj + self.crossbars_pj + self.arbitration_pj + self.links_pj + self.tsvs_pj


def flit_hop_pj(energy: NetworkEnergy, flit_bits: int) -> float:
    """One flit through one router [pJ]: written, read, arbitrated for, through the crossbar; without the channel."""
    bits = energy.buffer_write_pj_per_bit + energy.buffer_read_pj_per_bit + energy.crossbar_pj_per_bit
    return flit_bits * bits + energy.arbitration_pj_per_flit


def router_flit_hop_pj(noc: Network) -> float | None:
    """One flit through one router [pJ]: by parts, or its share of the router's power; None: neither is given.

    Raises:
        InputError: the router's cost cannot be scaled to its parameters.
    """
    if noc.energy is not None:
        return flit_hop_pj(noc.energy, noc.flit_bits)
    if not isinstance(noc, Noc):
        return None
    cost = router_cost(noc)
    return None if cost.power_mw is None else (1 - cost.static_fraction) * cost.power_mw / router_flits_per_ns(noc)


def router_flits_per_ns(noc: Network) -> float:
    """Flits that a router moves when it draws its peak power: every port one a clock."""
    return noc.ports * noc.clock_ghz


def channel_flit_pj(
    energy: NetworkEnergy, flit_bits: int, length_mm: np.ndarray, vertical: np.ndarray
) -> np.ndarray:
    """(C,) one flit over each channel [pJ]; a vertical one costs the same whatever its length."""
    per_bit: np.ndarray = np.where(vertical, energy.tsv_pj_per_bit, energy.link_pj_per_bit_mm * length_mm)
    return flit_bits * per_bit


def flit_energy(
    energy: NetworkEnergy, flit_bits: int, counts: FlitCounts, length_mm: np.ndarray, vertical: np.ndarray
) -> FlitEnergy:
    """Energy of a run from its counts.

    Args:
        length_mm, vertical: (C,) of each channel.

    Raises:
        InputError: there are not as many counts as channels.
    """
    if counts.channel_flits.shape != length_mm.shape:
        raise InputError(f"{counts.channel_flits.size} counts for {length_mm.size} channels", key="channel_flits")
    channels = counts.channel_flits * channel_flit_pj(energy, flit_bits, length_mm, vertical)
    writes = counts.buffer_writes * energy.buffer_write_pj_per_bit
    return FlitEnergy(
        buffers_pj=flit_bits * (writes + counts.buffer_reads * energy.buffer_read_pj_per_bit),
        crossbars_pj=flit_bits * counts.crossbar_passages * energy.crossbar_pj_per_bit,
        arbitration_pj=counts.crossbar_passages * energy.arbitration_pj_per_flit,
        links_pj=float(channels[~vertical].sum()),
        tsvs_pj=float(channels[vertical].sum()),
    )
