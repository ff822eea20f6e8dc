"""Plots of a network executed on data: decisions, each layer's noise and clipping, what the ADCs see, and sweeps."""

from __future__ import annotations

from pathlib import Path

from pimsim.results.inference import InferenceResult, InferenceSweep

PLOTS = tuple(f"{name}.{kind}" for name in ("sweep", "decisions", "layer_values", "adc_histogram")
              for kind in ("png", "svg"))  # fmt: skip
"""All files that :func:`save_inference_plots` may write; which it does depends on the result."""


def save_inference_plots(
    found: InferenceResult | InferenceSweep, folder: Path, formats: tuple[str, ...] = ("png", "svg")
) -> list[Path]:
    """Draw all plots into ``folder``; the files written."""
    from pimsim.report.plots import adc_histogram, decisions, layer_values, style, sweep  # matplotlib loads slowly

    with style.in_style():
        if isinstance(found, InferenceSweep):
            return style.save(sweep.draw(found), folder / "sweep", formats)
        files = style.save(decisions.draw(found), folder / "decisions", formats)
        files += style.save(layer_values.draw(found), folder / "layer_values", formats)
        if any(layer.histogram_codes for layer in found.layers):
            files += style.save(adc_histogram.draw(found), folder / "adc_histogram", formats)
    return files
