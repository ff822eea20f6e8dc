"""`pimsim device`: what the cells of crossbars are like."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from pimsim.cli.options import JSON

if TYPE_CHECKING:
    from rich.console import RenderableType

_SET = click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one key of the device; may "
                    "be given again.")  # fmt: skip


@click.group()
def device() -> None:
    """Look at what the cells of crossbars are like: noise, variation, faults, drift."""


@device.command()
@click.argument("device", metavar="DEVICE.yaml|NAME")
@click.option("--cell-bits", type=click.IntRange(1, 8), default=2, show_default=True, help="Bits that a cell holds.")
@click.option("--rows", type=click.IntRange(1, 65536), default=128, show_default=True, help="Cells of a column.")
@_SET
@JSON
def show(device: str, cell_bits: int, rows: int, overrides: tuple[str, ...], as_json: bool) -> None:
    """Say what DEVICE.yaml (or a shipped name) describes, and what follows for a cell and a column."""
    from pimsim.config import load_device
    from pimsim.report.device import describe_device, device_tables

    document = describe_device(load_device(device, overrides), cell_bits, rows)
    _print(document, None if as_json else device_tables(document))


@device.command()
@click.argument("device", metavar="DEVICE.yaml|NAME")
@_SET
@JSON
def check(device: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Say whether DEVICE.yaml (or a shipped name) is sound, and which of its parts have no effect."""
    from pimsim.config import load_device
    from pimsim.report.device import check_document, check_words

    document = check_document(load_device(device, overrides))
    _print(document, None if as_json else check_words(document))


def _print(document: dict[str, Any], words: RenderableType | None) -> None:
    """On the terminal; without words as JSON."""
    if words is None:
        click.echo(json.dumps(document, indent=1, allow_nan=False))
        return
    from pimsim.report.terminal import terminal

    terminal().print(words)
