"""Accuracy on crossbars beside exact integers and floating point, and how often they agree, with 95 % intervals."""

from __future__ import annotations

from matplotlib.figure import Figure

from pimsim.report.inference import title
from pimsim.report.plots.style import DARK, LIGHT, PALETTE
from pimsim.results.inference import InferenceResult, Share

ROWS = (
    ("accuracy", "accuracy\non crossbars", PALETTE[0]),
    ("fixed_accuracy", "accuracy\nin exact integers", PALETTE[2]),
    ("float_accuracy", "accuracy\nin floating point", PALETTE[1]),
    ("agreement_fixed", "same decision as\nexact integers", PALETTE[2]),
    ("agreement_float", "same decision as\nfloating point", PALETTE[1]),
)


def draw(result: InferenceResult) -> Figure:
    """A point with its interval for each share."""
    rows = [(words, colour, share) for key, words, colour in ROWS if (share := getattr(result, key)) is not None]
    figure = Figure(figsize=(8.5, 0.9 + 0.5 * len(rows)))
    axes = figure.subplots()
    for at, (_, colour, share) in enumerate(rows):
        low, high = (100 * end for end in share.interval)
        axes.plot([low, high], [at, at], color=colour, linewidth=5, alpha=0.35, solid_capstyle="butt")
        axes.plot([100 * share.share], [at], color=colour, marker="o", markersize=7)
        axes.annotate(f"{share.share:.2%}", (100 * share.share, at), (0, 7), textcoords="offset points", ha="center",
                      fontsize=8, color=DARK)  # fmt: skip
    axes.set_yticks(range(len(rows)), [words for words, _, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.7)
    ends = [end for _, _, share in rows for end in share.interval]
    left = max(0.0, 100 * min(ends) - 2)
    axes.set_xlim(left, min(100.0, 100 * max(ends)) + 0.03 * (100 - left))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=LIGHT, linewidth=0.8)
    axes.set_xlabel(f"share of {result.source.images:,} images [%]; bars: 95 % interval (Wilson)")
    axes.set_title(f"{_message(result)}\n{title(result)}")
    return figure


def _message(result: InferenceResult) -> str:
    """What the picture shows, in one line."""
    if result.agreement_fixed.share == 1:
        return "The crossbars decide as exact integers do, on every image"
    if result.accuracy is None or result.fixed_accuracy is None:
        return f"{1 - result.agreement_fixed.share:.2%} of the decisions differ from exact integers"
    lost = _points(result.fixed_accuracy) - _points(result.accuracy)
    words = f"lose {lost:.2f}" if lost >= 0 else f"gain {-lost:.2f}"
    return f"The crossbars {words} points of accuracy against exact integers"


def _points(share: Share) -> float:
    return 100 * share.share
