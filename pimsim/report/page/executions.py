"""What the page says of networks executed on data: shares with their intervals, over images and over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pimsim.report.page import html
from pimsim.report.page.drawing import Drawing, file_name
from pimsim.results.inference import SHARES, InferenceResult, InferenceSweep, Share


def table(named: Mapping[str, InferenceResult]) -> str:
    """One row an execution."""
    head = ["result", "network", "system", "data", "images", "seed", *(key.replace("_", " ") for key in SHARES)]
    rows = [
        [name, each.source.workload, each.source.system, each.source.data, f"{each.source.images:,}",
         str(each.source.seed), *(_short(getattr(each, key)) for key in SHARES)]
        for name, each in named.items()
    ]  # fmt: skip
    notes = html.notes_of({name: each.notes for name, each in named.items()})
    words = "Intervals of a share are Wilson's, of 95 %, over images; those of a mean over seeds are Student's."
    return html.table(head, rows, left=4) + "".join(html.text(note, "soft") for note in (words, *notes))


def _short(share: Share | None) -> str:
    if share is None:
        return "no labels"
    low, high = share.interval
    return f"{share.share:.2%} [{low:.1%}, {high:.1%}]"


def drawings(
    named: Mapping[str, InferenceResult], sweeps: Mapping[str, InferenceSweep]
) -> list[Drawing]:
    """Decisions of each execution; what is the same but for its seed together; a curve for each sweep."""
    from pimsim.report.plots import decisions

    groups = _groups(named)
    found = [_seeds(names, [named[name] for name in names]) for names in groups if len(names) > 1]
    for name, each in named.items():
        main = each.accuracy or each.agreement_fixed
        low, high = main.interval
        what = "Accuracy on crossbars" if each.accuracy else "Crossbars decide as exact integers do"
        found.append(Drawing(
            file_name(name, "decisions"), f"{name}: {what}: {main.share:.1%}, between {low:.1%} and {high:.1%} (95 %)",
            lambda each=each: decisions.draw(each),  # type: ignore[misc]
            ["share", "value", "low_95", "high_95"],
            [[key, share.share, *share.interval] for key in SHARES if (share := getattr(each, key)) is not None],
        ))  # fmt: skip
    return [*found, *(_sweep(name, each) for name, each in sweeps.items())]


def _groups(named: Mapping[str, InferenceResult]) -> list[list[str]]:
    """Executions that differ in their seed alone."""
    found: dict[tuple[object, ...], list[str]] = {}
    for name, each in named.items():
        source = each.source
        key = (source.workload, source.config_hash, repr(source.device), source.data, source.images, source.tier)
        found.setdefault(key, []).append(name)
    return [names for names in found.values()
            if len({named[name].source.seed for name in names}) == len(names)]  # fmt: skip


def mean_interval(shares: Sequence[float]) -> tuple[float, float, float]:
    """Mean, and Student's 95 % interval for it; (mean, mean, mean) where all are equal.  At least 2 values."""
    from scipy.stats import t

    n = len(shares)
    mean = sum(shares) / n
    error = math.sqrt(sum((share - mean) ** 2 for share in shares) / (n - 1) / n)
    half = float(t.ppf(0.975, n - 1)) * error
    return mean, mean - half, mean + half


def _seeds(names: Sequence[str], results: Sequence[InferenceResult]) -> Drawing:
    from pimsim.report.plots import seeds

    labelled = results[0].accuracy is not None
    shares: list[Share] = [each.accuracy or each.agreement_fixed for each in results]
    mean = mean_interval([share.share for share in shares])
    label = "accuracy on crossbars" if labelled else "same decision as exact integers"
    source = results[0].source
    rows = [(f"seed {each.source.seed}", share) for each, share in zip(results, shares, strict=True)]
    message = (f"{source.workload} on {source.system}: over {len(rows)} seeds {label} is {mean[0]:.2%}, between "
               f"{mean[1]:.2%} and {mean[2]:.2%} (95 %)")  # fmt: skip
    table = [[words, share.share, *share.interval] for words, share in rows] + [["mean", *mean]]
    return Drawing(file_name(names[0], "seeds"), message, lambda: seeds.draw(rows, mean, label),
                   ["seed", "share", "low_95", "high_95"], table,
                   "Rows: Wilson's interval over the images; mean: Student's over the seeds.")  # fmt: skip


def _sweep(name: str, found: InferenceSweep) -> Drawing:
    from pimsim.report.plots import sweep

    main = [each.accuracy or each.agreement_fixed for each in found.results]
    worst, best = (pick(range(len(main)), key=lambda n: main[n].share) for pick in (min, max))
    what = "accuracy" if found.results[0].accuracy else "agreement with exact integers"
    message = (f"{name}: {what} is {main[worst].share:.1%} at {found.key} {found.values[worst]}, "
               f"{main[best].share:.1%} at {found.values[best]}")  # fmt: skip
    rows = [[value, share.share, *share.interval] for value, share in zip(found.values, main, strict=True)]
    return Drawing(file_name(name, "sweep"), message, lambda: sweep.draw(found),
                   [found.key, "share", "low_95", "high_95"], rows)  # fmt: skip
