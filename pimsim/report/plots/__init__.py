"""Plots of a Result: PNG and SVG, the same bytes for the same result.

`timeline`: when layers work; `energy`: by component and layer; `losses`: where each layer's time goes;
`utilisation`: how busy the tiles are; `network`: how busy the channels between them are.  Each file draws one figure;
`style` holds what they share.
"""

from __future__ import annotations

from pathlib import Path

from pimsim.results.record import Result


def save_plots(result: Result, folder: Path, formats: tuple[str, ...] = ("png", "svg")) -> list[Path]:
    """Draw all plots into ``folder``; the files written."""
    from pimsim.report.plots import energy, losses, network, style, timeline, utilisation  # matplotlib loads slowly

    files = []
    with style.in_style():
        for name, draw in (
            ("timeline", timeline.draw),
            ("energy", energy.draw),
            ("losses", losses.draw),
            ("utilisation", utilisation.draw),
        ):
            files += style.save(draw(result), folder / name, formats)
        if result.links.channels:
            files += style.save(network.draw(result), folder / "network", formats)
    return files
