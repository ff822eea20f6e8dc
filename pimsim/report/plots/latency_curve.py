"""Latency against load, with saturation marked; and accepted against offered load."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pimsim.noc.curve import SATURATION
from pimsim.noc.records import Curve
from pimsim.report.noc import curve_title
from pimsim.report.plots.style import DARK, GREY, LIGHT, PALETTE

TALLEST = 6.0  #: zero-load latencies that the picture shows at most


def draw(curve: Curve) -> Figure:
    """Two panels: latency on the left, throughput on the right."""
    figure = Figure(figsize=(10.5, 4.2))
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1), gridspec_kw={"wspace": 0.22})
    _latency(left, curve)
    _accepted(right, curve)
    figure.suptitle(curve_title(curve), x=0.125, y=0.95, ha="left", fontsize=10, fontweight="bold")
    return figure


def _latency(axes: Axes, curve: Curve) -> None:
    zero = curve.zero_load_latency
    steady = [point for point in curve.points if point.stable]
    load = [point.load for point in steady]
    largest = max((point.latency for point in steady), default=zero)
    top = zero * max(1.15 * SATURATION, min(TALLEST, 1.1 * largest / zero))
    axes.plot(load, [point.p99_latency for point in steady], color=PALETTE[4], linewidth=1, label="99 % of packets")
    axes.plot(load, [point.network_latency for point in steady], color=PALETTE[1], linestyle="--", linewidth=1.2,
              label="mean, in the network")  # fmt: skip
    mean = [point.latency for point in steady]
    axes.plot(load, mean, color=PALETTE[0], marker="o", markersize=4, label="mean, from creation")
    if any(point.interval is not None for point in steady):
        band = np.array([point.interval or 0.0 for point in steady])
        axes.fill_between(load, mean - band, mean + band, color=PALETTE[0], alpha=0.2, linewidth=0,
                          label=f"95 % interval, {len(curve.seeds)} seeds")  # fmt: skip
    unstable = [point.load for point in curve.points if not point.stable]
    if unstable:
        axes.plot(unstable, [top] * len(unstable), color=PALETTE[5], marker="^", linestyle="", clip_on=False, zorder=5,
                  label="no steady state")  # fmt: skip
    right = _right(curve)
    for times, words in ((1.0, "zero load"), (SATURATION, f"{SATURATION:g} x zero load")):
        axes.axhline(times * zero, color=GREY, linewidth=0.8, linestyle=":")
        axes.annotate(words, (0, times * zero), (4, -3), textcoords="offset points", va="top", fontsize=7.5, color=DARK)
    _mark_saturation(axes, curve, top, words=True)
    axes.set_xlim(0, right)
    axes.set_ylim(0, top)
    axes.set_xlabel("offered load [flits/terminal/cycle]")
    axes.set_ylabel("packet latency [cycles]")
    axes.grid(color=LIGHT, linewidth=0.7)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.13), ncols=3)


def _right(curve: Curve) -> float:
    """The end of the axes of loads."""
    return 1.04 * max([point.load for point in curve.points] + [curve.saturation_load or 0.0])


def _mark_saturation(axes: Axes, curve: Curve, height: float, words: bool = False) -> None:
    at = curve.saturation_load
    if at is None:
        return
    axes.axvline(at, color=PALETTE[5], linewidth=1)
    if words:
        axes.annotate(f"saturation {at:.4g}", (at, 0.03 * height), (-3, 0), textcoords="offset points", rotation=90,
                      ha="right", va="bottom", fontsize=8, color=PALETTE[5])  # fmt: skip


def _accepted(axes: Axes, curve: Curve) -> None:
    right = _right(curve)
    axes.plot([0, right], [0, right], color=GREY, linewidth=0.8, linestyle=":")
    axes.annotate("all is accepted", (0.3 * right, 0.3 * right), (-4, 4), textcoords="offset points", ha="right",
                  fontsize=7.5, color=DARK)  # fmt: skip
    if curve.capacity is not None and curve.capacity < 1.6 * right:
        axes.axhline(curve.capacity, color=GREY, linewidth=0.8, linestyle="--")
        axes.annotate("busiest channel is never idle", (0, curve.capacity), (4, 3), textcoords="offset points",
                      fontsize=7.5, color=DARK)  # fmt: skip
        axes.set_ylim(0, 1.08 * max(right, curve.capacity))
    else:
        axes.set_ylim(0, right)
    axes.plot([p.load for p in curve.points], [p.accepted for p in curve.points], color=PALETTE[0], linewidth=1)
    for stable, marker, colour in ((True, "o", PALETTE[0]), (False, "^", PALETTE[5])):
        points = [point for point in curve.points if point.stable == stable]
        axes.plot([p.load for p in points], [p.accepted for p in points], color=colour, marker=marker, markersize=4,
                  linestyle="")  # fmt: skip
    _mark_saturation(axes, curve, 1.0)
    axes.set_xlim(0, right)
    axes.set_xlabel("offered load [flits/terminal/cycle]")
    axes.set_ylabel("accepted load [flits/terminal/cycle]")
    axes.grid(color=LIGHT, linewidth=0.7)
