"""Latencies of replayed packets: how they are spread, and how they go over time."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pimsim.noc.records import Replay
from pimsim.report.noc import replay_title
from pimsim.report.plots.style import GREY, LIGHT, PALETTE

MOST_BINS = 80


def draw(replayed: Replay) -> Figure:
    """Two panels: distribution, and mean by the time of creation."""
    figure = Figure(figsize=(10.5, 3.8))
    left, right = figure.subplots(1, 2, gridspec_kw={"wspace": 0.22})
    _distribution(left, replayed)
    _over_time(right, replayed)
    figure.suptitle(replay_title(replayed), x=0.125, y=0.96, ha="left", fontsize=10, fontweight="bold")
    return figure


def _distribution(axes: Axes, replayed: Replay) -> None:
    latency = replayed.latency
    largest = int(latency.max())
    width = max(1, -(-(largest + 1 - int(latency.min())) // MOST_BINS))
    bins = np.arange(int(latency.min()), largest + width + 1, width)
    axes.hist(latency, bins.tolist(), color=PALETTE[0], linewidth=0)
    for value, words, style in ((latency.mean(), "mean", "-"), (np.percentile(latency, 99), "99 %", "--")):
        axes.axvline(value, color=PALETTE[5], linestyle=style, linewidth=1, label=f"{words}: {value:,.1f} cycles")
    axes.set_xlabel("packet latency [cycles]")
    axes.set_ylabel("packets" if width == 1 else f"packets in {width} cycles of latency")
    axes.grid(axis="y", color=LIGHT, linewidth=0.7)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.14), ncols=2)


def _over_time(axes: Axes, replayed: Replay) -> None:
    created = replayed.packets.ctime
    first, last = int(created[0]), int(created[-1]) + 1
    edges = np.linspace(first, last, min(MOST_BINS, last - first) + 1)
    count = np.histogram(created, edges)[0]
    there = count > 0
    middle = ((edges[:-1] + edges[1:]) / 2)[there]
    for values, colour, words, style in (
        (replayed.latency, PALETTE[0], "from creation", "-"),
        (replayed.network_latency, PALETTE[1], "in the network", "--"),
    ):
        mean = np.histogram(created, edges, weights=values)[0][there] / count[there]
        axes.plot(middle, mean, color=colour, linestyle=style, linewidth=1.2, marker="." if middle.size < 3 else "",
                  label=f"mean, {words}")  # fmt: skip
    beside = axes.twinx()
    flits = np.histogram(created, edges, weights=replayed.packets.size)[0] / np.diff(edges)
    beside.stairs(flits, edges, color=GREY, fill=True, alpha=0.25, linewidth=0)
    beside.set_ylabel("offered [flits/cycle], grey", color=GREY)
    beside.set_ylim(0, 2.5 * max(float(flits.max()), 1e-9))
    beside.tick_params(axis="y", colors=GREY)
    axes.set_ylim(bottom=0)
    axes.set_zorder(beside.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.set_xlabel("created in cycle")
    axes.set_ylabel("packet latency [cycles]")
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.14), ncols=2)
