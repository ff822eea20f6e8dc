"""The page: one HTML file with its style inside, readable in light, in dark and on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from pimsim.report.page.drawing import Drawn

STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --soft: #5a5a5a; --paper: #ffffff; --line: #d4d4d4;
  --band: #f3f5f7; --link: #00568b; --warn: #8a3b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --soft: #a9a9a9; --paper: #16181b; --line: #3a3f45;
  --band: #212529; --link: #7cc4f5; --warn: #ffb37a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0.5rem 0; }
h2 { font-size: 1.3rem; margin: 3rem 0 0.75rem; padding-top: 0.6rem; border-top: 2px solid var(--line); }
h3 { font-size: 1.05rem; line-height: 1.35; margin: 1.8rem 0 0.6rem; }
p { margin: 0.5rem 0; max-width: 52rem; } a { color: var(--link); }
.soft { color: var(--soft); font-size: 0.875rem; } .warn { color: var(--warn); }
nav { font-size: 0.9rem; } nav a { margin-right: 1.1rem; white-space: nowrap; }
.wide { overflow-x: auto; margin: 0.75rem 0; }
table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.28rem 0.6rem 0.28rem 0.3rem; text-align: right; vertical-align: top; }
th { border-bottom: 2px solid var(--line); font-weight: 600; vertical-align: bottom; }
td { border-bottom: 1px solid var(--line); white-space: nowrap; }
td.long { text-align: left; white-space: normal; min-width: 10rem; max-width: 44rem; }
td.wrap { text-align: left; white-space: normal; min-width: 7.5rem; }
.left { text-align: left; } tr.strong td { font-weight: 600; background: var(--band); }
figure { margin: 0.5rem 0 0; }
figure img { display: block; max-width: 100%; height: auto; border-radius: 6px; }
figure img.dark { display: none; }
figcaption { margin-top: 0.35rem; }
details { margin: 0.75rem 0; } summary { cursor: pointer; color: var(--link); }
pre { font-size: 0.8rem; line-height: 1.4; background: var(--band); padding: 0.75rem; overflow-x: auto;
  border-radius: 6px; max-height: 32rem; }
@media screen and (prefers-color-scheme: dark) { figure img.light { display: none; }
  figure img.dark { display: block; } figure img.only { filter: brightness(0.88); } }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --paper: #fff; --line: #bbb; --band: #f3f3f3;
  --link: #00406a; --warn: #6b2e00; } main { max-width: none; padding: 0; } body { font-size: 10pt; }
  nav, details:not([open]) { display: none; } .drawing, h2 + .wide, tr, p { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  thead { display: table-header-group; } .wide { overflow: visible; } table { font-size: 8pt; }
  .drawing h3 { margin-top: 0.8rem; } figure img { max-height: 19cm; width: auto; } }
"""

LONG, WORDS = 34, 22  #: characters from which on a cell may take several lines, and one at the left already
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"  #: a browser asks nobody for anything


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    anchor: str
    title: str
    body: str  #: HTML


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole file.

    Args:
        title: of the page, plain text.
        lead: HTML below it.
    """
    links = "\n".join(f'<a href="#{escape(each.anchor)}">{escape(each.title)}</a>' for each in sections)
    parts = "".join(
        f'<section id="{escape(each.anchor)}"><h2>{escape(each.title)}</h2>{each.body}</section>\n'
        for each in sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}</style></head>\n<body><main>\n<h1>{escape(title)}</h1>\n{lead}\n<nav>{links}</nav>\n"
        f"{parts}</main></body></html>\n"
    )


def text(words: str, kind: str = "") -> str:
    """A paragraph."""
    return f"<p{_class(kind)}>{escape(words)}</p>\n"


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1, strong: Sequence[int] = (),
    words: Sequence[int] = (),
) -> str:  # fmt: skip
    """Rows of plain text; the first ``left`` columns and those of ``words`` begin at the left, ``strong`` rows stand
    out."""
    lefts = {*range(left), *words}
    heads = "".join(f"<th{_class('left' if n in lefts else '')}>{escape(cell)}</th>" for n, cell in enumerate(head))
    lines = []
    for at, row in enumerate(rows):
        cells = "".join(f"<td{_class(_kind(cell, n in lefts))}>{escape(cell)}</td>" for n, cell in enumerate(row))
        lines.append(f"<tr{_class('strong' if at in strong else '')}>{cells}</tr>")
    top = f"<thead><tr>{heads}</tr></thead>" if any(head) else ""
    return f'<div class="wide"><table>{top}<tbody>{"".join(lines)}</tbody></table></div>\n'


def details(summary: str, body: str) -> str:
    """What is shown when it is asked for."""
    return f"<details><summary>{escape(summary)}</summary>{body}</details>\n"


def listing(words: str) -> str:
    """Text as it is."""
    return f"<pre>{escape(words)}</pre>\n"


def figure(each: Drawn, folder: str) -> str:
    """A picture under its message, and where its files are."""
    drawing = each.drawing
    links = ", ".join(f'<a href="{escape(folder)}/{escape(file)}">{escape(file)}</a>' for file in each.files)
    note = f"{escape(drawing.note)} " if drawing.note else ""
    pictures = [("only", each.picture)] if each.dark is None else [("light", each.picture), ("dark", each.dark)]
    images = "".join(f'<img class="{kind}" alt="{escape(drawing.message)}" width="{each.width}" src="{picture}">'
                     for kind, picture in pictures)  # fmt: skip
    return (
        f'<div class="drawing"><h3>{escape(drawing.message)}</h3>\n'
        f'<figure>{images}<figcaption class="soft">{note}{links}</figcaption></figure></div>\n'
    )


def _kind(cell: str, is_left: bool) -> str:
    """Long words may take several lines."""
    if len(cell) > LONG:
        return "long"
    return ("wrap" if len(cell) > WORDS else "left") if is_left else ""


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def notes_of(named: Mapping[str, Sequence[str]]) -> list[str]:
    """Every note once, behind the names of the results that have it."""
    said: dict[str, list[str]] = {}
    for name, notes in named.items():
        for note in notes:
            said.setdefault(note, []).append(name)
    return [f"{', '.join(names)}: {note}" for note, names in said.items()]
