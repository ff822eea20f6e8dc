"""Topologies: routers, the channels between them, and the terminals that hang on them.  Graphs, no time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pimsim.config.graphs import edges_of, neighbours
from pimsim.config.network import Edge, Graph, Grid, Network, SmallWorld
from pimsim.errors import InputError

MOST_PORTS = 256  #: of a router: what an entry of a routing table can name


@dataclass(frozen=True, eq=False)
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
    names: tuple[str, ...] = ()  #: of a graph's routers, where its file gives them

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

    @property
    def is_grid(self) -> bool:
        """Whether it is a mesh or torus, with dimensions."""
        return not bool(np.any(self.dimension < 0))

    @property
    def output(self) -> np.ndarray:
        """(R, ports) int64: the channel that leaves by each port; -1: none."""
        channels = np.full((self.routers, self.ports), -1, np.int64)
        channels[self.source, self.source_port] = np.arange(self.channels)
        return channels

    def channel_name(self, channel: int) -> str:
        """The channel in words: the routers it joins."""
        return f"{self.router_name(int(self.source[channel]))} -> {self.router_name(int(self.target[channel]))}"

    def router_name(self, router: int) -> str:
        """Its coordinates, or its number in a graph."""
        if len(self.shape) < 2:
            return f"router {self.names[router] if self.names else router}"
        return f"router ({', '.join(map(str, coordinates(router, self.shape)))})"


def coordinates(router: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Of a router in a mesh or torus; x first."""
    place = []
    for size in shape:
        router, x = divmod(router, size)
        place.append(x)
    return tuple(place)


def build_topology(noc: Network) -> Topology:
    """The routers, channels and terminals of one chip.

    Raises:
        InputError: a router has too many ports, or no small-world graph as described is connected.
    """
    if noc.ports > MOST_PORTS:
        raise InputError(f"a router has {noc.ports} ports", key="topology", allowed=f"at most {MOST_PORTS}")
    spec = noc.topology
    if isinstance(spec, Grid):
        links = spec.links_of_dimensions
        return mesh_topology(
            spec.shape,
            concentration=noc.concentration,
            latency=[link.latency for link in links],
            flit_cycles=[link.flit_cycles(noc.flit_bits) for link in links],
            length_mm=[link.length_mm for link in links],
            vertical=[link.vertical for link in links],
            wrap=noc.topology.kind == "torus",
        )
    return _graph_topology(spec, noc)


def mesh_topology(
    shape: Sequence[int],
    *,
    concentration: int = 1,
    latency: int | Sequence[int] = 1,
    flit_cycles: int | Sequence[int] = 1,
    length_mm: float | Sequence[float] = 1.0,
    vertical: bool | Sequence[bool] = False,
    wrap: bool = False,
) -> Topology:
    """A mesh, or with ``wrap`` a torus, of any number of dimensions.

    A dimension of size 2 has no second channel that would wrap around, and one of size 1 has none at all.

    Args:
        shape: routers in each dimension, x first.
        concentration: terminals at each router; terminal t is at router t // concentration.
        latency, flit_cycles, length_mm, vertical: of the channels; one value, or one for each dimension.
    """
    shape = tuple(shape)
    routers, n_dimensions = math.prod(shape), len(shape)
    place = router_coordinates(shape)
    stride = np.cumprod([1, *shape[:-1]])
    columns: dict[str, list[np.ndarray]] = {"source": [], "port": [], "target": [], "dimension": []}
    for d, size in enumerate(shape):
        for port, step in ((2 * d, 1), (2 * d + 1, -1)):
            x = place[:, d]
            inside = (x + step >= 0) & (x + step < size)
            if wrap and size > 2:
                inside[:] = True
            source = np.flatnonzero(inside)
            columns["source"].append(source)
            columns["target"].append(source + ((x + step) % size - x)[source] * stride[d])
            columns["port"].append(np.full(source.size, port))
            columns["dimension"].append(np.full(source.size, d))
    source, out, target, dimension = (np.concatenate(parts).astype(np.int64) for parts in columns.values())
    order = np.lexsort((out, source))
    dimension = dimension[order]
    return Topology(
        name=f"{'torus' if wrap else 'mesh'} {'x'.join(map(str, shape))}",
        shape=shape,
        ports=2 * n_dimensions + concentration,
        position=_positions(place, shape),
        terminal_router=np.repeat(np.arange(routers), concentration),
        terminal_port=np.tile(2 * n_dimensions + np.arange(concentration), routers),
        source=source[order],
        source_port=out[order],
        target=target[order],
        target_port=out[order] ^ 1,
        latency=_by_dimension(latency, n_dimensions, np.int64)[dimension],
        flit_cycles=_by_dimension(flit_cycles, n_dimensions, np.int64)[dimension],
        length_mm=_by_dimension(length_mm, n_dimensions, np.float64)[dimension],
        dimension=dimension,
        vertical=_by_dimension(vertical, n_dimensions, np.bool_)[dimension],
    )


def router_coordinates(shape: Sequence[int]) -> np.ndarray:
    """(R, dimensions) int64: coordinates of every router of a mesh or torus; x first."""
    strides = np.cumprod([1, *shape[:-1]])
    place: np.ndarray = np.arange(math.prod(shape))[:, None] // strides % np.array(shape)
    return place


def _by_dimension(value: object, n_dimensions: int, dtype: type) -> np.ndarray:
    return np.broadcast_to(np.asarray(value, dtype), (n_dimensions,))


def _positions(place: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(R, 3) x, y and tier; tiers of a fourth dimension and more are stacked on those of the third."""
    position = np.zeros((place.shape[0], 3))
    position[:, : min(2, place.shape[1])] = place[:, :2]
    position[:, 2] = place[:, 2:] @ np.cumprod([1, *shape[2:-1]])[: len(shape[2:])]
    return position


def _graph_topology(spec: Graph | SmallWorld, noc: Network) -> Topology:
    """Ports lead to the router's neighbours, lowest first; terminals have those after the most that any router has."""
    ways = _channels(edges_of(spec))
    port_of = [{other: port for port, other in enumerate(each)} for each in neighbours(spec)]
    ways.sort(key=lambda way: (way[0], port_of[way[0]][way[1]]))
    edges = [edge for _, _, edge in ways]
    return Topology(
        name=_graph_name(spec),
        shape=(spec.routers,),
        ports=noc.ports,
        position=_places(spec),
        terminal_router=np.repeat(np.arange(spec.routers), noc.concentration),
        terminal_port=np.tile(np.arange(noc.ports - noc.concentration, noc.ports), spec.routers),
        source=np.array([a for a, _, _ in ways], np.int64),
        source_port=np.array([port_of[a][b] for a, b, _ in ways], np.int64),
        target=np.array([b for _, b, _ in ways], np.int64),
        target_port=np.array([port_of[b][a] for a, b, _ in ways], np.int64),
        latency=np.array([edge.latency for edge in edges], np.int64),
        flit_cycles=np.array([edge.flit_cycles(noc.flit_bits) for edge in edges], np.int64),
        length_mm=np.array([edge.length_mm for edge in edges], np.float64),
        dimension=np.full(len(edges), -1, np.int64),
        vertical=np.array([edge.vertical for edge in edges], np.bool_),
        names=spec.names if isinstance(spec, Graph) else (),
    )


def _channels(edges: Sequence[Edge]) -> list[tuple[int, int, Edge]]:
    """(from, to, edge) of every channel: two for an edge, unless it goes one way."""
    there = [(*edge.ends, edge) for edge in edges]
    return there + [(b, a, edge) for a, b, edge in there if not edge.one_way]


def _graph_name(spec: Graph | SmallWorld) -> str:
    if isinstance(spec, SmallWorld):
        return f"small world of {spec.routers} routers"
    return f"graph {spec.file}" if spec.file else f"graph of {spec.routers} routers"


def _places(spec: Graph | SmallWorld) -> np.ndarray:
    """(R, 3) as given; else a circle on which neighbours are sqrt(2) apart, so that squares do not overlap."""
    if isinstance(spec, Graph) and spec.places:
        return np.array(spec.places)[: spec.routers]
    angle = 2 * np.pi * np.arange(spec.routers) / spec.routers
    radius = spec.routers / (np.sqrt(2) * np.pi)
    return np.column_stack([radius * (1 + np.sin(angle)), radius * (1 - np.cos(angle)), np.zeros(spec.routers)])
