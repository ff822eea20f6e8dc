"""An InferenceResult on the terminal: decisions, then layers; a sweep as one row a value."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from pimsim.results.inference import CellLifetime, InferenceResult, InferenceSweep, LayerValues, Share, shown_share
from pimsim.results.notebook import shortened, with_unit

SHARES = {
    "accuracy": "Accuracy on crossbars",
    "fixed_accuracy": "Accuracy in exact integers",
    "float_accuracy": "Accuracy in floating point",
    "agreement_fixed": "Decides as exact integers",
    "agreement_float": "Decides as floating point",
}


def decibels(value: float | None) -> str:
    """A ratio, or that there is no difference, or nothing but differences."""
    if value is None:
        return "exact"
    return "no signal" if math.isinf(value) else f"{value:.1f}"


def per_cent(share: float) -> str:
    """A share that may be tiny; nothing at all is '0'."""
    return "0" if share == 0 else f"{100 * share:.3g}"


@dataclass(frozen=True)
class Column:
    """A column of the table of layers."""

    head: str
    cell: Callable[[LayerValues], str]


COLUMNS = (
    Column("windows\nan image", lambda layer: f"{layer.windows:,}"),
    Column("bits\nin x weight", lambda layer: f"{layer.input_bits} x {layer.weight_bits}"),
    Column("SNR to exact\n[dB]", lambda layer: decibels(layer.exact_snr_db)),
    Column("SNR to float\n[dB]", lambda layer: decibels(layer.float_snr_db)),
    Column("ADC clips\n[%]", lambda layer: per_cent(layer.clipped_share)),
    Column("overflows\n[% of outputs]", lambda layer: per_cent(layer.overflow_share)),
    Column("inputs beyond\nrange [%]", lambda layer: per_cent(layer.saturated_inputs)),
    Column("conversions\nan image", lambda layer: f"{layer.conversions * layer.windows // max(layer.vectors, 1):,}"),
    Column("computed by", lambda layer: tiers_shown(layer.tiers)),
)
NARROW = 120  #: terminals below it do without the last two columns


def tiers_shown(tiers: dict[str, int]) -> str:
    """T0 1,200, T1 3; one alone without its number."""
    if len(tiers) == 1:
        return next(iter(tiers))
    return ", ".join(f"{name} {units:,}" for name, units in tiers.items())


def title(result: InferenceResult) -> str:
    """What was executed on what."""
    source = result.source
    device = "ideal cells" if source.device is None else source.device["name"]
    images = "1 image" if source.images == 1 else f"{source.images:,} images"
    return f"{source.workload} on {source.system}, {device}, {images} of {source.data}, seed {source.seed}"


def inference_tables(found: InferenceResult | InferenceSweep, width: int) -> Group:
    """Everything that `pimsim infer` prints, for a terminal of ``width`` columns."""
    if isinstance(found, InferenceSweep):
        return Group(sweep_table(found), *_notes(sweep_notes(found)))
    return Group(layer_table(found, width), summary_table(found), *_notes(found.notes))


def sweep_notes(found: InferenceSweep) -> tuple[str, ...]:
    """Notes that hold for every value, then the others behind the values for which they hold."""
    where: dict[str, list[str]] = {}
    for value, result in zip(found.values, found.results, strict=True):
        for note in result.notes:
            where.setdefault(note, []).append(value)
    name, n = found.key.rpartition(".")[2], len(found.values)
    everywhere = [note for note, values in where.items() if len(values) == n]
    return (*everywhere, *(f"{name} {', '.join(values)}: {note}" for note, values in where.items() if len(values) < n))


def _notes(notes: tuple[str, ...]) -> list[Text]:
    return [Text(f"note: {note}", "dim") for note in notes]


def _table(heading: str) -> Table:
    return Table(title=Text(heading, "bold"), box=SIMPLE_HEAD, title_justify="left", header_style="bold",
                 pad_edge=False, padding=(0, 1, 0, 0))  # fmt: skip


def layer_table(result: InferenceResult, width: int) -> Table:
    """One row a layer on crossbars."""
    table = _table(title(result))
    table.add_column("layer", no_wrap=True)
    columns = COLUMNS if width >= NARROW else COLUMNS[:-2]
    for column in columns:
        table.add_column(Text(column.head), justify="right")
    for layer in result.layers:
        name = shortened(layer.name, max(10, width // 5))
        table.add_row(Text(name), *(Text(column.cell(layer)) for column in columns))
    if any(layer.clipped for layer in result.layers):
        table.caption = "ADC clips: sums above the range of the ADC, and sums below 0, which errors of cells can make"
        table.caption_justify = "left"
    return table


def summary_table(result: InferenceResult) -> Table:
    """Decisions and wear."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for key, words in SHARES.items():
        table.add_row(words, shown_share(getattr(result, key)))
    table.add_row("Writes of the weights", Text(_wear(result)))
    if result.lifetime is not None:
        table.add_row("Lifetime of the cells", Text(lifetime_shown(result.lifetime)))
    return table


def _wear(result: InferenceResult) -> str:
    """What writing the weights once takes."""
    wear = result.wear
    time, energy = with_unit(wear.time_ns / 1e9, "s"), with_unit(wear.energy_pj / 1e12, "J")
    return f"{wear.cells:,} cells in {wear.rows:,} rows of {wear.crossbars:,} crossbars, once each: {time}, {energy}"


def lifetime_shown(lifetime: CellLifetime) -> str:
    """How often the weights can be programmed."""
    spread = f", sigma {lifetime.sigma_decades:g} decades" if lifetime.sigma_decades else ""
    before = f" after {lifetime.writes_before:,.6g} writes" if lifetime.writes_before else ""
    return (
        f"{lifetime.stuck:,} of {lifetime.cells:,} cells are stuck{before}; {lifetime.programmings_to_first:,} "
        f"programmings, this one included, until the first is, {lifetime.programmings_to_one_percent:,} until 1 % are "
        f"(endurance {lifetime.endurance:.4g} writes{spread})"
    )


def sweep_table(found: InferenceSweep) -> Table:
    """One row a value of the key."""
    first = found.results[0]
    source = first.source
    table = _table(f"{source.workload} on {source.system}, {source.images:,} images of {source.data}, "
                   f"seed {source.seed}: {found.key}")  # fmt: skip
    table.add_column(found.key.rpartition(".")[2], justify="right", no_wrap=True)
    for head in ("accuracy\non crossbars", "95 % interval", "decides as\nexact integers", "lowest SNR to\nexact [dB]",
                 "most ADC clips\nof a layer [%]"):  # fmt: skip
        table.add_column(Text(head), justify="right", no_wrap=True)
    for value, result in zip(found.values, found.results, strict=True):
        noisy = [layer.exact_snr_db for layer in result.layers if layer.exact_snr_db is not None]
        clips = max((layer.clipped_share for layer in result.layers), default=0.0)
        cells = [*_share_cells(result.accuracy), f"{result.agreement_fixed.share:.2%}",
                 decibels(min(noisy, default=None)), per_cent(clips)]  # fmt: skip
        table.add_row(value, *cells)
    if first.float_accuracy is not None:
        table.caption = f"floating point: {shown_share(first.float_accuracy)}"
        table.caption_justify = "left"
    return table


def _share_cells(share: Share | None) -> list[str]:
    if share is None:
        return ["no labels", ""]
    low, high = share.interval
    return [f"{share.share:.2%}", f"{low:.2%} to {high:.2%}"]
