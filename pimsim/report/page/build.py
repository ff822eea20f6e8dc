"""The page put together, and written with its figures and tables beside it."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pimsim.errors import InputError
from pimsim.report.loading import Saved
from pimsim.report.page import against, executions, html, overview, runs, studies, study_versus, systems
from pimsim.report.page.drawing import Drawing, drawn, file_name, write_csv
from pimsim.report.page.html import Section
from pimsim.report.page.points import Points
from pimsim.report.page.versus import set_beside
from pimsim.report.validation import HEADS, LEGEND, STRONG, counts_line, missing_lines, rows_by_group, unchecked_lines
from pimsim.results.inference import InferenceResult, InferenceSweep
from pimsim.results.record import Result
from pimsim.results.staging import staged_file, staged_folder, write_error
from pimsim.version import __version__
from pimsim.workload import Workload

MOST_DETAILED = 6  #: runs whose own figures are drawn; of more, the most different ones


@dataclass(frozen=True)
class Subjects:
    """What a report is about."""

    saved: Mapping[str, Saved] = field(default_factory=dict)  #: results by name
    studies: Sequence[Points] = ()
    baselines: Sequence[str] = ()
    baseline_batch: int | None = None  #: of the baselines' throughput; None: each result's own
    networks: Sequence[Workload] = ()  #: of results, where they are not shipped
    validation: Mapping[str, Any] | None = None  #: from pimsim.validate.checks.describe_checks

    @property
    def runs(self) -> dict[str, Result]:
        """Results of `pimsim run`."""
        return {name: each for name, each in self.saved.items() if isinstance(each, Result)}


def write_report(subjects: Subjects, out: str | Path) -> list[Path]:
    """Write ``out``, an HTML file, and the folder of its figures beside it; the files written, the page first.

    Raises:
        InputError: there is nothing to report, a baseline is unknown, or the files cannot be written.
    """
    target = Path(out)
    if not (subjects.saved or subjects.studies):
        raise InputError("there is nothing to report", key="RESULT|STUDY")
    if target.is_dir():
        raise InputError("cannot be written: it is a folder", file=target, allowed="the name of an HTML file")
    beside = target.with_name(f"{target.stem}_files")
    try:
        with staged_folder(beside) as stage:
            text = report_page(subjects, stage, beside.name)
            files = sorted(file.name for file in stage.iterdir() if file.name != "probe")
            with staged_file(target) as page:
                page.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise write_error(error, target) from None
    return [target, *(beside / name for name in files)]


def report_page(subjects: Subjects, stage: Path, beside: str) -> str:
    """The page as text; its figures are written into ``stage``, which it calls ``beside``."""
    build = _Build(stage, beside)
    sections: list[Section] = []
    if subjects.runs:
        sections += _run_sections(subjects, build)
    for points in subjects.studies:
        sections.append(_study_section(points, subjects, build))
    executed = {name: each for name, each in subjects.saved.items() if isinstance(each, InferenceResult)}
    sweeps = {name: each for name, each in subjects.saved.items() if isinstance(each, InferenceSweep)}
    if executed or sweeps:
        shown = executions.table(executed) if executed else ""
        sections.append(Section("values", "Values on crossbars",
                                shown + build.figures(executions.drawings(executed, sweeps))))  # fmt: skip
    if subjects.validation is not None:
        sections.append(Section("validation", "Published figures and ours", _validation(subjects.validation)))
    made = f"Made by pimsim {__version__} on {time.strftime('%Y-%m-%d', time.gmtime())}, Python " \
           f"{platform.python_version()}. Nothing was simulated for this page: it shows what was saved."  # fmt: skip
    beside_words = f"Every figure is also in {beside}/ as PNG and SVG, its numbers as CSV."
    return html.page(_title(subjects), html.text(made, "soft") + html.text(beside_words, "soft"), sections)


@dataclass
class _Build:
    """Draws figures into a folder, each under a name of its own."""

    stage: Path
    beside: str
    names: set[str] = field(default_factory=set)

    def figures(self, drawings: Sequence[Drawing | None]) -> str:
        """Figures as HTML, in order."""
        return "".join(html.figure(drawn(self._own(each), self.stage), self.beside) for each in drawings if each)

    def table(self, name: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
        """Write a table; where it is, as seen from the page."""
        write_csv(self.stage / f"{name}.csv", head, rows)
        return f"{self.beside}/{name}.csv"

    def _own(self, drawing: Drawing) -> Drawing:
        """Two results may have one name but for signs that files do not bear."""
        name, n = drawing.name, 1
        while name in self.names:
            n += 1
            name = f"{drawing.name}-{n}"
        self.names.add(name)
        return drawing if name == drawing.name else replace(drawing, name=name)


def _run_sections(subjects: Subjects, build: _Build) -> list[Section]:
    named = subjects.runs
    sections = [
        Section("summary", "Summary", runs.summary(named)),
        Section("what", "What was run on what", runs.what_was_run(named)),
    ]
    pairs, missing = set_beside(named, subjects.baselines, subjects.networks, subjects.baseline_batch)
    if pairs or missing:
        pictures = build.figures(against.drawings(named, pairs)) if pairs else ""
        sections.append(Section("baselines", "Beside the baselines", pictures + against.table(pairs, missing)
                                + against.incomplete(named) + against.other_norms(named)))  # fmt: skip
    pictures = build.figures(systems.drawings(named))
    if pictures:
        sections.append(Section("systems", "Systems", pictures))
    shown = overview.most_different(named, MOST_DETAILED)
    if len(named) > len(shown):
        words = (f"Figures of their own have {len(shown)} of {len(named)} runs: {', '.join(shown)} "
                 f"({overview.CHOICE}). A report of fewer runs draws those of all.")  # fmt: skip
        sections.append(Section("all-runs", "All runs", build.figures(overview.drawings(named)) + html.text(words)))
    for n, name in enumerate(shown):
        body = runs.facts(named[name]) + build.figures(runs.drawings(name, named[name]))
        sections.append(Section(f"run-{n}", name, body))
    return sections


def _study_section(points: Points, subjects: Subjects, build: _Build) -> Section:
    csv_name = build.table(file_name(points.name, "points"), list(points.single),
                           list(zip(*points.single.values(), strict=True)))  # fmt: skip
    best, missing = study_versus.best_beside(points, subjects.baselines, subjects.networks)
    pictures = build.figures([*studies.drawings(points), *study_versus.drawings(points, best)])
    body = (studies.summary(points) + studies.missing_front(points) + pictures + studies.inseparable(points)
            + study_versus.notes(best, missing)
            + studies.table_of_points(points, csv_name))  # fmt: skip
    return Section(file_name("study", points.name), f"Study: {points.title}", body)


def _validation(document: Mapping[str, Any]) -> str:
    """Published figures beside ours, as `pimsim validate` shows them."""
    parts = [html.text(f"{counts_line(dict(document))}. {LEGEND}", "soft")]
    for group, rows in rows_by_group(dict(document)):
        strong = [n for n, row in enumerate(rows) if row.verdict in STRONG]
        parts.append(f"<h3>{html.escape(group)}</h3>")
        parts.append(html.table(HEADS, [row.cells for row in rows], strong=strong, words=(1, 6, 7)))
    parts += [html.text(line, "warn") for line in missing_lines(dict(document))]
    return "".join([*parts, *(html.text(line, "soft") for line in unchecked_lines(dict(document)))])


def _title(subjects: Subjects) -> str:
    names = [each.source.workload for each in subjects.runs.values()]
    names += [points.title for points in subjects.studies]
    if not names:
        names = list(subjects.saved)
    names = list(dict.fromkeys(names))
    return f"Report: {', '.join(names[:3])}" + (f" and {len(names) - 3} more" if len(names) > 3 else "")
