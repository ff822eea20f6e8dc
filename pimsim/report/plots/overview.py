"""Many runs in one picture: where the time of each goes, and its energy; a row a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pimsim.report.labels import component_label
from pimsim.report.plots import losses
from pimsim.report.plots.style import COLOURS, GREY, LIGHT, layer_axis, row_height

OTHERS = "others"


def draw(
    names: Sequence[str],
    times: Mapping[str, Sequence[float]],
    energies: Mapping[str, Sequence[float]],
    labels: Sequence[tuple[str, str]],
    unit: str = "one inference",
) -> Figure:
    """Two panels with the same rows.

    Args:
        names: of the runs.
        times: part of the run -> (runs,) its share.
        energies: component -> (runs,) its share.
        labels: time and energy of each run, in words.
        unit: of what they are.
    """
    tall = max(1.6, row_height(len(names)) * len(names)) + 1.3  # inches
    figure = Figure(figsize=(11, tall))
    left, right = figure.subplots(1, 2, sharey=True)
    time_words = {part: losses.WORDS.get(part, part) for part in times}
    _stack(left, times, losses.COLOURS, time_words, [label for label, _ in labels])
    layer_axis(left, names)
    left.set_xlabel("share of the run [%], mean of the layers")
    left.set_title(f"Where time goes; time of {unit} at the right")
    colours = {part: COLOURS.get(part, GREY) for part in energies}
    energy_words = {part: part if part == OTHERS else component_label(part) for part in energies}
    _stack(right, energies, colours, energy_words, [label for _, label in labels])
    right.tick_params(axis="y", length=0)
    right.grid(axis="x", color=LIGHT, linewidth=0.8)
    right.set_xlabel("share of the energy [%]")
    right.set_title(f"Energy of {unit} at the right")
    for axes in (left, right):
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.75 / tall), ncols=4, fontsize=7.5,
                    columnspacing=1.1, handlelength=1.5)  # fmt: skip
    figure.subplots_adjust(wspace=0.22)
    return figure


def _stack(
    axes: Axes, parts: Mapping[str, Sequence[float]], colours: Mapping[str, str], words: Mapping[str, str],
    labels: Sequence[str],
) -> None:  # fmt: skip
    rows = range(len(labels))
    base = [0.0] * len(labels)
    for part, shares in parts.items():
        wide = [100 * share for share in shares]
        axes.barh(rows, wide, 0.8, base, color=colours[part], linewidth=0, label=words[part])
        base = [one + other for one, other in zip(base, wide, strict=True)]
    for row, label in enumerate(labels):
        axes.annotate(label, (100, row), (4, 0), textcoords="offset points", va="center", fontsize=7.5)
    axes.set_xlim(0, 100)
