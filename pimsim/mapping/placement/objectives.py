"""What a placement is judged by: closed forms over the traffic, each the smaller the better.

With f_ij flits from tile i to tile j, h_ij routers and a link delay of d_ij on their way, and U_k the time for which
link k is busy with one image (its flits, each as long as it occupies the link):

- ``latency``: sum of (r h_ij + d_ij) f_ij over all pairs, divided by the sum of f_ij [ns a flit];
- ``mean`` and ``spread``: mean and standard deviation of U_k over the L links between routers and chips [us];
- ``peak``: the largest U_k [us]; no system puts out images faster than one in this time;
- ``energy``: of all flits, by the length of links and by routers [uJ];
- ``temperature``: of the hottest tile, over that of the air [K], see :mod:`pimsim.mapping.placement.heat`.

The first three and energy are the objectives of many-core placement in the work of Joardar, Doppa, Pande and
Chakrabarty.  A packet to several tiles is counted once on every link of its tree, as the network carries it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pimsim.mapping.placement.heat import Heat, hottest_rise
from pimsim.mapping.placement.traffic import Traffic
from pimsim.mapping.placement.ways import Ways


class Objectives(NamedTuple):
    """The objectives of one placement."""

    latency: float  #: [ns] mean over flits, head flit on an empty network
    mean: float  #: [us] mean busy time of a link for one image
    spread: float  #: [us] its standard deviation over the links
    energy: float  #: [uJ] of an image
    peak: float  #: [us] busy time of the busiest link for one image
    temperature: float = 0.0  #: [K] of the hottest tile over that of the air; 0: not weighed


def measure(traffic: Traffic, ways: Ways, place: np.ndarray, heat: Heat | None = None) -> Objectives:
    """The objectives of a placement, flow after flow.

    ``place`` (tiles,): the tile on which each tile of the traffic lies.
    """
    at = np.append(ways.point[place], ways.host)  # the host's number is -1: the last
    points, load = ways.points, np.zeros(ways.number.size, np.int64)
    latency = 0
    for n in range(traffic.source.size):
        links: set[int] = set()
        for target in traffic.target[traffic.target_first[n] : traffic.target_first[n + 1]]:
            pair = at[traffic.source[n]] * points + at[target]
            way = ways.link[ways.first[pair] : ways.first[pair + 1]]
            latency += int(traffic.flits[n]) * int(ways.delay_fs[way].sum())
            links.update(way.tolist())
        load[list(links)] += traffic.flits[n]
    found = summary(traffic, ways, latency, load * ways.hold_fs, int((load * ways.energy_aj).sum()))
    return found if heat is None else found._replace(temperature=hottest_rise(heat, place))


def summary(traffic: Traffic, ways: Ways, latency_fs: int, busy_fs: np.ndarray, energy_aj: int) -> Objectives:
    """The objectives from sums over the ways: ``latency_fs`` over all flits, ``busy_fs`` (L,) of each link."""
    flits = traffic.pair_flits
    busy_us = busy_fs / 1e9 if busy_fs.size else np.zeros(1)
    return Objectives(
        latency=(latency_fs / flits + ways.ends_delay_fs) / 1e6 if flits else 0.0,
        mean=float(busy_us.mean()),
        spread=float(busy_us.std()),
        energy=(energy_aj + flits * ways.ends_energy_aj) / 1e12,
        peak=float(busy_us.max()),
    )


def weighted(objectives: Objectives, reference: Objectives, weights: Objectives) -> float:
    """Weighted mean of the objectives, each relative to that of a reference placement; one that is 0 there is left
    out, and with nothing left the result is 1."""
    used = [(w, x / r) for w, x, r in zip(weights, objectives, reference, strict=True) if w > 0 and r > 0]
    total = sum(w for w, _ in used)
    return sum(w * x for w, x in used) / total if used else 1.0
