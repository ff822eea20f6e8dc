"""What the page says of the systems themselves: area, peak densities beside published ones, several sizes."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pimsim.baselines import accelerators
from pimsim.config.records import System
from pimsim.errors import InputError
from pimsim.report.labels import component_label, method_words
from pimsim.report.page.drawing import Drawing
from pimsim.report.page.versus import geometric_mean, peak_of
from pimsim.results.record import Result
from pimsim.technology import component_table


def drawings(named: Mapping[str, Result]) -> list[Drawing]:
    """All of them that the results allow."""
    return [each for each in (_scaling(named), _area(named), _densities(named)) if each is not None]


def systems_of(named: Mapping[str, Result]) -> dict[str, Result]:
    """One result for each kind of chip, by the system's name; where names are equal, by the results' too."""
    first: dict[str, tuple[str, Result]] = {}
    for name, result in named.items():
        first.setdefault(_chip_key(result), (name, result))
    words = [result.source.system for _, result in first.values()]
    return {
        result.source.system if words.count(result.source.system) == 1 else f"{result.source.system} of {name}": result
        for name, result in first.values()
    }


def _chip_key(result: Result) -> str:
    """Equal where systems differ in their number of chips at most."""
    return json.dumps({**result.source.config, "chips": None}, sort_keys=True)


def area_of(result: Result) -> dict[str, float]:
    """Component in words -> area of all of it in one chip [mm2].

    Raises:
        InputError: a cost of the system cannot be scaled.
    """
    system = System.model_validate(result.source.config)
    tiles, imas = system.chip.reram_tiles, system.chip.tile.imas
    of_chip = {"ima": tiles * imas, "tile": tiles, "gpu": system.chip.gpu_cores, "chip": 1}
    return {
        component_label(f"{row.level}.{row.component}"): of_chip[row.level] * row.total_area_mm2
        for row in component_table(system)
        if not row.is_subtotal and row.level in of_chip and row.total_area_mm2
    }


def _area(named: Mapping[str, Result]) -> Drawing | None:
    from pimsim.report.plots import area

    areas = {}
    for name, result in systems_of(named).items():
        try:
            areas[name] = area_of(result)
        except InputError:
            continue
    areas = {name: each for name, each in areas.items() if each}
    if not areas:
        return None
    name, first = next(iter(areas.items()))
    total, largest = sum(first.values()), max(first, key=lambda part: first[part])
    message = f"{largest[0].upper()}{largest[1:]} take {first[largest] / total:.0%} of the {total:.4g} mm2 of {name}"
    rows = [[system, part, value] for system, each in areas.items() for part, value in each.items()]
    shown = f"The first {area.MOST_SYSTEMS} of {len(areas)} systems. " if len(areas) > area.MOST_SYSTEMS else ""
    return Drawing("area", message, lambda: area.draw(areas), ["system", "component", "area_mm2"], rows,
                   f"{shown}The {area.MOST_PARTS} largest components; those without a known area are "
                   "left out.")  # fmt: skip


def _densities(named: Mapping[str, Result]) -> Drawing | None:
    """Peak densities of the systems beside published ones; None where ours are not known."""
    from pimsim.report.plots import densities as drawing

    ours: dict[str, list[float | None]] = {}
    for name, result in systems_of(named).items():
        try:
            peak = peak_of(result)
        except InputError:
            continue
        ours[name] = [peak.ce_gops_per_mm2, peak.pe_gops_per_w]
    known = {name: value for name, values in ours.items() if (value := values[1])}
    if not known:
        return None
    theirs, trust = _published()
    published = {name: value for name, values in theirs.items()
                 if (value := values[1]) and trust[name][1] == "published"}  # fmt: skip
    best, top = max(known, key=lambda name: known[name]), max(published, key=lambda name: published[name])
    message = (f"At its peak {best} does {known[best]:,.4g} GOPS/(s W); the most that is published here is "
               f"{published[top]:,.4g}, by {top}")  # fmt: skip
    rows = [[name, "computed by pimsim", *values, "", ""] for name, values in ours.items()]
    rows += [[name, "of papers, not simulated", *values, *trust[name]] for name, values in theirs.items()]
    return Drawing("densities", message, lambda: drawing.draw(ours, theirs, trust),
                   ["name", "kind", "CE_GOPS_per_s_mm2", "PE_GOPS_per_s_W", "CE_trust", "PE_trust"], rows,
                   "Peaks, not networks. Hatched bars are what papers say of themselves, at their own technology and "
                   "precision; derived ones follow from figures of the paper, recalled ones were not checked "
                   "against it. `pimsim baseline show NAME` names every source.")  # fmt: skip


def _published() -> tuple[dict[str, list[float | None]], dict[str, list[str]]]:
    """Name -> CE and PE, and how far each is to be trusted."""
    values: dict[str, list[float | None]] = {}
    trust: dict[str, list[str]] = {}
    for each in accelerators().values():
        figures = {figure.quantity: figure for figure in each.figures}
        pair = [figures.get("CE"), figures.get("PE")]
        if any(pair):
            name = each.title.partition(",")[0]
            values[name] = [figure.value if figure else None for figure in pair]
            trust[name] = [figure.trust if figure else "" for figure in pair]
    return values, trust


def _scaling(named: Mapping[str, Result]) -> Drawing | None:
    """Throughput against chips where the same network was run on several sizes of one system; else None."""
    from pimsim.report.plots import scaling as drawing

    series: dict[tuple[str, str, str, str], dict[int, tuple[int, float, float]]] = {}
    for each in named.values():
        rate, source = each.times.throughput_per_s, each.source
        if rate:
            method = method_words(source.engine, source.network)
            key = (f"{source.workload} on {source.system}, {method}", method, source.workload_hash, _chip_key(each))
            row = (each.usage.chips, rate, each.costs.energy_pj / 1e6)
            series.setdefault(key, {})[each.usage.chips] = row
    several = {key: rows for key, rows in series.items() if len(rows) > 1}
    words = [key[0] for key in several]
    lines = {
        key[0] + (f" ({n})" if words.count(key[0]) > 1 else ""): [rows[chips] for chips in sorted(rows)]
        for n, (key, rows) in enumerate(several.items(), 1)
    }
    if not lines:
        return None
    gains: dict[str, list[float]] = {}
    for key, rows in zip(several, lines.values(), strict=True):
        gains.setdefault(key[1], []).append(rows[-1][1] / rows[0][1])
    return Drawing("scaling", _scaling_message(lines, gains), lambda: drawing.draw(lines),
                   ["network", "chips", "throughput_per_s", "energy_uJ"],
                   [[name, *row] for name, each in lines.items() for row in each],
                   "Each point is a run given to this report; dotted: in proportion to the chips.")  # fmt: skip


def _scaling_message(lines: Mapping[str, list[tuple[int, float, float]]], gains: Mapping[str, list[float]]) -> str:
    """Gains by how they were found: what was found in different ways has no mean in common."""
    if len(lines) == 1:
        label, rows = next(iter(lines.items()))
        return (f"{rows[-1][0]} chips instead of {rows[0][0]} give {rows[-1][1] / rows[0][1]:.3g} times the throughput "
                f"({label})")  # fmt: skip
    means = "; ".join(f"{geometric_mean(each):.3g} times ({method})" for method, each in gains.items())
    return f"The throughput of the most chips over that of the fewest, geometric means over networks: {means}"
