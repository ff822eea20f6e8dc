"""Channels by how busy they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pimsim.network.topology import Topology


@dataclass(frozen=True)
class ChannelUse:
    """One channel, or one link between a terminal and its router."""

    name: str
    flits: float  #: carried
    utilisation: float  #: share of the cycles in which it is busy


def utilisation(topology: Topology, flits: np.ndarray, cycles: float) -> np.ndarray:
    """(C,) share of ``cycles`` in which each channel is busy; ``flits`` (C,) that it carried."""
    busy: np.ndarray = flits * topology.flit_cycles / max(cycles, 1)
    return busy


def hottest(
    topology: Topology,
    flits: np.ndarray,
    cycles: float,
    most: int = 10,
    *,
    inject: np.ndarray | None = None,
    eject: np.ndarray | None = None,
) -> list[ChannelUse]:
    """The busiest channels, the busiest first; idle ones are left out.

    Args:
        flits: (C,) carried by each channel in ``cycles``.
        inject, eject: (N,) carried from and to each terminal, if these links are to be listed too.
    """
    found = _busiest(flits, utilisation(topology, flits, cycles), topology.channel_name, most)
    router = [topology.router_name(int(r)) for r in topology.terminal_router]
    if inject is not None:
        found += _busiest(inject, inject / max(cycles, 1), lambda t: f"terminal {t} -> {router[t]}", most)
    if eject is not None:
        found += _busiest(eject, eject / max(cycles, 1), lambda t: f"{router[t]} -> terminal {t}", most)
    return sorted(found, key=lambda use: -use.utilisation)[:most]


def _busiest(flits: np.ndarray, busy: np.ndarray, name: Callable[[int], str], most: int) -> list[ChannelUse]:
    order = np.argsort(-busy, kind="stable")[:most]
    return [ChannelUse(name(int(c)), float(flits[c]), float(busy[c])) for c in order if flits[c] > 0]
