"""A published figure beside ours, and what that says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

FORMAT = "pimsim-validation-1"

Kind = Literal["evidence", "definition", "not checkable"]
"""evidence: the source was read, or is quoted by others; definition: the source is recalled, so that agreement defines
the model and confirms nothing; not checkable: the source does not say what would be needed."""

VERDICTS = ("agrees", "misses", "definition", "not checkable")


@dataclass(frozen=True)
class Check:
    """One figure."""

    group: str
    quantity: str
    unit: str
    ours: float
    theirs: float | None  #: None: nothing is published for it
    tolerance: float | None  #: relative difference within which ours agrees; None: not checkable
    source: str
    kind: Kind = "evidence"
    note: str = ""
    deviation: str = ""  #: the topic in DEVIATIONS.md that says why ours differs

    @property
    def ratio(self) -> float | None:
        """Ours over theirs."""
        return None if self.theirs is None else self.ours / self.theirs

    @property
    def verdict(self) -> str:
        """One of VERDICTS.  Also what is only a definition can miss."""
        if self.kind == "not checkable" or self.ratio is None or self.tolerance is None:
            return "not checkable"
        if abs(self.ratio - 1) > self.tolerance:
            return "misses"
        return "agrees" if self.kind == "evidence" else "definition"


def describe_checks(checks: list[Check]) -> dict[str, Any]:
    """Everything that `pimsim validate` says, as plain data."""
    rows = [asdict(check) | {"ratio": check.ratio, "verdict": check.verdict} for check in checks]
    counts = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in VERDICTS}
    return {"format": FORMAT, "counts": counts, "checks": rows}
