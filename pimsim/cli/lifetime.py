"""`pimsim lifetime`: how long cells last under a load of training."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import click

from pimsim.cli.options import ENDURANCE, INTERVAL, JSON, LEVELLING, check_name, read_endurance
from pimsim.errors import InputError

_OPTIONS = ("epochs", "images", "hours_per_day", "share_written", "levelling", "interval", "workload")
"""The options that give the library's arguments."""


@click.command()
@click.argument("result", metavar="RESULT")
@click.option("--epochs", type=int, required=True, metavar="N", help="Of one training.")
@click.option("--images", type=int, required=True, metavar="N", help="Of one epoch.")
@ENDURANCE
@click.option("--hours-per-day", type=float, default=24.0, show_default=True, help="In which the chips train.")
@click.option("--share-written", type=float, default=1.0, show_default=True,
              help="Share of the cells that an update writes, where only those are written whose level changes "
                   "(`pimsim wear --policy changed` counts them).")  # fmt: skip
@LEVELLING
@INTERVAL
@click.option("--workload", metavar="WORKLOAD", help="The network that was run, which wear levelling needs; default: "
              "the shipped one of that name.")  # fmt: skip
@click.option("--out", metavar="DIR", help="Write lifetime.json, lifetime.csv and a picture there.")
@JSON
@click.option("--quiet", is_flag=True, help="No tables.")
def lifetime(
    result: str, endurance: str | None, out: str | None, as_json: bool, quiet: bool, **options: Any
) -> None:
    """Writes of a cell and years until the first cell dies, for trainings at the pace of RESULT, a folder that
    `pimsim run --mode train --out` wrote.
    """
    check_name("--out", out)
    options["endurance"] = None if endurance is None else read_endurance(endurance)
    from pimsim.report.lifetime import lifetime_folder, lifetime_json, lifetime_tables

    with ExitStack() as stack:
        fill = stack.enter_context(lifetime_folder(out)) if out else None
        found = _found(result, options)
        if fill is not None:
            fill(found)
    if as_json:
        click.echo(lifetime_json(found), nl=False)
    elif not quiet:
        from pimsim.report.terminal import terminal

        terminal().print(lifetime_tables(found))
    if out and not quiet and not as_json:
        click.echo(f"Written to {out}")


def _found(result: str, options: dict[str, Any]) -> Any:
    from pimsim.lifetime import training_life
    from pimsim.results import load_result

    try:
        return training_life(load_result(result), **options)
    except InputError as error:
        if error.file is not None:
            raise
        if error.key in _OPTIONS:
            raise InputError(error.what, key=f"--{error.key.replace('_', '-')}", allowed=error.allowed) from None
        raise InputError(error.what, file=result, key=error.key, allowed=error.allowed) from None
