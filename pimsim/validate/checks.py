"""A published figure beside ours, and what that says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

FORMAT = "pimsim-validation-1"

Kind = Literal["evidence", "definition", "not checkable"]
"""evidence: the source was read, or is quoted by others; definition: the source is recalled, or is arithmetic on the
table that ours is computed from, so that agreement defines the model and confirms nothing; not checkable: the source
does not say what would be needed."""

VERDICTS = ("agrees", "deviates", "misses", "definition", "not checkable")

TOLERANCE = 0.02
"""Relative difference within which a figure agrees that follows from a table of components: their figures are printed
with two or three digits, and add up with their rounding.  One for all such figures, whatever ours come to.  Whole
numbers (crossbars, cycles, bits) have none: they must be equal."""


@dataclass(frozen=True)
class Check:
    """One figure."""

    group: str
    quantity: str
    unit: str
    ours: float
    theirs: float | None  #: None: nothing is published for it
    tolerance: float | None  #: 0 for whole numbers, TOLERANCE for others; None: not checkable
    source: str
    kind: Kind = "evidence"
    note: str = ""
    deviation: str = ""  #: the topic in DEVIATIONS.md that says why ours differs
    interval: tuple[float, float] | None = None  #: published in place of one figure

    @property
    def ratio(self) -> float | None:
        """Ours over theirs."""
        return None if self.theirs is None else self.ours / self.theirs

    @property
    def verdict(self) -> str:
        """One of VERDICTS.  Outside the tolerance a figure misses, explained or not, and also if it is only a
        definition; within it, what DEVIATIONS.md explains deviates, however little it is."""
        if self.kind == "not checkable" or self.ratio is None or self.tolerance is None:
            return "not checkable"
        agrees = abs(self.ratio - 1) <= self.tolerance
        if not agrees:
            return "misses"
        if self.deviation and self.ratio != 1:
            return "deviates"
        return "agrees" if self.kind == "evidence" else "definition"


def describe_checks(checks: list[Check]) -> dict[str, Any]:
    """Everything that `pimsim validate` says, as plain data."""
    rows = [asdict(check) | {"ratio": check.ratio, "verdict": check.verdict,
                             "interval": check.interval and list(check.interval)} for check in checks]  # fmt: skip
    counts = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in VERDICTS}
    return {"format": FORMAT, "counts": counts, "checks": rows}
