"""Accuracy against the values of one key, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pimsim.report.plots.style import DARK, GREY, LIGHT, PALETTE
from pimsim.results.inference import InferenceResult, InferenceSweep, Share

LOG_FROM = 30.0  #: largest value over smallest from which on the scale is logarithmic


def draw(found: InferenceSweep) -> Figure:
    """Accuracy where there are labels, else agreement with exact integers."""
    labelled = found.results[0].accuracy is not None
    figure = Figure(figsize=(8.0, 4.4))
    axes = figure.subplots()
    at = _places(axes, found.values)
    order = np.argsort(at, kind="stable")
    main = [result.accuracy if labelled else result.agreement_fixed for result in found.results]
    shares = [share for share in main if share is not None]
    _band(axes, at[order], [shares[n] for n in order], PALETTE[0],
          "on crossbars" if labelled else "same decision as exact integers")  # fmt: skip
    if labelled:
        fixed = [result.fixed_accuracy for result in found.results]
        exact = [100 * share.share for share in fixed if share is not None]
        axes.plot(at[order], [exact[n] for n in order], color=PALETTE[2], linestyle="--", linewidth=1.2, zorder=3,
                  label="exact integers")  # fmt: skip
        floating = found.results[0].float_accuracy
        assert floating is not None
        axes.axhline(100 * floating.share, color=PALETTE[1], linestyle=":", linewidth=1.4, label="floating point")
    axes.set_xlabel(f"{found.key}{_unit(found.key)}")
    axes.set_ylabel(("accuracy" if labelled else "equal decisions") + " [%]")
    axes.grid(color=LIGHT, linewidth=0.7)
    axes.legend(loc="best")
    axes.set_title(_title(found, shares))
    _hint(axes, found.results[0])
    return figure


def _band(axes: Axes, at: np.ndarray, shares: Sequence[Share], colour: str, words: str) -> None:
    values = [100 * share.share for share in shares]
    low, high = (np.array([100 * share.interval[end] for share in shares]) for end in (0, 1))
    axes.errorbar(at, values, [values - low, high - values], color=colour, marker="o", markersize=5, capsize=3,
                  linewidth=1.5, label=f"{words}, 95 % interval")  # fmt: skip


def _places(axes: Axes, values: Sequence[str]) -> np.ndarray:
    """Where values stand: numbers at their place, words one after the other."""
    try:
        numbers = np.array([float(value) for value in values])
    except ValueError:
        numbers = np.full(len(values), np.nan)
    if not np.all(np.isfinite(numbers)) or len(set(numbers)) < len(values):
        axes.set_xticks(range(len(values)), values)
        return np.arange(len(values), dtype=float)
    if numbers.min() > 0 and numbers.max() >= LOG_FROM * numbers.min():
        axes.set_xscale("log")
    elif numbers.min() == 0 and numbers.size > 2 and numbers.max() >= LOG_FROM * numbers[numbers > 0].min():
        axes.set_xscale("symlog", linthresh=float(numbers[numbers > 0].min()))
    axes.set_xticks(numbers, values)
    axes.minorticks_off()
    return numbers


UNITS = {"_mhz": "MHz", "_k": "K", "_us": "uS", "_s": "s", "_v": "V", "_ohm": "ohm", "_ev": "eV", "bits": "bits"}


def _unit(key: str) -> str:
    """The unit in which a key ends, if it does."""
    return next((f" [{unit}]" for end, unit in UNITS.items() if key.endswith(end)), "")


def _title(found: InferenceSweep, shares: Sequence[Share]) -> str:
    first = found.results[0].source
    best, worst = (chosen(range(len(shares)), key=lambda n: shares[n].share) for chosen in (max, min))
    name = ".".join(found.key.split(".")[-2:])
    what = "Accuracy" if found.results[0].accuracy is not None else "Agreement"
    if shares[best].share == shares[worst].share:
        message = f"{what} is {shares[best].share:.1%} whatever {name} is"
    elif _overlap([shares[0], shares[-1]]) and _overlap([shares[best], shares[worst]]):
        message = f"{what}: no difference beyond the 95 % intervals, whatever {name} is"
    else:
        message = (f"{what} goes from {shares[best].share:.1%} at {name} {found.values[best]} to "
                   f"{shares[worst].share:.1%} at {found.values[worst]}")  # fmt: skip
    return f"{message}\n{first.workload} on {first.system}, {first.images:,} images of {first.data}, seed {first.seed}"


def _overlap(shares: Sequence[Share]) -> bool:
    """Whether some value lies in the 95 % intervals of all."""
    low, high = zip(*(share.interval for share in shares), strict=True)
    return max(low) <= min(high)


def _hint(axes: Axes, result: InferenceResult) -> None:
    """Where guessing would be, if it is in the picture."""
    bottom, top = axes.get_ylim()
    axes.set_ylim(max(bottom, -2), min(top, 102))
    if result.accuracy is None:
        axes.annotate("no labels: decisions are compared", (0, 0), (4, 4), xycoords="axes fraction",
                      textcoords="offset points", fontsize=7.5, color=GREY)  # fmt: skip
    axes.tick_params(colors=DARK)
