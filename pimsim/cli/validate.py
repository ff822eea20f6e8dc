"""`pimsim validate`: published figures beside pimsim's."""

from __future__ import annotations

import json

import click

from pimsim.cli.options import JSON, check_name


@click.command()
@JSON
@click.option("--out", metavar="DIR", help="Write validation.json, validation.csv and validation.md there.")
@click.option("--simulate", "simulated", is_flag=True, help="Also what only the engine tells: throughput of ISAAC's "
              "networks, speed-ups of training beside AccuReD and PipeLayer; takes minutes.")  # fmt: skip
@click.option("--strict", is_flag=True, help="Exit with code 1 if a figure misses that "
              "DEVIATIONS.md does not explain.")
def validate(as_json: bool, out: str | None, simulated: bool, strict: bool) -> int:
    """Check the models against figures that papers print: ours, theirs, ratio, tolerance, verdict, source."""
    check_name("--out", out)
    from pimsim.report.validation import validation_tables, write_validation
    from pimsim.validate.checks import describe_checks
    from pimsim.validate.suite import run_checks

    document = describe_checks(run_checks(simulated))
    if out:
        write_validation(document, out)
    if as_json:
        click.echo(json.dumps(document, indent=1, allow_nan=False))
    else:
        from pimsim.report.terminal import terminal

        console = terminal()
        console.print(validation_tables(document, console.width))
        if not simulated:
            click.echo("Left out: figures of runs (throughput of ISAAC's networks, speed-ups of training beside "
                       "AccuReD and PipeLayer); --simulate adds them.")  # fmt: skip
        if out:
            click.echo(f"Written to {out}")
    bugs = [row for row in document["checks"] if row["verdict"] == "misses" and not row["deviation"]]
    return 1 if strict and bugs else 0
