"""Topologies: routers, the channels between them, and the terminals that hang on them.  Graphs, no time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Topology:
    """Routers 0..R-1, terminals 0..N-1 and channels 0..C-1; a channel is one-way.

    Ports of a router are numbered from 0, its inputs and its outputs alike; arbiters go round in this order.  In a
    mesh or torus, ports 2d and 2d + 1 lead up and down dimension d (and come from there); terminals have the ports
    after those of the channels, in the order of their numbers.  A port may be unused (at the edge of a mesh).
    """

    name: str
    shape: tuple[int, ...]  #: routers in each dimension; (R,) for a graph.  Router = x + y * X + z * X * Y
    ports: int  #: ports of every router, used or not
    position: np.ndarray  #: (R, 3) float64: x, y and tier, for pictures
    terminal_router: np.ndarray  #: (N,)
    terminal_port: np.ndarray  #: (N,) port of its router, in and out
    source: np.ndarray  #: (C,) router
    source_port: np.ndarray  #: (C,) output port there
    target: np.ndarray  #: (C,) router
    target_port: np.ndarray  #: (C,) input port there
    latency: np.ndarray  #: (C,) cycles from the crossbar of one router to the input of the next
    flit_cycles: np.ndarray  #: (C,) cycles that one flit occupies the channel: flit bits / channel bits, rounded up
    length_mm: np.ndarray  #: (C,) float64
    dimension: np.ndarray  #: (C,) in which the channel runs; -1: a graph's
    vertical: np.ndarray  #: (C,) bool: between tiers, through silicon

    @property
    def routers(self) -> int:
        """R."""
        return int(self.position.shape[0])

    @property
    def terminals(self) -> int:
        """N."""
        return int(self.terminal_router.size)

    @property
    def channels(self) -> int:
        """C."""
        return int(self.source.size)

    def channel_name(self, channel: int) -> str:
        """The channel in words: the routers it joins."""
        return f"{self.router_name(int(self.source[channel]))} -> {self.router_name(int(self.target[channel]))}"

    def router_name(self, router: int) -> str:
        """Its coordinates, or its number in a graph."""
        if len(self.shape) < 2:
            return f"router {router}"
        return f"router ({', '.join(map(str, coordinates(router, self.shape)))})"


def coordinates(router: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Of a router in a mesh or torus; x first."""
    place = []
    for size in shape:
        router, x = divmod(router, size)
        place.append(x)
    return tuple(place)
