"""`pimsim wear`: how updates of the weights wear the cells."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from pimsim.cli.options import ENDURANCE, INTERVAL, JSON, LEVELLING, SET, check_name, read_endurance, read_shape
from pimsim.errors import InputError

if TYPE_CHECKING:
    from pimsim.results.updates import UpdateWear

_OPTIONS = {name: f"--{name}" for name in ("updates", "policy", "levelling", "interval", "size", "seed")}
_OPTIONS |= {"system": "--arch"}
"""The options that give the library's arguments."""


@click.command()
@click.argument("workload")
@click.option("--arch", "system", required=True, metavar="SYSTEM", help="Shipped name (isaac-ce) or YAML file.")
@click.option("--updates", type=int, required=True, metavar="N", help="Updates of all weights, up to a million.")
@click.option("--policy", type=click.Choice(["full", "changed_rows", "changed"]), default="full", show_default=True,
              help="full: every cell is written; changed_rows: rows in which a level changes; changed: cells whose "
                   "level changes. The last two need an ONNX network with its weights.")  # fmt: skip
@LEVELLING
@INTERVAL
@click.option("--size", type=float, default=1e-3, show_default=True,
              help="Standard deviation of an update of a weight, relative to that of the layer's weights.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Of the updates and the cells' endurance.")
@ENDURANCE
@SET
@click.option("--input", "inputs", multiple=True, metavar="NAME=1,3,224,224", help="Shape of the input, where the "
              "network leaves more than the batch open.")  # fmt: skip
@click.option("--out", metavar="DIR", help="Write wear.json, wear.csv, crossbars.csv and the histogram there.")
@JSON
@click.option("--quiet", is_flag=True, help="No progress bar and no tables.")
def wear(
    workload: str,
    system: str,
    endurance: str | None,
    inputs: tuple[str, ...],
    out: str | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Program WORKLOAD into the crossbars of SYSTEM once, update its weights N times, and count writes of cells."""
    check_name("--out", out)
    options["endurance"] = None if endurance is None else read_endurance(endurance)
    options["input_shapes"] = dict(map(read_shape, inputs))
    with ExitStack() as stack:
        from pimsim.report.progress import ProgressBar
        from pimsim.report.wear import wear_folder

        fill = stack.enter_context(wear_folder(out)) if out else None
        bar = stack.enter_context(ProgressBar(not quiet, "writing crossbars"))
        found = _count(workload, system, progress=bar, **options)
        if fill is not None:
            fill(found)
    _print(found, as_json, quiet)
    if out and not quiet and not as_json:
        click.echo(f"Written to {out}")


def _count(workload: str, system: str, updates: int, **options: Any) -> UpdateWear:
    from pimsim.wear import count_updates

    try:
        return count_updates(workload, system, updates, **options)
    except InputError as error:
        if error.file is not None or error.key not in _OPTIONS:
            raise
        raise InputError(error.what, key=_OPTIONS[error.key], allowed=error.allowed) from None


def _print(found: UpdateWear, as_json: bool, quiet: bool) -> None:
    if as_json:
        from pimsim.results.updates import wear_json

        click.echo(wear_json(found), nl=False)
    elif not quiet:
        from pimsim.report.terminal import terminal
        from pimsim.report.wear import wear_tables

        terminal().print(wear_tables(found))
