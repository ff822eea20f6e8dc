"""What the ADCs deliver: conversions by code, one row a layer."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from pimsim.report.inference import title
from pimsim.report.plots.style import DARK, row_height
from pimsim.results.inference import InferenceResult, LayerValues
from pimsim.results.notebook import shortened

MOST_BINS = 256  #: columns of the picture; more codes share one


def draw(result: InferenceResult) -> Figure:
    """Share of each layer's conversions by code, on a logarithmic scale of colours."""
    layers = [layer for layer in result.layers if layer.histogram_codes]
    highest = max(max(layer.histogram_codes) for layer in layers)
    lowest = min(0, *(min(layer.histogram_codes) for layer in layers))
    limits = {(1 << layer.adc_bits) - 1 for layer in layers if layer.adc_bits}
    end = max([highest, *(limit for limit in limits if limit < 4 * highest + 64)])
    edges = np.linspace(lowest, end + 1, min(MOST_BINS, end + 1 - lowest) + 1)
    shares = np.array([_shares(layer, edges) for layer in layers])
    figure = Figure(figsize=(10.5, 1.7 + 1.2 * row_height(len(layers)) * len(layers)))
    axes = figure.subplots()
    smallest = max(shares[shares > 0].min(), 1e-7)
    rows = np.arange(len(layers) + 1) - 0.5
    mesh = axes.pcolormesh(edges - 0.5, rows, np.ma.masked_equal(shares, 0), cmap="viridis",
                           norm=LogNorm(smallest, max(1.0, smallest * 10)))  # fmt: skip
    axes.set_yticks(range(len(layers)), [shortened(layer.name).replace("$", r"\$") for layer in layers], fontsize=8.5)
    axes.set_ylim(len(layers) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    for limit in limits:
        if limit <= end:
            axes.axvline(limit + 0.5, color=DARK, linewidth=1, linestyle="--")
            axes.annotate(f"full scale {limit}", (limit + 0.5, -0.5), (-3, 3), textcoords="offset points", ha="right",
                          fontsize=8, color=DARK, annotation_clip=False)  # fmt: skip
    axes.set_xlabel("code of the ADC [steps]; white: never in the sample")
    figure.colorbar(mesh, ax=axes, label="share of the conversions", pad=0.02)
    sampled = max(layer.sampled_vectors for layer in layers)
    axes.set_title(f"{_message(layers)}\n{title(result)}; up to {sampled} vectors a layer", pad=18)
    return figure


def _shares(layer: LayerValues, edges: np.ndarray) -> np.ndarray:
    counts = np.histogram(layer.histogram_codes, edges, weights=layer.histogram_counts)[0]
    return np.asarray(counts / max(sum(layer.histogram_counts), 1))


def _message(layers: list[LayerValues]) -> str:
    """The highest code and whose it is."""
    top = max(layers, key=lambda layer: max(layer.histogram_codes))
    code = max(top.histogram_codes)
    if top.adc_bits and code == (1 << top.adc_bits) - 1:
        return f"{top.name} drives the ADC to its full scale, code {code}"
    scale = f" of {(1 << top.adc_bits) - 1}" if top.adc_bits else ""
    return f"The highest code is {code}{scale}, in {top.name}"
