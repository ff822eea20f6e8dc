"""Temperatures of a run on the terminal and in a folder: a row a tier, a row a tile, pictures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from pimsim.heat import Heat
from pimsim.results.staging import filled_folder, write_texts
from pimsim.thermal import Spot, Transient

FORMAT = "pimsim-heat-1"
HEAT, TILES, WARMING = "heat.json", "heat.csv", "heat_transient.csv"
FILES = (HEAT, TILES, WARMING, "heat.png", "heat.svg", "heat_transient.png", "heat_transient.svg")
ZERO_CELSIUS_K = 273.15
COLUMNS = ("chip", "tile", "kind", "tier", "x_mm", "y_mm", "power_w", "temperature_k", "temperature_c")
MOST_CHIPS = 8  #: of which every tier has a row; of more only the hottest one's


def heat_tables(heat: Heat) -> Group:
    """Everything that `pimsim thermal` prints."""
    table = Table(title=Text(f"{heat.name}: temperatures", "bold"), box=SIMPLE_HEAD,
                  title_justify="left", header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))  # fmt: skip
    for name in ("chip", "tier", "kind"):
        table.add_column(name, no_wrap=True)
    for name in ("tiles", "power of\ntiles [W]", "mean [°C]", "hottest\ncell [°C]", "hottest tile", "its mean [°C]"):
        table.add_column(name, justify="right", no_wrap=True)
    chips = range(len(heat.maps)) if len(heat.maps) <= MOST_CHIPS else [heat.hottest_chip]
    for chip in chips:
        for tier in range(heat.floorplan.tiers):
            table.add_row(*map(Text, _tier_row(heat, chip, tier)))
    lines = [balance_words(heat), hottest_words(heat)]
    if len(chips) < len(heat.maps):
        lines.append(f"The hottest of {len(heat.maps)} chips is shown; the file of --out has all of them.")
    if heat.transient is not None:
        lines.append(warming_words(heat.transient))
    return Group(table, *map(Text, lines), *(Text(f"note: {note}", "dim") for note in heat.notes))


def _tier_row(heat: Heat, chip: int, tier: int) -> list[str]:
    found = heat.maps[chip]
    own = np.flatnonzero((heat.chip == chip) & (heat.tier == tier))
    hottest = int(own[np.argmax(heat.temperature_k[own])])
    last = heat.floorplan.tiers - 1
    where = "" if last == 0 else {0: ", far from the sink", last: ", at the sink"}.get(tier, "")
    return [str(chip), f"{tier}{where}", heat.kinds[tier], f"{own.size:,}", f"{heat.power_w[own].sum():.4g}",
            f"{found.tier_mean_k[tier] - ZERO_CELSIUS_K:.2f}", f"{found.tier_max_k[tier] - ZERO_CELSIUS_K:.2f}",
            str(hottest), f"{heat.temperature_k[hottest] - ZERO_CELSIUS_K:.2f}"]  # fmt: skip


def balance_words(heat: Heat) -> str:
    """Where the power is made, and that it leaves."""
    made = f"Heat in: {heat.heat_in_w:.5g} W ({heat.power_w.sum():.4g} W of tiles"
    made += f", {heat.links_w.sum():.4g} W of links between chips)" if heat.links_w.any() else ")"
    board = sum(found.to_board_w for found in heat.maps)
    ways = f", {board:.4g} W of it through the board" if board else ""
    return f"{made}; heat out: {heat.heat_out_w:.5g} W{ways}; the difference is {heat.imbalance:.1e} of it"


def hottest_words(heat: Heat) -> str:
    """The hottest spot, by name."""
    chip, spot = heat.hottest_chip, heat.hottest.hottest
    of_chip = f"chip {chip}, " if len(heat.maps) > 1 else ""
    tile = heat.hottest_tile
    rise = spot.temperature_k - heat.hottest.ambient_k
    return (f"Hottest spot: {spot.temperature_k - ZERO_CELSIUS_K:.2f} °C, {rise:.2f}"
            f" K above the air: {of_chip}tier {spot.tier} at ({1e3 * spot.x_m:.2f}, {1e3 * spot.y_m:.2f}) mm, "
            f"{_what_is_at(heat, spot)}. Hottest tile: {tile}, {heat.temperature_k[tile] - ZERO_CELSIUS_K:.2f} °C on "
            f"average")  # fmt: skip


def _what_is_at(heat: Heat, spot: Spot) -> str:
    plan = heat.floorplan
    inside = (plan.tier == spot.tier) & (abs(spot.x_m - plan.x_m - plan.side_m / 2) <= plan.side_m / 2)
    inside &= abs(spot.y_m - plan.y_m - plan.side_m / 2) <= plan.side_m / 2
    if inside.any():
        place = int(np.argmax(inside))
        return f"in tile {heat.hottest_chip * len(plan.x_m) + place}"
    if spot.y_m <= plan.links_m and spot.tier == plan.links_tier:
        return "in the links between chips"
    return "between tiles"


def warming_words(transient: Transient) -> str:
    """How long the hottest tier takes."""
    hottest = transient.tier_max_k
    tier = int(np.argmax(hottest[-1]))
    course = hottest[:, tier]
    words = []
    for share in (0.5, 0.9):
        reached = course[0] + share * (course[-1] - course[0])
        words.append(f"{share:.0%} of its rise after {_seconds(float(np.interp(reached, course, transient.time_s)))}")
    return f"Warming up: tier {tier} has {', '.join(words)}"


def _seconds(time_s: float) -> str:
    size, unit = next((each for each in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")) if time_s >= each[0]), (1e-9, "ns"))
    return f"{time_s / size:.3g} {unit}"


def tile_rows(heat: Heat) -> list[list[Any]]:
    """One row a tile, as ``COLUMNS`` name them."""
    x_m, y_m = heat.middle_m
    columns = (heat.chip, np.arange(len(heat.chip)), np.where(heat.on_gpu, "gpu", "reram"), heat.tier, 1e3 * x_m,
               1e3 * y_m, heat.power_w, heat.temperature_k, heat.temperature_k - ZERO_CELSIUS_K)  # fmt: skip
    return [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def heat_json(heat: Heat) -> str:
    """Headline figures and all tiles."""
    spot, path = heat.hottest.hottest, heat.hottest
    head = {
        "format": FORMAT, "workload": heat.workload, "system": heat.system, "mode": heat.mode,
        "ambient_k": path.ambient_k,
        "heat_in_w": heat.heat_in_w, "heat_out_w": heat.heat_out_w, "links_w": heat.links_w.tolist(),
        "hottest_chip": heat.hottest_chip, "hottest_tile": heat.hottest_tile,
        "hottest_spot": {"temperature_k": spot.temperature_k, "tier": spot.tier, "x_mm": 1e3 * spot.x_m,
                         "y_mm": 1e3 * spot.y_m, "what": _what_is_at(heat, spot)},
        "tier_max_k": [found.tier_max_k.tolist() for found in heat.maps],
        "tier_mean_k": [found.tier_mean_k.tolist() for found in heat.maps], "notes": list(heat.notes),
        "tiles": [dict(zip(COLUMNS, row, strict=True)) for row in tile_rows(heat)],
    }  # fmt: skip
    return json.dumps(head, indent=1, allow_nan=False) + "\n"


def heat_folder(path: str | Path) -> AbstractContextManager[Callable[[Heat], None]]:
    """A folder to fill with temperatures, see :func:`pimsim.results.staging.filled_folder`."""
    return filled_folder(path, FILES, _write)


def _write(heat: Heat, stage: Path) -> None:
    from pimsim.report.heat import save_heat  # matplotlib loads slowly

    texts = {HEAT: heat_json(heat), TILES: _csv(COLUMNS, tile_rows(heat))}
    if heat.transient is not None:
        texts[WARMING] = _warming_csv(heat.transient)
    write_texts(texts, stage)
    name = heat.name + (f", chip {heat.hottest_chip} (the hottest)" if len(heat.maps) > 1 else "")
    save_heat(heat.hottest, stage, name, transient=heat.transient, kinds=heat.kinds)


def _warming_csv(transient: Transient) -> str:
    rows = np.column_stack([transient.time_s, transient.tier_max_k])
    return _csv(["time_s", *(f"tier_{tier}_max_k" for tier in range(rows.shape[1] - 1))], rows.tolist())


def _csv(names: Any, rows: list[list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([names, *rows])
    return text.getvalue()
