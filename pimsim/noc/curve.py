"""Latency against load: zero-load latency, saturation, and the points between."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import numpy as np

from pimsim.errors import InputError, shown
from pimsim.network.traffic import Pattern, Sizes, check_load
from pimsim.noc.energy import with_energy
from pimsim.noc.network import BuiltNetwork, Engine, Progress
from pimsim.noc.paths import Expectation, expect
from pimsim.noc.records import Curve, LoadPoint
from pimsim.noc.steady import GIVE_UP, RUN_PACKETS, Sample, measure

SATURATION = 3.0  #: a network is saturated when mean latency is so many times zero-load latency
PROBE_GIVES_UP = 2 * SATURATION  #: as GIVE_UP, for the runs that search for it: their latency is far beyond it
RESOLUTION = 0.01  #: of the search for the saturation load, relative
FRACTIONS = (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05)
"""Of the saturation load: the points of a curve whose loads are not given."""
MOST_SEEDS = 1000
_PROBES = 8  #: about so many runs find the saturation load

STUDENT_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
             2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)
"""97.5 % quantiles of Student's t with 1 to 30 degrees of freedom (Gosset 1908; any table of statistics)."""


def latency_curve(
    network: BuiltNetwork,
    pattern: Pattern,
    *,
    loads: Sequence[float] | None = None,
    packet_flits: Sizes = 5,
    seeds: int = 1,
    seed: int = 0,
    threads: int = 1,
    engine: Engine = "compiled",
    run_packets: int = RUN_PACKETS,
    progress: Progress | None = None,
) -> Curve:
    """Measure how latency grows with load.

    >>> from pimsim.noc import build_network, latency_curve
    >>> from pimsim.network.traffic import uniform
    >>> mesh = build_network("mesh-8x8")
    >>> latency_curve(mesh, uniform(mesh.topology), loads=[0.1]).points[0].stable
    True

    Args:
        loads: flits/cycle of a terminal, averaged over those that send; None: from 2 to 105 % of saturation.
        packet_flits: flits of a packet, or {flits: share of the packets}.
        seeds: runs of each load, with seeds ``seed``, ``seed + 1``, ...; from 2 on latencies have intervals.
        threads: runs at the same time; they change nothing in the result.
        run_packets: packets of a run, at first; see :mod:`pimsim.noc.steady`.
        progress: called with runs done and runs in all, about.

    Raises:
        InputError: a load cannot be offered, or the pattern does not fit the network.
        Deadlock: packets wait for each other.
    """
    _check_counts(seeds=(seeds, MOST_SEEDS), threads=(threads, 1024), run_packets=(run_packets, 10**7))
    expected = expect(network, pattern, packet_flits)
    for load in loads or ():
        check_load(pattern, load, packet_flits)
    given = None if loads is None else sorted(set(loads))
    if given == []:
        raise InputError("there is none", key="loads", allowed="numbers over 0")
    work = _Work(_PROBES + seeds * len(FRACTIONS if given is None else given), progress)

    def run(load: float, number: int, give_up: float = GIVE_UP) -> Sample:
        sample = measure(network, pattern, load, packet_flits, expected.zero_load_latency, seed=number, engine=engine,
                         run_packets=run_packets, give_up=give_up)  # fmt: skip
        work.done()
        return sample

    largest = pattern.largest_load(packet_flits)
    with ThreadPoolExecutor(threads) as pool:
        points: list[LoadPoint] = []
        if given is not None:
            points = _points(given, range(seed, seed + seeds), run, pool)
        saturation = _saturation(points, expected, largest, lambda load: run(load, seed, PROBE_GIVES_UP))
        if given is None:
            reached = [fraction * (saturation or largest) for fraction in FRACTIONS]
            points = _points([load for load in reached if load <= largest], range(seed, seed + seeds), run, pool)
    return Curve(
        network=network.name,
        topology=network.topology.name,
        routing=network.routing.name,
        pattern=pattern.name,
        packet_flits=_packet_flits(pattern, packet_flits),
        senders=int(pattern.senders.size),
        seeds=tuple(range(seed, seed + seeds)),
        zero_load_latency=expected.zero_load_latency,
        capacity=expected.capacity,
        saturation_load=saturation,
        saturation_resolution=RESOLUTION,
        points=tuple(with_energy(network, point) for point in points),
    )


def _packet_flits(pattern: Pattern, packet_flits: Sizes) -> int | dict[int, float] | None:
    if pattern.flits is not None:
        return None
    return packet_flits if isinstance(packet_flits, int) else dict(packet_flits)


def _check_counts(**counts: tuple[int, int]) -> None:
    for key, (count, most) in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= most:
            raise InputError(f"{shown(count)} is not allowed", key=key, allowed=f"a whole number from 1 to {most:,}")


class _Work:
    """Tells of runs done."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self.total, self.finished, self.progress, self.lock = total, 0, progress, Lock()

    def done(self) -> None:
        """One more."""
        with self.lock:
            self.finished += 1
            if self.progress is not None:
                self.progress(min(self.finished, self.total), self.total)


def _saturation(
    points: Sequence[LoadPoint], expected: Expectation, largest: float, probe: Callable[[float], Sample]
) -> float | None:
    """Bisect for the load at which latency passes SATURATION times zero-load latency; None: not up to the largest.

    Points that are known narrow the search; where they do not pass it, there is none among them.  A run that has not
    reached a steady state after all its time counts by the latency that it had by then.
    """
    limit = SATURATION * expected.zero_load_latency

    def below(sample: Sample | LoadPoint) -> bool:
        return sample.latency <= limit

    over = [point.load for point in points if not below(point)]
    if points and not over:
        return None
    hi = min([largest, *over] if expected.capacity is None else [largest, expected.capacity, *over])
    lo = max((point.load for point in points if below(point) and point.load < hi), default=0.0)
    if hi == largest and not over and below(probe(hi)):
        return None
    while hi - lo > RESOLUTION * hi:
        middle = (lo + hi) / 2
        lo, hi = (middle, hi) if below(probe(middle)) else (lo, middle)
    return (lo + hi) / 2


def _points(
    loads: Sequence[float], seeds: range, run: Callable[[float, int], Sample], pool: ThreadPoolExecutor
) -> list[LoadPoint]:
    """Every load with every seed, several at the same time; the longest runs, those of high load, first."""
    futures = {(load, number): pool.submit(run, load, number) for load in sorted(loads)[::-1] for number in seeds}
    try:
        return [_joined([futures[load, number].result() for number in seeds]) for load in loads]
    except BaseException:
        for future in futures.values():
            future.cancel()
        raise


def _joined(samples: Sequence[Sample]) -> LoadPoint:
    """The mean of several seeds; stable if all are."""

    def mean(field: str) -> float:
        return float(np.mean([getattr(sample, field) for sample in samples]))

    def mean_array(field: str) -> np.ndarray:
        average: np.ndarray = np.mean([getattr(sample, field) for sample in samples], axis=0)
        return average

    return LoadPoint(
        load=samples[0].load,
        latency=mean("latency"),
        interval=_half_interval([sample.latency for sample in samples]),
        median_latency=mean("median_latency"),
        p99_latency=mean("p99_latency"),
        network_latency=mean("network_latency"),
        accepted=mean("accepted"),
        hops=mean("hops"),
        stable=all(sample.stable for sample in samples),
        packets=sum(sample.packets for sample in samples),
        cycles=sum(sample.cycles for sample in samples),
        channel_flits=mean_array("channel_flits"),
        inject_flits=mean_array("inject_flits"),
        eject_flits=mean_array("eject_flits"),
    )


def _half_interval(values: Sequence[float]) -> float | None:
    """Half the width of the 95 % confidence interval of the mean of independent values."""
    if len(values) < 2:
        return None
    quantile = STUDENT_T[len(values) - 2] if len(values) - 1 <= len(STUDENT_T) else 1.96
    return quantile * float(np.std(values, ddof=1)) / math.sqrt(len(values))
