"""Energy of the flits of a curve and of a replay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pimsim.network.energy import CarriedEnergy, carried_energy
from pimsim.noc.network import BuiltNetwork
from pimsim.noc.records import LoadPoint


def energy_of(network: BuiltNetwork, channel_flits: np.ndarray, eject_flits: np.ndarray) -> CarriedEnergy | None:
    """What flits over channels (C,) and to terminals (N,) cost; None where the network has no prices."""
    if network.spec is None:
        return None
    return carried_energy(network.spec, network.topology, channel_flits, eject_flits)


def with_energy(network: BuiltNetwork, point: LoadPoint) -> LoadPoint:
    """The point with the energy of a cycle, and the power that it is."""
    energy = energy_of(network, point.channel_flits, point.eject_flits)
    if energy is None or network.spec is None:
        return point
    milliwatts = energy.total_pj * network.spec.clock_ghz  # pJ a ns
    return replace(point, energy=energy, power_w=milliwatts / 1000)
