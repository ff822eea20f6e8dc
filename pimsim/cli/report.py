"""`pimsim compare` and `pimsim report`: results beside each other, and as a page."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pimsim.cli.options import JSON, check_name, read_baselines, read_words
from pimsim.errors import InputError, did_you_mean, shown

if TYPE_CHECKING:
    from pimsim.report.page.points import Points
    from pimsim.sweep import Study
    from pimsim.workload import Workload


SMALL, LARGE = ("latency_ns", "energy_pJ", "area_mm2"), ("accuracy",)  #: usual objectives of a study


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
@click.option("--minimize", metavar="A,B,...", help="Columns of studies that should be small; default, also beside "
              "--maximize: latency_ns, energy_pJ, area_mm2.")  # fmt: skip
@click.option("--maximize", metavar="A,B,...", help="Columns that should be large; default, also beside --minimize: "
              "accuracy, where there is one.")  # fmt: skip
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

    chosen = read_baselines(baselines)
    _check_baselines(chosen)
    low, high = read_words(minimize, "--minimize"), read_words(maximize, "--maximize")
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
    """A study as the report sees it: without a word of them, the usual objectives that were measured."""
    import numpy as np

    from pimsim.report.page.points import Points
    from pimsim.sweep import load_study

    found = load_study(path)
    low = low or [name for name in SMALL if name not in high and _has_numbers(found, name)]
    high = high or [name for name in LARGE if name not in low and _has_numbers(found, name)]
    columns, intervals = _designs(found) if found.seed_axes else (found.columns, {})
    front = np.zeros(len(columns["key"]), dtype=bool)
    if low or high:  # else no point has a result, and its errors are worth a page
        front = found.front_designs(low, high) if found.seed_axes else found.front(low, high)
    axes = tuple(axis for axis in found.axes if axis not in found.seed_axes)
    return Points(
        name=name, folder=found.folder, title=_title(found, name), axes=axes, columns=columns,
        counts=found.counts, objectives=(*low, *high), maximized=tuple(high), front=front,
        facts=_facts(found.folder), intervals=intervals, every=found.columns if found.seed_axes else None,
        hashes=_hashes(found.folder), **_of_sweep(found),
    )  # fmt: skip


def _designs(found: Study) -> tuple[dict[str, tuple[Any, ...]], dict[str, Any]]:
    """Columns of designs, figures as means over their seeds, and half of the intervals of these means."""
    import numpy as np

    first = found.designs.first
    columns: dict[str, tuple[Any, ...]] = {}
    intervals = {}
    for name, values in found.columns.items():
        if name in found.seed_axes:
            continue
        columns[name] = tuple(values[n] for n in first)
        if name in _measured():
            mean = found.interval(name)
            columns[name] = tuple(None if np.isnan(value) else float(value) for value in mean.mean)
            if np.nanmax(mean.half_width, initial=0.0) > 0:
                intervals[name] = mean.half_width
    return columns, intervals


def _measured() -> tuple[str, ...]:
    from pimsim.sweep.study import OBJECTIVES

    return OBJECTIVES


def _hashes(folder: Path) -> dict[str, str]:
    """Hash of the lowered network of each workload as it was swept."""
    from pimsim.sweep.store import read_store

    query = "SELECT workload, min(json_extract(setting, '$.network')) FROM plan GROUP BY workload"
    with closing(read_store(folder)) as store:
        rows = store.connection.execute(query).fetchall()
    return {name: told.partition("+")[0] for name, told in rows if told}  # behind +: of the file, weights included


def _has_numbers(found: Study, column: str) -> bool:
    return any(value is not None for value in found.columns.get(column, ()))


def _title(found: Study, name: str) -> str:
    try:
        return found.sweep().name or name
    except InputError:  # a study is worth a report without the file that it came from
        return name


def _of_sweep(found: Study) -> dict[str, Any]:
    """Where the networks of a study lie, which inputs they were given, and which axis sets the number of chips."""
    try:
        sweep = found.sweep()
    except InputError:
        return {"chips_axis": "chips" if "chips" in found.axes else None}
    return {"input_shapes": sweep.input_shapes, "files": sweep.files, "chips_axis": sweep.axis_of("chips")}


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
