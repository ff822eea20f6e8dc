"""What the page says of more runs than it draws one by one: all of them in one picture, the most different in full."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from pimsim.report.labels import TIME_GROUPS
from pimsim.report.page.drawing import Drawing
from pimsim.results.notebook import with_unit
from pimsim.results.record import Result

MOST_ROWS = 40  #: runs of one picture; more runs take several pictures
MOST_PARTS = 7  #: components with a colour of their own
CHOICE = (
    "the first, then again and again the one that is farthest from those before it in time, energy and area (their "
    "log10) and in its shares of time and of energy"
)


def most_different(named: Mapping[str, Result], count: int) -> list[str]:
    """Names of ``count`` results, in the order given, as :data:`CHOICE` says (farthest-point sampling)."""
    names = list(named)
    points = _features(named)
    chosen = [0]
    while len(chosen) < min(count, len(names)):
        away = np.linalg.norm(points[:, None] - points[chosen], axis=2).min(axis=1)
        away[chosen] = -1.0
        chosen.append(int(np.argmax(away)))
    return [names[n] for n in sorted(chosen)]


def _features(named: Mapping[str, Result]) -> np.ndarray:
    """(results, quantities): decades, and shares from 0 to 1."""
    parts = sorted({part for each in named.values() for part in _energy_shares(each)})
    rows = []
    for each in named.values():
        sizes = (each.delay_ps, each.costs.energy_pj, each.costs.area_mm2)
        shares = _energy_shares(each)
        rows.append([*(math.log10(size) if size else 0.0 for size in sizes), *_time_shares(each).values(),
                     *(shares.get(part, 0.0) for part in parts)])  # fmt: skip
    return np.array(rows, dtype=np.float64)


def drawings(named: Mapping[str, Result]) -> list[Drawing]:
    """All results, as many pictures as it takes."""
    names = list(named)
    parts = [names[at : at + MOST_ROWS] for at in range(0, len(names), MOST_ROWS)]
    return [_drawing({name: named[name] for name in part}, n, len(parts)) for n, part in enumerate(parts, 1)]


def _drawing(named: Mapping[str, Result], number: int, of: int) -> Drawing:
    from pimsim.report.plots import overview

    times = {group: [_time_shares(each)[group] for each in named.values()] for group in TIME_GROUPS}
    energies = _largest([_energy_shares(each) for each in named.values()])
    labels = [(with_unit(each.delay_ps / 1e12, "s", 3), with_unit(each.costs.energy_pj / 1e12, "J", 3))
              for each in named.values()]  # fmt: skip
    unit = _unit(named)
    compute = dict(zip(named, times["compute"], strict=True))
    least, most = (pick(compute, key=lambda name: compute[name]) for pick in (min, max))
    message = (f"Layers compute from {compute[least]:.0%} ({least}) to {compute[most]:.0%} ({most}) of the run"
               + (f"; part {number} of {of}" if of > 1 else ""))  # fmt: skip
    head = ["result", "mode", "time_ps", "energy_pJ", *(f"{group}_share" for group in TIME_GROUPS),
            *(f"{part}_energy_share" for part in energies)]  # fmt: skip
    rows = [[name, each.mode, each.delay_ps, each.costs.energy_pj, *(values[n] for values in times.values()),
             *(values[n] for values in energies.values())] for n, (name, each) in enumerate(named.items())]  # fmt: skip
    return Drawing(f"all-runs{f'-{number}' if of > 1 else ''}", message,
                   lambda: overview.draw(list(named), times, energies, labels, unit), head, rows,
                   "A row a run. Shares of time: mean of the layers, each of its replicas. Beside them time and energy "
                   f"of {unit}, static power included.")  # fmt: skip


def _unit(named: Mapping[str, Result]) -> str:
    """What times and energies are of."""
    modes = {each.mode for each in named.values()}
    words = {"infer": "one inference", "train": "one iteration"}
    return words[modes.pop()] if len(modes) == 1 else "one inference, or iteration of training"


def _time_shares(result: Result) -> dict[str, float]:
    return {group: float(np.mean([layer.share(*parts) for layer in result.layers])) if result.layers else 0.0
            for group, parts in TIME_GROUPS.items()}  # fmt: skip


def _energy_shares(result: Result) -> dict[str, float]:
    costs = result.costs
    total = costs.energy_pj or 1.0
    return {name: (costs.dynamic_pj.get(name, 0.0) + costs.static_pj.get(name, 0.0)) / total
            for name in dict.fromkeys([*costs.dynamic_pj, *costs.static_pj])}  # fmt: skip


def _largest(shares: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Component -> (runs,) share; those that are small everywhere are put together."""
    from pimsim.report.plots.overview import OTHERS

    peaks: dict[str, float] = {}
    for each in shares:
        for name, share in each.items():
            peaks[name] = max(peaks.get(name, 0.0), share)
    chosen = sorted(peaks, key=lambda name: -peaks[name])[:MOST_PARTS]
    found = {name: [each.get(name, 0.0) for each in shares] for name in chosen}
    rest = [sum(share for name, share in each.items() if name not in chosen) for each in shares]
    return {**found, OTHERS: rest} if any(rest) else found
