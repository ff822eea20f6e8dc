"""A figure of the report: its message, its picture in two formats, and its numbers."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST_SVG = 150_000  #: bytes; a larger drawing is put into the page as pixels
TYPES = {"svg": "image/svg+xml", "png": "image/png"}


@dataclass(frozen=True)
class Drawing:
    """What to draw, and what it says."""

    name: str  #: of its files
    message: str  #: a sentence: what the reader should see
    draw: Callable[[], Figure]
    head: Sequence[str]  #: of the table of its numbers; units are in the names
    rows: Sequence[Sequence[Any]]
    note: str = ""  #: how to read it, and what it leaves out


@dataclass(frozen=True)
class Drawn:
    """A drawing in files."""

    drawing: Drawing
    picture: str  #: data URI
    dark: str | None  #: likewise, for a dark page; None: the same, on a light ground
    files: tuple[str, ...]  #: names of the files in the folder beside the page
    width: int  #: in the page [CSS pixels], the same for both formats


def drawn(drawing: Drawing, folder: Path) -> Drawn:
    """Draw into ``folder``: PNG, SVG and CSV; the smaller of the pictures also for the page, in light and in dark."""
    from pimsim.report.plots import dark, style

    with style.in_style():
        figure = drawing.draw()
        png, svg = style.save(figure, folder / drawing.name, ("png", "svg"))
        small = _compact(svg.read_bytes())
        kind = "svg" if len(small) <= max(LARGEST_SVG, png.stat().st_size) else "png"
        on_dark = _data_uri(kind, _bytes(figure, kind)) if dark.darken(figure) else None
    table = folder / f"{drawing.name}.csv"
    write_csv(table, drawing.head, drawing.rows)
    picture = _data_uri(kind, small if kind == "svg" else png.read_bytes())
    return Drawn(drawing, picture, on_dark, (png.name, svg.name, table.name), _width(svg))


def _width(svg: Path) -> int:
    """Of a drawing whose width is given in points."""
    with open(svg, encoding="utf-8") as text:
        found = re.search(r'<svg[^>]* width="([0-9.]+)pt"', text.read(2000))
    return round(float(found.group(1)) * 96 / 72) if found else 800


def _bytes(figure: Figure, kind: str) -> bytes:
    """A figure as a file for the page."""
    from pimsim.report.plots import style

    content = io.BytesIO()
    style.save_into(figure, content, kind)
    return _compact(content.getvalue()) if kind == "svg" else content.getvalue()


def _compact(svg: bytes) -> bytes:
    """The same picture in fewer bytes: a hundredth of a point is finer than any screen or printer."""
    text = svg.decode("utf-8")
    text = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"(?<![\w.#])-?\d+\.\d{3,}(?![\w.])", lambda found: _short(float(found[0])), text)
    return re.sub(r">\s+<", "><", re.sub(r"\s+", " ", text)).strip().encode("utf-8")


def _short(value: float) -> str:
    """Two decimals; of small numbers, which are factors, four digits."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) >= 1 else f"{value:.4g}"


def _data_uri(kind: str, content: bytes) -> str:
    """A picture as an address that holds it."""
    return f"data:{TYPES[kind]};base64,{base64.b64encode(content).decode('ascii')}"


def write_csv(file: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table with one line for its head."""
    with open(file, "w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(head)
        writer.writerows([["" if cell is None else cell for cell in row] for row in rows])


def file_name(*words: str) -> str:
    """Words as the name of a file."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", "-".join(words)).strip("-.") or "figure"
