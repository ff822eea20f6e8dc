"""What is found out about a network alone.  Times are in cycles, loads in flits/cycle of a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pimsim.network.energy import CarriedEnergy
from pimsim.network.packets import Arrivals, Packets

CURVE_FORMAT, REPLAY_FORMAT = "pimsim-noc-curve-1", "pimsim-noc-replay-1"


@dataclass(frozen=True)
class LoadPoint:
    """A load and what it leads to; means over all seeds."""

    load: float  #: offered, averaged over the terminals that send
    latency: float  #: of a packet, from its creation to the arrival of its tail
    interval: float | None  #: the 95 % confidence interval of ``latency`` is so much up and down; None: one seed
    median_latency: float
    p99_latency: float
    network_latency: float  #: of a packet, from when its head leaves the source's queue
    accepted: float  #: flits/cycle that arrive, for each terminal that sends
    hops: float  #: routers that a packet passes
    stable: bool  #: a steady state was reached; else latencies grow with the length of the run and mean little
    packets: int  #: measured, all seeds together
    cycles: int  #: simulated in the last run of each seed, together
    channel_flits: np.ndarray  #: (C,) float64 flits a cycle
    inject_flits: np.ndarray  #: (N,) float64 flits a cycle from each terminal
    eject_flits: np.ndarray  #: (N,) float64 flits a cycle to each terminal
    energy: CarriedEnergy | None = None  #: of a cycle, dynamic; None: not priced
    power_w: float | None = None  #: the same at the network's clock


@dataclass(frozen=True)
class Curve:
    """Latency against load of one traffic pattern."""

    network: str
    topology: str
    routing: str
    pattern: str
    packet_flits: int | Mapping[int, float] | None  #: or the share of packets by flits; None: the pattern has its own
    senders: int  #: terminals that send
    seeds: tuple[int, ...]
    zero_load_latency: float  #: of lone packets (see :func:`pimsim.noc.paths.expect`), mean of all
    capacity: float | None  #: load at which some channel or terminal is always busy; None where routing is adaptive
    saturation_load: float | None  #: latency is three times zero-load latency; None: not within the loads
    saturation_resolution: float  #: last step of the search for saturation_load, relative; chance comes on top
    points: tuple[LoadPoint, ...]  #: by load

    def unstable_words(self) -> list[str]:
        """A line for each load at which no steady state was reached."""
        near = "" if self.saturation_load is None else f"; it saturates near {self.saturation_load:.4g}"
        return [
            f"load {point.load:.4g}: unstable: accepted {point.accepted:.4g} of offered {point.load:.4g} "
            f"flits/terminal/cycle{near}"
            for point in self.points
            if not point.stable
        ]

    @property
    def busiest_stable(self) -> LoadPoint:
        """The highest load with a steady state; the lowest load if none has one."""
        return max((p for p in self.points if p.stable), key=lambda p: p.load, default=self.points[0])


@dataclass(frozen=True)
class Replay:
    """Given packets, and what became of them."""

    network: str
    topology: str
    routing: str
    packets: Packets
    arrivals: Arrivals
    first: np.ndarray  #: (P + 1,) packet p goes to the terminals targets[first[p]:first[p + 1]]
    targets: np.ndarray  #: terminals
    row: np.ndarray  #: (P,) of the file; copies of a packet have the same
    inject_flits: np.ndarray  #: (N,) flits from each terminal
    eject_flits: np.ndarray  #: (N,) flits to each terminal
    energy: CarriedEnergy | None = None  #: of all flits, dynamic; None: not priced

    @property
    def latency(self) -> np.ndarray:
        """(P,) cycles from creation to the tail's last arrival."""
        cycles: np.ndarray = self.arrivals.atime - self.packets.ctime
        return cycles

    @property
    def cycles(self) -> int:
        """From the first packet's creation to the last arrival, both included."""
        return int(self.arrivals.atime.max() - self.packets.ctime[0]) + 1

    @property
    def network_latency(self) -> np.ndarray:
        """(P,) cycles from when the head left its source's queue."""
        cycles: np.ndarray = self.arrivals.atime - self.arrivals.itime
        return cycles
