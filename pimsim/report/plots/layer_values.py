"""Signal-to-noise ratio and clipping of every layer."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pimsim.report.inference import title
from pimsim.report.plots.style import DARK, GREY, PALETTE, layer_axis, row_height
from pimsim.results.inference import InferenceResult


def draw(result: InferenceResult) -> Figure:
    """Two panels with one row a layer: noise on the left, conversions and inputs cut off on the right."""
    n = len(result.layers)
    figure = Figure(figsize=(10.5, 1.5 + max(1.0, 1.3 * row_height(n) * n)))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.4, 1), gridspec_kw={"wspace": 0.08})
    _ratios(left, result)
    _cut_off(right, result)
    layer_axis(left, [layer.name for layer in result.layers])
    left.set_title(f"{_message(result)}\n{title(result)}")
    return figure


def _message(result: InferenceResult) -> str:
    noisy = [layer for layer in result.layers if layer.exact_snr_db is not None]
    if not noisy:
        return "No layer's products differ from exact integers"
    worst = min(noisy, key=lambda layer: layer.exact_snr_db or 0.0)
    ratio = f"its products have a signal-to-noise ratio of {worst.exact_snr_db:.1f} dB"
    if worst.exact_signal == 0:
        ratio = "its products are nothing else"
    return f"Noise is largest in {worst.name}: {ratio}"


def _ratios(axes: Axes, result: InferenceResult) -> None:
    rows = np.arange(len(result.layers))
    exact = [layer.exact_snr_db for layer in result.layers]
    floating = [layer.float_snr_db for layer in result.layers]
    finite = [value for value in (*exact, *floating) if value is not None and np.isfinite(value)]
    top = 1.15 * max([*finite, 20.0])
    bottom = min([value - 0.04 * top for value in finite if value < 0.0], default=0.0)
    for values, shift, marker, colour, words in (
        (exact, -0.14, "o", PALETTE[0], "to the exact product of the same inputs: crossbars alone"),
        (floating, 0.14, "s", PALETTE[1], "to the float network: with quantisation and all layers before"),
    ):
        shown = [top if value is None else max(value, bottom) for value in values]
        filled = [value is not None and np.isfinite(value) for value in values]
        stems = [value if fill else bottom for value, fill in zip(shown, filled, strict=True)]
        axes.hlines(rows + shift, bottom, stems, color=colour, linewidth=1, alpha=0.5)
        for kind in (True, False):
            at = [row for row in rows if filled[row] == kind]
            if at:
                axes.plot([shown[row] for row in at], [row + shift for row in at], marker=marker, linestyle="",
                          color=colour, markerfacecolor=colour if kind else "white",
                          label=words if kind or not any(filled) else None)  # fmt: skip
        for row in rows:
            if not filled[row]:
                exact_at = values[row] is None
                axes.annotate("exact" if exact_at else "no signal", (shown[row], row + shift),
                              (-7 if exact_at else 7, 0), textcoords="offset points",
                              ha="right" if exact_at else "left", va="center", fontsize=7.5, color=DARK)  # fmt: skip
    axes.set_xlim(bottom, 1.03 * top)
    axes.set_xlabel("signal-to-noise ratio [dB]; empty marker: no difference at all, or no signal")
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.16 - 0.4 / max(len(rows), 2)), fontsize=8)


def _cut_off(axes: Axes, result: InferenceResult) -> None:
    rows = np.arange(len(result.layers))
    kinds = (
        ([layer.clipped_share for layer in result.layers], PALETTE[5], "conversions beyond the ADC, at either end"),
        ([layer.saturated_inputs for layer in result.layers], PALETTE[4], "inputs beyond the calibrated range"),
        ([layer.overflow_share for layer in result.layers], PALETTE[3], "overflows of registers, by outputs"),
    )
    drawn = [kind for kind in kinds if any(kind[0])]
    height = 0.7 / max(len(drawn), 1)
    for at, (values, colour, words) in enumerate(drawn):
        places = rows + height * (at - (len(drawn) - 1) / 2)
        axes.barh(places, [100 * value for value in values], height=0.9 * height, color=colour, label=words)
        for place, value in zip(places, values, strict=True):
            words, colour = (f"{100 * value:.2g}", DARK) if value else ("0", GREY)
            axes.annotate(words, (100 * value, place), (3, 0), textcoords="offset points", va="center", fontsize=7,
                          color=colour)  # fmt: skip
    for values, colour, words in kinds:
        if not any(values):
            axes.plot([], [], color=colour, linewidth=6, label=f"{words}: none")
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, 115 * max(max(values) for values, _, _ in kinds) or 1.0)
    axes.set_xlabel("share cut off [%]")
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.16 - 0.4 / max(len(rows), 2)), fontsize=8)
