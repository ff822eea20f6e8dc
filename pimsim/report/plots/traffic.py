"""Who sends how much to whom: tile by tile, from kind to kind in each phase, and the load of the tiles of each kind."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from pimsim.report.labels import run_title
from pimsim.report.plots.channels import HEAT
from pimsim.report.plots.dark import means_values
from pimsim.report.plots.style import DARK, PALETTE
from pimsim.report.traffic import KINDS, group_name
from pimsim.results.notebook import BYTES, in_bytes
from pimsim.results.record import Result
from pimsim.results.traffic_record import Traffic

WAYS = {
    ("gpu", "reram"): PALETTE[0],
    ("reram", "gpu"): PALETTE[1],
    ("gpu", "gpu"): PALETTE[4],
    ("reram", "reram"): PALETTE[3],
    ("host", "reram"): "#777777",
    ("host", "gpu"): "#BBBBBB",
}
"""Colours of (kind that sends, kind that receives)."""
NOTHING = "#E9E9E9"  #: colour of a pair of tiles that exchange nothing
_NARROW = 0.07  #: share of the picture below which a tier's name has no room beside the others'


def draw(result: Result, traffic: Traffic) -> Figure:
    """Tiles in the order of tiers on the left; from tier to tier and by phase on the right.

    Raises:
        LookupError: nothing is sent.
    """
    if not traffic.total:
        raise LookupError("nothing leaves its tile")
    figure = Figure(figsize=(12, 7.4), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1.55, 1), height_ratios=(1.25, 1))
    _tiles(figure, figure.add_subplot(grid[:, 0]), result, traffic)
    draw_tiers(figure.add_subplot(grid[0, 1]), traffic)
    _phases(figure.add_subplot(grid[1, 1]), traffic)
    return figure


def _tiles(figure: Figure, axes: Axes, result: Result, traffic: Traffic) -> None:
    """The matrix of tiles, in logarithmic colours; tiers are outlined."""
    cells = traffic.cells
    group = np.array(cells.group)
    matrix = np.full((group.size, group.size), np.nan)
    matrix[list(cells.source), list(cells.target)] = cells.bytes
    least = min(cells.bytes, default=1)
    largest = max(cells.bytes, default=1)
    scale = LogNorm(least, max(largest, least + 1))
    axes.imshow(matrix, cmap=HEAT.with_extremes(bad=NOTHING), norm=scale, interpolation="nearest")
    edges = np.flatnonzero(np.diff(group)) + 0.5
    axes.hlines(edges, -0.5, group.size - 0.5, color=DARK, linewidth=1.1)
    axes.vlines(edges, -0.5, group.size - 0.5, color=DARK, linewidth=1.1)
    middles = {n: float(np.flatnonzero(group == n).mean()) for n in np.unique(group).tolist()}
    names = [group_name(traffic.groups[n]).replace(" tier", "\ntier") for n in middles]
    few = len(middles) * _NARROW < 1
    axes.set_xticks(list(middles.values()), names if few else [""] * len(names), fontsize=8)
    axes.set_yticks(list(middles.values()), names, fontsize=8, rotation=90 if few else 0, va="center")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(True)
    of = "tile" if cells.tiles_of_cell == 1 else f"{cells.tiles_of_cell} neighbouring tiles"
    axes.set_xlabel(f"to {of}")
    axes.set_ylabel(f"from {of}")
    axes.set_title(f"{run_title(result)}\n{message(traffic)}")
    bar = figure.colorbar(ScalarMappable(scale, HEAT), ax=axes, shrink=0.75, pad=0.02)
    decades = [size * ten for size, _ in BYTES for ten in (1, 10, 100) if least <= size * ten <= largest]
    bar.set_ticks(decades or [least, largest])
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda count, _: in_bytes(count)))
    bar.minorticks_off()
    nothing = "; grey: nothing" if np.isnan(matrix).any() else ""
    bar.set_label(f"delivered in an {'iteration' if result.training else 'inference'}{nothing}")


def message(traffic: Traffic) -> str:
    """What the picture shows, in a sentence."""
    ends = [each for each in traffic.endpoints if each.bytes]
    if len(ends) < 2:
        return f"The hottest tile handles {ends[0].imbalance:.1f} times the mean" if ends else "Nothing is sent"
    core = next(each for each in ends if each.kind == "gpu")
    return (f"{core.bytes / traffic.total:.1%} of the bytes begin or end at {core.tiles} GPU cores; "
            f"the hottest handles {core.imbalance:.1f} times their mean")  # fmt: skip


def draw_tiers(axes: Axes, traffic: Traffic) -> None:
    """Shares of all bytes, from tier to tier."""
    columns = [n for n, group in enumerate(traffic.groups) if group.kind != "host"]
    rows = [n for n, row in enumerate(traffic.bytes) if sum(row)]
    counts, total = traffic.bytes, traffic.total
    shares = np.array([[100 * counts[row][column] / total for column in columns] for row in rows])
    axes.imshow(shares, cmap=HEAT, vmin=0, aspect="auto")
    for y, row in enumerate(shares):
        for x, share in enumerate(row):
            means_values(axes.text(x, y, f"{share:.1f}" if share else "0", ha="center", va="center", fontsize=8,
                                   color="white" if share > 0.6 * shares.max() else "black"))  # fmt: skip
    names = [group_name(group).replace(" tier", "") for group in traffic.groups]
    axes.set_xticks(range(len(columns)), [names[n] for n in columns], fontsize=8)
    axes.set_yticks(range(len(rows)), [names[n] for n in rows], fontsize=8)
    axes.set_xlabel("to tier")
    axes.set_ylabel("from tier")
    between = f"\n{traffic.between_kinds / total:.0%} of it between ReRAM and GPU" if traffic.between_kinds else ""
    axes.set_title(f"Share of {in_bytes(total)} [%]{between}")


def _phases(axes: Axes, traffic: Traffic) -> None:
    """One bar a phase, stacked by the kinds that send and receive."""
    size, unit = next((size, unit) for size, unit in BYTES if traffic.total >= size)
    by_way = [traffic.by_kind(phase.bytes) for phase in traffic.phases]
    left = np.zeros(len(by_way))
    for way, colour in WAYS.items():
        lengths = np.array([each.get(way, 0) / size for each in by_way])
        if lengths.any():
            axes.barh(range(len(by_way)), lengths, 0.7, left, color=colour,
                      label=" to ".join(KINDS[kind] for kind in way))  # fmt: skip
            left += lengths
    axes.set_yticks(range(len(by_way)), [phase.phase for phase in traffic.phases])
    axes.set_ylim(max(len(by_way), 3) - 0.5, -0.5)
    axes.set_xlim(0, 1.04 * left.max())
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"delivered [{unit}]")
    most = max(traffic.phases, key=lambda phase: sum(map(sum, phase.bytes)))
    share = sum(map(sum, most.bytes)) / traffic.total
    axes.set_title(f"{share:.0%} of the bytes are sent in {most.phase}" if len(by_way) > 1 else "By kind")
    axes.legend(fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.45, -0.2), columnspacing=1.0,
                handlelength=1.2)  # fmt: skip

