"""Peak rate for each area and for each power: computed of the chips, and as papers say of others, marked as such."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from pimsim.report.plots.style import DARK, LIGHT, PALETTE

PANELS = ("CE [GOPS/(s mm2)]", "PE [GOPS/(s W)]")


def draw(
    ours: Mapping[str, Sequence[float | None]], theirs: Mapping[str, Sequence[float | None]],
    trust: Mapping[str, Sequence[str]],
) -> Figure:  # fmt: skip
    """Two panels; solid bars are computed by pimsim, hollow hatched ones are published.

    Args:
        ours, theirs: name -> value for each of PANELS; None: not known.
        trust: name -> how far each of ``theirs`` is to be trusted.
    """
    names = [*ours, *theirs]
    figure = Figure(figsize=(10, 1.5 + 0.32 * len(names)), layout="constrained")
    for n, axes in enumerate(figure.subplots(1, 2)):
        for row, (name, values) in enumerate([*ours.items(), *theirs.items()]):
            value, is_ours = values[n], row < len(ours)
            if not value:
                axes.annotate("not known", (0.02, row), xycoords=("axes fraction", "data"), va="center", fontsize=7.5)
                continue
            look = {"color": PALETTE[0]} if is_ours else {"facecolor": "white", "edgecolor": DARK, "hatch": "////"}
            axes.barh(row, value, 0.7, linewidth=0.8, **look)  # type: ignore[arg-type]
            marked = not is_ours and trust[name][n] != "published"
            words = f"{value:,.4g}{f' ({trust[name][n]})' if marked else ''}"
            axes.annotate(words, (value, row), (3, 0), textcoords="offset points", va="center", fontsize=8)
        axes.set_yticks(range(len(names)), names if n == 0 else [""] * len(names))
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.margins(x=0.28)
        axes.set_xlim(left=0)
        axes.set_xlabel(PANELS[n])
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=LIGHT, linewidth=0.7)
    figure.legend(handles=[Patch(color=PALETTE[0], label="computed by pimsim"),
                           Patch(facecolor="white", edgecolor=DARK, hatch="////",
                                 label="published, or as marked; not simulated")],
                  loc="outside lower center", ncols=2)  # fmt: skip
    return figure
