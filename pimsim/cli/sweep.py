"""`pimsim sweep` and `pimsim pareto`: studies of many points."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pimsim.cli.options import JSON, check_name
from pimsim.errors import InputError, shown

if TYPE_CHECKING:
    from pimsim.sweep import Study, Sweep, SweepSummary

INTERVAL = "_interval95"  #: behind the name of a column: half of the interval of its mean
SHOWN_POINTS = 40  #: of a plan or a front, on the terminal


@click.command()
@click.argument("file", metavar="SWEEP.yaml")
@click.option("--out", metavar="STUDY", help="Folder of the study; default: that of SWEEP.yaml's name, here.")
@click.option("--workers", type=int, metavar="N", help="Processes on this machine; 0: none beside this one; default: "
              "one a processor.")
@click.option("--dask", is_flag=True, help="The workers are those of a Dask cluster on this machine.")
@click.option("--scheduler", metavar="tcp://...", help="Compute on the workers of this Dask scheduler.")
@click.option("--resume", is_flag=True, help="Go on with a study that is there; what is stored is not computed again.")
@click.option("--retry-failed", is_flag=True, help="With --resume: points that have failed are computed again.")
@click.option("--dry-run", is_flag=True, help="Say which points there are, and compute none.")
@JSON
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
def sweep(
    file: str,
    out: str | None,
    workers: int | None,
    dask: bool,
    scheduler: str | None,
    resume: bool,
    retry_failed: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Run every point of SWEEP.yaml and keep the results in a folder, a study.

    Ctrl-C stops after what has ended is stored; --resume goes on.  A study's folder in place of SWEEP.yaml is the study
    itself, also one that was mailed: pimsim sweep STUDY --resume.

    Exits with 0 where every point is done, 1 where some have failed, 130 after Ctrl-C.
    """
    check_name("--out", out)
    if retry_failed and not resume:
        raise InputError("goes with --resume", key="--retry-failed")
    if scheduler is not None and (workers is not None or dask):
        raise InputError("brings its own workers", key="--scheduler", allowed="without --workers and --dask")
    if workers is not None and not 0 <= workers <= 4096:
        raise InputError(f"{workers} is not allowed", key="--workers", allowed="a whole number from 0 to 4096")
    from pimsim.sweep import load_sweep

    file, out = _study_or_sweep(file, out)
    wanted = load_sweep(file)
    if dry_run:
        _print_plan(wanted, as_json)
        return 0
    folder = out or Path(file).stem
    if os.path.abspath(folder) == os.path.abspath(file):
        raise InputError("is SWEEP.yaml itself", key="--out")
    executor = _executor(os.cpu_count() or 1 if workers is None else workers, dask, scheduler)
    summary = _run(wanted, folder, executor, resume, retry_failed, not (quiet or as_json))
    if as_json:
        _print_json({**vars(summary), "folder": str(summary.folder), "files": list(map(str, summary.files))})
    elif not quiet:
        click.echo(_told(summary, file, out))
    return 130 if summary.stopped else 1 if summary.failed else 0


def _study_or_sweep(file: str, out: str | None) -> tuple[str, str | None]:
    """SWEEP.yaml and the study's folder; a study holds its own sweep."""
    from pimsim.sweep.folder import SWEEP, holds_study

    if not holds_study(Path(file)):
        return file, out
    return str(Path(file) / SWEEP), out or file


def _executor(workers: int, dask: bool, scheduler: str | None) -> Any:
    from pimsim.sweep.executors.in_process import InProcess
    from pimsim.sweep.executors.pool import ProcessPool

    if dask or scheduler is not None:
        from pimsim.sweep.executors.dask import DaskCluster

        return DaskCluster(scheduler, workers=max(workers, 1))
    return ProcessPool(workers) if workers else InProcess()


def _run(wanted: Sweep, folder: str, executor: Any, resume: bool, retry_failed: bool, shows: bool) -> SweepSummary:
    from pimsim.sweep import run_sweep
    from pimsim.sweep.progress import SweepProgress

    with closing(SweepProgress(shows)) as progress, _stopping() as stop:
        return run_sweep(wanted, folder, executor=executor, resume=resume, retry_failed=retry_failed,
                         progress=progress, stop=stop, tell=lambda line: click.echo(f"pimsim: {line}", err=True))


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed (or the process was asked to end); pressed again, it ends the process."""
    asked: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, _: object) -> None:
        asked.append(number)
        os.write(2, b"\npimsim: stopping once what has ended is stored; Ctrl-C again leaves at once\n")
        for each, handler in before.items():
            signal.signal(each, handler)

    try:
        for number in before:
            signal.signal(number, ask)
    except ValueError:  # not the main thread: whoever calls stops us some other way
        before = {}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _told(summary: SweepSummary, file: str, out: str | None) -> str:
    """What became of the sweep, in a few lines."""
    waiting = summary.different - summary.done - summary.failed
    counts = [f"{summary.done:,} done", *([f"{summary.failed:,} failed"] if summary.failed else []),
              *([f"{waiting:,} waiting"] if waiting else [])]  # fmt: skip
    equal = summary.points - summary.different
    also = f" ({equal:,} more are equal to one of them)" if equal else ""
    lines = [f"{summary.different:,} points{also}: {', '.join(counts)}; {summary.computed:,} computed now, in "
             f"{summary.seconds:.1f} s"]  # fmt: skip
    if summary.failed:
        lines.append(f"{summary.failed:,} failed: the column error of {summary.folder / 'points.csv'} says why; "
                     f"the first: {summary.first_error}")  # fmt: skip
    if summary.stopped:
        given = f" --out {out}" if out else ""
        lines.append(f"Stopped.  Go on with: pimsim sweep {file}{given} --resume")
    return "\n".join([*lines, f"Written to {summary.folder}"])


def _print_plan(wanted: Sweep, as_json: bool) -> None:
    from pimsim.sweep import plan

    points = list(plan(wanted))
    different = len({point.key for point in points})
    if as_json:
        rows = [{"ordinal": p.ordinal, "key": p.key, "workload": p.setting["workload"], "system": p.setting["system"],
                 **p.parameters, "error": p.error} for p in points]  # fmt: skip
        _print_json({"combinations": wanted.count, "points": rows, "different": different})
        return
    head = ["", "workload", "system", *wanted.axes, "cannot be computed"]
    rows_shown = [[str(p.ordinal), p.setting["workload"], p.setting["system"],
                   *(_cell(p.parameters[axis]) for axis in wanted.axes), p.error or ""] for p in points]  # fmt: skip
    _print_table(head, rows_shown[:SHOWN_POINTS])
    if len(points) > SHOWN_POINTS:
        click.echo(f"... and {len(points) - SHOWN_POINTS:,} more (--json lists all)")
    mappings = len({point.mapping for point in points if not point.error})
    wrong = sum(point.error is not None for point in points)
    under = " under the conditions" if wanted.conditions else ""
    click.echo(f"{wanted.count:,} combinations, {len(points):,} points{under}, {different:,} different, "
               f"{mappings:,} mappings" + (f"; {wrong:,} cannot be computed" if wrong else ""))  # fmt: skip


@click.command()
@click.argument("study", metavar="STUDY")
@click.option("--minimize", metavar="A,B,...", help="Columns of results that should be small, such as latency_ns, "
              "energy_pJ, area_mm2.")
@click.option("--maximize", metavar="A,B,...", help="Columns that should be large, such as throughput_per_s, accuracy.")
@click.option("--plot", is_flag=True, help="Draw the fronts into STUDY/plots, their points beside them as CSV.")
@JSON
def pareto(study: str, minimize: str | None, maximize: str | None, plot: bool, as_json: bool) -> None:
    """Show which designs of STUDY no other design of the same workload beats.

    Points that differ in the seed alone are one design: its figures are the means over the seeds, with the 95 %
    interval of the mean (Student's t).
    """
    low, high = _words(minimize, "--minimize"), _words(maximize, "--maximize")
    if not low and not high:
        raise InputError("there is nothing to minimize or maximize", key="--minimize, --maximize",
                         allowed="--minimize latency_ns,energy_pJ,area_mm2")  # fmt: skip
    from pimsim.sweep import load_study

    found = load_study(study)
    front = found.front_designs(low, high)
    rows = found.design_rows(front, [*low, *high])
    if not rows:
        raise InputError("has no point in which all of these are measured", file=study, key=", ".join([*low, *high]))
    files = _write_fronts(found, front, low, high, rows) if plot else []
    if as_json:
        _print_json({"minimize": low, "maximize": high, "points": rows})
        return
    columns = [name for name in rows[0] if not name.endswith(INTERVAL)]
    _print_table(columns, [[_mean_cell(row, name) for name in columns] for row in rows[:SHOWN_POINTS]])
    if len(rows) > SHOWN_POINTS:
        click.echo(f"... and {len(rows) - SHOWN_POINTS:,} more")
    if found.seed_axes:
        click.echo(f"{len(rows):,} of {front.size:,} designs are on the front; means over seeds, +- half of the 95 % "
                   "interval of the mean (Student's t)")  # fmt: skip
    else:
        click.echo(f"{len(rows):,} of {found.counts['done']:,} points are on the front")
    if files:
        click.echo(f"Written to {', '.join(map(str, files))}")


def _words(text: str | None, key: str) -> list[str]:
    words = [word.strip() for word in (text or "").split(",")] if text is not None else []
    if text is not None and not all(words):
        raise InputError(f"{shown(text)} is no list of columns", key=key, allowed="latency_ns,energy_pJ")
    return words


def _write_fronts(
    found: Study, front: Any, low: list[str], high: list[str], rows: list[dict[str, Any]]
) -> list[Path]:  # fmt: skip
    """The figure and its numbers, all of them or none."""
    import csv

    from pimsim.report.plots import pareto as drawing
    from pimsim.report.plots import style
    from pimsim.results.staging import staged_folder, write_error

    try:
        with staged_folder(found.folder / "plots") as stage, style.in_style():
            values = {name: found.interval(name).mean for name in (*low, *high)}
            workloads = [found.columns["workload"][n] for n in found.designs.first]
            figure = drawing.draw(values, front, workloads, maximized=high)
            files = style.save(figure, stage / "pareto", ("png", "svg"))
            files.append(stage / "pareto.csv")
            with open(files[-1], "w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
    except OSError as error:
        raise write_error(error, found.folder) from None
    return [found.folder / "plots" / file.name for file in files]


def _mean_cell(row: dict[str, Any], name: str) -> str:
    """A value, with its interval where it is a mean."""
    half = row.get(f"{name}{INTERVAL}")
    return _cell(row[name]) if half is None else f"{_cell(row[name])} +- {half:.2g}"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)


def _print_table(head: list[str], rows: list[list[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from pimsim.report.terminal import terminal

    table = Table(*head, box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row)
    terminal().print(table)


def _print_json(document: Any) -> None:
    import json

    click.echo(json.dumps(document, indent=1, allow_nan=False))
