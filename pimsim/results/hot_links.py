"""The links that carry most, and for whom: which layer sends to which over them."""

from __future__ import annotations

import numpy as np

from pimsim.mapping.program import Program
from pimsim.mapping.timing import Timing
from pimsim.network.fabric import Fabric
from pimsim.results.counting import flits_of_edges
from pimsim.results.sending import Sending
from pimsim.results.traffic_record import LayerPair, LinkTraffic

HOTTEST = 10  #: links that are named with what goes over them
MOST_PAIRS = 3  #: pairs of layers that are named for each


def hottest_links(program: Program, timing: Timing, sent: Sending, run_ps: int) -> tuple[LinkTraffic, ...]:
    """The links that are busy longest, longest first; on an ideal network, those with most bytes.

    Bytes are those of one inference or iteration; a multicast counts once on a link.
    """
    fabric = program.fabric
    bytes_of_edge = _bytes_of_edges(program, sent)
    load = _on_links(program, bytes_of_edge)
    busy = None if program.network == "ideal" or run_ps == 0 else timing.ports["link"].busy_ps / run_ps
    order = np.argsort(-(load if busy is None else busy), kind="stable")[:HOTTEST]
    links = order[load[order] > 0]
    pairs = _pairs(program, sent, links, bytes_of_edge)
    vertical = np.zeros(fabric.n_links, bool)
    vertical[fabric.first_channel : fabric.first_chip_link] = np.tile(fabric.topology.vertical, fabric.chips)
    return tuple(
        LinkTraffic(
            name=link_name(fabric, link, program.on_gpu), vertical=bool(vertical[link]), bytes=int(load[link]),
            busy_share=None if busy is None else float(busy[link]), pairs=found,
        )
        for link, found in zip(links.tolist(), pairs, strict=True)
    )  # fmt: skip


def bytes_of_links(program: Program, sent: Sending) -> np.ndarray:
    """(n_links,) int64: bytes over each link in one inference or iteration."""
    return _on_links(program, _bytes_of_edges(program, sent))


def _on_links(program: Program, bytes_of_edge: np.ndarray) -> np.ndarray:
    link = program.priced_trees.link
    load = np.zeros(program.fabric.n_links, np.int64)
    np.add.at(load, link[link >= 0], bytes_of_edge[link >= 0])
    return load


def link_name(fabric: Fabric, link: int, on_gpu: np.ndarray) -> str:
    """The places that a link joins: routers by their coordinates, or a tile and its router."""
    topology = fabric.topology
    if link >= fabric.first_chip_link:
        return fabric.link_name(link)
    channel = fabric.channel_of(link)
    if channel is not None:
        ends = topology.source[channel[1]], topology.target[channel[1]]
        words = " -> ".join(_router(fabric, int(router)) for router in ends)
        return f"chip {channel[0]}: {words}" if fabric.chips > 1 else words
    tile = link % fabric.n_tiles
    router = _router(fabric, tile % fabric.tiles // fabric.concentration)
    named = f"{'GPU core' if on_gpu[tile] else 'ReRAM'} of tile {tile}"
    return f"{named} -> {router}" if link < fabric.n_tiles else f"{router} -> {named}"


def _router(fabric: Fabric, router: int) -> str:
    return fabric.topology.router_name(router).removeprefix("router ")


def _bytes_of_edges(program: Program, sent: Sending) -> np.ndarray:
    """(edges,) of the priced trees."""
    trees = program.priced_trees
    of_edge = np.repeat(np.arange(trees.roots.size), np.diff(trees.first))
    found: np.ndarray = flits_of_edges(program) * sent.uses[of_edge] * program.system.chip.noc.flit_bits // 8
    return found


def _pairs(
    program: Program, sent: Sending, links: np.ndarray, bytes_of_edge: np.ndarray
) -> list[tuple[LayerPair, ...]]:
    """Of each link, the pairs of layers with most bytes over it."""
    trees = program.priced_trees
    rank = np.full(program.fabric.n_links, -1, np.int64)
    rank[links] = np.arange(links.size)
    edges = np.flatnonzero((trees.link >= 0) & (rank[trees.link] >= 0) & (bytes_of_edge > 0))
    of_edge = np.searchsorted(trees.first, edges, side="right") - 1
    names, whole = _whole_layers(program)
    at, leaf = _leaves_behind(program, edges)
    row, layer = _readers(program, leaf)
    reached = np.unique(np.column_stack([at[row], whole[layer]]), axis=0)  # a layer on several tiles counts once
    edge = edges[reached[:, 0]]
    key = np.column_stack([rank[trees.link[edge]], whole[sent.layer[of_edge[reached[:, 0]]]], reached[:, 1]])
    ways, of_way = np.unique(key, axis=0, return_inverse=True)
    total = np.zeros(ways.shape[0], np.int64)
    np.add.at(total, of_way.reshape(-1), bytes_of_edge[edge])
    found: list[tuple[LayerPair, ...]] = []
    for n in range(links.size):
        own = np.flatnonzero(ways[:, 0] == n)
        most = own[np.argsort(-total[own], kind="stable")[:MOST_PAIRS]]
        found.append(tuple(LayerPair(names[ways[i, 1]], names[ways[i, 2]], int(total[i])) for i in most))
    return found


def _whole_layers(program: Program) -> tuple[list[str], np.ndarray]:
    """Names of layers without the numbers of their parts, and (layers,) index into them."""
    of_layer = [layer.name.partition(":")[0] for layer in program.layers]
    names = list(dict.fromkeys(of_layer))
    number = {name: n for n, name in enumerate(names)}
    return names, np.array([number[name] for name in of_layer], np.int64)


def _leaves_behind(program: Program, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leaves that are reached over each of some edges of the priced trees: (n,) index into ``edges``, (n,) leaf."""
    trees = program.priced_trees
    at, ahead = np.arange(edges.size), edges
    of_edge, leaves = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    while ahead.size:
        ends = trees.target[ahead] >= 0
        of_edge.append(at[ends])
        leaves.append(trees.target[ahead[ends]])
        counts = trees.child_hi[ahead] - trees.child_lo[ahead]
        at = np.repeat(at, counts)
        ahead = _ranges(trees.child_lo[ahead], counts)
    return np.concatenate(of_edge), np.concatenate(leaves)


def _readers(program: Program, leaf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Layers that some leaves are for: (n,) index into ``leaf``, (n,) layer.  Partial sums are for the layer itself."""
    leaves, replicas = program.leaves, program.replicas
    partial = leaves.slice[leaf] >= 0
    own = np.flatnonzero(partial)
    of_slices = replicas.layer[program.slices.replica[leaves.slice[leaf[own]]]]
    data = np.flatnonzero(~partial)
    counts = leaves.entry_first[leaf[data] + 1] - leaves.entry_first[leaf[data]]
    entry = leaves.entry[_ranges(leaves.entry_first[leaf[data]], counts)]
    row = np.repeat(data, counts)
    window = np.append(program.message, 0)[program.message_first[leaves.tree[leaf[row]]]]
    buffer = program.entry_buffer[program.windows.entry_first[window] + entry]
    return np.concatenate([own, row]), np.concatenate([of_slices, replicas.layer[program.buffers.replica[buffer]]])


def _ranges(first: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """first[0]..first[0] + counts[0] - 1, and so on, in one array."""
    before = np.cumsum(counts) - counts
    return np.repeat(first - before, counts) + np.arange(int(counts.sum()))
