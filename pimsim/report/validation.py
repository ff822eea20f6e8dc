"""Published figures beside ours: on the terminal, and as a page, a table and data in a folder."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from pimsim.results.staging import filled_folder, write_texts

FILES = ("validation.json", "validation.csv", "validation.md")
WIDE = 130  #: columns of a terminal from which on sources stand in the table
STYLES = {"agrees": "green", "deviates": "yellow", "misses": "bold red", "definition": "", "not checkable": "dim"}
HEADS = ("figure", "unit", "ours", "theirs", "ratio", "tolerance", "verdict", "source")
LEGEND = (
    "Tolerance: 2 % for every figure that follows from a table of components, none for whole numbers. agrees: within "
    "it of what a source says. deviates: so too, but for what DEVIATIONS.md says. misses: outside the tolerance. "
    "definition: agrees with what is only recalled, or is arithmetic on the table that ours is computed from, which "
    "defines the model and confirms nothing. not checkable: the source does not say enough."
)
STRONG = ("deviates", "misses")  #: verdicts that a reader must see


def validation_tables(document: dict[str, Any], width: int) -> Group:
    """A table for each group of figures, then the count of verdicts.

    Args:
        document: from :func:`pimsim.validate.checks.describe_checks`.
        width: of the terminal; on a narrow one sources are numbered, and listed below.
    """
    parts: list[Any] = []
    sources: dict[str, str] = {}
    for group, rows in rows_by_group(document):
        table = Table(title=Text(group, "bold"), box=SIMPLE_HEAD, title_justify="left", header_style="bold",
                      pad_edge=False, padding=(0, 1, 0, 0))  # fmt: skip
        for head in HEADS:
            numeric = head in ("ours", "theirs", "ratio", "tolerance")
            table.add_column(head, justify="right" if numeric else "left", overflow="fold", no_wrap=numeric)
        for row in rows:
            cells = row.cells
            if width < WIDE:
                number = sources.setdefault(row.source, f"[{len(sources) + 1}]")
                cells = (*cells[:6], row.verdict, number)
            table.add_row(*map(Text, cells[:6]), Text(cells[6], STYLES[row.verdict]), Text(cells[7], "dim"))
        parts.append(table)
    parts += [Text(f"{number} {source}", "dim") for source, number in sources.items()]
    parts += [Text(line, "red") for line in missing_lines(document)]
    parts += [Text(line) for line in unchecked_lines(document)]
    return Group(*parts, Text(counts_line(document), "bold"), Text(LEGEND, "dim"))


def counts_line(document: dict[str, Any]) -> str:
    """How many of which verdict."""
    return ", ".join(f"{count} {verdict}" for verdict, count in document["counts"].items())


def missing_lines(document: dict[str, Any]) -> list[str]:
    """One line for each figure that misses or deviates: by how much, why, and where more is said."""
    found = []
    for row in document["checks"]:
        if row["verdict"] in STRONG:
            where = f"DEVIATIONS.md, '{row['deviation']}'" if row["deviation"] else "no entry in DEVIATIONS.md: a bug"
            found.append(f"{row['quantity']} {row['verdict']} by {row['ratio'] - 1:+.1%}: "
                         f"{row['note'] or 'no reason known'} ({where})")  # fmt: skip
    return found


def unchecked_lines(document: dict[str, Any]) -> list[str]:
    """One line for each published figure that cannot be checked: why."""
    return [f"{row['quantity']} is not checkable: {row['note']}" for row in document["checks"]
            if row["verdict"] == "not checkable" and (row["theirs"] is not None or row["interval"])]  # fmt: skip


def validation_page(document: dict[str, Any]) -> str:
    """The same as a Markdown page."""
    lines = ["# Published figures and ours", "", f"{counts_line(document)}.", "", LEGEND]
    for group, rows in rows_by_group(document):
        lines += ["", f"## {group}", "", "| " + " | ".join(HEADS) + " |", "|---|---|--:|--:|--:|--:|---|---|"]
        for row in rows:
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row.cells) + " |")
        notes = [f"{row.quantity}: {row.note}" for row in rows if row.note]
        lines += ["", *(f"- {note}" for note in notes)] if notes else []
    missing = missing_lines(document)
    lines += ["", "## Figures that differ", "", *(f"- {line}" for line in missing)] if missing else []
    return "\n".join(lines) + "\n"


def validation_csv(document: dict[str, Any]) -> str:
    """One row a figure."""
    keys = ("group", "quantity", "unit", "ours", "theirs", "theirs_low", "theirs_high", "ratio", "tolerance",
            "verdict", "kind", "source", "note", "deviation")  # fmt: skip
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(keys)
    for row in document["checks"]:
        low, high = row["interval"] or (None, None)
        cells = row | {"theirs_low": low, "theirs_high": high}
        writer.writerow(["" if cells[key] is None else cells[key] for key in keys])
    return text.getvalue()


def write_validation(document: dict[str, Any], folder: str) -> None:
    """Data, table and page into a folder, all of them or none.

    Raises:
        InputError: the folder cannot be made or written.
    """
    texts = (json.dumps(document, indent=1, allow_nan=False) + "\n", validation_csv(document),
             validation_page(document))  # fmt: skip
    with filled_folder(folder, FILES, write_texts) as fill:
        fill(dict(zip(FILES, texts, strict=True)))


@dataclass(frozen=True)
class Row:
    """A figure in words."""

    verdict: str
    cells: tuple[str, ...]  #: under :data:`HEADS`
    source: str
    quantity: str
    note: str


def rows_by_group(document: dict[str, Any]) -> Iterator[tuple[str, list[Row]]]:
    """Groups of figures in their order, each figure as it is shown.

    Args:
        document: from :func:`pimsim.validate.checks.describe_checks`.
    """
    for group in dict.fromkeys(row["group"] for row in document["checks"]):
        yield group, [_row(row) for row in document["checks"] if row["group"] == group]


def _row(row: dict[str, Any]) -> Row:
    interval = " to ".join(f"{end:,.6g}" for end in row["interval"] or ())
    theirs = interval or "-" if row["theirs"] is None else f"{row['theirs']:,.6g}"
    ratio = "-" if row["ratio"] is None else f"{row['ratio']:.4g}"
    tolerance = "-" if row["tolerance"] is None else f"{row['tolerance']:.0%}" if row["tolerance"] else "exact"
    verdict = row["verdict"] + (f", see '{row['deviation']}'" if row["verdict"] in STRONG and row["deviation"] else "")
    cells = (row["quantity"], row["unit"], f"{row['ours']:,.6g}", theirs, ratio, tolerance, verdict, row["source"])
    return Row(row["verdict"], cells, row["source"], row["quantity"], row["note"])
