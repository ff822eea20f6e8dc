"""Plots of a Result: PNG and SVG, the same bytes for the same result.

`timeline`: when layers work; `energy`: by component and layer; `losses`: where each layer's time goes;
`utilisation`: how busy the tiles are; `network`: how busy the channels between them are; `traffic`: who sends how much
to whom, where there are several kinds or tiers of tiles; `training`: phases of the layers and GPU cores, of a run of
training in place of the first three.  Each file draws one figure; `style` holds what they share.  `wear` is drawn of
counted writes (:func:`save_wear`, for `pimsim wear`): a run writes every cell once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pimsim.results.record import Result

if TYPE_CHECKING:
    import numpy as np

PLOTS = tuple(
    f"{name}.{kind}"
    for name in ("timeline", "energy", "losses", "utilisation", "training", "network", "placement", "traffic")
    for kind in ("png", "svg")
)
"""All files that :func:`save_plots` may write; which it does depends on the run."""


def save_plots(result: Result, folder: Path, formats: tuple[str, ...] = ("png", "svg")) -> list[Path]:
    """Draw all plots into ``folder``; the files written."""
    from pimsim.report.plots import (  # matplotlib loads slowly
        energy,
        losses,
        network,
        placement,
        style,
        timeline,
        traffic,
        training,
        utilisation,
    )

    files = []
    with style.in_style():
        by_layer = (("timeline", timeline.draw), ("energy", energy.draw), ("losses", losses.draw))
        for name, draw in (*(by_layer if result.training is None else ()), ("utilisation", utilisation.draw)):
            files += style.save(draw(result), folder / name, formats)
        if result.training is not None:  # hundreds of layers, gathered by those of the forward pass
            files += style.save(training.draw(result, result.training), folder / "training", formats)
        if result.links.channels:
            files += style.save(network.draw(result), folder / "network", formats)
        if result.placement.front is not None:
            files += style.save(placement.draw(result, result.placement.front), folder / "placement", formats)
        if result.traffic is not None and result.traffic.total:
            files += style.save(traffic.draw(result, result.traffic), folder / "traffic", formats)
    return files


def save_wear(
    writes: np.ndarray, folder: Path, name: str, *, unit: str = "programmings",
    endurances: dict[str, float | np.ndarray] | None = None, formats: tuple[str, ...] = ("png", "svg"),
) -> list[Path]:  # fmt: skip
    """Draw the wear of cells into ``folder``; the files written.

    Args:
        writes: (...) of each cell in one unit of work.
        name: what was counted, for the title.
        unit: what the unit of work is.
        endurances: writes that cells bear, a number or one for each cell, by name.
    """
    from pimsim.report.plots import style, wear

    with style.in_style():
        return style.save(wear.draw(writes, name, unit, endurances or {}), folder / "wear", formats)
