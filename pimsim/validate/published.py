"""Figures that papers print, against the same figures from pimsim's records.

Nothing is simulated here: these are the tables.  What a source says twice and differently is kept
twice, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pimsim.baselines import load_accelerator
from pimsim.config.records import System
from pimsim.technology import PeakMetrics, RollUp, peak_metrics, roll_up
from pimsim.validate.checks import TOLERANCE, Kind


@dataclass(frozen=True)
class Published:
    """One figure of a paper, and how pimsim arrives at it."""

    quantity: str
    unit: str
    value: float
    tolerance: float  #: relative difference within which ours agrees
    source: str
    ours: Callable[[RollUp, PeakMetrics], float | None]
    note: str = ""
    deviation: str = ""  #: topic in DEVIATIONS.md
    kind: Kind = "evidence"


@dataclass(frozen=True)
class Comparison:
    """A published figure beside ours."""

    quantity: str
    unit: str
    published: float
    ours: float
    tolerance: float
    source: str
    note: str
    deviation: str
    kind: Kind

    @property
    def difference(self) -> float:
        """Relative: 0.01 where ours is 1 % higher."""
        return self.ours / self.published - 1

    @property
    def agrees(self) -> bool:
        return abs(self.difference) <= self.tolerance


_TABLE = "ISAAC (ISCA 2016), table 1"
_SUM = f"sum of {_TABLE}"


def _over_dadiannao(ours: float | None, quantity: str) -> float | None:
    return None if ours is None else ours / load_accelerator("dadiannao").value(quantity)


def _bare_crossbars(total: RollUp, peak: PeakMetrics) -> float | None:
    """CE of IMAs alone."""
    gops_of_chip = 1000 * peak.tops
    return gops_of_chip / (total.imas.area_mm2 * total.tiles.area_mm2 / total.tile.area_mm2)


ISAAC_CE: tuple[Published, ...] = (
    Published(
        "power of an IMA", "mW", 24.08, TOLERANCE, _SUM, lambda total, _: total.ima.power_mw, kind="definition",
    ),
    Published(
        "area of an IMA", "mm2", 0.01312, TOLERANCE, _SUM, lambda total, _: total.ima.area_mm2, kind="definition",
    ),
    Published("power of 12 IMAs", "mW", 289, TOLERANCE, _TABLE, lambda total, _: total.imas.power_mw),
    Published("area of 12 IMAs", "mm2", 0.157, TOLERANCE, _TABLE, lambda total, _: total.imas.area_mm2),
    Published("power of tile periphery", "mW", 40.9, TOLERANCE, _TABLE, lambda total, _: total.tile_periphery.power_mw),
    Published(
        "area of tile periphery", "mm2", 0.215, TOLERANCE, _TABLE, lambda total, _: total.tile_periphery.area_mm2
    ),
    Published("power of a tile", "mW", 330, TOLERANCE, _TABLE, lambda total, _: total.tile.power_mw),
    Published("area of a tile", "mm2", 0.372, TOLERANCE, _TABLE, lambda total, _: total.tile.area_mm2),
    Published("power of 168 tiles", "W", 55.4, TOLERANCE, _TABLE, lambda total, _: total.tiles.power_mw / 1000),
    Published("area of 168 tiles", "mm2", 62.5, TOLERANCE, _TABLE, lambda total, _: total.tiles.area_mm2),
    Published("power of a chip", "W", 65.8, TOLERANCE, _TABLE, lambda total, _: total.chip.power_mw / 1000),
    Published("area of a chip", "mm2", 85.4, TOLERANCE, _TABLE, lambda total, _: total.chip.area_mm2),
    Published(
        "crossbars of a chip", "", 16128, 0, "168 tiles x 12 IMAs x 8 crossbars", lambda _, peak: peak.crossbars,
        kind="definition",
    ),
    Published(
        "peak", "TOPS", 41.28768, TOLERANCE, "16,128 x 2 x 128 x 16 ops / 1.6 us", lambda _, peak: peak.tops,
        "derived: the paper prints densities only", kind="definition",
    ),
    Published(
        "CE, busy cycles only", "GOPS/(s mm2)", 483, TOLERANCE, "a later paper on a polyhedral compiler, on its own",
        lambda _, peak: peak.ce_gops_per_mm2,
    ),
    Published(
        "CE over DaDianNao", "x", 7.5, TOLERANCE, "ISAAC, abstract; DaDianNao's 63.46 quoted by PipeLayer",
        lambda _, peak: _over_dadiannao(peak.ce_gops_per_mm2, "CE"),
    ),
    Published(
        "PE over DaDianNao", "x", 2.19, TOLERANCE, "ISAAC: 'PE 119 % better'; DaDianNao's 286.4 quoted by PipeLayer",
        lambda _, peak: _over_dadiannao(peak.pe_gops_per_w, "PE"),
    ),
    Published(
        "SE", "MiB/mm2", 0.738, TOLERANCE, "63 MiB / 85.4 mm2; the paper rounds to 0.74",
        lambda _, peak: peak.se_mib_per_mm2, kind="definition",
    ),
    Published(
        "PE", "GOPS/(s W)", 627.5, TOLERANCE, "41,288 GOPS / 65.8 W", lambda _, peak: peak.pe_gops_per_w,
        "363.7, and 380.7 for ISAAC-PE, are quoted from the paper's first version; 627.5 follows from its power table "
        "and from 'PE 119 % better' than DaDianNao's 286.4. The public PDF notes a correction of October 2016",
        kind="definition",
    ),
)  # fmt: skip
"""ISAAC-CE as published and as corrected; definitions are arithmetic on the very table that ours is computed from."""

ISAAC_DEVIATING: tuple[Published, ...] = (
    Published(
        "CE", "GOPS/(s mm2)", 478.95, TOLERANCE, "ISAAC, design point ISAAC-CE", lambda _, peak: peak.ce_gops_per_mm2,
        "as later papers quote it; the table's own peak and area give 483.3", "ISAAC: CE",
    ),
    Published(
        "CE of IMAs alone", "GOPS/(s mm2)", 1707, TOLERANCE, "ISAAC: a bare 128 x 128 array of 2-bit cells",
        _bare_crossbars,
        "the table gives 1,561; what the paper leaves out of an array's area is not known to us",
        "ISAAC, CE of IMAs alone",
    ),
    Published(
        "PE, first version", "GOPS/(s W)", 363.7, TOLERANCE, "ISAAC before its correction of October 2016; recalled",
        lambda _, peak: peak.pe_gops_per_w, "cannot be had from the paper's own 65.8 W", "ISAAC: PE",
    ),
)  # fmt: skip
"""What ISAAC prints and its own table contradicts."""


def compare(published: tuple[Published, ...], system: System) -> list[Comparison]:
    """Each published figure beside that of ``system``.

    Raises:
        InputError: a cost of the system cannot be scaled to its parameters.
        ValueError: the system prices no area or no power, so a density does not exist.
    """
    totals, peak = roll_up(system), peak_metrics(system)
    rows = []
    for figure in published:
        ours = figure.ours(totals, peak)
        if ours is None:
            raise ValueError(f"{system.name} has no {figure.quantity}: nothing of it is priced")
        rows.append(
            Comparison(
                figure.quantity, figure.unit, figure.value, float(ours), figure.tolerance, figure.source, figure.note,
                figure.deviation, figure.kind,
            )
        )
    return rows
