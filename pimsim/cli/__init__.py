"""The command line: arguments in, tables out.

Whatever takes long to import is imported by the command that needs it.
"""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from pimsim.cli.baseline import baseline
from pimsim.cli.device import device
from pimsim.cli.infer import infer
from pimsim.cli.lifetime import lifetime
from pimsim.cli.noc import noc
from pimsim.cli.options import ENDURANCE, JSON, SET, check_name, read_baselines, read_endurance, read_shape
from pimsim.cli.report import compare, report
from pimsim.cli.sweep import pareto, sweep
from pimsim.cli.thermal import thermal
from pimsim.cli.validate import validate
from pimsim.cli.wear import wear
from pimsim.errors import InputError, one_line
from pimsim.version import __version__

if TYPE_CHECKING:
    from pimsim.results import Result
    from pimsim.results.trace import TraceFile

_INPUT = click.option("--input", "inputs", multiple=True, metavar="NAME=1,3,224,224", help="Shape of an "
                      "input, where the network leaves it open or another is wanted.")  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run a command; the exit code: 0, 1 (the simulation cannot go on), 2 (wrong or too large input), 130 (Ctrl-C)."""
    if arguments is None:  # the process is ours
        signal.signal(signal.SIGINT, _leave)
    _open_closed_streams()
    try:
        code = int(cli.main(arguments, "pimsim", standalone_mode=False) or 0)
        sys.stdout.flush()
        return code
    except InputError as error:
        return _fail(str(error), 2)
    except click.UsageError as error:
        return _fail(f"{error.format_message()} ({_help_of(error)} says more)", 2)
    except click.ClickException as error:
        return _fail(str(error), 1)
    except OverflowError as error:
        return _fail(f"some number is too large: {error}", 2)
    except MemoryError:
        return _fail("there is not enough memory for this: a run has too many images, chips, windows or packets, or "
                     "a network too many routers, buffers or cycles of delay", 2)  # fmt: skip
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130)
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EDQUOT):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more at its end
        return 1 if error.errno == errno.EPIPE else _fail(f"the output cannot be written: {error.strerror}", 2)


def _open_closed_streams() -> None:
    """Whoever closes stdout or stderr (``>&-``) wants none of it."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))


def _leave(*_: object) -> None:
    """Ctrl-C ends the process here: as an exception it would surface anywhere, and compiled code cannot take one."""
    staging = sys.modules.get("pimsim.results.staging")
    if staging is not None and not staging.abandon():
        return  # everything is done but for the renaming
    cache = sys.modules.get("pimsim.engine.cache")
    if cache is not None:
        cache.remove_temporary()
    visible_cursor = "\x1b[?25h" if sys.stderr.isatty() else ""
    os.write(2, f"{visible_cursor}\npimsim: interrupted\n".encode())
    os._exit(130)


def _fail(line: str, code: int) -> int:
    click.echo(f"pimsim: {one_line(line)}", err=True)
    return code


def _help_of(error: click.UsageError) -> str:
    return f"{error.ctx.command_path if error.ctx else 'pimsim'} --help"


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Simulate processing-in-memory chips running neural networks."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


cli.add_command(baseline)
cli.add_command(validate)
cli.add_command(noc)
cli.add_command(infer)
cli.add_command(wear)
cli.add_command(thermal)
cli.add_command(lifetime)
cli.add_command(device)
cli.add_command(sweep)
cli.add_command(pareto)
cli.add_command(compare)
cli.add_command(report)


@cli.command()
@click.argument("workload")
@click.option("--arch", "system", required=True, metavar="SYSTEM", help="Shipped name (isaac-ce) or YAML file.")
@click.option("--mode", type=click.Choice(["infer", "train"]), default="infer", show_default=True,
              help="train: forward, backward, gradients of the weights, and their update.")  # fmt: skip
@click.option("--batch", type=int, default=1, show_default=True,
              help="Images that stream through; in training, images between two updates.")  # fmt: skip
@click.option("--iterations", type=int, default=1, show_default=True, help="Batches of training.")
@click.option("--exact", is_flag=True, help="Simulate all iterations; default: three, if these are alike.")
@click.option("--noc", type=click.Choice(["packet", "flit", "ideal"]), default="packet", show_default=True,
              help="packet: links are shared; flit: routers, virtual channels and credits, cycle by cycle; "
                   "ideal: only distance counts.")  # fmt: skip
@click.option("--engine", type=click.Choice(["compiled", "simpy"]), default="compiled", show_default=True,
              help="simpy: the slow reference of the same model.")  # fmt: skip
@click.option("--fidelity", type=click.Choice(["engine", "analytical"]), default="engine", show_default=True,
              help="analytical: an estimate without events, on an ideal network.")  # fmt: skip
@ENDURANCE
@SET
@_INPUT
@click.option("--baseline", "baselines", metavar="v100,h100,...", help="Print speed-up and energy beside GPUs "
              "(`pimsim baseline list`).")  # fmt: skip
@click.option("--compare-ideal", is_flag=True, help="Run once more on an ideal network: the share of time that packets "
              "cost by waiting for each other.")  # fmt: skip
@click.option("--out", metavar="DIR", help="Write result.json, layers.csv and plots there.")
@click.option("--trace", metavar="FILE", help="Write a timeline for Perfetto (.json or .json.gz).")
@click.option("--trace-from", type=float, metavar="NS", help="Start of the timeline; default: 0.")
@click.option("--trace-to", type=float, metavar="NS", help="End of the timeline; default: that of the run.")
@click.option("--trace-tiles", multiple=True, metavar="0,1,5-9", help="Tiles in the timeline; default: all.")
@JSON
@click.option("--quiet", is_flag=True, help="No progress bar and no tables.")
def run(
    workload: str,
    system: str,
    mode: str,
    batch: int,
    iterations: int,
    exact: bool,
    noc: str,
    engine: str,
    fidelity: str,
    endurance: str | None,
    overrides: tuple[str, ...],
    inputs: tuple[str, ...],
    baselines: str | None,
    compare_ideal: bool,
    out: str | None,
    as_json: bool,
    quiet: bool,
    **trace: Any,
) -> None:
    """Run WORKLOAD (a shipped name, a YAML or an ONNX file) on a system and say how it went."""
    if batch < 1:
        raise InputError(f"a batch of {batch} images cannot run", key="--batch", allowed="a whole number from 1")
    shapes = dict(map(read_shape, inputs))
    borne = None if endurance is None else read_endurance(endurance)
    _check_names(out, **trace)
    besides = read_baselines(baselines)
    if besides:
        from pimsim.report.beside import check_baselines

        check_baselines(besides, mode == "train")
    if fidelity == "analytical":
        _check_estimate(trace["trace"])
    with ExitStack() as stack:
        fill = stack.enter_context(_output_folder(out)) if out else None
        timeline = stack.enter_context(_trace(**trace)) if trace["trace"] else None
        from pimsim.report.progress import ProgressBar

        bar = stack.enter_context(ProgressBar(not quiet))
        if fidelity == "analytical":
            result = _estimate(workload, system, batch=batch, overrides=overrides, input_shapes=shapes)
        else:
            result = _simulate(workload, system, mode=mode, batch=batch, iterations=iterations, exact=exact,
                               noc=noc, engine=engine, overrides=overrides, compare_ideal=compare_ideal,
                               input_shapes=shapes, progress=bar, placing=bar.counting("placing tiles"),
                               trace=timeline)  # fmt: skip
        if borne is not None:
            from pimsim.results import with_endurance

            result = with_endurance(result, borne[0], "given", borne[1])
        if fill is not None:
            fill(result)
    _print_result(result, as_json, quiet)
    if besides and not quiet and not as_json:
        _print_beside(result, workload, shapes, besides)
    if out and not quiet and not as_json:
        click.echo(f"Written to {out}")


def _check_names(out: str | None, trace: str | None, **parts: Any) -> None:
    """Outputs have names, and a part of a timeline needs a timeline."""
    for key, name, kind in (("--out", out, "folder"), ("--trace", trace, "file")):
        check_name(key, name, kind)
    for part, value in parts.items():
        if trace is None and value not in (None, ()):
            raise InputError("is a part of a timeline, and none is written", key=f"--{part.replace('_', '-')}",
                             allowed="--trace FILE beside it")  # fmt: skip


def _check_estimate(trace: str | None) -> None:
    """An estimate has no events to trace, one network and one engine."""
    context = click.get_current_context()
    for name, known in (("noc", "ideal"), ("engine", None), ("mode", "infer")):
        given, source = context.params[name], context.get_parameter_source(name)
        if given != known and source is not None and source.name == "COMMANDLINE":
            raise InputError(f"{given} does not go with --fidelity analytical", key=f"--{name}", allowed=known)
    from pimsim.simulation import check_batch, check_iterations

    check_batch(context.params["batch"])
    check_iterations(*(context.params[name] for name in ("mode", "batch", "iterations", "exact")))
    if context.params["compare_ideal"]:
        what = "an analytical estimate has no packets that wait"
        raise InputError(what, key="--compare-ideal", allowed="--fidelity engine")
    if trace is not None:
        raise InputError("an analytical estimate has no events", key="--trace", allowed="--fidelity engine")


def _estimate(workload: str, system: str, **options: Any) -> Result:
    from pimsim.costmodels.chip import Standstill, estimate

    try:
        return estimate(workload, system, **options)
    except Standstill as error:
        raise click.ClickException(str(error)) from None


def _simulate(workload: str, system: str, **options: Any) -> Result:
    from pimsim.simulation import Standstill, simulate

    try:
        return simulate(workload, system, **options)
    except Standstill as error:
        raise click.ClickException(str(error)) from None


def _print_result(result: Result, as_json: bool, quiet: bool) -> None:
    if as_json:
        from pimsim.results import result_json

        click.echo(result_json(result), nl=False)
    elif not quiet:
        from pimsim.report.terminal import result_tables, terminal

        console = terminal()
        console.print(result_tables(result, console.width))


def _print_beside(result: Result, workload: str, shapes: dict[str, tuple[int, ...]], names: list[str]) -> None:
    from pimsim.report.beside import beside_table, set_beside
    from pimsim.report.terminal import terminal
    from pimsim.workload import load_workload

    terminal().print(beside_table(result, set_beside(result, load_workload(workload, shapes), names)))


def _output_folder(out: str) -> Any:
    """Entered before the simulation: whether the folder can be written is known then."""
    from pimsim.report.folder import output_folder

    return output_folder(out)


@contextmanager
def _trace(
    trace: str, trace_from: float | None, trace_to: float | None, trace_tiles: tuple[str, ...]
) -> Iterator[TraceFile]:
    from pimsim.results.trace import Window, merge_tiles, open_trace

    start, end = trace_from or 0.0, math.inf if trace_to is None else trace_to
    if not 0 <= start <= end or start == math.inf:  # NaN included
        raise InputError(f"there is nothing from {start:g} to {end:g} ns", key="--trace-from, --trace-to")
    from_ps, to_ps = (round(min(ns * 1000, 1e18)) if ns < math.inf else Window.to_ps for ns in (start, end))
    with open_trace(trace, Window(from_ps, to_ps, merge_tiles(trace_tiles))) as file:
        yield file


@cli.command()
@click.argument("subject", metavar="SYSTEM|WORKLOAD")
@click.option("--arch", "system", metavar="SYSTEM", help="Say what each layer of the workload would take of it.")
@SET
@_INPUT
@JSON
def show(
    subject: str, system: str | None, overrides: tuple[str, ...], inputs: tuple[str, ...], as_json: bool
) -> None:
    """Show a system's components and peak figures, or a network's operations and what they take."""
    from pimsim.report import show as tables

    if _is_system(subject):
        if system or inputs:
            raise InputError(f"{subject} is a system; --arch and --input go with a workload")
        from pimsim.config import load_system

        facts = tables.describe_system(load_system(subject, overrides))
        shown = tables.system_tables
    elif system:
        from pimsim.simulation import map_workload

        program = map_workload(subject, system, overrides=overrides, input_shapes=dict(map(read_shape, inputs)))
        facts, shown = tables.describe_mapping(program), tables.mapping_tables
    else:
        if overrides:
            raise InputError("changes a system, and none is given", key="--set", allowed="--arch SYSTEM beside it")
        from pimsim.workload import load_workload

        facts = tables.describe_workload(load_workload(subject, dict(map(read_shape, inputs))))
        shown = tables.workload_tables
    if as_json:
        click.echo(json.dumps(facts, indent=1, allow_nan=False))
    else:
        from pimsim.report.terminal import terminal

        terminal().print(shown(facts))


@cli.command()
@click.argument("kind", type=click.Choice(["system", "device", "workload"]))
def schema(kind: str) -> None:
    """Print the JSON Schema of the YAML format, for editors."""
    if kind == "system":
        from pimsim.config.schema import system_schema as schema_of
    elif kind == "device":
        from pimsim.config.schema import device_schema as schema_of
    else:
        from pimsim.workload import workload_schema as schema_of
    click.echo(json.dumps(schema_of(), indent=1))


def _is_system(subject: str) -> bool:
    """Whether a name or file is a system's, not a workload's: by shipped names, then by what a file says of itself."""
    from pimsim.config import shipped_systems
    from pimsim.errors import did_you_mean
    from pimsim.workload.catalogue import shipped
    from pimsim.yaml_source import load_yaml

    if subject in shipped_systems() or subject in shipped():
        return subject in shipped_systems()
    if not subject.lower().endswith((".yaml", ".yml")):
        if subject.lower().endswith(".onnx"):
            return False
        names = [*shipped_systems(), *shipped()]
        raise InputError(f"nothing is called '{subject}'{did_you_mean(subject, names)}",
                         allowed=", ".join(names) + ", or a .yaml or .onnx file")  # fmt: skip
    data, _ = load_yaml(subject)
    return "base" in data or not str(data.get("format", "")).startswith("pimsim-workload")
