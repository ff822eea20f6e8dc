"""`pimsim thermal`: how warm a run makes its chips."""

from __future__ import annotations

from contextlib import ExitStack

import click

from pimsim.cli.options import JSON, check_name
from pimsim.errors import InputError

_SET = click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one key of chip.thermal, "
                    "such as chip.thermal.convection_k_per_w=0.1; may be given again.")  # fmt: skip


@click.command()
@click.argument("result", metavar="RESULT")
@click.option("--cells", type=int, default=64, show_default=True, metavar="N", help="Along each side of the die.")
@click.option("--transient", is_flag=True, help="Also how the hottest chip warms up from the air's temperature.")
@_SET
@click.option("--out", metavar="DIR", help="Write heat.json, heat.csv (a row a tile) and pictures there.")
@JSON
@click.option("--quiet", is_flag=True, help="No tables.")
def thermal(
    result: str, cells: int, transient: bool, overrides: tuple[str, ...], out: str | None, as_json: bool, quiet: bool
) -> None:
    """Temperature of every tile on every tier under the mean power of RESULT, a folder that `pimsim run --out` wrote.

    The way out for the heat is chip.thermal of the system; --set changes it without another run.
    """
    check_name("--out", out)
    from pimsim.heat import temperatures
    from pimsim.report.heat_tables import heat_folder, heat_json, heat_tables
    from pimsim.results import load_result

    with ExitStack() as stack:
        fill = stack.enter_context(heat_folder(out)) if out else None
        try:
            found = temperatures(load_result(result), overrides=overrides, cells=cells, transient=transient)
        except InputError as error:
            raise _named(error, result) from None
        if fill is not None:
            fill(found)
    if as_json:
        click.echo(heat_json(found), nl=False)
    elif not quiet:
        from pimsim.report.terminal import terminal

        terminal().print(heat_tables(found))
    if out and not quiet and not as_json:
        click.echo(f"Written to {out}")


def _named(error: InputError, result: str) -> InputError:
    """An error of the library in the words of this command."""
    if error.key in ("x_cells", "y_cells"):
        return InputError(error.what, key="--cells", allowed=error.allowed)
    if error.file is None:
        return InputError(error.what, file=result, key=error.key, allowed=error.allowed)
    return error
