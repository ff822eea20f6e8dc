"""`pimsim compare` and `pimsim report`: results beside each other, and as a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pimsim.cli.options import JSON, check_name
from pimsim.errors import InputError, did_you_mean, shown

if TYPE_CHECKING:
    from pimsim.report.page.points import Points
    from pimsim.sweep import Study
    from pimsim.workload import Workload


@click.command()
@click.argument("results", nargs=-1, required=True, metavar="RESULT RESULT ...")
@click.option("--different-workloads", is_flag=True, help="Compare results of different networks all the same.")
@JSON
def compare(results: tuple[str, ...], different_workloads: bool, as_json: bool) -> None:
    """Show results beside each other, with ratios to the first.

    Each RESULT is the folder of a `pimsim run` or `pimsim infer`, or the result.json or inference.json in it.
    """
    from pimsim.report.compare import compare as compare_results
    from pimsim.report.loading import load_saved, short_names

    document = compare_results(short_names(results), [load_saved(path) for path in results], different_workloads)
    if as_json:
        click.echo(json.dumps(document, indent=1, allow_nan=False))
        return
    from pimsim.report.compare_tables import comparison_tables
    from pimsim.report.terminal import terminal

    terminal().print(comparison_tables(document))


@click.command()
@click.argument("subjects", nargs=-1, required=True, metavar="RESULT|STUDY ...")
@click.option("--baseline", "baselines", metavar="v100,h100,...", help="Presets or measured files to set runs beside "
              "(`pimsim baseline list`).")  # fmt: skip
@click.option("--baseline-batch", type=int, metavar="N", help="Batch of the baselines' throughput and energy; default: "
              "that of each run.")  # fmt: skip
@click.option("--workload", "workloads", multiple=True, metavar="FILE", help="Network of a run, for the baselines, "
              "where it is not a shipped one; may be given again.")  # fmt: skip
@click.option("--minimize", metavar="A,B,...", help="Columns of studies that should be small; default: latency_ns, "
              "energy_pJ, area_mm2.")  # fmt: skip
@click.option("--maximize", metavar="A,B,...", help="Columns that should be large; default: accuracy, where there is "
              "one.")  # fmt: skip
@click.option("--validation", is_flag=True, help="Include published figures beside ours (`pimsim validate`).")
@click.option("--out", default="report.html", show_default=True, metavar="FILE", help="The page; figures and tables go "
              "to a folder of its name beside it.")  # fmt: skip
def report(
    subjects: tuple[str, ...],
    baselines: str | None,
    baseline_batch: int | None,
    workloads: tuple[str, ...],
    minimize: str | None,
    maximize: str | None,
    validation: bool,
    out: str,
) -> None:
    """Write one HTML file about results and studies that opens anywhere, offline.

    RESULT is the folder of a `pimsim run` or `pimsim infer`, STUDY that of a `pimsim sweep`.
    """
    check_name("--out", out, "file")
    if baseline_batch is not None and baseline_batch < 1:
        raise InputError(f"a batch of {baseline_batch} cannot run", key="--baseline-batch",
                         allowed="a whole number from 1")  # fmt: skip
    from pimsim.report.loading import load_saved, short_names
    from pimsim.report.page.build import Subjects, write_report

    chosen = _words(baselines, "--baseline")
    _check_baselines(chosen)
    low, high = _words(minimize, "--minimize"), _words(maximize, "--maximize")
    subjects = tuple(dict.fromkeys(subjects))
    names = dict(zip(subjects, short_names(subjects), strict=True))
    studied = [path for path in subjects if _is_study(path)]
    files = write_report(
        Subjects(
            saved={names[path]: load_saved(path) for path in subjects if path not in studied},
            studies=[_points(names[path], path, low, high) for path in studied],
            baselines=chosen,
            baseline_batch=baseline_batch,
            networks=[_workload(path) for path in workloads],
            validation=_validation() if validation else None,
        ),
        out,
    )
    click.echo(f"Written to {files[0]}, and {len(files) - 1} files to {files[1].parent if files[1:] else '-'}")


def _words(text: str | None, key: str) -> list[str]:
    if text is None:
        return []
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        raise InputError(f"{shown(text)} is no list of names", key=key, allowed="names with commas between them")
    return list(dict.fromkeys(words))


def _check_baselines(names: list[str]) -> None:
    """Before anything is read or drawn."""
    from pimsim.baselines import load_measured, measured_files, presets

    known = [*presets(), *measured_files()]
    for name in names:
        if name.lower().endswith(".json"):
            load_measured(name)
        elif name not in known:
            raise InputError(f"no baseline is called {shown(name)}{did_you_mean(name, known)}", key="--baseline",
                             allowed=[*known, "a .json file"])  # fmt: skip


def _is_study(path: str) -> bool:
    from pimsim.sweep.folder import holds_study

    return Path(path).is_dir() and holds_study(Path(path))


def _points(name: str, path: str, low: list[str], high: list[str]) -> Points:
    """A study as the report sees it."""
    from pimsim.report.page.points import Points
    from pimsim.sweep import load_study

    found = load_study(path)
    if not low and not high:
        low = [column for column in ("latency_ns", "energy_pJ", "area_mm2") if _has_numbers(found, column)]
        high = ["accuracy"] if _has_numbers(found, "accuracy") else []
    if not low and not high:
        raise InputError("has no point with a result to show", file=path, allowed="--minimize, --maximize COLUMNS")
    return Points(
        name=name, folder=found.folder, title=_title(found, name), axes=found.axes, columns=found.columns,
        counts=found.counts, objectives=(*low, *high), maximized=tuple(high), front=found.front(low, high),
        facts=_facts(found.folder), **_networks(found),
    )  # fmt: skip


def _has_numbers(found: Study, column: str) -> bool:
    return any(value is not None for value in found.columns.get(column, ()))


def _title(found: Study, name: str) -> str:
    try:
        return found.sweep().name or name
    except InputError:  # a study is worth a report without the file that it came from
        return name


def _networks(found: Study) -> dict[str, Any]:
    """Where the networks of a study lie, and which inputs they were given."""
    try:
        sweep = found.sweep()
    except InputError:
        return {}
    return {"input_shapes": sweep.input_shapes, "files": sweep.files}


def _facts(folder: Path) -> dict[str, str]:
    """What run_info.json tells, flat."""
    from pimsim.report.compare import flattened

    try:
        info = json.loads((folder / "run_info.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {key: str(value) for key, value in flattened(info).items()}


def _workload(path: str) -> Workload:
    from pimsim.baselines import load_network

    return load_network(path)


def _validation() -> dict[str, Any]:
    from pimsim.validate.checks import describe_checks
    from pimsim.validate.suite import run_checks

    return describe_checks(run_checks())
