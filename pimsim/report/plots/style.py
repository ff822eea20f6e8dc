"""What the plots share: colours that the colour-blind can tell apart, sizes, and files without dates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from pimsim.results.notebook import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
"""Okabe and Ito's colours."""
COLOURS = {
    "ima.adc": PALETTE[0],
    "ima.dac": PALETTE[1],
    "ima.crossbar": PALETTE[2],
    "tile.edram": PALETTE[3],
    "tile.bus": PALETTE[4],
    "tile.router": PALETTE[5],
    "chip.channel": "#661100",
    "chip.link": PALETTE[6],
    "chip.dram": PALETTE[7],
    "ima.sample_hold": "#882255",
    "ima.shift_add": "#332288",
    "ima.input_register": "#999933",
    "ima.output_register": "#DDCC77",
    "tile.output_register": "#AA4499",
    "tile.sigmoid": "#44AA99",
    "tile.maxpool": "#117733",
    "tile.shift_add": "#88CCEE",
    "tile.vector": "#CC6677",
    "gpu.gpu_core": "#EE3377",
    "gpu.router": "#CC3311",
    "gpu.memory": "#EE8866",
    "ima.write": "#BBCC33",
}
"""A component's colour in every plot: Okabe and Ito's for the common ones, Paul Tol's for the others."""
GREY, LIGHT, DARK = "#999999", "#E4E4E4", "#444444"

_TIME_UNITS = ((10**12, "s"), (10**9, "ms"), (10**6, "us"), (10**3, "ns"), (1, "ps"))
_ENERGY_UNITS = ((1e12, "J"), (1e9, "mJ"), (1e6, "uJ"), (1e3, "nJ"), (1.0, "pJ"))


@contextmanager
def in_style() -> Iterator[None]:
    """The settings that all plots are drawn and saved under."""
    settings: dict[Any, Any] = {
        "font.size": 9, "axes.titlesize": 10, "axes.titleweight": "bold", "axes.titlelocation": "left",
        "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "axes.grid": False,
        "legend.frameon": False, "figure.dpi": 100, "savefig.dpi": 150, "svg.hashsalt": "pimsim",
        "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "hatch.linewidth": 0.5,
    }  # fmt: skip
    with mpl.rc_context(settings):
        yield


def save(figure: Figure, path: Path, formats: Sequence[str]) -> list[Path]:
    """Write a figure in each format, without dates; the files written."""
    files = []
    for kind in formats:
        file = path.with_suffix(f".{kind}")
        save_into(figure, file, kind)
        files.append(file)
    return files


def save_into(figure: Figure, file: Path | IO[bytes], kind: str) -> None:
    """Write a figure as ``kind``, svg or png, without dates."""
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    figure.savefig(file, format=kind, metadata=metadata, bbox_inches="tight", pad_inches=0.15)


def time_unit(longest_ps: float) -> tuple[float, str]:
    """(ps in one unit, name) of the unit in which ``longest_ps`` is easy to read."""
    return next(((size, name) for size, name in _TIME_UNITS if longest_ps >= size), (1, "ps"))


def energy_unit(largest_pj: float) -> tuple[float, str]:
    """(pJ in one unit, name) of the unit in which ``largest_pj`` is easy to read."""
    return next(((size, name) for size, name in _ENERGY_UNITS if largest_pj >= size), (1.0, "pJ"))


def row_height(layers: int) -> float:
    """Height of one layer's row [inch]: less where there are many."""
    return 0.25 if layers <= 40 else 0.17


def layer_axis(axes: Axes, names: Sequence[str]) -> None:
    """Layers from top to bottom, one row each."""
    size = 8.5 if len(names) <= 40 else 6.5
    axes.set_yticks(range(len(names)), [shortened(name).replace("$", r"\$") for name in names], fontsize=size)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=LIGHT, linewidth=0.8)


def axis_on_top(axes: Axes, label: str) -> None:
    """Tall plots show their scale at both ends."""
    axes.tick_params(axis="x", top=True, labeltop=True)
    axes.set_xlabel(label)
