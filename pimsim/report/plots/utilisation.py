"""How busy each tile is: crossbars that read, GPU cores that work; chips side by side, tiles at their routers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from pimsim.report.labels import run_title
from pimsim.report.plots.dark import means_values
from pimsim.report.plots.style import DARK, GREY, LIGHT
from pimsim.results.record import Result, TileMap

_GAP = 1.5  #: between chips, in tiles
_DIGITAL = "#F3D9E6"  #: tiles without a crossbar in use
CROSSBARS: Colormap = colormaps["viridis"]
CORES: Colormap = LinearSegmentedColormap.from_list("cores", colormaps["Oranges"](np.linspace(0.2, 1, 64)))
"""Colours of GPU cores: those of no crossbar, and not so light that they are lost on a light page."""
_PLAIN: tuple[tuple[str, Callable[..., np.ndarray], dict[str, Any]], ...] = (
    ("not used", lambda used, core: used < 0, {"facecolor": LIGHT, "edgecolor": GREY, "hatch": "////"}),
    ("digital operations only", lambda used, core: (used == 0) & ~core, {"facecolor": _DIGITAL, "edgecolor": GREY}),
)
"""Tiles without a value: name, which these are, how they look."""
_SCALES: tuple[tuple[str, Callable[..., np.ndarray], Colormap], ...] = (
    ("crossbars in use: share of the run in which they read [%]", lambda used, core: used > 0, CROSSBARS),
    ("GPU cores in use: share of the run in which they work [%]", lambda used, core: (used >= 0) & core, CORES),
)
"""Tiles with a value: its name, which these are, colours."""
_LARGE, _SMALL, _WIDE = 0.32, 0.17, 6.0  #: a tile of few, and of many [inch]; how wide few may be
_BAR, _ROW = 0.14, 0.62  #: height of a scale, and of a scale with its words [inch]


def draw(result: Result) -> Figure:
    """One square a tile; crossbars and GPU cores have a scale each."""
    tiles = result.tiles
    x, y = _places(tiles)
    width, height = float(x.max()) + 1, float(y.max()) + 1
    across = min(13.0, max(3.6, _SMALL * width, min(_LARGE * width, _WIDE)))
    down = (across * (height + 2) / (width + 0.9)) + 0.1
    figure = Figure(figsize=(across, down))  # the title, scales and legend are around it: saving makes room for them
    axes = figure.add_axes((0, 0, 1, 1))
    used, share = np.array(tiles.crossbars_used), 100 * np.array(tiles.busy_share)
    core = np.isin(np.arange(used.size), tiles.gpu_cores)
    squares = [Rectangle((left, top), 0.92, 0.92) for left, top in zip(x, y, strict=True)]
    plain = {name: look for name, which, look in _PLAIN if _fill(axes, squares, which(used, core), **look)}
    scales = [(words, which(used, core), colours) for words, which, colours in _SCALES]
    scales = [scale for scale in scales if scale[1].any()]
    for n, (words, which, colours) in enumerate(scales):
        of = Normalize(0, max(float(share[which].max()), 1e-9))
        _fill(axes, squares, which, valued=True, facecolor=colours(of(share[which])), edgecolor=GREY)
        place = (0, -(_ROW * n + _BAR + 0.1) / down, min(4.0, across) / across, _BAR / down)
        bar = figure.colorbar(ScalarMappable(of, colours), cax=figure.add_axes(place), orientation="horizontal")
        bar.set_label(words, loc="left", fontsize=8)
        bar.ax.tick_params(labelsize=8)
    _name_chips(axes, tiles, x, y)
    axes.set_xlim(-0.5, width + 0.4)
    axes.set_ylim(height + 0.4, -1.6)
    axes.set_aspect("equal")
    axes.axis("off")
    axes.set_title(f"{run_title(result)}\n{message(result)}")
    if plain:
        below = (0, -(_ROW * len(scales) + 0.15) / down)
        handles = [Patch(label=name, **look) for name, look in plain.items()]
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=below, ncols=2, borderaxespad=0.2)
    return figure


def message(result: Result) -> str:
    """What the picture shows, in a sentence."""
    usage, tiles = result.usage, result.tiles
    parts = [f"Crossbars in use read {usage.crossbar_busy_share:.1%} of the run"] if usage.crossbars_used else []
    cores = [tiles.busy_share[core] for core in tiles.gpu_cores if tiles.crossbars_used[core] >= 0]
    if cores:
        parts.append(f"GPU cores in use work {np.mean(cores):.0%} of {'it' if parts else 'the run'}")
    return ", ".join(parts) or "No tile is in use"


def _places(tiles: TileMap) -> tuple[np.ndarray, np.ndarray]:
    """(tiles,) x and (tiles,) y of each tile's square: its chip, its router, its place at the router.

    The tiers of a chip lie side by side.
    """
    columns = chip_columns(tiles)
    across = math.ceil(math.sqrt(tiles.concentration))
    down = math.ceil(tiles.concentration / across)
    chip, tile = np.divmod(np.arange(tiles.chips * tiles.tiles_per_chip), tiles.tiles_per_chip)
    router, place = np.divmod(tile, tiles.concentration)
    places = np.array(tiles.router_places)
    tier_width, height = (places[:, :2].max(axis=0) + 1) * (across, down)
    width = (tier_width + _GAP / 2) * (places[:, 2].max() + 1) - _GAP / 2
    x = places[router, 0] * across + places[router, 2] * (tier_width + _GAP / 2) + place % across
    y = places[router, 1] * down + place // across
    x = x + (chip % columns) * (width + _GAP)
    y = y + (chip // columns) * (height + _GAP + 0.6)
    return x, y


def chip_columns(tiles: TileMap) -> int:
    """Chips side by side: as they are joined; those of a ring in rows."""
    return min(tiles.chips, tiles.chip_columns or math.ceil(math.sqrt(tiles.chips)))


def _fill(
    axes: Axes, squares: list[Rectangle], which: np.ndarray, *, valued: bool = False, **look: Any
) -> bool:  # fmt: skip
    """Draw some of the squares; whether there are any."""
    chosen = [square for square, there in zip(squares, which, strict=True) if there]
    if chosen:
        found = axes.add_collection(PatchCollection(chosen, linewidth=0.3, **look))
        if valued:
            means_values(found)
    return bool(chosen)


def _name_chips(axes: Axes, tiles: TileMap, x: np.ndarray, y: np.ndarray) -> None:
    """Chips above their tiles, where there are several; tiers of a chip with what they are of."""
    tier = np.array(tiles.router_places)[np.arange(tiles.tiles_per_chip) // tiles.concentration, 2].astype(np.int64)
    cores = np.isin(np.arange(tiles.chips * tiles.tiles_per_chip), tiles.gpu_cores)
    stacked = tier.max() > 0
    for chip in range(tiles.chips):
        own = chip * tiles.tiles_per_chip + np.arange(tiles.tiles_per_chip)
        if tiles.chips > 1 or not stacked:
            top = y[own].min() - (1.0 if stacked else 0.25)
            axes.text(x[own].min(), top, f"chip {chip}", fontsize=8, color=DARK, va="bottom")
        for n in range(tier.max() + 1) if stacked else ():
            there = own[tier == n]
            kind = "GPU tier" if cores[there].all() else "tier" if cores[there].any() else "ReRAM tier"
            axes.text(x[there].min(), y[there].min() - 0.2, f"{kind} {n}", fontsize=7, color=DARK, va="bottom")
