"""Records of a network-on-chip: its topology, its routers, its routing, and what moving a flit costs."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pimsim.config.base import MOST_CYCLES, Count, Cycles, Delay, Fraction, Index, NotNegative, Spec

MOST_ROUTERS = 8192  #: of one chip; routing tables hold an entry for every pair of them, 256 MiB here

Allocator = Literal["islip", "separable_input_first", "separable_output_first"]


class Router(Spec):
    """An input-queued wormhole router with virtual channels and credit flow control.

    The defaults are those of BookSim 2 (Jiang et al., ISPASS 2013): one cycle a stage, 4 virtual channels of 8 flits.
    """

    vcs: Annotated[int, Field(ge=1, le=32, strict=True)] = 4  #: virtual channels of an input
    vc_buffer: Count = 8  #: flits that a virtual channel holds
    routing_cycles: Delay = 1  #: head flit at the input to virtual-channel allocation; 0: lookahead routing
    vc_allocation_cycles: Cycles = 1
    switch_allocation_cycles: Cycles = 1
    traversal_cycles: Cycles = 1  #: through the crossbar
    credit_cycles: Delay = 0  #: extra delay of a credit, beside its link
    inject_latency: Cycles = 1  #: cycles of the link from a terminal to its router
    eject_latency: Cycles = 1  #: cycles of the link from a router to a terminal
    vc_allocator: Allocator = "islip"
    switch_allocator: Allocator = "islip"
    iterations: Count = 1  #: of iSLIP, in both allocators
    speculative: bool = False  #: a head asks for the switch while it asks for a virtual channel
    routing_in_batches: bool = False
    """True: a router takes the next heads only when its last ones are routed, as BookSim 2 does with a routing delay
    over 1; False: it takes some every cycle."""

    @property
    def pipeline_cycles(self) -> int:
        """Head flit: at an input of the router to out of its crossbar, when nothing is in its way."""
        hidden = min(self.vc_allocation_cycles, self.switch_allocation_cycles) if self.speculative else 0
        return (
            self.routing_cycles + self.vc_allocation_cycles + self.switch_allocation_cycles
            + self.traversal_cycles - hidden
        )  # fmt: skip

    @model_validator(mode="after")
    def _batches_need_a_delay(self) -> Router:
        if self.routing_in_batches and self.routing_cycles < 2:
            raise ValueError("routing_in_batches makes a difference only with routing_cycles of 2 and more")
        return self


class Link(Spec):
    """A channel between two routers, in each direction."""

    latency: Cycles = 1  #: cycles from the crossbar of one router to the input of the next
    width_bits: Count | None = None  #: bits it carries in a clock; None: flit_bits
    length_mm: NotNegative = 1.0  #: for its energy
    vertical: bool = False  #: between tiers, through silicon

    def flit_cycles(self, flit_bits: int) -> int:
        """Cycles for which one flit occupies the channel."""
        return math.ceil(flit_bits / self.width_bits) if self.width_bits else 1


class Grid(Spec):
    """What mesh and torus share: routers in rows, columns, tiers."""

    shape: Annotated[tuple[Count, ...], Field(min_length=1, max_length=8)]  #: routers in each dimension, x first
    links: Annotated[tuple[Link, ...], Field(min_length=1)] = (Link(),)  #: one for each dimension, or one for all

    @model_validator(mode="after")
    def _one_link_for_each_dimension(self) -> Grid:
        _refuse_too_many(self.routers)
        if len(self.links) not in (1, len(self.shape)):
            raise ValueError(f"links has {len(self.links)} items for {len(self.shape)} dimensions: give 1, or one each")
        return self

    @property
    def routers(self) -> int:
        """Routers of a chip."""
        return math.prod(self.shape)

    @property
    def links_of_dimensions(self) -> tuple[Link, ...]:
        """One for each dimension."""
        return self.links if len(self.links) == len(self.shape) else self.links * len(self.shape)


class Mesh(Grid):
    """Routers joined to their neighbours in each dimension."""

    kind: Literal["mesh"]  #: neighbours are joined


class Torus(Grid):
    """A mesh whose dimensions are rings."""

    kind: Literal["torus"]  #: neighbours are joined, and the ends of each dimension


class Edge(Link):
    """Two routers of a graph that are joined."""

    ends: tuple[Index, Index]  #: routers
    one_way: bool = False  #: a channel from the first to the second alone


class Graph(Spec):
    """Any graph, from a file or written out."""

    kind: Literal["graph"]  #: edges are given
    file: str | None = None
    #: an edge list, GraphML (.graphml) or JSON node-link (.json), relative to the file that names it; read when edges
    #: are not given.  Edges may have the attributes latency, width_bits, length_mm and vertical
    edges: tuple[Edge, ...] = ()  #: what is joined; taken from the file
    names: tuple[str, ...] = ()  #: of the routers; taken from the file
    places: tuple[tuple[float, float, float], ...] = ()
    #: x, y and tier of the routers, for pictures; taken from the file's node attributes x, y and z

    @model_validator(mode="after")
    def _edges_are_sound(self) -> Graph:
        if not self.edges and len(self.names) != 1:
            raise ValueError("a graph needs a file, or edges")
        _refuse_too_many(self.routers)
        for given, what in ((self.names, "names"), (self.places, "places")):
            if given and len(given) < self.routers:
                raise ValueError(f"{what} has {len(given)} items for {self.routers} routers")
        seen: set[tuple[int, int]] = set()
        for edge in self.edges:
            ways = [edge.ends] if edge.one_way else [edge.ends, edge.ends[::-1]]
            if edge.ends[0] == edge.ends[1] or not seen.isdisjoint(ways):
                raise ValueError(f"the edge {list(edge.ends)} joins a router to itself, or is there twice")
            seen.update(ways)
        return self

    @property
    def routers(self) -> int:
        """Routers of a chip."""
        return max(len(self.names), 1 + max((max(edge.ends) for edge in self.edges), default=0))


class SmallWorld(Spec):
    """A ring whose routers are joined to their nearest neighbours, some of these edges led elsewhere at random
    (Watts and Strogatz 1998), as networkx draws it."""

    kind: Literal["small_world"]  #: a ring with shortcuts
    routers: Annotated[Count, Field(ge=3)]  #: routers of a chip
    neighbours: Annotated[Count, Field(ge=2)]  #: each router's in the ring, an even number
    rewiring: Fraction  #: share of the edges that lead elsewhere
    seed: Index = 0  #: of the random choice
    link: Link = Link()  #: every channel

    @model_validator(mode="after")
    def _neighbours_fit(self) -> SmallWorld:
        _refuse_too_many(self.routers)
        if self.neighbours % 2 or self.neighbours >= self.routers:
            raise ValueError(f"neighbours must be an even number below the {self.routers} routers")
        return self


Topology = Annotated[Mesh | Torus | Graph | SmallWorld, Field(discriminator="kind")]


def links_of(topology: Mesh | Torus | Graph | SmallWorld) -> tuple[Link, ...]:
    """The channels as they are described; a random graph's are all alike."""
    if isinstance(topology, Grid):
        return topology.links
    return topology.edges if isinstance(topology, Graph) else (topology.link,)


def _refuse_too_many(routers: int) -> None:
    if routers > MOST_ROUTERS:
        raise ValueError(f"{routers:,} routers are too many: at most {MOST_ROUTERS:,}, for the size of routing tables")


class DimensionOrder(Spec):
    """One dimension after the other; in a mesh or torus."""

    kind: Literal["dimension_order"]  #: one dimension after the other
    order: tuple[Index, ...] | None = None  #: the dimensions, first to last; None: x, y, z
    dateline: bool = True  #: torus: halves of the virtual channels keep rings from closing


class MinimalAdaptive(Spec):
    """Any shortest way, with an escape: dimension order in a mesh, up*/down* elsewhere (Duato 1993)."""

    kind: Literal["minimal_adaptive"]  #: any shortest way, and an escape
    escape_vcs: Count = 1  #: virtual channels that only the escape uses
    order: tuple[Index, ...] | None = None  #: mesh: dimensions of the escape, first to last; None: x, y, z
    root: Index = 0  #: elsewhere: root of the escape's tree


class ShortestPath(Spec):
    """Tables of shortest paths, in hops."""

    kind: Literal["shortest_path"]  #: tables of shortest paths


class UpDown(Spec):
    """First towards the root of a breadth-first tree, then away from it (Autonet; Schroeder et al. 1991)."""

    kind: Literal["up_down"]  #: up a tree, then down
    root: Index = 0  #: router at the top


Routing = Annotated[DimensionOrder | MinimalAdaptive | ShortestPath | UpDown, Field(discriminator="kind")]


class NetworkEnergy(Spec):
    """What moving a flit costs, part by part; takes the place of the energy that follows from a router's power."""

    buffer_write_pj_per_bit: NotNegative  #: into an input's buffer
    buffer_read_pj_per_bit: NotNegative  #: out of it
    crossbar_pj_per_bit: NotNegative  #: through the crossbar
    arbitration_pj_per_flit: NotNegative  #: routing and allocation, for each flit
    link_pj_per_bit_mm: NotNegative  #: over a channel within a tier, for each mm
    tsv_pj_per_bit: NotNegative  #: over a vertical channel
    source: str = Field(min_length=1)  #: where the figures are from


class Network(Spec):
    """The network of a chip: routers, what joins them, and the terminals at each."""

    topology: Topology
    concentration: Count = 1  #: terminals (tiles) at one router
    flit_bits: Count  #: bits a router moves in a clock
    clock_ghz: Annotated[float, Field(ge=1e-6, le=1e9, strict=True)]
    header_flits: Index = 1  #: flits a packet carries beside its data
    packet_flits: Count | None = None
    #: longest packet, header included; longer messages are cut in several; None: vc_buffer of the router
    multicast: Literal["tree", "unicast"] = "tree"
    #: what several tiles need: one packet that branches, or one each
    io_router: tuple[Index, ...] | Index = 0  #: router at which the chip's links and the host attach: [x, y], or number
    router: Router = Router()
    routing: Routing | None = None  #: None: dimension_order in a mesh or torus, up_down elsewhere
    energy: NetworkEnergy | None = None  #: None: as the router's power says

    @model_validator(mode="after")
    def _keys_agree(self) -> Network:
        self._check_io_router()
        self._check_routing()
        self._check_widths()
        if self.packet_flits is not None and self.packet_flits <= self.header_flits:
            raise ValueError(f"packet_flits is {self.packet_flits}: no room beside header_flits of {self.header_flits}")
        return self

    def _check_io_router(self) -> None:
        given, topology = self.io_router, self.topology
        if isinstance(given, int):
            inside = given < self.routers
        else:
            inside = len(given) == len(self.shape) and all(x < n for x, n in zip(given, self.shape, strict=True))
        if not inside:
            shown = given if isinstance(given, int) else list(given)
            raise ValueError(f"io_router {shown} lies outside the {topology.kind} {list(self.shape)}")

    def _check_routing(self) -> None:
        routing, grid = self.routing, isinstance(self.topology, Grid)
        if isinstance(routing, DimensionOrder) and not grid:
            raise ValueError(f"routing: dimension_order needs a mesh or torus, not a {self.topology.kind}: "
                             "take shortest_path, up_down or minimal_adaptive")  # fmt: skip
        order = getattr(routing, "order", None)
        if order is not None and sorted(order) != list(range(len(self.shape))):
            raise ValueError(f"routing.order {list(order)} must name each of the dimensions 0 to "
                             f"{len(self.shape) - 1} once")  # fmt: skip
        if getattr(routing, "root", 0) >= self.routers:
            raise ValueError(f"routing.root {routing.root} is not one of the {self.routers} routers")  # type: ignore[union-attr]
        if isinstance(routing, MinimalAdaptive) and routing.escape_vcs >= self.router.vcs:
            raise ValueError(f"escape_vcs is {routing.escape_vcs}: router.vcs must be larger, not {self.router.vcs}")

    def _check_widths(self) -> None:
        for link in links_of(self.topology):
            if link.flit_cycles(self.flit_bits) > MOST_CYCLES:
                raise ValueError(f"a flit of {self.flit_bits:,} bits would hold a link of width_bits {link.width_bits} "
                                 f"for over {MOST_CYCLES:,} cycles: take wider links, or smaller flits")  # fmt: skip

    @property
    def shape(self) -> tuple[int, ...]:
        """Routers in each dimension; of a graph, their number."""
        return self.topology.shape if isinstance(self.topology, Grid) else (self.topology.routers,)

    @property
    def routers(self) -> int:
        """Routers of a chip."""
        return self.topology.routers

    @property
    def terminals(self) -> int:
        """Places for tiles on a chip."""
        return self.routers * self.concentration

    @property
    def ports(self) -> int:
        """Ports of a router: to its neighbours (of a graph, the most that any has), and to its terminals."""
        if isinstance(self.topology, Grid):
            return 2 * len(self.shape) + self.concentration
        from pimsim.config.graphs import neighbours  # networkx is loaded only where a graph is used

        return max(map(len, neighbours(self.topology))) + self.concentration

    @property
    def io_number(self) -> int:
        """Number of the router at which the chip's links and the host attach."""
        if isinstance(self.io_router, int):
            return self.io_router
        return sum(x * math.prod(self.shape[:d]) for d, x in enumerate(self.io_router))

    @property
    def routing_or_default(self) -> DimensionOrder | MinimalAdaptive | ShortestPath | UpDown:
        """The routing, with the default filled in."""
        if self.routing is not None:
            return self.routing
        grid = isinstance(self.topology, Grid)
        return DimensionOrder(kind="dimension_order") if grid else UpDown(kind="up_down")

    @property
    def longest_packet(self) -> int:
        """Flits of the longest packet, header included."""
        return self.packet_flits if self.packet_flits is not None else self.router.vc_buffer

    @property
    def inject_cycles(self) -> int:
        """Head flit: terminal to the input of its router, when nothing is in its way."""
        return 1 + self.router.inject_latency

    @property
    def eject_cycles(self) -> int:
        """Head flit: input of its last router to its terminal, when nothing is in its way."""
        return self.router.pipeline_cycles + self.router.eject_latency

    def hop_cycles(self, latency: int = 1, flit_cycles: int = 1) -> int:
        """Head flit: input of a router to the input of the next over a channel, when nothing is in its way."""
        return self.router.pipeline_cycles + latency + flit_cycles - 1
