"""How busy the channels of a network are, as a picture of the chip: tiers side by side, routers at their places.

The two directions of a channel run beside each other, each on the right-hand side of its way.  A channel to another
tier is a small triangle at the router that it leaves; a channel around the edge of a torus is an arrow that leaves
the picture.  The square of a router is halved: what its terminals send, and what they receive.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from matplotlib.patheffects import withStroke

from pimsim.network.topology import Topology, router_coordinates
from pimsim.report.plots.dark import stays_light
from pimsim.report.plots.style import DARK, GREY, LIGHT

HEAT = ListedColormap(colormaps["YlOrRd"](np.linspace(0.12, 1, 256)))
"""Light to dark, so that it can be read in grey; the lightest of it is still seen on white."""

HALF = 0.23  #: of a router's square; neighbours are 1 apart
ASIDE = 0.09  #: of a channel, from the line between its routers
SHAFT, HEAD, HEAD_LENGTH = 0.032, 0.075, 0.15
IDLE, IDLE_WIDTH = (0.86, 0.86, 0.86, 1.0), 0.4  #: colour of an idle channel, and its width as a share of others'
NEAR, APART = 0.72, 0.56  #: routers that stand at no grid points: most neighbours, and the nearest of all
FEW = 24  #: so many routers need not stand so near
INCHES, INCHES_OF_GRAPH = 0.62, 0.5  #: of 1
STUB = 0.42  #: of a channel around the edge
GAP = 0.9  #: between tiers
MOST_TIERS = 64  #: with more different heights than that, heights are no tiers
MOST_SPRINGS = 499  #: routers that springs place; more need SciPy, and stay on their circle
MOST_LABELS = 16  #: coordinates along an edge
MOST_NAMES = 200  #: routers of a graph whose names are shown
DARK_BELOW = 0.5  #: luminance, from 0 to 1, on which letters are white


def draw(
    topology: Topology,
    flits: np.ndarray,
    cycles: float,
    title: str,
    *,
    inject: np.ndarray | None = None,
    eject: np.ndarray | None = None,
    tier_names: Sequence[str] = (),
) -> Figure:
    """One arrow a channel, coloured by the share of the cycles in which it is busy.

    Args:
        flits: (C,) that each channel carried in ``cycles``.
        inject, eject: (N,) flits from and to each terminal, if they are known.
        tier_names: (tiers,) what is on each tier, if that is known.
    """
    place, tiers = _places(topology)
    busy = 100 * flits * topology.flit_cycles / max(cycles, 1)
    ends = None
    if inject is not None and eject is not None:
        ends = [_at_routers(topology, each, cycles) for each in (inject, eject)]
    largest = max(float(each.max(initial=0.0)) for each in [busy, *(ends or [])])
    scale = Normalize(0, largest or 1.0)
    width, height = np.ptp(place, axis=0) + 1
    across = min(15.0, max(4.5, (INCHES if topology.is_grid else INCHES_OF_GRAPH) * width))
    down = min(20.0, max(2.0, across * height / width))
    figure = Figure(figsize=(across, down))
    stays_light(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    _draw_routers(axes, place, ends, scale)
    _draw_channels(axes, topology, place, tiers, busy, scale)
    _label(axes, topology, place, tiers, tier_names)
    if not topology.is_grid and topology.routers <= MOST_NAMES:
        _name_routers(axes, topology, place, ends, scale, 72 * across / width)
    axes.set_xlim(place[:, 0].min() - 0.8, place[:, 0].max() + 0.8)
    axes.set_ylim(place[:, 1].max() + 0.8, place[:, 1].min() - (1.15 if len(set(tiers)) > 1 else 0.8))
    axes.set_aspect("equal")
    axes.axis("off")
    axes.set_title(title, pad=8)
    _draw_keys(figure, across, down, topology, ends is not None, tiers, scale)
    return figure


def _places(topology: Topology) -> tuple[np.ndarray, np.ndarray]:
    """(R, 2) where each router is drawn, and (R,) its tier; neighbours are about 1 apart, in a large graph NEAR."""
    flat, height = _positions(topology), topology.position[:, 2]
    levels, tiers = np.unique(height, return_inverse=True)
    if levels.size > MOST_TIERS:
        levels, tiers = levels[:1], np.zeros(topology.routers, np.int64)
    columns = math.ceil(math.sqrt(levels.size)) if levels.size > 3 else levels.size
    size = np.ptp(flat, axis=0) + 1 + GAP
    offset = np.column_stack([tiers % columns, tiers // columns]) * size
    return flat + offset, tiers


def _positions(topology: Topology) -> np.ndarray:
    """(R, 2) within a tier."""
    flat = topology.position[:, :2]
    if topology.is_grid or topology.routers < 3:
        return flat
    if _is_plain_circle(topology) and topology.routers <= MOST_SPRINGS:
        import networkx as nx

        graph = nx.Graph(zip(topology.source.tolist(), topology.target.tolist(), strict=True))
        graph.add_nodes_from(range(topology.routers))
        found = nx.spring_layout(graph, k=1.6 / math.sqrt(topology.routers), iterations=200, seed=1)
        flat = np.array([found[router] for router in range(topology.routers)])
    return flat * _spread(flat)


def _spread(flat: np.ndarray) -> float:
    """What places (R, 2) are multiplied by, so that squares and letters are large beside the distances."""
    nearest = _nearest(flat)
    near, closest = float(np.quantile(nearest, 0.2)), float(nearest.min())  # a fifth of the routers are nearer
    if near == 0:
        return 1.0
    if len(flat) <= FEW or closest == 0:
        return 1 / near
    return min(1 / near, max(NEAR / near, APART / closest))


def _is_plain_circle(topology: Topology) -> bool:
    """Whether routers stand on a circle for want of anything better: few channels join neighbours on it."""
    flat = topology.position[:, :2]
    radius = np.linalg.norm(flat - flat.mean(axis=0), axis=1)
    apart = (topology.source - topology.target) % topology.routers
    around = np.mean((apart == 1) | (apart == topology.routers - 1))
    return bool(np.ptp(radius) < 1e-6 * radius.max() and around < 0.4)


def _nearest(flat: np.ndarray) -> np.ndarray:
    """(R,) distance of each router to the nearest other."""
    nearest = []
    for router, place in enumerate(flat):
        distance = np.hypot(*(flat - place).T)
        distance[router] = np.inf
        nearest.append(distance.min())
    return np.array(nearest)


def _at_routers(topology: Topology, flits: np.ndarray, cycles: float) -> np.ndarray:
    """(R,) per cent of the cycles in which the links of a router's terminals are busy, on average."""
    terminals = np.bincount(topology.terminal_router, minlength=topology.routers)
    total = np.bincount(topology.terminal_router, flits, topology.routers)
    busy: np.ndarray = 100 * total / np.maximum(terminals, 1) / max(cycles, 1)
    return busy


def _draw_routers(axes: Axes, place: np.ndarray, ends: list[np.ndarray] | None, scale: Normalize) -> None:
    h = HALF
    sent = np.array([(-h, -h), (h, -h), (-h, h)])
    received = np.array([(h, h), (-h, h), (h, -h)])
    for corner, busy in zip((sent, received), ends or (None, None), strict=True):
        colours = LIGHT if busy is None else HEAT(scale(busy))
        axes.add_collection(PolyCollection(place[:, None] + corner, facecolors=colours, edgecolors="none", zorder=3))
    square = np.array([(-h, -h), (h, -h), (h, h), (-h, h)])
    axes.add_collection(
        PolyCollection(place[:, None] + square, facecolors="none", edgecolors=DARK, linewidths=0.6, zorder=4)
    )


def _draw_channels(
    axes: Axes, topology: Topology, place: np.ndarray, tiers: np.ndarray, busy: np.ndarray, scale: Normalize
) -> None:
    begin, end = place[topology.source], place[topology.target]
    upright = tiers[topology.source] != tiers[topology.target]
    around = _around(topology)
    flat = ~upright & ~around
    colours = np.array(HEAT(scale(busy)))
    edges = colours * (0.75, 0.75, 0.75, 1)
    idle = busy == 0
    colours[idle], edges[idle] = IDLE, IDLE
    colours[idle & upright], edges[idle & upright] = (1, 1, 1, 1), (0.75, 0.75, 0.75, 1)  # not thinner, but hollow
    wide = np.where(idle, IDLE_WIDTH, 1.0)
    shapes = np.concatenate([
        _arrows(begin[flat], end[flat], wide[flat]),
        _stubs(topology, begin, around, wide),
        _triangles(begin[upright], tiers[topology.target][upright] > tiers[topology.source][upright]),
    ])  # fmt: skip
    channel = np.concatenate([np.flatnonzero(each) for each in (flat, around, upright)])
    order = np.argsort(busy[channel], kind="stable")  # busy ones above idle ones
    channel = channel[order]
    axes.add_collection(
        PolyCollection(
            list(shapes[order]), facecolors=colours[channel], edgecolors=edges[channel], linewidths=0.35, zorder=2
        )
    )


def _around(topology: Topology) -> np.ndarray:
    """(C,) bool: the channel of a torus that joins the ends of a row or column."""
    if not topology.is_grid:
        return np.zeros(topology.channels, bool)
    place = router_coordinates(topology.shape)
    jump: np.ndarray = np.abs(place[topology.source] - place[topology.target]).max(axis=1)
    return (jump > 1) & (topology.dimension < 2)


def _arrows(begin: np.ndarray, end: np.ndarray, wide: np.ndarray) -> np.ndarray:
    """(n, 7, 2) polygons from router to router, ``wide`` (n,) times as wide as usual."""
    way = end - begin
    length = np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
    along = way / length
    return _polygons(begin + HALF * along, along, np.maximum(length[:, 0] - 2 * HALF, 0.05), wide)


def _polygons(start: np.ndarray, along: np.ndarray, length: np.ndarray, wide: np.ndarray) -> np.ndarray:
    """(n, 7, 2) arrows, shifted to the right of their way."""
    right = np.column_stack([-along[:, 1], along[:, 0]])  # y grows downwards
    neck = np.maximum(length - HEAD_LENGTH, 0.3 * length)
    outline = [(0 * neck, -SHAFT), (neck, -SHAFT), (neck, -HEAD), (length, 0), (neck, HEAD), (neck, SHAFT),
               (0 * neck, SHAFT)]  # fmt: skip
    corners = [start + far[:, None] * along + (ASIDE + aside * wide)[:, None] * right for far, aside in outline]
    return np.stack(corners, axis=1)


def _stubs(topology: Topology, begin: np.ndarray, around: np.ndarray, wide: np.ndarray) -> np.ndarray:
    """(n, 7, 2) arrows out of the picture, for channels around the edge."""
    direction = np.zeros((topology.channels, 2))
    rows = np.flatnonzero(around)
    up = np.where(topology.source_port[rows] % 2 == 0, 1.0, -1.0)
    direction[rows, topology.dimension[rows]] = up
    along = direction[rows]
    return _polygons(begin[rows] + HALF * along, along, np.full(rows.size, STUB), wide[rows])


def _triangles(begin: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(n, 7, 2) at two corners of the router: to a higher tier above left, to a lower one below right."""
    size, off = 0.11, HALF + 0.12
    sign = np.where(up, -1.0, 1.0)[:, None]
    tip, left, right = ((0, size), (-size, -0.75 * size), (size, -0.75 * size))
    centre = begin + sign * off
    corners = [centre + sign * np.array(corner) for corner in (left, left, left, tip, right, right, right)]
    return np.stack(corners, axis=1)


def _label(
    axes: Axes, topology: Topology, place: np.ndarray, tiers: np.ndarray, tier_names: Sequence[str]
) -> None:
    """Coordinates along the edges of each tier, and the tiers' numbers."""
    several = len(set(tiers.tolist())) > 1
    for tier in sorted(set(tiers.tolist())):
        own = place[tiers == tier]
        left, top, right, bottom = own[:, 0].min(), own[:, 1].min(), own[:, 0].max(), own[:, 1].max()
        if several:
            named = f"tier {tier}: {tier_names[tier]}" if tier < len(tier_names) else f"tier {tier}"
            axes.text(left - HALF, top - 0.62, named, fontsize=8.5, color=DARK, va="bottom", weight="bold")
        if not topology.is_grid:
            continue
        off = 0.95 if np.any(_around(topology)) else 0.5
        for low, high, across in ((left, right, True), (top, bottom, False)):
            n = int(round(high - low)) + 1
            for x in range(0, n, math.ceil(n / MOST_LABELS)):
                spot = (low + x, bottom + off) if across else (left - off, low + x)
                axes.text(*spot, str(x), fontsize=7, color=GREY, ha="center", va="center")


def _name_routers(
    axes: Axes, topology: Topology, place: np.ndarray, ends: list[np.ndarray] | None, scale: Normalize, unit: float
) -> None:
    """Names in the squares of routers, as large as fits; ``unit``: points that a distance of 1 is drawn as."""
    names = topology.names or tuple(map(str, range(topology.routers)))
    longest = max(2, *map(len, names))
    size = min(9.0, max(4.5, 2 * HALF * unit / (0.68 * longest)))  # a letter is about 0.64 times as wide as tall
    halves = [np.full(topology.routers, 0.9)] if ends is None else [_luminance(HEAT(scale(busy))) for busy in ends]
    dark = np.array(halves) < DARK_BELOW
    for router, (x, y) in enumerate(place):
        on = dark[:, router]
        text = axes.text(x, y, names[router], fontsize=size, color="white" if on.all() else "black", ha="center",
                         va="center", zorder=5)  # fmt: skip
        if on.any() and not on.all():
            text.set_path_effects([withStroke(linewidth=0.25 * size, foreground="white")])


def _luminance(colours: np.ndarray) -> np.ndarray:
    """From 0 to 1, of sRGB colours (n, 4) (weights of ITU-R BT.709, on the values as they are stored)."""
    light: np.ndarray = colours[:, :3] @ (0.2126, 0.7152, 0.0722)
    return light


def _draw_keys(
    figure: Figure, across: float, down: float, topology: Topology, halves: bool, tiers: np.ndarray, scale: Normalize
) -> None:
    """The scale, and what the shapes mean, to the right of the picture."""
    tall = max(1.2, min(0.55 * down, 3.5))
    beside = figure.add_axes((1 + 0.25 / across, 1 - (tall + 0.1) / down, 0.16 / across, tall / down))
    bar = figure.colorbar(ScalarMappable(scale, HEAT), cax=beside)
    bar.set_label("busy [% of the cycles]")
    rows = [("square", "terminals: send (above)\nand receive (below)")] if halves else []
    rows += [("up", "to a higher tier"), ("down", "to a lower tier")] if len(set(tiers.tolist())) > 1 else []
    rows += [("idle", "idle channel")]
    key = figure.add_axes((1 + 0.15 / across, 1 - (tall + 0.45 + 0.3 * len(rows)) / down, 1.6 / across,
                           0.3 * len(rows) / down))  # fmt: skip
    key.set_xlim(0, 1.6 / 0.3)
    key.set_ylim(len(rows), 0)
    key.axis("off")
    for row, (shape, words) in enumerate(rows):
        _draw_key(key, shape, np.array([(0.5, row + 0.5)]))
        key.text(1.15, row + 0.5, words, fontsize=7.5, va="center", linespacing=0.95)


def _draw_key(axes: Axes, shape: str, at: np.ndarray) -> None:
    x, y = at[0]
    if shape == "square":
        for corner, tone in ((((-1, -1), (1, -1), (-1, 1)), 0.35), (((1, 1), (-1, 1), (1, -1)), 0.75)):
            axes.add_patch(Polygon(at + 0.3 * np.array(corner), facecolor=HEAT(tone), edgecolor="none"))
        axes.add_patch(Rectangle((x - 0.3, y - 0.3), 0.6, 0.6, facecolor="none", edgecolor=DARK, linewidth=0.6))
    elif shape == "idle":
        wide = np.array([2 * IDLE_WIDTH])  # the key's unit is half as large
        arrow = _polygons(np.array([(x - 0.4, y - ASIDE)]), np.array([(1.0, 0.0)]), np.array([0.8]), wide)
        axes.add_collection(PolyCollection(list(arrow), facecolors=[IDLE], edgecolors=[IDLE], linewidths=0.35))
    else:
        sign = -1 if shape == "up" else 1
        corners = at + sign * 0.28 * np.array([(-1, -0.75), (0, 1), (1, -0.75)])
        axes.add_patch(Polygon(corners, facecolor=HEAT(0.6), edgecolor="none"))
