"""How busy the crossbars of each tile are: chips side by side, tiles at their routers."""

from __future__ import annotations

import math

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from pimsim.report.labels import run_title
from pimsim.report.plots.dark import means_values
from pimsim.report.plots.style import DARK, GREY, LIGHT
from pimsim.results.record import Result, TileMap

_GAP = 1.5  #: between chips, in tiles
_DIGITAL = "#F3D9E6"  #: tiles without a crossbar in use


def draw(result: Result) -> Figure:
    """One square a tile."""
    tiles = result.tiles
    x, y = _places(tiles)
    width, height = float(x.max()) + 1, float(y.max()) + 1
    across = min(13.0, max(3.6, 0.17 * width))
    down = (across * (height + 2) / (width + 0.9)) + 0.1
    figure = Figure(figsize=(across, down))  # the title and the scale are beside it: saving makes room for them
    axes = figure.add_axes((0, 0, 1, 1))
    used, share = np.array(tiles.crossbars_used), 100 * np.array(tiles.busy_share)
    scale = Normalize(0, max(float(share.max(initial=0.0)), 1e-9))
    squares = [Rectangle((left, top), 0.92, 0.92) for left, top in zip(x, y, strict=True)]
    _fill(axes, squares, used < 0, facecolor=LIGHT, edgecolor=GREY, hatch="////")
    _fill(axes, squares, used == 0, facecolor=_DIGITAL, edgecolor=GREY)
    busy = used > 0
    _fill(axes, squares, busy, facecolor=colormaps["viridis"](scale(share[busy])), valued=True)
    _name_chips(axes, tiles, x, y)
    axes.set_xlim(-0.5, width + 0.4)
    axes.set_ylim(height + 0.4, -1.6)
    axes.set_aspect("equal")
    axes.axis("off")
    mean = 100 * result.usage.crossbar_busy_share
    axes.set_title(f"{run_title(result)}\nTemporal utilisation of tiles, mean {mean:.3g} %")
    beside = figure.add_axes((1 + 0.15 / across, 0.05, 0.16 / across, 0.85))
    bar = figure.colorbar(ScalarMappable(scale, "viridis"), cax=beside)
    bar.set_label("crossbars in use: share of the run\nin which they read [%]")
    handles = [
        Patch(facecolor=LIGHT, edgecolor=GREY, hatch="////", label="not used"),
        Patch(facecolor=_DIGITAL, edgecolor=GREY, label="digital operations only"),
    ]
    shown = [handle for handle, there in zip(handles, (np.any(used < 0), np.any(used == 0)), strict=True) if there]
    if shown:
        axes.legend(handles=shown, loc="upper left", bbox_to_anchor=(0, 0), ncols=2)
    return figure


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


def _fill(axes: Axes, squares: list[Rectangle], which: np.ndarray, valued: bool = False, **look: object) -> None:
    chosen = [square for square, there in zip(squares, which, strict=True) if there]
    if chosen:
        look.setdefault("edgecolor", "none")
        found = axes.add_collection(PatchCollection(chosen, linewidth=0.3, **look))  # type: ignore[arg-type]
        if valued:
            means_values(found)


def _name_chips(axes: Axes, tiles: TileMap, x: np.ndarray, y: np.ndarray) -> None:
    for chip in range(tiles.chips):
        first = chip * tiles.tiles_per_chip
        own = slice(first, first + tiles.tiles_per_chip)
        axes.text(x[own].min(), y[own].min() - 0.25, f"chip {chip}", fontsize=8, color=DARK, va="bottom")
