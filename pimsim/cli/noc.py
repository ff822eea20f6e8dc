"""`pimsim noc`: a network alone."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from pimsim.cli.options import JSON, SET, check_name
from pimsim.errors import InputError, did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import RenderableType

    from pimsim.network.topology import Topology
    from pimsim.network.traffic import Pattern
    from pimsim.noc import BuiltNetwork

_OUT = click.option("--out", metavar="DIR", help="Write tables, JSON and plots there.")
_QUIET = click.option("--quiet", is_flag=True, help="No progress bar and no tables.")
_ENGINE = click.option("--engine", type=click.Choice(["compiled", "reference"]), default="compiled",
                       show_default=True, help="reference: the slow twin of the same model.")  # fmt: skip

_OPTIONS = {"run_packets": "--packets", "load": "--loads"} | {
    argument: f"--{argument.replace('_', '-')}"
    for argument in ("traffic", "loads", "packet_flits", "targets", "sources", "seeds", "packets", "threads")
}
"""The options that give the library's arguments."""


@click.group()
def noc() -> None:
    """Look at a network alone: load curves, given packets, freedom from deadlock."""


@noc.command()
@click.argument("network", metavar="CHIP|NOC.yaml")
@click.option("--traffic", required=True, metavar="PATTERN|FILE", help="uniform, transpose, bitrev, bitcomp, shuffle, "
              "hotspot, neighbor, tornado, or a matrix: CSV or .npz with source, target, weight and perhaps flits.")
@click.option("--loads", metavar="0.02,0.05,...", help="Flits/cycle that each sending terminal offers; default: from 2 "
              "to 105 % of saturation.")
@click.option("--packet-flits", default="5", show_default=True, metavar="N|N=SHARE,...",
              help="Flits of a packet, or of several kinds: 1=0.5,5=0.5.")
@click.option("--targets", metavar="18,21=2,...", help="hotspot: terminals, and their weights; default: those a "
              "quarter of the way from the edges.")
@click.option("--sources", metavar="0-15,20", help="hotspot: terminals that send; default: all.")
@click.option("--seeds", type=int, default=1, show_default=True, help="Runs of each load; from 2 on latencies have "
              "intervals.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the first run; the others count up.")
@click.option("--packets", "run_packets", type=int, default=160_000, show_default=True, help="Of a run, at first; "
              "fewer are faster and less exact.")
@click.option("--threads", type=int, help="Runs at the same time; default: one a processor.")
@_ENGINE
@SET
@_OUT
@JSON
@_QUIET
def curve(
    network: str,
    traffic: str,
    loads: str | None,
    packet_flits: str,
    seeds: int,
    seed: int,
    run_packets: int,
    threads: int | None,
    engine: Any,
    overrides: tuple[str, ...],
    out: str | None,
    as_json: bool,
    quiet: bool,
    **hotspot: str | None,
) -> None:
    """Measure latency against load of CHIP|NOC.yaml (or a shipped name), and where it saturates."""
    check_name("--out", out)
    if seed < 0:
        raise InputError(f"{seed} is not allowed", key="--seed", allowed="a whole number from 0")
    given = None if loads is None else [_number(text, "--loads") for text in loads.split(",")]
    sizes = _sizes(packet_flits)
    threads = os.cpu_count() or 1 if threads is None else threads
    from pimsim.noc import build_network, latency_curve
    from pimsim.report import noc as tables

    built = build_network(network, overrides)
    with ExitStack() as stack:
        stack.enter_context(_naming_options())
        pattern = _pattern(traffic, built.topology, **hotspot)
        folder = stack.enter_context(_folder(out, "curve")) if out else None
        bar = stack.enter_context(_bar(not quiet, "measuring loads"))
        found = _without_deadlock(
            latency_curve, built, pattern, loads=given, packet_flits=sizes, seeds=seeds, seed=seed,
            run_packets=run_packets, threads=threads, engine=engine, progress=bar,
        )  # fmt: skip
        if folder is not None:
            folder.fill_curve(found, built)
    if as_json:
        _print_json(tables.curve_document(found, built))
    elif not quiet:
        _print(tables.curve_tables(found, built.topology), out)


@noc.command()
@click.argument("network", metavar="CHIP|NOC.yaml")
@click.argument("packets", metavar="PACKETS.csv|.npz")
@click.option("--unicast", is_flag=True, help="Packets to several terminals are copied where they begin, not branched.")
@_ENGINE
@SET
@_OUT
@JSON
@_QUIET
def replay(
    network: str,
    packets: str,
    unicast: bool,
    engine: Any,
    overrides: tuple[str, ...],
    out: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Send given packets through CHIP|NOC.yaml (or a shipped name), at given cycles.

    The file has the columns src, dst, size (flits) and ctime (cycle in which the packet joins its source's queue).
    Columns may be in any order, rows are in the order of their times.  In a CSV, a dst such as 3;7;9 is one packet to
    several terminals.
    """
    check_name("--out", out)
    from pimsim.noc import build_network
    from pimsim.noc import replay as replay_packets
    from pimsim.report import noc as tables

    built = build_network(network, overrides)
    with ExitStack() as stack:
        folder = stack.enter_context(_folder(out, "replay")) if out else None
        bar = stack.enter_context(_bar(not quiet, "replaying packets"))
        found = _without_deadlock(replay_packets, built, packets, unicast=unicast, engine=engine, progress=bar)
        if folder is not None:
            folder.fill_replay(found, built)
    if as_json:
        _print_json(tables.replay_document(found, built))
    elif not quiet:
        _print(tables.replay_tables(found, built.topology), out)


@noc.command()
@click.argument("network", metavar="CHIP|NOC.yaml")
@click.option("--packet-flits", type=int, default=5, show_default=True, help="Of the packets whose zero-load latency "
              "is told.")
@SET
@JSON
def check(network: str, packet_flits: int, overrides: tuple[str, ...], as_json: bool) -> int:
    """Say what CHIP|NOC.yaml (or a shipped name) is, and whether it can deadlock: then the exit code is 1."""
    from pimsim.config import load_network, naming_keys
    from pimsim.network.traffic import packet_sizes
    from pimsim.noc import check as check_network
    from pimsim.report import noc as tables

    with _naming_options():
        packet_sizes(packet_flits)
    spec = load_network(network, overrides)
    with naming_keys(network, overrides):
        found = check_network(spec, packet_flits, name=Path(network).stem)
    if as_json:
        _print_json(tables.check_document(found))
    else:
        _print(tables.check_tables(found))
    return 0 if found.found.deadlock_free else 1


def _pattern(name: str, topology: Topology, targets: str | None = None, sources: str | None = None) -> Pattern:
    from pimsim.network import traffic
    from pimsim.noc.files import read_matrix

    for key, value in (("--targets", targets), ("--sources", sources)):
        if value is not None and name != "hotspot":
            raise InputError(f"goes with hotspot traffic, not with {name}", key=key)
    if name == "hotspot":
        return traffic.hotspot(topology, None if targets is None else _weights(targets, "--targets"),
                               None if sources is None else _terminals(sources))  # fmt: skip
    if name in traffic.PATTERNS:
        return traffic.PATTERNS[name](topology)
    if not name.lower().endswith((".csv", ".npz")) and not os.path.isfile(name):
        raise InputError(f"{shown(name)} is neither a pattern nor a file{did_you_mean(name, traffic.PATTERNS)}",
                         key="--traffic", allowed=[*traffic.PATTERNS, "a .csv or .npz file"])  # fmt: skip
    return read_matrix(name, topology.terminals)


def _number(text: str, key: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{shown(text)} is no number", key=key) from None


def _whole(text: str, key: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 18):
        raise InputError(f"{shown(text)} is no whole number", key=key, allowed="up to 18 digits")
    return int(digits)


def _weights(text: str, key: str) -> dict[int, float]:
    """18,21=2 as {18: 1.0, 21: 2.0}."""
    found: dict[int, float] = {}
    for part in text.split(","):
        number, equals, weight = part.partition("=")
        if _whole(number, key) in found:
            raise InputError(f"{number.strip()} is there twice", key=key)
        found[_whole(number, key)] = _number(weight, key) if equals else 1.0
    return found


def _sizes(text: str) -> int | Mapping[int, float]:
    """5, or 1=0.5,5=0.5."""
    return _weights(text, "--packet-flits") if "=" in text else _whole(text, "--packet-flits")


def _terminals(text: str) -> Sequence[int]:
    """0-3,8 as 0, 1, 2, 3, 8."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        begin = _whole(first, "--sources")
        end = _whole(last, "--sources") if dash else begin
        if end < begin or end > 10**6:
            raise InputError(f"{part} holds no terminals", key="--sources")
        found.update(range(begin, end + 1))
    return sorted(found)


@contextmanager
def _naming_options() -> Iterator[None]:
    """What the library says of its arguments is told of the options that give them."""
    try:
        yield
    except InputError as error:
        if error.file is not None or error.key not in _OPTIONS:
            raise
        raise InputError(error.what, key=_OPTIONS[error.key], allowed=error.allowed) from None


def _without_deadlock(simulate: Any, network: BuiltNetwork, *arguments: Any, **options: Any) -> Any:
    from pimsim.noc import Deadlock

    try:
        return simulate(network, *arguments, **options)
    except Deadlock as error:
        raise click.ClickException(str(error)) from None


def _folder(out: str, command: Literal["curve", "replay"]) -> Any:
    """Entered before the simulation: whether the folder can be written is known then."""
    from pimsim.report.noc_folder import noc_folder

    return noc_folder(out, command)


def _bar(wanted: bool, words: str) -> Any:
    from pimsim.report.progress import ProgressBar

    return ProgressBar(wanted, words)


def _print(what: RenderableType, out: str | None = None) -> None:
    from pimsim.report.terminal import terminal

    terminal().print(what)
    if out:
        click.echo(f"Written to {out}")


def _print_json(document: Mapping[str, Any]) -> None:
    from pimsim.report.noc_folder import document_text

    click.echo(document_text(document), nl=False)
