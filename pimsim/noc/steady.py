"""One load of one traffic pattern, measured in steady state.

As in BookSim 2's latency mode, packets that are created in a window are measured, after a warm-up and until they have
arrived, while traffic goes on.  Of a run, the first eighth is warm-up, and the last the time that the last packets
have to arrive; between them lies the window.  The network is in a steady state if the mean latencies of the window's
halves agree within TOLERANCE, or within what chance explains, and every measured packet has arrived; else the run is
done again, twice as long.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pimsim.network.packets import NEVER, Arrivals, Packets
from pimsim.network.traffic import Pattern, Sizes, bernoulli_packets
from pimsim.noc.network import BuiltNetwork, Engine, route

TOLERANCE = 0.05  #: of the mean latency, between the halves; BookSim 2's stopping_thres
BATCHES = 8  #: of each half, whose means tell how much it varies by chance
CERTAIN = 3.0  #: standard errors; a larger difference between the halves is no chance
RUN_LATENCIES = 80  #: a run is at least so many zero-load latencies long ...
RUN_PACKETS = 160_000  #: ... and has about so many packets: mean latencies then vary by some 0.2 % by chance
MOST_RUNS = 3  #: each twice as long as the one before
MOST_PACKETS = 1 << 23  #: of one run; it takes about 1 GB
GIVE_UP = 10.0  #: a load is unstable when the mean latency is so many times zero-load latency and still grows


@dataclass(frozen=True)
class Sample:
    """What one run measured."""

    load: float  #: flits/cycle that a sending terminal offers
    latency: float  #: cycles from creation to the tail's arrival; mean of the measured packets that arrived
    median_latency: float
    p99_latency: float
    network_latency: float  #: mean, from the head's leaving its source's queue
    accepted: float  #: flits/cycle that arrive, for each sending terminal
    hops: float  #: routers passed, mean
    stable: bool
    packets: int  #: measured
    cycles: int  #: simulated
    channel_flits: np.ndarray  #: (C,) float64 flits a cycle, over the whole run
    inject_flits: np.ndarray  #: (N,) float64 that leave the queue of each terminal
    eject_flits: np.ndarray  #: (N,) float64 that arrive at each terminal


def measure(
    network: BuiltNetwork,
    pattern: Pattern,
    load: float,
    packet_flits: Sizes,
    zero_load_latency: float,
    *,
    seed: int = 0,
    engine: Engine = "compiled",
    give_up: float = GIVE_UP,
    run_packets: int = RUN_PACKETS,
) -> Sample:
    """Run until the network is in a steady state, or plainly is not going to be.

    Args:
        load: flits/cycle of a terminal, averaged over those that send.
        give_up: as GIVE_UP.
        run_packets: as RUN_PACKETS, at first.

    Raises:
        InputError: the load cannot be offered.
        Deadlock: packets wait for each other.
    """
    packets_a_cycle = float(pattern.packet_rates(load, packet_flits).sum())
    eighth = math.ceil(max(RUN_LATENCIES * zero_load_latency, run_packets / packets_a_cycle) / 8)
    for _ in range(MOST_RUNS):
        packets = bernoulli_packets(pattern, load, packet_flits, 8 * eighth, seed)
        arrivals = route(network, packets, engine=engine, cycles=8 * eighth)
        sample, growth = _sample(pattern, load, eighth, packets, arrivals)
        if sample.stable or (growth > 0 and not sample.latency < give_up * zero_load_latency):
            return sample
        eighth *= 2
        if 8 * eighth * packets_a_cycle > MOST_PACKETS:
            break
    return sample


def _sample(
    pattern: Pattern, load: float, eighth: int, packets: Packets, arrivals: Arrivals
) -> tuple[Sample, float]:
    """Of one run; and by how much latency grew from the first half of the window to the second."""
    lo, middle, hi = np.searchsorted(packets.ctime, (eighth, 4 * eighth, 7 * eighth))
    latency = (arrivals.atime - packets.ctime).astype(np.float64)
    latency[arrivals.atime == NEVER] = np.nan
    halves = latency[lo:middle], latency[middle:hi]
    first, second = map(_mean, halves)
    window = slice(lo, hi)
    arrived = arrivals.atime[window] != NEVER
    times = latency[window][arrived]
    mean = _mean(times)
    left, there = arrivals.itime != NEVER, arrivals.atime != NEVER
    in_window = there & (arrivals.atime >= eighth) & (arrivals.atime < 7 * eighth)
    accepted = float(packets.size[in_window].sum()) / (6 * eighth * pattern.senders.size)
    cycles, n = 8 * eighth, pattern.terminals
    sample = Sample(
        load=load,
        latency=mean,
        median_latency=float(np.median(times)) if times.size else math.nan,
        p99_latency=float(np.percentile(times, 99)) if times.size else math.nan,
        network_latency=_mean((arrivals.atime - arrivals.itime)[window][arrived]),
        accepted=accepted,
        hops=_mean(arrivals.hops[window][arrived]),
        stable=bool(arrived.all()) and abs(second - first) <= max(TOLERANCE * mean, CERTAIN * _standard_error(halves)),
        packets=int(times.size),
        cycles=cycles,
        channel_flits=arrivals.channel_flits / cycles,
        inject_flits=np.bincount(packets.source[left], packets.size[left], n) / cycles,
        eject_flits=np.bincount(packets.target[there], packets.size[there], n) / cycles,
    )
    return sample, second - first if np.isfinite(second) else math.inf


def _standard_error(halves: tuple[np.ndarray, np.ndarray]) -> float:
    """Of the difference of their means, by batch means: packets near each other share their fate."""
    variance = 0.0
    for half in halves:
        if half.size < 2 * BATCHES:
            return math.inf
        means = [_mean(batch) for batch in np.array_split(half, BATCHES)]
        variance += float(np.var(means, ddof=1)) / BATCHES
    return math.sqrt(variance)


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)] if values.dtype == np.float64 else values
    return float(known.mean()) if known.size else math.nan
