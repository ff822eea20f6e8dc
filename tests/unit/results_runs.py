"""Small runs that the tests of results and reports share."""

from __future__ import annotations

from functools import cache

import pimsim
from pimsim.results import Result
from pimsim.workload import Dataflow
from tests.networks import Network


def joined() -> Dataflow:
    """A join, a pool, a reduction, and a fully connected layer over several crossbars."""
    net = Network("joined")
    x = net.conv(net.input(8, 8, 4), 16)
    x = net.add(x, net.conv(x, 16))
    x = net.pool(x)
    return _named(net, net.fc(net.mean(net.conv(x, 40)), 10))


def two_inputs() -> Dataflow:
    """Two inputs that share the host's link."""
    net = Network("two inputs")
    a, b = net.input(6, 6, 8), net.input(6, 6, 8)
    return _named(net, net.conv(net.add(a, b), 8))


def wide() -> Dataflow:
    """A layer that spans tiles, so that partial sums travel; and depthwise groups."""
    net = Network("wide")
    x = net.conv(net.input(4, 4, 512), 256)
    x = net.conv(x, 256, groups=256)
    return _named(net, net.fc(x, 300))


def recurrent() -> Dataflow:
    """Steps that wait for the one before."""
    net = Network("recurrent")
    return _named(net, net.recurrent(net.input(6, 1, 16), 24))


def _named(net: Network, last: int) -> Dataflow:
    return net.finish()


NETWORKS = {"joined": joined, "two inputs": two_inputs, "wide": wide, "recurrent": recurrent}


@cache
def result(name: str = "joined", batch: int = 2, noc: str = "packet", overrides: tuple[str, ...] = ()) -> Result:
    """A run on one ISAAC chip."""
    return pimsim.simulate(NETWORKS[name](), pimsim.config.load_system("isaac-ce", overrides), batch=batch, noc=noc)
