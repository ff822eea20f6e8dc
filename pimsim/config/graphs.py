"""Graphs of routers: read from files, or drawn at random.  networkx is loaded only when one is needed."""

from __future__ import annotations

import ast
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pimsim.config.network import MOST_ROUTERS, Edge, Graph, SmallWorld
from pimsim.errors import InputError, shown

if TYPE_CHECKING:
    import networkx as nx

_ATTRIBUTES = ("latency", "width_bits", "length_mm", "vertical")
_TRIES = 100  #: random graphs that are drawn until one is connected
_MAX_BYTES = 32 * 2**20


@lru_cache(maxsize=16)
def edges_of(topology: Graph | SmallWorld) -> tuple[Edge, ...]:
    """The edges: given, or drawn; the same seed gives the same graph."""
    if isinstance(topology, Graph):
        return topology.edges
    import networkx as nx

    try:
        graph = nx.connected_watts_strogatz_graph(
            topology.routers, topology.neighbours, topology.rewiring, tries=_TRIES, seed=topology.seed
        )
    except nx.NetworkXError:
        raise InputError(
            f"none of {_TRIES} small-world graphs of {topology.routers} routers with {topology.neighbours} neighbours "
            "is connected", key="topology.neighbours", allowed="more neighbours, or less rewiring",
        ) from None  # fmt: skip
    return tuple(Edge(ends=edge, **topology.link.model_dump()) for edge in sorted(graph.edges))


@lru_cache(maxsize=16)
def neighbours(topology: Graph | SmallWorld) -> tuple[tuple[int, ...], ...]:
    """For each router those it is joined to, in either direction, lowest first: its ports, in this order."""
    found: list[set[int]] = [set() for _ in range(topology.routers)]
    for edge in edges_of(topology):
        a, b = edge.ends
        found[a].add(b)
        found[b].add(a)
    return tuple(tuple(sorted(each)) for each in found)


def read_graph(path: str | Path) -> dict[str, Any]:
    """The keys ``edges``, ``names`` and ``places`` of a :class:`~pimsim.config.network.Graph`, from a file.

    ``.graphml``: GraphML; ``.json``: networkx's node-link data; anything else: a line an edge, two names and perhaps a
    mapping such as ``{'latency': 2}``; ``#`` begins a comment.  Routers are numbered in the order of their names if
    these are whole numbers, else as they appear.  Attributes other than latency, width_bits, length_mm and vertical of
    edges, and x, y, z of nodes, are ignored.

    Raises:
        InputError: the file cannot be read, or an attribute is not of its kind.
    """
    graph = _parsed(Path(path))
    if graph.number_of_nodes() > MOST_ROUTERS:
        raise InputError(f"{graph.number_of_nodes():,} routers", file=path, allowed=f"at most {MOST_ROUTERS:,}")
    numbers = [_as_number(node) for node in graph.nodes]
    nodes = list(graph.nodes)
    if None not in numbers:
        nodes = [node for _, node in sorted(zip(numbers, nodes, strict=True), key=lambda pair: pair[0])]  # type: ignore[arg-type, return-value]
    index = {node: i for i, node in enumerate(nodes)}
    found: dict[str, Any] = {"edges": [_edge(a, b, data, index, graph.is_directed(), path)
                                       for a, b, data in graph.edges(data=True)]}  # fmt: skip
    numbered = sorted(n for n in numbers if n is not None) == list(range(len(nodes)))
    joined = max(index[node] for edge in graph.edges for node in edge)
    if not numbered or joined < len(nodes) - 1:  # edges alone do not tell of the last router, if none leads there
        found["names"] = [str(node) for node in nodes]
    if nodes and all({"x", "y"} <= graph.nodes[node].keys() for node in nodes):
        found["places"] = [[_number(graph.nodes[node].get(axis, 0), axis, path) for axis in "xyz"] for node in nodes]
    return found


def _as_number(node: Any) -> int | None:
    return int(node) if isinstance(node, int) or (isinstance(node, str) and node.isdecimal()) else None


def _edge(a: Any, b: Any, data: dict[str, Any], index: dict[Any, int], one_way: bool, path: object) -> dict[str, Any]:
    edge: dict[str, Any] = {"ends": [index[a], index[b]]}
    if one_way:
        edge["one_way"] = True
    for name in _ATTRIBUTES:
        if name in data:
            edge[name] = _attribute(name, data[name], f"edge {a} - {b}", path)
    return edge


def _attribute(name: str, value: Any, where: str, path: object) -> Any:
    """A value that may have been written as text or as a real number, as GraphML has it."""
    if name == "vertical" and value in (True, False):
        return bool(value)
    if name != "vertical":
        number = _number(value, f"{where}: {name}", path)
        if name == "length_mm" or number == int(number):
            return number if name == "length_mm" else int(number)
    raise InputError(f"{shown(value)} is not allowed", file=path, key=f"{where}: {name}",
                     allowed="true or false" if name == "vertical" else "a whole number")  # fmt: skip


def _number(value: Any, key: str, path: object) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not abs(number) <= 1e9:
        raise InputError(f"{shown(value)} is not allowed", file=path, key=key, allowed="a number up to 1e9")
    return number


def _parsed(path: Path) -> nx.Graph:
    text = _text(path)
    reader = {".graphml": _graphml, ".json": _node_link}.get(path.suffix.lower(), _edge_list)
    try:
        graph = reader(text)
    except InputError as error:
        raise InputError(error.what, file=path, line=error.line, allowed=error.allowed) from None
    except Exception as error:  # whatever a parser says of a file that is not what its name promises
        raise InputError(f"not a graph: {error}", file=path, allowed=_FORMATS) from None
    if graph.is_multigraph():
        raise InputError("two edges join the same routers", file=path, allowed="one, with a width of its own")
    if graph.number_of_edges() == 0:
        raise InputError("the graph has no edges", file=path, allowed=_FORMATS)
    return graph


_FORMATS = "an edge list, GraphML (.graphml) or node-link data (.json)"


def _text(path: Path) -> str:
    try:
        if os.path.getsize(path) > _MAX_BYTES:
            raise InputError("is too large", file=path, allowed=f"at most {_MAX_BYTES // 2**20} MiB")
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from None
    except ValueError:
        raise InputError("not UTF-8 text", file=path, allowed=_FORMATS) from None


def _graphml(text: str) -> nx.Graph:
    import networkx as nx

    return nx.parse_graphml(text)


def _node_link(text: str) -> nx.Graph:
    """Node-link data; the edges stand under ``edges`` or, as networkx wrote them before 3.4, under ``links``."""
    import networkx as nx

    data = json.loads(text)
    edges = data.get("edges", data.get("links", [])) if isinstance(data, dict) else None
    if edges is None or not _are_records(data.get("nodes"), "id") or not _are_records(edges, "source", "target"):
        raise InputError("not a graph: it needs nodes: [{id: ...}, ...] and edges: [{source: ..., target: ...}, ...]",
                         allowed=_FORMATS)  # fmt: skip
    graph = nx.DiGraph() if data.get("directed") else nx.Graph()
    for node in data["nodes"]:
        graph.add_node(node["id"], **{key: value for key, value in node.items() if key != "id"})
    for edge in edges:
        _add(graph, edge["source"], edge["target"], {k: v for k, v in edge.items() if k not in ("source", "target")})
    return graph


def _are_records(value: Any, *names: str) -> bool:
    """Whether it is a list of mappings that have a router's name under each of ``names``."""
    return isinstance(value, list) and all(
        isinstance(item, dict) and all(isinstance(item.get(name), str | int | float) for name in names)
        for item in value
    )


def _edge_list(text: str) -> nx.Graph:
    import networkx as nx

    graph = nx.Graph()
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split(maxsplit=2)
        if not words:
            continue
        try:
            data = ast.literal_eval(words[2]) if len(words) == 3 else {}
            _add(graph, words[0], words[1], dict(data))
        except InputError as error:
            raise InputError(error.what, line=number, allowed=error.allowed) from None
        except Exception:  # whatever literal_eval or a missing word raises
            raise InputError(
                f"{shown(line)} is no edge", line=number, allowed="two names, and perhaps {'latency': 2}"
            ) from None
    return graph


def _add(graph: nx.Graph, a: Any, b: Any, data: dict[str, Any]) -> None:
    if graph.has_edge(a, b):
        raise InputError(f"{a} and {b} are joined twice", allowed="one edge, with a width of its own")
    graph.add_edge(a, b, **{str(key): value for key, value in data.items()})


def with_graph_file(topology: Any, origin: tuple[str, int | None], key: str) -> None:
    """Put what a graph's file holds into ``topology``, its keys as they stand in a configuration.

    Args:
        origin: file and line that name the graph's file, to whose folder its name is relative; without a line, it is
            an override, and relative to the present folder.
        key: under which it is named.

    Raises:
        InputError: the graph's file cannot be read or holds none.
    """
    if not isinstance(topology, dict) or topology.get("kind") != "graph" or topology.get("edges"):
        return
    word = topology.get("file")
    if not isinstance(word, str):
        return  # left to the checks of the record
    file, line = origin
    path = Path(word) if line is None else Path(file).parent / word
    try:
        found = read_graph(path)
    except InputError as error:
        if error.line is None and error.what.startswith("cannot be read"):
            raise InputError(f"{shown(word)} {error.what}", file=file, line=line, key=key, allowed=_FORMATS) from None
        raise
    topology.update(found)
